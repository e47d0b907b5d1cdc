"""What study earns and what neglect costs, in 贝里 (domain.md 4.2; design 12)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shop.enums import Rule, Score, ScoreType

PASS_MARK = 60
# What a rule says until staff change it. A pair that is missing has no effect; 0 means that the value is kept
# elsewhere: with the homework, with the degree's scholarships.
FIRST_SCORES: dict[tuple[Rule, ScoreType], int] = {
    (Rule.LATE_HOMEWORK, ScoreType.REWARD): 5,  # for what was handed in on time, once it is passed
    (Rule.LATE_HOMEWORK, ScoreType.PENALTY): 20,
    (Rule.LATE_GRADING, ScoreType.PENALTY): 50,
    (Rule.HOMEWORK_SCORE, ScoreType.REWARD): 0,  # Homework.scholarship_value
    (Rule.HOMEWORK_SCORE, ScoreType.PENALTY): 50,  # COPY
    (Rule.NO_FOLLOW_UP, ScoreType.PENALTY): 30,
    (Rule.NO_ANSWER, ScoreType.PENALTY): 30,
    (Rule.COMPLAINT, ScoreType.PENALTY): 200,
    (Rule.MENTOR, ScoreType.INITIAL): 1500,  # 0: DegreeCourse.mentor_compensation_bonus (A12)
    (Rule.MENTOR, ScoreType.PENALTY): 0,  # what is left of a fee that never matures
    (Rule.SCHOLARSHIP, ScoreType.REWARD): 0,  # Scholarship.value
    (Rule.SCHOLARSHIP, ScoreType.PENALTY): 0,  # what is left of rewards that never mature
}
# whose amounts a new version changes; those of the others stand elsewhere
CHANGEABLE = frozenset(pair for pair, score in FIRST_SCORES.items() if score)


@dataclass(frozen=True, slots=True)
class Tier:
    """学位奖学金: 贝里 for graduating within a percentage of the degree's recommended days."""

    time_percent: int
    value: int


def is_passed(score: Score) -> bool:
    """Marks, not arithmetic: D, N/A and COPY never pass (A32)."""
    return score >= PASS_MARK


def reward_of(score: Score, scholarship_value: int) -> int:
    """贝里 for a mark: that percentage of the homework's value, half up; none below the pass mark."""
    return (scholarship_value * int(score) + 50) // 100 if is_passed(score) else 0


def scholarship_of(tiers: Iterable[Tier], studied_days: int, period_days: int) -> Tier | None:
    """The best tier that a graduation after so many days of study has reached; None when it reached none."""
    reached = [tier for tier in tiers if studied_days * 100 <= tier.time_percent * period_days]
    return max(reached, key=lambda tier: tier.value, default=None)


def fine_of(rule_score: int, balance: int) -> int:
    """贝里 that a penalty really takes: never more than its purse holds."""
    return min(rule_score, balance)


def share_out(scores: Iterable[int], total: int) -> list[int]:
    """How a total that matures is spread over the gains it came from: the first are filled first."""
    shares = []
    for score in scores:
        share = min(score, total)
        shares.append(share)
        total -= share
    return shares
