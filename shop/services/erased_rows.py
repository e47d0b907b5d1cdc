"""Table by table, what becomes of a person's rows when the person leaves, in the caller's transaction (safety.md 7.2).

Three ways only: a row goes, a text becomes the mark, or a value becomes empty. What is not named here is trade, which
stays: it holds ids, amounts and times, and the account that it points at has no name any more. Some words stay with
it, as they explain money or must not change: why a refund was asked for and how it was decided (``Refund.reason``,
``decision``), the memo of a row of the ledger, and in the audit log, whose rows are never changed, the user name of
whoever acted (``AuditLog.actor``) with the reason that was written down.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.extensions import Model
from shop.models import (
    Account,
    Answer,
    Appeal,
    Complaint,
    DataExport,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Gift,
    HomeworkRecord,
    HomeworkSubmission,
    Mail,
    MentorAssignment,
    Notification,
    Order,
    OrderNote,
    PasswordReset,
    Question,
    RecoveryCode,
    SecondFactor,
    StudyLeave,
    StuFollowUpRecord,
    Upload,
    Withdrawal,
)

# what is sensitive in a registration form (S2): emptied with the person, or when its time is over
FORM_ERASED: dict[str, Any] = {
    "current_company": "",
    "current_position": "",
    "current_salary": None,
    "salary_consent_time": None,
    "salary_consent_version": None,
    "work_experience": None,
}
PAYEE_ERASED: dict[str, Any] = {"payee_account": "", "payee_name": ""}  # likewise, of a withdrawal
BATCH = 500  # rows of others that are in memory at a time
SHORTEST_NAME = 2  # a single character is no name that could be looked for in a letter
_UNSYNCED = {"synchronize_session": False}

Told = TypeVar("Told", Notification, Mail)


def erase(session: Session, account: Account, mark: str) -> list[str]:
    """Do it all but the account's own row; the stored names of the files that no row names any more."""
    me = account.id
    studies = select(EnrolledDegreeCourse.id).where(EnrolledDegreeCourse.account_id == me).scalar_subquery()
    _in_words_of_others(session, account, studies, mark)
    files = _files(session, me, studies)
    _secrets(session, me)
    _form(session, studies, mark)
    _study(session, me, studies, mark)
    _of_mentors(session, me, mark)
    _money(session, me, mark)
    session.flush()
    session.expire_all()
    return files


def _delete(session: Session, model: type[Model], *where: Any) -> None:
    session.execute(delete(model).where(*where), execution_options=_UNSYNCED)


def _set(session: Session, model: type[Model], where: Any, **values: Any) -> None:
    session.execute(update(model).where(where).values(**values), execution_options=_UNSYNCED)


def _secrets(session: Session, me: int) -> None:
    for model in (SecondFactor, RecoveryCode, PasswordReset, DataExport, Notification):
        _delete(session, model, model.account_id == me)
    address = session.scalar(select(Account.email).where(Account.id == me))
    _delete(session, Mail, or_(Mail.account_id == me, Mail.address == address) if address else Mail.account_id == me)


def _form(session: Session, studies: Any, mark: str) -> None:
    form, draft = DegreeRegistrationForm, DegreeRegistrationDraft
    own_words = dict.fromkeys(("why_take_this_course", "why_choose_us", "your_expectation"), mark)
    _set(
        session,
        form,
        form.enrolled_degree_id.in_(studies),
        **{**FORM_ERASED, **own_words, "stu_specified_mentor": None, "memo": None, "erased_time": clock.now()},
    )
    _delete(session, draft, draft.enrolled_degree_id.in_(studies))


def _study(session: Session, me: int, studies: Any, mark: str) -> None:
    """Homework, questions, complaints, leaves, and what mentors and staff wrote about the person."""
    records = select(HomeworkRecord.id).where(HomeworkRecord.student_id.in_(studies)).scalar_subquery()
    hand_in = HomeworkSubmission
    _set(session, hand_in, hand_in.homework_record_id.in_(records), content=mark, comment=mark)
    _set(session, HomeworkRecord, HomeworkRecord.student_id.in_(studies), note=None, mentor_comment=None)
    questions = select(Question.id).where(Question.account_id == me).scalar_subquery()
    _set(session, Answer, or_(Answer.account_id == me, Answer.question_id.in_(questions)), content=mark)
    _set(session, Question, Question.account_id == me, title=mark, content=mark)
    about_studies = Complaint.enrolled_degree_course_id.in_(studies)
    _set(session, Complaint, about_studies, content=mark)
    _set(session, Complaint, about_studies & (Complaint.decision != ""), decision=mark)
    _set(session, StudyLeave, StudyLeave.enrolled_degree_course_id.in_(studies), reason=mark)
    _set(session, MentorAssignment, MentorAssignment.enrolled_degree_course_id.in_(studies), reason=mark)
    follow_up = StuFollowUpRecord
    _set(session, follow_up, follow_up.enrolled_degree_course_id.in_(studies), record=mark, attachment_path=None)


