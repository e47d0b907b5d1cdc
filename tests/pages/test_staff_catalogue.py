"""The catalogue as staff run it: drafts, parts, publishing, on and off sale, and what visitors see meanwhile."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop.enums import CourseType, ProductStatus, SectionType, StaffRole, ValidPeriod
from shop.extensions import db
from shop.models import (
    AuditLog,
    Coupon,
    Course,
    CourseCategory,
    CourseChapter,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    Homework,
    OrderDetail,
    PricePolicy,
    Product,
    Scholarship,
    Teacher,
)
from shop.services.staff.catalogue_kinds import KINDS
from tests.builders import a_claimed, a_clerk, a_coupon, a_course, a_degree, a_student, plan_of, today_in_shanghai
from tests.degrees import a_degree_with_homework
from tests.person import Person
from tests.purchases import saved
from tests.refunding import placed
from tests.statements import counted

HOSTILE = ("", "\x00", "x" * 100_000, "１２", "²", "-1", "1" + "0" * 400, "NaN", "2026-02-30", "\ud800", "<script>")
HOME = "/staff/catalogue"


@pytest.fixture
def clerk(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.OPERATIONS).username)


def a_draft(**values: Any) -> Course:
    return a_course(**{"name": "草稿课", "status": ProductStatus.OFF_SALE, "published_time": None, **values})


def a_whole_course(*price_fens: int, **values: Any) -> Course:
    """One that lacks nothing."""
    course = a_course(*price_fens, **values)
    for section in course.chapters[0].sections:
        section.section_type = SectionType.DOCUMENT
    return saved(course)


def fresh(row: Any) -> Any:
    db.session.rollback()
    return db.session.get_one(type(row), row.id, populate_existing=True)


def edited(clerk: Person, path: str, **changes: Any) -> TestResponse:
    """A form opened, changed and sent. Text areas and chosen boxes are read from the page as a browser would."""
    page = clerk.get(path)
    assert page.status_code == 200, page.text
    return clerk.post(path, {**sent(clerk, page), **changes})


def main(page: TestResponse) -> str:
    return page.text.partition('class="desk-head"')[2]


def sent(clerk: Person, page: TestResponse) -> dict[str, Any]:
    fields: dict[str, Any] = dict(clerk.form(page, "part"))
    for name, text in re.findall(r'<textarea[^>]* name="(\w+)"[^>]*>\r?\n?([^<]*)</textarea>', page.text):
        fields[name] = text
    for name in ("teachers", "recommended"):
        fields[name] = re.findall(rf'<input checked id="[^"]*" name="{name}" type="checkbox" value="(\d+)"', page.text)
    return fields


def the(query: Any) -> Any:
    """The one row of a query, as it is now."""
    db.session.rollback()
    return db.session.scalars(query).one()


def audit_rows(action: str) -> list[AuditLog]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditLog).where(AuditLog.action == action).order_by(AuditLog.id)))


def published(clerk: Person, product_id: int, to: int = 0) -> TestResponse:
    page = f"{HOME}/products/{product_id}"
    return clerk.post(f"{page}/publication", {**clerk.form(clerk.get(page), "publish"), "to": to})


# ---------------------------------------------------------------- a draft is nobody's but the staff's


def test_a_draft_is_reachable_for_staff_only(app: Flask, clerk: Person) -> None:
    draft = a_draft()
    plan, lesson = plan_of(draft), draft.chapters[0].sections[0]
    others = [Person(app), Person(app).sign_in(a_student().username)]
    addresses = [f"/courses/{draft.id}", f"/covers/{draft.id}.svg", f"/learning/sections/{lesson.id}"]
    for person in others:
        for path in addresses:
            assert person.get(path).status_code == 404, path
        for path in ("/cart/items", "/settlement"):
            answer = person.post(path, {"product": draft.id, "policy": plan.id})
            assert "草稿课" not in answer.text and "草稿课" not in person.get("/cart").text, path
    assert others[1].get(f"/learning/courses/{draft.id}").status_code == 404
    shown = Person(app).get("/").text + Person(app).get("/courses?q=草稿").text
    assert "草稿课" not in shown
    preview = clerk.get(f"{HOME}/products/{draft.id}/preview")
    assert preview.status_code == 200 and "只有员工能看到" in preview.text and "草稿课" in preview.text
    assert preview.headers["Cache-Control"] == "no-store" and 'action="/cart/items"' not in preview.text
    assert clerk.get(f"/covers/{draft.id}.svg").status_code == 200
    assert Person(app).get(f"/courses/{draft.id}").status_code == 404, "a preview left the page behind"


def test_a_draft_of_a_degree_and_of_a_module_are_hidden_too(app: Flask, clerk: Person) -> None:
    degree = a_degree(modules=1)
    draft = a_draft(course_type=CourseType.MODULE, degree_course_id=degree.id, name="新模块")
    visitor = Person(app)
    assert visitor.get(f"/courses/{draft.id}").status_code == 404
    page = visitor.get(f"/degrees/{degree.id}").text
    assert "新模块" not in page and "1 个模块" in page
    preview = clerk.follow(clerk.get(f"{HOME}/products/{draft.id}/preview"))
    assert "新模块" in preview.text
    other = a_degree(modules=1, name="草稿学位", status=ProductStatus.OFF_SALE, published_time=None)
    assert visitor.get(f"/degrees/{other.id}").status_code == 404
    assert clerk.get(f"{HOME}/products/{other.id}/preview").status_code == 200


# ---------------------------------------------------------------- from nothing to the shop


def test_a_course_is_made_told_what_is_missing_and_published(app: Flask, clerk: Person) -> None:
    existing = a_course()
    fields = {
        "name": "航海术",
        "brief": "学会看星",
        "sub_category_id": existing.sub_category_id,
        "level": "1",
        "period": "7",
        "hours": "0",
        "course_type": "0",
        "order": "0",
    }
    page = clerk.follow(clerk.post(f"{HOME}/courses/new", fields))
    course = the(select(Course).where(Course.name == "航海术"))
    assert (course.status, course.published_time) == (ProductStatus.OFF_SALE, None)
    assert "至少要有一个" in page.text and "还没有章节" in page.text
    answer = published(clerk, course.id)
    assert (answer.status_code, "请先补齐" in answer.text) == (409, True)
    assert clerk.post(f"{HOME}/chapters/new?of={course.id}", {"chapter": "1", "name": "启程"}).status_code == 303
    chapter = the(select(CourseChapter).where(CourseChapter.course_id == course.id))
    assert "「启程」还没有课时" in clerk.get(f"{HOME}/products/{course.id}").text
    lesson = {"name": "看星", "section_type": "0", "content": "# 北极星"}
    assert clerk.post(f"{HOME}/lessons/new?of={chapter.id}", lesson).status_code == 303
    plan = {"valid_period": "30", "price_fen": "99.00"}
    assert clerk.post(f"{HOME}/plans/new?of={course.id}", plan).status_code == 303
    assert "内容齐全" in clerk.get(f"{HOME}/products/{course.id}").text
    visitor = Person(app)
    assert visitor.get(f"/courses/{course.id}").status_code == 404
    assert published(clerk, course.id).status_code == 303
    assert "99.00" in visitor.get(f"/courses/{course.id}").text
    course = fresh(course)
    assert course.status is ProductStatus.ON_SALE and course.published_time and course.pub_date
    answer = clerk.post(f"{HOME}/products/{course.id}/publication", {"to": "0", "mark": "x"})
    assert answer.status_code == 409
    assert [row.subject_id for row in audit_rows("course publish")] == [course.id]
    assert [row.after["name"] for row in audit_rows("course create")] == ["航海术"]


def test_a_degree_is_published_with_its_modules_and_needs_one_plan_and_homework(app: Flask, clerk: Person) -> None:
    fields = {"name": "船长", "brief": "两年", "period": "150"}
    answer = clerk.post(
        f"{HOME}/degrees/new", {**fields, "total_scholarship": "4000", "mentor_compensation_bonus": "1500"}
    )
    degree = the(select(DegreeCourse))
    page = clerk.follow(answer).text
    assert "有且只有一个 24个月" in page and "至少要有一个模块" in page
    refused = clerk.post(f"{HOME}/plans/new?of={degree.id}", {"valid_period": "360", "price_fen": "9800"})
    assert (refused.status_code, "24个月" in refused.text) == (422, True)
    assert (
        clerk.post(f"{HOME}/plans/new?of={degree.id}", {"valid_period": "720", "price_fen": "9800"}).status_code == 303
    )
    again = clerk.post(f"{HOME}/plans/new?of={degree.id}", {"valid_period": "720", "price_fen": "1"})
    assert (again.status_code, "已经有一个了" in again.text) == (422, True)
    draft = {"status": ProductStatus.OFF_SALE, "published_time": None}
    module = a_whole_course(name="第一程", course_type=CourseType.MODULE, degree_course_id=degree.id, **draft)
    assert "带有启用的作业" in published(clerk, degree.id).text
    chapter = module.chapters[0]
    homework = {"title": "作业", "homework_type": "1", "requirement": "写", "enabled": "y"}
    homework |= {"recommend_period": "7", "scholarship_value": "100"}
    assert clerk.post(f"{HOME}/homework/new?of={chapter.id}", homework).status_code == 303
    assert published(clerk, module.id).status_code == 409, "a module waits for its degree"
    assert published(clerk, degree.id).status_code == 303
    assert {fresh(module).status, fresh(degree).status} == {ProductStatus.ON_SALE}
    assert "第一程" in Person(app).get(f"/degrees/{degree.id}").text


def test_a_course_may_be_announced_before_it_is_complete(app: Flask, clerk: Person) -> None:
    course = a_draft(chapters=[])
    course.chapters, course.policies = [], []
    saved(course)
    assert published(clerk, course.id, to=2).status_code == 303
    assert "即将上线" in Person(app).get(f"/courses/{course.id}").text
    answer = clerk.get(f"{HOME}/sale?product={course.id}&to=0")
    assert "没有可以更改的" in answer.text and "还没有章节" in answer.text


# ---------------------------------------------------------------- changing


def test_a_price_changes_for_the_shop_at_once_and_for_no_order(app: Flask, clerk: Person) -> None:
    course, student = a_whole_course(10_000), a_student()
    number = placed(student, [course])
    plan = plan_of(course)
    visitor = Person(app)
    assert "100.00" in visitor.get(f"/courses/{course.id}").text
    asks = edited(clerk, f"{HOME}/plans/{plan.id}", price_fen="120.00")
    assert (asks.status_code, "还没有保存：请确认改价" in asks.text) == (200, True)
    assert (
        re.search(r"<del>.*?100\.00.*?</del>.*?<strong>.*?120\.00", asks.text) and "已经下的订单保持原价" in asks.text
    )
    assert "100.00" in visitor.get(f"/courses/{course.id}").text, "nothing is saved unasked"
    other = clerk.post(f"{HOME}/plans/{plan.id}", sent(clerk, asks) | {"price_fen": "12.00"})
    assert "请确认改价" in other.text, "another price than the one agreed to"
    for garbage in ("", "\x00", "12000", "x" * 9999):
        assert "请确认改价" in clerk.post(f"{HOME}/plans/{plan.id}", sent(clerk, asks) | {"agreed": garbage}).text
    saved_page = clerk.follow(clerk.post(f"{HOME}/plans/{plan.id}", sent(clerk, asks)))
    assert "价格已从 100.00 元改为 120.00 元" in saved_page.text
    assert "120.00" in visitor.get(f"/courses/{course.id}").text
    assert "100.00" in Person(app).sign_in(student.username).get(f"/orders/{number}").text
    row = audit_rows("price_policy edit")[0]
    assert (row.before, row.after) == ({"price_fen": 10_000}, {"price_fen": 12_000})
    assert clerk.post(f"{HOME}/plans/{plan.id}/delete").status_code == 409, "the last plan of what is on sale"
    more = {"valid_period": "60", "price_fen": "150"}
    assert clerk.post(f"{HOME}/plans/new?of={course.id}", more).status_code == 303
    assert clerk.post(f"{HOME}/plans/{plan.id}/delete").status_code == 303
    deleted = audit_rows("price_policy delete")[0].before
    assert (deleted["price_fen"], deleted["product_id"]) == (12_000, course.id)
    detail = the(select(OrderDetail))
    assert (detail.policy_id, detail.original_price_fen) == (None, 10_000)


def test_the_price_of_a_draft_is_nobodys_business(app: Flask, clerk: Person) -> None:
    plan = plan_of(a_draft())
    answer = edited(clerk, f"{HOME}/plans/{plan.id}", price_fen="77.00")
    assert (answer.status_code, answer.location) == (303, f"{HOME}/products/{plan.product_id}#plans"), "whatever its id"
    assert fresh(plan).price_fen == 7_700


def test_the_history_of_a_product_has_what_was_done_to_its_parts(app: Flask, clerk: Person) -> None:
    """A change of its price was found nowhere but in the whole log, which operations may not read."""
    course, other = a_draft(), a_course(5_000)
    plan, lesson = plan_of(course), course.chapters[0].sections[0]
    edited(clerk, f"{HOME}/plans/{plan.id}", price_fen="77.00")
    edited(clerk, f"{HOME}/lessons/{lesson.id}", name="第一课", section_type="0", section_link="", content="文")
    clerk.post(f"{HOME}/plans/new?of={course.id}", {"valid_period": "60", "price_fen": "150"})
    clerk.post(f"{HOME}/plans/{plan.id}/delete")
    clerk.post(f"{HOME}/questions/new?of={other.id}", {"question": "别的课？", "answer": "是"})
    page = clerk.get(f"{HOME}/products/{course.id}").text.split('id="history"')[1]
    told = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)[1:]]
    assert len(told) == 4, told
    assert "价格方案 · 删除 1个月" in told[0]
    assert "价格方案 · 新建 2个月" in told[1]
    assert "课时 · 修改 第一课" in told[2] and "名称" in told[2]
    assert "价格方案 · 修改" in told[3] and "价格（元）： 100.00 → 77.00" in told[3]


def test_two_clerks_at_one_form_lose_nothing(app: Flask, clerk: Person) -> None:
    course = a_course()
    path = f"{HOME}/courses/{course.id}"
    mine = sent(clerk, clerk.get(path))
    other = Person(app).sign_in(a_clerk(StaffRole.OPERATIONS).username)
    assert edited(other, path, brief="别人写的").status_code == 303
    answer = clerk.post(path, {**mine, "brief": "我写的", "hours": "12"})
    assert answer.status_code == 409
    assert "别人修改了它" in answer.text and "别人写的" in answer.text and "我写的" in answer.text
    assert fresh(course).brief == "别人写的"
    assert clerk.post(path, sent(clerk, answer)).status_code == 303
    assert (fresh(course).brief, fresh(course).detail.hours) == ("我写的", 12)
    assert edited(clerk, path).status_code == 303
    assert len(audit_rows("course edit")) == 2, "what changes nothing is no change"


def test_a_name_that_is_taken_is_told_at_its_field(clerk: Person) -> None:
    one, other = a_course(name="一号"), a_course(name="二号")
    answer = edited(clerk, f"{HOME}/courses/{other.id}", name="一号")
    assert (answer.status_code, "已经有一个了" in answer.text) == (422, True)
    names = {"name": "正课", "section_type": "0", "content": "x"}
    answer = clerk.post(f"{HOME}/lessons/new?of={one.chapters[0].id}", names)
    assert (answer.status_code, "已经有一个了" in answer.text) == (422, True)


def test_parts_move_up_and_down(clerk: Person) -> None:
    course = a_course()
    saved(CourseChapter(course_id=course.id, chapter=5, name="第五章"))
    first, second = course.chapters[0].sections
    moved = f"{HOME}/lessons/{second.id}/move"
    for up, names in (("1", ["正课", "试看"]), ("1", ["正课", "试看"]), ("0", ["试看", "正课"])):
        assert clerk.post(moved, {"up": up}).status_code == 303
        assert [row.name for row in fresh(course).chapters[0].sections] == names
    assert first.chapter_id == second.chapter_id
    chapter = fresh(course).chapters[1]
    assert clerk.post(f"{HOME}/chapters/{chapter.id}/move", {"up": "1"}).status_code == 303
    assert [(row.chapter, row.name) for row in fresh(course).chapters] == [(1, "第五章"), (5, "第一章")]
    assert clerk.post(f"{HOME}/plans/{plan_of(course).id}/move", {"up": "1"}).status_code == 404
    for bad in HOSTILE:
        answer = clerk.post(moved, {"up": bad.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 422, bad[:9]


def test_what_people_have_is_not_deleted(clerk: Person) -> None:
    course, draft = a_course(), a_draft()
    teacher = saved(Teacher(name="林海", title="讲师"))
    course.teachers = [teacher]
    saved(course)
    coupon = a_coupon(draft)
    sub = course.sub_category
    for path, why in (
        (f"courses/{course.id}", "发布过的课程不能删除"),
        (f"courses/{draft.id}", "优惠券绑定"),
        (f"teachers/{teacher.id}", "写着这位讲师"),
        (f"sub-categories/{sub.id}", "还有课程"),
        (f"categories/{sub.category_id}", "还有子类"),
    ):
        answer = clerk.post(f"{HOME}/{path}/delete")
        assert (answer.status_code, why in answer.text) == (409, True), path
    coupon.product_id, draft_id = None, draft.id
    saved(coupon)
    answer = clerk.post(f"{HOME}/courses/{draft_id}/delete")
    assert (answer.status_code, answer.location) == (303, HOME)
    db.session.rollback()
    assert db.session.scalar(select(Product.id).where(Product.id == draft_id)) is None
    assert audit_rows("course delete")[0].before["name"] == "草稿课"


# ---------------------------------------------------------------- many at once


def test_many_go_off_sale_behind_a_page_that_says_what_follows(app: Flask, clerk: Person) -> None:
    one, two, draft = a_course(name="一"), a_course(name="二"), a_draft()
    placed(a_student(), [one])
    student, today = a_student(), today_in_shanghai()
    a_claimed(student, one), a_claimed(student, two), a_coupon(draft), a_coupon(), a_coupon(one, enabled=False)
    a_coupon(one, open_date=today - timedelta(days=9), close_date=today - timedelta(days=1))
    page = clerk.get(f"{HOME}/sale?product={one.id}&product={two.id}&product={draft.id}&to=1")
    assert "下架 2 门课程" in page.text and "有 1 张待支付的订单" in page.text and "是草稿" in page.text
    assert "有 2 个优惠券活动只能用在这里，学员手里有 2 张没用的券" in page.text
    assert fresh(one).status is ProductStatus.ON_SALE
    form = {**clerk.form(page, "sale"), "product": [one.id, two.id]}
    assert clerk.post(f"{HOME}/sale", {**form, "product": [one.id]}).status_code == 409, "another choice than shown"
    assert clerk.post(f"{HOME}/sale", form).status_code == 303
    assert {fresh(one).status, fresh(two).status} == {ProductStatus.OFF_SALE}
    assert "已经下架" in Person(app).get(f"/courses/{one.id}").text
    assert clerk.post(f"{HOME}/sale", form).status_code == 409, "the second time there is nothing of that left"
    assert len(audit_rows("course sale")) == 2
    assert clerk.get(f"{HOME}/sale?to=1").status_code == 422
    assert "优惠券活动" not in main(clerk.get(f"{HOME}/sale?product={a_course().id}&to=1"))


def test_a_service_asks_for_the_right_again(app: Flask) -> None:
    from shop.errors import StaffOnly
    from shop.services.audit_log import Actor
    from shop.services.staff import catalogue_edit, catalogue_sale

    reader, course = a_clerk(StaffRole.FINANCE), a_course()
    actor = Actor(reader.username, reader.id)
    plan = catalogue_sale.plan([course.id], ProductStatus.OFF_SALE)
    with pytest.raises(StaffOnly):
        catalogue_sale.apply([course.id], ProductStatus.OFF_SALE, plan.mark, actor=actor)
    with pytest.raises(StaffOnly):
        catalogue_edit.delete(KINDS["plans"], plan_of(course).id, actor=actor)
    assert fresh(course).status is ProductStatus.ON_SALE


# ---------------------------------------------------------------- the list


def listed(answer: TestResponse) -> set[int]:
    assert answer.status_code == 200, answer.text
    return {int(number) for number in re.findall(r'<tr data-product="(\d+)"', answer.text)}


def test_the_list_filters_and_its_file_has_every_row(clerk: Person) -> None:
    degree = a_degree(modules=1, name="学位甲")
    course, draft = a_course(name="=1+1"), a_draft()
    module = degree.modules[0]
    other = saved(CourseSubCategory(name="x", category=CourseCategory(name="另一类")))
    away = a_course(sub_category_id=other.id, status=ProductStatus.COMING)
    everything = {degree.id, course.id, draft.id, module.id, away.id}
    cases = {
        "": everything,
        "sort=1": {degree.id},
        "sort=2": {module.id},
        "sort=0": {course.id, draft.id, away.id},
        "showing=3": {draft.id},
        "showing=2": {away.id},
        "showing=1": set(),
        f"category={other.category_id}": {away.id},
        "q=学位甲": {degree.id, module.id},
        "q=%25": set(),
    }
    for query, ids in cases.items():
        assert listed(clerk.get(f"{HOME}?{query}")) == ids, query
    rows = list(csv.reader(io.StringIO(clerk.get(f"{HOME}.csv", buffered=True).text)))
    assert {int(row[0]) for row in rows[1:]} == everything
    assert "'=1+1" in {row[1] for row in rows}


def test_pages_follow_each_other_and_ask_the_same_for_few_and_for_many(clerk: Person) -> None:
    sub = a_course().sub_category_id
    clerk.get(HOME)
    with counted() as few:
        clerk.get(HOME)
    with db.session() as session:
        session.add_all(Course(name=f"课 {n}", brief="x", sub_category_id=sub) for n in range(60))
        session.commit()
    with counted() as many:
        page = clerk.get(HOME)
    assert len(listed(page)) == 50 and len(few) == len(many)
    more = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert more is not None
    assert len(listed(clerk.get(more[1].replace("&amp;", "&")))) == 11


def test_the_page_of_a_product_asks_the_same_for_few_and_for_many(clerk: Person) -> None:
    degree = a_degree_with_homework(modules=1, homework=1)
    page = f"{HOME}/products/{degree.id}"
    clerk.get(page)
    with counted() as few:
        clerk.get(page)
    bigger = a_degree_with_homework(modules=5, homework=4)
    page, module_id = f"{HOME}/products/{bigger.id}", bigger.modules[0].id
    with counted() as many:
        assert clerk.get(page).status_code == 200
    assert len(few) == len(many)
    page = f"{HOME}/products/{module_id}"
    with counted() as one:
        clerk.get(page)
    saved(CourseChapter(course_id=module_id, chapter=2, name="二", sections=[CourseSection(name="x", order=1)]))
    with counted() as two:
        clerk.get(page)
    assert len(one) == len(two)


# ---------------------------------------------------------------- hostile values


def a_full_degree() -> dict[str, int]:
    """One of everything, by kind."""
    degree = a_degree_with_homework(modules=1, homework=1)
    course = a_course()
    module = degree.modules[0]
    teacher = saved(Teacher(name="林海", title="讲师"))
    chapter = course.chapters[0]
    return {
        "courses": course.id,
        "degrees": degree.id,
        "modules": module.id,
        "chapters": chapter.id,
        "lessons": chapter.sections[0].id,
        "homework": db.session.scalars(select(Homework.id)).first() or 0,
        "plans": plan_of(course).id,
        "scholarships": db.session.scalars(select(Scholarship.id)).first() or 0,
        "categories": course.sub_category.category_id,
        "sub-categories": course.sub_category_id,
        "teachers": teacher.id,
    }


TEXTS = {
    *("name", "brief", "title", "requirement", "threshold", "note", "summary", "content", "course_slogan", "question"),
    *("answer", "signature", "why_study", "what_to_study_brief", "career_improvement", "prerequisite"),
}
ANYTHING_GOES = {"csrf_token", "mark", "teachers", "recommended", "free_trail", "enabled"}


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: repr(bad[:6]))
def test_hostile_values_are_told_at_every_field_of_every_form(clerk: Person, bad: str) -> None:
    value = bad.encode("utf-8", "surrogatepass")
    for kind, row_id in a_full_degree().items():
        path = f"{HOME}/{kind}/{row_id}"
        fields = sent(clerk, clerk.get(path))
        typed = set(fields) - TEXTS - ANYTHING_GOES
        if bad == "" or kind == "lessons":  # what may be empty is no fault, nor what another field makes one
            typed -= {"pub_date", "section_link", "video_time", "video_brief_link"}
        answer = clerk.post(path, {**fields, **dict.fromkeys(set(fields) - {"csrf_token"}, value)})
        assert answer.status_code in ((422, 413) if typed else (409, 422, 413)), kind
        if answer.status_code == 422:
            told = set(re.findall(r'id="(\w+)-error"', answer.text))
            assert typed <= told, kind


@pytest.mark.parametrize("bad", ["\x00", "x" * 100_000, "\ud800", "<script>"], ids=["NUL", "long", "surrogate", "tag"])
def test_hostile_texts_reach_no_database_or_do_no_harm(clerk: Person, bad: str) -> None:
    value = bad.encode("utf-8", "surrogatepass")
    for kind, row_id in a_full_degree().items():
        path = f"{HOME}/{kind}/{row_id}"
        fields = sent(clerk, clerk.get(path))
        texts = dict.fromkeys(set(fields) & TEXTS, value)
        answer = clerk.post(path, {**fields, **texts})
        is_plain = (
            bad in ("<script>", "\ud800") or not texts
        )  # half a letter comes as a mark of its own; names are taken
        assert answer.status_code in ((303, 422) if is_plain else (422, 413)), kind
        if answer.status_code == 303:
            assert "<script>" not in re.sub(r"<script (src|nonce|defer)", "", clerk.get(path).text)
            fields = sent(clerk, clerk.get(path))
        assert clerk.post(path, {**fields, "mark": value}).status_code in (409, 422, 413), kind


@pytest.mark.parametrize("bad", HOSTILE[1:], ids=lambda bad: repr(bad[:6]))
def test_hostile_addresses_filters_and_choices_are_refused(clerk: Person, bad: str) -> None:
    value = bad.encode("utf-8", "surrogatepass")
    course = a_course()
    for path in (HOME, f"{HOME}.csv", f"{HOME}.yaml"):
        for name in ("sort", "showing", "category", "q"):
            answer = clerk.get(path, query_string={name: value}, buffered=True)
            assert answer.status_code in (200, 422), (path, name)
    assert clerk.get(HOME, query_string={"after": value}).status_code == 404
    assert clerk.get(f"{HOME}/plans/new", query_string={"of": value}).status_code == 404
    for name in ("product", "to"):
        fields = {"product": course.id, "to": 1, name: value}
        assert clerk.get(f"{HOME}/sale", query_string=fields).status_code == 422, name
        assert clerk.post(f"{HOME}/sale", fields).status_code == 422, name
    assert clerk.post(f"{HOME}/products/{course.id}/publication", {"to": value, "mark": value}).status_code == 422
    answer = clerk.post(f"{HOME}/import/application", {"token": value})
    assert answer.status_code in (409, 422)
    assert fresh(course).status is ProductStatus.ON_SALE


def test_the_page_says_that_a_campaign_in_a_file_becomes_a_draft(clerk: Person) -> None:
    text = (
        b"coupons:\n  - {name: all, type: flat, amount: 5, quantity: 9, "
        b"open_date: today, close_date: today, valid_days: 1}"
    )
    page = clerk.post(f"{HOME}/import", {"file": (io.BytesIO(text), "coupons.yaml")})
    assert (page.status_code, "其中 1 个优惠券活动只成为草稿" in page.text) == (200, True)
    assert clerk.post(f"{HOME}/import/application", clerk.form(page, "apply")).status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(Coupon.published_time)).all() == [None]


def test_a_part_is_made_where_it_belongs_only(clerk: Person) -> None:
    course, degree = a_course(), a_degree(modules=1)
    module = degree.modules[0]
    cases = (
        f"plans/new?of={module.id}",
        f"homework/new?of={course.chapters[0].id}",
        f"chapters/new?of={degree.id}",
        f"scholarships/new?of={course.id}",
        f"modules/new?of={course.id}",
        "lessons/new",
        "courses/new?of=1",
        f"courses/{module.id}",
        f"modules/{course.id}",
        f"courses/{degree.id}",
        "lessons/2147483647",
        "nothing/1",
    )
    for path in cases:
        assert clerk.get(f"{HOME}/{path}").status_code == 404, path
    twice = clerk.post(f"{HOME}/plans/new?of={course.id}", {"valid_period": ["60", "90"], "price_fen": "1"})
    assert (twice.status_code, "只能填一次" in twice.text) == (422, True)
    odd = clerk.post(f"{HOME}/plans/new?of={course.id}", {"valid_period": "210", "price_fen": "1"})
    assert odd.status_code == 422
    plans = select(PricePolicy.valid_period).where(PricePolicy.product_id == course.id)
    assert db.session.scalars(plans).all() == [ValidPeriod.MONTH]


def test_a_lesson_says_what_its_type_needs(clerk: Person) -> None:
    chapter = a_course().chapters[0]
    path = f"{HOME}/lessons/new?of={chapter.id}"
    cases = (
        ({"section_type": "2"}, "视频课时需要视频地址"),
        ({"section_type": "0"}, "文档和练习就是它的正文"),
        ({"section_type": "0", "content": "x", "section_link": "/static/a.webm"}, "只有视频课时才有视频地址"),
        ({"section_type": "2", "section_link": "javascript:alert(1)"}, "以 / 开头的本站地址"),
        ({"section_type": "2", "section_link": "https://evil.example/a"}, "MEDIA_ORIGINS"),
        ({"section_type": "2", "section_link": "/static/a.webm", "video_time": "1:99"}, "12:30"),
    )
    for fields, said in cases:
        answer = clerk.post(path, {"name": "新课时", **fields})
        assert (answer.status_code, said in answer.text) == (422, True), said
    long = {"name": "新课时", "section_type": "0", "content": "字" * 100_000}
    assert clerk.post(path, long).status_code == 303
