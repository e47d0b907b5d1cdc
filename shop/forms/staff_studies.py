"""What the registry sends about studies, marks, disputes and rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional, ValidationError

from shop.enums import ComplaintState, Rule, Score, ScoreType
from shop.forms import DIGITS, ChoiceField, Form, LineField, StrictInteger, TextField, conditional, length, required
from shop.forms.earnings import MonthField
from shop.forms.staff import FilterChoice, reason_field
from shop.rules.rewards import is_passed
from shop.services.audit_log import LONGEST_REASON
from shop.services.grading import LONGEST_COMMENT
from shop.services.rule_book import MOST
from shop.services.staff.study_list import FormState, Snag, State, Wanted


class OneOf(SelectField):
    """One of some rows by its id, or all of them, in an address; ``data`` is None for all. ``offer`` them first."""

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, coerce=_number, choices=[], **kwargs)

    def offer(self, rows: Sequence[tuple[int, str]]) -> None:
        self.choices = [SelectChoice("", str(_("全部"))), *(SelectChoice(str(id_), name) for id_, name in rows)]


def _number(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    if value == "":
        return None
    if not DIGITS.fullmatch(value):
        raise ValueError(value)
    return int(value)


class StudyFilter(Form):
    """Stands in the address."""

    snag = FilterChoice(_("待办"), Snag)
    state = FilterChoice(_("状态"), State)
    form = FilterChoice(_("报名表"), FormState)
    degree = OneOf(_("学位课"))
    mentor = OneOf(_("导师"))
    username = LineField(_("学员用户名开头"), [length(0, 64)], render_kw={"maxlength": 64})

    def __init__(
        self, formdata: Any, *, degrees: Sequence[tuple[int, str]], mentors: Sequence[tuple[int, str]], **kwargs: Any
    ) -> None:
        super().__init__(formdata, **kwargs)
        self.degree.offer(degrees)
        self.mentor.offer(mentors)

    def wanted(self) -> Wanted:
        return Wanted(
            degree_id=self.degree.data,
            mentor_id=self.mentor.data,
            state=self.state.data,
            form=self.form.data,
            snag=self.snag.data,
            username=self.username.data or "",
        )


class AssignForm(Form):
    """Who becomes the mentor, instead of whom (0: nobody). A change needs a reason."""

    mentor = StrictInteger(_("导师"), [required()], least=1)
    before = StrictInteger(_("原导师"), [required()], least=0)
    reason = TextField(
        _("原因"),
        [Length(max=LONGEST_REASON, message=_("最多 %(max)d 个字符。"))],
        render_kw={"rows": 2, "maxlength": LONGEST_REASON},
    )

    def validate_reason(self, field: Any) -> None:
        if self.before.data and not field.data:
            raise ValidationError(_("换导师需要原因，新老导师和学员都会收到通知。"))


class RemarkForm(Form):
    """Another mark instead of the one that was seen (``before``, empty without one)."""

    before = FilterChoice(_("原成绩"), Score)
    score = ChoiceField(_("新成绩"), Score)
    comment = TextField(
        _("给学员的批注"),
        [conditional(), Length(max=LONGEST_COMMENT, message=_("最多 %(max)d 个字符。"))],
        render_kw={"rows": 4, "maxlength": LONGEST_COMMENT},
    )
    reason = reason_field()

    def validate_comment(self, field: Any) -> None:
        if self.score.data is not None and not is_passed(self.score.data) and not field.data:
            raise ValidationError(_("没有通过的作业需要批注：哪里不对，怎么修改。"))


class DisputeFilter(Form):
    state = FilterChoice(_("状态"), ComplaintState, default=ComplaintState.WAITING)


class StatementFilter(Form):
    month = MonthField(_("月份"), [Optional()])


class RuleForm(Form):
    """A new amount for a rule, instead of the version that was seen."""

    rule = ChoiceField(_("规则"), Rule)
    kind = ChoiceField(_("类型"), ScoreType)
    version = StrictInteger(_("版本"), [required()], least=1)
    score = StrictInteger(_("新的贝里数"), [required()], least=0, most=MOST, render_kw={"inputmode": "numeric"})
    reason = reason_field()
