"""What administrators send about accounts."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import SelectMultipleField
from wtforms.validators import ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from shop.enums import Choice, StaffRole
from shop.forms import ChoiceField, Form, LineField, required
from shop.forms.staff import FilterChoice, reason_field
from shop.services.accounts import USERNAME, normal_username
from shop.services.staff.accounts import Kind
from shop.wording import mark

# Beside the box of each role, in short what docs/staff.md says about it.
DOES = {
    StaffRole.OPERATIONS: _("运营：管理课程目录、优惠活动和优惠码，审核发放的优惠券"),
    StaffRole.REGISTRY: _("教务：处理报名、导师、模块、休学、成绩、投诉和申诉，制定规则"),
    StaffRole.FINANCE: _("财务：审核退款和提现，对账，人工发放贝里，支付导师费用"),
    StaffRole.SERVICE: _("客服：查看订单，提出退款和发放优惠券，处理投诉"),
    StaffRole.ADMIN: _("系统管理：管理账户、角色、数据导出和后台任务；不能动用款项"),
}


class RolesField(SelectMultipleField):
    """Any of the roles of staff, as check boxes; ``data`` is a list of them."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: Any = None, validators: Any = None, **kwargs: Any) -> None:
        members = {str(int(role)): role for role in StaffRole}

        def coerce(value: Any) -> Any:
            return members[value] if isinstance(value, str) and value in members else value

        super().__init__(label, validators, coerce=coerce, choices=lambda: list(DOES.items()), **kwargs)


class NewKind(Choice):
    """Accounts that are not made by registering."""

    STAFF = 0, mark("员工")
    MENTOR = 1, mark("导师")


class AccountFilter(Form):
    username = LineField(_("用户名开头"), render_kw={"maxlength": 64})
    kind = FilterChoice(_("范围"), Kind, default=Kind.STAFF)


class NewAccountForm(Form):
    # ids of their own: the filter above the list has fields of these names, too
    username = LineField(
        _("用户名"), [required()], id="new-username", render_kw={"maxlength": 32, "autocomplete": "off"}
    )
    kind = ChoiceField(_("账户类型"), NewKind, default=NewKind.STAFF, id="new-kind")
    roles = RolesField(_("角色"))
    reason = reason_field()

    def validate_username(self, field: Any) -> None:
        field.data = normal_username(field.data)
        if not USERNAME.fullmatch(field.data):
            raise ValidationError(_("用户名由 2 到 32 个汉字、字母、数字或下划线组成。"))

    def validate_roles(self, field: Any) -> None:
        if self.kind.data is NewKind.STAFF and not field.data:
            raise ValidationError(_("员工至少有一个角色。"))
        if self.kind.data is NewKind.MENTOR and field.data:
            raise ValidationError(_("导师没有员工角色。"))


class RolesForm(Form):
    roles = RolesField(_("角色"))
    reason = reason_field()
