"""Orders after they are placed: what their owner sees, and how an unpaid one ends (design 7 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from shop import clock
from shop.enums import (
    CouponStatus,
    OrderStatus,
    PaymentState,
    ProductKind,
    TransactionType,
)
from shop.errors import AlipaySilent, NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Close, Unknown
from shop.models import (
    CouponRecord,
    CourseChapter,
    CourseSection,
    DegreeRegistrationForm,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
)
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.services import payment, wallet
from shop.services.locks import lock_order
from shop.services.payment import Answer

log = structlog.get_logger()

PAGE_SIZE = 20
LAST_CALL = timedelta(seconds=60)  # "pay now" disappears this long before the deadline (design 12)
GRACE = timedelta(minutes=2)  # Alipay's clock and ours, and money on its way
BATCH = 100


@dataclass(frozen=True, slots=True)
class Opened:
    """What one line of a paid order opened."""

    product_id: int
    begin_date: date | None
    end_date: date | None
    first_section_id: int | None = None
    enrolment_id: int | None = None  # of a degree
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its owner sees it now."""

    order: Order
    opened: dict[int, Opened]  # by product id
    may_pay: bool
    may_cancel: bool
    surplus_fen: int  # arrived too late or twice, and goes back

    @property
    def is_pending(self) -> bool:
        return self.order.status is OrderStatus.PENDING


@dataclass(frozen=True, slots=True)
class OrderList:
    """One page of an account's orders, newest first."""

    orders: Sequence[Order]
    page: int
    pages: int


