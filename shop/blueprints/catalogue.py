"""The catalogue: home, course list, course page, degree page, covers. Open to all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse

from shop import clock
from shop.enums import Level, ProductKind
from shop.errors import NotFound
from shop.extensions import settings
from shop.rules.staff_rights import Task
from shop.services import catalogue, learning, offers
from shop.services.catalogue_views import CourseView, DegreeView, Filters, ProductView
from shop.services.offers import Offer
from shop.web import fragments, markdown
from shop.web.covers import draw_cover
from shop.web.staff import may

bp = Blueprint("catalogue", __name__)

MOST_PAGES = 10_000
LONGEST_SEARCH = 100
bp.add_app_template_filter(markdown.to_html, "markdown")
UNSEARCHABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


@bp.get("/")
def home() -> str:
    page = fragments.shared("home", _render_home)
    today = clock.local_date(clock.now())
    continuing = learning.continue_with(current_user.id, today) if current_user.is_authenticated else ()
    return render_template("catalogue/home.html", page=page, continuing=continuing, claimed=_claimed(page))


@bp.get("/courses")
def courses() -> str:
    filters = _filters()
    if filters.q:  # as many answers as questions: not worth keeping
        page = _render_list(filters)
    else:
        page = fragments.shared(
            f"courses:{filters.category}:{filters.level}:{filters.page}", lambda: _render_list(filters)
        )
    return render_template("catalogue/courses.html", page=page, filters=filters)


@bp.get("/courses/<int(min=1, max=2147483647):product_id>")
def course(product_id: int) -> str | AnyResponse:
    page = fragments.shared(f"course:{product_id}", lambda: _render_course(product_id))
    if "degree" in page:
        return redirect(url_for(".degree", product_id=page["degree"]), 302)
    access = None
    if current_user.is_authenticated:
        access = learning.access_to(current_user.id, product_id, clock.local_date(clock.now()))
    return _product_page("catalogue/course.html", page, access=access)


@bp.get("/degrees/<int(min=1, max=2147483647):product_id>")
def degree(product_id: int) -> str:
    page = fragments.shared(f"degree:{product_id}", lambda: _render_degree(product_id))
    enrolment_id = learning.enrolment_in(current_user.id, product_id) if current_user.is_authenticated else None
    return _product_page("catalogue/degree.html", page, enrolment_id=enrolment_id)


@bp.get("/covers/<int(min=1, max=2147483647):product_id>.svg")
def cover(product_id: int) -> Response:
    """A picture that only changes with its data: browsers keep it for an hour, then ask by its tag."""
    data = catalogue.cover(product_id)
    if data.is_draft:
        _demand_reader_of_drafts()
    drawn = draw_cover(data.kind, product_id, data.name, data.category_id, data.level)
    response = Response(drawn, mimetype="image/svg+xml")
    if data.is_draft:
        response.cache_control.no_store = True
        return response
    response.cache_control.public = True
    response.cache_control.max_age = 3600
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


def _demand_reader_of_drafts() -> None:
    """Nobody but staff learns that a draft exists."""
    if not (current_user.is_authenticated and may(Task.CATALOGUE_READ)):
        raise NotFound


def preview(product_id: int, kind: ProductKind) -> str:
    """For staff: a product's page as visitors will see it, drawn anew and kept nowhere; its buttons do nothing."""
    render = _render_degree if kind is ProductKind.DEGREE else _render_course
    page = {**render(product_id, with_drafts=True), "tickets": []}
    own = {"enrolment_id": None} if kind is ProductKind.DEGREE else {"access": None}
    template = "catalogue/degree.html" if kind is ProductKind.DEGREE else "catalogue/course.html"
    return _product_page(template, page, preview_of=product_id, **own)


# ---------------------------------------------------------------- what is the same for everybody


def _render_home() -> Mapping[str, Any]:
    view = catalogue.home(clock.local_date(clock.now()))
    return {"body": render_template("catalogue/_home.html", view=view), "tickets": _tickets(view.offers)}


def _render_list(filters: Filters) -> Mapping[str, Any]:
    view = catalogue.courses(filters)
    return {
        "heading": view.category.name if view.category else "",
        "body": render_template("catalogue/_courses.html", view=view, filters=filters, levels=tuple(Level)),
    }


def _render_course(product_id: int, *, with_drafts: bool = False) -> Mapping[str, Any]:
    view = catalogue.course(product_id, clock.local_date(clock.now()), with_drafts=with_drafts)
    if not isinstance(view, CourseView):
        return {"degree": view}
    category = {"id": view.category.id, "name": view.category.name}
    return {**_render_product("course", view), "category": category}


def _render_degree(product_id: int, *, with_drafts: bool = False) -> Mapping[str, Any]:
    view: DegreeView = catalogue.degree(product_id, clock.local_date(clock.now()), with_drafts=with_drafts)
    return _render_product("degree", view)


def _render_product(kind: str, view: ProductView) -> Mapping[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "brief": view.brief,
        "status": int(view.status),
        "is_for_sale": view.is_for_sale,
        "is_vip": isinstance(view, CourseView) and view.is_vip,
        "head": render_template(f"catalogue/_{kind}_head.html", view=view),
        "buy": render_template("catalogue/_buy.html", view=view),
        "outline": render_template(f"catalogue/_{kind}_outline.html", view=view),
        "body": render_template(f"catalogue/_{kind}.html", view=view),
        "tickets": _tickets(view.offers),
    }


def _tickets(shown: Iterable[Offer]) -> list[dict[str, Any]]:
    """Each coupon twice, to claim and claimed: which one a page shows depends on the reader."""
    return [
        {
            "id": offer.ticket.coupon_id,
            "fits": not offer.missing_fen,
            "open": render_template("catalogue/_ticket.html", offer=offer, is_claimed=False),
            "claimed": render_template("catalogue/_ticket.html", offer=offer, is_claimed=True),
        }
        for offer in shown
    ]


# ---------------------------------------------------------------- what is the reader's own


def _product_page(template: str, page: Mapping[str, Any], *, preview_of: int | None = None, **own: object) -> str:
    return render_template(
        template,
        page=page,
        claimed=_claimed(page),
        refund_window_days=settings().refund_window_days,
        preview_of=preview_of,
        **own,
    )


def _claimed(page: Mapping[str, Any]) -> frozenset[int]:
    """Which of the page's coupons the reader has; nothing is asked for visitors and for pages without coupons."""
    tickets = page["tickets"]
    if not (tickets and current_user.is_authenticated):
        return frozenset()
    return offers.claimed_of(current_user.id, (ticket["id"] for ticket in tickets))


def _filters() -> Filters:
    """The filters in the address. What no link of ours says (page=abc, level=9) is a list that does not exist: 404."""
    q = " ".join(UNSEARCHABLE.sub(" ", request.args.get("q", "")).split())[:LONGEST_SEARCH]
    level = _number("level", tuple(Level))
    return Filters(
        category=_number("category", range(2**31)),
        level=None if level is None else Level(level),
        q=q,
        page=_number("page", range(1, MOST_PAGES + 1)) or 1,
    )


def _number(name: str, allowed: range | tuple[int, ...]) -> int | None:
    text = request.args.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) in allowed):
        abort(404)
    return int(text)
