"""Nothing personal is kept longer than its purpose takes (safety.md 7.2): what the night lets go of, in numbers only.

The limits are those of the data classes. A step may run twice, late or beside itself: what is empty is not due.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, cast, delete, or_, select, update

from shop.enums import MailState, WithdrawalState
from shop.extensions import unit_of_work
from shop.models import (
    DataExport,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Mail,
    PasswordReset,
    PaymentNotice,
    Withdrawal,
)
from shop.services.erased_rows import FORM_ERASED, PAYEE_ERASED

FORM_DAYS = timedelta(days=180)  # after the study ended: company, position, salary with its consent, experience
PAYEE_DAYS = timedelta(days=30)  # after a withdrawal was paid or refused: account and name
NOTICE_DAYS = timedelta(days=180)  # after a notice of Alipay came: who has paid
LETTER_DAYS = timedelta(days=180)  # after a letter was written, as for logs: address and subject
BATCH = 500  # notices at a time
BUYER = ("buyer_id", "buyer_logon_id", "buyer_open_id")
OVER = (MailState.SENT, MailState.FAILED, MailState.UNCERTAIN)
_UNSYNCED = {"synchronize_session": False}
Counts = dict[str, int]


def let_go(now: datetime) -> Counts:
    """Empty or remove what is older than its limit; how many rows of each kind."""
    return {
        "forms": _forms(now),
        "drafts": _drafts(now),
        "payees": _payees(now),
        "buyers": _buyers(now),
        "letters": _letters(now),
        "links": _links(now),
    }


def _ended(now: datetime) -> Any:
    """The enrolments whose study has been over so long, by its end or by a refund."""
    row = EnrolledDegreeCourse
    limit = now - FORM_DAYS
    return select(row.id).where(or_(row.ended_time < limit, row.closed_time < limit)).scalar_subquery()


def _forms(now: datetime) -> int:
    form = DegreeRegistrationForm
    due = form.erased_time.is_(None), form.enrolled_degree_id.in_(_ended(now))
    return _done(update(form).where(*due).values(**FORM_ERASED, erased_time=now))


def _drafts(now: datetime) -> int:
    """A form that was never filed keeps nothing that could be emptied apart: it goes."""
    draft = DegreeRegistrationDraft
    return _done(delete(draft).where(draft.enrolled_degree_id.in_(_ended(now))))


def _payees(now: datetime) -> int:
    row = Withdrawal
    limit = now - PAYEE_DAYS
    is_over = or_(row.paid_time < limit, (row.state == WithdrawalState.REFUSED) & (row.decided_time < limit))
    return _done(update(row).where(is_over, row.payee_account != "").values(**PAYEE_ERASED))


def _buyers(now: datetime) -> int:
    """Who paid goes, what was paid stays: the rest of the notice is trade."""
    row = PaymentNotice
    names_somebody = or_(*(cast(row.params, String).contains(f'"{name}"') for name in BUYER))
    due = select(row).where(row.received_time < now - NOTICE_DAYS, names_somebody).order_by(row.id).limit(BATCH)
    total = 0
    while True:
        with unit_of_work() as session:
            found = session.scalars(due).all()
            for notice in found:
                notice.params = {name: value for name, value in notice.params.items() if name not in BUYER}
            total += len(found)
        if len(found) < BATCH:
            return total


def _letters(now: datetime) -> int:
    return _done(delete(Mail).where(Mail.state.in_(OVER), Mail.created_time < now - LETTER_DAYS))


def _links(now: datetime) -> int:
    """Digests of links that nobody can use any more."""
    return sum(_done(delete(model).where(model.expires_at < now)) for model in (PasswordReset, DataExport))


def _done(statement: Any) -> int:
    with unit_of_work() as session:
        changed: int = session.execute(statement, execution_options=_UNSYNCED).rowcount  # type: ignore[attr-defined]
        return changed
