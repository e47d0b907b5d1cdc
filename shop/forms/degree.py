"""The registration form of a degree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field
from wtforms.validators import Length, ValidationError

from shop.enums import StudyPlan, WorkExperience
from shop.forms import CONTROL_BUT_LINES, ChoiceField, Form, LineField, StrictInteger, TextField, length, required
from shop.services.registration import Answers

LONGEST_TEXT = 1024
MOST_SALARY = 10_000_000


class OptionalInteger(StrictInteger):
    """A whole number that may be left empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            super().process_formdata([valuelist[0].strip()])


def _text(label: Any) -> TextField:
    return TextField(label, [required(), length(1, LONGEST_TEXT)], render_kw={"maxlength": LONGEST_TEXT, "rows": 4})


class DegreeRegistrationEntry(Form):
    """Labels, choices and lengths are the source's; what they mean is said beside them."""

    current_company = LineField(
        _("目前所在公司"), [required(), length(1, 64)], render_kw={"maxlength": 64, "autocomplete": "organization"}
    )
    current_position = LineField(
        _("目前职位"), [required(), length(1, 64)], render_kw={"maxlength": 64, "autocomplete": "organization-title"}
    )
    current_salary = OptionalInteger(
        _("目前月薪（元）"), most=MOST_SALARY, render_kw={"inputmode": "numeric", "autocomplete": "off"}
    )
    # what is agreed to; another text here is another registration.CONSENT_VERSION
    salary_consent = BooleanField(_("我同意学校为安排导师保存我填写的月薪，可以随时撤回"))
    work_experience = ChoiceField(_("工作经验"), WorkExperience)
    study_plan = ChoiceField(_("学习计划"), StudyPlan, default=StudyPlan.TWO_TO_THREE)
    why_take_this_course = _text(_("报此课程原因"))
    why_choose_us = _text(_("为何选路飞"))
    your_expectation = _text(_("你的期待"))
    stu_specified_mentor = LineField(
        _("学员自行指定的导师名"),
        [Length(max=32, message=_("最多 %(max)d 个字符。"))],
        render_kw={"maxlength": 32, "list": "mentors", "autocomplete": "off"},
    )
    memo = LineField(_("备注"), [Length(max=255, message=_("最多 %(max)d 个字符。"))], render_kw={"maxlength": 255})
    open_module = BooleanField(_("是否开通第1模块"), default=True)

    def validate_current_salary(self, field: Field) -> None:
        if field.data is not None and not self.salary_consent.data:
            raise ValidationError(_("填写月薪需要同时勾选下面的同意；不想提供就留空。"))

    @classmethod
    def of_draft(cls, draft: Mapping[str, str]) -> DegreeRegistrationEntry:
        """The form as it was typed, not judged yet."""
        return cls(MultiDict(draft))

    def draft(self) -> dict[str, str]:
        """What was typed, by field, whether it is right or not; without what no database keeps."""
        unticked = [field.name for field in self if isinstance(field, BooleanField) and not field.data]
        typed = {field.name: str(field.raw_data[0]) for field in self if field.raw_data and field.name not in unticked}
        return {name: CONTROL_BUT_LINES.sub("", text) for name, text in typed.items()}

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
            salary_consent=self.salary_consent.data,
        )
