"""Carts as Redis keeps them, beside the database that says what is for sale."""

from __future__ import annotations

import json
import threading

import pytest
import redis
from flask import Flask

from shop.enums import CourseType, ProductStatus
from shop.errors import CartFull, DegreeOwned, NoSuchPolicy, NotForSale, NotFound, OffSale
from shop.extensions import db
from shop.gateways import cart_store
from shop.gateways.cart_store import StoredLine
from shop.models import Product
from shop.services import cart
from shop.services.cart import LineState
from tests.builders import a_course, a_degree, a_student
from tests.purchases import enrolled_in_degree, off_sale, saved
from tests.statements import counted

VISITOR = "v" + "0" * 24
MONTH_AND_TWO = (10_000, 510_000)


def plan_ids(product: Product) -> list[int]:
    return [policy.id for policy in product.policies]


def put(owner: str, product: Product, which: int = 0, account_id: int | None = None) -> None:
    cart.add(owner, product.id, plan_ids(product)[which], account_id)


def only_line(owner: str, account_id: int | None = None) -> cart.CartLine:
    (line,) = cart.view(owner, account_id).lines
    return line


# ---------------------------------------------------------------- adding and changing


def test_a_plan_put_in_is_shown_with_its_price_and_selected(app: Flask) -> None:
    course = a_course(*MONTH_AND_TWO, name="Python 入门")
    put(VISITOR, course, 1)
    line = only_line(VISITOR)
    assert (line.name, line.price_fen, line.state, line.is_selected) == ("Python 入门", 510_000, LineState.OK, True)
    assert cart.view(VISITOR, None).total_fen == 510_000


def test_adding_again_chooses_another_plan_and_adds_no_line(app: Flask) -> None:
    course = a_course(*MONTH_AND_TWO)
    put(VISITOR, course, 0)
    put(VISITOR, course, 1)
    assert only_line(VISITOR).price_fen == 510_000
    assert cart.count(VISITOR) == 1


def test_changing_the_plan_needs_the_line_to_be_there(app: Flask) -> None:
    course = a_course(*MONTH_AND_TWO)
    with pytest.raises(NotFound):
        cart.change_policy(VISITOR, course.id, plan_ids(course)[1])
    assert cart.count(VISITOR) == 0
    put(VISITOR, course)
    cart.change_policy(VISITOR, course.id, plan_ids(course)[1])
    assert only_line(VISITOR).price_fen == 510_000


def test_b27_a_plan_of_another_product_is_refused(app: Flask) -> None:
    course, degree = a_course(), a_degree()
    for product, foreign in ((course, degree), (degree, course)):
        with pytest.raises(NoSuchPolicy):
            cart.add(VISITOR, product.id, plan_ids(foreign)[0], None)
    put(VISITOR, course)
    with pytest.raises(NoSuchPolicy):
        cart.change_policy(VISITOR, course.id, plan_ids(degree)[0])
    assert only_line(VISITOR).policy_id == plan_ids(course)[0]


def test_b31_a_module_is_not_sold_alone_and_a_degree_is(app: Flask) -> None:
    degree = a_degree(modules=1)
    module = degree.modules[0]
    with pytest.raises(NotForSale):
        put(VISITOR, module)
    put(VISITOR, degree)
    assert only_line(VISITOR).kind.label == "学位课"


def test_a_vip_course_is_sold_alone_only_with_a_plan_of_its_own(app: Flask) -> None:
    other = a_course()
    with_plan = a_course(course_type=CourseType.VIP)
    without = a_course(course_type=CourseType.VIP)
    without.policies = []
    saved(without)
    with pytest.raises(NotForSale):
        cart.add(VISITOR, without.id, plan_ids(other)[0], None)
    put(VISITOR, with_plan)
    assert only_line(VISITOR).product_id == with_plan.id


