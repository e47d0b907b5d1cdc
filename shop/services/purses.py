"""The two purses of an enrolment, in 贝里: what its student has earned and what is left of its mentor's fee.

The only place that changes ``reward_balance`` and ``mentor_fee_balance``: each change is a score record with its cause,
its evidence and the rule's version, and is never edited. A penalty takes at most what the purse holds; a correction is
a row that reverses another; what matures moves to the account's spendable balance by a transaction record. The caller
holds the enrolment's lock (``enrolled_degrees.lock``), and before it that of the account whose balance changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from shop.clock import local_date
from shop.enums import ComplaintState, Purse, Rule, ScoreType, TransactionType
from shop.errors import NotYourTurn
from shop.models import Appeal, Complaint, EnrolledDegreeCourse, ScoreRecord, ScoreRule
from shop.rules import rewards
from shop.services import rule_book, wallet
from shop.wording import mark as _

CLOSING_RULES = {Purse.FEE: Rule.MENTOR, Purse.REWARDS: Rule.SCHOLARSHIP}
MATURED = _("学位奖惩到账")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a purse changes. ``event`` names the cause for ever: what was booked for it is not booked again."""

    event: str
    memo: str = ""  # a text of the catalogue
    facts: Mapping[str, Any] = field(default_factory=dict)  # dates (ISO) and figures, as JSON keeps them
    homework_record_id: int | None = None
    homework_submission_id: int | None = None
    question_id: int | None = None
    complaint_id: int | None = None


def balance_of(enrolment: EnrolledDegreeCourse, purse: Purse) -> int:
    return enrolment.mentor_fee_balance if purse is Purse.FEE else enrolment.reward_balance


def owner_of(enrolment: EnrolledDegreeCourse, purse: Purse) -> int:
    """The account that earns and loses here. Raises ValueError for the fee of an enrolment without a mentor."""
    owner = enrolment.mentor_id if purse is Purse.FEE else enrolment.account_id
    if owner is None:
        raise ValueError(f"enrolment {enrolment.id} has no mentor")
    return owner


def is_booked(session: Session, event: str) -> bool:
    return bool(session.scalar(select(exists().where(ScoreRecord.event == event))))


def anew(session: Session, event: str) -> str:
    """The name under which a cause is booked now: what was booked and reversed may come again, as another event."""
    wrong, reversal = aliased(ScoreRecord), aliased(ScoreRecord)
    undone = select(reversal.id).join(wrong, wrong.id == reversal.reverses_id)
    name = event
    while (by := session.scalar(undone.where(wrong.event == name))) is not None:
        name = f"{event}:after:{by}"
    return name


def gain(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    purse: Purse,
    rule: Rule,
    cause: Cause,
    now: datetime,
    *,
    kind: ScoreType = ScoreType.REWARD,
    amount: int | None = None,
) -> ScoreRecord | None:
    """Book a gain of ``amount``, or of what the rule says; it waits in the purse. None when its cause was booked."""
    if is_booked(session, cause.event):
        return None
    version = rule_book.current(session, rule, kind)
    return _book(session, enrolment, purse, version, version.score if amount is None else amount, cause, now)


def fine(
    session: Session, enrolment: EnrolledDegreeCourse, purse: Purse, rule: Rule, cause: Cause, now: datetime
) -> ScoreRecord | None:
    """Book a penalty: what the rule says, at most what the purse holds. None when its cause was booked.

    A penalty that finds nothing is booked with 0, so that it does not fall upon what is earned later.
    """
    if is_booked(session, cause.event):
        return None
    version = rule_book.current(session, rule, ScoreType.PENALTY)
    taken = rewards.fine_of(version.score, balance_of(enrolment, purse))
    return _book(session, enrolment, purse, version, -taken, cause, now)


def reverse(
    session: Session, enrolment: EnrolledDegreeCourse, wrong: ScoreRecord, cause: Cause, now: datetime
) -> ScoreRecord:
    """Undo a row by one of the opposite value, so that both net to zero; once. It goes to whoever owns the purse now.

    Raises NotYourTurn when it was reversed before, is a reversal itself, or is a gain that the purse no longer holds.
    """
    again = session.scalar(select(exists().where(ScoreRecord.reverses_id == wrong.id)))
    is_gone = wrong.score > 0 and (wrong.applied or wrong.score > balance_of(enrolment, wrong.purse))
    if again or is_gone or wrong.reverses_id is not None:
        raise NotYourTurn(record=wrong.id)
    return _book(session, enrolment, wrong.purse, wrong.rule, -wrong.score, cause, now, reverses_id=wrong.id)


