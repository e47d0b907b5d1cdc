"""One product as staff see it: its parts, what it lacks, what was done to it lately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from shop.enums import ValidPeriod
from shop.extensions import db
from shop.models import AuditLog, Course, CourseChapter, DegreeCourse, Product
from shop.rules.publishing import Remark, oddities
from shop.services.staff.catalogue_kinds import KINDS, Kind, kind_of
from shop.services.staff.catalogue_list import Showing, showing_of
from shop.services.staff.catalogue_state import facts_of, gaps_before_publishing, loaded, mark_of_state

LATEST = 20  # audit rows
KIND_OF_TABLE = {kind.model.__tablename__: kind for kind in KINDS.values()}
OWNERS = (Course, CourseChapter, DegreeCourse, Product)
PARTS = [table for table, kind in KIND_OF_TABLE.items() if kind.owner in OWNERS]


@dataclass(frozen=True, slots=True)
class Event:
    """One audit row about a product or a part of it; ``changes`` are column, old and new value, of edits alone."""

    row: AuditLog
    name: str  # of the product or the part, "" where its row does not say
    changes: Sequence[tuple[str, Any, Any]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything on the page of a product; of ``course`` and ``degree`` one is none."""

    product: Product
    course: Course | None
    degree: DegreeCourse | None
    kind: Kind
    showing: Showing
    gaps: Sequence[Remark]
    oddities: Sequence[Remark]
    mark: str
    history: Sequence[Event]

    @property
    def is_module(self) -> bool:
        return self.course is not None and self.course.is_module


def sheet(product_id: int) -> Sheet:
    """In a fixed number of statements. Raises NotFound."""
    session = db.session()
    product = loaded(session, product_id)
    facts = facts_of(product)
    return Sheet(
        product=product,
        course=product if isinstance(product, Course) else None,
        degree=product if isinstance(product, DegreeCourse) else None,
        kind=kind_of(product),
        showing=showing_of(product.status, product.published_time),
        gaps=gaps_before_publishing(facts),
        oddities=oddities(facts),
        mark=mark_of_state(product, facts),
        history=_history(session, product),
    )


def _history(session: Session, product: Product) -> Sequence[Event]:
    """The latest first, in two statements; a part that was deleted is found by the product that its row names."""
    parts = {(part.__tablename__, part.id): part for part in _parts(product)}
    by_table: dict[str, list[int]] = {}
    for table, part_id in [*parts, *_gone(session, product)]:
        by_table.setdefault(table, []).append(part_id)
    about = [and_(AuditLog.subject_table == table, AuditLog.subject_id.in_(ids)) for table, ids in by_table.items()]
    rows = session.scalars(select(AuditLog).where(or_(*about)).order_by(AuditLog.id.desc()).limit(LATEST)).all()
    return [_event(row, parts.get((row.subject_table, row.subject_id))) for row in rows]


def _gone(session: Session, product: Product) -> Sequence[tuple[str, int]]:
    deletion = AuditLog.subject_table.in_(PARTS), AuditLog.action.in_([f"{table} delete" for table in PARTS])
    here = AuditLog.before["product_id"].as_integer() == product.id
    found = session.execute(select(AuditLog.subject_table, AuditLog.subject_id).where(*deletion, here)).all()
    return [(table, part_id) for table, part_id in found]


def _parts(product: Product) -> Iterator[Any]:
    """The product and all that stands on its page; what is in a module is in the module's own history."""
    yield product
    yield from product.policies
    yield from product.questions
    if isinstance(product, Course):
        for chapter in product.chapters:
            yield chapter
            yield from chapter.sections
            yield from chapter.homework
        yield from product.detail.outlines if product.detail else ()
    elif isinstance(product, DegreeCourse):
        yield from product.scholarships
        yield from product.modules


def _former_name(kind: Kind, before: Mapping[str, Any]) -> str:
    value = before.get(kind.called, "")
    return ValidPeriod(value).label if kind.key == "plans" and value in tuple(ValidPeriod) else str(value)


def _event(row: AuditLog, part: Any) -> Event:
    before, after = row.before or {}, row.after or {}
    kind = kind_of(part) if isinstance(part, Product) else KIND_OF_TABLE[row.subject_table]
    name = kind.name_of(part) if part is not None else _former_name(kind, {**after, **before})
    return Event(row, name, [(column, before[column], after[column]) for column in after if column in before])
