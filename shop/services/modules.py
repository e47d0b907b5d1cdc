"""Modules of a degree: opened one by one, each with its plan; passed when all its homework is; and graduation.

The caller of ``open_module`` and ``go_on`` holds the enrolment's lock (domain.md 4.2). What staff do here, the student
is told like anything else that happens on the road.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.clock import local_date
from shop.enums import HomeworkStatus, MessageType, ModuleStatus, Purse, Rule, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import unit_of_work
from shop.models import (
    Account,
    Course,
    CourseChapter,
    CourseSchedule,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    StudyRecord,
)
from shop.rules.access import same_day_two_years_later
from shop.rules.duties import recommended_dates
from shop.rules.leaves import days_away
from shop.rules.rewards import Tier, scholarship_of
from shop.rules.staff_rights import Task
from shop.rules.study_states import UNDER_WAY, is_over
from shop.services import audit_log, enrolled_degrees, leave, messages, purses, study_cases
from shop.services.audit_log import Actor
from shop.services.enrolled_degrees import AskedBack
from shop.services.locks import lock_account
from shop.services.purses import Cause
from shop.wording import mark as _


def in_order(session: Session, enrolment_id: int) -> Sequence[StudyRecord]:
    """The study records of an enrolment with their modules, in the order in which they are opened."""
    return session.scalars(
        select(StudyRecord)
        .join(Course, Course.id == StudyRecord.course_module_id)
        .where(StudyRecord.enrolled_degree_course_id == enrolment_id)
        .order_by(Course.order, Course.id)
        .options(joinedload(StudyRecord.course_module))
        .execution_options(populate_existing=True)
    ).all()


def homework_of(session: Session, module_id: int) -> Sequence[Homework]:
    """The homework that counts in a module, in the order of chapters and numbers."""
    return session.scalars(
        select(Homework)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .where(CourseChapter.course_id == module_id, Homework.enabled)
        .order_by(CourseChapter.chapter, Homework.order, Homework.id)
    ).all()


# ---------------------------------------------------------------- opening


def open_module(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    record: StudyRecord,
    now: datetime,
    *,
    passed: StudyRecord | None = None,
) -> None:
    """Open a locked module today, write its plan and tell the student; the first one starts the two years.

    ``passed`` is the module whose end opened it. Raises NotYourTurn for one that is not locked.
    """
    if record.status is not ModuleStatus.LOCKED:
        raise NotYourTurn
    today = local_date(now)
    record.status, record.open_date = ModuleStatus.STUDYING, today
    if enrolment.valid_begin_date is None:
        enrolment.study_status = StudyStatus.STUDYING
        enrolment.valid_begin_date, enrolment.valid_end_date = today, same_day_two_years_later(today)
    homework = homework_of(session, record.course_module_id)
    dates = recommended_dates(today, [piece.recommend_period for piece in homework])
    session.add_all(
        CourseSchedule(study_record_id=record.id, homework_id=piece.id, recommend_date=day)
        for piece, day in zip(homework, dates, strict=True)
    )
    session.flush()
    if passed is None:
        _tell(session, enrolment, _("「%(degree)s」的模块「%(module)s」已开通。"), module=record.course_module.name)
    else:
        _tell(
            session,
            enrolment,
            _("「%(degree)s」的模块「%(passed)s」已通过，下一个模块「%(module)s」已开通。"),
            passed=passed.course_module.name,
            module=record.course_module.name,
        )


def open_first(account_id: int, enrolment_id: int, module_id: int) -> bool:
    """The student opens the first module, which the form left locked; False when that was done before.

    Raises NotFound for an enrolment of somebody else or a module of another degree, NotYourTurn before the form is
    filed, for a later module, and while a refund is under way.
    """
    now = clock.now()
    with unit_of_work() as session:
        lock_account(session, account_id)  # a refund that is being asked for waits, or is seen
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        records = in_order(session, enrolment_id)
        record = _record_of(records, module_id)
        if record.status is not ModuleStatus.LOCKED:
            return False
        enrolled_degrees.expect(session, enrolment, StudyStatus.NOT_STARTED)
        if record is not records[0] or not enrolled_degrees.is_filed(session, enrolment_id):
            raise NotYourTurn
        open_module(session, enrolment, record, now)
    return True


def open_by_staff(enrolment_id: int, module_id: int, *, actor: Actor, reason: str) -> StudyRecord:
    """Open a module though the ones before it are not passed. What of those has no homework is ended by that.

    They have still to be passed before the degree is: only a module without homework could never be. Raises NotFound
    for an unknown enrolment or a module of another degree, ValueError without a reason of 1 to 255 characters, and
    NotYourTurn, whose fact ``why`` is: "form" (not filed), "leave", "ended", "open". AskedBack while its refund waits;
    OwnStudy, StaffOnly for a person who may not do this.
    """
    now, reason = clock.now(), audit_log.checked_reason(reason)
    with unit_of_work() as session:
        enrolment, records, record = _for_staff(session, enrolment_id, module_id, actor)
        _check(session, enrolment, now, StudyStatus.NOT_STARTED, StudyStatus.STUDYING)
        if record.status is not ModuleStatus.LOCKED:
            raise NotYourTurn(why="open")
        open_module(session, enrolment, record, now)
        ended = [
            before
            for before in records[: records.index(record)]
            if before.status is not ModuleStatus.DONE and not homework_of(session, before.course_module_id)
        ]
        for before in ended:
            before.status = ModuleStatus.DONE
            before.open_date, before.end_date = before.open_date or record.open_date, record.open_date
        audit_log.record(
            session,
            actor,
            "study_record open",
            record,
            before={"status": int(ModuleStatus.LOCKED)},
            after={"status": int(record.status), "ended": [before.course_module_id for before in ended]},
            reason=reason,
        )
    return record


# ---------------------------------------------------------------- passing


def go_on(session: Session, enrolment: EnrolledDegreeCourse, module_id: int, now: datetime) -> None:
    """After a mark: when all homework of the module is passed, end it, and open the next one or graduate.

    A module without homework is never passed by itself: staff end it (``flask degrees pass``, or ``open`` for the next
    one). Nothing happens once the study is over, by its state or by its last day.
    """
    records = in_order(session, enrolment.id)
    this = _record_of(records, module_id)
    if enrolment.study_status not in UNDER_WAY or _is_over(enrolment, now):
        return
    if this.status is ModuleStatus.STUDYING and _is_passed(session, enrolment.id, module_id):
        _end(session, enrolment, records, this, now)


def pass_by_staff(enrolment_id: int, module_id: int, *, actor: Actor, reason: str) -> StudyRecord:
    """End an open module that has nothing left to hand in, and go on as after a last mark: for one without homework.

    Raises what ``open_by_staff`` raises; ``why`` is also "locked" (or done), or "homework" (some is not passed yet).
    """
    now, reason = clock.now(), audit_log.checked_reason(reason)
    with unit_of_work() as session:
        enrolment, records, record = _for_staff(session, enrolment_id, module_id, actor)
        _check(session, enrolment, now, StudyStatus.STUDYING)
        if record.status is not ModuleStatus.STUDYING:
            raise NotYourTurn(why="locked")
        if homework_of(session, module_id) and not _is_passed(session, enrolment_id, module_id):
            raise NotYourTurn(why="homework")
        _end(session, enrolment, records, record, now)
        audit_log.record(
            session,
            actor,
            "study_record pass",
            record,
            before={"status": int(ModuleStatus.STUDYING)},
            after={"status": int(record.status), "study_status": int(enrolment.study_status)},
            reason=reason,
        )
    return record


def _end(
    session: Session, enrolment: EnrolledDegreeCourse, records: Sequence[StudyRecord], this: StudyRecord, now: datetime
) -> None:
    this.status, this.end_date = ModuleStatus.DONE, local_date(now)
    session.flush()
    if all(record.status is ModuleStatus.DONE for record in records):
        _graduate(session, enrolment, now)
        return
    following = _following(records, this)
    if following is not None:
        open_module(session, enrolment, following, now, passed=this)
    else:
        _tell(session, enrolment, _("「%(degree)s」的模块「%(module)s」已通过。"), module=this.course_module.name)


def _following(records: Sequence[StudyRecord], this: StudyRecord) -> StudyRecord | None:
    """The module after this one if it is locked; else, when nothing is being studied, the first one that was left out.

    Staff may open modules out of their order, and new ones may have come before this one.
    """
    after = next(iter(records[records.index(this) + 1 :]), None)
    if after is not None and after.status is ModuleStatus.LOCKED:
        return after
    if any(record.status is ModuleStatus.STUDYING for record in records):
        return None
    return next((record for record in records if record.status is ModuleStatus.LOCKED), None)


def _is_passed(session: Session, enrolment_id: int, module_id: int) -> bool:
    wanted = {piece.id for piece in homework_of(session, module_id)}
    passed = session.scalars(
        select(HomeworkRecord.homework_id).where(
            HomeworkRecord.student_id == enrolment_id, HomeworkRecord.status == HomeworkStatus.PASSED
        )
    )
    return bool(wanted) and wanted <= set(passed)


def _is_over(enrolment: EnrolledDegreeCourse, now: datetime) -> bool:
    return is_over(enrolment.study_status, enrolment.valid_end_date, local_date(now))


# ---------------------------------------------------------------- graduating


def _graduate(session: Session, enrolment: EnrolledDegreeCourse, now: datetime) -> None:
    """已毕业: the scholarship is booked by the speed, 0 without a tier; it matures in the coming night."""
    if enrolment.study_status is StudyStatus.ON_LEAVE:  # the last mark came during a leave
        leave.end_in(session, enrolment, now)
    degree = session.get_one(DegreeCourse, enrolment.degree_course_id)
    days = studied_days(session, enrolment, local_date(now))
    tier = scholarship_of([Tier(tier.time_percent, tier.value) for tier in degree.scholarships], days, degree.period)
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, now
    facts = {"days": days, "period": degree.period, "percent": tier.time_percent if tier else None}
    purses.gain(
        session,
        enrolment,
        Purse.REWARDS,
        Rule.SCHOLARSHIP,
        Cause(f"graduation:{enrolment.id}", _("毕业奖学金"), facts),
        now,
        amount=tier.value if tier else 0,
    )
    _congratulate(session, enrolment, days, tier)


def studied_days(session: Session, enrolment: EnrolledDegreeCourse, today: date) -> int:
    """Days since the first module opened, both ends counted, without those of leaves."""
    if enrolment.valid_begin_date is None:
        return 0
    away = sum(
        days_away(local_date(pause.begin), local_date(pause.end) if pause.end else today)
        for pause in enrolled_degrees.leaves(session, enrolment.id)
    )
    return days_away(enrolment.valid_begin_date, today) + 1 - away


def _congratulate(session: Session, enrolment: EnrolledDegreeCourse, days: int, tier: Tier | None) -> None:
    if tier is None:
        _tell(session, enrolment, _("恭喜！您用 %(days)s 天完成了「%(degree)s」的全部模块，已毕业。"), days=days)
    else:
        _tell(
            session,
            enrolment,
            _("恭喜！您用 %(days)s 天完成了「%(degree)s」的全部模块，已毕业，毕业奖学金 %(beli)s 贝里。"),
            days=days,
            beli=tier.value,
        )
    if enrolment.mentor_id is not None:
        student = session.get_one(Account, enrolment.account_id)
        messages.tell(
            session,
            enrolment.mentor_id,
            MessageType.STUDY,
            _("您的学员 %(student)s 已从「%(degree)s」毕业。"),
            {"student": student.shown_name, "degree": _degree_name(session, enrolment)},
            link=f"/mentor/students/{enrolment.id}",
        )


# ---------------------------------------------------------------- shared


def _tell(session: Session, enrolment: EnrolledDegreeCourse, text: str, **facts: object) -> None:
    messages.tell(
        session,
        enrolment.account_id,
        MessageType.STUDY,
        text,
        {"degree": _degree_name(session, enrolment), **facts},
        link=f"/learning/degrees/{enrolment.id}",
    )


def _degree_name(session: Session, enrolment: EnrolledDegreeCourse) -> str:
    return session.get_one(DegreeCourse, enrolment.degree_course_id).name


def _record_of(records: Sequence[StudyRecord], module_id: int) -> StudyRecord:
    found = next((record for record in records if record.course_module_id == module_id), None)
    if found is None:
        raise NotFound
    return found


def _for_staff(
    session: Session, enrolment_id: int, module_id: int, actor: Actor
) -> tuple[EnrolledDegreeCourse, Sequence[StudyRecord], StudyRecord]:
    """The enrolment behind the lock of its account: opening the first module changes what may be asked back."""
    account_id = session.scalar(select(EnrolledDegreeCourse.account_id).where(EnrolledDegreeCourse.id == enrolment_id))
    if account_id is None:
        raise NotFound
    lock_account(session, account_id)
    enrolment = enrolled_degrees.lock(session, enrolment_id)
    study_cases.check(session, actor, Task.STUDIES_RUN, enrolment)
    records = in_order(session, enrolment_id)
    return enrolment, records, _record_of(records, module_id)


def _check(session: Session, enrolment: EnrolledDegreeCourse, now: datetime, *states: StudyStatus) -> None:
    """Raises NotYourTurn, or AskedBack, unless staff may move this enrolment along its road now."""
    if not enrolled_degrees.is_filed(session, enrolment.id):
        raise NotYourTurn(why="form")
    if enrolment.study_status is StudyStatus.ON_LEAVE:
        raise NotYourTurn(why="leave")
    try:
        enrolled_degrees.expect(session, enrolment, *states)
    except AskedBack:
        raise
    except NotYourTurn as error:
        raise NotYourTurn(why="ended") from error
    if _is_over(enrolment, now):
        raise NotYourTurn(why="ended")
