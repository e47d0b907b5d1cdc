"""A degree on its way back, as its student and its mentor see it: everything rests, and then it is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import ComplaintState, Purse, Rule
from shop.extensions import db, unit_of_work
from shop.models import Account, Complaint, EnrolledDegreeCourse, HomeworkSubmission, Question, StudyRecord, Upload
from shop.services import (
    appeals,
    assignment,
    complaints,
    enrolled_degrees,
    modules,
    nightly,
    purses,
    refund_decisions,
    refunds,
)
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.cashier.parts import Cashier
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, fresh
from tests.pages.test_rights import fingerprint
from tests.person import Person
from tests.refunding import asked, bought
from tests.world import REGISTRATION

SORRY = "经教务确认"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@dataclass
class Study:
    """A student under way with a mentor: one hand-in waits for a mark, one question for an answer."""

    student: Person
    mentor: Person
    student_id: int
    mentor_id: int
    number: str  # of the order
    enrolment: EnrolledDegreeCourse
    homework: list[int]
    submission: int
    upload: int
    question: int
    lesson: int

    @property
    def degree(self) -> str:
        return f"/learning/degrees/{self.enrolment.id}"

    def back(self) -> str:
        return refund_decisions.grant(
            self.number, self.enrolment.degree_course_id, actor=STAFF, reason=SORRY
        ).out_request_no


@pytest.fixture
def study(app: Flask, alipay: Cashier) -> Study:
    account, mentor, course = a_student(name="乌索普"), a_mentor(), a_degree_with_homework(homework=3)
    number = bought(alipay, account, [course])
    enrolment = db.session.scalars(select(EnrolledDegreeCourse)).one()
    student, desk = Person(app).sign_in(account.username), Person(app).sign_in(mentor.username)
    form = f"/degrees/enrolments/{enrolment.id}/registration"
    assert student.post(form, {**REGISTRATION, "open_module": "y"}).status_code == 303
    assignment.assign(enrolment.id, mentor.id, actor=STAFF)
    homework = [piece.id for piece in modules.homework_of(db.session(), course.modules[0].id)]
    degree = f"/learning/degrees/{enrolment.id}"
    handed = {"content": "做完了", "files": (BytesIO(b"print(1)"), "done.txt")}
    assert student.post(f"{degree}/homework/{homework[0]}", handed).status_code == 303
    assert student.post(f"{degree}/questions", {"title": "为什么", "content": "为什么？"}).status_code == 303
    db.session.rollback()
    return Study(
        student=student,
        mentor=desk,
        student_id=account.id,
        mentor_id=mentor.id,
        number=number,
        enrolment=fresh(enrolment),
        homework=homework,
        submission=db.session.scalars(select(HomeworkSubmission.id)).one(),
        upload=db.session.scalars(select(Upload.id)).one(),
        question=db.session.scalars(select(Question.id)).one(),
        lesson=course.modules[0].chapters[0].sections[1].id,
    )


# ---------------------------------------------------------------- while it is under way


def test_what_would_go_on_with_a_degree_is_refused_in_words_and_changes_nothing(study: Study) -> None:
    said = {"content": "一段足够长的文字"}
    study.back()
    posts = {
        study.student: {
            f"{study.degree}/homework/{study.homework[1]}": said,
            f"{study.degree}/questions": {"title": "再问", **said},
            f"{study.degree}/questions/{study.question}/answers": said,
            f"{study.degree}/leave": {"reason": "生病"},
            f"{study.degree}/leave/return": {},
        },
        study.mentor: {f"/mentor/homework/{study.submission}": {"score": "90", "comment": "好", "step": "grade"}},
    }
    before = fingerprint()
    for person, addresses in posts.items():
        for address, fields in addresses.items():
            answer = person.post(address, fields)
            assert answer.status_code == 409, address
            assert any(words in answer.text for words in ("退费", "当前状态")), address
    assert fingerprint() == before


def test_neither_form_nor_first_module_goes_on_while_it_is_asked_back(app: Flask, alipay: Cashier) -> None:
    account = a_student()
    number = bought(alipay, account, [a_degree_with_homework()])
    enrolment = db.session.scalars(select(EnrolledDegreeCourse)).one()
    student = Person(app).sign_in(account.username)
    form = f"/degrees/enrolments/{enrolment.id}/registration"
    refund = asked(account, number)
    for address in (form, f"{form}/draft"):
        answer = student.post(address, REGISTRATION)
        assert (answer.status_code, "退费正在处理" in answer.text) == (409, True), address
    refunds.withdraw(account.id, refund)
    assert student.post(form, REGISTRATION).status_code == 303

    asked(account, number)
    first = db.session.scalars(select(StudyRecord.course_module_id).order_by(StudyRecord.id)).first()
    answer = student.post(f"/learning/degrees/{enrolment.id}/modules/{first}")
    assert (answer.status_code, "退费正在处理" in answer.text) == (409, True)
    assert fresh(enrolment).valid_begin_date is None


def test_its_pages_can_still_be_read_and_say_so_and_its_lessons_rest(study: Study) -> None:
    assert study.student.get(f"/learning/sections/{study.lesson}").status_code == 200
    study.back()
    assert study.student.get(f"/learning/sections/{study.lesson}").status_code == 403
    assert "退费" in study.student.get(study.degree).text
    assert "退费" in study.student.get("/learning").text
    for page in ("questions", "complaints", "leave", "rewards", f"homework/{study.homework[0]}"):
        assert study.student.get(f"{study.degree}/{page}").status_code == 200, page
    assert study.student.get(f"/uploads/{study.upload}", buffered=True).status_code == 200
    for page in ("/mentor", "/mentor/homework", "/mentor/questions", f"/mentor/students/{study.enrolment.id}"):
        assert study.mentor.get(page).status_code == 200, page


def test_a_complaint_is_still_taken(study: Study) -> None:
    """Money on its way back is no reason to keep silent."""
    study.back()
    assert (
        study.student.post(f"{study.degree}/complaints", {"content": "导师从来没有回复过我的问题"}).status_code == 303
    )


# ---------------------------------------------------------------- when it is done


def test_afterwards_it_is_gone_for_both_and_waits_in_no_queue(study: Study) -> None:
    pages = ("/mentor", "/mentor/homework", "/mentor/questions")
    assert all("乌索普" in study.mentor.get(page).text for page in pages)
    study.back()
    assert refunds.send_due()["done"] == 1

    for page in pages:
        assert "乌索普" not in study.mentor.get(page).text, page
    for page in (
        "",
        "/leave",
        "/questions",
        "/complaints",
        "/rewards",
        "/rewards.csv",
        f"/homework/{study.homework[0]}",
    ):
        assert study.student.get(f"{study.degree}{page}").status_code == 404, page
    for page in (f"/mentor/students/{study.enrolment.id}", f"/mentor/homework/{study.submission}"):
        assert study.mentor.get(page).status_code == 404, page
    for person in (study.student, study.mentor):
        assert person.get(f"/uploads/{study.upload}").status_code == 404
    assert study.student.get(f"/learning/sections/{study.lesson}").status_code == 403
    assert study.mentor.get(f"/learning/sections/{study.lesson}").status_code == 403
    assert "退费" in study.mentor.get("/messages").text
    assert study.mentor.get("/mentor/earnings").status_code == 200
    assert study.student.get(f"/orders/{study.number}").status_code == 200

    [load] = assignment.mentors()
    assert (load.students, load.homework, load.questions) == (0, 0, 0)


def test_posts_to_a_degree_that_is_gone_find_nothing(study: Study) -> None:
    said = {"content": "一段足够长的文字"}
    study.back()
    refunds.send_due()
    before = fingerprint()
    for address, fields in {
        f"{study.degree}/homework/{study.homework[1]}": said,
        f"{study.degree}/questions": {"title": "再问", **said},
        f"{study.degree}/questions/{study.question}/closing": {},
        f"{study.degree}/complaints": {"content": "导师从来没有回复过我的问题"},
        f"{study.degree}/leave": {"reason": "生病"},
        f"/degrees/enrolments/{study.enrolment.id}/registration": REGISTRATION,
    }.items():
        assert study.student.post(address, fields).status_code == 404, address
    for address, fields in {
        f"/mentor/homework/{study.submission}": {"score": "90", "comment": "好", "step": "grade"},
        f"/mentor/questions/{study.question}/answers": said,
        f"/mentor/students/{study.enrolment.id}/follow-ups": {"tool": "1", "record": "谈过"},
    }.items():
        assert study.mentor.post(address, fields).status_code == 404, address
    assert fingerprint() == before


def test_the_nights_after_it_find_nothing_to_fine_and_nothing_to_pay(study: Study, alipay: Cashier) -> None:
    study.back()
    refunds.send_due()
    before = balances(study)
    alipay.move_clock(20 * 86_400)
    nightly.run(nightly.latest_night())
    assert balances(study) == before == (0, 0, 0, 0)


def balances(study: Study) -> tuple[int, int, int, int]:
    row = fresh(study.enrolment)
    accounts = [db.session.get_one(Account, account_id).balance for account_id in (study.student_id, study.mentor_id)]
    return row.mentor_fee_balance, row.reward_balance, accounts[0], accounts[1]


def test_what_staff_had_still_to_decide_keeps_no_money_back_and_is_decided_later(study: Study) -> None:
    """A complaint and an appeal wait: the refund goes on, and whatever is decided afterwards leaves nothing over."""
    fine = fined(study)
    appeal = study.mentor.post(f"/mentor/earnings/{fine}/appeals", {"content": "那天我请了假，教务知道"})
    assert appeal.status_code == 303
    complaint = {"content": "导师从来没有回复过我的问题"}
    assert study.student.post(f"{study.degree}/complaints", complaint).status_code == 303
    study.back()
    assert refunds.send_due()["done"] == 1
    assert balances(study) == (0, 0, 0, 0)

    [case] = appeals.listed()
    appeals.decide(case.id, upheld=True, actor=Actor("anna"), reason="情况属实")
    [waiting] = complaints.listed()
    complaints.decide(waiting.id, upheld=True, actor=Actor("anna"), reason="情况属实")
    assert balances(study) == (0, 0, 0, 0)
    assert db.session.scalars(select(Complaint.state)).one() is ComplaintState.UPHELD


def fined(study: Study) -> int:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, study.enrolment.id)
        row = purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause("neglect"), clock.now())
        assert row is not None
        return row.id


# ---------------------------------------------------------------- asking


def test_the_page_says_kindly_who_decides_once_a_module_is_open(study: Study) -> None:
    page = study.student.get(f"/orders/{study.number}/refunds")
    assert page.status_code == 200
    assert "第一个模块已经开通" in page.text and "联系客服" in page.text
    line = db.session.get_one(EnrolledDegreeCourse, study.enrolment.id).order_detail_id
    answer = study.student.post(f"/orders/{study.number}/refunds", {"detail": line, "reason": "不学了"})
    assert answer.status_code == 409 and "联系客服" in answer.text


def test_the_order_says_that_staff_give_it_back(study: Study) -> None:
    study.back()
    page = study.student.get(f"/orders/{study.number}").text
    assert "客服已为您办理退费" in page and "客服发起退费" in page and SORRY in page
    assert "申请已通过" not in page
    refunds.send_due()
    assert "已退款" in study.student.get(f"/orders/{study.number}").text