def hand_over(session: Session, enrolment: EnrolledDegreeCourse, mentor_id: int, event: str, now: datetime) -> int:
    """Move what is left of the fee to another mentor, who becomes the enrolment's; how much that was (domain.md 4.2).

    The one before keeps nothing that has not matured; their penalties stay as history.
    """
    version = rule_book.current(session, Rule.MENTOR, ScoreType.INITIAL)
    rest = enrolment.mentor_fee_balance
    _book(session, enrolment, Purse.FEE, version, -rest, Cause(f"{event}:from", _("更换导师，剩余费用转出")), now)
    _settle(_waiting_gains(session, enrolment, Purse.FEE), 0, local_date(now), now)
    enrolment.mentor_id = mentor_id
    _book(session, enrolment, Purse.FEE, version, rest, Cause(f"{event}:to", _("更换导师，剩余费用转入")), now)
    return rest


def forfeit(session: Session, enrolment: EnrolledDegreeCourse, purse: Purse, memo: str, now: datetime) -> int:
    """Let go of what will never mature: the study ended without graduation, or was refunded. How much that was."""
    rest = balance_of(enrolment, purse)
    if rest:
        version = rule_book.current(session, CLOSING_RULES[purse], ScoreType.PENALTY)
        last = session.scalar(_of_purse(enrolment, purse, func.max(ScoreRecord.id)))
        cause = Cause(f"forfeit:{enrolment.id}:{int(purse)}:{last}", memo)
        _book(session, enrolment, purse, version, -rest, cause, now)
    _settle(_waiting_gains(session, enrolment, purse), 0, local_date(now), now)
    return rest


def is_frozen(session: Session, enrolment: EnrolledDegreeCourse, purse: Purse) -> bool:
    """Whether staff have still to decide something about this purse: until then nothing of it is paid out."""
    appealed = exists().where(
        Appeal.state == ComplaintState.WAITING,
        ScoreRecord.id == Appeal.score_record_id,
        ScoreRecord.enrolled_degree_course_id == enrolment.id,
        ScoreRecord.purse == purse,
    )
    complained = exists().where(
        Complaint.state == ComplaintState.WAITING, Complaint.enrolled_degree_course_id == enrolment.id
    )
    asked = appealed | complained if purse is Purse.FEE else appealed
    return bool(session.scalar(select(asked)))


def pay_out(session: Session, enrolment: EnrolledDegreeCourse, purse: Purse, matured: date, now: datetime) -> int:
    """Move what the purse holds into its owner's spendable balance; how much that was (domain.md 4.2, 7).

    One transaction record, named by the newest gain; every gain tells what of it was received. Nothing to pay: 0, and
    no record.
    """
    amount = balance_of(enrolment, purse)
    gains = _waiting_gains(session, enrolment, purse)
    _settle(gains, amount, matured, now)
    if not amount:
        return 0
    _set_balance(enrolment, purse, 0)
    wallet.move_beli(
        session,
        owner_of(enrolment, purse),
        TransactionType.INCOME,
        amount,
        score_record_id=gains[-1].id,
        memo=MATURED,
    )
    return amount


# ---------------------------------------------------------------- rows


def _book(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    purse: Purse,
    version: ScoreRule,
    score: int,
    cause: Cause,
    now: datetime,
    *,
    reverses_id: int | None = None,
) -> ScoreRecord:
    balance = balance_of(enrolment, purse) + score
    is_gain = score > 0
    record = ScoreRecord(
        score_rule_id=version.id,
        purse=purse,
        account_id=owner_of(enrolment, purse),
        enrolled_degree_course_id=enrolment.id,
        event=cause.event,
        homework_record_id=cause.homework_record_id,
        homework_submission_id=cause.homework_submission_id,
        question_id=cause.question_id,
        complaint_id=cause.complaint_id,
        reverses_id=reverses_id,
        facts=dict(cause.facts),
        score=score,
        balance=balance,
        applied=not is_gain,
        applied_date=None if is_gain else now,
        date=now,
        memo=cause.memo or None,
    )
    _set_balance(enrolment, purse, balance)
    session.add(record)
    session.flush()
    return record


def _set_balance(enrolment: EnrolledDegreeCourse, purse: Purse, balance: int) -> None:
    if purse is Purse.FEE:
        enrolment.mentor_fee_balance = balance
    else:
        enrolment.reward_balance = balance


def _waiting_gains(session: Session, enrolment: EnrolledDegreeCourse, purse: Purse) -> Sequence[ScoreRecord]:
    """The gains that have not matured or moved on yet, oldest first."""
    waiting = _of_purse(enrolment, purse, ScoreRecord).where(ScoreRecord.score > 0, ScoreRecord.applied.is_(False))
    return session.scalars(waiting.order_by(ScoreRecord.id).execution_options(populate_existing=True)).all()


def _of_purse(enrolment: EnrolledDegreeCourse, purse: Purse, what: Any) -> Any:
    return select(what).where(ScoreRecord.enrolled_degree_course_id == enrolment.id, ScoreRecord.purse == purse)


def _settle(gains: Sequence[ScoreRecord], total: int, matured: date, now: datetime) -> None:
    for record, received in zip(gains, rewards.share_out([gain.score for gain in gains], total), strict=True):
        record.received_score, record.maturity_date = received, matured
        record.applied, record.applied_date = True, now
