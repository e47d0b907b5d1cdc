"""The cart: choices kept in Redis, looked at beside what the database says now (domain.md 2, design 5).

An owner is ``a<account id>`` or ``v<hex>`` for a visitor who has not logged in. Nothing here decides an amount: the
settlement and the checkout read every price again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import bindparam, select

from shop import clock
from shop.enums import CourseType, ProductKind, ProductStatus, ValidPeriod
from shop.errors import CartFull, DegreeOwned, NoSuchPolicy, NotForSale, NotFound, OffSale
from shop.extensions import db
from shop.gateways import cart_store
from shop.gateways.cart_store import StoredLine
from shop.models import Course, Order, OrderDetail, PricePolicy, Product
from shop.services import sale

LIMIT = 200  # lines (domain.md 2.3)

_product = Product.__table__
_course = Course.__table__
_policy = PricePolicy.__table__
_OFFERED = (
    select(
        _product.c.id,
        _product.c.name,
        _product.c.kind,
        _product.c.status,
        _course.c.course_type,
        _policy.c.id.label("policy_id"),
        _policy.c.valid_period,
        _policy.c.price_fen,
    )
    .select_from(_product)
    .outerjoin(_course, _course.c.id == _product.c.id)
    .outerjoin(_policy, _policy.c.product_id == _product.c.id)
    # a draft does not exist for buyers
    .where(_product.c.id.in_(bindparam("product_ids", expanding=True)), _product.c.published_time.is_not(None))
    .order_by(_policy.c.valid_period)
)
_BOUGHT = (
    select(OrderDetail.product_id, OrderDetail.valid_period, _product.c.name)
    .join(OrderDetail.order)
    .join(_product, _product.c.id == OrderDetail.product_id)
    .where(Order.order_number == bindparam("order_number"), Order.account_id == bindparam("account_id"))
    .order_by(OrderDetail.id)
)


class LineState(Enum):
    """Whether a line can be settled, and if not, what came between."""

    OK = "ok"
    OFF_SALE = "off_sale"
    GONE = "gone"
    PLAN_GONE = "plan_gone"
    OWNED = "owned"
    ORDERED = "ordered"  # in an order that waits for its payment


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell the person: a flash category (ok, info, warning) and the sentence."""

    category: str
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    id: int
    period: ValidPeriod
    price_fen: int


@dataclass(frozen=True, slots=True)
class CartLine:
    """One line as it stands now. price_fen is None when the chosen plan is not to be had any more."""

    product_id: int
    name: str
    kind: ProductKind
    plans: tuple[Plan, ...]
    policy_id: int
    price_fen: int | None
    seen_fen: int
    state: LineState
    is_selected: bool
    order_number: str | None  # of the unpaid order that holds this product already

    @property
    def is_buyable(self) -> bool:
        return self.state is LineState.OK

    @property
    def has_new_price(self) -> bool:
        return self.is_buyable and self.price_fen != self.seen_fen

    @property
    def href(self) -> str:
        return f"/{'degrees' if self.kind is ProductKind.DEGREE else 'courses'}/{self.product_id}"

    @property
    def is_settled_next(self) -> bool:
        return self.is_buyable and self.is_selected


