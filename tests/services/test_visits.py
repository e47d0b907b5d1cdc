"""Different people by day and step: counted beside a purchase, copied by the hour, and never in anybody's way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import redis
from flask import Flask
from redis.exceptions import ReadOnlyError
from sqlalchemy import select

from shop import clock, create_app
from shop.config import Settings
from shop.enums import VisitStep
from shop.extensions import db
from shop.models import VisitCount
from shop.services import visits
from tests.builders import a_course, a_student, plan_of
from tests.degrees import a_mentor
from tests.person import Person
from tests.purchases import enrolled, saved
from tests.statements import counted

CART, SETTLEMENT, LEARNING = VisitStep


def today() -> date:
    return clock.local_date(clock.now())


def kept() -> dict[tuple[date, VisitStep], int]:
    db.session.rollback()
    return {(row.day, row.step): row.people for row in db.session.scalars(select(VisitCount).order_by(VisitCount.day))}


def copied() -> list[int]:
    """What is kept of today after a copy, step by step."""
    visits.keep_counts(clock.now())
    return [kept()[today(), step] for step in VisitStep]


def test_one_person_counts_once_at_each_step(app: Flask) -> None:
    course = a_course()
    buyer, student = Person(app), a_student()
    wanted = {"product": course.id, "policy": plan_of(course).id}
    buyer.sign_in(student.username)
    for _again in range(2):
        buyer.post("/cart/items", wanted)
        buyer.post("/settlement", {"product": course.id})
    visitor = Person(app)
    visitor.post("/cart/items", wanted)
    visitor.post("/settlement", wanted)  # is asked to log in first
    assert copied() == [2, 1, 0]


def test_studying_is_reading_what_is_ones_own(app: Flask) -> None:
    course, student = a_course(), a_student()
    free, lesson = course.chapters[0].sections
    enrolled(student, course)
    reader = Person(app).sign_in(student.username)
    for person in (Person(app), Person(app).sign_in(a_student().username)):
        person.get(f"/learning/sections/{free.id}")
        person.get(f"/learning/sections/{lesson.id}")
        person.get(f"/learning/courses/{course.id}")
    assert copied() == [0, 0, 0]
    reader.get(f"/learning/sections/{lesson.id}")
    reader.get(f"/learning/courses/{course.id}")
    assert copied() == [0, 0, 1]


def test_a_mentor_who_looks_does_not_study(app: Flask) -> None:
    course, mentor = a_course(), a_mentor()
    enrolled(mentor, course)
    assert Person(app).sign_in(mentor.username).get(f"/learning/courses/{course.id}").status_code == 200
    assert copied() == [0, 0, 0]


def test_a_copy_may_be_made_again_and_never_shrinks(app: Flask, redis_client: redis.Redis) -> None:
    for number in range(5):
        visits.note(CART, f"a{number}")
    assert copied() == copied() == [5, 0, 0]
    redis_client.flushdb()
    visits.note(CART, "a1")
    assert copied() == [5, 0, 0]
    for number in range(10, 17):
        visits.note(CART, f"a{number}")
    assert copied() == [8, 0, 0]


def test_the_last_hour_of_yesterday_is_copied_today(app: Flask, redis_client: redis.Redis) -> None:
    visits.note(LEARNING, "a1")
    tomorrow = clock.start_of_day(today() + timedelta(days=1))
    visits.keep_counts(tomorrow)
    days = kept()
    assert days[today(), LEARNING] == 1
    assert (today(), CART) not in days, "a day that nobody counted at the time stays unknown"
    assert days[today() + timedelta(days=1), CART] == 0


def test_nothing_about_anybody_is_kept_and_it_ends_by_itself(app: Flask, redis_client: redis.Redis) -> None:
    visits.note(CART, "a-name-that-nobody-has")
    (key,) = redis_client.keys("visits:*")
    assert key == f"visits:{{{today():%Y%m%d}}}:0"
    assert 0 < redis_client.ttl(key) <= visits.KEPT_SECONDS
    sketch = redis_client.getrange(key, 0, 3)
    assert sketch == "HYLL"  # a sketch keeps counts of bits, and no value that it was given


@pytest.mark.parametrize("step", VisitStep)
def test_another_thing_under_the_key_counts_as_nobody(app: Flask, redis_client: redis.Redis, step: VisitStep) -> None:
    redis_client.hset(f"visits:{{{today():%Y%m%d}}}:{int(step)}", "x", "y")
    visits.note(step, "a1")
    assert copied() == [0, 0, 0]


def test_without_redis_nobody_is_told_and_the_copy_fails_loudly(app: Flask, settings: Settings) -> None:
    saved(VisitCount(day=today(), step=CART, people=3))
    lost = create_app(replace(settings, redis_url="redis://127.0.0.1:1/0"))
    with lost.app_context():
        visits.note(CART, "a1")
        with pytest.raises(redis.ConnectionError):
            visits.keep_counts(clock.now())
        db.engine.dispose()
    assert kept() == {(today(), CART): 3}


def test_a_redis_that_only_reads_costs_the_count_alone(app: Flask, redis_client: redis.Redis) -> None:
    redis_client.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(ReadOnlyError):
            redis_client.set("x", "y")
        visits.note(CART, "a1")
    finally:
        redis_client.replicaof("NO", "ONE")
    assert copied() == [0, 0, 0]


def test_counting_asks_the_database_nothing(app: Flask) -> None:
    with counted() as sent:
        visits.note(CART, "a1")
    assert sent == []
