"""What staff type to find something."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Optional, ValidationError

from shop.forms import CONTROL, Form, LineField, StrictInteger, length, required
from shop.forms.staff import DayField
from shop.services.staff.audit_trail import Wanted
from shop.services.staff.search import LONGEST
from shop.web.audit_words import AREAS, SUBJECTS, action_words

LONGEST_ACTION = 64


class SearchForm(Form):
    q = LineField(_("搜索"), [required(), length(1, LONGEST)], render_kw={"maxlength": LONGEST})


class ActionField(SelectField):
    """What was changed: one of the things that are logged, by area. An address may hold any beginning of an action."""

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(label, coerce=str, choices=self._offered, default="", validate_choice=False, **kwargs)
        self.subjects: Set[str] = SUBJECTS.keys()

    def offer(self, subjects: Set[str]) -> None:
        """Nothing but these is worth choosing for whoever looks."""
        self.subjects = subjects

    @property
    def begins_with(self) -> str:
        """A thing that is offered means itself alone: "course " and not "course_chapter "."""
        return f"{self.data} " if self.data in SUBJECTS else self.data or ""

    def pre_validate(self, form: Any) -> None:
        if len(self.data) > LONGEST_ACTION or CONTROL.search(self.data):
            raise ValidationError(gettext("请选择列出的一项。"))

    def _offered(self) -> list[SelectChoice]:
        found = [
            SelectChoice(subject, gettext(words), optgroup=gettext(area))
            for area, things in AREAS.items()
            for subject, words in things.items()
            if subject in self.subjects
        ]
        if self.data and all(choice.value != self.data for choice in found):
            found.append(SelectChoice(self.data, action_words(self.data), optgroup=gettext("其他")))
        return [SelectChoice("", gettext("全部")), *found]


class AuditFilter(Form):
    """Stands in the address."""

    actor = LineField(_("操作人"), [length(0, 64)], render_kw={"maxlength": 64})
    action = ActionField(_("操作"))
    subject_id = StrictInteger(_("对象编号"), [Optional()], least=1)
    text = LineField(_("原因里有"), [length(0, 100)], render_kw={"maxlength": 100})
    since = DayField(_("从"))
    until = DayField(_("到"))

    def wanted(self, *, is_money_only: bool) -> Wanted:
        return Wanted(
            actor=self.actor.data or "",
            action=self.action.begins_with,
            subject_id=self.subject_id.data,
            text=self.text.data or "",
            since=self.since.data,
            until=self.until.data,
            is_money_only=is_money_only,
        )
