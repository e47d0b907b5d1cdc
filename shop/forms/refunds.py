"""What the refund page sends: the lines picked, and why they are given back."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from shop.forms import Form, TextField, length, required
from shop.forms.cart import IdList
from shop.services.audit_log import LONGEST_REASON


class PickForm(Form):
    detail = IdList()


class AskForm(PickForm):
    reason = TextField(
        _("退费原因"), [required(), length(1, LONGEST_REASON)], render_kw={"maxlength": LONGEST_REASON, "rows": 3}
    )
