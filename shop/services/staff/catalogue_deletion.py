"""What of the catalogue may not be deleted, and why: people have bought it, handed it in, or it is in use."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from shop.models import (
    Coupon,
    Course,
    CourseCategory,
    CourseChapter,
    CourseSchedule,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    Homework,
    HomeworkRecord,
    Product,
    Question,
    Teacher,
    product_teacher,
)


def why_not(session: Session, row: Any) -> object | None:
    """The reason in words; None for what may go."""
    if isinstance(row, Product):
        return _of_product(session, row)
    if isinstance(row, Homework) and _is_used(session, [row.id]):
        return _("已经有学员在做或交过这份作业，不能删除：请改为停用。")
    if isinstance(row, CourseSection) and _is_asked_about(session, [row.id]):
        return _("有学员就这个课时提过问题，不能删除。")
    if isinstance(row, CourseChapter):
        return _of_chapter(session, row)
    if isinstance(row, Teacher) and session.scalar(select(exists().where(product_teacher.c.teacher_id == row.id))):
        return _("还有课程写着这位讲师，请先在那些课程里取消选择。")
    if isinstance(row, CourseSubCategory) and session.scalar(select(exists().where(Course.sub_category_id == row.id))):
        return _("这个子类下还有课程，请先把它们移到别的子类。")
    if isinstance(row, CourseCategory) and session.scalar(
        select(exists().where(CourseSubCategory.category_id == row.id))
    ):
        return _("这个大类下还有子类，请先删除子类。")
    return None


def _of_product(session: Session, product: Product) -> object | None:
    if product.published_time is not None:
        return _("发布过的课程不能删除，只能下架：已经购买的学员还要学习。")
    if session.scalar(select(exists().where(Coupon.product_id == product.id))):
        return _("有优惠券绑定了它，请先处理优惠券。")
    if isinstance(product, DegreeCourse) and product.modules:
        return _("这门学位课还有模块，请先删除模块。")
    return None


def _of_chapter(session: Session, chapter: CourseChapter) -> object | None:
    if _is_used(session, [piece.id for piece in chapter.homework]):
        return _("这一章有学员在做或交过的作业，不能删除。")
    if _is_asked_about(session, [section.id for section in chapter.sections]):
        return _("有学员就这一章的课时提过问题，不能删除。")
    return None


def _is_used(session: Session, homework_ids: list[int]) -> bool:
    handed_in = exists().where(HomeworkRecord.homework_id.in_(homework_ids))
    planned = exists().where(CourseSchedule.homework_id.in_(homework_ids))
    return bool(session.scalar(select(or_(handed_in, planned))))


def _is_asked_about(session: Session, section_ids: list[int]) -> bool:
    return bool(session.scalar(select(exists().where(Question.course_section_id.in_(section_ids)))))
