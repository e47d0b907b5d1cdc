"""What the columns of the catalogue are called on pages, and how their values read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask_babel import gettext

from shop.enums import Choice, ValidPeriod
from shop.money import to_yuan
from shop.services.catalogue_import import Outcome, called
from shop.wording import mark as _

LONGEST = 120  # characters of a value in a list of differences

COLUMNS = {
    "name": _("名称"),
    "brief": _("简介"),
    "status": _("状态"),
    "published_time": _("发布时间"),
    "level": _("难度"),
    "pub_date": _("发布日期"),
    "period": _("建议学习天数"),
    "order": _("顺序"),
    "course_type": _("课程类型"),
    "sub_category": _("课程子类"),
    "sub_category_id": _("课程子类"),
    "category": _("课程大类"),
    "teachers": _("讲师"),
    "recommended": _("推荐的后续课程"),
    "hours": _("课时（小时）"),
    "course_slogan": _("一句话卖点"),
    "video_brief_link": _("介绍视频地址"),
    "why_study": _("为什么学"),
    "what_to_study_brief": _("会学到什么"),
    "career_improvement": _("学完能做什么"),
    "prerequisite": _("需要的基础"),
    "total_scholarship": _("奖学金总额（贝里）"),
    "mentor_compensation_bonus": _("导师辅导费（贝里）"),
    "degree_course_id": _("所属学位课"),
    "chapter": _("第几章"),
    "summary": _("本章概要"),
    "section_type": _("课时类型"),
    "section_link": _("视频地址"),
    "video_time": _("视频时长"),
    "content": _("正文"),
    "free_trail": _("可以试看"),
    "title": _("标题"),
    "homework_type": _("作业类型"),
    "requirement": _("作业要求"),
    "threshold": _("及格标准"),
    "recommend_period": _("建议完成天数"),
    "scholarship_value": _("作业奖学金（贝里）"),
    "note": _("备注"),
    "enabled": _("启用"),
    "question": _("问题"),
    "answer": _("回答"),
    "valid_period": _("有效期"),
    "price_fen": _("价格（元）"),
    "time_percent": _("不超过建议天数的百分之几"),
    "value": _("奖学金（贝里）"),
    "role": _("身份"),
    "signature": _("签名"),
    "coupon_type": _("优惠券类型"),
    "money_equivalent_fen": _("面值（元）"),
    "off_percent": _("折扣（实付百分比）"),
    "minimum_consume_fen": _("最低消费（元）"),
    "quantity": _("数量"),
    "open_date": _("开始领取"),
    "close_date": _("结束领取"),
    "valid_begin_date": _("开始使用"),
    "valid_end_date": _("结束使用"),
    "coupon_valid_days": _("领取后有效天数"),
    "is_public": _("公开领取"),
    "product": _("绑定的课程"),
}

KINDS = {
    "categories": _("课程大类"),
    "sub-categories": _("课程子类"),
    "teachers": _("讲师"),
    "courses": _("课程和模块"),
    "outlines": _("大纲"),
    "plans": _("价格方案"),
    "questions": _("常见问题"),
    "chapters": _("章节"),
    "lessons": _("课时"),
    "homework": _("作业"),
    "degrees": _("学位课"),
    "scholarships": _("毕业奖学金"),
    "study records": _("学员的学习记录"),
    "course schedules": _("学员的进度计划"),
    "coupons": _("优惠券"),
    "coupon codes": _("优惠码"),
}

OUTCOMES = {Outcome.CREATED: _("新增"), Outcome.UPDATED: _("修改"), Outcome.UNCHANGED: _("不变")}


def column(name: str) -> str:
    """What a column is called, in the reader's language."""
    return str(gettext(COLUMNS.get(name, name)))


def shown(name: str, value: Any) -> str:
    """A value as people read it, shortened."""
    if value is None or value == "" or value == []:
        return str(gettext("（空）"))
    if isinstance(value, bool):
        return str(gettext("是") if value else gettext("否"))
    if isinstance(value, Choice):
        return value.label
    if isinstance(value, list):
        return str(gettext("、")).join(_name(item) for item in value)
    if name.endswith("_fen"):
        return to_yuan(value)
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    text = value if isinstance(value, (str, int)) else _name(value)
    return str(text)[:LONGEST] + ("…" if len(str(text)) > LONGEST else "")


def _name(row: Any) -> str:
    return str(row) if isinstance(row, (int, str)) else called(row)


def path(kind: str, names: Sequence[str]) -> list[str]:
    """What a row of this kind is called, inside of what; what is known by a number alone says what it counts."""
    *outer, name = names
    match kind:
        case "plans":
            return [*outer, ValidPeriod(int(name)).label]
        case "scholarships":
            return [*outer, f"{name}%"]
        case "chapters":
            return [*outer, _chapter(name)]
        case "lessons" | "homework":
            return [*outer[:-1], _chapter(outer[-1]), name]
    return [*outer, name]


def _chapter(number: str) -> str:
    return str(gettext("第 %(number)s 章", number=number))
