"""The road of a degree: what is late, what comes next, and where the plan would be today (domain.md 4.2; looks.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

from shop.enums import HomeworkStatus, HomeworkType, Score, StudyStatus
from shop.rules.rewards import Tier
from shop.rules.study_states import ENDED

TO_DO = (None, HomeworkStatus.FAILED)


class Step(Enum):
    """The one thing to do next on the road."""

    REGISTER = "register"  # the form comes before everything
    OPEN = "open"  # the first module
    HAND_IN = "hand_in"
    REDO = "redo"  # hand in again what did not pass
    WAIT = "wait"  # for marks
    LEARN = "learn"  # a module without homework: staff open the next one
    GO_ON = "go_on"  # all is passed: the coming night goes on
    RETURN = "return"  # from a leave
    NOTHING = "nothing"  # study has ended, or a refund is under way


@dataclass(frozen=True, slots=True)
class Task:
    """One homework on the road; ``status`` is None before the first hand-in."""

    id: int
    title: str
    kind: HomeworkType
    due_date: date | None  # none for what was added after its module was opened
    status: HomeworkStatus | None = None
    score: Score | None = None
    handed_in_date: date | None = None  # the first time
    late_days: int = 0  # behind its plan, when it was handed in or until now

    @property
    def is_to_do(self) -> bool:
        return self.status in TO_DO

    @property
    def is_overdue(self) -> bool:
        """Whether it should be there and is not."""
        return self.status is None and self.late_days > 0


def late_days(due_date: date | None, handed_in_date: date | None, as_of: date) -> int:
    """Days between the plan and the first hand-in, or ``as_of``; the planned day itself is in time."""
    return 0 if due_date is None else max(0, ((handed_in_date or as_of) - due_date).days)


def next_task(tasks: Iterable[Task]) -> Task | None:
    """What to hand in first: by plan, then in the order of the road; what has no day comes last."""
    to_do = [task for task in tasks if task.is_to_do]
    return min(to_do, key=lambda task: task.due_date or date.max, default=None)


def next_step(
    status: StudyStatus, *, is_registered: bool, is_suspended: bool, open_modules: Sequence[Sequence[Task]]
) -> tuple[Step, Task | None]:
    """What to do next, and with which homework; ``open_modules`` are the tasks of each module that is being studied."""
    if is_suspended or status in ENDED:
        return Step.NOTHING, None
    if not is_registered:
        return Step.REGISTER, None
    if status is StudyStatus.NOT_STARTED:
        return Step.OPEN, None
    if status is StudyStatus.ON_LEAVE:
        return Step.RETURN, None
    return _study(open_modules)


def _study(open_modules: Sequence[Sequence[Task]]) -> tuple[Step, Task | None]:
    task = next_task(task for tasks in open_modules for task in tasks)
    if task is not None:
        return (Step.HAND_IN if task.status is None else Step.REDO), task
    waiting = [task for tasks in open_modules for task in tasks if task.status is HomeworkStatus.WAITING]
    if waiting:
        return Step.WAIT, waiting[0]
    return (Step.GO_ON if any(open_modules) else Step.LEARN), None


def planned(tasks: Iterable[Task], as_of: date) -> int:
    """How many homework should have been handed in before this day."""
    return sum(task.due_date is not None and task.due_date < as_of for task in tasks)


def reach(tier: Tier, period: int, begin_date: date, days_away: int) -> date:
    """The last day on which graduating still reaches a scholarship's tier; days of leave do not count."""
    return begin_date + timedelta(days=tier.time_percent * period // 100 - 1 + days_away)
