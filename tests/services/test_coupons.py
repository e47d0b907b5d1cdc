"""Claiming coupons: window, number, one per person, codes; and what the pages about them are told."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import CouponStatus
from shop.errors import ClaimRefused, CodeRefused, NotFound
from shop.extensions import db
from shop.models import Coupon, CouponCode, CouponRecord
from shop.services import coupons, offers
from shop.services.coupons import ClaimState, WalletState
from tests.builders import a_coupon, a_course, a_student, today_in_shanghai
from tests.purchases import a_paid_line, saved
from tests.statements import counted

NO_DATES = {"valid_begin_date": None, "valid_end_date": None}
DAY = timedelta(days=1)


def records(coupon: Coupon) -> list[CouponRecord]:
    db.session.rollback()
    return list(db.session.scalars(select(CouponRecord).where(CouponRecord.coupon_id == coupon.id)))


def claimed(coupon: Coupon) -> int:
    db.session.rollback()
    db.session.refresh(coupon)
    return coupon.claimed


def claim(account_id: int, coupon: Coupon, now: datetime | None = None) -> CouponRecord:
    coupons.claim(account_id, coupon.id, now or clock.now())
    return next(record for record in records(coupon) if record.account_id == account_id)


def refusal(account_id: int, coupon: Coupon, now: datetime | None = None) -> str:
    with pytest.raises(ClaimRefused) as refused:
        coupons.claim(account_id, coupon.id, now or clock.now())
    return refused.value.message


def a_code(coupon: Coupon, code: str = "OPENSESAME", **values: object) -> CouponCode:
    return saved(CouponCode(code=code, coupon_id=coupon.id, **values))


# ---------------------------------------------------------------- claiming


def test_a_claim_gives_one_unused_record_and_counts_one(app: Flask) -> None:
    account_id, coupon = a_student().id, a_coupon()
    now = clock.now()
    record = claim(account_id, coupon, now)
    assert (record.status, record.get_time, record.order_id) == (CouponStatus.UNUSED, now, None)
    assert re.fullmatch(r"[0-9a-f]{32}", record.number)
    assert claimed(coupon) == 1


def test_a09_the_last_day_of_fixed_dates_counts_whole_in_shanghai(app: Flask) -> None:
    first, last = today_in_shanghai() + 2 * DAY, today_in_shanghai() + 4 * DAY
    record = claim(a_student().id, a_coupon(valid_begin_date=first, valid_end_date=last))
    assert (record.valid_from, record.valid_until) == (clock.start_of_day(first), clock.end_of_day(last))


def test_a10_days_after_the_claim_are_24_hours_each_and_fixed_then(app: Flask) -> None:
    coupon, now = a_coupon(coupon_valid_days=7, **NO_DATES), clock.now()
    record = claim(a_student().id, coupon, now)
    coupon.coupon_valid_days = 1
    saved(coupon)
    db.session.refresh(record)
    assert (record.valid_from, record.valid_until) == (now, now + 7 * DAY)


def test_a10_with_both_the_earlier_end_counts(app: Flask) -> None:
    today, now = today_in_shanghai(), clock.now()
    dates = {"valid_begin_date": today, "valid_end_date": today + 3 * DAY}
    assert claim(a_student().id, a_coupon(coupon_valid_days=2, **dates), now).valid_until == now + 2 * DAY
    by_date = claim(a_student().id, a_coupon(coupon_valid_days=9, **dates), now)
    assert by_date.valid_until == clock.end_of_day(today + 3 * DAY)


@pytest.mark.parametrize(("offset", "works"), [(-1, False), (0, True), (3, True), (4, False)])
def test_a11_the_first_and_the_last_day_of_the_claim_window_count(app: Flask, offset: int, works: bool) -> None:
    account_id, today = a_student().id, today_in_shanghai()
    coupon = a_coupon(
        open_date=today, close_date=today + 3 * DAY, valid_begin_date=today, valid_end_date=today + 9 * DAY
    )
    day = today + offset * DAY
    moment = clock.start_of_day(day) if offset == 0 else clock.end_of_day(day)
    if works:
        claim(account_id, coupon, moment)
    else:
        said = refusal(account_id, coupon, moment)
        assert ("领取已经结束" in said) is (offset > 0)
        assert (f"{today.month}月{today.day}日开始领取" in said) is (offset < 0)
    assert claimed(coupon) == int(works)


def test_one_per_person_and_the_second_says_so(app: Flask) -> None:
    account_id, coupon = a_student().id, a_coupon()
    claim(account_id, coupon)
    assert "您已经领过一张" in refusal(account_id, coupon)
    assert (claimed(coupon), len(records(coupon))) == (1, 1)


def test_when_none_is_left_that_is_said_but_to_the_owner_of_one_that_they_have_it(app: Flask) -> None:
    first_id, second_id, coupon = a_student().id, a_student().id, a_coupon(quantity=1)
    claim(first_id, coupon)
    assert "已经被领完" in refusal(second_id, coupon)
    assert "您已经领过一张" in refusal(first_id, coupon)
    assert (claimed(coupon), len(records(coupon))) == (1, 1)


@pytest.mark.parametrize("values", [{"is_public": False}, {"enabled": False}], ids=["not public", "stopped"])
def test_a_coupon_that_nobody_is_offered_is_not_found(app: Flask, values: dict[str, bool]) -> None:
    account_id, coupon = a_student().id, a_coupon(**values)
    with pytest.raises(NotFound):
        coupons.claim(account_id, coupon.id, clock.now())
    with pytest.raises(NotFound):
        coupons.claim(account_id, 999_999, clock.now())
    assert claimed(coupon) == 0


def test_a_coupon_whose_days_are_over_or_never_come_is_not_given(app: Flask) -> None:
    today = today_in_shanghai()
    over = a_coupon(valid_begin_date=today - 9 * DAY, valid_end_date=today - DAY)
    never = a_coupon(valid_begin_date=today + 9 * DAY, valid_end_date=today + 20 * DAY, coupon_valid_days=2)
    for coupon in (over, never):
        assert "可用的日期已经过去" in refusal(a_student().id, coupon)
        assert (claimed(coupon), records(coupon)) == (0, [])


def test_a_claim_takes_three_statements(app: Flask) -> None:
    account_id, coupon_id = a_student().id, a_coupon().id
    with counted() as sent:
        coupons.claim(account_id, coupon_id, clock.now())
    assert len(sent) == 3, sent  # the lock, the count, the record


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(
    "typed", ["OPENSESAME", "open-sesame", " open sesame ", "ＯＰＥＮ－ＳＥＳＡＭＥ", "OPEN–SESAME"]
)
def test_a_code_becomes_a_coupon_however_it_is_typed(app: Flask, typed: str) -> None:
    account_id, coupon = a_student().id, a_coupon(is_public=False)
    code = a_code(coupon)
    assert coupons.claim_by_code(account_id, typed, clock.now()) == coupon.name
    (record,) = records(coupon)
    db.session.refresh(code)
    assert (record.account_id, code.record_id) == (account_id, record.id)
    assert claimed(coupon) == 1


def test_unknown_foreign_used_and_closed_codes_answer_alike_and_write_nothing(app: Flask) -> None:
    account_id, other_id, now = a_student().id, a_student().id, clock.now()
    today = today_in_shanghai()
    open_coupon = a_coupon(is_public=False)
    a_code(open_coupon, "FOREIGN", account_id=other_id)
    a_code(open_coupon, "USED")
    a_code(open_coupon, "MINEUSED")
    coupons.claim_by_code(other_id, "USED", now)
    a_code(a_coupon(is_public=False, open_date=today + DAY), "EARLY")
    a_code(a_coupon(is_public=False, open_date=today - 5 * DAY, close_date=today - DAY), "LATE")
    a_code(a_coupon(is_public=False, enabled=False), "STOPPED")
    a_code(a_coupon(is_public=False, quantity=1, claimed=1), "EMPTY")
    before = len(list(db.session.scalars(select(CouponRecord.id))))
    answers = set()
    for typed in (
        "UNKNOWN",
        "FOREIGN",
        "USED",
        "EARLY",
        "LATE",
        "STOPPED",
        "EMPTY",
        "",
        "?",
        "\0",
        "码" * 9,
        "A" * 400,
    ):
        with pytest.raises(CodeRefused) as refused:
            coupons.claim_by_code(account_id, typed, now)
        answers.add((refused.value.message, refused.value.status, refused.value.code, str(refused.value.facts)))
    assert len(answers) == 1
    assert len(list(db.session.scalars(select(CouponRecord.id)))) == before


def test_a_code_reserved_for_somebody_works_for_them(app: Flask) -> None:
    account_id, coupon = a_student().id, a_coupon(is_public=False)
    a_code(coupon, account_id=account_id)
    coupons.claim_by_code(account_id, "OPENSESAME", clock.now())
    assert [record.account_id for record in records(coupon)] == [account_id]


def test_a_second_code_for_a_coupon_one_has_stays_good_for_somebody_else(app: Flask) -> None:
    account_id, other_id, coupon = a_student().id, a_student().id, a_coupon(is_public=False)
    a_code(coupon, "FIRST")
    a_code(coupon, "SECOND")
    coupons.claim_by_code(account_id, "FIRST", clock.now())
    with pytest.raises(ClaimRefused):
        coupons.claim_by_code(account_id, "SECOND", clock.now())
    assert claimed(coupon) == 1
    coupons.claim_by_code(other_id, "SECOND", clock.now())
    assert claimed(coupon) == 2


def test_codes_count_against_the_quantity(app: Flask) -> None:
    coupon = a_coupon(is_public=False, quantity=1)
    a_code(coupon, "FIRST")
    a_code(coupon, "SECOND")
    coupons.claim_by_code(a_student().id, "FIRST", clock.now())
    with pytest.raises(CodeRefused):
        coupons.claim_by_code(a_student().id, "SECOND", clock.now())
    assert (claimed(coupon), len(records(coupon))) == (1, 1)


def test_a_code_in_hand_is_a_coupon_that_nobody_else_gets(app: Flask) -> None:
    coupon, now = a_coupon(quantity=3), clock.now()
    a_code(coupon, "FIRST")
    a_code(coupon, "SECOND")
    reader = a_student().id
    assert [(seen.state, seen.left) for seen in coupons.centre(reader, now)] == [(ClaimState.CLAIMABLE, 1)]
    assert [offer.left for offer in offers.claimable(today_in_shanghai())] == [1]
    claim(a_student().id, coupon)
    assert [(seen.state, seen.left) for seen in coupons.centre(reader, now)] == [(ClaimState.NONE_LEFT, 0)]
    assert offers.claimable(today_in_shanghai()) == ()
    assert "已经被领完" in refusal(reader, coupon)
    with pytest.raises(ClaimRefused):
        coupons.grant(reader, coupon.id, now)
    for code in ("FIRST", "SECOND"):
        coupons.claim_by_code(a_student().id, code, now)
    assert claimed(coupon) == 3


# ---------------------------------------------------------------- by hand


def test_a_grant_asks_for_no_window_but_counts(app: Flask) -> None:
    account_id, today = a_student().id, today_in_shanghai()
    coupon = a_coupon(is_public=False, open_date=today + DAY, quantity=1)
    coupons.grant(account_id, coupon.id, clock.now())
    assert claimed(coupon) == 1
    for who in (account_id, a_student().id):
        with pytest.raises(ClaimRefused):
            coupons.grant(who, coupon.id, clock.now())
    assert (claimed(coupon), len(records(coupon))) == (1, 1)


def test_the_command_grants_by_name_may_be_run_twice_and_names_what_failed(app: Flask) -> None:
    a_student(username="luffy")
    coupon = a_coupon(is_public=False)
    run = app.test_cli_runner().invoke
    first = run(args=["coupons", "grant", str(coupon.id), "luffy"])
    assert (first.exit_code, first.output) == (0, "luffy: got it.\n")
    again = run(args=["coupons", "grant", str(coupon.id), "luffy", "nobody"])
    assert again.exit_code == 1
    assert "luffy: has it already." in again.output
    assert "nobody: there is no such account." in again.output
    assert run(args=["coupons", "grant", "999999", "luffy"]).exit_code == 1
    assert claimed(coupon) == 1


# ---------------------------------------------------------------- looking


def test_the_centre_tells_for_each_coupon_what_the_reader_can_do(app: Flask) -> None:
    account_id, other_id, today = a_student().id, a_student().id, today_in_shanghai()
    course = a_course(name="某课")
    own, fresh = a_coupon(name="已领"), a_coupon(course, name="可领", quantity=3)
    a_coupon(name="未开始", open_date=today + DAY)
    a_coupon(name="领完", quantity=1, claimed=1)
    a_coupon(name="结束", open_date=today - 5 * DAY, close_date=today - DAY)
    a_coupon(name="不公开", is_public=False)
    a_coupon(name="停用", enabled=False)
    coupons.claim(account_id, own.id, clock.now())
    coupons.claim(other_id, fresh.id, clock.now())
    with counted() as sent:
        shown = coupons.centre(account_id, clock.now())
    assert len(sent) == 1
    assert [(offer.ticket.name, offer.state) for offer in shown] == [
        ("可领", ClaimState.CLAIMABLE),
        ("未开始", ClaimState.LATER),
        ("已领", ClaimState.CLAIMED),
        ("领完", ClaimState.NONE_LEFT),
    ]
    assert (shown[0].left, shown[0].ticket.product_name, shown[0].ticket.href) == (2, "某课", f"/courses/{course.id}")
    visitor = {offer.ticket.name: offer.state for offer in coupons.centre(None, clock.now())}
    assert visitor["已领"] is ClaimState.CLAIMABLE


def test_the_wallet_has_three_drawers_of_ones_own(app: Flask) -> None:
    account, other_id, now, today = a_student(), a_student().id, clock.now(), today_in_shanghai()
    account_id = account.id
    usable, later = a_coupon(name="可用"), a_coupon(name="未到", valid_begin_date=today + DAY)
    used, gone = (
        a_coupon(name="用掉"),
        a_coupon(name="过期", coupon_valid_days=1, open_date=today - 9 * DAY, **NO_DATES),
    )
    claim(other_id, a_coupon(name="别人的"))
    claim(account_id, usable)
    claim(account_id, later)
    claim(account_id, gone, now - 2 * DAY)
    record = claim(account_id, used)
    order = a_paid_line(account, a_course()).order
    record.status, record.used_time, record.order_id = CouponStatus.USED, now, order.id
    number = order.order_number
    saved(record)

    def drawer(state: WalletState) -> dict[str, tuple[bool, str | None]]:
        with counted() as sent:
            found = coupons.wallet(account_id, state, clock.now())
        assert len(sent) == 1
        return {own.ticket.name: (own.is_open, own.order_number) for own in found}

    assert drawer(WalletState.USABLE) == {"可用": (True, None), "未到": (False, None)}
    assert drawer(WalletState.USED) == {"用掉": (True, number)}
    assert drawer(WalletState.EXPIRED) == {"过期": (True, None)}