@dataclass(frozen=True, slots=True)
class CartView:
    """The lines, the latest first, and what the selected ones cost at list price."""

    lines: tuple[CartLine, ...]

    @property
    def selected(self) -> tuple[CartLine, ...]:
        return tuple(line for line in self.lines if line.is_settled_next)

    @property
    def total_fen(self) -> int:
        return sum(line.price_fen or 0 for line in self.selected)

    @property
    def buyable_count(self) -> int:
        return sum(line.is_buyable for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Offer:
    """A product as the shop offers it now."""

    name: str
    kind: ProductKind
    status: ProductStatus
    is_module: bool
    plans: tuple[Plan, ...]


# ---------------------------------------------------------------- changes


def add(owner: str, product_id: int, policy_id: int, account_id: int | None) -> str:
    """Put a plan into the cart and return the product's name; adding a product again chooses another plan.

    Raises NotFound, OffSale, NotForSale (a module, or nothing to choose), NoSuchPolicy (B27), DegreeOwned and CartFull.
    """
    offer, plan = _offer_of(product_id, policy_id)
    if offer.kind is ProductKind.DEGREE and _owned_degrees(account_id, [product_id]):
        raise DegreeOwned(product=offer.name)
    line = StoredLine(plan.id, plan.price_fen, offer.name, added=int(clock.now().timestamp()))
    if not cart_store.put(owner, product_id, line, limit=LIMIT):
        raise CartFull(limit=LIMIT)
    return offer.name


def change_policy(owner: str, product_id: int, policy_id: int) -> None:
    """Choose another plan of a product that is in the cart. Raises what ``add`` raises, NotFound if it is not there."""
    _offer, plan = _offer_of(product_id, policy_id)
    if not cart_store.change(owner, product_id, policy_id=plan.id, seen_fen=plan.price_fen):
        raise NotFound


def select_lines(owner: str, shown: Collection[int], ticked: Collection[int]) -> None:
    """Tick those of the lines shown that are in ticked, and take the tick from the others.

    Lines that the page did not show (another tab added them) stay as they are.
    """
    cart_store.select(owner, {product_id: product_id in ticked for product_id in shown})


def select_all(owner: str, *, is_selected: bool) -> None:
    """Tick every line, or none."""
    cart_store.select(owner, dict.fromkeys(cart_store.read(owner), is_selected))


def remove(owner: str, product_id: int) -> None:
    """Take a line out; one that is gone already is no fault."""
    cart_store.remove(owner, [product_id])


def remove_bought(owner: str, product_ids: Iterable[int]) -> None:
    """Take the lines of a placed order out, after its commit."""
    cart_store.remove(owner, product_ids)


def count(owner: str) -> int:
    return cart_store.count(owner)


def merge_at_login(visitor: str, account_id: int) -> list[Message]:
    """Move a visitor's cart into the member's and say by name what happened.

    The member's own plan wins, degrees already owned drop out, the limit holds. Safe to repeat: the visitor's cart goes
    last, and what has already been moved is not moved again.
    """
    lines = cart_store.read(visitor)
    if not lines:
        return []
    owner = f"a{account_id}"
    owned = _owned_degrees(account_id, lines)
    new = {product_id: line for product_id, line in lines.items() if product_id not in owned}
    already = cart_store.read(owner).keys() & new.keys()
    put = set(cart_store.put_new(owner, new, limit=LIMIT))
    cart_store.clear(visitor)
    full = new.keys() - put - already
    return _merge_messages(lines, put=put, already=already, owned=owned, full=full)


def add_order(owner: str, account_id: int, order_number: str) -> list[Message]:
    """Put what one's own order bought into the cart, each with the plan of the same length; say what happened to which.

    What is in the cart already keeps its plan; what is off sale stays out. Raises NotFound.
    """
    rows = db.session.execute(_BOUGHT, {"order_number": order_number, "account_id": account_id}).all()
    if not rows:
        raise NotFound
    names = {row.product_id: row.name for row in rows}
    offers, owned = _offers(list(names)), _owned_degrees(account_id, names)
    new = {}
    for row in rows:
        offer = offers[row.product_id]
        plan = next((plan for plan in offer.plans if plan.period == row.valid_period), None)
        if row.product_id not in owned and _state(offer, plan, is_owned=False) is LineState.OK and plan:
            new[row.product_id] = StoredLine(plan.id, plan.price_fen, offer.name, added=int(clock.now().timestamp()))
    already = cart_store.read(owner).keys() & new.keys()
    put = set(cart_store.put_new(owner, new, limit=LIMIT))
    return _again_messages(names, new, put=put, already=already, owned=owned)


def _again_messages(
    names: Mapping[int, str],
    new: Collection[int],
    *,
    put: Collection[int],
    already: Collection[int],
    owned: Collection[int],
) -> list[Message]:
    def named(ids: Iterable[int]) -> str:
        return str(_("、").join(_("「%(name)s」", name=names[product_id]) for product_id in names if product_id in ids))

    full = set(new) - set(put) - set(already)
    gone = names.keys() - set(new) - set(owned)
    said = [
        (put, "ok", _("%(names)s已放进购物车。", names=named(put))),
        (already, "info", _("%(names)s已在购物车里。", names=named(already))),
        (owned, "info", _("您已经报名%(names)s，不需要再次购买。", names=named(owned))),
        (gone, "warning", _("%(names)s已下架或没有原来的有效期了，没有放进购物车。", names=named(gone))),
        (full, "warning", _("购物车最多放 %(limit)s 门课程，%(names)s没有放进来。", limit=LIMIT, names=named(full))),
    ]
    return [Message(category, text) for ids, category, text in said if ids]


def _merge_messages(
    lines: Mapping[int, StoredLine],
    *,
    put: Collection[int],
    already: Collection[int],
    owned: Collection[int],
    full: Collection[int],
) -> list[Message]:
    def names(ids: Collection[int]) -> str:
        found = (line.name for product_id, line in lines.items() if product_id in ids)
        return str(_("、").join(_("「%(name)s」", name=name) for name in found))

    said = [
        (put, "ok", _("登录前选的%(names)s已放进您的购物车。", names=names(put))),
        (already, "info", _("%(names)s已在您的购物车里，保留您原来选的有效期。", names=names(already))),
        (owned, "info", _("您已经报名%(names)s，已从购物车移出。", names=names(owned))),
        (full, "warning", _("购物车最多放 %(limit)s 门课程，%(names)s没有放进来。", limit=LIMIT, names=names(full))),
    ]
    return [Message(category, text) for ids, category, text in said if ids]


# ---------------------------------------------------------------- looking


def view(owner: str, account_id: int | None) -> CartView:
    """The cart beside what the database says now. At most four statements, however many lines."""
    stored = cart_store.read(owner)
    if not stored:
        return CartView(())
    offers = _offers(list(stored))
    degrees = [product_id for product_id, offer in offers.items() if offer.kind is ProductKind.DEGREE]
    owned = _owned_degrees(account_id, degrees)
    orders = dict(sale.unpaid_orders(db.session(), account_id, list(offers))) if account_id else {}
    return CartView(
        tuple(
            _line(product_id, line, offers.get(product_id), is_owned=product_id in owned, order=orders.get(product_id))
            for product_id, line in stored.items()
        )
    )


def _line(product_id: int, stored: StoredLine, offer: _Offer | None, *, is_owned: bool, order: str | None) -> CartLine:
    plans = offer.plans if offer else ()
    chosen = next((plan for plan in plans if plan.id == stored.policy_id), None)
    return CartLine(
        product_id=product_id,
        name=offer.name if offer else stored.name,
        kind=offer.kind if offer else ProductKind.COURSE,
        plans=plans,
        policy_id=stored.policy_id,
        price_fen=chosen.price_fen if chosen else None,
        seen_fen=stored.seen_fen,
        state=LineState.ORDERED if order else _state(offer, chosen, is_owned=is_owned),
        is_selected=stored.is_selected,
        order_number=order,
    )


def _state(offer: _Offer | None, chosen: Plan | None, *, is_owned: bool) -> LineState:
    if offer is None:
        return LineState.GONE
    if is_owned:
        return LineState.OWNED
    if offer.status is not ProductStatus.ON_SALE or offer.is_module:
        return LineState.OFF_SALE
    return LineState.PLAN_GONE if chosen is None else LineState.OK


def _offer_of(product_id: int, policy_id: int) -> tuple[_Offer, Plan]:
    """A product that can be bought alone now, with one plan of its own. Raises what ``add`` raises."""
    offer = _offers([product_id]).get(product_id)
    if offer is None:
        raise NotFound
    if offer.is_module or not offer.plans:
        raise NotForSale(product=offer.name)
    if offer.status is not ProductStatus.ON_SALE:
        raise OffSale(product=offer.name)
    plan = next((plan for plan in offer.plans if plan.id == policy_id), None)
    if plan is None:
        raise NoSuchPolicy
    return offer, plan


def _offers(product_ids: Collection[int]) -> dict[int, _Offer]:
    """Products with their plans, by id, in one statement; plans from the shortest."""
    rows = db.session.execute(_OFFERED, {"product_ids": list(product_ids)}).all()
    by_product: dict[int, list[Any]] = {}
    for row in rows:
        by_product.setdefault(row.id, []).append(row)
    return {product_id: _offer(found) for product_id, found in by_product.items()}


def _offer(rows: list[Any]) -> _Offer:
    """One product from its rows: one for each plan, or a single one without."""
    first = rows[0]
    plans = tuple(Plan(row.policy_id, row.valid_period, row.price_fen) for row in rows if row.policy_id is not None)
    return _Offer(first.name, first.kind, first.status, first.course_type is CourseType.MODULE, plans)


def _owned_degrees(account_id: int | None, product_ids: Iterable[int]) -> set[int]:
    """Which of the products are degrees that the account is enrolled in."""
    if account_id is None:
        return set()
    return set(sale.owned_degrees(db.session(), account_id, list(product_ids)))
