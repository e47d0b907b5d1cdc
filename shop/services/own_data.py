"""What the shop keeps about one person, to take along (safety.md 7.3, 6): read as it stands, section by section.

Nothing about other people: no names of mentors or students, no remarks that a mentor wrote down for other mentors, no
notes of staff. What is a choice stays a choice, what is an instant an instant; whoever writes it down finds the words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from shop import wording
from shop.enums import Choice, Purse
from shop.extensions import db
from shop.models import (
    Account,
    Answer,
    Appeal,
    AuditLog,
    Complaint,
    Coupon,
    CouponRecord,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Mail,
    Notification,
    Order,
    OrderDetail,
    Payment,
    Product,
    Question,
    Refund,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
    TransactionRecord,
    Upload,
    Withdrawal,
)
from shop.rules.masking import masked_name
from shop.services.registration import LOOK
from shop.wording import mark as _

Row = Mapping[str, Any]
Query = Select[*tuple[Any, ...]]
OF_OTHERS = ("student", "mentor")  # facts of a message that name somebody else
OF_STUDENT = (*OF_OTHERS, "title")  # in a message that names a student: also what the student called a question


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the data: its name in the file, its title (a text of the catalogue), and how its rows are found."""

    name: str
    title: str
    query: Callable[[int], Query]


@dataclass(frozen=True, slots=True)
class Part:
    """A section as it was read."""

    name: str
    title: str
    rows: Sequence[Row]


def parts(account_id: int, language: str) -> Iterator[Part]:
    """Everything, one section after the other; messages in the language of the reader ("zh", "en")."""
    for section in SECTIONS:
        found = db.session.execute(section.query(account_id)).mappings()
        yield Part(section.name, section.title, [dict(row) for row in found])
    yield Part("messages", _("消息"), list(_messages(account_id, language)))


def plain(value: object) -> object:
    """A value as JSON keeps it: choices by their names, instants and days in ISO."""
    if isinstance(value, Choice):
        return value.name.lower()
    return value.isoformat() if isinstance(value, datetime | date) else value


def _messages(account_id: int, language: str) -> Iterator[Row]:
    query = select(Notification).where(Notification.account_id == account_id).order_by(Notification.id)
    for message in db.session.scalars(query):
        told = message.facts or {}
        hidden = OF_STUDENT if "student" in told else OF_OTHERS
        facts = {name: masked_name(str(fact)) if name in hidden else fact for name, fact in told.items()}
        yield {
            "kind": message.msg_type,
            "text": wording.say(message.content, language, facts),
            "date": message.date,
            "read_time": message.read_time,
        }


# ---------------------------------------------------------------- the account and its money


def _account(me: int) -> Query:
    row = Account
    return select(
        *(row.username, row.email, row.mobile, row.name, row.gender, row.birthday, row.id_card, row.degree),
        *(row.qq, row.weixin, row.openid, row.signature, row.brief, row.role),
        row.balance.label("beli"),
        row.date_joined,
    ).where(row.id == me)


