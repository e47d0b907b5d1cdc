"""What a row of the audit log says changed, in words: fields by their names, amounts in yuan, states by their labels.

What has no word stays as it was written: the log is older than its readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext

from shop.enums import (
    Choice,
    ComplaintState,
    CouponKind,
    DifferenceKind,
    MailState,
    ModuleStatus,
    ProductStatus,
    RefundState,
    Role,
    StaffRole,
    StudyStatus,
    TroubleKind,
    WithdrawalState,
)
from shop.models import AuditLog
from shop.money import to_yuan
from shop.services.staff import catalogue_words
from shop.wording import mark as _

FIELDS = {
    "account": _("账户编号"),
    "amount_fen": _("金额（元）"),
    "beli": _("贝里"),
    "count": _("数量"),
    "coupon": _("优惠券活动编号"),
    "coupon_id": _("优惠券活动编号"),
    "day": _("日期"),
    "days": _("天数"),
    "ended": _("结束的模块"),
    "enrolment": _("学位报名编号"),
    "face_fen": _("减多少（元）"),
    "fee": _("导师费用（贝里）"),
    "findings": _("发现"),
    "fine": _("扣款（贝里）"),
    "follow_up_date": _("哪天再看"),
    "is_assigned": _("仍是这位学员的导师"),
    "kind": _("种类"),
    "lines": _("订单行编号"),
    "mentor": _("导师编号"),
    "message": _("消息编号"),
    "minimum_fen": _("最低消费（元）"),
    "out_trade_no": _("付款号"),
    "pay_percent": _("学员付百分之几"),
    "payment_number": _("支付宝转账流水号"),
    "product_id": _("绑定的课程编号"),
    "roles": _("角色"),
    "score": _("分数"),
    "score_record": _("奖惩记录编号"),
    "state": _("状态"),
    "study_status": _("学习状态"),
    "transfer_number": _("转账流水号"),
    "undone": _("撤销的奖惩记录"),
    "valid_days": _("领取后可用几天"),
    "version": _("版本"),
}
# the table and the field, and whose numbers these are
CHOICES: Mapping[tuple[str, str], type[Choice]] = {
    ("account", "role"): Role,
    ("appeal", "state"): ComplaintState,
    ("complaint", "state"): ComplaintState,
    ("course", "status"): ProductStatus,
    ("degree_course", "status"): ProductStatus,
    ("mail", "state"): MailState,
    ("reconciliation_difference", "kind"): DifferenceKind,
    ("refund", "state"): RefundState,
    ("study_record", "status"): ModuleStatus,
    ("study_record", "study_status"): StudyStatus,
    ("trouble", "kind"): TroubleKind,
    ("withdrawal", "state"): WithdrawalState,
}
NAMES: Mapping[tuple[str, str], type[Choice]] = {("account", "roles"): StaffRole, ("coupon", "kind"): CouponKind}


@dataclass(frozen=True, slots=True)
class Change:
    """One field: what it is called, as it was written, and what it was before and after; "" where there was nothing."""

    name: str
    written: str
    before: str
    after: str


def changes(row: AuditLog) -> list[Change]:
    """Field by field, those of afterwards first."""
    before, after = row.before or {}, row.after or {}
    names = [*after, *(name for name in before if name not in after)]
    return [Change(_called(name), name, _at(row, before, name), _at(row, after, name)) for name in names]


def _called(name: str) -> str:
    return gettext(FIELDS[name]) if name in FIELDS else catalogue_words.column(name)


def _at(row: AuditLog, values: Mapping[str, Any], name: str) -> str:
    return _value((row.subject_table, name), values[name]) if name in values else ""


def _value(place: tuple[str, str], value: Any) -> str:
    if isinstance(value, list):
        return gettext("、").join(_value(place, one) for one in value) if value else catalogue_words.shown("", value)
    if place in CHOICES and type(value) is int and value in tuple(CHOICES[place]):
        return CHOICES[place](value).label
    if place in NAMES and isinstance(value, str) and value in NAMES[place].__members__:
        return NAMES[place][value].label
    if place[1].endswith("_fen") and type(value) is int:
        return to_yuan(value)
    if isinstance(value, (str, bool)) or value is None:
        return catalogue_words.shown("", value)
    return json.dumps(value, ensure_ascii=False)
