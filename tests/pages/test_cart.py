"""The cart as a person meets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from shop import create_app
from shop.config import Settings
from shop.enums import CourseType
from shop.extensions import db
from shop.models import Product
from tests.builders import a_course, a_degree, a_student, plan_of
from tests.person import PASSWORD, Client, Person
from tests.purchases import enrolled_in_degree, off_sale, saved


def add(person: Person, product: Product, which: int = 0) -> TestResponse:
    return person.post("/cart/items", {"product": product.id, "policy": plan_of(product, which).id})


def cart(person: Person) -> str:
    answer = person.get("/cart")
    assert answer.status_code == 200
    return answer.text


def test_an_empty_cart_says_what_to_do_next(person: Person) -> None:
    page = cart(person)
    assert "购物车还是空的" in page
    assert 'href="/courses"' in page


def test_a_visitor_puts_a_plan_in_and_sees_it_with_name_price_and_count(person: Person) -> None:
    course = a_course(9_900, name="Python 入门")
    page = person.follow(add(person, course)).text
    assert "「Python 入门」已放进购物车。" in page
    assert "99.00" in page
    assert 'id="cart-count">1<' in page
    assert f'<a href="/courses/{course.id}">Python 入门</a>' in page


def test_plan_removal_and_selection_work_with_plain_forms(person: Person) -> None:
    first, second = a_course(10_000, 20_000), a_course(5_000)
    add(person, first)
    add(person, second)
    changed = person.post(f"/cart/items/{first.id}/policy", {"policy": plan_of(first, 1).id})
    assert "结算 2 门课程，250.00 元" in person.follow(changed).text
    ticked = person.post("/cart/selection", {"shown": [first.id, second.id], "product": [first.id]})
    assert "结算 1 门课程，200.00 元" in person.follow(ticked).text
    everything = person.post("/cart/selection", {"choice": "all"})
    assert "结算 2 门课程，250.00 元" in person.follow(everything).text
    removed = person.post(f"/cart/items/{first.id}/delete")
    page = person.follow(removed).text
    assert first.name not in page
    assert "结算 1 门课程，50.00 元" in page
    assert person.post(f"/cart/items/{first.id}/delete").status_code == 303


def test_the_settle_form_posts_the_ticked_products_and_degrees_link_to_their_own_page(person: Person) -> None:
    course, degree = a_course(), a_degree()
    add(person, course)
    add(person, degree)
    person.post("/cart/selection", {"shown": [course.id, degree.id], "product": [degree.id]})
    page = cart(person)
    assert '<form class="sticky-summary" id="settle" action="/settlement" method="post"' in page
    assert person.form(person.get("/cart"), "settle")["product"] == str(degree.id)
    assert f'href="/degrees/{degree.id}"' in page


def test_changes_since_a_line_was_put_in_are_told_by_name(person: Person) -> None:
    dearer, gone, plan_gone = (
        a_course(10_000, name="涨价"),
        a_course(name="下架"),
        a_course(1_000, 2_000, name="换方案"),
    )
    for product in (dearer, gone, plan_gone):
        add(person, product)
    plan_of(dearer).price_fen = 12_345
    saved(dearer)
    off_sale(gone)
    db.session.delete(plan_of(plan_gone))
    db.session.commit()
    page = cart(person)
    assert "「涨价」的价格变了" in page
    assert "<del>" in page.split("「涨价」的价格变了")[1].split("</p>")[0]
    assert "100.00" in page
    assert "「下架」已经下架" in page
    assert "「换方案」原来选的价格方案已经取消" in page
    assert "结算 1 门课程，123.45 元" in page
    assert f'value="{gone.id}" id="pick-' not in page


def test_logging_in_brings_the_cart_along_and_says_what_happened(person: Person) -> None:
    account, degree = a_student(), a_degree(name="已有学位")
    both, new = a_course(10_000, 20_000, name="两边都有"), a_course(name="新选的")
    username = account.username
    enrolled_in_degree(account, degree)
    person.sign_in(username)
    add(person, both, 0)
    person.follow(person.post("/logout"))
    for product, which in ((both, 1), (new, 0), (degree, 0)):
        add(person, product, which)
    person.get("/login?next=/cart")
    page = person.follow(person.post("/login", {"username": username, "password": PASSWORD, "next": "/cart"})).text
    assert "登录前选的「新选的」已放进您的购物车。" in page
    assert "「两边都有」已在您的购物车里，保留您原来选的有效期。" in page
    assert "您已经报名「已有学位」，已从购物车移出。" in page
    assert "结算 2 门课程，200.00 元" in page


def test_another_visitor_sees_nothing_of_this_cart(app: Flask, person: Person) -> None:
    course = a_course(name="私人选择")
    add(person, course)
    assert "私人选择" not in cart(Person(app))


# ---------------------------------------------------------------- refusals


def test_b27_and_b31_refusals_reach_the_person_in_words_and_leave_the_cart_alone(person: Person) -> None:
    course, other = a_course(), a_course()
    degree = a_degree(modules=1)
    module = degree.modules[0]
    foreign = person.post("/cart/items", {"product": course.id, "policy": plan_of(other).id})
    assert (foreign.status_code, "不属于该课程" in foreign.text) == (422, True)
    alone = add(person, module)
    assert (alone.status_code, "不单独出售" in alone.text) == (422, True)
    off = add(person, off_sale(other))
    assert (off.status_code, 'data-code="1003"' in off.text) == (409, True)
    assert person.post("/cart/items", {"product": 999_999, "policy": 1}).status_code == 404
    assert "购物车还是空的" in cart(person)


def test_b32_a_degree_owned_is_refused_at_the_cart(person: Person) -> None:
    account, degree = a_student(), a_degree()
    enrolled_in_degree(account, degree)
    answer = add(person.sign_in(account.username), degree)
    assert (answer.status_code, 'data-code="1013"' in answer.text) == (409, True)


@pytest.mark.parametrize("value", ["", "x", "-1", "0", "1.0", "１", "²", "1_0", " 1", "2147483648", "9" * 5000, "1\0"])
def test_odd_ids_are_422_or_404_and_never_500(person: Person, value: str) -> None:
    course = a_course()
    assert person.post("/cart/items", {"product": value, "policy": plan_of(course).id}).status_code == 422
    assert person.post("/cart/items", {"product": course.id, "policy": value}).status_code == 422
    assert person.post(f"/cart/items/{course.id}/policy", {"policy": value}).status_code == 422
    assert person.post("/cart/selection", {"shown": [course.id, value]}).status_code == 422
    assert person.post("/cart/selection", {"choice": "x", "product": value}).status_code == 422


def test_a_field_sent_twice_is_refused(person: Person) -> None:
    course = a_course(10_000, 20_000)
    plans = [plan_of(course, 0).id, plan_of(course, 1).id]
    assert person.post("/cart/items", {"product": course.id, "policy": plans}).status_code == 422


@pytest.mark.parametrize("path", ["items", "items/1/policy", "items/1/delete", "selection"])
def test_b51_a_post_without_the_token_changes_nothing(app: Flask, person: Person, path: str) -> None:
    assert person.client.post(f"/cart/{path}", data={"product": 1, "policy": 1}).status_code == 400
    assert person.get(f"/cart/{path}").status_code in (404, 405)


def test_f16_a_spoilt_cart_is_an_empty_cart(person: Person, redis_client: redis.Redis) -> None:
    add(person, a_course())
    (key,) = redis_client.keys("cart:*")
    redis_client.delete(key)
    redis_client.set(key, "x")
    assert "购物车还是空的" in cart(person)


@pytest.fixture
def without_redis(app: Flask, settings: Settings) -> Iterator[Person]:
    """Somebody at a shop of the same database whose Redis is down."""
    broken = create_app(replace(settings, redis_url="redis://127.0.0.1:1/0"))
    broken.test_client_class = Client
    yield Person(broken)
    with broken.app_context():
        db.engine.dispose()


def test_f12_without_redis_the_cart_says_so_kindly(without_redis: Person) -> None:
    course = a_course()
    product_id, policy_id = course.id, plan_of(course).id
    assert without_redis.get(f"/courses/{product_id}").status_code == 200
    looked = without_redis.get("/cart")
    added = without_redis.post("/cart/items", {"product": product_id, "policy": policy_id})
    for answer in (looked, added):
        assert (answer.status_code, "购物车和登录服务暂时不可用" in answer.text) == (503, True)
        assert "Retry-After" in answer.headers


def test_a_cart_page_is_nobody_elses_to_keep(person: Person) -> None:
    add(person, a_course(course_type=CourseType.PAID))
    assert "no-store" in person.get("/cart").headers["Cache-Control"]


def test_names_are_shown_as_text(person: Person) -> None:
    course = a_course(name='<b>"x"</b>')
    page = person.follow(add(person, course)).text
    assert "<b>" not in page.split("<main")[1]
