"""Which page of a list an address asks for, and of which list."""

from __future__ import annotations

from typing import TypeVar

from flask import abort, request

from shop.forms import Form
from shop.services.keyset import Cursor

Filters = TypeVar("Filters", bound=Form)


def asked(filters: type[Filters]) -> Filters:
    """The filters in the address; 422 for what cannot be one, where no page has a place to say so."""
    form = filters(request.args)
    if not form.validate():
        abort(422)
    return form


def asked_page() -> int:
    """The number in ``?page=``, 1 without one; 404 for what cannot be a page."""
    page = request.args.get("page", "1")
    if not (page.isascii() and page.isdigit() and len(page) < 7):
        abort(404)
    return int(page)


def asked_cursor() -> Cursor:
    """The place in ``?after=`` or ``?before=`` at which a long list goes on; the beginning without one."""
    before = request.args.get("before", "")
    return Cursor(before or request.args.get("after", ""), is_back=bool(before))


def kept_filters(form: Form) -> dict[str, str]:
    """The filters in the address, for the links around them; nothing else that somebody put there."""
    return {field.name: field.raw_data[0] for field in form if field.raw_data and field.raw_data[0]}
