"""What staff add comes to the students of a degree; files are applied as shown; what is exported comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select

from shop import clock
from shop.config import PROJECT
from shop.enums import CourseType, ModuleStatus, ProductStatus, SectionType, StaffRole, ValidPeriod
from shop.extensions import db
from shop.models import (
    AuditLog,
    Coupon,
    CouponCode,
    Course,
    CourseSchedule,
    DegreeCourse,
    Homework,
    Notification,
    PricePolicy,
    StudyRecord,
    Teacher,
)
from shop.services import catalogue_export
from shop.services.audit_log import Actor
from shop.services.catalogue_import import Outcome, import_catalogue
from shop.services.staff import catalogue_edit, catalogue_import_desk, catalogue_sale, catalogue_sheet
from shop.services.staff.catalogue_edit import Stale
from shop.services.staff.catalogue_import_desk import FileGone, OtherOutcome, Rehearsal
from shop.services.staff.catalogue_kinds import KINDS, mark_of, read
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_student, plan_of
from tests.cashier.parts import Cashier
from tests.degrees import a_degree_with_homework, a_registered
from tests.purchases import enrolled_in_degree, saved
from tests.refunding import bought

SCHOOL = b"""\
categories:
  - {name: \xe7\xbc\x96\xe7\xa8\x8b, sub_categories: [new one]}
teachers:
  - {name: Lin, title: teacher}
courses:
  - name: sailing
    category: \xe7\xbc\x96\xe7\xa8\x8b
    sub_category: new one
    brief: from the harbour
    teachers: [Lin]
    plans: [{valid_period: 30, price: 99.00}]
    chapters:
      - {chapter: 1, name: one, sections: [{name: hello, type: document, content: hi}]}
