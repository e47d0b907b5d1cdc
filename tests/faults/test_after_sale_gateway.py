"""Alipay slow, gone, or talking nonsense; and its key while it is rotated (safety.md 3.5: F39 to F41, F53)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from cashier import keys as cashier_keys
from cashier import signing
from shop import create_app
from shop.config import Settings
from shop.enums import OrderStatus
from shop.extensions import db
from shop.gateways.alipay import Alipay, Trade, Unknown
from shop.models import EnrolledCourse, Order
from shop.services import orders, payment, polling
from shop.services.payment import Answer
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, Served
from tests.deal import CLOSE, QUERY, Deal
from tests.faults.purchase import NOWHERE, count, only_number, settle, the_order
from tests.person import Client, Person

Shops = Callable[..., Flask]
PATIENCE = 5.0  # seconds that a page may take while Alipay does not answer
NONSENSE = [
    "answer_status",
    "answer_html",
    "answer_empty",
    "answer_braces",
    "answer_short",
    "answer_bad_sign",
    "answer_no_sign",
    "answer_error_node",
    "answer_redirect",
    "answer_reset",
    "answer_20000",
    "answer_system_error",
]


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def deal(alipay: Cashier) -> Deal:
    return Deal(alipay, a_course(10_000))


@pytest.fixture
def another(settings: Settings) -> Iterator[Shops]:
    """The same shop with other settings, as often as wanted."""
    made = []

    def make(**changes: Any) -> Flask:
        app = create_app(replace(settings, **changes))
        app.test_client_class = Client
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()


# ---------------------------------------------------------------- gone and slow


def test_f39_the_way_to_an_unreachable_alipay_is_produced_all_the_same(app: Flask, another: Shops) -> None:
    """No call is needed for it; the order waits, and can be paid once Alipay is back."""
    person = Person(another(alipay_gateway=f"{NOWHERE}gateway.do")).sign_in(a_student().username)
    answer = person.post("/checkout", settle(person, a_course()))
    number = only_number()
    assert answer.status_code == 303
    assert answer.location.startswith(NOWHERE) and f"{number}01" in answer.location
    assert the_order(number).status is OrderStatus.PENDING
    again = person.post(f"/orders/{number}/payments")
    assert again.status_code == 303 and f"{number}01" in again.location
    assert "支付宝暂时没有回答" in person.post(f"/orders/{number}/cancellation").text
    assert the_order(number).status is OrderStatus.PENDING


def test_f40_pages_say_in_time_that_the_payment_is_being_confirmed(app: Flask, deal: Deal) -> None:
    person = Person(app).sign_in(deal.student.username)
    back = deal.alipay.pay(deal.attempt())["return_url"]
    deal.alipay.fault("answer_slow", method=QUERY, seconds=8.0, times=None)
    for visit in (
        lambda: person.follow_return(back),
        lambda: person.follow(person.post(f"/orders/{deal.number}/inquiry")),
    ):
        started = time.monotonic()
        page = visit()
        assert time.monotonic() - started < PATIENCE
        assert "支付结果确认中" in page.text
    started = time.monotonic()
    page = person.post(f"/orders/{deal.number}/cancellation")
    assert "支付宝暂时没有回答" in page.text and "没有被扣款" not in page.text  # they have paid
    assert time.monotonic() - started < PATIENCE
    assert deal.order.status is OrderStatus.PENDING
    deal.alipay.control("faults", method="DELETE")
    deal.alipay.move_clock(61)
    assert polling.poll_due() == {"paid": 1}


# ---------------------------------------------------------------- nonsense


@pytest.mark.parametrize("kind", NONSENSE)
def test_f41_nonsense_about_a_payment_is_unknown_and_found_out_later(deal: Deal, kind: str) -> None:
    """Neither paid nor unpaid: nothing is delivered, nothing released."""
    deal.pay()
    deal.alipay.fault(kind, method=QUERY)
    assert payment.ask(deal.attempt()) is Answer.UNKNOWN
    assert deal.order.status is OrderStatus.PENDING
    assert deal.is_kept()
    assert payment.ask(deal.attempt()) is Answer.PAID


@pytest.mark.parametrize("kind", NONSENSE)
def test_f41_nonsense_about_a_close_releases_nothing(deal: Deal, kind: str) -> None:
    deal.alipay.control("login", {"out_trade_no": deal.attempt()})
    deal.alipay.fault(kind, method=CLOSE, done=False)
    with pytest.raises(Exception, match="AlipaySilent"):
        deal.cancel()
    assert deal.order.status is OrderStatus.PENDING
    assert deal.is_kept()
    orders.cancel(deal.student.id, deal.number)
    assert deal.order.status is OrderStatus.CANCELLED


class Impostor:
    """Answers in Alipay's place; ``say`` makes the body from the signed text of an unpaid trade and its signature."""

    def __init__(self, key_folder: Path, out_trade_no: str) -> None:
        self.key = cashier_keys.load_private((key_folder / "gateway_private.pem").read_text())
        self.unpaid = self.node(out_trade_no, "WAIT_BUYER_PAY")
        self.say: Callable[[str, str], str] = lambda node, sign: body(f'"{NODE}":{node}', sign)

    @staticmethod
    def node(out_trade_no: str, status: str) -> str:
        fields = {
            "code": "10000",
            "msg": "Success",
            "out_trade_no": out_trade_no,
            "trade_no": "2026112322001",
            "trade_status": status,
            "total_amount": "70.00",
        }
        return json.dumps(fields)

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        Request(environ)
        said = self.say(self.unpaid, signing.sign(self.unpaid, self.key))
        return Response(said, content_type="application/json;charset=utf-8")(environ, start_response)


