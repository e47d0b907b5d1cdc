"""What an ended study pays out, by the night after its end: step (i) of domain.md 4.3.

A graduation pays both purses; a study that ran out of time pays nothing, unless the settings say so. A purse about
which staff have still to decide waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shop.clock import local_date
from shop.enums import MessageType, Purse, StudyStatus
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, DegreeCourse, EnrolledDegreeCourse
from shop.rules.study_states import ENDED
from shop.services import enrolled_degrees, messages, purses
from shop.services.locks import lock_account
from shop.wording import mark as _

BATCH = 500
OVER = _("超时结业，不再到账")
Counts = dict[str, int]


def settle_due(now: datetime) -> Counts:
    """Pay out, or let go of, what ended studies hold; "frozen" are purses about which staff have to decide first."""
    counts = {"paid": 0, "forfeited": 0, "frozen": 0}
    for enrolment_id in _ended(now):
        for purse in Purse:
            if done := _settle(enrolment_id, purse, now):
                counts[done] += 1
    return counts


def _ended(now: datetime) -> Iterator[int]:
    last = 0
    row = EnrolledDegreeCourse
    while found := db.session.scalars(
        select(row.id)
        .where(
            row.id > last,
            row.study_status.in_(ENDED),
            row.ended_time <= now,
            row.closed_time.is_(None),
            or_(row.mentor_fee_balance > 0, row.reward_balance > 0),
        )
        .order_by(row.id)
        .limit(BATCH)
    ).all():
        yield from found
        last = found[-1]


def _settle(enrolment_id: int, purse: Purse, now: datetime) -> str | None:
    """One purse in its own transaction: its owner's account is locked first, then the enrolment."""
    with unit_of_work() as session:
        seen = session.get_one(EnrolledDegreeCourse, enrolment_id)
        owner_id = seen.mentor_id if purse is Purse.FEE else seen.account_id
        if owner_id is None:
            return None
        lock_account(session, owner_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        if (
            not purses.balance_of(enrolment, purse)
            or enrolment.closed_time
            or purses.owner_of(enrolment, purse) != owner_id
        ):
            return None
        if purses.is_frozen(session, enrolment, purse):
            return "frozen"
        if enrolment.study_status is StudyStatus.OVERTIME and not settings().overtime_pays:
            amount = purses.forfeit(session, enrolment, purse, OVER, now)
            _tell(session, enrolment, purse, amount, is_paid=False)
            return "forfeited"
        assert enrolment.ended_time is not None  # by ck_enrolled_degree_course_ended_has_time
        amount = purses.pay_out(session, enrolment, purse, local_date(enrolment.ended_time), now)
        _tell(session, enrolment, purse, amount, is_paid=True)
        return "paid"


def _tell(session: Session, enrolment: EnrolledDegreeCourse, purse: Purse, amount: int, *, is_paid: bool) -> None:
    student = session.get_one(Account, enrolment.account_id)
    facts = {
        "amount": amount,
        "degree": session.get_one(DegreeCourse, enrolment.degree_course_id).name,
        "student": student.shown_name,
    }
    if purse is Purse.FEE:
        text = (
            _("学员 %(student)s（「%(degree)s」）已毕业，导师费用 %(amount)s 贝里已到账。")
            if is_paid
            else _("学员 %(student)s（「%(degree)s」）超时结业，剩余的导师费用 %(amount)s 贝里不再到账。")
        )
        link = "/mentor/earnings"
    else:
        text = (
            _("「%(degree)s」的奖学金 %(amount)s 贝里已到账，可以用来抵扣学费。")
            if is_paid
            else _("「%(degree)s」超时结业，%(amount)s 贝里奖学金不再到账。")
        )
        link = f"/learning/degrees/{enrolment.id}/rewards"
    messages.tell(session, purses.owner_of(enrolment, purse), MessageType.REWARD, text, facts, link=link)