"""


@pytest.fixture
def actor(app: Flask) -> Iterator[Actor]:
    clerk = a_clerk(StaffRole.OPERATIONS)
    yield Actor(clerk.username, clerk.id)
    db.session.rollback()
    assert_audit_clean()


def rows(model: Any, *where: Any) -> list[Any]:
    db.session.rollback()
    return list(db.session.scalars(select(model).where(*where).order_by(model.id)))


def rehearsed(actor: Actor, content: bytes) -> Rehearsal:
    assert actor.account_id is not None
    with force_locale("en"):
        return catalogue_import_desk.rehearse("school.yaml", content, account_id=actor.account_id, media_origins=())


def applied(actor: Actor, token: str) -> Rehearsal:
    return catalogue_import_desk.apply(token, actor=actor, media_origins=())


# ---------------------------------------------------------------- what comes to living enrolments


def homework_values(**values: Any) -> dict[str, Any]:
    return {
        "title": "加题",
        "homework_type": 0,
        "requirement": "写",
        "threshold": "",
        "recommend_period": 5,
        "scholarship_value": 10,
        "note": None,
        "enabled": True,
        **values,
    }


def a_draft_module(degree: DegreeCourse) -> Course:
    draft = {"status": ProductStatus.OFF_SALE, "published_time": None}
    module = a_course(course_type=CourseType.MODULE, degree_course_id=degree.id, order=9, **draft)
    for section in module.chapters[0].sections:
        section.section_type = SectionType.DOCUMENT
    return saved(module)


def test_a_module_comes_to_living_enrolments_when_it_is_published(app: Flask) -> None:
    clerk = a_clerk(StaffRole.OPERATIONS)
    degree = a_degree_with_homework(modules=1, homework=1)
    living, closed = a_registered(course=degree), enrolled_in_degree(a_student(), degree)
    closed.closed_time = clock.now()
    saved(closed)
    draft = a_draft_module(degree)
    assert rows(StudyRecord, StudyRecord.course_module_id == draft.id) == []
    mark = catalogue_sheet.sheet(draft.id).mark
    catalogue_sale.publish(draft.id, ProductStatus.ON_SALE, mark, actor=Actor(clerk.username, clerk.id))
    (record,) = rows(StudyRecord, StudyRecord.course_module_id == draft.id)
    assert (record.enrolled_degree_course_id, record.status) == (living.id, ModuleStatus.LOCKED)


def test_who_buys_a_degree_gets_no_draft_of_a_module(actor: Actor, alipay: Cashier) -> None:
    degree = a_degree_with_homework(modules=1, homework=1)
    draft = a_draft_module(degree)
    bought(alipay, a_student(), [degree])
    assert len(rows(StudyRecord)) == 1
    catalogue_sale.publish(draft.id, ProductStatus.ON_SALE, catalogue_sheet.sheet(draft.id).mark, actor=actor)
    assert {row.course_module_id for row in rows(StudyRecord)} == {module.id for module in degree.modules}


def test_homework_comes_into_the_plan_of_who_studies_the_module(actor: Actor) -> None:
    degree = a_degree_with_homework(modules=2, homework=2)
    studying = a_registered(course=degree)
    opened, locked = degree.modules
    before = rows(CourseSchedule)
    last = max(row.recommend_date for row in before)
    new = catalogue_edit.create(KINDS["homework"], opened.chapters[0].id, homework_values(), actor=actor)
    (planned,) = [row for row in rows(CourseSchedule) if row.homework_id == new]
    assert planned.recommend_date == last + timedelta(days=5)
    catalogue_edit.create(KINDS["homework"], locked.chapters[0].id, homework_values(), actor=actor)
    assert len(rows(CourseSchedule)) == len(before) + 1, "a locked module gets its plan when it opens"
    (told,) = [row for row in rows(Notification) if "新增了作业" in row.content]
    assert (told.account_id, told.facts["homework"]) == (studying.account_id, "加题")


def test_disabled_homework_joins_the_plan_when_it_counts_again(actor: Actor) -> None:
    degree = a_degree_with_homework(modules=1, homework=1)
    a_registered(course=degree)
    chapter = degree.modules[0].chapters[0].id
    new = catalogue_edit.create(KINDS["homework"], chapter, homework_values(enabled=False), actor=actor)
    assert rows(CourseSchedule, CourseSchedule.homework_id == new) == []
    mark = mark_of(read(KINDS["homework"], db.session.get(Homework, new)))
    catalogue_edit.save(KINDS["homework"], new, homework_values(), mark, actor=actor)
    assert len(rows(CourseSchedule, CourseSchedule.homework_id == new)) == 1
    with pytest.raises(catalogue_edit.Wanted):
        catalogue_edit.delete(KINDS["homework"], new, actor=actor)


def test_what_is_complete_and_sold_stays_complete(actor: Actor) -> None:
    degree = a_degree_with_homework(modules=1, homework=1)
    chapter = degree.modules[0].chapters[0]
    for section in chapter.sections:
        section.section_type = SectionType.DOCUMENT
    saved(chapter)
    homework = chapter.homework[0]
    values = read(KINDS["homework"], homework)
    with pytest.raises(catalogue_edit.Incomplete, match="Incomplete"):
        catalogue_edit.save(KINDS["homework"], homework.id, {**values, "enabled": False}, mark_of(values), actor=actor)
    assert rows(Homework)[0].enabled


def test_two_clerks_at_the_same_moment_one_is_told(app: Flask, actor: Actor) -> None:
    plan = plan_of(a_course(10_000))
    plan_id, mark = plan.id, mark_of(read(KINDS["plans"], plan))
    db.session.rollback()
    together, said = threading.Barrier(2), []

    def change(price_fen: int) -> None:
        with app.app_context():
            together.wait()
            values = {"valid_period": ValidPeriod.MONTH, "price_fen": price_fen}
            try:
                catalogue_edit.save(KINDS["plans"], plan_id, values, mark, actor=actor)
                said.append("ok")
            except Stale:
                said.append("stale")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=change, args=(price,)) for price in (11_000, 12_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["ok", "stale"]
    (row,) = rows(AuditLog, AuditLog.action == "price_policy edit")
    assert row.after["price_fen"] == rows(PricePolicy)[0].price_fen


# ---------------------------------------------------------------- files


def test_a_file_is_shown_first_and_applied_exactly(actor: Actor) -> None:
    a_course()
    shown = rehearsed(actor, SCHOOL)
    assert rows(Course, Course.name == "sailing") == [] and rows(Teacher) == []
    assert {(d.kind, d.path) for d in shown.differences} == {
        ("sub-categories", ("编程", "new one")),
        ("teachers", ("Lin",)),
        ("courses", ("sailing",)),
        ("plans", ("sailing", "30")),
        ("chapters", ("sailing", "1")),
        ("lessons", ("sailing", "1", "hello")),
    }
    done = applied(actor, shown.token)
    assert [str(d) for d in done.differences] == [str(d) for d in shown.differences]
    assert [course.name for course in rows(Course)][1:] == ["sailing"]
    imported = rows(AuditLog, AuditLog.action.like("%import"))
    assert len(imported) == 6 and {row.actor for row in imported} == {actor.name}
    with pytest.raises(FileGone):
        applied(actor, shown.token)
    assert rehearsed(actor, SCHOOL).differences == ()
    changed = rehearsed(actor, SCHOOL.replace(b"99.00", b"89.00").replace(b"content: hi", b"content: hello"))
    assert [(d.kind, d.outcome, d.changes) for d in changed.differences] == [
        ("plans", Outcome.UPDATED, [("price_fen", 9_900, 8_900)]),
        ("lessons", Outcome.UPDATED, [("content", "hi", "hello")]),
    ]
    assert ("courses", 0, 0, 1) in changed.counts


def test_a_database_that_changed_meanwhile_stops_the_import(actor: Actor) -> None:
    a_course()
    applied(actor, rehearsed(actor, SCHOOL).token)
    shown = rehearsed(actor, SCHOOL.replace(b"99.00", b"89.00"))
    (plan,) = [plan for plan in rows(PricePolicy) if plan.price_fen == 9_900]
    values = read(KINDS["plans"], plan)
    catalogue_edit.save(KINDS["plans"], plan.id, {**values, "price_fen": 9_500}, mark_of(values), actor=actor)
    with pytest.raises(OtherOutcome) as stopped:
        applied(actor, shown.token)
    assert db.session.get_one(PricePolicy, plan.id, populate_existing=True).price_fen == 9_500
    again = stopped.value.rehearsal
    assert [d.changes for d in again.differences] == [[("price_fen", 9_500, 8_900)]]
    applied(actor, again.token)
    assert db.session.get_one(PricePolicy, plan.id, populate_existing=True).price_fen == 8_900


def test_faults_are_told_with_their_lines_and_nothing_is_kept(actor: Actor) -> None:
    for content, said in (
        (SCHOOL.replace(b"99.00", b"a lot"), "school.yaml:11: price must be"),
        (SCHOOL.replace(b"new one\n    brief", b"unknown\n    brief"), "school.yaml:8:"),
        (b"\xff\xfe", "school.yaml:1: the file is not UTF-8 text"),
        (b"", "school.yaml:1: the file is empty"),
        (b"courses: [\x00]", "school.yaml:1"),
        (b"a: &x [1]\nb: *x", "school.yaml:2: this is not plain YAML"),
        (b"[" * 100_000, "school.yaml"),
        (b"courses: 10", "school.yaml:1: courses must be a list"),
    ):
        found = rehearsed(actor, content)
        assert any(fault.startswith(said) for fault in found.faults), (said, found.faults)
        assert found.token == ""


CAMPAIGN = b"""\
coupons:
  - name: giveaway
    type: percent
    pay_percent: 1
    quantity: 1000000
    open_date: today
    close_date: today
    valid_days: 9
    enabled: true
