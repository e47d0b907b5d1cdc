"""One product as staff see it: its parts, what it lacks, what was done to it lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.extensions import db
from shop.models import AuditLog, Course, DegreeCourse, Product
from shop.rules.publishing import Remark, oddities
from shop.services.staff.catalogue_kinds import Kind, kind_of
from shop.services.staff.catalogue_list import Showing, showing_of
from shop.services.staff.catalogue_state import facts_of, gaps_before_publishing, loaded, mark_of_state

LATEST = 10  # audit rows


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
    history: Sequence[AuditLog]

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


def _history(session: Session, product: Product) -> Sequence[AuditLog]:
    about = AuditLog.subject_table == product.__tablename__, AuditLog.subject_id == product.id
    return session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id.desc()).limit(LATEST)).all()
