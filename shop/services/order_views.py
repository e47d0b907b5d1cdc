"""What the owner of orders sees of them: the list, and the page of each (design 4 and 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import joinedload, selectinload

from shop import clock
from shop.enums import (
    NoticeVerdict,
    OrderStatus,
    PaymentState,
    ProductKind,
    RefundState,
    TroubleKind,
)
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Coupon,
    CouponRecord,
    CourseChapter,
    CourseSection,
    DegreeRegistrationForm,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Product,
    Refund,
    Trouble,
)
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.rules.refund_states import NOTHING_MOVES, OF_LINES, UNDER_WAY
from shop.services import refunds

PAGE_SIZE = 20
LAST_CALL = timedelta(seconds=60)  # "pay now" disappears this long before the deadline (design 12)
_FIRST_SECTION = (
    select(CourseSection.id)
    .join(CourseSection.chapter)
    .where(CourseChapter.course_id == EnrolledCourse.course_id)
    .order_by(CourseChapter.chapter, CourseSection.order, CourseSection.id)
    .limit(1)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class Opened:
    """What one line of a paid order opened; ``is_closed`` when a refund has ended it since."""

    product_id: int
    opened_time: datetime
    begin_date: date | None
    end_date: date | None
    is_closed: bool
    first_section_id: int | None = None
    enrolment_id: int | None = None  # of a degree
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its owner sees it now."""

    order: Order
    opened: Mapping[int, Opened]  # by product id
    coupons: Mapping[int, str]  # the names of those that served its lines, by record id
    payments: Sequence[Payment]  # the attempts to pay it, oldest first
    refunds: Sequence[Refund]  # oldest first
    heard: Sequence[datetime]  # when a notice of Alipay was booked
    troubles: Sequence[Trouble]  # money that does not fit, oldest first
    may_pay: bool
    may_cancel: bool
    refund_until: datetime | None  # none: no refund can be asked for now

    @property
    def is_pending(self) -> bool:
        return self.order.status is OrderStatus.PENDING

    @property
    def line_refunds(self) -> list[Refund]:
        """Those that somebody asked for, line by line."""
        return [refund for refund in self.refunds if refund.cause in OF_LINES]

    @property
    def running(self) -> Refund | None:
        """The request that is under way: at most one (a unique index holds that)."""
        return next((refund for refund in self.line_refunds if refund.state in UNDER_WAY), None)

    @property
    def suspended(self) -> frozenset[int]:
        """The ids of the lines whose access rests while a request waits."""
        return frozenset(detail.order_detail_id for detail in self.running.details) if self.running else frozenset()

    @property
    def open_now(self) -> list[Opened]:
        """What can be learned of it now."""
        resting = {detail.product_id for detail in self.order.details if detail.id in self.suspended}
        return [o for o in self.opened.values() if not o.is_closed and o.product_id not in resting]

    @property
    def names(self) -> dict[int, str]:
        """What each line is called, by its id."""
        return {detail.id: detail.product.name for detail in self.order.details}

    @property
    def refunded(self) -> frozenset[int]:
        """The ids of the lines that are given back."""
        done = (refund for refund in self.line_refunds if refund.state is RefundState.DONE)
        return frozenset(detail.order_detail_id for refund in done for detail in refund.details)

    @property
    def surplus(self) -> list[tuple[Payment, Refund | None]]:
        """Money that came too late or twice, with what takes it back."""
        back = {refund.payment_id: refund for refund in self.refunds if refund.cause not in OF_LINES}
        return [(p, back.get(p.id)) for p in self.payments if p.state is PaymentState.SURPLUS]

    @property
    def is_double(self) -> bool:
        """Whether money that was not used came on top of the order's own."""
        return any(payment.state is PaymentState.PAID for payment in self.payments)

    @property
    def wrong(self) -> list[tuple[Trouble, Refund | None]]:
        """Money of another amount than was asked for, or a second time, with what takes it back."""
        back = {refund.trouble_id: refund for refund in self.refunds if refund.state not in NOTHING_MOVES}
        return [(t, back.get(t.id)) for t in self.troubles if t.kind is not TroubleKind.FOREIGN_REFUND]

    @property
    def returned_fen(self) -> int:
        """What has come back for its lines in cash."""
        return sum(refund.amount_fen for refund in self.line_refunds if refund.state is RefundState.DONE)

    @property
    def net_fen(self) -> int:
        """What was paid in cash less what has come back of it."""
        return self.order.actual_amount_fen - self.returned_fen

    @property
    def returned_beli(self) -> int:
        return sum(refund.beli for refund in self.line_refunds if refund.state is RefundState.DONE)


@dataclass(frozen=True, slots=True)
class OrderList:
    """One page of an account's orders, newest first; ``counts`` has how many each state has, None for all of them."""

    orders: Sequence[Order]
    counts: Mapping[OrderStatus | None, int]
    page: int
    pages: int


# ---------------------------------------------------------------- the list


