"""One student as their mentor sees them: the road, and what was talked about (follow-up records)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from shop import clock
from shop.enums import FollowUpTool, HomeworkStatus, HomeworkType, ModuleStatus, Score, StudyStatus
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    CourseChapter,
    CourseSchedule,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    StudyRecord,
    StuFollowUpRecord,
)
from shop.rules.masking import masked_phone
from shop.services import enrolled_degrees, modules, score_rows, uploads
from shop.services.learning import is_suspended
from shop.services.mentoring import last_word, to_answer_of, to_grade_of, word_due
from shop.services.paging import pages_of
from shop.services.uploads import Checked

PAGE_SIZE = 20  # follow-up records
LONGEST_RECORD = 5000
TWICE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """One homework on a student's road."""

    id: int
    title: str
    kind: HomeworkType
    recommend_date: date | None  # none: its module is locked
    handed_date: date | None  # the first time
    attempts: int
    status: HomeworkStatus | None
    score: Score | None
    is_late: bool  # handed in after its day, or not yet and its day is over
    submission_id: int | None  # that waits for a mark


@dataclass(frozen=True, slots=True)
class Module:
    id: int
    name: str
    status: ModuleStatus
    open_date: date | None
    end_date: date | None
    pieces: tuple[Piece, ...]
    passed: int


@dataclass(frozen=True, slots=True)
class FollowUp:
    id: int
    tool: FollowUpTool
    record: str
    mentor: str
    date: datetime
    files: tuple[tuple[int, str, int], ...]  # id, name, bytes


@dataclass(frozen=True, slots=True)
class Student:
    """A student as their mentor may see them (safety.md 4 and 7): no employer, no salary, no complaint."""

    enrolment_id: int
    name: str
    phone: str  # masked; "" without one
    degree: str
    status: StudyStatus
    is_suspended: bool
    begin_date: date | None
    until_date: date | None
    ended_time: datetime | None
    since_time: datetime  # of this mentor
    fee: int  # 贝里, as a mentor may see it: no complaint can be told from it
    last_time: datetime | None
    due_time: datetime | None
    is_over: bool
    to_grade: int
    to_answer: int
    late: int
    modules: tuple[Module, ...]
    follow_ups: tuple[FollowUp, ...]
    page: int
    pages: int


def student(mentor_id: int, enrolment_id: int, page: int, now: datetime) -> Student:
    """One student as their present mentor sees them; ``page`` is that of the follow-up records, newest first.

    In at most ten statements. Raises NotFound for other mentors, as for a missing one, and beyond the last page.
    """
    session = db.session()
    enrolment = enrolled_degrees.of_mentor(
        session,
        mentor_id,
        enrolment_id,
        joinedload(EnrolledDegreeCourse.account),
        joinedload(EnrolledDegreeCourse.degree_course),
    )
    last, since, rests, to_grade, to_answer = session.execute(
        select(
            last_word(), MentorAssignment.from_time, is_suspended(EnrolledDegreeCourse), to_grade_of(), to_answer_of()
        )
        .select_from(EnrolledDegreeCourse)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(EnrolledDegreeCourse.id == enrolment.id)
    ).one()
    due = word_due(enrolment.study_status, since, last, enrolled_degrees.pauses(session, enrolment.id))
    total = session.scalar(select(func.count()).where(_follows(enrolment.id))) or 0
    pages = pages_of(total, page, PAGE_SIZE)
    road = road_of(session, enrolment, clock.local_date(now))
    return Student(
        enrolment_id=enrolment.id,
        name=enrolment.account.shown_name,
        phone=masked_phone(enrolment.account.mobile),
        degree=enrolment.degree_course.name,
        status=enrolment.study_status,
        is_suspended=rests,
        begin_date=enrolment.valid_begin_date,
        until_date=enrolment.valid_end_date,
        ended_time=enrolment.ended_time,
        since_time=since,
        fee=score_rows.fees_shown(session, mentor_id, {enrolment.id: enrolment.mentor_fee_balance})[enrolment.id].rest,
        last_time=last,
        due_time=due,
        is_over=due is not None and due <= now,
        to_grade=to_grade,
        to_answer=to_answer,
        late=sum(piece.is_late and piece.handed_date is None for module in road for piece in module.pieces),
        modules=road,
        follow_ups=follow_ups_of(session, enrolment.id, page),
        page=page,
        pages=pages,
    )


