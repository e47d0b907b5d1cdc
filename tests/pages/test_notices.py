"""What Alipay says, and what the local one lets it say wrongly: the stored result and the body answered (design 8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.datastructures import MultiDict

from shop import clock
from shop.enums import NoticeVerdict, OrderStatus, PaymentMethod, PaymentState, StudyStatus
from shop.extensions import db
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import EnrolledCourse, EnrolledDegreeCourse, Order, Payment, PaymentNotice, Product, StudyRecord
from shop.services import attempts, checkout, orders
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_degree, a_student, plan_of
from tests.cashier.parts import Cashier, fetch, until
from tests.person import Person
from tests.purchases import off_sale


class Bought:
    """An unpaid order over 100.00 for one course, whose buyer has opened the page at Alipay."""

    def __init__(self, alipay: Cashier, product: Product | None = None) -> None:
        self.alipay = alipay
        self.student = a_student()
        self.product = product or a_course(10_000)
        plan = plan_of(self.product)
        settlement = Settlement((Pick(self.product.id, plan.id),))
        placed = checkout.place_order(
            self.student.id, settlement, money_fen=plan.price_fen, beli=0, method=PaymentMethod.PAGE
        )
        self.number = placed.order_number
        db.session.rollback()
        self.out_trade_no = self.order.payments[0].out_trade_no
        fetch(attempts.pay_url(self.number) or "")

    @property
    def order(self) -> Order:
        db.session.rollback()
        return db.session.query(Order).filter_by(order_number=self.number).one()

    def pay(self, **how: Any) -> dict[str, Any]:
        return self.alipay.pay(self.out_trade_no, **how)

    def answers(self) -> list[tuple[int, str]]:
        """Status and body of every delivery of this order's notices so far."""
        found = [d for m in self.alipay.messages(self.out_trade_no) for d in m["deliveries"]]
        return [(d["http_status"], d["answer"]) for d in found]

    def verdicts(self) -> list[tuple[NoticeVerdict, str]]:
        db.session.rollback()
        rows = db.session.scalars(sa.select(PaymentNotice).order_by(PaymentNotice.id)).all()
        return [(row.verdict, row.reason) for row in rows]


@pytest.fixture
def bought(app: Flask, alipay: Cashier) -> Bought:
    return Bought(alipay)


def enrolments() -> int:
    db.session.rollback()
    return db.session.query(EnrolledCourse).count() + db.session.query(EnrolledDegreeCourse).count()


def test_a_genuine_notice_pays_delivers_and_is_acknowledged(bought: Bought) -> None:
    """B37: open after the payment, and not before."""
    assert enrolments() == 0
    bought.pay()
    assert bought.answers() == [(200, "success")]
    assert bought.order.status is OrderStatus.PAID
    assert bought.order.pay_time is not None
    assert bought.order.payments[0].state is PaymentState.PAID
    assert enrolments() == 1
    assert bought.verdicts() == [(NoticeVerdict.APPLIED, "paid")]


NOT_STORED = ["notify_forged", "notify_no_sign", "notify_wrong_sign_type", "notify_truncated_sign", "notify_tampered"]


@pytest.mark.parametrize("kind", [*NOT_STORED, "notify_wrong_key"])
def test_a_bad_signature_is_answered_fail_and_stored_nowhere(bought: Bought, kind: str) -> None:
    """F52."""
    bought.alipay.fault(kind)
    bought.pay()
    assert bought.answers() == [(400, "fail")]
    assert bought.order.status is OrderStatus.PENDING
    assert (enrolments(), bought.verdicts()) == (0, [])


def test_a_notice_signed_with_our_own_key_is_a_bad_signature(bought: Bought, instance: Any) -> None:
    bought.alipay.fault("notify_wrong_key", private_key_file=str(instance / "keys" / "app_private.pem"))
    bought.pay()
    assert bought.answers() == [(400, "fail")]
    assert bought.verdicts() == []


