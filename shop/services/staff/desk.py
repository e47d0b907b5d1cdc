"""The desk: what waits for somebody, how much of it, and since when. Each queue is one count over a small index."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select

from shop import clock
from shop.enums import ComplaintState, GiftKind, GiftState, MailState, RefundState, StaffRole, WithdrawalState
from shop.extensions import db
from shop.models import (
    Appeal,
    AuditRun,
    Complaint,
    Gift,
    JobRun,
    Mail,
    NightlyRun,
    Order,
    OrderNote,
    Payment,
    Reconciliation,
    ReconciliationDifference,
    Refund,
    Trouble,
    Withdrawal,
)
from shop.rules import staff_rights
from shop.rules.staff_rights import Task
from shop.services.audit_queries import waiting
from shop.services.job_list import BY_DAY, JOBS
from shop.services.staff import study_list
from shop.services.staff.order_list import Snag, troubled
from shop.wording import mark as _

LATE = timedelta(minutes=90)  # a job that has not run for so long has stopped: each runs at least once an hour
LATE_BY_DAY = timedelta(hours=15)  # those that rest at night


@dataclass(frozen=True, slots=True)
class Queue:
    """One thing that can wait: its name in the address of the list that mends it, and how it is counted."""

    key: str
    title: str  # in Chinese, a text of the catalogue
    href: str
    task: Task
    count: Callable[[], Select[*tuple[Any, ...]]]  # selects a count and the oldest instant


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queue as it stands; ``oldest`` is none where nothing waits."""

    queue: Queue
    count: int
    oldest: datetime | None


def _refunds(*where: Any) -> Callable[[], Select[*tuple[Any, ...]]]:
    return lambda: select(func.count(), func.min(Refund.requested_time)).where(*where)


def _withdrawals(state: WithdrawalState) -> Callable[[], Select[*tuple[Any, ...]]]:
    return lambda: select(func.count(), func.min(Withdrawal.requested_time)).where(Withdrawal.state == state)


def _gifts(kind: GiftKind) -> Callable[[], Select[*tuple[Any, ...]]]:
    waiting_ones = Gift.state == GiftState.WAITING
    return lambda: select(func.count(), func.min(Gift.proposed_time)).where(waiting_ones, Gift.kind == kind)


def _orders(snag: Snag) -> Callable[[], Select[*tuple[Any, ...]]]:
    return lambda: select(func.count(), func.min(Order.pay_time)).where(Order.id.in_(troubled(snag)))


def _due_notes() -> Select[*tuple[Any, ...]]:
    today = clock.local_date(clock.now())
    return select(func.count(), func.min(OrderNote.follow_up_date)).where(
        OrderNote.follow_up_date <= today, OrderNote.done_time.is_(None)
    )


def _troubles() -> Select[*tuple[Any, ...]]:
    return select(func.count(), func.min(Trouble.found_time)).where(Trouble.resolved_time.is_(None))


def _surplus() -> Select[*tuple[Any, ...]]:
    since = func.min(func.coalesce(Payment.paid_time, Payment.created_time))
    return select(func.count(), since).where(Payment.id.in_(waiting.money_at_the_desk()))


def _differences() -> Select[*tuple[Any, ...]]:
    row = ReconciliationDifference
    return (
        select(func.count(), func.min(Reconciliation.run_time))
        .select_from(row)
        .join(Reconciliation, Reconciliation.id == row.reconciliation_id)
        .where(~row.is_healed, row.resolved_time.is_(None))
    )


def _findings() -> Select[*tuple[Any, ...]]:
    latest = select(func.max(AuditRun.id)).scalar_subquery()
    return select(func.count(), func.min(AuditRun.started_time)).where(
        AuditRun.id == latest, func.json_array_length(AuditRun.findings) > 0
    )


def _jobs() -> Select[*tuple[Any, ...]]:
    now, rests = clock.now(), JobRun.name.in_(BY_DAY)
    has_stopped = or_(
        ~rests & (JobRun.started_time < now - LATE),
        rests & (JobRun.started_time < now - LATE_BY_DAY),
    )
    return select(func.count(), func.min(JobRun.started_time)).where(
        JobRun.name.in_(JOBS), or_(JobRun.error != "", has_stopped)
    )


def _nights() -> Select[*tuple[Any, ...]]:
    return select(func.count(), func.min(NightlyRun.started_time)).where(
        NightlyRun.finished_time.is_(None), NightlyRun.started_time < clock.now() - LATE
    )


def _letters() -> Select[*tuple[Any, ...]]:
    return select(func.count(), func.min(Mail.created_time)).where(
        Mail.state.in_((MailState.FAILED, MailState.UNCERTAIN))
    )


