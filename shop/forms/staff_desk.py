"""What staff type to find something."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms.validators import Optional

from shop.forms import Form, LineField, StrictInteger, length, required
from shop.forms.staff import DayField
from shop.services.staff.audit_trail import Wanted
from shop.services.staff.search import LONGEST


class SearchForm(Form):
    q = LineField(_("搜索"), [required(), length(1, LONGEST)], render_kw={"maxlength": LONGEST})


class AuditFilter(Form):
    """Stands in the address."""

    actor = LineField(_("操作人"), [length(0, 64)], render_kw={"maxlength": 64})
    action = LineField(_("操作开头"), [length(0, 64)], render_kw={"maxlength": 64})
    subject_id = StrictInteger(_("对象编号"), [Optional()], least=1)
    text = LineField(_("原因里有"), [length(0, 100)], render_kw={"maxlength": 100})
    since = DayField(_("从"))
    until = DayField(_("到"))

    def wanted(self, *, is_money_only: bool) -> Wanted:
        return Wanted(
            actor=self.actor.data or "",
            action=self.action.data or "",
            subject_id=self.subject_id.data,
            text=self.text.data or "",
            since=self.since.data,
            until=self.until.data,
            is_money_only=is_money_only,
        )
