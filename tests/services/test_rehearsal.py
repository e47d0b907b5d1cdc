"""A campaign rehearsed on rows and open settlements, against a recomputation apart; and that nothing is written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import CouponKind, OrderStatus, PaymentType, ProductStatus, Slip
from shop.extensions import db, unit_of_work
from shop.gateways import settlement_store
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account, CouponRecord, Course, Order, OrderDetail
from shop.rules import pricing
from shop.rules.rehearsal import Outcome
from shop.services.staff import campaigns, rehearsal
from shop.services.staff.campaigns import Terms
from tests.builders import a_claimed, a_coupon, a_course, a_draft, a_student, plan_of, today_in_shanghai
from tests.purchases import off_sale
from tests.rules.carts import Cart
from tests.rules.test_choice import brute_force
from tests.statements import counted

PRICES = (0, 1_000, 9_999, 10_000, 25_000, 60_000)
LOOKED_AT = 25  # of the orders that there are


def as_rule(record: CouponRecord) -> pricing.Coupon:
    """A record as the rules see it, written apart from the code that is checked."""
    coupon = record.coupon
    percent = 100 if coupon.off_percent is None else coupon.off_percent
    terms = pricing.CouponTerms(coupon.coupon_type, coupon.money_equivalent_fen, percent, coupon.minimum_consume_fen)
    return pricing.Coupon(record.id, coupon.name, coupon.product_id, terms, record.valid_from, record.valid_until)


class School:
    """Courses at few prices, people with coupons, orders of all states, and open settlements: made by a seed."""

    def __init__(self, rng: random.Random, client: redis.Redis) -> None:
        self.courses = [a_course(fen) for fen in PRICES]
        self.people = [a_student() for _each in range(6)]
        self.rng, self.redis = rng, client
        for number in range(32):
            self._order(number)
        for person in self.people[:4]:
            self._settle(person)

    def _wallet(self, person: Account, courses: Sequence[Course]) -> list[CouponRecord]:
        """Coupons that this purchase could take: perhaps one for a line, perhaps one for the sum."""
        found = []
        if self.rng.random() < 0.5:
            found.append(a_claimed(person, self.rng.choice(courses), flat=self.rng.choice((500, 3_000))))
        if self.rng.random() < 0.5:
            terms = self.rng.choice(({"percent": 90}, {"flat": 2_000}, {"flat": 5_000, "above": 20_000}))
            found.append(a_claimed(person, **terms))
        return found

    def _order(self, number: int) -> None:
        person = self.rng.choice(self.people)
        courses = self.rng.sample(self.courses, self.rng.choice((1, 1, 2, 3)))
        lines = [pricing.Line(course.id, course.name, plan_of(course).price_fen) for course in courses]
        wallet = {record.id: as_rule(record) for record in self._wallet(person, courses)}
        choice = pricing.choose(lines, wallet.values())
        quote = pricing.price(lines, wallet, choice, beli=0, beli_per_yuan=1)
        status = self.rng.choice((OrderStatus.PAID,) * 5 + (OrderStatus.REFUND_REQUESTED, OrderStatus.CANCELLED))
        moment = clock.now() - timedelta(minutes=self.rng.randrange(90))
        order = Order(
            order_number=f"R{number:08}",
            account_id=person.id,
            status=status,
            payment_type=PaymentType.ALIPAY,
            list_amount_fen=quote.list_fen,
            course_discount_fen=quote.course_discount_fen,
            site_discount_fen=quote.site_discount_fen,
            beli=0,
            beli_fen=0,
            actual_amount_fen=quote.due_fen,
            settlement_token=f"R{number}",
            date=moment,
            expires_at=moment,
            pay_time=None if status is OrderStatus.CANCELLED else moment,
            cancel_time=moment if status is OrderStatus.CANCELLED else None,
        )
        order.details = [
            OrderDetail(
                product_id=line.product_id,
                original_price_fen=line.list_fen,
                price_fen=line.price_fen,
                site_discount_fen=line.site_share_fen,
                beli=0,
                beli_fen=0,
                actual_amount_fen=line.due_fen,
                coupon_record_id=line.coupon_record_id,
                site_coupon_record_id=choice.site_coupon,
                valid_period_display="1个月",
                valid_period=30,
            )
            for line in quote.lines
        ]
        with unit_of_work() as session:
            session.add(order)

    def _settle(self, person: Account) -> None:
        courses = self.rng.sample(self.courses, 2)
        wallet = self._wallet(person, courses)
        settlement = Settlement(
            tuple(Pick(course.id, plan_of(course).id) for course in courses),
            {r.coupon.product_id: r.id for r in wallet if r.coupon.product_id is not None},
            next((record.id for record in wallet if record.coupon.product_id is None), None),
        )
        settlement_store.save(self.redis, person.id, settlement)

    def campaign(self) -> Terms:
        """Any terms, or nearly: a campaign as the generator throws it."""
        rng, today = self.rng, today_in_shanghai()
        kind = rng.choice(list(CouponKind))
        is_percent = kind is CouponKind.PERCENT
        return Terms(
            name=f"活动{rng.random()}",
            brief=None,
            kind=kind,
            face_fen=0 if is_percent else rng.choice((100, 999, 5_000, 10_000, 70_000)),
            pay_percent=rng.choice((1, 50, 79, 99)) if is_percent else None,
            minimum_fen=rng.choice((1_000, 25_000, 60_000)) if kind is CouponKind.THRESHOLD else 0,
            product_id=rng.choice([None, *(course.id for course in self.courses)]),
            quantity=rng.choice((1, 2, 100)),
            open_date=today,
            close_date=today,
            valid_begin_date=None,
            valid_end_date=None,
            valid_days=rng.choice((1, 400)),
            is_public=True,
        )


# ---------------------------------------------------------------- the recomputation


def shares(total: int, weights: list[int]) -> list[int]:
    """By the words of design 6: floor first, then a fen each to the largest remainders, ties to the earlier line."""
    if not total:
        return [0] * len(weights)
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    parts = [int(share) for share in exact]
    order = sorted(range(len(weights)), key=lambda i: (parts[i] - exact[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def bill(lines: list[pricing.Line], coupons: list[pricing.Coupon]) -> tuple[int, list[int]]:
    """What the cheapest legal combination comes to, and what each line costs of it: every combination is tried."""
    choice, due_fen = brute_force(Cart(lines, coupons))
    by_id = {coupon.record_id: coupon for coupon in coupons}
    prices = []
    for line in lines:
        chosen = by_id.get(choice.line_coupons.get(line.product_id, -1))
        prices.append(line.list_fen if chosen is None else taken_off(line.list_fen, chosen))
    return due_fen, [p - s for p, s in zip(prices, shares(sum(prices) - due_fen, prices), strict=True)]


def taken_off(fen: int, coupon: pricing.Coupon) -> int:
    if coupon.terms.kind is CouponKind.PERCENT:
        whole, rest = divmod(fen * coupon.terms.pay_percent, 100)
        return whole + (rest >= 50)
    return max(0, fen - coupon.terms.face_fen)


def recomputed(terms: Terms, baskets: list[tuple[str, int, list[pricing.Line], list[pricing.Coupon]]]) -> Any:
    """What ``rehearsal.rehearse`` should say of these purchases, in plain loops."""
    until = clock.end_of_day(terms.days[1])
    percent = 100 if terms.pay_percent is None else terms.pay_percent
    effect = pricing.CouponTerms(terms.kind, terms.face_fen, percent, terms.minimum_fen)
    one_more = pricing.Coupon(0, terms.name, terms.product_id, effect, until, until)
    served, freed, by_owner = [], [], {}
    for number, owner, lines, coupons in baskets:
        before, was = bill(lines, coupons)
        after, now = bill(lines, [*coupons, one_more])
        if after < before:
            served.append((number, before, after))
            freed += [(number, ln.name) for ln, a, b in zip(lines, was, now, strict=True) if b == 0 < a]
            by_owner.setdefault(owner, []).append(before - after)
    best = sorted((max(saved) for saved in by_owner.values()), reverse=True)
    worst = max(served, key=lambda one: one[1] - one[2], default=None)
    return {
        "looked at": len(baskets),
        "served": served,
        "total": sum(before - after for _number, before, after in served),
        "most": sum(best[: terms.quantity]),
        "worst": worst,
        "freed": freed,
    }


def said(outcome: Outcome) -> dict[str, Any]:
    worst = outcome.worst
    return {
        "looked at": outcome.looked_at,
        "served": [(effect.number, effect.before_fen, effect.after_fen) for effect in outcome.effects],
        "total": outcome.total_fen,
        "most": outcome.most_fen,
        "worst": (worst.number, worst.before_fen, worst.after_fen) if worst else None,
        "freed": list(outcome.freed),
    }


def bought() -> list[tuple[str, int, list[pricing.Line], list[pricing.Coupon]]]:
    """The latest paid orders, read row by row."""
    orders = [
        o for o in db.session.scalars(select(Order)) if o.status in (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED)
    ]
    found = []
    for order in sorted(orders, key=lambda o: (o.date, o.id), reverse=True)[:LOOKED_AT]:
        ids = {d.coupon_record_id for d in order.details} | {d.site_coupon_record_id for d in order.details}
        coupons = [as_rule(db.session.get_one(CouponRecord, ident)) for ident in ids if ident]
        lines = [pricing.Line(d.product_id, d.product.name, d.original_price_fen) for d in order.details]
        found.append((order.order_number, order.account_id, lines, coupons))
    return found


def settling(
    client: redis.Redis, people: list[Account]
) -> list[tuple[str, int, list[pricing.Line], list[pricing.Coupon]]]:
    found = []
    for person in sorted(people, key=lambda one: one.id):
        if (settlement := settlement_store.load(client, person.id)) is None:
            continue
        courses = [db.session.get_one(Course, pick.product_id) for pick in settlement.picks]
        chosen = [*settlement.line_coupons.values(), settlement.site_coupon]
        coupons = [as_rule(db.session.get_one(CouponRecord, ident)) for ident in chosen if ident]
        lines = [pricing.Line(c.id, c.name, plan_of(c).price_fen) for c in courses]
        found.append(("", person.id, lines, coupons))
    return found


def fingerprint(client: redis.Redis) -> tuple[str, dict[str, Any]]:
    """Every row there is, and every key with its value and its time to live in whole minutes."""
    db.session.rollback()
    with db.engine.connect() as connection:
        rows = [sorted(map(repr, connection.execute(sa.select(table)))) for table in db.metadata.sorted_tables]
    keys = {
        key: (client.hgetall(key), client.expiretime(key)) for key in client.scan_iter() if client.type(key) == "hash"
    }
    return str(rows), keys


# ---------------------------------------------------------------- tests


def test_it_equals_a_recomputation_of_20_campaigns_and_writes_nothing(app: Flask, redis_client: redis.Redis) -> None:
    school = School(random.Random(2026), redis_client)
    before = fingerprint(redis_client)
    baskets, open_ones = bought(), settling(redis_client, school.people)
    assert (len(baskets), len(open_ones)) == (LOOKED_AT, 4)
    served = settled = freed = 0
    for number in range(20):
        terms = school.campaign()
        found = rehearsal.rehearse(0, terms, LOOKED_AT)
        assert said(found.orders) == recomputed(terms, baskets), f"campaign {number}: {terms}"
        assert said(found.settlements) == recomputed(terms, open_ones), f"campaign {number}: {terms}"
        served, settled = served + len(found.orders.effects), settled + len(found.settlements.effects)
        freed += len(found.orders.freed)
    assert served > 50 and settled > 5 and freed > 5  # the campaigns do meet something
    assert fingerprint(redis_client) == before


def test_it_asks_the_same_for_few_orders_and_for_many(app: Flask, redis_client: redis.Redis) -> None:
    school = School(random.Random(7), redis_client)
    terms = school.campaign()
    with counted() as few:
        rehearsal.rehearse(0, terms, 1)
    with counted() as many:
        assert rehearsal.rehearse(0, terms, 2_000).orders.looked_at > 20
    assert len(many) == len(few) <= 8


def test_an_empty_shop_can_be_rehearsed(app: Flask) -> None:
    found = rehearsal.rehearse(0, campaigns.terms_of(a_draft(flat=100)), 10)
    assert (found.orders.looked_at, found.settlements.looked_at, found.overlaps, found.cautions) == (0, 0, (), ())
    assert found.orders.worst is None


def test_what_a_settlement_cannot_buy_or_use_is_left_out_and_garbage_is_no_settlement(
    app: Flask, redis_client: redis.Redis
) -> None:
    course, gone, student = a_course(10_000), a_course(10_000), a_student()
    foreign = a_claimed(a_student(), course, flat=9_000)
    picks = (Pick(course.id, plan_of(course).id), Pick(gone.id, plan_of(gone).id))
    off_sale(gone, ProductStatus.OFF_SALE)
    settlement_store.save(redis_client, student.id, Settlement(picks, {course.id: foreign.id}))
    redis_client.set("settlement:{a999}", "garbage")
    redis_client.hset("settlement:{a998}", mapping={"token": "x", "body": "garbage"})
    redis_client.hset("settlement:{ax}", mapping={"token": "x", "body": "garbage"})
    found = rehearsal.rehearse(0, campaigns.terms_of(a_draft(course, flat=1_000)), 10).settlements
    assert [(effect.before_fen, effect.after_fen) for effect in found.effects] == [(10_000, 9_000)]
    assert found.looked_at == 1


def test_no_more_settlements_are_read_than_one_statement_can_ask_about(
    app: Flask, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = a_course(10_000)
    pick = Pick(course.id, plan_of(course).id)
    for account_id in range(1, 31):
        settlement_store.save(redis_client, account_id, Settlement((pick,)))
    terms = campaigns.terms_of(a_draft(course, flat=1_000))
    assert rehearsal.rehearse(0, terms, 1).settlements.looked_at == 30
    monkeypatch.setattr(rehearsal, "MOST_IDS", 30)
    assert rehearsal.rehearse(0, terms, 1).settlements.looked_at == 10
    monkeypatch.setattr(rehearsal, "MOST_SETTLEMENTS", 7)
    assert rehearsal.rehearse(0, terms, 1).settlements.looked_at == 7
    assert len(settlement_store.open_ones(redis_client, 1_000, most_keys=5)) <= 5


def test_it_stands_beside_the_campaigns_that_run(app: Flask) -> None:
    course, other = a_course(), a_course()
    same, site, elsewhere = a_coupon(course, name="同课"), a_coupon(name="全站"), a_coupon(other)
    a_coupon(course, enabled=False)
    draft = a_draft(course)
    long_ago = today_in_shanghai() - timedelta(days=90)
    over = {"open_date": long_ago, "close_date": long_ago, "valid_begin_date": long_ago, "valid_end_date": long_ago}
    a_coupon(course, **over)
    found = rehearsal.rehearse(draft.id, campaigns.terms_of(draft), 1).overlaps
    assert {each.other.coupon_id: each.is_same_place for each in found} == {same.id: True, site.id: False}
    assert elsewhere.id not in {each.other.coupon_id for each in found}


def test_the_price_of_its_product_tells_a_face_value_that_is_too_large(app: Flask) -> None:
    course = a_course(10_000, 30_000)
    a_course(0)
    slips = {
        face: [c.slip for c in rehearsal.rehearse(0, campaigns.terms_of(a_draft(course, flat=face)), 1).cautions]
        for face in (9_900, 10_000)
    }
    assert slips == {9_900: [], 10_000: [Slip.FACE_OVER_PRICE]}
    site = rehearsal.rehearse(0, campaigns.terms_of(a_draft(flat=10_000, quantity=1)), 1)
    assert [caution.slip for caution in site.cautions] == [Slip.FACE_OVER_PRICE]
