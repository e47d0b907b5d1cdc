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
    GiftKind,
    GiftState,
    OrderStatus,
    PaymentState,
    RefundCause,
    RefundState,
    TransactionType,
    TroubleKind,
)
from shop.models import (
    Account,
    Coupon,
    CouponCode,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Gift,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Refund,
    RefundDetail,
    StudyRecord,
    TransactionRecord,
    Trouble,
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
    """The first line of the paid order refunded by the rules: cash, 贝里, its coupon, access. Or on its way there."""
    line = session.execute(select(OrderDetail.__table__).where(OrderDetail.id == line_of(session, shop.paid))).one()
    amounts = {"amount_fen": line.actual_amount_fen, "beli": line.beli}
    values = {"order_id": shop.paid, "payment_id": attempt_of(session, shop.paid), **values}
    row_id = a_refund(session, **{"state": state, **amounts, **values})
    put(session, RefundDetail, refund_id=row_id, order_detail_id=line.id, **amounts)
    if state is not RefundState.DONE:
        change(session, Order, shop.paid, status=OrderStatus.REFUND_REQUESTED)
        return row_id
    give_back(session, shop, line.beli, order_id=shop.paid, refund_id=row_id)
    change(session, CouponRecord, line.coupon_record_id, status=CouponStatus.UNUSED, order_id=None, used_time=None)
    session.execute(
        update(EnrolledCourse.__table__)
        .where(EnrolledCourse.__table__.c.order_detail_id == line.id)
        .values(closed_time=clock.now())
    )
    return row_id


def a_refund(session: Session, order_id: int, payment_id: int, **values: Any) -> int:
    """A refund without lines; by a student, and done, unless told otherwise."""
    values = {"cause": RefundCause.STUDENT, "state": RefundState.DONE, "beli": 0, **values}
    moving = values["state"] in (RefundState.APPROVED, RefundState.IN_TRANSIT)
    return put(
        session,
        Refund,
        **{
            "order_id": order_id,
            "payment_id": payment_id,
            "out_request_no": f"R{payment_id}",
            "done_time": clock.now() if values["state"] is RefundState.DONE else None,
            "next_try_time": clock.now() if moving else None,
            **values,
        },
    )


def give_back(session: Session, shop: Shop, beli: int, **values: Any) -> None:
    """贝里 for the buyer, with their record."""
    balance = session.scalars(select(Account.balance).where(Account.id == shop.buyer)).one() + beli
    change(session, Account, shop.buyer, balance=balance)
    row = {"account_id": shop.buyer, "amount": beli, "balance_after": balance, "transaction_number": f"back {balance}"}
    put(session, TransactionRecord, transaction_type=TransactionType.REFUND, **row, **values)


def surplus(session: Session, shop: Shop, **values: Any) -> tuple[int, int]:
    """Money that came for the cancelled order after its end, and the refund that takes it back."""
    late = attempt_of(session, shop.ended)
    received = {"state": PaymentState.SURPLUS, "trade_no": "late", "paid_time": clock.now()}
    change(session, Payment, late, **received, next_ask_time=None)
    row = {"cause": RefundCause.LATE, "amount_fen": 7_000, "out_request_no": "late", **values}
    return late, a_refund(session, shop.ended, late, **row)


def a_trouble(session: Session, shop: Shop) -> tuple[int, int]:
    """60.00 yuan came for the unpaid order that costs 40.50, and go back; nothing of it is in the order's books."""
    attempt = attempt_of(session, shop.pending)
    row = {"kind": TroubleKind.WRONG_AMOUNT, "payment_id": attempt, "out_trade_no": "x", "trade_no": "wrong"}
    trouble = put(session, Trouble, **row, out_request_no="", amount_fen=6_000, found_by="notice", resolution="")
    back = {"cause": RefundCause.WRONG_AMOUNT, "trouble_id": trouble, "amount_fen": 6_000}
    return trouble, a_refund(session, shop.pending, attempt, out_request_no="wrong", **back)


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
    return {
        "record_is_of_orders_owner": [moved],
        "beli_is_taken_whole": [moved],
        "beli_of_order_is_taken_once": [shop.paid],
    }


@plant
def order_is_paid_by_a_withdrawal(session: Session, shop: Shop) -> dict[str, list[int]]:
    taken = record_of(session, shop.paid)
    kind = TransactionType.WITHDRAWAL
    return {"record_is_of_orders_owner": change(session, TransactionRecord, taken, transaction_type=kind)}


@plant
def beli_of_order_is_taken_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The cancelled order gives its 10 贝里 back a second time."""
    give_back(session, shop, 10, order_id=shop.ended)
    return {"beli_of_order_is_taken_once": [shop.ended]}


@plant
def record_number_is_its_own(session: Session, shop: Shop) -> dict[str, list[int]]:
    first = session.scalars(select(TransactionRecord.transaction_number).order_by(TransactionRecord.id)).first()
    taken = record_of(session, shop.paid)
    return {"record_number_is_its_own": change(session, TransactionRecord, taken, transaction_number=first)}


@plant
def beli_is_taken_whole(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The degree's 300 贝里 are taken in two parts: another order could be placed with the rest in between."""
    taken = record_of(session, shop.degree)
    later = session.scalars(select(TransactionRecord.id).where(TransactionRecord.id > taken)).all()
    for record in sorted(later, reverse=True):
        change(session, TransactionRecord, record, id=record + 1)
    values = {"id": taken + 1, "amount": 100, "transaction_number": "part"}
    copy(session, TransactionRecord, taken, **values)
    balance = TransactionRecord.__table__.c.balance_after
    change(session, TransactionRecord, taken, amount=200, balance_after=balance + 100)
    return {"beli_is_taken_whole": [taken, taken + 1]}


@plant
def refund_gives_its_beli_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The 贝里 of a refund come back, but by two records."""
    row = refund(session, shop)
    record = id_of(session, TransactionRecord, TransactionRecord.refund_id == row)
    change(session, TransactionRecord, record, amount=1, balance_after=TransactionRecord.__table__.c.balance_after - 40)
    total = session.scalars(select(TransactionRecord.balance_after).where(TransactionRecord.id == record)).one() + 40
    rest = {"amount": 40, "balance_after": total, "transaction_number": "rest"}
    copy(session, TransactionRecord, record, **rest)
    return {"refund_gives_its_beli_once": [row]}


@plant
def refund_gives_its_beli_before_it_is_done(session: Session, shop: Shop) -> dict[str, list[int]]:
    row = refund(session, shop, RefundState.IN_TRANSIT)
    give_back(session, shop, 41, order_id=shop.paid, refund_id=row)
    return {"refund_gives_its_beli_once": [row], "beli_of_order_is_taken_once": [shop.paid]}


@plant
def refund_gives_its_beli_without_naming_the_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    row = refund(session, shop)
    record = id_of(session, TransactionRecord, TransactionRecord.refund_id == row)
    change(session, TransactionRecord, record, order_id=None)
    return {"refund_gives_its_beli_once": [row], "beli_of_order_is_taken_once": [shop.paid]}


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
    change(session, CouponRecord, held, account_id=shop.other)
    return {"coupon_is_used_by_owner": [held], "line_names_fitting_coupons": [line_of(session, shop.paid)]}


@plant
def bound_coupon_sits_on_its_product(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A coupon of another course takes its price off this one."""
    held = coupon_of(session, shop.paid, bound=True)
    coupon = session.scalars(select(CouponRecord.coupon_id).where(CouponRecord.id == held)).one()
    change(session, Coupon, coupon, product_id=shop.foreign_course)
    return {
        "bound_coupon_sits_on_its_product": [held],
        "line_names_fitting_coupons": [line_of(session, shop.paid)],
    }


@plant
def order_holds_one_coupon_per_place(session: Session, shop: Shop) -> dict[str, list[int]]:
    freed = id_of(session, CouponRecord, CouponRecord.status == CouponStatus.UNUSED)  # a site coupon too
    change(session, CouponRecord, freed, status=CouponStatus.USED, order_id=shop.paid, used_time=clock.now())
    return {"order_holds_one_coupon_per_place": [shop.paid], "coupon_is_held_for_its_lines": [freed]}


@plant
def coupon_is_held_for_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The coupon of an unpaid order is set free while its discount stays: it can be used a second time."""
    held = coupon_of(session, shop.pending, bound=True)
    change(session, CouponRecord, held, status=CouponStatus.UNUSED, order_id=None, used_time=None)
    return {"coupon_is_held_for_its_lines": [held]}


@plant
def site_coupon_comes_back_with_the_first_of_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    refund(session, shop)
    held = coupon_of(session, shop.paid, bound=False)
    change(session, CouponRecord, held, status=CouponStatus.EXPIRED, order_id=None, used_time=None)
    return {"coupon_is_held_for_its_lines": [held]}


@plant
def coupon_stays_with_its_refunded_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = coupon_of(session, shop.paid, bound=True)
    refund(session, shop)
    change(session, CouponRecord, held, status=CouponStatus.USED, order_id=shop.paid, used_time=clock.now())
    return {"coupon_is_held_for_its_lines": [held]}


@plant
def coupon_serves_an_order_and_is_held_by_another(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = coupon_of(session, shop.paid, bound=False)
    change(session, CouponRecord, held, order_id=shop.pending)
    return {"coupon_is_held_for_its_lines": [held]}


@plant
def discount_has_its_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = line_of(session, shop.pending)
    held = coupon_of(session, shop.pending, bound=True)
    change(session, OrderDetail, line, coupon_record_id=None)
    return {"discount_has_its_coupon": [line], "coupon_is_held_for_its_lines": [held]}


@plant
def site_discount_without_a_site_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = line_of(session, shop.paid)
    return {"discount_has_its_coupon": change(session, OrderDetail, line, site_coupon_record_id=None)}


@plant
def line_names_fitting_coupons(session: Session, shop: Shop) -> dict[str, list[int]]:
    """What an ended order had was a coupon of the whole shop, and not one of this course."""
    line = line_of(session, shop.ended)
    site = session.scalars(select(OrderDetail.site_coupon_record_id).where(OrderDetail.id == line)).one()
    return {"line_names_fitting_coupons": change(session, OrderDetail, line, coupon_record_id=site)}


@plant
def line_names_a_bound_coupon_for_the_whole_shop(session: Session, shop: Shop) -> dict[str, list[int]]:
    line, bound = line_of(session, shop.ended), coupon_of(session, shop.paid, bound=True)
    return {"line_names_fitting_coupons": change(session, OrderDetail, line, site_coupon_record_id=bound)}


@plant
def line_names_the_coupon_of_somebody_else(session: Session, shop: Shop) -> dict[str, list[int]]:
    line = line_of(session, shop.ended)
    site = session.scalars(select(OrderDetail.site_coupon_record_id).where(OrderDetail.id == line)).one()
    change(session, CouponRecord, site, account_id=shop.other)
    return {"line_names_fitting_coupons": [line]}


@plant
def lines_share_one_site_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The two lines of one order were made cheaper by two site coupons."""
    spent = session.scalars(select(OrderDetail.site_coupon_record_id).where(OrderDetail.order_id == shop.ended)).one()
    change(session, OrderDetail, line_of(session, shop.paid), site_coupon_record_id=spent)
    return {"lines_share_one_site_coupon": [shop.paid], "coupon_is_held_for_its_lines": [spent]}


@plant
def coupon_serves_two_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    first, second = session.scalars(
        select(OrderDetail.id).where(OrderDetail.order_id == shop.paid).order_by(OrderDetail.id)
    )
    bound = session.scalars(select(OrderDetail.coupon_record_id).where(OrderDetail.id == first)).one()
    change(session, OrderDetail, second, coupon_record_id=bound)
    return {"lines_share_one_site_coupon": [shop.paid], "line_names_fitting_coupons": [second]}


@plant
def code_became_its_coupon(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Two codes, each reserved for the other student than the one who has its coupon, or good for another coupon."""
    held = coupon_of(session, shop.paid, bound=True)
    coupon = session.scalars(select(CouponRecord.coupon_id).where(CouponRecord.id == held)).one()
    reserved = put(session, CouponCode, code="A", coupon_id=coupon, account_id=shop.other, record_id=held)
    foreign = put(session, CouponCode, code="B", coupon_id=coupon + 1, record_id=held)
    put(session, CouponCode, code="C", coupon_id=coupon, account_id=shop.buyer, record_id=held)  # as it should be
    return {"code_became_its_coupon": [reserved, foreign]}


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
    shares = {"original_price_fen": 4_050, "price_fen": 4_050, "beli": 0, "beli_fen": 0, "coupon_record_id": None}
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
    return {"paid_order_has_its_payment": [shop.paid], "believed_notice_is_in_its_payment": [notice]}


@plant
def a_cent_less_was_taken_for_the_amount(session: Session, shop: Shop) -> dict[str, list[int]]:
    change(session, Payment, attempt_of(session, shop.paid), amount_fen=43_099)
    return {"paid_order_has_its_payment": [shop.paid]}


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
    late, _ = surplus(session, shop)
    return {"trade_pays_one_attempt": change(session, Payment, late, trade_no=trade_no)}


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
    return {
        "degree_enrolment_is_paid": [second],
        "degree_is_enrolled_once": [second],
        "line_is_delivered_once": [line],
    }


@plant
def line_is_delivered_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Delivered a second time, when the first is over."""
    line = line_of(session, shop.paid)
    first = id_of(session, EnrolledCourse, EnrolledCourse.order_detail_id == line)
    copy(session, EnrolledCourse, first, closed_time=clock.now())
    return {"line_is_delivered_once": [line]}


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
def open_attempt_will_be_asked_about(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Nobody would ever hear of its money when the notice is lost."""
    rows = change(session, Payment, attempt_of(session, shop.pending), next_ask_time=None)
    return {"open_attempt_will_be_asked_about": rows}


@plant
def received_money_has_a_home(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Money came for an order that ended, and waits nowhere."""
    late = attempt_of(session, shop.ended)
    change(session, Payment, late, state=PaymentState.PAID, trade_no="late", paid_time=clock.now())
    change(session, Order, shop.ended, payment_number="late")
    return {"received_money_has_a_home": [late]}


@plant
def surplus_money_is_not_going_back(session: Session, shop: Shop) -> dict[str, list[int]]:
    late, back = surplus(session, shop)
    change(session, Refund, back, state=RefundState.REFUSED, done_time=None)
    return {"received_money_has_a_home": [late]}


@plant
def refunds_are_within_payment(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Surplus money is returned twice."""
    late, _ = surplus(session, shop)
    twice = {"cause": RefundCause.DOUBLE, "amount_fen": 7_000, "out_request_no": "second"}
    a_refund(session, shop.ended, late, **twice)
    return {"refunds_are_within_payment": [late]}


@plant
def refund_that_alipay_began_comes_on_top(session: Session, shop: Shop) -> dict[str, list[int]]:
    late, _ = surplus(session, shop)
    a_refund(session, shop.ended, late, cause=RefundCause.GATEWAY, amount_fen=1, out_request_no="theirs")
    return {"refunds_are_within_payment": [late]}


@plant
def refunds_are_within_trouble(session: Session, shop: Shop) -> dict[str, list[int]]:
    trouble, _ = a_trouble(session, shop)
    change(session, Trouble, trouble, amount_fen=5_999)
    return {"refunds_are_within_trouble": [trouble]}


@plant
def refund_of_a_wrong_amount_is_taken_from_the_orders_own_payment(session: Session, shop: Shop) -> dict[str, list[int]]:
    _, back = a_trouble(session, shop)
    change(session, Refund, back, trouble_id=None)
    return {"refund_fits_its_cause": [back], "refunds_are_within_payment": [attempt_of(session, shop.pending)]}


@plant
def refunds_are_within_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A line is asked back a second time while the first refund is under way."""
    line = session.execute(select(OrderDetail.__table__).where(OrderDetail.id == line_of(session, shop.paid))).one()
    amounts = {"amount_fen": line.actual_amount_fen, "beli": line.beli}
    refund(session, shop, RefundState.FAILED)
    second = {"state": RefundState.REQUESTED, "out_request_no": "second"}
    row = a_refund(session, shop.paid, attempt_of(session, shop.paid), **second, **amounts)
    put(session, RefundDetail, refund_id=row, order_detail_id=line.id, **amounts)
    return {"refunds_are_within_line": [line.id]}


@plant
def refund_is_sum_of_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_sum_of_its_lines": [refund(session, shop, RefundState.REQUESTED, amount_fen=1)]}


@plant
def refund_gives_back_less_beli_than_its_lines(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_sum_of_its_lines": [refund(session, shop, RefundState.REQUESTED, beli=0)]}


@plant
def refund_gives_back_a_part_of_a_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    row = refund(session, shop, RefundState.REQUESTED, amount_fen=100)
    detail = id_of(session, RefundDetail, RefundDetail.refund_id == row)
    change(session, RefundDetail, detail, amount_fen=100)
    return {"refund_is_sum_of_its_lines": [row]}


@plant
def refund_of_a_student_names_no_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    row = refund(session, shop, RefundState.REQUESTED)
    table = RefundDetail.__table__
    session.execute(table.delete().where(table.c.refund_id == row))
    return {"refund_is_sum_of_its_lines": [row]}


@plant
def refund_of_surplus_money_counts_for_a_line(session: Session, shop: Shop) -> dict[str, list[int]]:
    """The line would seem to be refunded, although nothing that it cost came back."""
    _, row = surplus(session, shop)
    put(session, RefundDetail, refund_id=row, order_detail_id=line_of(session, shop.ended), amount_fen=7_000, beli=10)
    return {"refund_is_sum_of_its_lines": [row]}


@plant
def refund_fits_its_cause(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A part of money that came too late is kept."""
    _, row = surplus(session, shop, amount_fen=6_999)
    return {"refund_fits_its_cause": [row]}


@plant
def line_is_refunded_out_of_surplus_money(session: Session, shop: Shop) -> dict[str, list[int]]:
    late, _ = surplus(session, shop, state=RefundState.FAILED)
    small = {"amount_fen": 0, "beli": 0}
    row = a_refund(session, shop.ended, late, state=RefundState.WITHDRAWN, out_request_no="line", **small)
    change(session, OrderDetail, line_of(session, shop.ended), actual_amount_fen=0, beli=0)
    put(session, RefundDetail, refund_id=row, order_detail_id=line_of(session, shop.ended), **small)
    return {
        "refund_fits_its_cause": [row],
        "line_amounts_add_up": [line_of(session, shop.ended)],
        "lines_add_up_to_order": [shop.ended],
    }


@plant
def refund_takes_the_money_of_another_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    other = attempt_of(session, shop.pending)
    row = refund(session, shop, RefundState.REQUESTED, payment_id=other)
    return {
        "refund_is_of_one_order": [row],
        "refund_fits_its_cause": [row],
        "refunds_are_within_payment": [other],
    }


@plant
def refund_is_for_a_line_of_another_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    row, line = refund(session, shop, RefundState.REQUESTED), line_of(session, shop.degree)
    detail = id_of(session, RefundDetail, RefundDetail.refund_id == row)
    change(session, RefundDetail, detail, order_detail_id=line)
    return {
        "refund_is_of_one_order": [row],
        "refund_is_sum_of_its_lines": [row],
        "refunds_are_within_line": [line],
    }


@plant
def refund_has_no_number(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_is_of_one_order": [refund(session, shop, RefundState.REQUESTED, out_request_no="")]}


@plant
def refund_is_of_one_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    row = refund(session, shop, RefundState.REQUESTED, order_id=shop.degree)
    return {"refund_is_of_one_order": [row], "requested_refund_shows_in_its_order": [shop.paid, shop.degree]}


@plant
def refund_number_is_its_own(session: Session, shop: Shop) -> dict[str, list[int]]:
    surplus(session, shop, out_request_no="same")
    _, second = a_trouble(session, shop)
    return {"refund_number_is_its_own": change(session, Refund, second, out_request_no="same")}


@plant
def refund_goes_on_until_it_is_done(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Nobody would ever hear whether its money has moved."""
    row = refund(session, shop, RefundState.IN_TRANSIT, next_try_time=None)
    return {"refund_goes_on_until_it_is_done": [row]}


@plant
def refund_is_done_and_sent_again(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_goes_on_until_it_is_done": [refund(session, shop, next_try_time=clock.now())]}


@plant
def refund_was_done_at_no_time(session: Session, shop: Shop) -> dict[str, list[int]]:
    return {"refund_goes_on_until_it_is_done": [refund(session, shop, done_time=None)]}


@plant
def requested_refund_shows_in_its_order(session: Session, shop: Shop) -> dict[str, list[int]]:
    """A second request could be made while the first is under way."""
    refund(session, shop, RefundState.FAILED)
    return {"requested_refund_shows_in_its_order": change(session, Order, shop.paid, status=OrderStatus.PAID)}


@plant
def order_waits_for_a_refund_that_nobody_asked_for(session: Session, shop: Shop) -> dict[str, list[int]]:
    rows = change(session, Order, shop.paid, status=OrderStatus.REFUND_REQUESTED)
    return {"requested_refund_shows_in_its_order": rows}


@plant
def refunded_order_has_every_line_refunded(session: Session, shop: Shop) -> dict[str, list[int]]:
    """One line of two is refunded: the order is not."""
    refund(session, shop)
    change(session, Order, shop.paid, status=OrderStatus.REFUNDED)
    second = id_of(session, EnrolledCourse, EnrolledCourse.closed_time.is_(None))
    return {
        "refunded_order_has_every_line_refunded": [shop.paid],
        "course_access_is_paid": [second],
        "coupon_is_held_by_living_order": [coupon_of(session, shop.paid, bound=False)],
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


def a_gift(session: Session, shop: Shop, **values: Any) -> int:
    """Given to the buyer by two people who have nothing to do with it."""
    who = {"account_id": shop.buyer, "proposer_id": 901, "handler_id": 902, "decided_time": clock.now()}
    row = {"kind": GiftKind.BELI, "beli": 7, "reason": "so", "state": GiftState.GIVEN, **who, **values}
    return put(session, Gift, **row)


@plant
def gift_gives_its_beli_once(session: Session, shop: Shop) -> dict[str, list[int]]:
    """Given without a record; given by a record of another amount; refused, and moved all the same."""
    never, wrong = a_gift(session, shop), a_gift(session, shop)
    give_back(session, shop, 8, gift_id=wrong)
    change(
        session,
        TransactionRecord,
        id_of(session, TransactionRecord, TransactionRecord.gift_id == wrong),
        transaction_type=TransactionType.INCOME,
    )
    refused = a_gift(session, shop, state=GiftState.REFUSED)
    give_back(session, shop, 7, gift_id=refused)
    return {"gift_gives_its_beli_once": [never, wrong, refused]}


@plant
def given_coupon_is_there(session: Session, shop: Shop) -> dict[str, list[int]]:
    held = session.scalars(select(CouponRecord.coupon_id).where(CouponRecord.account_id == shop.buyer)).first()
    a_gift(session, shop, kind=GiftKind.COUPON, beli=None, coupon_id=held)
    gone = a_gift(session, shop, kind=GiftKind.COUPON, beli=None, coupon_id=999)
    return {"given_coupon_is_there": [gone]}


@plant
def gift_has_two_persons(session: Session, shop: Shop) -> dict[str, list[int]]:
    refused = {"state": GiftState.REFUSED}
    alone = a_gift(session, shop, handler_id=901, **refused)
    own = a_gift(session, shop, handler_id=shop.buyer, **refused)
    withdrawn = a_gift(session, shop, state=GiftState.WITHDRAWN)
    return {"gift_has_two_persons": [alone, own, withdrawn]}