"""


def test_a_campaign_in_a_file_becomes_a_draft(actor: Actor) -> None:
    shown = rehearsed(actor, CAMPAIGN)
    assert (shown.drafts, rows(Coupon)) == (1, [])
    applied(actor, shown.token)
    (coupon,) = rows(Coupon)
    assert (coupon.enabled, coupon.published_time, coupon.off_percent) == (False, None, 1)
    (trail,) = rows(AuditLog, AuditLog.action == "coupon import")
    assert trail.after["enabled"] is False
    again = rehearsed(actor, CAMPAIGN)
    assert again.faults == ["school.yaml:2: 'giveaway' is a draft in the shop: publish or delete it there first"]
    coded = CAMPAIGN.replace(b"giveaway", b"other") + b"    codes: [ALPHA1]\n"
    assert rehearsed(actor, coded).faults == ["school.yaml:10: the codes of 'other' are made on its page while it runs"]


def test_a_campaign_that_is_published_is_not_changed_by_a_file(actor: Actor, tmp_path: Path) -> None:
    (tmp_path / "coupons.yaml").write_bytes(CAMPAIGN)
    import_catalogue(tmp_path, today=clock.local_date(clock.now()))  # the command publishes
    (coupon,) = rows(Coupon)
    assert coupon.enabled and coupon.published_time is not None
    same = rehearsed(actor, CAMPAIGN)
    assert (same.differences, same.faults) == ((), [])
    page = f"/staff/coupons/{coupon.id}"
    for content, said in (
        (CAMPAIGN.replace(b"1000000", b"2000000"), f":2: 'giveaway' is published: change it on its page, {page}"),
        (CAMPAIGN.replace(b"true", b"false"), f":2: 'giveaway' is published: change it on its page, {page}"),
        (
            CAMPAIGN + b"    codes: [ALPHA1]\n",
            f":10: the codes of 'giveaway' are made on its page, {page}/codes, while",
        ),
    ):
        found = rehearsed(actor, content)
        assert (len(found.faults), found.token) == (1, "") and found.faults[0].startswith(f"school.yaml{said}"), found
    assert rows(CouponCode) == [] and rows(Coupon)[0].quantity == 1_000_000


def test_what_is_exported_comes_back_unchanged(actor: Actor) -> None:
    """The whole demo, and a draft."""
    import_catalogue(PROJECT / "demo" / "catalogue", today=clock.local_date(clock.now()))
    a_course(name="draft", status=ProductStatus.OFF_SALE, published_time=None)
    course = rows(Course, Course.name == "draft")[0]
    for section in course.chapters[0].sections:
        section.section_type = SectionType.DOCUMENT
    saved(course)
    text = catalogue_export.export()
    found = rehearsed(actor, text.encode())
    assert (list(found.faults), list(found.differences)) == ([], [])
    degree = rows(DegreeCourse)[0]
    one = catalogue_export.export([degree.id])
    assert degree.name in one and "courses:" not in one.split("degrees:")[0]
    assert list(rehearsed(actor, one.encode()).differences) == []


def test_a_draft_in_a_file_stays_one_until_the_file_publishes_it(actor: Actor) -> None:
    a_course()
    draft = SCHOOL.replace(b"    brief:", b"    status: draft\n    brief:")
    applied(actor, rehearsed(actor, draft).token)
    (course,) = rows(Course, Course.name == "sailing")
    assert (course.status, course.published_time) == (ProductStatus.OFF_SALE, None)
    applied(actor, rehearsed(actor, draft.replace(b"status: draft", b"status: on_sale")).token)
    (course,) = rows(Course, Course.name == "sailing")
    assert course.status is ProductStatus.ON_SALE and course.published_time is not None
    assert "cannot become a draft" in rehearsed(actor, draft).faults[0]


def test_homework_that_a_file_adds_comes_into_the_plan(actor: Actor) -> None:
    degree = a_degree_with_homework(modules=1, homework=1)
    a_registered(course=degree)
    for section in degree.modules[0].chapters[0].sections:
        section.section_type = SectionType.DOCUMENT
    saved(degree)
    text = catalogue_export.export([degree.id])
    head, _, tail = text.rpartition("homework:\n")
    spaces = " " * (len(tail) - len(tail.lstrip()))
    shown = rehearsed(actor, f"{head}homework:\n{spaces}- title: second\n{spaces}  requirement: x\n{tail}".encode())
    assert list(shown.faults) == []
    applied(actor, shown.token)
    (new,) = rows(Homework, Homework.title == "second")
    assert len(rows(CourseSchedule, CourseSchedule.homework_id == new.id)) == 1
