"""积分规则: what each rule is worth now, and how it changes: by a new version, so that no history is rewritten."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Rule, ScoreType
from shop.errors import NotYourTurn
from shop.extensions import db, insert_into, unit_of_work
from shop.models import ScoreRule
from shop.rules.rewards import FIRST_SCORES
from shop.services import audit_log
from shop.services.audit_log import Actor


def current(session: Session, rule: Rule, kind: ScoreType) -> ScoreRule:
    """The version in force; the first one is written when it is first asked for. KeyError for a pair without effect."""
    newest = (
        select(ScoreRule)
        .where(ScoreRule.rule == rule, ScoreRule.score_type == kind)
        .order_by(ScoreRule.version.desc())
        .limit(1)
    )
    found = session.scalars(newest).one_or_none()
    if found is None:
        first = {"rule": rule, "score_type": kind, "version": 1, "score": FIRST_SCORES[rule, kind], "date": clock.now()}
        session.execute(
            insert_into(session, ScoreRule).on_conflict_do_nothing(index_elements=["rule", "score_type", "version"]),
            first,
        )
        found = session.scalars(newest).one()
    return found


def worth(session: Session, rule: Rule, kind: ScoreType) -> int:
    """What the version in force says, for pages: nothing is written, as ``current`` may. KeyError as there."""
    newest = select(ScoreRule.score).where(ScoreRule.rule == rule, ScoreRule.score_type == kind)
    score = session.scalar(newest.order_by(ScoreRule.version.desc()).limit(1))
    return FIRST_SCORES[rule, kind] if score is None else score


def all_current() -> Sequence[ScoreRule]:
    """The versions in force of every rule that has an effect, in the order of the source's numbers."""
    with unit_of_work() as session:
        for rule, kind in FIRST_SCORES:
            current(session, rule, kind)
    newest = select(ScoreRule.rule, ScoreRule.score_type, func.max(ScoreRule.version).label("version"))
    last = newest.group_by(ScoreRule.rule, ScoreRule.score_type).subquery()
    return db.session.scalars(
        select(ScoreRule)
        .join(
            last,
            (last.c.rule == ScoreRule.rule)
            & (last.c.score_type == ScoreRule.score_type)
            & (last.c.version == ScoreRule.version),
        )
        .order_by(ScoreRule.rule, ScoreRule.score_type)
    ).all()


def change(rule: Rule, kind: ScoreType, score: int, *, actor: Actor, reason: str) -> ScoreRule:
    """A new version of a rule, in force from now on. Raises NotYourTurn when it is worth that already.

    KeyError for a pair without effect; ValueError for a score below 0 or an empty reason. Two at once: the unique
    version lets one win (IntegrityError for the other).
    """
    reason = audit_log.checked_reason(reason)
    if score < 0:
        raise ValueError("a score is 0 or more")
    with unit_of_work() as session:
        before = current(session, rule, kind)
        if before.score == score:
            raise NotYourTurn
        after = ScoreRule(rule=rule, score_type=kind, version=before.version + 1, score=score, memo=reason)
        session.add(after)
        session.flush()
        audit_log.record(
            session,
            actor,
            "score_rule change",
            after,
            before={"version": before.version, "score": before.score},
            after={"version": after.version, "score": after.score},
            reason=reason,
        )
    return after
