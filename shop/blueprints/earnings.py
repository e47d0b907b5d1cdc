"""What a mentor has earned, loses and may withdraw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints import score_words
from shop.enums import Purse
from shop.errors import NotEnoughBeli, ShopError
from shop.extensions import settings
from shop.forms.earnings import AmountForm, AppealForm, EarningsFilter, WithdrawalForm
from shop.money import to_yuan
from shop.services import accounts, appeals, earnings, score_rows, withdrawals
from shop.services.appeals import NotAppealable
from shop.services.score_rows import Line, Wanted
from shop.web import csv_files, login_guard, once
from shop.web.errors import note_refusal
from shop.web.paging import asked_page
from shop.web.people import address, mentor_required

bp = Blueprint("earnings", __name__, url_prefix="/mentor")

RECORD = "<int(min=1, max=2147483647):score_record_id>"

Page = str | Response | tuple[str, int]


# ---------------------------------------------------------------- statement


@bp.get("/earnings")
@mentor_required
def page() -> Page:
    form = EarningsFilter(request.args)
    if not form.validate():
        return _page(form, Wanted(current_user.id, Purse.FEE), 1), 422
    return _page(form, _wanted(form), asked_page())


def _page(form: EarningsFilter, wanted: Wanted, number: int) -> str:
    now = clock.now()
    own = earnings.of_mentor(current_user.id, now)
    return render_template(
        "earnings/page.html",
        own=own,
        statement=score_rows.page(wanted, number),
        form=form,
        chosen={"student": wanted.enrolment_id, "month": f"{wanted.month:%Y-%m}" if wanted.month else None},
        months=_months(own.since, clock.local_date(now)),
        words=score_words,
    )


def _wanted(form: EarningsFilter) -> Wanted:
    """Raises NotFound for a student whom the mentor never had."""
    if form.student.data is not None:
        earnings.check_student(current_user.id, form.student.data)
    return Wanted(current_user.id, Purse.FEE, form.student.data, form.month.day)


def _months(since: date | None, today: date) -> list[date]:
    """The first days of the months that can have rows, the latest first."""
    found = []
    first = (since or today).replace(day=1)
    month = today.replace(day=1)
    while month >= first:
        found.append(month)
        month = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
    return found


@bp.get("/earnings.csv")
@mentor_required
def csv() -> Response:
    form = EarningsFilter(request.args)
    if not form.validate():
        abort(422)
    head = [_("日期"), _("学员"), _("学位课"), _("规则"), _("说明"), _("规则版本"), _("变动"), _("余额"), _("状态")]
    return csv_files.download("earnings", head, map(_cells, score_rows.everything(_wanted(form))))


def _cells(line: Line) -> Sequence[object]:
    student = line.student
    states = [score_words.appeal(line), _("已撤销") if line.is_reversed else ""]
    return [
        f"{clock.local(line.time):%Y-%m-%d %H:%M:%S}",
        student.name if student else "",
        student.degree if student else "",
        score_words.rule(line),
        _("；").join(score_words.about(line)),
        line.version,
        line.amount,
        "" if line.balance is None else line.balance,
        _("；").join(state for state in states if state),
    ]


# ---------------------------------------------------------------- appeals


@bp.get(f"/earnings/{RECORD}/appeals")
@mentor_required
def appeal_page(score_record_id: int) -> str:
    return _appeal_page(score_record_id, AppealForm(formdata=None))


@bp.post(f"/earnings/{RECORD}/appeals")
@mentor_required
def appeal(score_record_id: int) -> Page:
    form = AppealForm()
    if not form.validate():
        return _appeal_page(score_record_id, form), 422
    try:
        appeals.file(current_user.id, score_record_id, form.content.data, clock.now())
    except NotAppealable as refusal:
        note_refusal(refusal)
        return _appeal_page(score_record_id, form, refusal), refusal.status
    flash(_("申诉已提交。处理完之前，这笔费用不会到账，也不会转出。"), "ok")
    return redirect(url_for("earnings.page"), 303)


def _appeal_page(score_record_id: int, form: AppealForm, refusal: NotAppealable | None = None) -> str:
    return render_template(
        "earnings/appeal.html",
        line=score_rows.one(current_user.id, score_record_id),
        own=appeals.own(current_user.id, score_record_id),
        form=form,
        refusal=refusal,
        words=score_words,
    )


# ---------------------------------------------------------------- withdrawals


@bp.get("/withdrawals")
@mentor_required
def withdrawals_page() -> str:
    """With ``amount`` in the address: what that comes to. Nothing is changed by looking."""
    asked = AmountForm(request.args)
    is_amount = "amount" in request.args and asked.validate()
    form = WithdrawalForm(0, formdata=None, amount=asked.amount.data if is_amount else None)
    return _withdrawals(form, asked_page())


@bp.post("/withdrawals")
@mentor_required
def withdraw() -> Page:
    form = WithdrawalForm(accounts.view(current_user.id).balance)
    is_good, token = form.validate(), form.usable_token()
    if once.is_used(current_user.id, token):
        return _sent_before()
    if not is_good or form.amount.data is None:
        return _withdrawals(form), 422
    if not login_guard.is_owner(current_user.username, form.password.data, address()):
        form.password.errors = [_("密码不对。")]
        return _withdrawals(form), 422
    if not once.claim(current_user.id, token):
        return _sent_before()
    try:
        asked = withdrawals.ask(
            current_user.id,
            form.amount.data,
            payee_account=form.payee_account.data,
            payee_name=form.payee_name.data,
            now=clock.now(),
        )
    except (NotEnoughBeli, withdrawals.TooManyToday) as refusal:
        return _refused(form, token, refusal)
    text = _("提现申请已提交：%(beli)s 贝里，合 %(yuan)s 元。", beli=asked.amount, yuan=to_yuan(asked.amount_fen))
    flash(text, "ok")
    return redirect(url_for("earnings.withdrawals_page"), 303)


def _sent_before() -> Response:
    flash(_("这份申请已经提交过，没有重复提交，请看下面的记录。"), "info")
    return redirect(url_for("earnings.withdrawals_page"), 303)


def _refused(form: WithdrawalForm, token: str, refusal: ShopError) -> tuple[str, int]:
    once.release(current_user.id, token)
    note_refusal(refusal)
    form.amount.errors = [refusal.message]
    return _withdrawals(form), 422


def _withdrawals(form: WithdrawalForm, number: int = 1) -> str:
    amount = None if form.amount.errors else form.amount.data
    return render_template(
        "earnings/withdrawals.html",
        own=withdrawals.index(current_user.id, number, clock.now()),
        form=form,
        token=once.token(),
        worth_fen=withdrawals.worth_fen(amount) if amount else None,
        beli_per_yuan=settings().beli_per_yuan,
        most_a_day=withdrawals.MOST_A_DAY,
    )
