"""Handing in homework: by whom and when, in what order, once at a time; what a first one decides (domain.md 4.2)."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from shop import clock
from shop.enums import (
    HomeworkStatus,
    MessageType,
    ModuleStatus,
    OrderStatus,
    RefundState,
    RewardStatus,
    Score,
    StudyStatus,
)
from shop.errors import NotFound
from shop.extensions import db, settings
from shop.models import (
    CourseSchedule,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Notification,
    Refund,
    RefundDetail,
    StudyRecord,
    Upload,
)
from shop.services import assignment, grading, homework, leave, uploads
from shop.services.homework import HomeworkView, NotNow
from shop.services.uploads import Checked, Incoming
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_registered, a_studying, fresh, homework_in
from tests.faults.barrier import beside_the_shop, until_waiting
from tests.purchases import saved
from tests.statements import counted

DAY = timedelta(days=1)


def handed_in(
    enrolment: EnrolledDegreeCourse, homework_id: int, content: str = "交作业", *, at: datetime | None = None
) -> HomeworkSubmission:
    """The hand-in that this makes, through the shop."""
    account_id = fresh(enrolment).account_id
    number = homework.hand_in(account_id, enrolment.id, homework_id, content, [], at or clock.now())
    return the_record(enrolment, homework_id).submissions[number - 1]


def the_record(enrolment: EnrolledDegreeCourse, homework_id: int) -> HomeworkRecord:
    fresh(enrolment)
    return db.session.query(HomeworkRecord).filter_by(student_id=enrolment.id, homework_id=homework_id).one()


def graded(enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, score: Score) -> None:
    grading.grade(fresh(enrolment).mentor_id or 0, submission.id, score, "请修改", clock.now())


def seen(enrolment: EnrolledDegreeCourse, homework_id: int, at: datetime | None = None) -> HomeworkView:
    return homework.page(fresh(enrolment).account_id, enrolment.id, homework_id, at or clock.now())


def asked_back(enrolment: EnrolledDegreeCourse) -> Refund:
    """A request for the degree's money that nobody has decided yet."""
    line = enrolment.order_detail
    line.order.status = OrderStatus.REFUND_REQUESTED
    refund = Refund(
        order_id=line.order_id,
        out_request_no=f"R{enrolment.id}",
        payment_id=line.order.payments[0].id,
        amount_fen=line.actual_amount_fen,
        details=[RefundDetail(order_detail_id=line.id, amount_fen=line.actual_amount_fen, beli=0)],
        state=RefundState.REQUESTED,
        reason="a test",
    )
    return saved(refund)


def file(name: str = "作业.txt", content: bytes = b"text") -> Checked:
    (one,) = uploads.check([Incoming(name, io.BytesIO(content), len(content))])
    return one


def stored() -> int:
    return sum(path.is_file() for path in settings().uploads.glob("*/*"))


# ---------------------------------------------------------------- the first hand-in


def test_a_first_hand_in_waits_for_its_mark_and_the_mentor_is_told(app: Flask) -> None:
    enrolment = a_studying(a_student(name="王小明"))
    (piece, _final) = homework_in(enrolment)
    submission = handed_in(enrolment, piece, "见 https://git.example/x")
    record = the_record(enrolment, piece)
    assert (record.status, record.submit_num, record.score) == (HomeworkStatus.WAITING, 1, None)
    assert record.reward_status is RewardStatus.ON_TIME
    assert (submission.number, submission.content, submission.checked_time) == (1, "见 https://git.example/x", None)
    assert record.date == submission.submitted_time
    told = db.session.query(Notification).filter_by(account_id=enrolment.mentor_id, msg_type=MessageType.HOMEWORK).one()
    assert told.facts == {"student": "王小明", "homework": "作业1", "number": 1, "hours": 48}
    assert told.link == f"/mentor/homework/{submission.id}"
    assert_audit_clean()


@pytest.mark.parametrize(
    ("hours", "punctuality"),
    [
        (-1, RewardStatus.ON_TIME),  # 23:00 of the recommended day
        (0, RewardStatus.LATE),  # midnight after it
        (500, RewardStatus.LATE),
    ],
)
def test_the_recommended_day_counts_whole_in_shanghai(app: Flask, hours: int, punctuality: RewardStatus) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    day = db.session.query(CourseSchedule).filter_by(homework_id=piece).one().recommend_date
    at = clock.start_of_day(day + DAY) + timedelta(hours=hours)
    handed_in(enrolment, piece, at=at)
    assert the_record(enrolment, piece).reward_status is punctuality
    assert seen(enrolment, piece, at).is_late == (punctuality is RewardStatus.LATE)


