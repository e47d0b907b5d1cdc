"""What must always hold in the database (design 11), each as one query that selects the rows that break it.

Some of it the database refuses by itself. It is asked all the same: a restored dump, a dropped constraint or a repair
by hand must not go unseen. Every query is one statement over whole tables: it sees one state of a shop that goes on
selling, and more rows mean no more statements. Each function is one check; its name is the check's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Exists, Select, and_, case, false, func, or_, select

from shop.enums import (
    CouponStatus,
    NoticeVerdict,
    OrderStatus,
    PaymentState,
    RefundState,
    TransactionType,
)
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    Course,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Product,
    Refund,
    RefundDetail,
    ScoreRecord,
    StudyRecord,
    TransactionRecord,
)

Broken = Select[Any]  # selects one column: the ids of the rows that break a rule
PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED)  # "paid" of design 8
LIVING = (OrderStatus.PENDING, *PAID)
ONCE_PAID = (*PAID, OrderStatus.REFUNDED)
ENDED = (OrderStatus.CANCELLED, OrderStatus.TIMED_OUT)
RECEIVED = (PaymentState.PAID, PaymentState.SURPLUS)
GIVEN_UP = (RefundState.FAILED, RefundState.REFUSED, RefundState.WITHDRAWN)
BELIEVED = (NoticeVerdict.APPLIED, NoticeVerdict.REPEATED)

_course, _product = Course.__table__, Product.__table__  # of a joined row only what is asked about


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must always hold: ``query`` selects the ids of the rows of ``table`` that break it."""

    name: str
    table: str
    says: str
    query: Callable[[], Broken]


CHECKS: list[Check] = []


def check(table: Any, says: str) -> Callable[[Callable[[], Broken]], Callable[[], Broken]]:
    """Make a check of a function: ``says`` is the rule that the rows of ``table`` keep."""

    def add(query: Callable[[], Broken]) -> Callable[[], Broken]:
        CHECKS.append(Check(query.__name__, table.__tablename__, says, query))
        return query

    return add


# ---------------------------------------------------------------- 1. 贝里 (safety.md L1-L6)


@check(Account, "balance is the sum of the account's transaction records")
def balance_is_sum_of_records() -> Broken:
    return (
        select(Account.id)
        .outerjoin(TransactionRecord, TransactionRecord.account_id == Account.id)
        .group_by(Account.id)
        .having(Account.balance != func.coalesce(func.sum(_signed_amount()), 0))
    )


@check(Account, "balance is not below 0")
def balance_is_not_negative() -> Broken:
    return select(Account.id).where(Account.balance < 0)


@check(TransactionRecord, "amount is positive, balance_after not below 0, the number not empty")
def record_is_sound() -> Broken:
    record = TransactionRecord
    return select(record.id).where(or_(record.amount <= 0, record.balance_after < 0, record.transaction_number == ""))


@check(TransactionRecord, "balance_after continues that of the account's record before")
def balance_after_continues() -> Broken:
    record = TransactionRecord
    before = func.lag(record.balance_after, 1, 0).over(partition_by=record.account_id, order_by=record.id)
    rows = select(record.id, record.balance_after, (before + _signed_amount()).label("expected")).subquery()
    return select(rows.c.id).where(rows.c.balance_after != rows.c.expected)


@check(TransactionRecord, "a record for an order takes from its owner (支出) or gives back to its owner (退款)")
def record_is_of_orders_owner() -> Broken:
    record = TransactionRecord
    kinds = (TransactionType.EXPENSE, TransactionType.REFUND)
    return (
        select(record.id)
        .join(Order, Order.id == record.order_id)
        .where(or_(record.account_id != Order.account_id, record.transaction_type.not_in(kinds)))
    )


@check(Order, "贝里 taken minus given back are those of the unrefunded lines, and 0 once the order has ended")
def beli_of_order_is_taken_once() -> Broken:
    record = TransactionRecord  # one of a refund names the order beside the refund
    moved = select(record.order_id, func.sum(-_signed_amount()).label("taken")).group_by(record.order_id).subquery()
    refunded = (
        select(Refund.order_id, func.sum(Refund.beli).label("beli"))
        .where(Refund.state == RefundState.DONE)
        .group_by(Refund.order_id)
        .subquery()
    )
    outstanding = case((Order.status.in_(ENDED), 0), else_=Order.beli - func.coalesce(refunded.c.beli, 0))
    return (
        select(Order.id)
        .outerjoin(moved, moved.c.order_id == Order.id)
        .outerjoin(refunded, refunded.c.order_id == Order.id)
        .where(func.coalesce(moved.c.taken, 0) != outstanding)
    )


