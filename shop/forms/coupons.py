"""What the 领券中心 sends."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from shop.forms import Form, LineField, length, required


class CodeForm(Form):
    code = LineField(_("优惠码"), [required(), length(1, 64)], render_kw={"maxlength": 64})
