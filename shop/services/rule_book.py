"""积分规则: what each rule is worth now, and how it changes: by a new version, so that no history is rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Rule, ScoreType
from shop.errors import NotYourTurn
from shop.extensions import db, insert_into, unit_of_work
from shop.models import ScoreRule
from shop.rules.rewards import FIRST_SCORES
from shop.rules.staff_rights import Task
from shop.services import audit_log, study_cases
from shop.services.audit_log import Actor

MOST = 1_000_000  # 贝里 that a rule may be worth


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


def every_version() -> Mapping[tuple[Rule, ScoreType], Sequence[ScoreRule]]:
    """The versions of every rule that has an effect, the newest first; none for one that was never asked for.

    Nothing is written, as ``all_current`` may.
    """
    found: dict[tuple[Rule, ScoreType], list[ScoreRule]] = {pair: [] for pair in FIRST_SCORES}
    for row in db.session.scalars(select(ScoreRule).order_by(ScoreRule.version.desc())):
        found[row.rule, row.score_type].append(row)
    return found


def change(
    rule: Rule, kind: ScoreType, score: int, *, actor: Actor, reason: str, instead_of: int | None = None
) -> ScoreRule:
    """A new version of a rule, in force from now on.

    ``instead_of`` is the version that whoever decides has seen. Raises NotYourTurn, whose fact ``why`` is "same" (it is
    worth that already) or "changed" (another version is in force); StaffOnly; KeyError for a pair without effect;
    ValueError for a score below 0 or an empty reason. Two at once: the unique version lets one win, and the other is
    told that it has changed.
    """
    reason = audit_log.checked_reason(reason)
    if score < 0:
        raise ValueError("a score is 0 or more")
    with unit_of_work() as session:
        study_cases.check(session, actor, Task.STUDIES_RUN)
        before = current(session, rule, kind)
        if instead_of is not None and instead_of != before.version:
            raise NotYourTurn(why="changed")
        if before.score == score:
            raise NotYourTurn(why="same")
        after = ScoreRule(rule=rule, score_type=kind, version=before.version + 1, score=score, memo=reason)
        session.add(after)
        try:
            session.flush()
        except IntegrityError as error:
            raise NotYourTurn(why="changed") from error
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