# ---------------------------------------------------------------- 2. coupons (C1-C6)


@check(CouponRecord, "used if and only if a living order holds it")
def coupon_is_held_by_living_order() -> Broken:
    record = CouponRecord
    is_used = record.status == CouponStatus.USED
    return (
        select(record.id)
        .outerjoin(Order, Order.id == record.order_id)
        .where(or_(and_(is_used, _unless_true(Order.status.in_(LIVING))), and_(~is_used, record.order_id.is_not(None))))
    )


@check(CouponRecord, "used_time is set if and only if it is used")
def used_coupon_has_time() -> Broken:
    record = CouponRecord
    return select(record.id).where((record.status == CouponStatus.USED) != record.used_time.is_not(None))


@check(CouponRecord, "belongs to the account whose order holds it")
def coupon_is_used_by_owner() -> Broken:
    return (
        select(CouponRecord.id)
        .join(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.account_id != Order.account_id)
    )


@check(CouponRecord, "a bound coupon is held only by an order that contains its product")
def bound_coupon_sits_on_its_product() -> Broken:
    line = and_(OrderDetail.order_id == CouponRecord.order_id, OrderDetail.product_id == Coupon.product_id)
    return (
        select(CouponRecord.id)
        .join(CouponRecord.coupon)
        .outerjoin(OrderDetail, line)
        .where(CouponRecord.order_id.is_not(None), Coupon.product_id.is_not(None), OrderDetail.id.is_(None))
    )


@check(Order, "holds at most one site coupon, and at most one coupon per product")
def order_holds_one_coupon_per_place() -> Broken:
    # GROUP BY puts all site coupons, which have no product, into one group
    return (
        select(CouponRecord.order_id)
        .join(CouponRecord.coupon)
        .where(CouponRecord.order_id.is_not(None))
        .group_by(CouponRecord.order_id, Coupon.product_id)
        .having(func.count() > 1)
    )


@check(OrderDetail, "what is taken off an unrefunded line of a living order comes from a coupon that the order holds")
def discount_has_its_coupon() -> Broken:
    bound = and_(OrderDetail.price_fen < OrderDetail.original_price_fen, ~_holds(OrderDetail.product_id))
    site = and_(OrderDetail.site_discount_fen > 0, ~_holds(None))
    return (
        select(OrderDetail.id)
        .join(OrderDetail.order)
        .where(Order.status.in_(LIVING), or_(bound, site), ~_line_is_refunded())
    )


@check(Coupon, "claimed is the number of its records, and not more than quantity")
def claims_are_counted() -> Broken:
    return (
        select(Coupon.id)
        .outerjoin(CouponRecord, CouponRecord.coupon_id == Coupon.id)
        .group_by(Coupon.id)
        .having(or_(Coupon.claimed != func.count(CouponRecord.id), Coupon.claimed > Coupon.quantity))
    )


@check(CouponRecord, "an account has a coupon once")
def coupon_is_claimed_once() -> Broken:
    return _repeated(CouponRecord.id, CouponRecord.coupon_id, CouponRecord.account_id)


# ---------------------------------------------------------------- 3. orders and their lines (O1, O2, O5)


@check(Order, "due = list − discounts − 贝里, and nothing is negative")
def order_amounts_add_up() -> Broken:
    discounts = Order.course_discount_fen + Order.site_discount_fen
    parts = (Order.course_discount_fen, Order.site_discount_fen, Order.beli, Order.beli_fen, Order.actual_amount_fen)
    return select(Order.id).where(
        or_(Order.list_amount_fen - discounts - Order.beli_fen != Order.actual_amount_fen, *(p < 0 for p in parts))
    )


