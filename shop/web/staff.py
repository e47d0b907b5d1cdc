"""The doors of the staff area: who may pass, as whom they act, and whether they have just shown that it is they."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Flask, flash, g, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user, login_required

from shop import clock
from shop.enums import StaffRole
from shop.errors import StaffOnly
from shop.extensions import db
from shop.rules import staff_rights
from shop.rules.masking import masked_name
from shop.rules.staff_rights import Task
from shop.services import clerks
from shop.services.audit_log import Actor
from shop.web import redirects

P = ParamSpec("P")
R = TypeVar("R")

CONFIRMED = "confirmed"  # in the session: when the second factor was last shown, seconds since 1970
FRESH_SECONDS = 600
SECONDS_TO_FILL_IN = 300  # left at least when a form is shown: asked only when it is sent, what was typed would be lost


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the staff menu."""

    title: Any
    href: str
    task: Task


MENU = (
    Place(lazy_gettext("工作台"), "/staff/", Task.DESK),
    Place(lazy_gettext("订单管理"), "/staff/orders", Task.ORDERS_READ),
    Place(lazy_gettext("退款管理"), "/staff/refunds", Task.REFUND_PROPOSE),
    Place(lazy_gettext("待认领款项"), "/staff/money", Task.MONEY_READ),
    Place(lazy_gettext("对账"), "/staff/reconciliation", Task.MONEY_READ),
    Place(lazy_gettext("提现管理"), "/staff/withdrawals", Task.WITHDRAWALS),
    Place(lazy_gettext("课程管理"), "/staff/catalogue", Task.CATALOGUE_READ),
    Place(lazy_gettext("优惠券"), "/staff/coupons", Task.COUPONS_READ),
    Place(lazy_gettext("人工发放"), "/staff/gifts", Task.GIFTS),
    Place(lazy_gettext("学位学员"), "/staff/studies", Task.STUDIES_READ),
    Place(lazy_gettext("导师管理"), "/staff/mentors", Task.MENTOR_FEES_READ),
    Place(lazy_gettext("投诉处理"), "/staff/complaints", Task.COMPLAINTS_READ),
    Place(lazy_gettext("申诉处理"), "/staff/appeals", Task.STUDIES_READ),
    Place(lazy_gettext("奖惩规则"), "/staff/rules", Task.STUDIES_READ),
    Place(lazy_gettext("报表"), "/staff/reports", Task.REPORTS),
    Place(lazy_gettext("账户管理"), "/staff/accounts", Task.ACCOUNTS),
    Place(lazy_gettext("操作记录"), "/staff/audit-log", Task.AUDIT_LOG_MONEY),
    Place(lazy_gettext("系统"), "/staff/system", Task.AUDIT_FINDINGS),
)


def roles() -> frozenset[StaffRole]:
    """The roles of whoever asks, read once a request: a role withdrawn is gone with the next one (safety.md F66)."""
    if "staff_roles" not in g:
        g.staff_roles = clerks.roles_of(db.session(), current_user.id) if current_user.is_staff else frozenset()
    found: frozenset[StaffRole] = g.staff_roles
    return found


def may(task: str) -> bool:
    """For templates: whether this person may do the task of this name."""
    return staff_rights.may(roles(), Task(task))


def person_name(username: str) -> str:
    """For templates and files: a person of an order by user name, masked for those who look without a right to it."""
    return username if may(Task.ORDERS_PLAIN) or not may(Task.ORDERS_READ) else masked_name(username)


def require(task: Task) -> None:
    """Raises StaffOnly unless this person may do the task."""
    if not staff_rights.may(roles(), task):
        raise StaffOnly


def staff_actor() -> Actor:
    """Whoever is logged in, as the one who does something."""
    return Actor(current_user.username, current_user.id)


def staff_may(task: Task) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """For what staff with this right do: visitors are asked to log in, everybody else is refused (StaffOnly).

    A session that never showed a second factor is asked for it, whatever way it came about.
    """

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            require(task)
            if CONFIRMED not in session:
                return _ask_again()
            return view(*args, **kwargs)

        return login_required(guarded)

    return guard


def confirmed(view: Callable[P, R]) -> Callable[P, R]:
    """For what moves money: whoever has not shown password and code for ten minutes does so first (safety.md 7.5.3).

    Also for the page with its form, when more is typed there than a reason.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        return view(*args, **kwargs) if is_confirmed() else _ask_again()

    return guarded


def is_confirmed() -> bool:
    """Whether password and code were shown lately; for a page, whether time is left to fill in its forms."""
    age = clock.now().timestamp() - float(session.get(CONFIRMED, 0))
    spare = SECONDS_TO_FILL_IN if request.method in ("GET", "HEAD") else 0
    return 0 <= age <= FRESH_SECONDS - spare


def _ask_again() -> Any:
    """To the page that asks; a form that was sent has done nothing and is sent again from its own page."""
    back = request.full_path
    if request.method not in ("GET", "HEAD"):
        back = redirects.sent_from()
        flash(_("为了安全，请先再次确认身份，然后重新提交。刚才的操作没有执行。"), "warning")
    return redirect(url_for("second_factor.confirm", next=redirects.inside(back, "/staff/")), 303)


def note_confirmation() -> None:
    """This session has just shown its second factor."""
    session[CONFIRMED] = clock.now().timestamp()


def init_app(app: Flask) -> None:
    @app.context_processor
    def every_staff_page() -> dict[str, Any]:
        return {"may": may, "is_confirmed": is_confirmed, "person_name": person_name, "staff_menu": MENU}
