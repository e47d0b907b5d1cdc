"""The registration form of a degree; lengths and choices are those of the table."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length

from shop.enums import Choice, StudyPlan, WorkExperience
from shop.forms import Form, LineField, StrictInteger, TextField, length, required
from shop.services.degree import Answers

LONGEST_TEXT = 1024
MOST_SALARY = 10_000_000


class ChoiceField(SelectField):
    """One of an enum's choices by its number; ``data`` is the member."""

    def __init__(self, label: Any, kind: type[Choice], **kwargs: Any) -> None:
        super().__init__(label, coerce=_coerce_to(kind), choices=lambda: _choices_of(kind), **kwargs)


def _coerce_to(kind: type[Choice]) -> Any:
    def coerce(value: Any) -> Choice:
        return value if isinstance(value, kind) else kind(int(value))

    return coerce


def _choices_of(kind: type[Choice]) -> list[SelectChoice]:
    return [SelectChoice(str(int(member)), member.label) for member in kind]


class OptionalInteger(StrictInteger):
    """A whole number that may be left empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            super().process_formdata([valuelist[0].strip()])


def _text(label: Any) -> TextField:
    return TextField(label, [required(), length(1, LONGEST_TEXT)], render_kw={"maxlength": LONGEST_TEXT, "rows": 4})


class DegreeRegistrationEntry(Form):
    current_company = LineField(
        _("目前所在的公司或学校"),
        [required(), length(1, 64)],
        render_kw={"maxlength": 64, "autocomplete": "organization"},
    )
    current_position = LineField(
        _("目前的职位或专业"),
        [required(), length(1, 64)],
        render_kw={"maxlength": 64, "autocomplete": "organization-title"},
    )
    current_salary = OptionalInteger(
        _("目前的月薪（元，可不填）"), most=MOST_SALARY, render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )
    work_experience = ChoiceField(_("工作年限"), WorkExperience)
    study_plan = ChoiceField(_("计划的学习时间"), StudyPlan, default=StudyPlan.TWO_TO_THREE)
    why_take_this_course = _text(_("为什么学这门学位课"))
    why_choose_us = _text(_("为什么选择路飞学城"))
    your_expectation = _text(_("希望学完以后做到什么"))
    stu_specified_mentor = LineField(
        _("希望哪位导师带您（可不填）"),
        [Length(max=32, message=_("最多 %(max)d 个字符。"))],
        render_kw={"maxlength": 32},
    )
    memo = LineField(
        _("备注（可不填）"), [Length(max=255, message=_("最多 %(max)d 个字符。"))], render_kw={"maxlength": 255}
    )
    open_module = BooleanField(_("现在就开通第一个模块"), default=True)

    def answers(self) -> Answers:
        """What was filled in; empty optional lines are none."""
        return Answers(
            current_company=self.current_company.data,
            current_position=self.current_position.data,
            current_salary=self.current_salary.data,
            work_experience=self.work_experience.data,
            open_module=self.open_module.data,
            stu_specified_mentor=self.stu_specified_mentor.data or None,
            study_plan=self.study_plan.data,
            why_take_this_course=self.why_take_this_course.data,
            why_choose_us=self.why_choose_us.data,
            your_expectation=self.your_expectation.data,
            memo=self.memo.data or None,
        )