def road_of(session: Session, enrolment: EnrolledDegreeCourse, today: date) -> tuple[Module, ...]:
    """The modules in their order with their homework, in two statements."""
    waiting = (
        select(HomeworkSubmission.id)
        .where(HomeworkSubmission.homework_record_id == HomeworkRecord.id, HomeworkSubmission.checked_time.is_(None))
        .order_by(HomeworkSubmission.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(CourseChapter.course_id, Homework, CourseSchedule.recommend_date, HomeworkRecord, waiting)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(StudyRecord, StudyRecord.course_module_id == CourseChapter.course_id)
        .outerjoin(
            CourseSchedule,
            (CourseSchedule.study_record_id == StudyRecord.id) & (CourseSchedule.homework_id == Homework.id),
        )
        .outerjoin(
            HomeworkRecord, (HomeworkRecord.homework_id == Homework.id) & (HomeworkRecord.student_id == enrolment.id)
        )
        .where(
            StudyRecord.enrolled_degree_course_id == enrolment.id,
            Homework.enabled | HomeworkRecord.id.is_not(None),
        )
        .order_by(CourseChapter.chapter, Homework.order, Homework.id)
    )
    pieces = defaultdict(list)
    may_be_late = enrolment.study_status is not StudyStatus.ON_LEAVE
    for module_id, homework, recommended, record, submission_id in rows:
        pieces[module_id].append(_piece(homework, recommended, record, submission_id, today if may_be_late else None))
    return tuple(_module(record, pieces[record.course_module_id]) for record in modules.in_order(session, enrolment.id))


def _module(record: StudyRecord, pieces: Sequence[Piece]) -> Module:
    return Module(
        id=record.course_module_id,
        name=record.course_module.name,
        status=record.status,
        open_date=record.open_date,
        end_date=record.end_date,
        pieces=tuple(pieces),
        passed=sum(piece.status is HomeworkStatus.PASSED for piece in pieces),
    )


def _piece(
    homework: Homework,
    recommended: date | None,
    record: HomeworkRecord | None,
    submission_id: int | None,
    today: date | None,
) -> Piece:
    """``today`` is None while a leave lasts: the dates move on when it ends."""
    handed = clock.local_date(record.date) if record else None
    judged = handed or today
    return Piece(
        id=homework.id,
        title=homework.title,
        kind=homework.homework_type,
        recommend_date=recommended,
        handed_date=handed,
        attempts=record.submit_num if record else 0,
        status=record.status if record else None,
        score=record.score if record else None,
        is_late=recommended is not None and judged is not None and judged > recommended,
        submission_id=submission_id,
    )


# ---------------------------------------------------------------- follow-up records


def follow_up(
    mentor_id: int, enrolment_id: int, tool: FollowUpTool, record: str, files: Sequence[Checked], now: datetime
) -> StuFollowUpRecord:
    """Write down a talk with one's student (1 to 5000 characters), with at most one file. Students never see it.

    Allowed as long as the student is the mentor's, also after the end of the study. The same once more within a minute
    is the button pressed twice: the first one stands. Raises NotFound for others.
    """
    if len(files) > 1:
        raise ValueError("one file at most")
    enrolled_degrees.of_mentor(db.session(), mentor_id, enrolment_id)  # before the disk is written to
    with uploads.kept(files) as stored, unit_of_work() as session:
        enrolled_degrees.lock(session, enrolment_id)
        enrolled_degrees.of_mentor(session, mentor_id, enrolment_id)
        last = _last(session, enrolment_id)
        if last and now - last.date < TWICE and (last.followup_tool, last.record) == (tool, record):
            return last
        made = StuFollowUpRecord(
            enrolled_degree_course_id=enrolment_id,
            mentor_id=mentor_id,
            followup_tool=tool,
            record=record,
            attachment_path=stored[0].stored_name if stored else None,
            date=now,
        )
        session.add(made)
        session.flush()
        uploads.attach(session, stored, mentor_id, now, follow_up_id=made.id)
    return made


def _last(session: Session, enrolment_id: int) -> StuFollowUpRecord | None:
    newest = select(StuFollowUpRecord).where(_follows(enrolment_id)).order_by(StuFollowUpRecord.id.desc())
    return session.scalars(newest.limit(1)).one_or_none()


def _follows(enrolment_id: int) -> ColumnElement[bool]:
    return StuFollowUpRecord.enrolled_degree_course_id == enrolment_id


def follow_ups_of(session: Session, enrolment_id: int, page: int) -> tuple[FollowUp, ...]:
    """One page of them, newest first, in two statements."""
    rows = session.execute(
        select(StuFollowUpRecord, Account.name, Account.username)
        .join(Account, Account.id == StuFollowUpRecord.mentor_id)
        .where(_follows(enrolment_id))
        .order_by(StuFollowUpRecord.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(selectinload(StuFollowUpRecord.uploads))
    )
    return tuple(
        FollowUp(
            id=row.id,
            tool=row.followup_tool,
            record=row.record,
            mentor=name or username,
            date=row.date,
            files=tuple((file.id, file.name, file.size) for file in row.uploads),
        )
        for row, name, username in rows
    )
