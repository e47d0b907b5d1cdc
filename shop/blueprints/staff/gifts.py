"""贝里 and coupons given by hand: proposed by one person, given or refused by another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import GiftKind, GiftState
from shop.errors import AnotherPerson, ClaimRefused, NotYourTurn, OwnCase, ShopError
from shop.forms import Form
from shop.forms.staff import ReasonForm
from shop.forms.staff_gifts import BeliForm, CouponForm, GiftFilter
from shop.rules.staff_rights import Task
from shop.services.staff import gifts, named
from shop.services.staff.gifts import DECIDES, PROPOSES, Line, NoReceiver, Queue, TooManyGifts
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, may, person_name, require, staff_actor, staff_may

bp = Blueprint("staff_gifts", __name__, url_prefix="/staff")

GIFT = "<int(min=1, max=2147483647):gift_id>"

Page = str | Response | tuple[str, int]


def _kinds() -> list[GiftKind]:
    """What this person proposes or decides about; the rest is nobody's business."""
    return [kind for kind in GiftKind if may(PROPOSES[kind]) or may(DECIDES[kind])]


@bp.get("/gifts")
@staff_may(Task.GIFTS)
def index() -> Page:
    return _index()


def _index(*, beli: BeliForm | None = None, coupon: CouponForm | None = None) -> str:
    kinds = _kinds()
    counts = gifts.counts(kinds)
    queue = _asked_queue(kinds)
    coupon_form = coupon or CouponForm(None, username=_asked_receiver())
    coupon_form.coupon.offer(named.latest_campaigns() if may(Task.COUPON_PROPOSE) else ())
    return render_template(
        "staff/gifts/index.html",
        queue=queue,
        queues=[*counts, Queue.OVER],
        counts=counts,
        window=gifts.listed(queue, kinds, asked_cursor()),
        beli_form=beli or BeliForm(None, username=_asked_receiver()),
        coupon_form=coupon_form,
        most_beli=gifts.MOST_BELI,
        most_a_day=gifts.MOST_A_DAY,
        now=clock.now(),
    )


def _asked_queue(kinds: Sequence[GiftKind]) -> Queue:
    """The one in the address, else the first that is this person's; 422 for what is no queue."""
    form = asked(GiftFilter)
    first = Queue.BELI if GiftKind.BELI in kinds else Queue.COUPONS
    return form.queue.data if form.queue.data is not None else first


def _asked_receiver() -> str:
    return request.args.get("username", "")[:64]


@bp.get("/gifts.csv")
@staff_may(Task.GIFTS)
def csv() -> Response:
    kinds = _kinds()
    head = [
        *(_("编号"), _("提出时间"), _("提出人"), _("学员"), _("贝里"), _("优惠券"), _("原因"), _("状态")),
        *(_("审核人"), _("审核意见"), _("审核时间")),
    ]
    return csv_files.download("gifts", head, map(_cells, gifts.everything(_asked_queue(kinds), kinds)))


def _cells(line: Line) -> Sequence[object]:
    return [
        *(line.id, csv_files.moment(line.proposed_time), line.proposer, person_name(line.username)),
        *(line.beli or "", line.coupon, line.reason, line.state.label),
        *(line.handler, line.decision, csv_files.moment(line.decided_time)),
    ]


# ---------------------------------------------------------------- proposing


@bp.post("/gifts/beli")
@staff_may(Task.BELI_GRANT)
@confirmed
def propose_beli() -> Page:
    form = BeliForm()

    def propose() -> int:
        beli = form.beli.data or 0
        return gifts.propose_beli(form.receiver, beli, actor=staff_actor(), reason=form.reason.data)

    return _propose(form, propose, beli=form)


@bp.post("/gifts/coupons")
@staff_may(Task.COUPON_PROPOSE)
@confirmed
def propose_coupon() -> Page:
    form = CouponForm()

    def propose() -> int:
        coupon_id = form.coupon.meant_id or 0
        return gifts.propose_coupon(form.receiver, coupon_id, actor=staff_actor(), reason=form.reason.data)

    return _propose(form, propose, coupon=form)


def _propose(form: Form, propose: Callable[[], int], **forms: Any) -> Page:
    if not form.validate():
        return _index(**forms), 422
    try:
        gift_id = propose()
    except (NoReceiver, TooManyGifts, OwnCase) as error:
        note_refusal(error)
        form["username"].errors = [error.message]
        return _index(**forms), error.status
    flash(_("已提出，等待另一位同事审核。"), "ok")
    return redirect(url_for("staff_gifts.page", gift_id=gift_id), 303)


# ---------------------------------------------------------------- deciding


@bp.get(f"/gifts/{GIFT}")
@staff_may(Task.GIFTS)
def page(gift_id: int) -> Page:
    return _page(gift_id)


def _page(gift_id: int, *, form: ReasonForm | None = None, refused: str = "") -> str:
    line, history = gifts.whole(gift_id, _kinds())
    return render_template(
        "staff/gifts/page.html",
        line=line,
        history=history,
        may_decide=_may_decide(line),
        is_proposer=line.proposer_id == current_user.id,
        form=form or ReasonForm(None),
        refused=refused,
        now=clock.now(),
    )


def _may_decide(line: Line) -> bool:
    """Whether the buttons are offered; the service decides."""
    is_free = current_user.id not in (line.proposer_id, line.account_id)
    return is_free and line.state is GiftState.WAITING and may(DECIDES[line.kind])


@bp.post(f"/gifts/{GIFT}/giving")
@staff_may(Task.GIFTS)
@confirmed
def give(gift_id: int) -> Page:
    return _step(gift_id, gifts.give, _("已发放，对方会收到消息。"))


@bp.post(f"/gifts/{GIFT}/refusal")
@staff_may(Task.GIFTS)
@confirmed
def refuse(gift_id: int) -> Page:
    return _step(gift_id, gifts.refuse, _("已驳回，什么都没有发放。"))


@bp.post(f"/gifts/{GIFT}/withdrawal")
@staff_may(Task.GIFTS)
@confirmed
def withdraw(gift_id: int) -> Page:
    return _step(gift_id, gifts.withdraw, _("已撤回，什么都没有发放。"), PROPOSES)


def _step(gift_id: int, decide: Callable[..., None], done: str, rights: Mapping[GiftKind, Task] = DECIDES) -> Page:
    line, _history = gifts.whole(gift_id, _kinds())
    require(rights[line.kind])
    form = ReasonForm()
    if not form.validate():
        return _page(gift_id, form=form), 422
    try:
        decide(gift_id, actor=staff_actor(), reason=form.reason.data)
    except (OwnCase, AnotherPerson, ClaimRefused, NoReceiver) as error:
        return _refused(gift_id, error, error.message)
    except NotYourTurn as error:
        return _refused(gift_id, error, _("这次发放刚刚已被处理，没有重复执行。下面是现在的状态。"))
    flash(done, "ok")
    return redirect(url_for("staff_gifts.page", gift_id=gift_id), 303)


def _refused(gift_id: int, error: ShopError, says: str) -> Page:
    note_refusal(error)
    return _page(gift_id, refused=says), error.status