def index(account_id: int, *, status: OrderStatus | None, page: int) -> OrderList:
    """The account's orders in a state, or all. Raises NotFound beyond the last page."""
    mine = [Order.account_id == account_id, *([Order.status == status] if status is not None else [])]
    total = db.session.scalar(select(func.count()).select_from(Order).where(*mine)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    orders = db.session.scalars(
        select(Order)
        .where(*mine)
        .order_by(Order.date.desc(), Order.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(selectinload(Order.details).joinedload(OrderDetail.product))
    ).all()
    return OrderList(orders, page, pages)


def view(account_id: int, order_number: str) -> OrderView:
    """The order for its owner. Raises NotFound for anybody else's, as for one that does not exist (B52)."""
    order = (
        db.session.scalars(
            select(Order)
            .where(Order.order_number == order_number, Order.account_id == account_id)
            .options(
                selectinload(Order.details).joinedload(OrderDetail.product),
                joinedload(Order.payments),
                selectinload(Order.coupons).joinedload(CouponRecord.coupon),
            )
        )
        .unique()
        .one_or_none()
    )
    if order is None:
        raise NotFound
    now = clock.now()
    return OrderView(
        order=order,
        opened=_opened(order) if order.pay_time else {},
        may_pay=order.status is OrderStatus.PENDING and now < order.expires_at - LAST_CALL,
        may_cancel=order_states.is_allowed(order.status, Action.CANCEL),
        surplus_fen=sum(p.amount_fen for p in order.payments if p.state is PaymentState.SURPLUS),
    )


def _opened(order: Order) -> dict[int, Opened]:
    details = {detail.id: detail.product_id for detail in order.details}
    kinds = {detail.product.kind for detail in order.details}
    opened = {}
    if ProductKind.COURSE in kinds:
        firsts = _first_sections(list(details.values()))
        courses = db.session.scalars(select(EnrolledCourse).where(EnrolledCourse.order_detail_id.in_(details)))
        for course in courses:
            first = firsts.get(course.course_id)
            opened[course.course_id] = Opened(course.course_id, course.valid_begin_date, course.valid_end_date, first)
    if ProductKind.DEGREE in kinds:
        degrees = db.session.execute(
            select(EnrolledDegreeCourse, DegreeRegistrationForm.id)
            .outerjoin(EnrolledDegreeCourse.registration)
            .where(EnrolledDegreeCourse.order_detail_id.in_(details))
        )
        for row, form_id in degrees:
            opened[row.degree_course_id] = Opened(
                row.degree_course_id,
                row.valid_begin_date,
                row.valid_end_date,
                enrolment_id=row.id,
                is_registered=form_id is not None,
            )
    return opened


def _first_sections(course_ids: Sequence[int]) -> dict[int, int]:
    """The first lesson of each course."""
    rows = db.session.execute(
        select(CourseChapter.course_id, CourseSection.id)
        .join(CourseSection.chapter)
        .where(CourseChapter.course_id.in_(course_ids))
        .order_by(CourseChapter.chapter.desc(), CourseSection.order.desc(), CourseSection.id.desc())
    )
    return dict(rows.all())  # the last row that stays is the first lesson


def pay_again(account_id: int, order_number: str) -> str:
    """The address at Alipay for an order that still waits. Raises NotFound, NotYourTurn when it is too late."""
    if not view(account_id, order_number).may_pay:
        raise NotYourTurn
    url = payment.pay_url(order_number)
    if url is None:
        raise NotYourTurn
    return url


def inquire(account_id: int, order_number: str) -> Answer:
    """Ask Alipay about one's own order now. Raises NotFound."""
    order_id = _own_id(account_id, order_number)
    attempt = payment.open_attempt_of(order_id)
    return payment.ask(attempt) if attempt else Answer.CLOSED


# ---------------------------------------------------------------- the end of an unpaid order


def cancel(account_id: int, order_number: str) -> None:
    """End one's own unpaid order, after asking Alipay (design 8).

    Raises NotFound; NotYourTurn when it is paid or ended; AlipaySilent when nobody can tell now whether it is paid.
    """
    order_id = _own_id(account_id, order_number)
    if not _end(order_id, Action.CANCEL):
        status = db.session.scalars(select(Order.status).where(Order.id == order_id)).one()
        raise AlipaySilent if status is OrderStatus.PENDING else NotYourTurn


def expire_due() -> tuple[int, int]:
    """End the unpaid orders whose time is over: (ended, left for the next run because the answer is unknown).

    In no fixed order: those that Alipay keeps silent about must not hold up the others.
    """
    late = clock.now() - GRACE
    due = db.session.scalars(
        select(Order.id)
        .where(Order.status == OrderStatus.PENDING, Order.expires_at < late)
        .order_by(func.random())
        .limit(BATCH)
    ).all()
    db.session.rollback()
    ended = sum(_end(order_id, Action.TIME_OUT) for order_id in due)
    return ended, len(due) - ended


def _own_id(account_id: int, order_number: str) -> int:
    order_id = db.session.scalar(
        select(Order.id).where(Order.order_number == order_number, Order.account_id == account_id)
    )
    if order_id is None:
        raise NotFound
    return order_id


def _end(order_id: int, action: Action) -> bool:
    """Release an unpaid order once Alipay has said that no money is coming; whether it ended now."""
    attempt = payment.open_attempt_of(order_id)
    if attempt and not _is_unpaid_for_good(attempt):
        return False
    with unit_of_work() as session:
        order = lock_order(session, order_id)
        if not order_states.is_allowed(order.status, action):
            return False
        _release(session, order, action, clock.now())
    return True


def _is_unpaid_for_good(out_trade_no: str) -> bool:
    """Query, then close. A page that nobody scanned cannot be closed: money from it would be late money."""
    match payment.ask(out_trade_no):
        case Answer.NOT_EXIST | Answer.CLOSED:
            return True
        case Answer.UNPAID:
            try:
                closed = payment.alipay().close(out_trade_no)
            except Unknown:
                return False
            # REFUSED: something happened in between; ask again, and believe only that answer
            return closed is not Close.REFUSED or payment.ask(out_trade_no) is Answer.CLOSED
        case _:
            return False


def _release(session: Session, order: Order, action: Action, now: datetime) -> None:
    """Give back everything that the order held, once: its state changes in the same transaction (L6, P3)."""
    order.status = order_states.after(order.status, action)
    order.cancel_time = max(now, order.date)
    session.execute(
        update(OrderDetail).where(OrderDetail.order_id == order.id).values(pending_account_id=None),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Payment)
        .where(Payment.order_id == order.id, Payment.state == PaymentState.OPEN)
        .values(state=PaymentState.CLOSED),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(CouponRecord)
        .where(CouponRecord.order_id == order.id)
        .values(
            status=case((CouponRecord.valid_until < now, int(CouponStatus.EXPIRED)), else_=int(CouponStatus.UNUSED)),
            used_time=None,
            order_id=None,
        ),
        execution_options={"synchronize_session": False},
    )
    if order.beli:
        wallet.move_beli(session, order.account_id, TransactionType.REFUND, order.beli, order_id=order.id)
    log.info("order ended", order=order.order_number, status=int(order.status))
