"""Degrees under way for the demo: bought with 贝里 and registered, one with a mentor, work and a question that wait.

All by the shop's own use cases, as of now; who is enrolled already stays as they are.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from shop.enums import PaymentMethod, StudyPlan, WorkExperience
from shop.errors import NotEnoughBeli
from shop.extensions import db, settings
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account, CourseChapter, DegreeCourse, EnrolledDegreeCourse, Homework, StudyRecord
from shop.money import beli_worth
from shop.services import assignment, checkout, homework, questions, registration
from shop.services.audit_log import Actor
from shop.services.catalogue_import import Outcome, Tally
from shop.services.registration import Answers
from shop.services.yaml_records import Key, Keys, Record, one_of, paragraphs, records, text, words_of

FORM: Keys = {
    "company": Key(text(64), required=True),
    "position": Key(text(64), required=True),
    "experience": Key(one_of(words_of(WorkExperience)), required=True),
    "plan": Key(one_of(words_of(StudyPlan)), required=True),
    "why_course": Key(paragraphs(1024), required=True),
    "why_us": Key(paragraphs(1024), required=True),
    "expectation": Key(paragraphs(1024), required=True),
}
WORK: Keys = {"title": Key(text(128), required=True), "content": Key(paragraphs(10_000), required=True)}
QUESTION: Keys = {"title": Key(text(128), required=True), "content": Key(paragraphs(5_000), required=True)}
STUDY: Keys = {
    "degree": Key(text(128), required=True),
    "mentor": Key(text(64)),  # without one the form waits at the desk
    "form": Key(records(FORM, least=1), required=True),
    "homework": Key(records(WORK)),
    "questions": Key(records(QUESTION)),
}


def study(username: str, record: Record, now: datetime, tally: Tally) -> None:
    """Let a person of the demo, who has the 贝里 for it, study a degree."""
    account_id = db.session.scalars(select(Account.id).where(Account.username == username)).one()
    degree = db.session.scalars(select(DegreeCourse).where(DegreeCourse.name == record["degree"])).one()
    if enrolment_id := _enrolment(account_id, degree.id):
        tally.note("degrees under way", enrolment_id, Outcome.UNCHANGED)
        return
    try:
        _buy(account_id, degree)
    except NotEnoughBeli:  # the demo's gifts are for one 贝里 a yuan
        return
    enrolment_id = _enrolment(account_id, degree.id)
    assert enrolment_id is not None  # delivered with the payment
    registration.file_registration(account_id, enrolment_id, _answers(record.records("form")[0]), now)
    if "mentor" in record:
        mentor_id = db.session.scalars(select(Account.id).where(Account.username == record["mentor"])).one()
        assignment.assign(enrolment_id, mentor_id, actor=Actor("demo"))
    for work in record.records("homework"):
        homework.hand_in(account_id, enrolment_id, _homework(enrolment_id, work["title"]), work["content"], (), now)
    for question in record.records("questions"):
        questions.ask(account_id, enrolment_id, question["title"], question["content"])
    tally.note("degrees under way", enrolment_id, Outcome.CREATED)


def _enrolment(account_id: int, degree_id: int) -> int | None:
    db.session.rollback()
    return db.session.scalar(
        select(EnrolledDegreeCourse.id).where(
            EnrolledDegreeCourse.account_id == account_id, EnrolledDegreeCourse.degree_course_id == degree_id
        )
    )


def _buy(account_id: int, degree: DegreeCourse) -> None:
    """Paid in 贝里 to the last one, so that no cashier is asked."""
    plan = degree.policies[0]
    settlement = Settlement((Pick(degree.id, plan.id),))
    beli = beli_worth(plan.price_fen, settings().beli_per_yuan)
    checkout.place_order(account_id, settlement, money_fen=0, beli=beli, method=PaymentMethod.PAGE)


def _homework(enrolment_id: int, title: str) -> int:
    """The id of a homework in one of the enrolment's modules."""
    return db.session.scalars(
        select(Homework.id)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(StudyRecord, StudyRecord.course_module_id == CourseChapter.course_id)
        .where(StudyRecord.enrolled_degree_course_id == enrolment_id, Homework.title == title)
    ).one()


def _answers(form: Record) -> Answers:
    return Answers(
        current_company=form["company"],
        current_position=form["position"],
        current_salary=None,
        work_experience=form["experience"],
        open_module=True,
        stu_specified_mentor=None,
        study_plan=form["plan"],
        why_take_this_course=form["why_course"],
        why_choose_us=form["why_us"],
        your_expectation=form["expectation"],
        memo=None,
    )
