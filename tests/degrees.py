"""Builders of degrees under way: with homework, a mentor, and a student who studies. All of them commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from shop import clock
from shop.enums import HomeworkStatus, HomeworkType, Role, Score, StudyPlan, WorkExperience
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    CourseChapter,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Scholarship,
)
from shop.rules.rewards import is_passed
from shop.services import assignment, enrolled_degrees, modules, registration
from shop.services.audit_log import Actor
from shop.services.registration import Answers
from tests.builders import a_degree, a_student
from tests.purchases import enrolled_in_degree, saved

STAFF = Actor("a test")
ANSWERS = Answers(
    current_company="草帽海贼团",
    current_position="船长",
    current_salary=None,
    work_experience=WorkExperience.TWO,
    open_module=True,
    stu_specified_mentor=None,
    study_plan=StudyPlan.TWO_TO_THREE,
    why_take_this_course="想学",
    why_choose_us="听说好",
    your_expectation="能用",
    memo=None,
)


def a_degree_with_homework(modules: int = 2, homework: int = 2, **values: Any) -> DegreeCourse:
    """A degree whose modules have so many homework each, the last one a final test: 7 days and 100 贝里 apiece.

    Recommended 100 days in all; scholarships: 50 % gives 2000 贝里, 100 % gives 300.
    """
    made = a_degree(modules=modules, **{"period": 100, **values})
    made.scholarships = [Scholarship(time_percent=50, value=2000), Scholarship(time_percent=100, value=300)]
    for module in made.modules:
        module.chapters[0].homework = [
            Homework(
                title=f"作业{number}",
                order=number,
                homework_type=HomeworkType.FINAL if number == homework else HomeworkType.HOMEWORK,
                requirement="写一个程序",
                recommend_period=7,
                scholarship_value=100,
            )
            for number in range(1, homework + 1)
        ]
    return saved(made)


def a_mentor(**values: Any) -> Account:
    return a_student(**{"role": Role.MENTOR, "name": "沈舟", **values})


def a_registered(
    student: Account | None = None, course: DegreeCourse | None = None, *, open_module: bool = True, **answers: Any
) -> EnrolledDegreeCourse:
    """An enrolment whose form is filed, without a mentor; its first module is open unless told otherwise."""
    student, course = student or a_student(), course or a_degree_with_homework()
    enrolment = enrolled_in_degree(student, course)
    registration.file_registration(
        student.id, enrolment.id, replace(ANSWERS, open_module=open_module, **answers), clock.now()
    )
    return fresh(enrolment)


def a_studying(
    student: Account | None = None, course: DegreeCourse | None = None, mentor: Account | None = None
) -> EnrolledDegreeCourse:
    """An enrolment with its first module open and a mentor (1500 贝里 of fee)."""
    enrolment = a_registered(student, course)
    assignment.assign(enrolment.id, (mentor or a_mentor()).id, actor=STAFF)
    return fresh(enrolment)


def a_hand_in(
    enrolment: EnrolledDegreeCourse, homework: int = 0, *, score: Score | None = None, at: datetime | None = None
) -> HomeworkSubmission:
    """The rows of a first hand-in of a homework of the first module; with a mark, graded by the mentor at once."""
    moment = at or clock.now()
    marked = HomeworkStatus.PASSED if score is not None and is_passed(score) else HomeworkStatus.FAILED
    record = HomeworkRecord(
        homework_id=enrolment.degree_course.modules[0].chapters[0].homework[homework].id,
        student_id=enrolment.id,
        status=HomeworkStatus.WAITING if score is None else marked,
        score=score,
        submit_num=1,
        date=moment,
    )
    graded = {"score": score, "grader_id": enrolment.mentor_id, "checked_time": moment} if score is not None else {}
    return saved(HomeworkSubmission(record=record, number=1, content="交作业", submitted_time=moment, **graded))


def homework_in(enrolment: EnrolledDegreeCourse, module: int = 0) -> list[int]:
    """The ids of the homework that counts in a module, by its place on the road."""
    record = modules.in_order(db.session(), enrolment.id)[module]
    return [piece.id for piece in modules.homework_of(db.session(), record.course_module_id)]


def a_mark(
    enrolment: EnrolledDegreeCourse, homework_id: int, score: Score = Score.A, *, at: datetime | None = None
) -> EnrolledDegreeCourse:
    """The rows of a first hand-in and of its mark, and what follows from it for the module; nothing is rewarded."""
    now = at or clock.now()
    status = HomeworkStatus.PASSED if is_passed(score) else HomeworkStatus.FAILED
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        grader = locked.mentor_id or locked.account_id
        mark = HomeworkSubmission(
            number=1, content="交作业", submitted_time=now, score=score, grader_id=grader, checked_time=now
        )
        session.add(
            HomeworkRecord(
                homework_id=homework_id,
                student_id=locked.id,
                status=status,
                score=score,
                submit_num=1,
                date=now,
                check_date=now,
                submissions=[mark],
            )
        )
        session.flush()
        chapter_id = session.get_one(Homework, homework_id).chapter_id
        module_id = session.get_one(CourseChapter, chapter_id).course_id
        modules.go_on(session, locked, module_id, now)
    return fresh(enrolment)


def fresh(enrolment: EnrolledDegreeCourse) -> EnrolledDegreeCourse:
    """The enrolment as the database has it now."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(EnrolledDegreeCourse, enrolment.id)
