"""Who of the staff may do what: the table of safety.md 4 as data. Whatever is not listed is refused."""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum

from shop.enums import StaffRole

OPS, REG, FIN, CS, ADM = StaffRole


class Task(StrEnum):
    """One thing that staff do; templates name it by its value."""

    DESK = "desk"

    ORDERS_READ = "orders read"
    ORDERS_PLAIN = "orders plain"  # with the people's names; others see them masked
    ORDER_ASK = "order ask"  # ask Alipay now
    ORDER_NOTE = "order note"  # notes for each other, and sending a message again
    REFUND_DECIDE = "refund decide"
    REFUND_PROPOSE = "refund propose"
    MONEY_READ = "money read"  # money without a home, reconciliation
    MONEY_SETTLE = "money settle"
    BELI_READ = "beli read"
    BELI_GRANT = "beli grant"
    GIFTS = "gifts"  # some of them: what this person proposes or decides about
    WITHDRAWALS = "withdrawals"

    CATALOGUE_READ = "catalogue read"
    CATALOGUE_EDIT = "catalogue edit"
    COUPONS_READ = "coupons read"
    COUPONS_EDIT = "coupons edit"
    COUPON_GIVE = "coupon give"
    COUPON_PROPOSE = "coupon propose"

    STUDIES_READ = "studies read"
    STUDIES_RUN = "studies run"  # assign, open, leave, reopen
    FORM_READ = "form read"  # the whole form, logged
    MARK_OVERRIDE = "mark override"
    COMPLAINTS_READ = "complaints read"
    COMPLAINTS_DECIDE = "complaints decide"
    MENTOR_FEES_READ = "mentor fees read"
    PEOPLE_FIND = "people find"
    PEOPLE_MASKED = "people masked"  # name, phone and address as far as one recognises them
    PEOPLE_PLAIN = "people plain"  # phone and name on request, logged

    REPORTS = "reports"  # some of them; which ones is said by the four below
    REPORT_SALES = "report sales"
    REPORT_CATALOGUE = "report catalogue"
    REPORT_STUDIES = "report studies"
    REPORT_MENTORS = "report mentors"

    ACCOUNTS = "accounts"
    AUDIT_LOG = "audit log"
    AUDIT_LOG_MONEY = "audit log money"
    SYSTEM = "system"
    AUDIT_FINDINGS = "audit findings"


ROLES_FOR: Mapping[Task, Set[StaffRole]] = {
    Task.DESK: {OPS, REG, FIN, CS, ADM},
    Task.ORDERS_READ: {FIN, CS},
    Task.ORDERS_PLAIN: {FIN},
    Task.ORDER_ASK: {FIN},
    Task.ORDER_NOTE: {FIN, CS},
    Task.REFUND_DECIDE: {FIN},
    Task.REFUND_PROPOSE: {FIN, CS},
    Task.MONEY_READ: {FIN, CS},
    Task.MONEY_SETTLE: {FIN},
    Task.BELI_READ: {FIN, CS},
    Task.BELI_GRANT: {FIN},
    Task.GIFTS: {OPS, FIN, CS},
    Task.WITHDRAWALS: {FIN},
    Task.CATALOGUE_READ: {OPS, FIN, CS},
    Task.CATALOGUE_EDIT: {OPS},
    Task.COUPONS_READ: {OPS, FIN, CS},
    Task.COUPONS_EDIT: {OPS},
    Task.COUPON_GIVE: {OPS},
    Task.COUPON_PROPOSE: {CS},
    Task.STUDIES_READ: {REG},
    Task.STUDIES_RUN: {REG},
    Task.FORM_READ: {REG},
    Task.MARK_OVERRIDE: {REG},
    Task.COMPLAINTS_READ: {REG, CS},
    Task.COMPLAINTS_DECIDE: {REG},
    Task.MENTOR_FEES_READ: {REG, FIN},
    Task.PEOPLE_FIND: {REG, FIN, CS, ADM},
    Task.PEOPLE_MASKED: {REG, CS},
    Task.PEOPLE_PLAIN: {REG},
    Task.REPORTS: {OPS, REG, FIN},
    Task.REPORT_SALES: {FIN},
    Task.REPORT_CATALOGUE: {OPS, FIN},
    Task.REPORT_STUDIES: {REG},
    Task.REPORT_MENTORS: {REG, FIN},
    Task.ACCOUNTS: {ADM},
    Task.AUDIT_LOG: {ADM},
    Task.AUDIT_LOG_MONEY: {FIN, ADM},
    Task.SYSTEM: {ADM},
    Task.AUDIT_FINDINGS: {FIN, ADM},
}


def may(roles: Set[StaffRole], task: Task) -> bool:
    """Whether one of the roles is enough for the task."""
    return not roles.isdisjoint(ROLES_FOR.get(task, frozenset()))