REFUSED = {
    "notify_cent_less": "wrong amount",
    "notify_other_app": "for another app",
    "notify_other_seller": "for another seller",
    "notify_unknown_order": "unknown out_trade_no",
    "notify_merged": "total_amount is missing or malformed",
    "pay_cent_less": "wrong amount",
    "return_posted": "notify_id is missing or malformed",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_signed_lie_is_stored_refused_and_not_acknowledged(bought: Bought, kind: str) -> None:
    bought.alipay.fault(kind)
    bought.pay()
    until(lambda: _any_refused(bought, REFUSED[kind]))
    until(lambda: (400, "fail") in bought.answers())
    if kind != "return_posted":  # there the genuine notice comes as well
        assert bought.order.status is OrderStatus.PENDING
        assert enrolments() == 0


def _any_refused(bought: Bought, reason: str) -> bool:
    return any(verdict is NoticeVerdict.REFUSED and reason in why for verdict, why in bought.verdicts())


@pytest.mark.parametrize(
    "field", ["out_trade_no", "total_amount", "seller_id", "trade_status", "notify_type", "app_id"]
)
def test_a_required_field_that_is_not_there_is_a_refusal_never_a_default(bought: Bought, field: str) -> None:
    """safety.md 1.2."""
    bought.alipay.fault("notify_lost")
    bought.pay()
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "drop": [field]})
    assert bought.verdicts() == [(NoticeVerdict.REFUSED, f"{field} is missing or malformed")]
    assert bought.order.status is OrderStatus.PENDING


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("notify_twice", {}),
        ("notify_parallel", {"copies": 8}),
        ("notify_extra_field", {}),
        ("notify_open_id", {}),
        ("notify_missing_optional", {}),
        ("notify_after_return", {}),
    ],
)
def test_repeats_and_unknown_fields_pay_exactly_once(
    bought: Bought, person: Person, kind: str, args: dict[str, Any]
) -> None:
    bought.alipay.fault(kind, **args)
    paid = bought.pay()
    person.sign_in(bought.student.username)
    assert 'data-status="0"' in person.follow_return(paid["return_url"]).text
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "copies": 2})
    assert set(bought.answers()) == {(200, "success")}
    assert bought.order.status is OrderStatus.PAID
    assert enrolments() == 1
    applied = [verdict for verdict, _ in bought.verdicts() if verdict is NoticeVerdict.APPLIED]
    assert len(applied) <= 1  # none when the return's query was first


def test_another_trade_number_for_a_paid_attempt_is_refused_and_changes_nothing(bought: Bought) -> None:
    bought.alipay.fault("notify_other_trade_no")
    paid = bought.pay()
    until(lambda: _any_refused(bought, "another trade"))
    assert bought.order.payment_number == paid["trade"]["trade_no"]
    assert enrolments() == 1


def test_a_partial_refund_notice_is_no_payment(bought: Bought) -> None:
    """It says TRADE_SUCCESS again (alipay.md 0.3)."""
    bought.alipay.fault("notify_lost")
    bought.pay()
    fields = {"gmt_refund": "2026-11-23 18:00:00.123", "refund_fee": "10.00", "out_biz_no": "R1"}
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "set": fields})
    assert bought.verdicts() == [(NoticeVerdict.IGNORED, "about a refund")]
    assert bought.order.status is OrderStatus.PENDING


@pytest.mark.parametrize("status", ["WAIT_BUYER_PAY", "TRADE_CLOSED"])
def test_an_unpaid_status_is_acknowledged_and_ignored(bought: Bought, status: str) -> None:
    bought.alipay.fault("notify_lost")
    bought.pay()
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "set": {"trade_status": status}})
    assert bought.verdicts() == [(NoticeVerdict.IGNORED, "no payment")]


def test_trade_finished_pays_too(bought: Bought) -> None:
    bought.alipay.fault("notify_lost")
    bought.pay()
    fields = {"trade_status": "TRADE_FINISHED"}
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "set": fields})
    assert bought.order.status is OrderStatus.PAID


def test_late_money_that_no_order_can_use_opens_nothing_and_goes_back(bought: Bought, person: Person) -> None:
    """Paid on an old page after the order was cancelled, for a course that is off sale now (design 8)."""
    orders.cancel(bought.student.id, bought.number)
    off_sale(bought.order.details[0].product)
    bought.pay()
    assert bought.answers() == [(200, "success")]
    assert bought.order.status is OrderStatus.CANCELLED
    assert bought.order.payments[0].state is PaymentState.SURPLUS
    assert enrolments() == 0
    page = person.sign_in(bought.student.username).get(f"/orders/{bought.number}")
    assert "原路退回" in page.text


def test_a_trade_that_paid_one_attempt_pays_no_other(app: Flask, alipay: Cashier) -> None:
    first, second = Bought(alipay), Bought(alipay)
    paid = first.pay()
    fields = {"out_trade_no": second.out_trade_no}
    alipay.control("messages", {"out_trade_no": first.out_trade_no, "set": fields})
    assert second.order.status is OrderStatus.PENDING
    assert (NoticeVerdict.REFUSED, "this trade has paid another attempt") in first.verdicts()
    assert first.order.payment_number == paid["trade"]["trade_no"]


def test_a_field_that_comes_twice_is_a_bad_notice(bought: Bought, person: Person) -> None:
    """Which one counts must not be a matter of luck (ASVS 15.3.7)."""
    bought.alipay.fault("notify_lost")
    bought.pay()
    fields = bought.alipay.messages(bought.out_trade_no)[0]["fields"]
    body = MultiDict([*fields.items(), ("total_amount", "0.01")])
    answer = person.client.post("/alipay/notify", data=body)
    assert (answer.status_code, answer.text) == (400, "fail")
    assert bought.verdicts() == []


def test_rubbish_is_answered_fail_and_never_a_500(person: Person) -> None:
    """ASVS 16.5.3: what crashes the SDK is "not verified"."""
    for data in (
        {},
        {"sign": "x", "sign_type": "RSA2"},
        {"sign": "%%%", "sign_type": "RSA2", "out_trade_no": "x"},
        {"sign": "é" * 10, "sign_type": "RSA2", "a": "{"},
        {"sign": "AAAA", "sign_type": "RSA"},
    ):
        answer = person.client.post("/alipay/notify", data=data)
        assert (answer.status_code, answer.text) == (400, "fail")
    assert person.client.get("/alipay/notify").status_code == 405