def _orders(me: int) -> Query:
    row = Order
    return (
        select(
            *(row.order_number, row.status, row.date, row.pay_time, row.cancel_time, row.payment_type),
            *(row.payment_number, row.list_amount_fen, row.course_discount_fen, row.site_discount_fen),
            *(row.beli, row.actual_amount_fen),
        )
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _lines(me: int) -> Query:
    row = OrderDetail
    return (
        select(
            *(Order.order_number, Product.name.label("product"), row.valid_period_display.label("period")),
            *(row.original_price_fen, row.price_fen, row.site_discount_fen, row.beli, row.actual_amount_fen),
        )
        .join(Order, Order.id == row.order_id)
        .join(Product, Product.id == row.product_id)
        .where(Order.account_id == me)
        .order_by(row.id)
    )


def _payments(me: int) -> Query:
    row = Payment
    return (
        select(
            *(Order.order_number, row.out_trade_no, row.trade_no, row.method, row.state, row.amount_fen),
            *(row.created_time, row.paid_time),
        )
        .join(Order, Order.id == row.order_id)
        .where(Order.account_id == me)
        .order_by(row.id)
    )


def _refunds(me: int) -> Query:
    row = Refund
    return (
        select(
            *(Order.order_number, row.out_request_no, row.cause, row.state, row.amount_fen, row.beli, row.reason),
            *(row.requested_time, row.decided_time, row.done_time),
        )
        .join(Order, Order.id == row.order_id)
        .where(Order.account_id == me)
        .order_by(row.id)
    )


def _ledger(me: int) -> Query:
    row = TransactionRecord
    return (
        select(
            *(row.transaction_number, row.transaction_type.label("kind"), row.amount, row.balance_after, row.date),
            *(Order.order_number, row.memo),
        )
        .outerjoin(Order, Order.id == row.order_id)
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _withdrawals(me: int) -> Query:
    row = Withdrawal
    return (
        select(
            *(row.amount, row.amount_fen, row.state, row.payee_account, row.payee_name, row.requested_time),
            *(row.decided_time, row.paid_time, row.payment_number),
        )
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _coupons(me: int) -> Query:
    row = CouponRecord
    return (
        select(
            *(Coupon.name.label("coupon"), row.number, row.status, row.get_time, row.valid_from, row.valid_until),
            *(row.used_time, Order.order_number),
        )
        .join(Coupon, Coupon.id == row.coupon_id)
        .outerjoin(Order, Order.id == row.order_id)
        .where(row.account_id == me)
        .order_by(row.id)
    )


# ---------------------------------------------------------------- learning

_DEGREE = Product.name.label("degree")


def _of_degrees(query: Query, enrolment_id: ColumnElement[int] | Any, me: int) -> Query:
    """The rows of one's own enrolments, with the name of the degree joined to them."""
    return (
        query.join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == enrolment_id)
        .join(Product, Product.id == EnrolledDegreeCourse.degree_course_id)
        .where(EnrolledDegreeCourse.account_id == me)
    )


def _courses(me: int) -> Query:
    row = EnrolledCourse
    return (
        select(
            *(Product.name.label("course"), row.enrolled_date, row.valid_begin_date, row.valid_end_date, row.status),
            row.closed_time,
        )
        .join(Product, Product.id == row.course_id)
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _degrees(me: int) -> Query:
    row = EnrolledDegreeCourse
    return (
        select(
            *(_DEGREE, row.study_status.label("status"), row.enrolled_date, row.valid_begin_date, row.valid_end_date),
            *(row.ended_time, row.closed_time, row.reward_balance.label("waiting_beli")),
        )
        .join(Product, Product.id == row.degree_course_id)
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _forms(me: int) -> Query:
    row = DegreeRegistrationForm
    looks = (
        select(func.count())
        .where(AuditLog.subject_table == row.__tablename__, AuditLog.subject_id == row.id, AuditLog.action == LOOK)
        .scalar_subquery()
    )
    query = select(
        *(_DEGREE, row.current_company, row.current_position, row.current_salary, row.work_experience),
        *(row.stu_specified_mentor, row.study_plan, row.why_take_this_course, row.why_choose_us),
        *(row.your_expectation, row.memo, row.filed_time, row.filings, row.erased_time, looks.label("looks_of_staff")),
    )
    return _of_degrees(query, row.enrolled_degree_id, me).order_by(row.id)


def _drafts(me: int) -> Query:
    row = DegreeRegistrationDraft
    return _of_degrees(select(_DEGREE, row.answers, row.saved_time), row.enrolled_degree_id, me)


def _consents(me: int) -> Query:
    row = DegreeRegistrationForm
    query = select(
        _DEGREE,
        row.salary_consent_time.label("consent_time"),
        row.salary_consent_version.label("consent_version"),
    ).where(row.salary_consent_time.is_not(None))
    return _of_degrees(query, row.enrolled_degree_id, me).order_by(row.id)


def _modules(me: int) -> Query:
    row = StudyRecord
    module = Product.__table__.alias("module")
    query = select(_DEGREE, module.c.name.label("module"), row.status, row.open_date, row.end_date)
    query = query.join(module, module.c.id == row.course_module_id)
    return _of_degrees(query, row.enrolled_degree_course_id, me).order_by(row.id)


def _leaves(me: int) -> Query:
    row = StudyLeave
    query = select(_DEGREE, row.begin_time, row.end_time, row.reason)
    return _of_degrees(query, row.enrolled_degree_course_id, me).order_by(row.id)


def _homework(me: int) -> Query:
    row = HomeworkSubmission
    query = (
        select(
            *(_DEGREE, Homework.title, row.number, row.content, row.submitted_time, row.score, row.comment),
            row.checked_time,
        )
        .join(HomeworkRecord, HomeworkRecord.id == row.homework_record_id)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
    )
    return _of_degrees(query, HomeworkRecord.student_id, me).order_by(row.id)


def _uploads(me: int) -> Query:
    row = Upload
    return (
        select(row.id.label("file"), row.name, row.mime_type, row.size, row.date)
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _questions(me: int) -> Query:
    row = Question
    return select(row.title, row.content, row.status, row.date).where(row.account_id == me).order_by(row.id)


def _answers(me: int) -> Query:
    """To one's own questions, and one's own to those of others, whose questions stay out."""
    row = Answer
    asked = select(Question.title).where(Question.id == row.question_id, Question.account_id == me)
    title = func.coalesce(asked.scalar_subquery(), "")
    mine = (row.account_id == me) | row.question_id.in_(select(Question.id).where(Question.account_id == me))
    is_own = (row.account_id == me).label("is_own")
    return select(title.label("title"), is_own, row.content, row.date).where(mine).order_by(row.id)


def _complaints(me: int) -> Query:
    row = Complaint
    query = select(_DEGREE, row.content, row.state, row.date, row.decided_time)
    return _of_degrees(query, row.enrolled_degree_course_id, me).order_by(row.id)


def _rewards(me: int) -> Query:
    """Of one's own studies. What a mentor earns stands in /mentor/earnings.csv, which names no student too much."""
    row = ScoreRecord
    query = select(_DEGREE, row.score, row.balance, row.received_score, row.date, row.maturity_date, row.memo)
    return _of_degrees(query, row.enrolled_degree_course_id, me).where(row.purse == Purse.REWARDS).order_by(row.id)


def _appeals(me: int) -> Query:
    row = Appeal
    return (
        select(row.content, row.state, row.decision, row.date, row.decided_time)
        .where(row.account_id == me)
        .order_by(row.id)
    )


def _letters(me: int) -> Query:
    row = Mail
    return (
        select(row.address, row.subject, row.state, row.created_time, row.sent_time)
        .where(row.account_id == me)
        .order_by(row.id)
    )


SECTIONS = (
    Section("account", _("账户"), _account),
    Section("orders", _("订单"), _orders),
    Section("order_lines", _("订单的课程"), _lines),
    Section("payments", _("付款"), _payments),
    Section("refunds", _("退款"), _refunds),
    Section("ledger", _("贝里流水"), _ledger),
    Section("withdrawals", _("提现"), _withdrawals),
    Section("coupons", _("优惠券"), _coupons),
    Section("courses", _("专题课"), _courses),
    Section("degrees", _("学位课"), _degrees),
    Section("modules", _("课程模块"), _modules),
    Section("registration_forms", _("报名表"), _forms),
    Section("registration_drafts", _("没有提交的报名表"), _drafts),
    Section("consents", _("您同意过的"), _consents),
    Section("leaves", _("休学"), _leaves),
    Section("homework", _("作业"), _homework),
    Section("files", _("上传的文件"), _uploads),
    Section("questions", _("提问"), _questions),
    Section("answers", _("回答"), _answers),
    Section("complaints", _("投诉"), _complaints),
    Section("rewards", _("奖学金记录"), _rewards),
    Section("appeals", _("申诉"), _appeals),
    Section("letters", _("邮件"), _letters),
)