@pytest.mark.parametrize("status", [ProductStatus.OFF_SALE, ProductStatus.COMING], ids=lambda s: s.name)
def test_only_what_is_on_sale_gets_into_the_cart(app: Flask, status: ProductStatus) -> None:
    course = off_sale(a_course(), status)
    with pytest.raises(OffSale) as refusal:
        put(VISITOR, course)
    assert refusal.value.code == 1003
    assert cart.count(VISITOR) == 0


def test_an_unknown_product_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        cart.add(VISITOR, 2**31 - 1, 1, None)


def test_b32_a_degree_that_the_account_has_is_refused_and_one_it_left_is_not(app: Flask) -> None:
    account, degree = a_student(), a_degree()
    enrolment = enrolled_in_degree(account, degree)
    with pytest.raises(DegreeOwned) as refusal:
        put(f"a{account.id}", degree, account_id=account.id)
    assert refusal.value.code == 1013
    enrolment.closed_time = enrolment.enrolled_date
    saved(enrolment)
    put(f"a{account.id}", degree, account_id=account.id)
    assert cart.count(f"a{account.id}") == 1


def test_the_201st_line_is_refused_and_another_plan_of_a_line_is_not(app: Flask, redis_client: redis.Redis) -> None:
    line = StoredLine(1, 100, "x", 1)
    for product_id in range(100_001, 100_000 + cart.LIMIT):
        cart_store.put(VISITOR, product_id, line, limit=cart.LIMIT)
    first, second = a_course(*MONTH_AND_TWO), a_course()
    put(VISITOR, first)
    assert cart.count(VISITOR) == cart.LIMIT
    with pytest.raises(CartFull):
        put(VISITOR, second)
    put(VISITOR, first, 1)
    assert cart.count(VISITOR) == cart.LIMIT


# ---------------------------------------------------------------- tabs, time, garbage


def test_two_tabs_at_once_lose_nothing(app: Flask) -> None:
    courses = [a_course() for _ in range(8)]
    wanted = [(course.id, plan_ids(course)[0]) for course in courses]
    db.session.remove()

    def tab(product_id: int, policy_id: int) -> None:
        with app.app_context():
            cart.add(VISITOR, product_id, policy_id, None)

    tabs = [threading.Thread(target=tab, args=pair) for pair in wanted]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    assert {line.product_id for line in cart.view(VISITOR, None).lines} == {product_id for product_id, _ in wanted}


def test_a_new_plan_keeps_the_tick_of_another_tab_and_a_tick_keeps_the_plan(app: Flask) -> None:
    course = a_course(*MONTH_AND_TWO)
    put(VISITOR, course)
    cart.select_lines(VISITOR, shown=[course.id], ticked=[])
    cart.change_policy(VISITOR, course.id, plan_ids(course)[1])
    line = only_line(VISITOR)
    assert (line.is_selected, line.price_fen) == (False, 510_000)
    cart.select_lines(VISITOR, shown=[course.id], ticked=[course.id])
    assert (only_line(VISITOR).is_selected, only_line(VISITOR).price_fen) == (True, 510_000)


def test_a_line_that_the_page_did_not_show_keeps_its_tick(app: Flask) -> None:
    shown, added_in_another_tab = a_course(), a_course()
    put(VISITOR, shown)
    put(VISITOR, added_in_another_tab)
    cart.select_lines(VISITOR, shown=[shown.id], ticked=[])
    assert [line.product_id for line in cart.view(VISITOR, None).selected] == [added_in_another_tab.id]


def test_ticking_what_is_not_in_the_cart_adds_nothing(app: Flask) -> None:
    put(VISITOR, a_course())
    cart.select_lines(VISITOR, shown=[999_999], ticked=[999_999])
    assert cart.count(VISITOR) == 1


def test_a_cart_lives_thirty_days_from_the_last_look(app: Flask, redis_client: redis.Redis) -> None:
    put(VISITOR, a_course())
    (key,) = redis_client.keys("cart:*")
    assert key == "cart:{" + VISITOR + "}"
    redis_client.expire(key, 60)
    cart.count(VISITOR)
    assert redis_client.ttl(key) <= 60
    cart.view(VISITOR, None)
    assert redis_client.ttl(key) > 29 * 24 * 3600


