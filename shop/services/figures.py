"""What operators watch beside requests: how the jobs fare, and what waits for people. Few statements, by index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select

from shop.enums import MailState, PaymentState, RefundState
from shop.extensions import db
from shop.models import AuditRun, JobRun, Mail, Payment, Refund, Trouble
from shop.services import job_runs


@dataclass(frozen=True, slots=True)
class AuditResult:
    """The audit that was kept last."""

    time: datetime
    findings: int


@dataclass(frozen=True, slots=True)
class Figures:
    """As of now; money in fen, letters that have not been sent by their state."""

    jobs: Sequence[JobRun]
    payments_at_desk: int
    fen_at_desk: int
    refunds_failed: int
    troubles_open: int
    letters: Mapping[MailState, int]
    audit: AuditResult | None


def read() -> Figures:
    """Five statements. Raises SQLAlchemyError when the database does not answer."""
    at_desk = _left_fen_at_desk()
    failed = select(func.count()).where(Refund.state == RefundState.FAILED).scalar_subquery()
    troubles = select(func.count()).where(Trouble.resolved_time.is_(None)).scalar_subquery()
    refunds_failed, troubles_open = db.session.execute(select(failed, troubles)).one()
    return Figures(
        jobs=job_runs.all_runs(),
        payments_at_desk=len(at_desk),
        fen_at_desk=sum(at_desk),
        refunds_failed=refunds_failed,
        troubles_open=troubles_open,
        letters=_letters(),
        audit=_last_audit(),
    )


def _left_fen_at_desk() -> Sequence[int]:
    """Of each payment that no order could use, what has not gone back yet."""
    done = and_(Refund.payment_id == Payment.id, Refund.state == RefundState.DONE, Refund.trouble_id.is_(None))
    left = Payment.amount_fen - func.coalesce(func.sum(Refund.amount_fen), 0)
    return db.session.scalars(
        select(left)
        .outerjoin(Refund, done)
        .where(Payment.state == PaymentState.SURPLUS)
        .group_by(Payment.id)
        .having(left > 0)
    ).all()


def _letters() -> dict[MailState, int]:
    unsent = select(Mail.state, func.count()).where(Mail.state != MailState.SENT).group_by(Mail.state)
    counts = dict(db.session.execute(unsent).all())
    return {state: counts.get(state, 0) for state in MailState if state is not MailState.SENT}


def _last_audit() -> AuditResult | None:
    last = db.session.scalars(select(AuditRun).order_by(AuditRun.id.desc()).limit(1)).first()
    return AuditResult(last.started_time, len(last.findings)) if last else None