@check(OrderDetail, "0 ≤ due = price − site share − 贝里 share, and price ≤ list price")
def line_amounts_add_up() -> Broken:
    line = OrderDetail
    shares = (line.site_discount_fen, line.beli, line.beli_fen, line.actual_amount_fen)
    return select(line.id).where(
        or_(
            line.price_fen - line.site_discount_fen - line.beli_fen != line.actual_amount_fen,
            line.price_fen > line.original_price_fen,
            *(share < 0 for share in shares),
        )
    )


@check(Order, "has lines, and their shares add up to its amounts")
def lines_add_up_to_order() -> Broken:
    line = OrderDetail
    sums = (
        (line.original_price_fen, Order.list_amount_fen),
        (line.original_price_fen - line.price_fen, Order.course_discount_fen),
        (line.site_discount_fen, Order.site_discount_fen),
        (line.beli, Order.beli),
        (line.beli_fen, Order.beli_fen),
        (line.actual_amount_fen, Order.actual_amount_fen),
    )
    return (
        select(Order.id)
        .outerjoin(line, line.order_id == Order.id)
        .group_by(Order.id)
        .having(or_(func.count(line.id) == 0, *(func.sum(share) != amount for share, amount in sums)))
    )


@check(OrderDetail, "a product occurs once in an order")
def product_occurs_once_in_order() -> Broken:
    return _repeated(OrderDetail.id, OrderDetail.order_id, OrderDetail.product_id)


@check(OrderDetail, "names its owner as long as its order is unpaid, and nobody afterwards")
def unpaid_line_names_its_owner() -> Broken:
    expected = case((Order.status == OrderStatus.PENDING, Order.account_id))
    return (
        select(OrderDetail.id).join(OrderDetail.order).where(OrderDetail.pending_account_id.is_distinct_from(expected))
    )


@check(OrderDetail, "an account has one unpaid order for a product")
def product_has_one_unpaid_order() -> Broken:
    pending = Order.status == OrderStatus.PENDING
    return _repeated(OrderDetail.id, Order.account_id, OrderDetail.product_id, join=OrderDetail.order, where=pending)


@check(Order, "pay_time and cancel_time agree with the state, and none is before the order")
def order_times_agree_with_state() -> Broken:
    never_paid = (OrderStatus.PENDING, *ENDED)
    return select(Order.id).where(
        or_(
            Order.status.in_(never_paid) == Order.pay_time.is_not(None),
            and_(Order.status == OrderStatus.PENDING, Order.cancel_time.is_not(None)),
            and_(Order.status.in_(ENDED), Order.cancel_time.is_(None)),
            Order.pay_time < Order.date,
            Order.cancel_time < Order.date,
        )
    )


# ---------------------------------------------------------------- 4. paid ⇔ payment ⇔ delivered (O3, O4, E1, E2)


@check(Order, "a paid order has one applied payment of its amount, or none when nothing was due")
def paid_order_has_its_payment() -> Broken:
    paid = (
        select(Payment.order_id, func.count().label("count"), func.sum(Payment.amount_fen).label("amount_fen"))
        .where(Payment.state == PaymentState.PAID)
        .group_by(Payment.order_id)
        .subquery()
    )
    count, amount_fen = func.coalesce(paid.c.count, 0), func.coalesce(paid.c.amount_fen, 0)
    expected = case((Order.actual_amount_fen > 0, 1), else_=0)
    return (
        select(Order.id)
        .outerjoin(paid, paid.c.order_id == Order.id)
        .where(Order.status.in_(ONCE_PAID), or_(count != expected, amount_fen != Order.actual_amount_fen))
    )


@check(Order, "payment_number is the trade that paid it, empty without one")
def payment_number_is_the_trade() -> Broken:
    applied = and_(Payment.order_id == Order.id, Payment.state == PaymentState.PAID)
    return (
        select(Order.id)
        .outerjoin(Payment, applied)
        .where(Order.payment_number.is_distinct_from(Payment.trade_no))
        .distinct()
    )


@check(Payment, "has trade_no and paid_time if and only if its money was received")
def received_payment_has_its_trade() -> Broken:
    is_received = Payment.state.in_(RECEIVED)
    return select(Payment.id).where(
        or_(is_received != Payment.trade_no.is_not(None), is_received != Payment.paid_time.is_not(None))
    )