def test_the_cart_keeps_no_amount_but_the_price_seen(app: Flask, redis_client: redis.Redis) -> None:
    course = a_course(name="名")
    put(VISITOR, course)
    stored = json.loads(redis_client.hget("cart:{" + VISITOR + "}", str(course.id)))
    added = stored.pop("added")
    assert stored == {"policy": plan_ids(course)[0], "seen_fen": 10_000, "name": "名", "selected": True}
    assert added > 1_700_000_000


GARBAGE = {
    "no json": "{",
    "foreign json": '{"a": 1}',
    "a list": "[]",
    "deep": "[" * 5000,
    "text for a number": '{"policy":"1","seen_fen":1,"name":"x","added":1,"selected":true}',
    "true for a number": '{"policy":true,"seen_fen":1,"name":"x","added":1,"selected":true}',
    "a number too large for the database": '{"policy":2147483648,"seen_fen":1,"name":"x","added":1,"selected":true}',
    "infinite": '{"policy":1,"seen_fen":1e999,"name":"x","added":1,"selected":true}',
    "a field missing": '{"policy":1,"seen_fen":1,"name":"x","added":1}',
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_f16_a_garbled_line_counts_as_absent_and_the_others_stay(
    app: Flask, redis_client: redis.Redis, text: str
) -> None:
    course, other = a_course(*MONTH_AND_TWO), a_course()
    put(VISITOR, other)
    redis_client.hset("cart:{" + VISITOR + "}", str(course.id), text)
    assert only_line(VISITOR).product_id == other.id
    cart.select_lines(VISITOR, shown=[course.id], ticked=[course.id])
    assert only_line(VISITOR).product_id == other.id
    put(VISITOR, course)
    assert cart.count(VISITOR) == 2


@pytest.mark.parametrize("field", ["x", "-1", "0", "１", "2147483648", "1.0", ""])
def test_f16_a_field_that_is_no_product_id_counts_as_absent(app: Flask, redis_client: redis.Redis, field: str) -> None:
    redis_client.hset("cart:{" + VISITOR + "}", field, StoredLine(1, 1, "x", 1).to_json())
    assert cart.view(VISITOR, None).lines == ()


def test_f16_a_key_of_another_type_counts_as_an_empty_cart_and_can_be_filled(
    app: Flask, redis_client: redis.Redis
) -> None:
    course, key = a_course(), "cart:{" + VISITOR + "}"
    for spoil in (lambda: redis_client.set(key, "x"), lambda: redis_client.lpush(key, "x")):
        redis_client.delete(key)
        spoil()
        assert cart.count(VISITOR) == 0
        assert cart.view(VISITOR, None).lines == ()
        cart.remove(VISITOR, course.id)
        redis_client.delete(key)
        spoil()
        put(VISITOR, course)
        assert cart.count(VISITOR) == 1


# ---------------------------------------------------------------- what came between


def test_a_new_price_is_told_with_the_old_one(app: Flask) -> None:
    course = a_course()
    put(VISITOR, course)
    course.policies[0].price_fen = 12_000
    saved(course)
    line = only_line(VISITOR)
    assert (line.has_new_price, line.seen_fen, line.price_fen) == (True, 10_000, 12_000)
    assert cart.view(VISITOR, None).total_fen == 12_000


def test_a_plan_that_is_gone_is_told_and_counts_nothing(app: Flask) -> None:
    course = a_course(*MONTH_AND_TWO)
    put(VISITOR, course)
    db.session.delete(course.policies[0])
    db.session.commit()
    line = only_line(VISITOR)
    assert (line.state, line.price_fen, [plan.price_fen for plan in line.plans]) == (
        LineState.PLAN_GONE,
        None,
        [510_000],
    )
    assert cart.view(VISITOR, None).total_fen == 0


def test_a_course_off_sale_and_one_deleted_are_told_by_name(app: Flask) -> None:
    sold_out, deleted = a_course(name="下架的"), a_course(name="删掉的")
    put(VISITOR, sold_out)
    put(VISITOR, deleted)
    off_sale(sold_out)
    db.session.delete(deleted)
    db.session.commit()
    states = {line.name: line.state for line in cart.view(VISITOR, None).lines}
    assert states == {"下架的": LineState.OFF_SALE, "删掉的": LineState.GONE}


def test_a_degree_owned_since_it_was_put_in_is_told(app: Flask) -> None:
    account, degree = a_student(), a_degree()
    put(f"a{account.id}", degree)
    enrolled_in_degree(account, degree)
    assert only_line(f"a{account.id}", account.id).state is LineState.OWNED


def test_looking_at_the_cart_takes_three_statements_however_many_lines(app: Flask) -> None:
    account = a_student()
    owner, account_id = f"a{account.id}", account.id
    put(owner, a_degree())
    for _ in range(6):
        put(owner, a_course(*MONTH_AND_TWO))
    with counted() as sent:
        assert len(cart.view(owner, account_id).lines) == 7
    assert len(sent) == 3, sent


# ---------------------------------------------------------------- log-in, checkout


def test_logging_in_brings_the_visitors_lines_along_and_the_members_own_plan_wins(app: Flask) -> None:
    account, both, new = a_student(), a_course(*MONTH_AND_TWO, name="两边都有"), a_course(name="新选的")
    owner = f"a{account.id}"
    put(owner, both, 0)
    put(VISITOR, both, 1)
    put(VISITOR, new)
    messages = cart.merge_at_login(VISITOR, account.id)
    prices = {line.name: line.price_fen for line in cart.view(owner, account.id).lines}
    assert prices == {"两边都有": 10_000, "新选的": 10_000}
    assert cart.count(VISITOR) == 0
    told = {message.category: message.text for message in messages}
    assert "「新选的」" in told["ok"]
    assert "「两边都有」" in told["info"]


def test_logging_in_drops_a_degree_already_owned_and_says_so(app: Flask) -> None:
    account, degree = a_student(), a_degree(name="全栈学位")
    enrolled_in_degree(account, degree)
    put(VISITOR, degree)
    (message,) = cart.merge_at_login(VISITOR, account.id)
    assert "「全栈学位」" in message.text
    assert cart.count(f"a{account.id}") == 0


def test_logging_in_keeps_to_the_limit_and_names_what_did_not_fit(app: Flask) -> None:
    account = a_student()
    for product_id in range(100_001, 100_000 + cart.LIMIT):
        cart_store.put(f"a{account.id}", product_id, StoredLine(1, 100, "x", 1), limit=cart.LIMIT)
    cart_store.put(VISITOR, 200_001, StoredLine(1, 100, "放得下", 2), limit=cart.LIMIT)
    cart_store.put(VISITOR, 200_002, StoredLine(1, 100, "放不下", 1), limit=cart.LIMIT)
    messages = cart.merge_at_login(VISITOR, account.id)
    assert cart.count(f"a{account.id}") == cart.LIMIT
    assert [(message.category, "放不下" in message.text) for message in messages] == [("ok", False), ("warning", True)]


def test_merging_twice_is_merging_once(app: Flask) -> None:
    account, course = a_student(), a_course()
    put(VISITOR, course)
    assert len(cart.merge_at_login(VISITOR, account.id)) == 1
    assert cart.merge_at_login(VISITOR, account.id) == []
    put(VISITOR, course)
    cart.merge_at_login(VISITOR, account.id)
    assert cart.count(f"a{account.id}") == 1


def test_bought_lines_leave_and_the_others_stay(app: Flask) -> None:
    bought, kept = a_course(), a_course()
    put(VISITOR, bought)
    put(VISITOR, kept)
    cart.remove_bought(VISITOR, [bought.id, 999])
    cart.remove_bought(VISITOR, [])
    assert only_line(VISITOR).product_id == kept.id
