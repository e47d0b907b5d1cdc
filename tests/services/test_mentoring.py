"""The mentor's desk: what waits and until when, one's own students, one of them, follow-up records."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from shop import clock
from shop.config import Settings
from shop.enums import FollowUpTool, HomeworkStatus, Score, StudyStatus
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    CourseSchedule,
    EnrolledDegreeCourse,
    MentorAssignment,
    Question,
    StudyLeave,
    StuFollowUpRecord,
    Upload,
)
from shop.services import assignment, complaints, mentored, mentoring, uploads
from shop.services.mentoring import Desk, Queue
from shop.services.uploads import Checked, Incoming
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_hand_in, a_mentor, a_registered, a_studying, fresh
from tests.purchases import saved
from tests.statements import counted

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor()


def desk(mentor: Account, at: datetime | None = None, page: int = 1, **how: bool) -> Desk:
    db.session.rollback()
    db.session.expire_all()
    return mentoring.desk(mentor.id, page, at or clock.now(), **how)


def student_of(mentor: Account, enrolment: EnrolledDegreeCourse, at: datetime | None = None) -> mentored.Student:
    db.session.rollback()
    db.session.expire_all()
    return mentored.student(mentor.id, enrolment.id, 1, at or clock.now())


def numbers(queue: Queue) -> tuple[int, int]:
    return queue.count, queue.overdue


def since(enrolment: EnrolledDegreeCourse, moment: datetime) -> datetime:
    """Move the present assignment to this instant."""
    assigned = (
        db.session.query(MentorAssignment).filter_by(enrolled_degree_course_id=enrolment.id, until_time=None).one()
    )
    assigned.from_time = moment
    db.session.commit()
    return moment


def asked(enrolment: EnrolledDegreeCourse, at: datetime) -> Question:
    return saved(
        Question(
            account_id=enrolment.account_id,
            degree_course_id=enrolment.degree_course_id,
            enrolled_degree_course_id=enrolment.id,
            title="为什么",
            content="不懂",
            date=at,
        )
    )


def talked(enrolment: EnrolledDegreeCourse, at: datetime) -> None:
    saved(
        StuFollowUpRecord(enrolled_degree_course_id=enrolment.id, mentor_id=enrolment.mentor_id, record="聊过", date=at)
    )


def away(enrolment: EnrolledDegreeCourse, begin: datetime, end: datetime | None = None) -> None:
    saved(StudyLeave(enrolled_degree_course_id=enrolment.id, begin_time=begin, end_time=end))


# ---------------------------------------------------------------- what waits


def test_a_desk_without_students_is_empty(mentor: Account) -> None:
    a_studying()  # of somebody else
    view = desk(mentor)
    assert (view.students, view.living, view.ended, view.first) == ((), 0, 0, "")
    assert [numbers(queue) for queue in (view.homework, view.questions, view.contact)] == [(0, 0)] * 3


@pytest.mark.parametrize(
    ("work", "hours", "queue"),
    [
        (lambda enrolment, at: a_hand_in(enrolment, at=at), 48, "homework"),
        (asked, 12, "questions"),
        (talked, 7 * 24, "contact"),
    ],
    ids=["homework", "questions", "contact"],
)
def test_each_duty_has_its_limit(mentor: Account, work: Callable[..., object], hours: int, queue: str) -> None:
    """It counts from what happened, or from the assignment, whichever was later; and a leave does not count."""
    enrolment = a_studying(mentor=mentor)
    start = since(enrolment, clock.now() - 30 * DAY) + DAY
    work(enrolment, start)
    limit = start + hours * HOUR

    def due(at: datetime) -> tuple[datetime | None, int]:
        found = getattr(desk(mentor, at), queue)
        return found.due_time, found.overdue

    assert due(limit - timedelta(seconds=1)) == (limit, 0)
    assert due(limit) == (limit, 1)
    later = since(enrolment, start + 5 * HOUR)
    assert due(limit) == (later + hours * HOUR, 0)
    since(enrolment, start - HOUR)
    away(enrolment, start + HOUR, start + 3 * HOUR)
    assert due(limit) == (limit + 2 * HOUR, 0)


def test_while_a_leave_lasts_no_clock_runs(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    start = since(enrolment, clock.now() - 30 * DAY)
    a_hand_in(enrolment, at=start)
    asked(enrolment, start)
    away(enrolment, start + HOUR)
    enrolment.study_status = StudyStatus.ON_LEAVE
    db.session.commit()
    view = desk(mentor)
    assert (numbers(view.homework), numbers(view.questions), numbers(view.contact)) == ((1, 0), (1, 0), (0, 0))
    assert view.homework.due_time is view.questions.due_time is view.students[0].due_time is None
    assert view.first == "questions"  # something waits all the same


def test_what_has_the_nearest_deadline_comes_first(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    now = clock.now()
    since(enrolment, now - 6 * DAY)  # a word is due in a day
    assert desk(mentor).first == "contact"
    a_hand_in(enrolment, at=now - 40 * HOUR)  # a mark in eight hours
    assert desk(mentor).first == "homework"
    asked(enrolment, now - 5 * HOUR)  # an answer in seven
    assert desk(mentor).first == "questions"
    view = desk(mentor, now)
    assert view.homework.waited == 40 * HOUR
    assert (view.grading_hours, view.answer_hours, view.follow_up_days) == (48, 12, 7)


def test_a_word_is_due_soon_two_days_before(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    start = since(enrolment, clock.now() - DAY)
    assert numbers(desk(mentor, start + 5 * DAY - HOUR).contact) == (0, 0)
    view = desk(mentor, start + 5 * DAY)
    assert numbers(view.contact) == (1, 0)
    assert [(one.enrolment_id, one.last_time, one.is_over) for one in view.contacts] == [(enrolment.id, None, False)]
    assert desk(mentor, start + 7 * DAY).contacts[0].is_over


def test_only_some_names_stand_at_the_top(mentor: Account) -> None:
    course = a_degree_with_homework()
    for number in range(mentoring.MOST_CONTACTS + 2):
        since(a_studying(course=course, mentor=mentor), clock.now() - (10 + number) * DAY)
    view = desk(mentor)
    assert len(view.contacts) == mentoring.MOST_CONTACTS
    assert numbers(view.contact) == (7, 7)
    assert [one.enrolment_id for one in view.contacts] == [row.enrolment_id for row in view.students[:5]]


def test_after_the_end_nothing_is_due(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    start = since(enrolment, clock.now() - 30 * DAY)
    a_hand_in(enrolment, at=start)
    enrolment = fresh(enrolment)
    enrolment.study_status, enrolment.ended_time = StudyStatus.OVERTIME, clock.now()
    db.session.commit()
    view = desk(mentor)
    assert (numbers(view.homework), numbers(view.contact)) == ((0, 0), (0, 0))
    assert (view.students, view.living, view.ended) == ((), 0, 1)
    (row,) = desk(mentor, shows_ended=True).students
    assert (row.enrolment_id, row.status, row.to_grade) == (enrolment.id, StudyStatus.OVERTIME, 0)


def test_a_refunded_student_is_gone(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    a_hand_in(enrolment)
    enrolment = fresh(enrolment)
    enrolment.closed_time = clock.now()
    db.session.commit()
    view = desk(mentor)
    assert (view.living, view.ended, view.homework.count) == (0, 0, 0)
    with pytest.raises(NotFound):
        student_of(mentor, enrolment)


# ---------------------------------------------------------------- the list


def test_a_row_says_how_a_student_stands(mentor: Account) -> None:
    course = a_degree_with_homework(name="Python 全栈")
    enrolment = a_studying(a_student(name="路飞"), course, mentor)
    a_hand_in(enrolment, score=Score.A)
    a_hand_in(enrolment, 1)
    asked(enrolment, clock.now())
    talked(enrolment, clock.now() - DAY)
    (row,) = desk(mentor).students
    assert (row.student, row.degree, row.status) == ("路飞", "Python 全栈", StudyStatus.STUDYING)
    assert (row.module, row.passed, row.homework) == (course.modules[0].name, 1, 4)
    assert (row.to_grade, row.to_answer, row.fee) == (1, 1, 1500)
    assert row.last_time is not None
    a_registered(course=course)  # without a mentor
    assert len(desk(mentor).students) == 1


def test_homework_that_does_not_count_is_not_counted(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    a_hand_in(enrolment, score=Score.A)
    fresh(enrolment).degree_course.modules[0].chapters[0].homework[0].enabled = False
    db.session.commit()
    (row,) = desk(mentor).students
    assert (row.passed, row.homework) == (0, 3)


def test_no_complaint_can_be_told_from_the_fee(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    complaint = complaints.file(enrolment.account_id, enrolment.id, "从来不回复我的问题。")
    complaints.decide(complaint.id, upheld=True, actor=STAFF, reason="true")
    assert fresh(enrolment).mentor_fee_balance == 1300
    assert desk(mentor).students[0].fee == 1500
    assert student_of(mentor, enrolment).fee == 1500
    assert_audit_clean()


def test_the_list_has_pages_the_most_urgent_first(mentor: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentoring, "PAGE_SIZE", 2)
    course, now = a_degree_with_homework(), clock.now()
    made = [a_studying(course=course, mentor=mentor) for _number in range(3)]
    for enrolment, days in zip(made, (1, 9, 5), strict=True):
        since(enrolment, now - days * DAY)
    rested = a_studying(course=course, mentor=mentor)
    away(rested, now)
    rested.study_status = StudyStatus.ON_LEAVE
    db.session.commit()
    order = [row.enrolment_id for page in (1, 2) for row in desk(mentor, page=page).students]
    assert order == [made[1].id, made[2].id, made[0].id, rested.id]
    for page in (0, 3):
        with pytest.raises(NotFound):
            desk(mentor, page=page)


def test_the_desk_sends_as_many_statements_for_many_students(mentor: Account) -> None:
    course = a_degree_with_homework()

    def sent_for(count: int) -> int:
        for _number in range(count):
            enrolment = a_studying(course=course, mentor=mentor)
            since(enrolment, clock.now() - 10 * DAY)
            a_hand_in(enrolment)
            asked(enrolment, clock.now())
            talked(enrolment, clock.now() - 9 * DAY)
            away(enrolment, clock.now() - 3 * DAY, clock.now() - 2 * DAY)
        db.session.rollback()
        with counted() as sent:
            mentoring.desk(mentor.id, 1, clock.now())
        return len(sent)

    assert sent_for(1) == sent_for(5) <= 10


# ---------------------------------------------------------------- one student


def test_the_road_shows_marks_days_and_what_is_late(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    a_hand_in(enrolment, score=Score.B_PLUS)
    first, second = student_of(mentor, enrolment).modules
    assert [piece.score for piece in first.pieces] == [Score.B_PLUS, None]
    assert (first.passed, second.passed) == (1, 0)
    today = clock.local_date(clock.now())
    assert [piece.recommend_date for piece in first.pieces] == [today + 7 * DAY, today + 14 * DAY]
    assert [piece.recommend_date for piece in second.pieces] == [None, None]
    assert first.pieces[0].handed_date == today
    assert not any(piece.is_late for piece in first.pieces)
    on_the_day = student_of(mentor, enrolment, clock.now() + 14 * DAY)
    assert on_the_day.late == 0
    later = student_of(mentor, enrolment, clock.now() + 15 * DAY)
    assert (later.late, later.modules[0].pieces[1].is_late) == (1, True)


def test_a_late_hand_in_stays_late_and_a_leave_makes_none(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    submission = a_hand_in(enrolment)
    for planned in db.session.query(CourseSchedule):
        planned.recommend_date = clock.local_date(clock.now()) - DAY
    db.session.commit()
    view = student_of(mentor, enrolment)
    first, second = view.modules[0].pieces
    assert (first.is_late, first.handed_date is not None, first.submission_id) == (True, True, submission.id)
    assert (first.status, second.is_late, view.late) == (HomeworkStatus.WAITING, True, 1)
    fresh(enrolment).study_status = StudyStatus.ON_LEAVE
    db.session.commit()
    assert student_of(mentor, enrolment).late == 0


def test_only_the_present_mentor_sees_a_student(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    other = a_mentor()
    assert student_of(mentor, enrolment).name == enrolment.account.username
    for stranger in (other, a_student(), fresh(enrolment).account):
        with pytest.raises(NotFound):
            student_of(stranger, enrolment)
        with pytest.raises(NotFound):
            mentored.follow_up(stranger.id, enrolment.id, FollowUpTool.QQ, "x", [], clock.now())
    assignment.assign(enrolment.id, other.id, actor=STAFF, reason="a test")
    with pytest.raises(NotFound):
        student_of(mentor, enrolment)
    assert student_of(other, enrolment).since_time > enrolment.enrolled_date
    assert_audit_clean()


def test_a_student_takes_few_statements_however_much_there_is(mentor: Account) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=5, homework=6), mentor=mentor)
    db.session.rollback()
    with counted() as few:
        mentored.student(mentor.id, enrolment.id, 1, clock.now())
    for number in range(6):
        a_hand_in(enrolment, number)
        talked(enrolment, clock.now())
    db.session.rollback()
    db.session.expire_all()
    with counted() as many:
        mentored.student(mentor.id, enrolment.id, 1, clock.now())
    assert len(few) <= len(many) <= 11, "\n".join(many)


# ---------------------------------------------------------------- follow-up records


def test_a_follow_up_is_the_last_word(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    start = since(enrolment, clock.now() - 10 * DAY)
    assert student_of(mentor, enrolment).due_time == start + 7 * DAY
    now = clock.now()
    mentored.follow_up(mentor.id, enrolment.id, FollowUpTool.PHONE, "聊了进度", [], now)
    view = student_of(mentor, enrolment)
    assert (view.last_time, view.due_time, view.is_over) == (now, now + 7 * DAY, False)
    (one,) = view.follow_ups
    assert (one.tool, one.record, one.mentor, one.files) == (FollowUpTool.PHONE, "聊了进度", "沈舟", ())


def test_pressed_twice_it_is_written_once(mentor: Account) -> None:
    enrolment, now = a_studying(mentor=mentor), clock.now()
    for tool, record, seconds in (
        (FollowUpTool.QQ, "没接", 0),
        (FollowUpTool.QQ, "没接", 1),
        (FollowUpTool.PHONE, "没接", 2),
        (FollowUpTool.PHONE, "接了", 3),
        (FollowUpTool.PHONE, "接了", 63),
    ):
        mentored.follow_up(mentor.id, enrolment.id, tool, record, [], now + timedelta(seconds=seconds))
    db.session.rollback()
    dates = [row.date - now for row in db.session.query(StuFollowUpRecord).order_by(StuFollowUpRecord.id)]
    assert [gap.seconds for gap in dates] == [0, 2, 3, 63]


def test_the_next_mentor_reads_what_the_one_before_wrote(mentor: Account) -> None:
    enrolment, other = a_studying(mentor=mentor), a_mentor(name="叶帆")
    mentored.follow_up(mentor.id, enrolment.id, FollowUpTool.QQ, "第一次", [], clock.now())
    assignment.assign(enrolment.id, other.id, actor=STAFF, reason="a test")
    mentored.follow_up(other.id, enrolment.id, FollowUpTool.WECHAT, "第二次", [], clock.now())
    shown = [(one.mentor, one.record) for one in student_of(other, enrolment).follow_ups]
    assert shown == [("叶帆", "第二次"), ("沈舟", "第一次")]


def test_a_new_mentor_owes_nothing_for_the_time_before(mentor: Account) -> None:
    enrolment, other = a_studying(mentor=mentor), a_mentor()
    since(enrolment, clock.now() - 30 * DAY)
    talked(enrolment, clock.now() - 20 * DAY)
    assert desk(mentor).contact.overdue == 1
    assignment.assign(enrolment.id, other.id, actor=STAFF, reason="a test")
    view = student_of(other, enrolment)
    assert view.due_time == view.since_time + 7 * DAY


def test_an_attachment_is_kept_with_its_record(mentor: Account, app: Flask) -> None:
    enrolment = a_studying(mentor=mentor)
    (file,) = uploads.check([Incoming("聊天.txt", io.BytesIO("你好".encode()), 6)])
    made = mentored.follow_up(mentor.id, enrolment.id, FollowUpTool.WECHAT, "见附件", [file], clock.now())
    upload = db.session.query(Upload).one()
    record = db.session.get_one(StuFollowUpRecord, made.id)
    assert (upload.follow_up_id, upload.account_id, record.attachment_path) == (
        record.id,
        mentor.id,
        upload.stored_name,
    )
    assert student_of(mentor, enrolment).follow_ups[0].files == ((upload.id, "聊天.txt", 6),)
    with uploads.fetch(mentor.id, upload.id).stream as stream:
        assert stream.read() == "你好".encode()
    with pytest.raises(NotFound):
        uploads.fetch(enrolment.account_id, upload.id)
    with pytest.raises(ValueError, match="one file"):
        mentored.follow_up(mentor.id, enrolment.id, FollowUpTool.QQ, "x", [file, file], clock.now())


def test_a_mentor_who_loses_the_student_meanwhile_writes_nothing(mentor: Account, settings: Settings) -> None:
    """The disk is written to before the transaction begins: whose student it is, is asked again inside."""
    enrolment, other = a_studying(mentor=mentor), a_mentor()
    enrolment_id, mentor_id, other_id = enrolment.id, mentor.id, other.id
    kept = set(settings.uploads.glob("*/*"))  # by other tests

    class Meanwhile(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if mentored_by(enrolment_id) != other_id:
                assignment.assign(enrolment_id, other_id, actor=STAFF, reason="a test")
            return super().read(size)

    file = Checked("聊天.txt", "text/plain", 6, Meanwhile("你好".encode()))
    with pytest.raises(NotFound):
        mentored.follow_up(mentor_id, enrolment_id, FollowUpTool.QQ, "见附件", [file], clock.now())
    assert (db.session.query(StuFollowUpRecord).count(), db.session.query(Upload).count()) == (0, 0)
    assert set(settings.uploads.glob("*/*")) == kept


def mentored_by(enrolment_id: int) -> int | None:
    db.session.rollback()
    return assignment.mentor_of(enrolment_id)


def test_records_can_be_written_after_the_end_and_have_pages(mentor: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentored, "PAGE_SIZE", 2)
    enrolment = a_studying(mentor=mentor)
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, clock.now()
    db.session.commit()
    for number in range(3):
        mentored.follow_up(mentor.id, enrolment.id, FollowUpTool.QQ, str(number), [], clock.now())
    pages = [mentored.student(mentor.id, enrolment.id, page, clock.now()).follow_ups for page in (1, 2)]
    assert [[one.record for one in page] for page in pages] == [["2", "1"], ["0"]]
    for page in (0, 3):
        with pytest.raises(NotFound):
            mentored.student(mentor.id, enrolment.id, page, clock.now())