@check(Payment, "one trade pays one attempt")
def trade_pays_one_attempt() -> Broken:
    return _repeated(Payment.id, Payment.trade_no, where=Payment.trade_no.is_not(None))


@check(Payment, "an attempt asks for what its order costs")
def attempt_asks_for_the_due() -> Broken:
    # an applied one of another amount is found by paid_order_has_its_payment
    return (
        select(Payment.id)
        .join(Payment.order)
        .where(Payment.state != PaymentState.PAID, Payment.amount_fen != Order.actual_amount_fen)
    )


@check(PaymentNotice, "a notice that was believed is found in its payment: received, by the same trade")
def believed_notice_is_in_its_payment() -> Broken:
    notice = PaymentNotice
    is_applied = and_(Payment.state.in_(RECEIVED), Payment.trade_no == notice.trade_no)
    return (
        select(notice.id)
        .outerjoin(Payment, Payment.id == notice.payment_id)
        .where(notice.verdict.in_(BELIEVED), _unless_true(is_applied))
    )


@check(OrderDetail, "every unrefunded line of a paid order is delivered to its buyer")
def paid_line_is_delivered() -> Broken:
    course, degree = EnrolledCourse, EnrolledDegreeCourse
    return (
        select(OrderDetail.id)
        .join(OrderDetail.order)
        .outerjoin(course, and_(_delivers(course, course.course_id), course.account_id == Order.account_id))
        .outerjoin(degree, and_(_delivers(degree, degree.degree_course_id), degree.account_id == Order.account_id))
        .where(Order.status.in_(PAID), course.id.is_(None), degree.id.is_(None), ~_line_is_refunded())
    )


@check(EnrolledCourse, "open access comes from an unrefunded line of the same person's paid order for that course")
def course_access_is_paid() -> Broken:
    return _unpaid_deliveries(EnrolledCourse, EnrolledCourse.course_id)


@check(EnrolledDegreeCourse, "comes from an unrefunded line of the same person's paid order for that degree")
def degree_enrolment_is_paid() -> Broken:
    return _unpaid_deliveries(EnrolledDegreeCourse, EnrolledDegreeCourse.degree_course_id)


# ---------------------------------------------------------------- 5. an order holds something only while it waits

# 贝里, coupons and lines of an ended order are looked at above.


@check(Payment, "an open attempt belongs to an unpaid order")
def open_attempt_is_of_unpaid_order() -> Broken:
    return (
        select(Payment.id)
        .join(Payment.order)
        .where(Payment.state == PaymentState.OPEN, Order.status != OrderStatus.PENDING)
    )


@check(Order, "an unpaid order has something due and one open attempt at it")
def unpaid_order_can_be_paid() -> Broken:
    attempts = and_(Payment.order_id == Order.id, Payment.state == PaymentState.OPEN)
    return (
        select(Order.id)
        .outerjoin(Payment, attempts)
        .where(Order.status == OrderStatus.PENDING)
        .group_by(Order.id)
        .having(or_(Order.actual_amount_fen == 0, func.count(Payment.id) != 1))
    )


# ---------------------------------------------------------------- 6. money in, money back (R1-R3, G1)


@check(Order, "money received = money on paid orders + refunded + waiting at the desk")
def received_money_has_a_home() -> Broken:
    is_surplus = Payment.state == PaymentState.SURPLUS
    received = _money(Payment.order_id, Payment.amount_fen, is_surplus).where(Payment.state.in_(RECEIVED))
    back = _money(Refund.order_id, Refund.amount_fen, is_surplus).where(Refund.state == RefundState.DONE)
    came = received.group_by(Payment.order_id).subquery()
    went = back.join(Payment, Payment.id == Refund.payment_id).group_by(Refund.order_id).subquery()
    in_all, surplus = func.coalesce(came.c.in_all, 0), func.coalesce(came.c.surplus, 0)
    refunded, refunded_surplus = func.coalesce(went.c.in_all, 0), func.coalesce(went.c.surplus, 0)
    kept = case((Order.status.in_(ONCE_PAID), Order.actual_amount_fen - (refunded - refunded_surplus)), else_=0)
    waiting = surplus - refunded_surplus
    return (
        select(Order.id)
        .outerjoin(came, came.c.order_id == Order.id)
        .outerjoin(went, went.c.order_id == Order.id)
        .where(in_all != kept + refunded + waiting)
    )


