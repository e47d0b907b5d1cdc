"""One student from purchase to graduation, one mentor from assignment to withdrawal: 200 days, and every 贝里 of them.

What happens is written down by day in ``Walk``, what it comes to in ``BY_HAND``; pages, commands and the nightly job do
the rest. The audit of each night must find nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import Rule, StaffRole, StudyStatus
from shop.extensions import db
from shop.models import (
    Account,
    Appeal,
    Complaint,
    EnrolledDegreeCourse,
    Homework,
    HomeworkSubmission,
    NightlyRun,
    Question,
    Scholarship,
    ScoreRecord,
    ScoreRule,
    Withdrawal,
)
from shop.services import nightly
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.degrees import a_degree_with_homework, a_mentor
from tests.pages.test_learning import ANSWERS
from tests.pages.test_purchase import only_order, pay, settle
from tests.person import PASSWORD, Person
from tests.purchases import saved

DAYS = 200
NOON, AFTER_TWO = timedelta(hours=12), timedelta(hours=27)

# After the night that follows a day: student's rewards, mentor's fee, spendable 贝里 of the student, of the mentor.
# Homework is worth 100; late work costs 20, COPY 50, late grading 50, silence 30, a complaint 200; punctuality earns 5.
BY_HAND = {
    0: (0, 1500, 0, 0),  # the initial fee
    7: (95, 1500, 0, 0),  # homework 1, on time: A, 90 % of 100, and 5
    9: (95, 1470, 0, 0),  # a question has waited for more than 12 hours: −30
    12: (95, 1500, 0, 0),  # the appeal against that is upheld: +30
    14: (75, 1480, 0, 0),  # the final of module 1 was due and is not there: −20 for both
    18: (75, 1430, 0, 0),  # it came on the 16th, and has waited for more than 48 hours: −50
    19: (75, 1430, 0, 0),  # D: neither passed nor fined
    21: (25, 1430, 0, 0),  # COPY: −50
    23: (110, 1430, 0, 0),  # B+ at last: 85, and nothing for punctuality; module 2 opens
    49: (110, 1400, 0, 0),  # no word since the 22nd, of which 20 days were a leave: −30
    51: (215, 1400, 0, 0),  # homework 1 of module 2, on its moved day: A+, 100 and 5
    54: (215, 1200, 0, 0),  # a complaint is upheld: −200
    57: (195, 1180, 0, 0),  # the final was due on the 57th, and came a day later: −20 for both
    95: (0, 1180, 1275, 0),  # graduation: 80 for B, and 76 days are within 80 % of 150: 1000. An appeal holds the fee
    97: (0, 0, 1275, 1200),  # it is upheld, +20, and the fee matures
    98: (0, 0, 1175, 1200),  # the student buys a course with 100 贝里
    110: (0, 0, 1175, 200),  # the mentor withdraws 1000
    115: (0, 0, 1175, 100),  # and 100 more,
    116: (0, 0, 1175, 200),  # which is refused and comes back
}


class Walk:
    """The people of the walk; ``on`` says what they do on a day, at noon."""

    def __init__(self, app: Flask, instance: Path, alipay: Cashier) -> None:
        self.app, self.instance, self.alipay = app, instance, alipay
        self.midnight = clock.start_of_day(clock.local_date(clock.now())) + timedelta(days=1)
        self.degree = a_degree_with_homework(modules=2, homework=2, period=150)
        self.degree.scholarships.append(Scholarship(time_percent=80, value=1000))
        saved(self.degree)
        self.homework = list(db.session.scalars(select(Homework.id).order_by(Homework.id)))
        self.student_id = a_student(username="robin", name="罗斌").id
        self.mentor_id = a_mentor(username="shenzhou", name="沈舟").id
        for clerk in ("clerk1", "clerk2"):
            a_clerk(StaffRole.FINANCE, username=clerk)
        self.course = a_course(10_000)
        self.on: dict[int, list[Callable[[], None]]] = {
            0: [self.buy, self.register, lambda: self.run("mentors", "assign", str(self.enrolment.id), "shenzhou")],
            6: [lambda: self.hand_in(0)],
            7: [lambda: self.grade(90)],
            9: [self.ask],
            10: [self.answer],
            11: [lambda: self.appeal(Rule.NO_ANSWER)],
            12: [lambda: self.decide_appeal("--upheld")],
            16: [lambda: self.hand_in(1)],
            19: [lambda: self.grade(-1, "没有测试，请补上。")],
            20: [lambda: self.hand_in(1)],
            21: [lambda: self.grade(-100, "与他人雷同。")],
            22: [lambda: self.hand_in(1)],
            23: [lambda: self.grade(85)],
            24: [lambda: self.leave("leave", {"reason": "项目上线，休息二十天"})],
            44: [lambda: self.leave("leave/return", {})],
            50: [lambda: self.hand_in(2)],
            51: [lambda: self.grade(100)],
            52: [self.complain],
            54: [self.uphold_complaint],
            58: [lambda: self.hand_in(3), lambda: self.appeal(Rule.COMPLAINT)],
            59: [lambda: self.grade(50, "主要流程没有跑通。")],
            60: [lambda: self.decide_appeal("--dismissed")],
            86: [lambda: self.appeal(Rule.LATE_HOMEWORK, newest=True)],
            94: [lambda: self.hand_in(3)],
            95: [lambda: self.grade(80)],
            97: [lambda: self.decide_appeal("--upheld")],
            98: [self.spend],
            110: [lambda: self.withdraw(1000)],
            111: [lambda: self.clerk("approve", "clerk1", "--reason", "核对无误")],
            112: [lambda: self.clerk("pay", "clerk2", "--number", "20260001")],
            115: [lambda: self.withdraw(100)],
            116: [lambda: self.clerk("refuse", "clerk1", "--reason", "收款人与实名不符")],
        }
        for day in (4, 10, 16, 22, 51, 57, 63, 69, 75, 81, 87, 93):
            self.on.setdefault(day, []).append(self.follow_up)

    def at(self, day: int, time: timedelta) -> None:
        moved = self.midnight + timedelta(days=day) + time - clock.now() + clock.offset()
        (self.instance / "clock_offset").write_text(str(moved.total_seconds()))

    def live(self, day: int) -> None:
        """Noon of the day with what happens on it, and the night after it."""
        self.at(day, NOON)
        for act in self.on.get(day, []):
            act()
        self.at(day, AFTER_TWO)
        nightly.run_due()

    def books(self) -> tuple[int, int, int, int]:
        enrolment = self.enrolment
        student, mentor = (db.session.get_one(Account, key) for key in (self.student_id, self.mentor_id))
        return enrolment.reward_balance, enrolment.mentor_fee_balance, student.balance, mentor.balance

    # ------------------------------------------------------------ the student

    def buy(self) -> None:
        person = self.as_("robin")
        answer = pay(person, settle(person, self.degree))
        fetch(answer.location)
        paid = self.alipay.pay(only_order().payments[0].out_trade_no)
        page = person.follow_return(paid["return_url"])
        assert f"/degrees/enrolments/{self.enrolment.id}/registration" in page.text

    def register(self) -> None:
        person = self.as_("robin")
        self.posted(person, f"/degrees/enrolments/{self.enrolment.id}/registration", ANSWERS)

    def hand_in(self, index: int) -> None:
        self.posted(
            self.as_("robin"), f"{self.road}/homework/{self.homework[index]}", {"content": "https://git.example/x"}
        )

    def ask(self) -> None:
        self.posted(self.as_("robin"), f"{self.road}/questions", {"title": "环境", "content": "装不上，怎么办？"})

    def leave(self, address: str, form: dict[str, str]) -> None:
        self.posted(self.as_("robin"), f"{self.road}/{address}", form)

    def complain(self) -> None:
        self.posted(self.as_("robin"), f"{self.road}/complaints", {"content": "导师三次约好都没有出现，也没有说明。"})

    def spend(self) -> None:
        person = self.as_("robin")
        page = settle(person, self.course)
        page = person.follow(person.post("/settlement/choices", {**person.form(page, "choices"), "use": "all_beli"}))
        assert pay(person, page).status_code == 303

    # ------------------------------------------------------------ the mentor

    def grade(self, score: int, comment: str = "") -> None:
        waiting = db.session.scalars(
            select(HomeworkSubmission.id).where(HomeworkSubmission.checked_time.is_(None))
        ).one()
        self.posted(self.as_("shenzhou"), f"/mentor/homework/{waiting}", {"score": str(score), "comment": comment})

    def answer(self) -> None:
        question = db.session.scalars(select(Question.id)).one()
        self.posted(self.as_("shenzhou"), f"/mentor/questions/{question}/answers", {"content": "换一个镜像再试。"})

    def follow_up(self) -> None:
        form = {"tool": "1", "record": "聊了这一周的进度。"}
        self.posted(self.as_("shenzhou"), f"/mentor/students/{self.enrolment.id}/follow-ups", form)

    def appeal(self, rule: Rule, *, newest: bool = False) -> None:
        fines = (
            select(ScoreRecord.id)
            .join(ScoreRecord.rule)
            .where(ScoreRule.rule == rule, ScoreRecord.account_id == self.mentor_id, ScoreRecord.score < 0)
        )
        found = db.session.scalars(fines.order_by(ScoreRecord.id)).all()
        fine = found[-1] if newest else found[0]
        form = {"content": "当时已经通过电话说明，请核对记录。"}
        self.posted(self.as_("shenzhou"), f"/mentor/earnings/{fine}/appeals", form)

    def withdraw(self, amount: int) -> None:
        form = {"amount": str(amount), "payee_account": "shen@example.com", "payee_name": "沈舟", "password": PASSWORD}
        self.posted(self.as_("shenzhou"), "/mentor/withdrawals", form)

    # ------------------------------------------------------------ staff

    def decide_appeal(self, verdict: str) -> None:
        waiting = db.session.scalars(select(Appeal.id).where(Appeal.decided_time.is_(None))).one()
        self.run("appeals", "decide", str(waiting), verdict, "--reason", "核对了通话记录")

    def uphold_complaint(self) -> None:
        waiting = db.session.scalars(select(Complaint.id).where(Complaint.decided_time.is_(None))).one()
        self.run("complaints", "decide", str(waiting), "--upheld", "--reason", "导师承认")

    def clerk(self, action: str, name: str, *options: str) -> None:
        newest = db.session.scalars(select(Withdrawal.id).order_by(Withdrawal.id.desc())).first()
        self.run("withdrawals", action, str(newest), "--by", name, *options)

    # ------------------------------------------------------------ the ways in

    @property
    def enrolment(self) -> EnrolledDegreeCourse:
        db.session.rollback()
        db.session.expire_all()
        return db.session.scalars(select(EnrolledDegreeCourse)).one()

    @property
    def road(self) -> str:
        return f"/learning/degrees/{self.enrolment.id}"

    def as_(self, name: str) -> Person:
        return Person(self.app).sign_in(name)

    def posted(self, person: Person, path: str, form: dict[str, Any]) -> TestResponse:
        """The page after a form, which must have been taken."""
        answer = person.post(path, form)
        assert answer.status_code == 303, f"{path}: {answer.status_code} {answer.text[:2000]}"
        db.session.rollback()
        return person.follow(answer)

    def run(self, *command: str) -> None:
        result = self.app.test_cli_runner().invoke(args=list(command))
        assert result.exit_code == 0, result.output
        db.session.rollback()


@pytest.mark.timeout(400)
def test_two_hundred_days_of_a_degree(app: Flask, instance: Path, alipay: Cashier) -> None:
    walk = Walk(app, instance, alipay)
    expected = BY_HAND[0]
    for day in range(DAYS):
        walk.live(day)
        expected = BY_HAND.get(day, expected)
        assert walk.books() == expected, f"day {day}"
    nights = db.session.scalars(select(NightlyRun)).all()
    assert len(nights) == DAYS
    assert [night.night for night in nights if night.steps["audit"]["findings"]] == []
    assert walk.enrolment.study_status is StudyStatus.GRADUATED
    assert_audit_clean()