def index(account_id: int, *, status: OrderStatus | None, page: int, q: str = "") -> OrderList:
    """The account's orders in a state, or all; of those whose number or a product's name has q in it.

    Raises NotFound beyond the last page. Three statements, however many orders.
    """
    mine = [Order.account_id == account_id, *([_matches(q)] if q else [])]
    rows = db.session.execute(select(Order.status, func.count()).where(*mine).group_by(Order.status))
    counts: dict[OrderStatus | None, int] = dict(rows.all())
    counts[None] = sum(counts.values())
    pages = max(1, -(-counts.get(status, 0) // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    orders = db.session.scalars(
        select(Order)
        .where(*mine, *([Order.status == status] if status is not None else []))
        .order_by(Order.date.desc(), Order.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(selectinload(Order.details).joinedload(OrderDetail.product))
    ).all()
    return OrderList(orders, counts, page, pages)


def _matches(q: str) -> ColumnElement[bool]:
    product = Product.__table__.c
    named = exists().where(
        OrderDetail.order_id == Order.id,
        OrderDetail.product_id == product.id,
        product.name.icontains(q, autoescape=True),
    )
    return or_(Order.order_number.icontains(q, autoescape=True), named)


def may_be_paid(order: Order, now: datetime) -> bool:
    """Whether there is time left to send its owner to Alipay (design 12)."""
    return order.status is OrderStatus.PENDING and now < order.expires_at - LAST_CALL


# ---------------------------------------------------------------- one order


def view(account_id: int, order_number: str) -> OrderView:
    """The order for its owner. Raises NotFound for anybody else's, as for one that does not exist (B52)."""
    found = db.session.execute(
        select(Order, exists().where(Refund.order_id == Order.id))
        .where(Order.order_number == order_number, Order.account_id == account_id)
        .options(selectinload(Order.details).joinedload(OrderDetail.product))
    ).one_or_none()
    if found is None:
        raise NotFound
    order, has_refunds = found
    attempts = _attempts(order)
    now = clock.now()
    return OrderView(
        order=order,
        opened=_opened(order) if order.pay_time else {},
        coupons=_coupons(order),
        refunds=_refunds(order) if has_refunds else (),
        payments=list(dict.fromkeys(payment for payment, _, _ in attempts)),
        heard=list(dict.fromkeys(moment for _, moment, _ in attempts if moment)),
        troubles=[trouble for _, _, trouble in attempts if trouble],
        may_pay=may_be_paid(order, now),
        may_cancel=order_states.is_allowed(order.status, Action.CANCEL),
        refund_until=_refund_until(order, now),
    )


def _refund_until(order: Order, now: datetime) -> datetime | None:
    """Which of its lines can be asked for is told by ``services.refunds``."""
    if order.pay_time is None or not order_states.is_allowed(order.status, Action.ASK_REFUND):
        return None
    until = refunds.deadline(order.pay_time)
    return until if now <= until else None


def _coupons(order: Order) -> dict[int, str]:
    pairs = ((detail.coupon_record_id, detail.site_coupon_record_id) for detail in order.details)
    return _names({record_id for pair in pairs for record_id in pair if record_id})


def _names(record_ids: set[int]) -> dict[int, str]:
    if not record_ids:
        return {}
    rows = db.session.execute(
        select(CouponRecord.id, Coupon.name).join(CouponRecord.coupon).where(CouponRecord.id.in_(record_ids))
    )
    return dict(rows.all())


def coupons_of(account_id: int, order_number: str, detail_ids: Collection[int]) -> dict[int, str]:
    """The names of the coupons that served these lines of one's own order, by record id."""
    lines = db.session.execute(
        select(OrderDetail.coupon_record_id, OrderDetail.site_coupon_record_id)
        .join(OrderDetail.order)
        .where(Order.order_number == order_number, Order.account_id == account_id, OrderDetail.id.in_(list(detail_ids)))
    )
    return _names({record_id for line in lines for record_id in line if record_id})


def check_refund(account_id: int, order_number: str, out_request_no: str) -> None:
    """Raises NotFound unless it is a refund of this order, and the order one's own."""
    found = db.session.scalar(
        select(Refund.id)
        .join(Refund.order)
        .where(
            Refund.out_request_no == out_request_no,
            Order.order_number == order_number,
            Order.account_id == account_id,
        )
    )
    if found is None:
        raise NotFound


def _refunds(order: Order) -> Sequence[Refund]:
    return (
        db.session.scalars(
            select(Refund).where(Refund.order_id == order.id).order_by(Refund.id).options(joinedload(Refund.details))
        )
        .unique()
        .all()
    )


def _attempts(order: Order) -> Sequence[tuple[Payment, datetime | None, Trouble | None]]:
    """Each attempt, when the notice that booked it came, and its troubles: a row for each, or one without."""
    booked = (
        select(func.min(PaymentNotice.received_time))
        .where(PaymentNotice.payment_id == Payment.id, PaymentNotice.verdict == NoticeVerdict.APPLIED)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Payment, booked, Trouble)
        .outerjoin(Trouble, Trouble.payment_id == Payment.id)
        .where(Payment.order_id == order.id)
        .order_by(Payment.id, Trouble.id)
    )
    return [(payment, moment, trouble) for payment, moment, trouble in rows]


def _opened(order: Order) -> dict[int, Opened]:
    details = [detail.id for detail in order.details]
    kinds = {detail.product.kind for detail in order.details}
    opened = {}
    if ProductKind.COURSE in kinds:
        courses = db.session.execute(
            select(EnrolledCourse, _FIRST_SECTION).where(EnrolledCourse.order_detail_id.in_(details))
        )
        for course, first_section_id in courses:
            opened[course.course_id] = Opened(
                course.course_id,
                course.enrolled_date,
                course.valid_begin_date,
                course.valid_end_date,
                is_closed=course.closed_time is not None,
                first_section_id=first_section_id,
            )
    if ProductKind.DEGREE in kinds:
        degrees = db.session.execute(
            select(EnrolledDegreeCourse, DegreeRegistrationForm.id)
            .outerjoin(EnrolledDegreeCourse.registration)
            .where(EnrolledDegreeCourse.order_detail_id.in_(details))
        )
        for row, form_id in degrees:
            opened[row.degree_course_id] = Opened(
                row.degree_course_id,
                row.enrolled_date,
                row.valid_begin_date,
                row.valid_end_date,
                is_closed=row.closed_time is not None,
                enrolment_id=row.id,
                is_registered=form_id is not None,
            )
    return opened