@check(Payment, "what is or will be refunded of a payment was received by it")
def refunds_are_within_payment() -> Broken:
    received = case((Payment.state.in_(RECEIVED), Payment.amount_fen), else_=0)
    return (
        select(Payment.id)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Refund.state.not_in(GIVEN_UP))
        .group_by(Payment.id)
        .having(func.sum(Refund.amount_fen) > received)
    )


@check(OrderDetail, "refunds never exceed what the line cost, in cash and in 贝里")
def refunds_are_within_line() -> Broken:
    return (
        select(OrderDetail.id)
        .join(RefundDetail, RefundDetail.order_detail_id == OrderDetail.id)
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(Refund.state.not_in(GIVEN_UP))
        .group_by(OrderDetail.id)
        .having(
            or_(
                func.sum(RefundDetail.amount_fen) > OrderDetail.actual_amount_fen,
                func.sum(RefundDetail.beli) > OrderDetail.beli,
            )
        )
    )


@check(Refund, "is the sum of its lines; one of surplus money has no lines")
def refund_is_sum_of_its_lines() -> Broken:
    is_surplus = func.coalesce(Payment.state, PaymentState.PAID) == PaymentState.SURPLUS
    lines = RefundDetail
    differs = or_(
        Refund.amount_fen != func.coalesce(func.sum(lines.amount_fen), 0),
        Refund.beli != func.coalesce(func.sum(lines.beli), 0),
    )
    return (
        select(Refund.id)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .outerjoin(lines, lines.refund_id == Refund.id)
        .group_by(Refund.id, Payment.state)
        .having(or_(and_(is_surplus, func.count(lines.id) > 0), and_(~is_surplus, differs)))
    )


@check(Refund, "has a number; payment and lines are of its own order")
def refund_is_of_one_order() -> Broken:
    return (
        select(Refund.id)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .outerjoin(RefundDetail, RefundDetail.refund_id == Refund.id)
        .outerjoin(OrderDetail, OrderDetail.id == RefundDetail.order_detail_id)
        .where(
            or_(
                Refund.out_request_no == "",
                Payment.order_id != Refund.order_id,
                OrderDetail.order_id != Refund.order_id,
            )
        )
        .distinct()
    )


@check(Order, "is 已退费 if and only if every line of it was refunded")
def refunded_order_has_every_line_refunded() -> Broken:
    left = select(OrderDetail.id).where(OrderDetail.order_id == Order.id, ~_line_is_refunded()).exists()
    return select(Order.id).where(Order.status.in_(ONCE_PAID), (Order.status == OrderStatus.REFUNDED) == left)


# ---------------------------------------------------------------- 7. degrees (E3, E4)


@check(EnrolledDegreeCourse, "an account is enrolled once in a degree")
def degree_is_enrolled_once() -> Broken:
    row = EnrolledDegreeCourse
    return _repeated(row.id, row.account_id, row.degree_course_id, where=row.closed_time.is_(None))


@check(EnrolledDegreeCourse, "has a study record for each module of its degree")
def every_module_has_its_study_record() -> Broken:
    row = EnrolledDegreeCourse
    record = and_(StudyRecord.enrolled_degree_course_id == row.id, StudyRecord.course_module_id == _course.c.id)
    return (
        select(row.id)
        .join(_course, _course.c.degree_course_id == row.degree_course_id)
        .outerjoin(StudyRecord, record)
        .where(row.closed_time.is_(None), StudyRecord.id.is_(None))
        .distinct()
    )


@check(StudyRecord, "is for a module of the degree enrolled in")
def study_record_is_of_its_degree() -> Broken:
    row = EnrolledDegreeCourse
    return (
        select(StudyRecord.id)
        .join(row, row.id == StudyRecord.enrolled_degree_course_id)
        .join(_course, _course.c.id == StudyRecord.course_module_id)
        .where(_course.c.degree_course_id.is_distinct_from(row.degree_course_id))
    )


# ---------------------------------------------------------------- 8. mentors (M1, M2 as far as they exist)