def test_homework_without_a_day_is_not_judged_by_time(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    db.session.query(CourseSchedule).filter_by(homework_id=piece).delete()
    db.session.commit()
    handed_in(enrolment, piece, at=clock.now() + 100 * DAY)
    assert the_record(enrolment, piece).reward_status is RewardStatus.UNCHECKED
    assert (seen(enrolment, piece).recommend_date, seen(enrolment, piece).is_late) == (None, False)


def test_without_a_mentor_it_waits_for_one(app: Flask) -> None:
    enrolment = a_registered()
    piece = homework_in(enrolment)[0]
    submission = handed_in(enrolment, piece)
    assert db.session.query(Notification).filter_by(msg_type=MessageType.HOMEWORK).count() == 0
    assert seen(enrolment, piece).mentor_name is None
    mentor = a_mentor()
    assignment.assign(enrolment.id, mentor.id, actor=STAFF)
    assert [row.id for row in grading.queue(mentor.id, 1, clock.now()).rows] == [submission.id]


# ---------------------------------------------------------------- again


def test_the_history_of_resubmissions_is_kept_until_one_passes(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    for number, score in enumerate((Score.C, Score.D, Score.B), start=1):
        submission = handed_in(enrolment, piece, f"第 {number} 稿", at=clock.now() + number * 10 * DAY)
        graded(enrolment, submission, score)
    record = the_record(enrolment, piece)
    assert (record.submit_num, record.status, record.score) == (3, HomeworkStatus.PASSED, Score.B)
    assert record.date == record.submissions[0].submitted_time
    history = [(one.number, one.content, one.score, one.comment) for one in seen(enrolment, piece).hand_ins]
    assert history == [
        (3, "第 3 稿", Score.B, "请修改"),
        (2, "第 2 稿", Score.D, "请修改"),
        (1, "第 1 稿", Score.C, "请修改"),
    ]
    with pytest.raises(NotNow, match="已经通过") as refused:
        handed_in(enrolment, piece)
    assert "通过" in refused.value.message
    assert_audit_clean()


def test_while_one_waits_there_is_no_second(app: Flask) -> None:
    enrolment = a_studying()
    piece, final = homework_in(enrolment)
    handed_in(enrolment, piece)
    with pytest.raises(NotNow) as refused:
        handed_in(enrolment, piece)
    assert "等待批改" in refused.value.message
    assert the_record(enrolment, piece).submit_num == 1
    assert handed_in(enrolment, final).number == 1  # another homework is another matter


# ---------------------------------------------------------------- who and when


def on_leave(enrolment: EnrolledDegreeCourse) -> None:
    leave.begin(enrolment.account_id, enrolment.id, "休息")


def suspended(enrolment: EnrolledDegreeCourse) -> None:
    asked_back(enrolment)


def ended(enrolment: EnrolledDegreeCourse) -> None:
    enrolment.study_status, enrolment.ended_time = StudyStatus.OVERTIME, clock.now()
    saved(enrolment)


def graduated(enrolment: EnrolledDegreeCourse) -> None:
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, clock.now()
    saved(enrolment)


def past_its_last_day(enrolment: EnrolledDegreeCourse) -> None:
    enrolment.valid_end_date = clock.local_date(clock.now()) - DAY
    saved(enrolment)


def disabled(enrolment: EnrolledDegreeCourse) -> None:
    db.session.query(Homework).update({"enabled": False})
    db.session.commit()


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (on_leave, "休学中"),
        (suspended, "退费处理中"),
        (ended, "期限已经结束"),
        (graduated, "已经毕业"),
        (past_its_last_day, "期限已经结束"),
        (disabled, "已经停用"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_when_study_rests_or_is_over_nothing_is_handed_in(
    app: Flask, happens: Callable[[EnrolledDegreeCourse], None], words: str
) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    happens(enrolment)
    before = stored()
    with pytest.raises(NotNow) as refused:
        homework.hand_in(fresh(enrolment).account_id, enrolment.id, piece, "交作业", [file()], clock.now())
    assert words in refused.value.message
    assert words in seen(enrolment, piece).why_not
    assert db.session.query(HomeworkRecord).count() == 0
    assert stored() == before


def test_the_last_day_counts(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    last = enrolment.valid_end_date
    assert last is not None
    assert handed_in(enrolment, piece, at=clock.end_of_day(last)).number == 1


def test_a_locked_module_another_degree_and_another_student_are_not_found(app: Flask) -> None:
    enrolment, other = a_studying(), a_studying()
    later = homework_in(enrolment, 1)[0]
    foreign = homework_in(other)[0]
    piece = homework_in(enrolment)[0]
    for account_id, enrolment_id, homework_id in (
        (enrolment.account_id, enrolment.id, later),
        (enrolment.account_id, enrolment.id, foreign),
        (other.account_id, enrolment.id, piece),
        (enrolment.mentor_id or 0, enrolment.id, piece),
        (enrolment.account_id, other.id, foreign),
        (enrolment.account_id, enrolment.id, 2**31 - 1),
    ):
        with pytest.raises(NotFound):
            homework.page(account_id, enrolment_id, homework_id, clock.now())
        with pytest.raises(NotFound):
            homework.hand_in(account_id, enrolment_id, homework_id, "交作业", [file()], clock.now())
    assert db.session.query(HomeworkRecord).count() == 0


def test_after_a_refund_it_is_not_there(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    account_id = enrolment.account_id
    enrolment.closed_time = clock.now()
    saved(enrolment)
    with pytest.raises(NotFound):
        homework.page(account_id, enrolment.id, piece, clock.now())


def test_a_module_that_is_done_still_takes_homework_that_came_later(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    db.session.query(StudyRecord).filter_by(
        enrolled_degree_course_id=enrolment.id, status=ModuleStatus.STUDYING
    ).update({"status": ModuleStatus.DONE, "end_date": clock.local_date(clock.now())})
    db.session.commit()
    assert handed_in(enrolment, piece).number == 1


# ---------------------------------------------------------------- two at once, and crashes


def test_of_two_hand_ins_at_once_one_wins(app: Flask) -> None:
    enrolment = a_studying()
    account_id, piece = enrolment.account_id, homework_in(enrolment)[0]
    before, start, ends = stored(), threading.Barrier(4), list[str]()

    def act() -> None:
        with app.app_context():
            start.wait()
            try:
                homework.hand_in(account_id, enrolment_id, piece, "交作业", [file()], clock.now())
                ends.append("in")
            except NotNow:
                ends.append("refused")
            finally:
                db.session.remove()

    enrolment_id = enrolment.id
    threads = [threading.Thread(target=act) for _ in range(4)]
    db.session.rollback()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["in", "refused", "refused", "refused"]
    assert db.session.query(HomeworkSubmission).count() == 1
    assert stored() - before == 1


@pytest.mark.only_on("postgresql")
def test_a_leave_that_begins_meanwhile_is_seen(app: Flask) -> None:
    """Leaves lock the enrolment and no account."""
    enrolment = a_studying()
    account_id, enrolment_id, piece = enrolment.account_id, enrolment.id, homework_in(enrolment)[0]
    db.session.rollback()
    ends = list[str]()

    def act() -> None:
        with app.app_context():
            try:
                homework.hand_in(account_id, enrolment_id, piece, "交作业", [], clock.now())
                ends.append("in")
            except NotNow as refused:
                ends.append(refused.message)
            finally:
                db.session.remove()

    with beside_the_shop() as other:
        other.execute(text("SELECT id FROM enrolled_degree_course FOR UPDATE"))
        thread = threading.Thread(target=act)
        thread.start()
        until_waiting(1)
        other.execute(text("UPDATE enrolled_degree_course SET study_status = 1"))
        other.commit()
        thread.join()
    assert ends == ["作业没有提交：休学中，复学以后再提交。"]
    assert db.session.query(HomeworkRecord).count() == 0


def test_a_crash_between_file_and_commit_leaves_no_row(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    before = stored()

    def crash(*_: object, **__: object) -> None:
        assert stored() == before + 1  # the file is whole before the row that names it is committed
        raise KeyboardInterrupt

    monkeypatch.setattr(homework.messages, "tell", crash)
    with pytest.raises(KeyboardInterrupt):
        homework.hand_in(enrolment.account_id, enrolment.id, piece, "交作业", [file()], clock.now())
    db.session.rollback()
    assert db.session.query(HomeworkRecord).count() + db.session.query(Upload).count() == 0
    assert stored() == before + 1
    monkeypatch.undo()
    assert handed_in(enrolment, piece).number == 1


def test_files_come_with_their_hand_in(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    files = [file("a.py", b"print(1)"), file("../../b.html", b"%PDF-1.7 x")]
    homework.hand_in(enrolment.account_id, enrolment.id, piece, "交作业", files, clock.now())
    (hand_in,) = seen(enrolment, piece).hand_ins
    assert [(one.name, one.size) for one in hand_in.files] == [("a.py", 8), ("b.html.pdf", 10)]
    download = uploads.fetch(fresh(enrolment).account_id, hand_in.files[0].id)
    with download.stream as stream:
        assert stream.read() == b"print(1)"


def test_a_file_that_is_gone_from_the_disk_is_not_found(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    homework.hand_in(enrolment.account_id, enrolment.id, piece, "交作业", [file()], clock.now())
    row = db.session.query(Upload).one()
    Path(settings().uploads / row.stored_name[:2] / row.stored_name).unlink()
    with pytest.raises(NotFound):
        uploads.fetch(fresh(enrolment).account_id, row.id)


def test_a_degree_of_many_modules_takes_no_more_statements(app: Flask) -> None:
    counts = []
    for modules in (1, 4):
        enrolment = a_studying(course=a_degree_with_homework(modules=modules, homework=2 * modules))
        piece = homework_in(enrolment)[0]
        for _ in range(modules):
            graded(enrolment, handed_in(enrolment, piece), Score.D)
        account_id, enrolment_id = fresh(enrolment).account_id, enrolment.id
        db.session.rollback()
        with counted() as sent:
            homework.page(account_id, enrolment_id, piece, clock.now())
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 4, "\n".join(sent)
