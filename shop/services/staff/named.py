"""What staff mean by what they type: a product or a campaign by its name or number, a person by user name or number.

"12" is a name or a number, "#12" always a number. A whole name goes before part of one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, exists, or_, select, type_coerce

from shop.enums import CourseType, ProductKind
from shop.extensions import EnumNumber, db
from shop.models import Account, Coupon, Course, Product
from shop.services.accounts import normal_username
from shop.services.staff.catalogue_list import Sort

MOST = 6  # so many are told apart in a message
MOST_OFFERED = 300  # names to choose from, the latest
NUMBER = re.compile(r"#?([0-9]{1,10})", re.ASCII)
LAST_ID = 2**31 - 1
PRIVATE = re.compile(r"[^@\s]+@\S+|\+?[0-9][0-9 -]{10,18}", re.ASCII)  # an e-mail address or a phone number

_product, _course = Product.__table__, Course.__table__
_is_module = exists().where(_course.c.id == _product.c.id, _course.c.course_type == CourseType.MODULE)
_sort = type_coerce(
    case(
        (_product.c.kind == ProductKind.DEGREE, Sort.DEGREE.value),
        (_is_module, Sort.MODULE.value),
        else_=Sort.COURSE.value,
    ),
    EnumNumber(Sort),
)


@dataclass(frozen=True, slots=True)
class Named:
    """One thing that can be meant."""

    id: int
    name: str
    kind: str = ""  # tells namesakes apart


def products(text: str) -> list[Named]:
    """The products that can be meant, ``MOST`` at most."""
    return _meant(text, _product.c.id, _product.c.name, _sort)


def campaigns(text: str) -> list[Named]:
    """The campaigns that can be meant, drafts among them, ``MOST`` at most."""
    return _meant(text, Coupon.id, Coupon.name, Coupon.coupon_type)


def people(text: str) -> list[Named]:
    """Whoever has this user name or number: fit for an address."""
    return _people(_called(text))


def receivers(text: str) -> list[Named]:
    """Whoever has this user name, number, phone number or e-mail address: for what is posted alone."""
    return _people([*_called(text), Account.mobile == text, Account.email == text.lower()])


def is_private(text: str) -> bool:
    """Whether it looks like a phone number or an e-mail address, which no URL may hold (safety.md 14.2.1)."""
    return PRIVATE.fullmatch(text) is not None


def all_products() -> list[Named]:
    """To choose from, the latest first."""
    return _named(select(_product.c.id, _product.c.name, _sort).order_by(_product.c.id.desc()))


def latest_campaigns() -> list[Named]:
    """To choose from, the latest first."""
    return _named(select(Coupon.id, Coupon.name, Coupon.coupon_type).order_by(Coupon.id.desc()))


def _named(query: Any) -> list[Named]:
    return [Named(id_, name, str(kind.label)) for id_, name, kind in db.session.execute(query.limit(MOST_OFFERED))]


def _meant(text: str, ident: Any, name: Any, kind: Any) -> list[Named]:
    number = number_of(text)
    is_exact = or_(name == text, *([] if number is None else [ident == number]))
    asked = is_exact if text.startswith("#") and number is not None else or_(is_exact, has(name, text))
    rows = db.session.execute(
        select(ident, name, kind, is_exact).where(asked).order_by(is_exact.desc(), ident.desc()).limit(MOST)
    ).all()
    exact = [row for row in rows if row[3]]
    return [Named(id_, name_, str(kind_.label)) for id_, name_, kind_, _exact in exact or rows]


def has(name: Any, text: str) -> ColumnElement[bool]:
    """Whether a name has the text in it, small or capital letters."""
    return name.icontains(text, autoescape=True)


def _people(asked: Sequence[ColumnElement[bool]]) -> list[Named]:
    rows = db.session.execute(select(Account.id, Account.username).where(or_(*asked)).order_by(Account.id).limit(MOST))
    return [Named(id_, name) for id_, name in rows]


def _called(text: str) -> list[ColumnElement[bool]]:
    number = number_of(text)
    return [Account.username == normal_username(text), *([] if number is None else [Account.id == number])]


def number_of(text: str) -> int | None:
    """The number that is written, with # or without; None for anything else."""
    found = NUMBER.fullmatch(text)
    return int(found[1]) if found and int(found[1]) <= LAST_ID else None