def _studies(snag: study_list.Snag) -> Callable[[], Select[*tuple[Any, ...]]]:
    return lambda: study_list.overdue_by(snag)


def _disputes(of: type[Complaint | Appeal]) -> Callable[[], Select[*tuple[Any, ...]]]:
    return lambda: select(func.count(), func.min(of.date)).where(of.state == ComplaintState.WAITING)


QUEUES = (
    Queue(
        "refunds asked",
        _("待审核的退款"),
        "/staff/refunds?queue=0",
        Task.REFUND_PROPOSE,
        _refunds(Refund.state == RefundState.REQUESTED, Refund.first_approver_id.is_(None)),
    ),
    Queue(
        "refunds second",
        _("待第二人审核的退款"),
        "/staff/refunds?queue=1",
        Task.REFUND_PROPOSE,
        _refunds(Refund.state == RefundState.REQUESTED, Refund.first_approver_id.is_not(None)),
    ),
    Queue(
        "refunds failed",
        _("失败的退款"),
        "/staff/refunds?queue=2",
        Task.REFUND_PROPOSE,
        _refunds(Refund.state == RefundState.FAILED),
    ),
    Queue("troubles", _("对不上的款项"), "/staff/money", Task.MONEY_READ, _troubles),
    Queue("surplus", _("迟到或重复的款项（自动退回中）"), "/staff/money", Task.MONEY_READ, _surplus),
    Queue("differences", _("对账差异"), "/staff/reconciliation", Task.MONEY_READ, _differences),
    Queue(
        "undelivered",
        _("已付款未开通的订单"),
        "/staff/orders?trouble=0",
        Task.ORDERS_READ,
        _orders(Snag.UNDELIVERED),
    ),
    Queue("notes due", _("到期的订单备注"), "/staff/orders?trouble=3", Task.ORDER_NOTE, _due_notes),
    Queue(
        "withdrawals asked",
        _("待审核的提现"),
        "/staff/withdrawals?queue=0",
        Task.WITHDRAWALS,
        _withdrawals(WithdrawalState.WAITING),
    ),
    Queue(
        "withdrawals approved",
        _("待打款的提现"),
        "/staff/withdrawals?queue=1",
        Task.WITHDRAWALS,
        _withdrawals(WithdrawalState.APPROVED),
    ),
    Queue(
        "gifts beli",
        _("待审核的贝里发放"),
        "/staff/gifts?queue=0",
        Task.BELI_GRANT,
        _gifts(GiftKind.BELI),
    ),
    Queue(
        "gifts coupon",
        _("待审核的优惠券发放"),
        "/staff/gifts?queue=1",
        Task.COUPON_GIVE,
        _gifts(GiftKind.COUPON),
    ),
    Queue(
        "forms",
        _("待分配导师的报名表"),
        "/staff/studies?snag=0",
        Task.STUDIES_READ,
        study_list.without_mentor,
    ),
    Queue(
        "gradings",
        _("作业批改超时的学员"),
        "/staff/studies?snag=1",
        Task.STUDIES_READ,
        _studies(study_list.Snag.LATE_GRADING),
    ),
    Queue(
        "answers",
        _("提问回复超时的学员"),
        "/staff/studies?snag=2",
        Task.STUDIES_READ,
        _studies(study_list.Snag.LATE_ANSWER),
    ),
    Queue(
        "modules",
        _("等人工通过模块的学员"),
        "/staff/studies?snag=3",
        Task.STUDIES_READ,
        study_list.without_homework,
    ),
    Queue("complaints", _("待处理的投诉"), "/staff/complaints", Task.COMPLAINTS_READ, _disputes(Complaint)),
    Queue("appeals", _("待处理的申诉"), "/staff/appeals", Task.STUDIES_READ, _disputes(Appeal)),
    Queue("findings", _("审计发现"), "/staff/system", Task.AUDIT_FINDINGS, _findings),
    Queue("jobs", _("失败或停下的任务"), "/staff/system", Task.SYSTEM, _jobs),
    Queue("nights", _("没有完成的夜间任务"), "/staff/system", Task.SYSTEM, _nights),
    Queue("letters", _("发送失败的邮件"), "/staff/system", Task.SYSTEM, _letters),
)


def queues(roles: Set[StaffRole]) -> list[Waiting]:
    """The queues that these roles may see, in the order of the list; one small statement each."""
    mine = (queue for queue in QUEUES if staff_rights.may(roles, queue.task))
    return [Waiting(queue, *_counted(queue)) for queue in mine]


def _counted(queue: Queue) -> tuple[int, datetime | None]:
    count, oldest = db.session.execute(queue.count()).one()
    if oldest is not None and not isinstance(oldest, datetime):
        oldest = datetime.combine(oldest, time(), clock.SHANGHAI)  # a day: since it began
    return count, oldest if count else None
