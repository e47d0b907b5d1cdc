"""How long the whole audit takes on a shop that has sold for years, check by check."""

from __future__ import annotations

import time

from flask_migrate import upgrade
from sqlalchemy import func, select

from bench import sold
from bench.parts import on_database
from shop import create_app
from shop.config import Settings
from shop.enums import CourseType
from shop.extensions import db
from shop.models import Course, CourseCategory, CourseSubCategory, DegreeCourse
from shop.services import audit

SHOWN = 12


def main(orders: int) -> None:
    with on_database() as environ, create_app(Settings.from_env(environ)).app_context():
        upgrade()
        rows = _fill(orders)
        print(f"{orders:,} orders: {rows}", flush=True)
        for run in ("first", "second"):
            _measure(run)


def _fill(orders: int) -> str:
    started = time.monotonic()
    courses, degrees = _products()
    with db.engine.connect() as connection:
        sold.fill(connection, orders, courses=courses, degrees=degrees)
        counts = {
            table: connection.execute(select(func.count()).select_from(db.metadata.tables[table])).scalar_one()
            for table in sold.ROWS
        }
    seconds = time.monotonic() - started
    return ", ".join(f"{count:,} {table}" for table, count in counts.items()) + f" ({seconds:.0f} s)"


def _products() -> tuple[list[int], list[int]]:
    """Ids of ten courses and five degrees of three modules."""
    place = CourseSubCategory(name="b", category=CourseCategory(name="a"))
    courses = [Course(name=f"course {n}", brief="", sub_category=place) for n in range(10)]
    degrees = [
        DegreeCourse(
            name=f"degree {n}",
            brief="",
            modules=[
                Course(name=f"module {n}.{m}", brief="", sub_category=place, course_type=CourseType.MODULE)
                for m in range(3)
            ],
        )
        for n in range(5)
    ]
    db.session.add_all([*courses, *degrees])
    db.session.commit()
    return [course.id for course in courses], [degree.id for degree in degrees]


def _measure(run: str) -> None:
    seconds, began = {}, time.monotonic()
    with audit.reading() as session:
        for check, finding in audit.steps(session):
            assert finding is None, f"{finding.name}: {finding.rows}"
            seconds[check.name] = time.monotonic() - began - sum(seconds.values())
    print(f"\n{run} run: {len(seconds)} checks, {sum(seconds.values()):.1f} s; the dearest:")
    for name in sorted(seconds, key=seconds.__getitem__, reverse=True)[:SHOWN]:
        print(f"  {name:<42}{seconds[name]:>6.2f} s", flush=True)
