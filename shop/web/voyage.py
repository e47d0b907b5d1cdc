"""The road of a degree as a picture: a route with a port at the end of each module and a buoy for each homework.

Only where things lie is worked out here; the template draws them. What the picture shows is also told in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from shop.enums import HomeworkStatus, ModuleStatus, StudyStatus
from shop.rules.road import Task
from shop.services.road import Road, Stage

WIDTH, HEIGHT, HEIGHT_WITH_PLAN = 480, 100, 114
LEFT, RIGHT = 22, 452  # where the route begins and ends
LEVEL, SWELL, WAVE = 76, 7, 120  # height of the water, of its waves, and their length
PORT, SMALL_PORT = 13, 9
MOST_LARGE_PORTS = 6
BUOY = 6.0
SMALLEST_BUOY = 1.5  # a longer road shows its modules only

SAILING = (StudyStatus.STUDYING, StudyStatus.GRADUATED)
HANDED_IN = {HomeworkStatus.PASSED: "passed", HomeworkStatus.WAITING: "waiting", HomeworkStatus.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the route, in units of the picture."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Buoy:
    """A homework; kind: passed, waiting, failed, late (not there in time), todo, locked."""

    at: Point
    kind: str


@dataclass(frozen=True, slots=True)
class Port:
    """The end of a module; kind: done, here (it is being studied), locked."""

    at: Point
    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: int
    route: str  # the whole way, as a path
    sailed: str  # the part that lies behind, empty before the start
    ports: tuple[Port, ...]
    port_size: float  # radius
    buoys: tuple[Buoy, ...]
    buoy_size: float  # radius
    boat: Point
    plan: Point | None  # where the plan would be today, when the student is behind it or ahead of it
    is_resting: bool  # nobody sails now


def draw(road: Road) -> Chart:
    """The same road always draws the same picture."""
    port_size = PORT if len(road.stages) <= MOST_LARGE_PORTS else SMALL_PORT
    places = list(_places(road.stages, port_size))
    step = _step(road.stages, port_size)
    buoy_size = round(min(BUOY, step * 0.4), 1)
    is_shown = buoy_size >= SMALLEST_BUOY
    boat, is_at_port = _boat(road.status, places)
    plan = _plan(places, road.as_of) if road.status is StudyStatus.STUDYING else None
    if plan is not None and plan <= boat and road.progress.handed_in <= road.progress.planned:
        plan = None  # neither behind nor ahead
    return Chart(
        width=WIDTH,
        height=HEIGHT if plan is None else HEIGHT_WITH_PLAN,
        route=_path(LEFT, RIGHT),
        sailed=_path(LEFT, boat) if boat > LEFT else "",
        ports=tuple(Port(_at(x), stage.number, _PORT_KINDS[stage.status]) for x, stage, task in places if task is None),
        port_size=port_size,
        buoys=tuple(Buoy(_at(x), _kind(stage, task)) for x, stage, task in places if task is not None and is_shown),
        buoy_size=buoy_size,
        boat=_above(_at(boat), port_size if is_at_port else buoy_size),
        plan=None if plan is None else _at(plan),
        is_resting=road.status not in SAILING or road.is_suspended,
    )


_PORT_KINDS = {ModuleStatus.DONE: "done", ModuleStatus.STUDYING: "here", ModuleStatus.LOCKED: "locked"}
Place = tuple[float, Stage, Task | None]  # how far to the right, and what is there: a homework, or the module's port


def _places(stages: Sequence[Stage], port_size: float) -> Iterator[Place]:
    step, x = _step(stages, port_size), float(LEFT)
    for stage in stages:
        x += step / 2
        for task in stage.tasks:
            x += step
            yield x, stage, task
        x += step / 2 + 2 * port_size
        yield x - port_size, stage, None


def _step(stages: Sequence[Stage], port_size: float) -> float:
    """The room for one homework: ports have their size, and half a step before and behind their homework."""
    steps = sum(len(stage.tasks) + 1 for stage in stages)
    return (RIGHT - LEFT - 2 * port_size * len(stages)) / steps if steps else 0.0


def _boat(status: StudyStatus, places: Sequence[Place]) -> tuple[float, bool]:
    """Where the student is: at the first thing that is not done, or in the last port; and whether that is a port."""
    if status is StudyStatus.NOT_STARTED or not places:
        return LEFT, False
    to_do = places[-1:] if status is StudyStatus.GRADUATED else [place for place in places if not _is_done(place)]
    x, _stage, task = (to_do or places[-1:])[0]
    return x, task is None


def _is_done(place: Place) -> bool:
    _x, stage, task = place
    return stage.status is ModuleStatus.DONE or (task is not None and not task.is_to_do)


def _plan(places: Sequence[Place], as_of: date) -> float | None:
    """The last homework whose day is over, or that belongs to a module that is done."""
    due = [
        x
        for x, stage, task in places
        if (task is not None and task.due_date is not None and task.due_date < as_of)
        or (task is None and stage.status is ModuleStatus.DONE)
    ]
    return max(due, default=None)


def _kind(stage: Stage, task: Task) -> str:
    if task.status is not None:
        return HANDED_IN[task.status]
    if stage.status is ModuleStatus.LOCKED:
        return "locked"
    return "late" if task.is_overdue else "todo"


# ---------------------------------------------------------------- the water


def _at(x: float) -> Point:
    return Point(round(x, 1), round(LEVEL + SWELL * math.sin((x - LEFT) / WAVE * 2 * math.pi), 1))


def _above(at: Point, size: float) -> Point:
    """The boat lies above what it is at, so that it hides nothing."""
    return Point(at.x, round(at.y - size - 2, 1))


def _path(start: float, end: float) -> str:
    """The waves between two places, drawn point by point."""
    points = [_at(start + (end - start) * i / 60) for i in range(61)]
    first, *rest = points
    return f"M{first.x} {first.y}" + "".join(f"L{point.x} {point.y}" for point in rest)