# ---------------------------------------------------------------- the buyer's return


def test_the_return_queries_when_no_notice_came(bought: Bought, person: Person) -> None:
    bought.alipay.fault("notify_lost", times=8)
    paid = bought.pay()
    person.sign_in(bought.student.username)
    assert 'data-status="0"' in person.follow_return(paid["return_url"]).text
    assert bought.verdicts() == []


def test_a_return_without_a_payment_proves_nothing(bought: Bought, person: Person) -> None:
    """Replayed, and with a query that nobody can answer: being confirmed, never paid, never failed."""
    bought.alipay.fault("notify_lost", times=8)
    paid = bought.pay()
    person.sign_in(bought.student.username)
    for kind in ("answer_status", "answer_html", "answer_empty", "answer_braces", "answer_bad_sign", "answer_reset"):
        bought.alipay.fault(kind, method="alipay.trade.query")
        page = person.follow_return(paid["return_url"])
        assert 'data-status="1"' in page.text
        assert "支付结果确认中" in page.text
    assert bought.order.status is OrderStatus.PENDING
    page = person.follow(person.post(f"/orders/{bought.number}/inquiry"))
    assert 'data-status="0"' in page.text


@pytest.mark.parametrize("who", ["nobody", "another student"])
def test_the_return_shows_nobody_else_anything(bought: Bought, person: Person, who: str) -> None:
    paid = bought.pay()
    if who == "another student":
        person.sign_in(a_student().username)
    answer = person.follow_return(paid["return_url"])
    assert answer.status_code == 200
    assert bought.number not in answer.text
    assert bought.product.name not in answer.text


@pytest.mark.parametrize("change", [{"total_amount": "0.01"}, {"sign": "AAAA"}, {"own": "1"}])
def test_a_forged_return_is_a_neutral_page(bought: Bought, person: Person, change: dict[str, str]) -> None:
    bought.alipay.fault("notify_lost", times=8)
    paid = bought.pay()
    fields = dict(parse_qsl(urlsplit(paid["return_url"]).query)) | change
    answer = person.get(f"/alipay/return?{urlencode(fields)}")
    assert answer.status_code == 200
    assert bought.order.status is OrderStatus.PENDING


# ---------------------------------------------------------------- what a payment opens


def test_a_degree_opens_as_not_started_with_a_locked_record_per_module(app: Flask, alipay: Cashier) -> None:
    """B31, B44, E4."""
    bought = Bought(alipay, a_degree(100_000, modules=3))
    bought.pay()
    assert enrolments() == 1
    enrolment = db.session.query(EnrolledDegreeCourse).one()
    assert enrolment.study_status is StudyStatus.NOT_STARTED
    assert (enrolment.mentor_id, enrolment.mentor_fee_balance, enrolment.valid_begin_date) == (None, 0, None)
    assert db.session.query(StudyRecord).count() == 3


def test_a_renewal_starts_when_the_old_period_ends(app: Flask, alipay: Cashier) -> None:
    """Design 7: no day is lost."""
    first = Bought(alipay)
    first.pay()
    plan = plan_of(first.product)
    settlement = Settlement((Pick(first.product.id, plan.id),))
    checkout.place_order(first.student.id, settlement, money_fen=10_000, beli=0, method=PaymentMethod.PAGE)
    db.session.rollback()
    attempt = db.session.query(Payment).filter_by(state=PaymentState.OPEN).one()
    fetch(attempts.pay_url(attempt.order.order_number) or "")
    alipay.pay(attempt.out_trade_no)
    db.session.rollback()
    old, new = db.session.query(EnrolledCourse).order_by(EnrolledCourse.id)
    assert (old.valid_end_date - old.valid_begin_date).days == 30
    assert (new.valid_begin_date - old.valid_end_date).days == 1
    assert (new.valid_end_date - new.valid_begin_date).days == 30
    assert old.valid_begin_date == clock.local_date(clock.now())


@pytest.mark.parametrize("value", ["00.01", "100.00\0", "1" * 20])
def test_a_signed_amount_that_is_no_amount_is_stored_refused(bought: Bought, value: str) -> None:
    bought.alipay.fault("notify_lost")
    bought.pay()
    fields = {"total_amount": value}
    bought.alipay.control("messages", {"out_trade_no": bought.out_trade_no, "set": fields})
    assert bought.answers()[-1] == (400, "fail")
    assert [verdict for verdict, _ in bought.verdicts()] == [NoticeVerdict.REFUSED]


def test_the_return_from_an_old_page_finds_late_money(bought: Bought, person: Person) -> None:
    """F61: the order has ended, no notice comes, and the buyer comes back from the page that was still open."""
    orders.cancel(bought.student.id, bought.number)
    bought.alipay.fault("notify_lost", times=8)
    page = person.sign_in(bought.student.username).follow_return(bought.pay()["return_url"])
    assert 'data-status="0"' in page.text
    assert bought.order.status is OrderStatus.PAID and enrolments() == 1
    assert_audit_clean()
