"""Faults planted by hand, at least one per check of the audit, each in rows that the services would never write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import (
    CouponStatus,
    OrderStatus,
    PaymentState,
    RefundState,
    Rule,
    TransactionType,
)
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Refund,
    RefundDetail,
    ScoreRecord,
    ScoreRule,
    StudyRecord,
    TransactionRecord,
)


@dataclass(frozen=True)
class Shop:
    """What two students did, honestly: ids."""

    buyer: int
    other: int
    paid: int  # two courses with a bound coupon, a site coupon and 贝里; paid by Alipay
    degree: int  # all of it paid with 贝里
    pending: int  # a course, with 贝里 and a coupon held
    ended: int  # the same, cancelled
    modules: tuple[int, int]
    foreign_course: int  # of no order


Plant = Callable[[Session, Shop], dict[str, list[int]]]
PLANTS: list[Plant] = []


def plant(function: Plant) -> Plant:
    """Collect a fault. It returns everything that the audit must find because of it; each check has one of its name."""
    PLANTS.append(function)
    return function


def change(session: Session, model: Any, row_id: int, **values: Any) -> list[int]:
    session.execute(update(model.__table__).where(model.__table__.c.id == row_id).values(values))
    return [row_id]


def put(session: Session, model: Any, **values: Any) -> int:
    """A new row; returns its id."""
    table = model.__table__
    row_id = (session.scalar(select(func.max(table.c.id))) or 0) + 1
    session.execute(insert(table).values({"id": row_id, **values}))
    return row_id


def copy(session: Session, model: Any, row_id: int, **values: Any) -> int:
    """A second row like this one; returns its id."""
    table = model.__table__
    row = session.execute(select(table).where(table.c.id == row_id)).mappings().one()
    return put(session, model, **{name: value for name, value in row.items() if name != "id"} | values)


def id_of(session: Session, model: Any, *where: Any) -> int:
    """The first row that is so."""
    row_id = session.scalars(select(model.id).where(*where).order_by(model.id)).first()
    assert row_id is not None
    return row_id


def line_of(session: Session, order_id: int) -> int:
    return id_of(session, OrderDetail, OrderDetail.order_id == order_id)


def attempt_of(session: Session, order_id: int) -> int:
    return id_of(session, Payment, Payment.order_id == order_id)


def record_of(session: Session, order_id: int) -> int:
    """The 贝里 taken for an order."""
    return id_of(session, TransactionRecord, TransactionRecord.order_id == order_id)


def coupon_of(session: Session, order_id: int, *, bound: bool) -> int:
    is_bound = Coupon.product_id.is_not(None) if bound else Coupon.product_id.is_(None)
    query = select(CouponRecord.id).join(CouponRecord.coupon).where(CouponRecord.order_id == order_id, is_bound)
    return session.scalars(query).one()


def refund(session: Session, shop: Shop, state: RefundState = RefundState.DONE, **values: Any) -> int:
    """The first line of the paid order refunded by the rules: cash, 贝里 and access."""
    line = session.execute(select(OrderDetail.__table__).where(OrderDetail.id == line_of(session, shop.paid))).one()
    attempt = attempt_of(session, shop.paid)
    amounts = {"amount_fen": line.actual_amount_fen, "beli": line.beli}
    row_id = put(
        session,
        Refund,
        **{
            "order_id": shop.paid,
            "payment_id": attempt,
            "out_request_no": f"R{attempt}",
            "state": state,
            **amounts,
            **values,
        },
    )
    put(session, RefundDetail, refund_id=row_id, order_detail_id=line.id, **amounts)
    if state is not RefundState.DONE:
        return row_id
    balance = session.scalars(select(Account.balance).where(Account.id == shop.buyer)).one() + line.beli
    change(session, Account, shop.buyer, balance=balance)
    put(
        session,
        TransactionRecord,
        account_id=shop.buyer,
        amount=line.beli,
        balance_after=balance,
        transaction_type=TransactionType.REFUND,
        transaction_number="back",
        order_id=shop.paid,
        refund_id=row_id,
    )
    session.execute(
        update(EnrolledCourse.__table__)
        .where(EnrolledCourse.__table__.c.order_detail_id == line.id)
        .values(closed_time=clock.now())
    )
    return row_id


@plant
def balance_is_sum_of_records(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"balance_is_sum_of_records": change(session, Account, shop.other, balance=6)}


@plant
def balance_is_not_negative(session: Session, shop: Shop) -> dict[str, list[int]]:
    put(
        session,
        TransactionRecord,
        account_id=shop.other,
        amount=6,
        balance_after=-1,
        transaction_type=TransactionType.WITHDRAWAL,
        transaction_number="too much",
    )
    record = id_of(session, TransactionRecord, TransactionRecord.transaction_number == "too much")
    rows = change(session, Account, shop.other, balance=-1)
    return {"balance_is_not_negative": rows, "record_is_sound": [record]}


@plant
def record_is_sound(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"record_is_sound": change(session, TransactionRecord, record_of(session, shop.paid), transaction_number="")}


@plant
def balance_after_continues(session: Session, shop: Shop) -> dict[str, list[int]]:
    first = id_of(session, TransactionRecord, TransactionRecord.account_id == shop.other)
    return {"balance_after_continues": change(session, TransactionRecord, first, balance_after=6)}


@plant
def record_is_of_orders_owner(session: Session, shop: Shop) -> dict[str, list[int]]:
    moved = put(
        session,
        TransactionRecord,
        account_id=shop.other,
        amount=1,
        balance_after=4,
        transaction_type=TransactionType.EXPENSE,
        transaction_number="of another",
        order_id=shop.paid,
    )
    change(session, Account, shop.other, balance=4)
    return {"record_is_of_orders_owner": [moved], "beli_of_order_is_taken_once": [shop.paid]}


@plant
def order_is_paid_by_a_withdrawal(session: Session, shop: Shop) -> dict[str, list[int]]:
    taken = record_of(session, shop.paid)
    kind = TransactionType.WITHDRAWAL
    return {"record_is_of_orders_owner": change(session, TransactionRecord, taken, transaction_type=kind)}


@plant
def beli_of_order_is_taken_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The cancelled order gives its 10 贝里 back a second time."""
    balance = session.scalars(select(Account.balance).where(Account.id == shop.buyer)).one() + 10
    put(
        session,
        TransactionRecord,
        account_id=shop.buyer,
        amount=10,
        balance_after=balance,
        transaction_type=TransactionType.REFUND,
        transaction_number="again",
        order_id=shop.ended,
    )
    change(session, Account, shop.buyer, balance=balance)
    return {"beli_of_order_is_taken_once": [shop.ended]}


