"""Random walks: which steps there are and how often, and how many walks a run takes.

``MODEL_WALKS`` (how many) and ``MODEL_SEED`` (which ones) make a longer search than the run of the suite;
``MODEL_SHRINK=1`` looks for the shortest walk that fails, for minutes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.cashier.parts import Cashier
from tests.model.crashes import AFTER_COMMIT, BEFORE_COMMIT, BEFORE_WRITE
from tests.model.walk import Stage, Walk

STEPS = 15
BATCH = 10  # of its first ten walks Hypothesis makes no variations: all but the very first are far from each other
SETTINGS = settings(
    max_examples=BATCH,
    stateful_step_count=STEPS,
    # Shrinking takes minutes, and a walk is short enough to be read as it is.
    phases=(Phase.generate, Phase.shrink) if os.environ.get("MODEL_SHRINK") else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
    deadline=None,
    database=None,
    print_blob=False,
)
PATIENCE = 0 if "MODEL_WALKS" in os.environ else 600  # seconds for one test; none for a longer search
WALKS = {"sqlite": 20, "postgresql": 10}  # of one file; there are four
WHO = st.sampled_from([0, 0, 0, 1])
WHAT = st.sampled_from([[0], [1], [0, 1], [2], [0, 2], [0, 1, 2]])
WHICH = st.sampled_from([0, 0, 0, 1, 1, 2, 3])  # the newest first
LAST = st.sampled_from([-1, -1, -1, -2, -2, -3, 0])  # the oldest first
TOLD = st.sampled_from([0, 0, 1, 1, 2])
BUYER = st.sampled_from("AAAB")
BELI = st.sampled_from([0, 0, 1, 7, 10_000])
PURCHASE = {"who": WHO, "what": WHAT, "beli": BELI, "coupons": st.sampled_from([True, True, False])}
WAITS = st.sampled_from([5, 40, 130, 700, 1_100, 1_100, 4_000, 86_400, 8 * 86_400, 91 * 86_400])
FAULTS = st.sampled_from(
    [
        ("answer_system_error", "query", True),
        ("answer_20000", "close", True),
        ("answer_20000", "close", False),
        ("answer_business", "close", False),
        ("answer_reset", "refund", True),
        ("answer_system_error", "refund", False),
        ("answer_bad_sign", "refund", True),
        ("answer_empty", "fastpay.refund.query", True),
        ("answer_system_error", "", True),
        ("refund_fund_change_n", "refund", True),
        ("refund_refused", "refund", False),
    ]
)
AT_COMMIT = [BEFORE_COMMIT, AFTER_COMMIT]
REFUSED_FOR_GOOD = "ACQ.TRADE_NOT_ALLOW_REFUND"


def explore(app: Flask, alipay: Cashier, database: str, *, part: int) -> None:
    """Take this part's walks; those of one part and seed are always the same."""
    stage = Stage(app, alipay)

    def begin() -> Machine:
        return Machine(stage)

    walks = int(os.environ.get("MODEL_WALKS", 0)) or WALKS[database]
    first = (int(os.environ.get("MODEL_SEED", 0)) * 10 + part) * 100_000
    try:
        for batch in range(first, first + -(-walks // BATCH)):
            seed(batch)(begin)
            run_state_machine_as_test(begin, settings=SETTINGS)
    finally:
        stage.close()


def _if(*things: str) -> Callable[[Any], Any]:
    """Only while there is one of these."""
    return precondition(lambda walk: not walk.there_is.isdisjoint(things))


class Machine(Walk, RuleBasedStateMachine):
    """Steps at random. A walk that fails is printed as calls, which ``test_kept_walks`` can make of a ``Walk``."""

    def __init__(self, stage: Stage) -> None:
        RuleBasedStateMachine.__init__(self)
        Walk.__init__(self, stage)

    @invariant()
    def holds(self) -> None:
        self.check()

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # else a step has failed, and is what should be told
            self.finish()

    # What nothing can come of is not tried, or most steps would be none. Things made last are most often meant.
    @initialize(is_paid=st.booleans(), **PURCHASE)
    def begin(self, *, is_paid: bool, **what: Any) -> None:
        (self.purchase if is_paid else self.buy)(**what)

    buy = rule(**PURCHASE, phone=st.booleans())(Walk.buy)
    purchase = rule(**PURCHASE)(Walk.purchase)
    settle = rule(**PURCHASE)(Walk.settle)
    checkout = rule(who=WHO, phone=st.booleans())(Walk.checkout)
    pay_late = _if("unpaid order")(rule(which=WHICH, told=TOLD)(Walk.pay_late))
    second_attempt = _if("unpaid order")(rule(which=WHICH)(Walk.second_attempt))
    pay_twice = _if("unpaid order")(rule(which=WHICH, old_first=st.booleans(), told=TOLD)(Walk.pay_twice))
    press_again = rule(which=WHICH)(Walk.press_again)
    claim = rule(who=WHO)(Walk.claim)
    file_form = _if("paid order")(rule(which=WHICH)(Walk.file_form))

    open_page = _if("unpaid order")(rule(which=WHICH)(Walk.open_page))
    pay_again = _if("unpaid order")(rule(which=WHICH)(Walk.pay_again))
    scan = _if("open page")(rule(which=LAST, buyer=BUYER)(Walk.scan))
    pay = _if("open page")(rule(which=LAST, buyer=BUYER, told=TOLD)(Walk.pay))
    pay_unheard = _if("open page")(rule(which=LAST, told=st.just(0))(Walk.pay))
    pay_less = _if("open page")(rule(which=LAST, less=st.just(True), told=TOLD)(Walk.pay))
    reopen = _if("TRADE_CLOSED")(rule(which=LAST)(Walk.reopen))
    deliver = _if("message")(rule(which=st.integers(-4, 3), copies=st.integers(1, 3))(Walk.deliver))
    come_back = _if("paid trade")(rule(which=LAST)(Walk.come_back))
    refund_by_hand = _if("paid trade")(
        rule(which=LAST, percent=st.sampled_from([10, 50, 100]), told=TOLD)(Walk.refund_by_hand)
    )

    cancel = _if("unpaid order")(rule(which=WHICH)(Walk.cancel))
    ask_refund = _if("paid order")(rule(which=WHICH, lines=st.integers(0, 7))(Walk.ask_refund))
    give_back = _if("paid order")(rule(which=WHICH, lines=st.integers(0, 7))(Walk.give_back))
    approve = _if("requested refund")(rule(which=LAST, decision=st.just("approve"))(Walk.decide))
    refuse = _if("requested refund", "failed refund")(rule(which=LAST, decision=st.just("refuse"))(Walk.decide))
    retry = _if("failed refund")(rule(which=LAST, decision=st.just("retry"))(Walk.decide))
    withdraw = _if("requested refund")(rule(which=LAST)(Walk.withdraw))
    send_back = _if("odd money")(rule(which=LAST)(Walk.send_back))

    expire = _if("unpaid order")(rule(name=st.just("expire"))(Walk.job))
    poll = _if("unpaid order", "ended order")(rule(name=st.just("poll"))(Walk.job))
    send = _if("approved refund", "in_transit refund", "failed refund")(rule(name=st.just("send"))(Walk.job))
    wait = rule(seconds=WAITS)(Walk.wait)
    wait_for_the_end = _if("unpaid order")(rule(seconds=st.just(1_100))(Walk.wait))
    reprice = rule(what=st.integers(0, 2), fen=st.sampled_from([0, 4_321, 10_000]))(Walk.reprice)
    shelve = rule(what=st.integers(0, 2), on_sale=st.booleans())(Walk.shelve)
    crash = rule(place=st.just(BEFORE_WRITE), number=st.sampled_from([0, 1, 1, 2, 3, 5, 8]))(Walk.crash)
    crash_at_commit = rule(place=st.sampled_from(AT_COMMIT), number=st.sampled_from([0, 0, 1]))(Walk.crash)

    @rule(fault=FAULTS)
    def misbehave(self, fault: tuple[str, str, bool]) -> None:
        kind, method, done = fault
        self.fault(kind, method, done=done)

    @rule()
    def refuse_for_good(self) -> None:
        self.fault("refund_refused", "refund", done=False, sub_code=REFUSED_FOR_GOOD)
