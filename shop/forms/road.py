"""What the pages of a degree's road send."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from shop.forms import Form, TextField, length, required
from shop.services.audit_log import LONGEST_REASON


class LeaveForm(Form):
    reason = TextField(
        _("休学原因"), [required(), length(1, LONGEST_REASON)], render_kw={"maxlength": LONGEST_REASON, "rows": 3}
    )