@plant
def coupon_is_held_by_living_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The cancelled order keeps its coupon."""
    freed = id_of(session, CouponRecord, CouponRecord.status == CouponStatus.UNUSED)
    values = {"status": CouponStatus.USED, "order_id": shop.ended, "used_time": clock.now()}
    return {"coupon_is_held_by_living_order": change(session, CouponRecord, freed, **values)}


@plant
def coupon_of_an_order_is_unused(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A coupon can be used again although a paid order has it."""
    held = coupon_of(session, shop.paid, bound=True)
    rows = change(session, CouponRecord, held, status=CouponStatus.UNUSED, used_time=None)
    return {"coupon_is_held_by_living_order": rows}


@plant
def used_coupon_has_time(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = coupon_of(session, shop.paid, bound=True)
    return {"used_coupon_has_time": change(session, CouponRecord, held, used_time=None)}


@plant
def coupon_is_used_by_owner(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = coupon_of(session, shop.paid, bound=True)
    return {"coupon_is_used_by_owner": change(session, CouponRecord, held, account_id=shop.other)}


@plant
def bound_coupon_sits_on_its_product(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A coupon of another course takes its price off this one."""
    held = coupon_of(session, shop.paid, bound=True)
    coupon = session.scalars(select(CouponRecord.coupon_id).where(CouponRecord.id == held)).one()
    change(session, Coupon, coupon, product_id=shop.foreign_course)
    return {
        "bound_coupon_sits_on_its_product": [held],
        "discount_has_its_coupon": [line_of(session, shop.paid)],
    }


@plant
def order_holds_one_coupon_per_place(session: Session, shop: Shop) -> dict[str, list[int]]:
    freed = id_of(session, CouponRecord, CouponRecord.status == CouponStatus.UNUSED)  # a site coupon too
    change(session, CouponRecord, freed, status=CouponStatus.USED, order_id=shop.paid, used_time=clock.now())
    return {"order_holds_one_coupon_per_place": [shop.paid]}


@plant
def discount_has_its_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The coupon of a paid order is set free while its discount stays: it can be used a second time."""
    held = coupon_of(session, shop.pending, bound=True)
    change(session, CouponRecord, held, status=CouponStatus.UNUSED, order_id=None, used_time=None)
    return {"discount_has_its_coupon": [line_of(session, shop.pending)]}


@plant
def site_discount_without_a_site_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = coupon_of(session, shop.paid, bound=False)
    change(session, CouponRecord, held, status=CouponStatus.EXPIRED, order_id=None, used_time=None)
    lines = session.scalars(select(OrderDetail.id).where(OrderDetail.order_id == shop.paid).order_by(OrderDetail.id))
    return {"discount_has_its_coupon": list(lines)}


@plant
def claims_are_counted(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"claims_are_counted": change(session, Coupon, id_of(session, Coupon), claimed=2)}


@plant
def more_claims_than_coupons(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"claims_are_counted": change(session, Coupon, id_of(session, Coupon), quantity=0)}


@plant
def coupon_is_claimed_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    freed = id_of(session, CouponRecord, CouponRecord.status == CouponStatus.UNUSED)
    coupon = session.scalars(select(CouponRecord.coupon_id).where(CouponRecord.id == freed)).one()
    second = copy(session, CouponRecord, freed)
    change(session, Coupon, coupon, claimed=2)
    return {"coupon_is_claimed_once": [second]}


@plant
def order_amounts_add_up(session: Session, shop: Shop) -> dict[str, list[int]]:
    """贝里 worth a fen more than what their lines say."""
    rows = change(session, Order, shop.paid, beli_fen=5_001)
    return {"order_amounts_add_up": rows, "lines_add_up_to_order": rows}


@plant
def line_amounts_add_up(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A line below nothing, as the other one pays more for it."""
    first, second = session.scalars(
        select(OrderDetail.id).where(OrderDetail.order_id == shop.paid).order_by(OrderDetail.id)
    )
    change(session, OrderDetail, first, actual_amount_fen=OrderDetail.__table__.c.actual_amount_fen - 50_000)
    change(session, OrderDetail, second, actual_amount_fen=OrderDetail.__table__.c.actual_amount_fen + 50_000)
    return {"line_amounts_add_up": [first, second]}


@plant
def a_share_of_beli_is_negative(session: Session, shop: Shop) -> dict[str, list[int]]:
    first, second = session.scalars(
        select(OrderDetail.id).where(OrderDetail.order_id == shop.paid).order_by(OrderDetail.id)
    )
    change(session, OrderDetail, first, beli=-1)
    change(session, OrderDetail, second, beli=51)
    return {"line_amounts_add_up": [first]}


@plant
def a_discount_is_negative(session: Session, shop: Shop) -> dict[str, list[int]]:
    """8800 − 1300 + 500 − 1000 = 7000: the sums are right, the parts are not."""
    line = line_of(session, shop.ended)
    change(session, Order, shop.ended, course_discount_fen=1_300, site_discount_fen=-500)
    change(session, OrderDetail, line, price_fen=7_500, site_discount_fen=-500)
    return {"order_amounts_add_up": [shop.ended], "line_amounts_add_up": [line]}


@plant
def lines_add_up_to_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = line_of(session, shop.paid)
    change(session, OrderDetail, line, beli=0)
    return {"lines_add_up_to_order": [shop.paid]}


@plant
def order_without_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    empty = copy(
        session,
        Order,
        shop.ended,
        list_amount_fen=0,
        course_discount_fen=0,
        site_discount_fen=0,
        beli=0,
        beli_fen=0,
        actual_amount_fen=0,
    )
    return {"lines_add_up_to_order": [empty]}


@plant
def product_occurs_once_in_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = copy(session, OrderDetail, line_of(session, shop.ended))
    return {"product_occurs_once_in_order": [line], "lines_add_up_to_order": [shop.ended]}


@plant
def unpaid_line_names_its_owner(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The cancelled order still keeps its owner from buying the course."""
    rows = change(session, OrderDetail, line_of(session, shop.ended), pending_account_id=shop.buyer)
    return {"unpaid_line_names_its_owner": rows}


@plant
def unpaid_line_names_nobody(session: Session, shop: Shop) -> dict[str, list[int]]:
    rows = change(session, OrderDetail, line_of(session, shop.pending), pending_account_id=None)
    return {"unpaid_line_names_its_owner": rows}


@plant
def product_has_one_unpaid_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    free = {"course_discount_fen": 0, "beli": 0, "beli_fen": 0, "list_amount_fen": 4_050}
    order = copy(session, Order, shop.pending, order_number="twice", settlement_token="twice", **free)
    shares = {"original_price_fen": 4_050, "price_fen": 4_050, "beli": 0, "beli_fen": 0}
    line = copy(session, OrderDetail, line_of(session, shop.pending), order_id=order, **shares)
    copy(session, Payment, attempt_of(session, shop.pending), order_id=order, out_trade_no="twice")
    return {"product_has_one_unpaid_order": [line]}


@plant
def order_times_agree_with_state(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"order_times_agree_with_state": change(session, Order, shop.degree, pay_time=None)}


@plant
def pending_order_has_pay_time(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"order_times_agree_with_state": change(session, Order, shop.pending, pay_time=clock.now())}


@plant
def cancelled_order_has_no_cancel_time(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"order_times_agree_with_state": change(session, Order, shop.ended, cancel_time=None)}


@plant
def pending_order_has_cancel_time(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"order_times_agree_with_state": change(session, Order, shop.pending, cancel_time=clock.now())}


@plant
def order_was_cancelled_before_it_was_placed(session: Session, shop: Shop) -> dict[str, list[int]]:
    early = clock.now() - timedelta(days=1)
    return {"order_times_agree_with_state": change(session, Order, shop.ended, cancel_time=early)}


@plant
def order_was_paid_before_it_was_placed(session: Session, shop: Shop) -> dict[str, list[int]]:
    early = clock.now() - timedelta(days=1)
    return {"order_times_agree_with_state": change(session, Order, shop.paid, pay_time=early)}


@plant
def paid_order_has_its_payment(session: Session, shop: Shop) -> dict[str, list[int]]:
    """An order marked as paid whose attempt was closed without money."""
    attempt = attempt_of(session, shop.paid)
    change(session, Payment, attempt, state=PaymentState.CLOSED, trade_no=None, paid_time=None)
    change(session, Order, shop.paid, payment_number=None)
    notice = id_of(session, PaymentNotice)
    return {
        "paid_order_has_its_payment": [shop.paid],
        "received_money_has_a_home": [shop.paid],
        "believed_notice_is_in_its_payment": [notice],
    }


@plant
def a_cent_less_was_taken_for_the_amount(session: Session, shop: Shop) -> dict[str, list[int]]:
    change(session, Payment, attempt_of(session, shop.paid), amount_fen=43_099)
    return {"paid_order_has_its_payment": [shop.paid], "received_money_has_a_home": [shop.paid]}


@plant
def payment_number_is_the_trade(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"payment_number_is_the_trade": change(session, Order, shop.paid, payment_number="another")}


@plant
def received_payment_has_its_trade(session: Session, shop: Shop) -> dict[str, list[int]]:
    rows = change(session, Payment, attempt_of(session, shop.paid), paid_time=None)
    return {"received_payment_has_its_trade": rows}


@plant
def trade_pays_one_attempt(session: Session, shop: Shop) -> dict[str, list[int]]:
    """One trade paid for the one order, and is kept as surplus of the other."""
    trade_no = session.scalars(select(Payment.trade_no).where(Payment.order_id == shop.paid)).one()
    late = attempt_of(session, shop.ended)
    rows = change(session, Payment, late, state=PaymentState.SURPLUS, trade_no=trade_no, paid_time=clock.now())
    return {"trade_pays_one_attempt": rows}


@plant
def attempt_asks_for_the_due(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"attempt_asks_for_the_due": change(session, Payment, attempt_of(session, shop.pending), amount_fen=1)}


@plant
def believed_notice_is_in_its_payment(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A notice was acknowledged to Alipay and its money then forgotten."""
    notice = copy(session, PaymentNotice, id_of(session, PaymentNotice), payment_id=attempt_of(session, shop.pending))
    return {"believed_notice_is_in_its_payment": [notice]}


@plant
def paid_line_is_delivered(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = line_of(session, shop.paid)
    enrolment = id_of(session, EnrolledCourse, EnrolledCourse.order_detail_id == line)
    change(session, EnrolledCourse, enrolment, closed_time=clock.now())
    return {"paid_line_is_delivered": [line]}


@plant
def degree_is_delivered_to_somebody_else(session: Session, shop: Shop) -> dict[str, list[int]]:
    rows = change(session, EnrolledDegreeCourse, id_of(session, EnrolledDegreeCourse), account_id=shop.other)
    return {"paid_line_is_delivered": [line_of(session, shop.degree)], "degree_enrolment_is_paid": rows}


@plant
def course_access_is_paid(session: Session, shop: Shop) -> dict[str, list[int]]:
    """An unpaid order opens its course."""
    line = line_of(session, shop.pending)
    course = session.scalars(select(OrderDetail.product_id).where(OrderDetail.id == line)).one()
    opened = copy(session, EnrolledCourse, id_of(session, EnrolledCourse), order_detail_id=line, course_id=course)
    return {"course_access_is_paid": [opened]}


@plant
def course_stays_open_after_its_refund(session: Session, shop: Shop) -> dict[str, list[int]]:
    refund(session, shop)
    line = line_of(session, shop.paid)
    enrolment = id_of(session, EnrolledCourse, EnrolledCourse.order_detail_id == line)
    return {"course_access_is_paid": change(session, EnrolledCourse, enrolment, closed_time=None)}


@plant
def degree_enrolment_is_paid(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The degree of one order is opened a second time by the line of a course."""
    line = line_of(session, shop.paid)
    first = id_of(session, EnrolledDegreeCourse)
    second = copy(session, EnrolledDegreeCourse, first, order_detail_id=line, account_id=shop.buyer)
    for module in shop.modules:
        put(session, StudyRecord, enrolled_degree_course_id=second, course_module_id=module)
    return {"degree_enrolment_is_paid": [second], "degree_is_enrolled_once": [second]}


@plant
def open_attempt_is_of_unpaid_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The buyer can still pay for the cancelled order."""
    rows = change(session, Payment, attempt_of(session, shop.ended), state=PaymentState.OPEN)
    return {"open_attempt_is_of_unpaid_order": rows}


@plant
def unpaid_order_can_be_paid(session: Session, shop: Shop) -> dict[str, list[int]]:
    change(session, Payment, attempt_of(session, shop.pending), state=PaymentState.CLOSED)
    return {"unpaid_order_can_be_paid": [shop.pending]}


@plant
def an_unpaid_order_has_nothing_due(session: Session, shop: Shop) -> dict[str, list[int]]:
    nothing = {"beli": 0, "beli_fen": 0}
    values = {"order_number": "free", "settlement_token": "free", "list_amount_fen": 0, **nothing}
    order = copy(session, Order, shop.degree, status=OrderStatus.PENDING, pay_time=None, **values)
    shares = {"original_price_fen": 0, "price_fen": 0, "pending_account_id": shop.buyer, **nothing}
    copy(session, OrderDetail, line_of(session, shop.degree), order_id=order, **shares)
    copy(session, Payment, attempt_of(session, shop.pending), order_id=order, out_trade_no="free", amount_fen=0)
    return {"unpaid_order_can_be_paid": [order]}


@plant
def received_money_has_a_home(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Money came for an order that ended, and waits nowhere."""
    late = attempt_of(session, shop.ended)
    change(session, Payment, late, state=PaymentState.PAID, trade_no="late", paid_time=clock.now())
    change(session, Order, shop.ended, payment_number="late")
    return {"received_money_has_a_home": [shop.ended]}


@plant
def refunds_are_within_payment(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Surplus money is returned twice."""
    late = attempt_of(session, shop.ended)
    change(session, Payment, late, state=PaymentState.SURPLUS, trade_no="late", paid_time=clock.now())
    for number in ("first", "second"):
        values = {"order_id": shop.ended, "payment_id": late, "out_request_no": number}
        put(session, Refund, amount_fen=7_000, state=RefundState.DONE, **values)
    return {"refunds_are_within_payment": [late]}


@plant
def refunds_are_within_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A line is asked back a second time while the first refund is under way."""
    line = line_of(session, shop.paid)
    change(session, Order, shop.paid, status=OrderStatus.REFUND_REQUESTED)
    small = {"amount_fen": 1, "beli": 0}
    refund(session, shop, RefundState.IN_TRANSIT)
    second = put(
        session,
        Refund,
        order_id=shop.paid,
        payment_id=attempt_of(session, shop.paid),
        out_request_no="second",
        state=RefundState.REQUESTED,
        **small,
    )
    put(session, RefundDetail, refund_id=second, order_detail_id=line, **small)
    return {"refunds_are_within_line": [line]}


@plant
def refund_is_sum_of_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_sum_of_its_lines": [refund(session, shop, RefundState.REQUESTED, amount_fen=1)]}


@plant
def refund_gives_back_less_beli_than_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_sum_of_its_lines": [refund(session, shop, RefundState.REQUESTED, beli=0)]}


@plant
def refund_of_surplus_money_counts_for_a_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The line would seem to be refunded, although nothing that it cost came back."""
    late = attempt_of(session, shop.ended)
    change(session, Payment, late, state=PaymentState.SURPLUS, trade_no="late", paid_time=clock.now())
    amount = {"amount_fen": 7_000, "beli": 0}
    row = put(session, Refund, order_id=shop.ended, payment_id=late, out_request_no="late", **amount)
    put(session, RefundDetail, refund_id=row, order_detail_id=line_of(session, shop.ended), **amount)
    return {"refund_is_sum_of_its_lines": [row]}


@plant
def refund_takes_the_money_of_another_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    other = attempt_of(session, shop.pending)
    row = refund(session, shop, RefundState.REQUESTED, payment_id=other)
    return {"refund_is_of_one_order": [row], "refunds_are_within_payment": [other]}


@plant
def refund_is_for_a_line_of_another_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    row, line = refund(session, shop, RefundState.REQUESTED), line_of(session, shop.degree)
    detail = id_of(session, RefundDetail, RefundDetail.refund_id == row)
    change(session, RefundDetail, detail, order_detail_id=line)
    return {"refund_is_of_one_order": [row], "refunds_are_within_line": [line]}


@plant
def refund_has_no_number(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_of_one_order": [refund(session, shop, RefundState.REQUESTED, out_request_no="")]}


@plant
def refund_is_of_one_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_of_one_order": [refund(session, shop, RefundState.REQUESTED, order_id=shop.degree)]}


@plant
def refunded_order_has_every_line_refunded(session: Session, shop: Shop) -> dict[str, list[int]]:
    """One line of two is refunded: the order is not."""
    refund(session, shop)
    change(session, Order, shop.paid, status=OrderStatus.REFUNDED)
    second = id_of(session, EnrolledCourse, EnrolledCourse.closed_time.is_(None))
    coupons = [coupon_of(session, shop.paid, bound=bound) for bound in (True, False)]
    return {
        "refunded_order_has_every_line_refunded": [shop.paid],
        "course_access_is_paid": [second],
        "coupon_is_held_by_living_order": sorted(coupons),
    }


@plant
def degree_is_enrolled_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A second order for the same degree was paid and delivered."""
    values = {"list_amount_fen": 0, "beli": 0, "beli_fen": 0}
    order = copy(session, Order, shop.degree, order_number="second", settlement_token="second", **values)
    shares = {"original_price_fen": 0, "price_fen": 0, "beli": 0, "beli_fen": 0}
    line = copy(session, OrderDetail, line_of(session, shop.degree), order_id=order, **shares)
    second = copy(session, EnrolledDegreeCourse, id_of(session, EnrolledDegreeCourse), order_detail_id=line)
    for module in shop.modules:
        put(session, StudyRecord, enrolled_degree_course_id=second, course_module_id=module)
    return {"degree_is_enrolled_once": [second]}


@plant
def every_module_has_its_study_record(session: Session, shop: Shop) -> dict[str, list[int]]:
    record = StudyRecord.__table__
    session.execute(record.delete().where(record.c.course_module_id == shop.modules[0]))
    return {"every_module_has_its_study_record": [id_of(session, EnrolledDegreeCourse)]}


@plant
def study_record_is_of_its_degree(session: Session, shop: Shop) -> dict[str, list[int]]:
    record = copy(session, StudyRecord, id_of(session, StudyRecord), course_module_id=shop.foreign_course)
    return {"study_record_is_of_its_degree": [record]}


@plant
def mentor_fee_is_not_negative(session: Session, shop: Shop) -> dict[str, list[int]]:
    rows = change(session, EnrolledDegreeCourse, id_of(session, EnrolledDegreeCourse), mentor_fee_balance=-1)
    return {"mentor_fee_is_not_negative": rows}


@plant
def score_record_is_applied_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    score = a_score(session, shop, applied=True, applied_date=clock.now())
    pay_out(session, shop, score, balance_after=10)
    pay_out(session, shop, score, balance_after=15)
    return {"score_record_is_applied_once": [score]}


@plant
def score_record_is_paid_out_before_it_is_applied(session: Session, shop: Shop) -> dict[str, list[int]]:
    score = a_score(session, shop, applied=False)
    pay_out(session, shop, score, balance_after=10)
    return {"score_record_is_applied_once": [score]}


def a_score(session: Session, shop: Shop, **values: Any) -> int:
    enrolment = id_of(session, EnrolledDegreeCourse)
    rule = put(session, ScoreRule, rule=Rule.HOMEWORK_SCORE, score=5)
    row = {"account_id": shop.other, "enrolled_degree_course_id": enrolment, "score_rule_id": rule, "score": 5}
    return put(session, ScoreRecord, **row, **values)


def pay_out(session: Session, shop: Shop, score: int, *, balance_after: int) -> None:
    put(
        session,
        TransactionRecord,
        account_id=shop.other,
        amount=5,
        balance_after=balance_after,
        transaction_type=TransactionType.INCOME,
        transaction_number=f"score {balance_after}",
        score_record_id=score,
    )
    change(session, Account, shop.other, balance=balance_after)