NODE = "alipay_trade_query_response"
PAID_NODE = Impostor.node("NUMBER01", "TRADE_SUCCESS")
LIES: dict[str, Callable[[str, str], str]] = {
    "the node twice, the unsigned one last": lambda node, sign: body(f'"{NODE}":{node},"{NODE}":{PAID_NODE}', sign),
    "the node twice, the unsigned one first": lambda node, sign: body(f'"{NODE}":{PAID_NODE},"{NODE}":{node}', sign),
    "the signed node under another name": lambda node, sign: body(
        f'"alipay_trade_close_response":{node},"{NODE}":{PAID_NODE}', sign
    ),
    "only under another name": lambda node, sign: body(f'"alipay_trade_close_response":{node}', sign),
    "the signature twice": lambda node, sign: body(f'"{NODE}":{PAID_NODE},"sign":"{sign}"', "AAAA"),
    "an error beside it": lambda node, sign: body(f'"error_response":{{"code":"1"}},"{NODE}":{PAID_NODE}', sign),
    "the node in a string": lambda node, sign: body(
        f'"note":{json.dumps(chr(34) + NODE + chr(34) + ":" + node)},"{NODE}":{PAID_NODE}', sign
    ),
    "a list": lambda node, sign: "[]",
    "signed, about another trade": lambda node, sign: body(f'"{NODE}":{node}', sign),
}


def body(rest: str, sign: str) -> str:
    return f'{{{rest},"sign":"{sign}"}}'


@pytest.mark.parametrize("lie", LIES)
def test_f41_only_what_alipay_signed_under_the_name_of_the_call_is_believed(
    app: Flask, alipay: Cashier, settings: Settings, lie: str
) -> None:
    """Duplicate keys and other names are read differently by different parsers (G2)."""
    asked = "NUMBER01"
    impostor = Impostor(alipay.directory, "ANOTHER01" if "another trade" in lie else asked)
    impostor.say = LIES[lie]
    served = Served(lambda port: impostor.wsgi)
    try:
        gateway = Alipay(replace(settings, alipay_gateway=f"http://127.0.0.1:{served.port}/gateway.do"))
        try:
            answer: Trade | None = gateway.query(asked)
        except Unknown:
            return
        assert answer is not None
        assert not answer.is_paid
    finally:
        served.stop()


def test_f41_the_impostors_truth_is_believed(app: Flask, alipay: Cashier, settings: Settings) -> None:
    """Else the test above would pass for a gateway that believes nobody."""
    impostor = Impostor(alipay.directory, "NUMBER01")
    served = Served(lambda port: impostor.wsgi)
    try:
        gateway = Alipay(replace(settings, alipay_gateway=f"http://127.0.0.1:{served.port}/gateway.do"))
        answer = gateway.query("NUMBER01")
        assert answer and answer.status == "WAIT_BUYER_PAY"
    finally:
        served.stop()


# ---------------------------------------------------------------- a rotated key


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The public half of a key that has not signed anything yet."""
    folder = tmp_path_factory.mktemp("next")
    cashier_keys.ensure_pair(folder, "next")
    return (folder / "next_public.pem").read_text()


@pytest.mark.parametrize("place", [0, 1], ids=["new key first", "old key first"])
def test_f53_while_the_key_is_rotated_both_are_believed(
    deal: Deal, settings: Settings, another: Shops, other_key: str, place: int
) -> None:
    """A notice and an answer by the key that is about to go, and by the one that has come."""
    [in_use] = settings.alipay_public_keys
    both = (other_key, in_use) if place == 0 else (in_use, other_key)
    rotated = another(alipay_public_keys=both)
    deal.pay()
    notice = _notice(deal)
    assert Person(rotated).client.post("/alipay/notify", data=notice).text == "success"
    with rotated.app_context():
        assert payment.ask(deal.attempt()) is Answer.PAID
    assert deal.order.status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1


def test_f53_when_the_old_key_is_taken_out_it_is_believed_no_more(deal: Deal, another: Shops, other_key: str) -> None:
    after = another(alipay_public_keys=(other_key,))
    deal.pay()
    assert Person(after).client.post("/alipay/notify", data=_notice(deal)).text == "fail"
    with after.app_context():
        assert payment.ask(deal.attempt()) is Answer.UNKNOWN
    assert count(Order, Order.status == OrderStatus.PENDING) == 1


def _notice(deal: Deal) -> dict[str, str]:
    sent = deal.alipay.control("messages", {"out_trade_no": deal.attempt(), "url": NOWHERE})
    fields: dict[str, str] = sent["deliveries"][0]["body"]
    return fields
