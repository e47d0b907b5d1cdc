"""Making, changing, moving and deleting the parts of the catalogue: each in one transaction with its audit row.

Who saves a form says which version it showed; when that has changed since, nothing is written (safety.md F64-F66).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop.enums import CourseType, ProductStatus
from shop.errors import NotFound, ShopError, StaffOnly
from shop.extensions import unit_of_work
from shop.gateways import page_cache
from shop.models import Course, CourseDetail, DegreeCourse, Homework, Product
from shop.rules.staff_rights import Task
from shop.services import additions, audit_log, clerks
from shop.services.audit_log import Actor
from shop.services.locks import lock_catalogue
from shop.services.staff import catalogue_deletion
from shop.services.staff.catalogue_kinds import KINDS, Kind, Values, kept, mark_of, product_of, product_of_parent
from shop.services.staff.catalogue_kinds import read as read_values
from shop.services.staff.catalogue_kinds import write as write_values
from shop.services.staff.catalogue_state import Incomplete, gaps_on_show


class Stale(ShopError):
    """Somebody else has changed it since the page was shown; ``current`` holds the values of now."""

    text = _("您打开这一页以后，别人修改了它。您填写的内容都还在：请核对标出的项目，再保存一次就以您的为准。")

    def __init__(self, current: Values) -> None:
        super().__init__()
        self.current = current


class Taken(ShopError):
    """Another one beside it has this value already."""

    status, text = 422, _("已经有一个了，请换一个。")

    def __init__(self, column: str) -> None:
        super().__init__()
        self.column = column


class Unfit(ShopError):
    """A part that its product cannot have."""

    status = 422

    def __init__(self, text: object) -> None:
        super().__init__()
        self.text = text


class Wanted(ShopError):
    """Something that cannot be deleted, and why."""

    def __init__(self, text: object) -> None:
        super().__init__()
        self.text = text


@contextmanager
def change(actor: Actor) -> Iterator[Session]:
    """A transaction that alone changes the catalogue; pages show it after. Raises StaffOnly."""
    with unit_of_work() as session:
        lock_catalogue(session)
        if not clerks.may(session, actor, Task.CATALOGUE_EDIT):
            raise StaffOnly
        yield session
    page_cache.forget_all()


def find(session: Session, kind: Kind, row_id: int) -> Any:
    """The row of this kind. Raises NotFound, also for a module asked for as a course and the other way round."""
    row = session.get(kind.model, row_id)
    if row is None or (isinstance(row, Course) and row.is_module is not (kind.key == "modules")):
        raise NotFound
    return row


# ---------------------------------------------------------------- making and changing


def create(kind: Kind, parent_id: int | None, values: Values, *, actor: Actor) -> int:
    """A new one; its id. Raises NotFound without its parent, Unfit, Taken, StaffOnly."""
    try:
        with change(actor) as session:
            product = product_of_parent(session, kind, parent_id)
            _check_fits(kind, product, values)
            row = kind.model(**_first_values(session, kind, parent_id))
            _check_free(session, kind, row, values)
            with session.no_autoflush:
                write_values(session, row, values)
                _join(session, kind, row, product)
            session.flush()
            if isinstance(row, Homework):
                additions.plan_homework(session, row)
            audit_log.record(session, actor, f"{row.__tablename__} create", row, after=kept(values))
            row_id: int = row.id
            return row_id
    except IntegrityError as error:
        raise Taken(kind.called) from error


def save(kind: Kind, row_id: int, values: Values, mark: str, *, actor: Actor) -> bool:
    """Change one; False when nothing differed. Raises NotFound, Stale, Taken, Unfit, Incomplete, StaffOnly."""
    try:
        with change(actor) as session:
            row = find(session, kind, row_id)
            was = read_values(kind, row)
            if mark != mark_of(was):
                raise Stale(was)
            changed = {column: value for column, value in values.items() if value != was[column]}
            if not changed:
                return False
            product = product_of(session, kind, row)
            _check_fits(kind, product, values)
            _check_free(session, kind, row, values)
            with kept_complete(session, product):
                write_values(session, row, changed)
            if isinstance(row, Homework) and "enabled" in changed:
                additions.plan_homework(session, row)
            before = {column: was[column] for column in changed}
            audit_log.record(session, actor, f"{row.__tablename__} edit", row, before=kept(before), after=kept(changed))
            return True
    except IntegrityError as error:
        raise Taken(kind.called) from error


@contextmanager
def kept_complete(session: Session, product: Product | None) -> Iterator[None]:
    """What is sold and complete stays complete. Raises Incomplete."""
    product_id = product.id if product is not None else None
    had_gaps = bool(gaps_on_show(session, product_id))
    yield
    session.flush()
    gaps = gaps_on_show(session, product_id)
    if gaps and not had_gaps:
        raise Incomplete(gaps)


def _first_values(session: Session, kind: Kind, parent_id: int | None) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if kind.parent:
        values[kind.parent] = parent_id
    if kind.order and kind.order not in kind.columns:
        values[kind.order] = _last(session, kind, parent_id) + 1
    if kind.model in (Course, DegreeCourse):
        values |= {"status": ProductStatus.OFF_SALE, "published_time": None}
    if kind.key == "modules":
        values["course_type"] = CourseType.MODULE
    return values


def _last(session: Session, kind: Kind, parent_id: int | None) -> int:
    """The highest place among those of one parent, 0 without any."""
    order = getattr(kind.model, kind.order)
    return session.scalar(select(func.max(order)).where(*_beside(kind, parent_id))) or 0


def next_chapter(session: Session, course_id: int) -> int:
    """The number that a new chapter is offered."""
    return min(_last(session, KINDS["chapters"], course_id) + 1, 999)


def _join(session: Session, kind: Kind, row: Any, product: Product | None) -> None:
    """Outlines hang on the long texts of their course, which may not be there yet."""
    session.add(row)
    if kind.key == "outlines" and isinstance(product, Course) and product.detail is None:
        product.detail = CourseDetail()
        session.flush([product.detail])


def _check_fits(kind: Kind, product: Product | None, values: Values) -> None:
    is_module = isinstance(product, Course) and product.is_module
    if kind.key == "plans" and is_module:
        raise Unfit(_("模块不能单独出售，所以没有价格方案。"))
    if kind.key == "homework" and not is_module:
        raise Unfit(_("只有学位课的模块才有作业。"))
    if kind.key == "courses" and product is not None and product.id in values.get("recommended", ()):
        raise Unfit(_("一门课不能推荐自己。"))


def _check_free(session: Session, kind: Kind, row: Any, values: Values) -> None:
    """Exact, as nobody else changes the catalogue now."""
    model = kind.model
    for column in ("name",) if issubclass(model, Product) else kind.unique:
        value = values[column]
        if value is None:
            continue
        scope = [] if issubclass(model, Product) else _beside(kind, getattr(row, kind.parent) if kind.parent else None)
        with session.no_autoflush:
            others = session.scalars(select(model.id).where(getattr(model, column) == value, *scope)).all()
        if any(other != row.id for other in others):
            raise Taken(column)


def _beside(kind: Kind, parent_id: int | None) -> list[Any]:
    return [getattr(kind.model, kind.parent) == parent_id] if kind.parent else []


# ---------------------------------------------------------------- moving and deleting


def move(kind: Kind, row_id: int, *, upwards: bool, actor: Actor) -> None:
    """Change places with the one before or behind it; at the end nothing happens. Raises NotFound, StaffOnly."""
    if not kind.order:
        raise NotFound
    with change(actor) as session:
        row = find(session, kind, row_id)
        rows = _in_order(session, kind, row)
        at = rows.index(row)
        to = at - 1 if upwards else at + 1
        if not 0 <= to < len(rows):
            return
        before = {kind.order: getattr(row, kind.order)}
        if kind.key == "chapters":
            _swap_numbers(session, row, rows[to])
        else:
            moved = [*rows]
            moved[at], moved[to] = moved[to], moved[at]
            for number, other in enumerate(moved, 1):
                setattr(other, kind.order, number)
        after = {kind.order: getattr(row, kind.order)}
        audit_log.record(session, actor, f"{row.__tablename__} move", row, before=before, after=after)


def _in_order(session: Session, kind: Kind, row: Any) -> Sequence[Any]:
    beside = _beside(kind, getattr(row, kind.parent) if kind.parent else None)
    order = getattr(kind.model, kind.order)
    return session.scalars(select(kind.model).where(*beside).order_by(order, kind.model.id)).all()


def _swap_numbers(session: Session, one: Any, other: Any) -> None:
    """A chapter's number is its own: while two change theirs, one of them has none that counts."""
    first, second = one.chapter, other.chapter
    one.chapter = -first
    session.flush()
    other.chapter = first
    session.flush()
    one.chapter = second


def delete(kind: Kind, row_id: int, *, actor: Actor) -> str:
    """Delete one; what it was called. Raises NotFound, Wanted (why it stays), Incomplete, StaffOnly."""
    try:
        with change(actor) as session:
            row = find(session, kind, row_id)
            if (why := catalogue_deletion.why_not(session, row)) is not None:
                raise Wanted(why)
            product = product_of(session, kind, row)
            name = kind.name_of(row)
            place = {} if product is None or product is row else {"product_id": product.id}  # whose history it is in
            before = kept(read_values(kind, row)) | place
            audit_log.record(session, actor, f"{row.__tablename__} delete", row, before=before)
            with kept_complete(session, None if product is row else product):
                session.delete(row)
            return name
    except IntegrityError as error:
        raise Wanted(_("还有别的内容要用到它，所以不能删除。")) from error
