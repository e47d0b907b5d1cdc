"""One part of the catalogue as its form shows it, or the place of one that is not there yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shop.errors import NotFound
from shop.extensions import db
from shop.models import Course, CourseChapter, CourseSection, DegreeCourse, Product
from shop.services.staff import catalogue_deletion, catalogue_edit
from shop.services.staff.catalogue_kinds import Kind, Values, mark_of, product_of, product_of_parent, read


@dataclass(frozen=True, slots=True)
class Part:
    """``values`` and ``mark`` are what stands in the database; of a new part there are none."""

    kind: Kind
    id: int | None
    name: str
    parent_id: int | None
    chapter: str  # the one that it stands in, "" for none
    product_id: int | None
    product_name: str
    is_degree: bool
    is_published: bool
    values: Values
    mark: str
    why_kept: object | None  # why it cannot be deleted
    lesson: str  # Markdown of a lesson, to be looked at


def find(kind: Kind, row_id: int) -> Part:
    """Raises NotFound."""
    session = db.session()
    row = catalogue_edit.find(session, kind, row_id)
    values = read(kind, row)
    return _part(
        kind,
        product_of(session, kind, row),
        id=row_id,
        name=kind.name_of(row),
        parent_id=getattr(row, kind.parent) if kind.parent else None,
        chapter=_chapter_of(kind, getattr(row, "chapter_id", None)),
        values=values,
        mark=mark_of(values),
        why_kept=catalogue_deletion.why_not(session, row),
        lesson=row.content if isinstance(row, CourseSection) else "",
    )


def place(kind: Kind, parent_id: int | None) -> Part:
    """Where a new one would stand. Raises NotFound for a parent that cannot have one."""
    session = db.session()
    product = product_of_parent(session, kind, parent_id)
    is_module = isinstance(product, Course) and product.is_module
    if (kind.key == "plans" and is_module) or (kind.key == "homework" and not is_module):
        raise NotFound
    values: dict[str, Any] = {}
    if kind.key == "chapters" and parent_id is not None:
        values["chapter"] = catalogue_edit.next_chapter(session, parent_id)
    chapter = _chapter_of(kind, parent_id if kind.parent == "chapter_id" else None)
    return _part(
        kind,
        product,
        id=None,
        name="",
        parent_id=parent_id,
        chapter=chapter,
        values=values,
        mark="",
        why_kept=None,
        lesson="",
    )


def _part(kind: Kind, product: Product | None, **values: Any) -> Part:
    return Part(
        kind=kind,
        product_id=product.id if product is not None else None,
        product_name=product.name if product is not None else "",
        is_degree=isinstance(product, DegreeCourse),
        is_published=product is not None and product.published_time is not None,
        **values,
    )


def _chapter_of(kind: Kind, chapter_id: int | None) -> str:
    return db.session.get_one(CourseChapter, chapter_id).name if chapter_id is not None else ""