def _of_mentors(session: Session, me: int, mark: str) -> None:
    """What somebody wrote as a mentor in their own cause; what they wrote to students is the students'."""
    _set(session, Appeal, Appeal.account_id == me, content=mark)
    _set(session, Appeal, (Appeal.account_id == me) & (Appeal.decision != ""), decision=mark)


def _money(session: Session, me: int, mark: str) -> None:
    """Of trade only what is not trade: where a withdrawal went, and what staff wrote of gifts and beside an order."""
    _set(session, Withdrawal, Withdrawal.account_id == me, **PAYEE_ERASED)
    _set(session, Withdrawal, (Withdrawal.account_id == me) & (Withdrawal.decision != ""), decision=mark)
    _set(session, Gift, Gift.account_id == me, reason=mark)
    _set(session, Gift, (Gift.account_id == me) & (Gift.decision != ""), decision=mark)
    orders = select(Order.id).where(Order.account_id == me).scalar_subquery()
    _set(session, OrderNote, OrderNote.order_id.in_(orders), text=mark)


def _files(session: Session, me: int, studies: Any) -> list[str]:
    """Forget what the person handed in, and what a mentor kept about the person."""
    about_me = select(StuFollowUpRecord.id).where(StuFollowUpRecord.enrolled_degree_course_id.in_(studies))
    handed_in = (
        select(HomeworkSubmission.id)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .where(HomeworkRecord.student_id.in_(studies))
    )
    mine = or_(Upload.follow_up_id.in_(about_me), Upload.homework_submission_id.in_(handed_in))
    names = list(session.scalars(select(Upload.stored_name).where(mine)))
    _delete(session, Upload, mine)
    return names


# ---------------------------------------------------------------- what others were told about the person


def _in_words_of_others(session: Session, account: Account, studies: Any, mark: str) -> None:
    """Messages and letters to the person's mentors name the student, and sometimes what the student wrote; those to
    the person's students name the mentor."""
    assigned = MentorAssignment
    of_studies = EnrolledDegreeCourse.id == assigned.enrolled_degree_course_id
    mentors = select(assigned.mentor_id).where(assigned.enrolled_degree_course_id.in_(studies))
    students = select(EnrolledDegreeCourse.account_id).join(assigned, of_studies)
    names = {name for name in (account.name, account.username) if name}
    titles = session.scalars(select(Question.title).where(Question.account_id == account.id))
    _rewrite(session, mentors, {*names, *titles}, mark)
    _rewrite(session, students.where(assigned.mentor_id == account.id), names, mark)


def _rewrite(session: Session, readers: Any, words: Collection[str], mark: str) -> None:
    """Put the mark in the place of these words in all that was told to the readers."""
    for message in _each(session, Notification, Notification.account_id.in_(readers)):
        changed = {name: _replaced(fact, words, mark) for name, fact in message.facts.items()}
        if changed != message.facts:
            message.facts = changed
    for letter in _each(session, Mail, Mail.account_id.in_(readers) & (Mail.body != "")):
        letter.body = _without(letter.body, words, mark)


def _each(session: Session, model: type[Told], where: Any) -> Iterator[Told]:
    """The rows by their ids, some at a time: a mentor had many students, and each has many messages."""
    last = 0
    while rows := session.scalars(select(model).where(where, model.id > last).order_by(model.id).limit(BATCH)).all():
        yield from rows
        session.flush()
        last = rows[-1].id


def _replaced(fact: object, words: Collection[str], mark: str) -> object:
    return mark if isinstance(fact, str) and fact in words else fact


def _without(text: str, words: Iterable[str], mark: str) -> str:
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= SHORTEST_NAME:
            text = text.replace(word, mark)
    return text