@check(EnrolledDegreeCourse, "the mentor's fee is not below 0")
def mentor_fee_is_not_negative() -> Broken:
    return select(EnrolledDegreeCourse.id).where(EnrolledDegreeCourse.mentor_fee_balance < 0)


@check(ScoreRecord, "is paid out at most once, and only when applied")
def score_record_is_applied_once() -> Broken:
    return (
        select(ScoreRecord.id)
        .join(TransactionRecord, TransactionRecord.score_record_id == ScoreRecord.id)
        .group_by(ScoreRecord.id)
        .having(or_(func.count() > 1, ScoreRecord.applied == false()))
    )


# ---------------------------------------------------------------- what is no fault, but waits for somebody


def orders_waiting_since(deadline: datetime) -> Broken:
    """Unpaid orders that should have ended before this instant (O6). Alipay may not be there to be asked (design 8)."""
    return select(Order.id).where(Order.status == OrderStatus.PENDING, Order.expires_at < deadline)


def money_at_the_desk() -> Broken:
    """Payments that no order could use and that are not refunded in full yet."""
    done = and_(Refund.payment_id == Payment.id, Refund.state == RefundState.DONE)
    return (
        select(Payment.id)
        .outerjoin(Refund, done)
        .where(Payment.state == PaymentState.SURPLUS)
        .group_by(Payment.id)
        .having(Payment.amount_fen > func.coalesce(func.sum(Refund.amount_fen), 0))
    )


# ---------------------------------------------------------------- parts of the queries


def _signed_amount() -> ColumnElement[int]:
    """What a transaction record adds to a balance."""
    record = TransactionRecord
    income = [kind for kind in TransactionType if kind.sign > 0]
    return case((record.transaction_type.in_(income), record.amount), else_=-record.amount)


def _unless_true(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """NOT that also holds where an outer join found no row."""
    return func.coalesce(condition, false()) == false()


def _repeated(row_id: Any, *key: Any, join: Any = None, where: Any = None) -> Broken:
    """The later ones of rows that have the same key."""
    number = func.row_number().over(partition_by=key, order_by=row_id).label("number")
    query = select(row_id.label("id"), number)
    if join is not None:
        query = query.join(join)
    if where is not None:
        query = query.where(where)
    rows = query.subquery()
    return select(rows.c.id).where(rows.c.number > 1)


def _holds(product_id: Any) -> Exists:
    """Whether the order holds a coupon for this product, or a site coupon for None."""
    fits = Coupon.product_id.is_(None) if product_id is None else Coupon.product_id == product_id
    return (
        select(CouponRecord.id)
        .join(CouponRecord.coupon)
        .where(CouponRecord.order_id == Order.id, fits)
        .correlate(Order, OrderDetail)
        .exists()
    )


def _line_is_refunded() -> Exists:
    return (
        select(RefundDetail.id)
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(RefundDetail.order_detail_id == OrderDetail.id, Refund.state == RefundState.DONE)
        .correlate(OrderDetail)
        .exists()
    )


def _delivers(enrolment: Any, product_id: Any) -> ColumnElement[bool]:
    """The living enrolment that a line opened."""
    line = OrderDetail
    return and_(enrolment.order_detail_id == line.id, product_id == line.product_id, enrolment.closed_time.is_(None))


def _unpaid_deliveries(enrolment: Any, product_id: Any) -> Broken:
    """Living enrolments without their paid line."""
    is_paid = and_(
        Order.status.in_(PAID), Order.account_id == enrolment.account_id, OrderDetail.product_id == product_id
    )
    return (
        select(enrolment.id)
        .join(OrderDetail, OrderDetail.id == enrolment.order_detail_id)
        .join(OrderDetail.order)
        .where(enrolment.closed_time.is_(None), or_(~is_paid, _line_is_refunded()))
    )


def _money(order_id: Any, amount_fen: Any, is_surplus: ColumnElement[bool]) -> Select[Any]:
    """Sums per order: in all, and of money that the order could not use."""
    surplus = func.sum(case((is_surplus, amount_fen), else_=0)).label("surplus")
    return select(order_id, func.sum(amount_fen).label("in_all"), surplus)
