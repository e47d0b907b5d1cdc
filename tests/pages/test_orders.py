"""My orders: finding one, what its page says about it, buying it again, its receipt (issue 3, item 1)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shop.enums import OrderStatus, TroubleKind
from shop.extensions import db, unit_of_work
from shop.models import Account, Order, Payment, PricePolicy, Refund, Trouble
from shop.services import order_views, orders, refund_decisions, refunds
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_degree, a_student, plan_of
from tests.cashier.parts import Cashier, fetch
from tests.person import Person
from tests.purchases import a_paid_line, enrolled_in_degree, off_sale, saved
from tests.refunding import asked, bought, lines_of, paid, placed, refunded
from tests.statements import counted

Settled = tuple[Account, str]


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def timeline_of(page: str) -> list[str]:
    return re.findall(r'timeline__text">([^<]*)<', page)


def at_home(person: Person, account: Account) -> Person:
    return person.sign_in(account.username)


@pytest.fixture
def paid_order(app: object, alipay: Cashier) -> Settled:
    """Worked case A of domain.md 3.3: 599 − 40 and 122, less 200 from 500 on, less 50 贝里: 431.00."""
    student = a_student(beli=50)
    first, second = a_course(59_900, name="首课"), a_course(12_200, name="次课")
    bound = a_claimed(student, first, flat=4_000, name="首课券")
    site = a_claimed(student, flat=20_000, above=50_000, name="满减大券")
    coupons = {first.id: bound.id}
    return student, bought(alipay, student, [first, second], coupons=coupons, site_coupon=site.id, beli=50)


# ---------------------------------------------------------------- the list


def test_the_list_finds_by_state_number_and_name_and_keeps_the_filters(person: Person) -> None:
    student, course = a_student(), a_course(name="算法 100% 通关")
    other = a_course(name="算法入门")
    open_number = placed(student, [course])
    done = a_paid_line(student, other).order.order_number
    at_home(person, student)
    everything = person.get("/orders").text
    assert open_number in everything
    assert done in everything
    pending = person.get("/orders?status=1").text
    assert (open_number in pending, done in pending) == (True, False)
    assert (open_number in person.get(f"/orders?q={open_number[4:12].lower()}").text) is True
    found = person.get("/orders?q=100%25").text  # no wildcard
    assert (open_number in found, done in found) == (True, False)
    assert "data-order=" not in person.get("/orders?q=算法_入门").text
    assert "data-order=" not in person.get("/orders?q=算%25门").text
    kept = person.get("/orders?status=1&q=算法").text
    assert 'name="status" value="1"' in kept
    assert re.search(r'href="/orders\?status=0&amp;q=[^"]+"', kept)
    assert "没有找到「没有的」的订单" in person.get("/orders?q=没有的").text
    assert "没有「已退费」的订单" in person.get("/orders?status=3").text


def test_the_tabs_count_what_the_search_leaves(person: Person) -> None:
    student, course = a_student(), a_course(name="甲")
    a_paid_line(student, course)
    a_paid_line(student, a_course(name="乙"))
    a_paid_line(student, course, OrderStatus.REFUNDED)
    counts = order_views.index(student.id, status=None, page=1).counts
    assert (counts[None], counts[OrderStatus.PAID], counts[OrderStatus.REFUNDED]) == (3, 2, 1)
    at_home(person, student)
    assert re.findall(r'tabs__count">(\d+)<', person.get("/orders?q=甲").text) == ["2", "0", "1", "0", "1", "0", "0"]


def test_twenty_a_page_in_as_many_statements(person: Person) -> None:
    student, course = a_student(), a_course()
    for _ in range(order_views.PAGE_SIZE + 1):
        a_paid_line(student, course)
    at_home(person, student)
    with counted() as sent:
        page = person.get("/orders?status=0")
    assert page.text.count("data-order=") == order_views.PAGE_SIZE
    assert 'href="/orders?page=2&amp;status=0"' in page.text
    assert len(sent) <= 5, "\n".join(sent)
    assert person.get("/orders?status=0&page=2").text.count("data-order=") == 1
    assert person.get("/orders?status=0&page=3").status_code == 404


@pytest.mark.parametrize("query", ["status=9", "status=x", "status=１", "page=0", "page=-1", "page=x", "page=9999999"])
def test_a_list_that_no_link_of_ours_leads_to_is_not_found(person: Person, query: str) -> None:
    at_home(person, a_student())
    assert person.get(f"/orders?{query}").status_code == 404


@pytest.mark.parametrize("number", ["%00", "A%00B", "%EF%BC%91", "x" * 33, "%F0%9F%90%8D"])
def test_an_order_that_cannot_be_one_is_not_found(person: Person, number: str) -> None:
    at_home(person, a_student())
    for path in ("", "/receipt", "/refunds", "/refunds?detail=1"):
        assert person.get(f"/orders/{number}{path}").status_code == 404
    for path in ("/cart", "/refunds", f"/refunds/{number}/withdrawal", f"/refunds/R{number * 2}/withdrawal"):
        answer = person.post(f"/orders/{number}{path}", {"detail": 1, "reason": "x"})
        assert answer.status_code in (404, 405), path  # Werkzeug looks at the method before the number


@pytest.mark.parametrize("q", ["%00", "%", "_", "\\", "'\"<script>", "%ED%A0%80", "x" * 5000, "１２３"])
def test_whatever_is_searched_for_is_answered(person: Person, q: str) -> None:
    at_home(person, a_student())
    answer = person.get(f"/orders?q={q}")
    assert answer.status_code == 200
    assert "<script>'" not in answer.text
    assert '"<script>' not in answer.text


def test_each_row_offers_the_one_thing_that_comes_next(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course()
    number = placed(student, [course])
    at_home(person, student)
    row = person.get("/orders").text
    assert f'action="/orders/{number}/payments"' in row
    assert "data-seconds-left=" in row
    alipay.move_clock(15 * 60)
    assert f'action="/orders/{number}/payments"' not in person.get("/orders").text
    alipay.move_clock(5 * 60)
    orders.expire_due()
    assert f'action="/orders/{number}/cart"' in person.get("/orders").text


# ---------------------------------------------------------------- the page


def test_the_page_tells_how_the_amount_came_about_line_by_line(person: Person, paid_order: Settled) -> None:
    student, number = paid_order
    page = at_home(person, student).get(f"/orders/{number}").text
    assert f'data-order="{number}" data-status="0" data-amount-fen="43100"' in page
    text = words(page)
    for line in (
        "首课券 − 减 40.00 元",
        "小计 681.00 元",
        "满减大券 − 减 200.00 元",
        "50 贝里 − 减 50.00 元",
        "实付 431.00 元",
        "分摊「满减大券」 − 164.17 元",
        "贝里 41 个 − 41.04 元",
        "合计 353.79 元",
    ):
        assert line.replace(" ", "") in text.replace(" ", ""), line
    assert_audit_clean()


def test_the_page_of_a_paid_order_shows_the_trade_to_its_owner_alone(
    app: Any, person: Person, alipay: Cashier, paid_order: Settled
) -> None:
    student, number = paid_order
    trade_no = alipay.trade(f"{number}01")["trade_no"]
    assert trade_no in at_home(person, student).get(f"/orders/{number}").text
    stranger = Person(app).sign_in(a_student().username)
    for path in ("", "/receipt", "/refunds"):
        answer = stranger.get(f"/orders/{number}{path}")
        assert answer.status_code == 404
        assert trade_no not in answer.text
    for path in ("/cart", "/refunds", "/payments", "/cancellation"):
        answer = stranger.post(f"/orders/{number}{path}", {"detail": lines_of(number)[0].id, "reason": "x"})
        assert answer.status_code == 404, path


def test_the_timeline_tells_what_happened_in_its_order(person: Person, alipay: Cashier, paid_order: Settled) -> None:
    student, number = paid_order
    at_home(person, student)
    assert timeline_of(person.get(f"/orders/{number}").text) == ["已下单", "转到支付宝付款", "已付款", "课程已开通"]
    refund = asked(student, number, 0)
    page = person.get(f"/orders/{number}").text
    assert timeline_of(page)[4:] == ["申请退费：「首课」", "等待审核", "审核通过后退款，未通过则恢复学习"]
    refund_decisions.refuse(refund, actor=Actor("clerk"), reason="课程已学完")
    page = person.get(f"/orders/{number}").text
    assert timeline_of(page)[5:] == ["退费申请未通过，课程恢复学习"]
    assert "课程已学完" in page
    refunded(alipay, student, number, 1)
    page = person.get(f"/orders/{number}").text
    back = lines_of(number)[1]
    assert timeline_of(page)[6:] == [
        "申请退费：「次课」",
        "退费申请已通过，退款提交给支付宝",
        f"退费完成：{back.actual_amount_fen / 100:.2f} 元、{back.beli} 贝里",
    ]
    assert_audit_clean()


def test_a_notice_is_in_the_timeline_once_however_often_it_came(person: Person, alipay: Cashier) -> None:
    student = a_student()
    number = placed(student, [a_course()])
    fetch(str(orders.pay_again(student.id, number)))
    alipay.pay(f"{number}01")
    message = alipay.messages(f"{number}01")[0]
    alipay.control(f"messages/{message['id']}/send", {"genuine": True})
    page = at_home(person, student).get(f"/orders/{number}").text
    assert timeline_of(page).count("收到支付宝的付款通知") == 1


def test_a_suspended_line_says_so_and_offers_no_lesson(person: Person, alipay: Cashier, paid_order: Settled) -> None:
    student, number = paid_order
    asked(student, number, 0)
    page = at_home(person, student).get(f"/orders/{number}").text
    assert "退费处理中，暂停学习" in page
    assert "去学习「首课」" not in page
    assert "去学习「次课」" in page
    refund = db.session.scalars(sa.select(Refund)).one()
    refund_decisions.approve(refund.out_request_no, actor=Actor("clerk"), reason="同意")
    assert "退款处理中" in person.get(f"/orders/{number}").text
    assert refunds.send(refund.out_request_no) == "done"
    page = person.get(f"/orders/{number}").text
    assert "已退费，学习已结束" in page
    assert "支付成功" in page
    assert_audit_clean()


def test_late_money_is_told_in_one_sentence_with_what_happens_next(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course(name="晚到的课")
    number = placed(student, [course])
    cashier_page = str(orders.pay_again(student.id, number))
    orders.cancel(student.id, number)
    off_sale(course)
    fetch(cashier_page)
    alipay.pay(f"{number}01")
    page = at_home(person, student).get(f"/orders/{number}").text
    assert "这一单结束之后收到了 100.00 元，没有用上。" in page
    assert "正在原路退回您的支付宝" in page
    assert timeline_of(page)[-2:] == ["订单结束后收到 100.00 元，没有用上", "没有用上的 100.00 元正在退回"]
    refunds.send_due()
    page = person.get(f"/orders/{number}").text
    assert "已原路退回您的支付宝" in page
    assert timeline_of(page)[-1] == "没有用上的 100.00 元已原路退回"
    assert_audit_clean()


def test_money_of_a_wrong_amount_is_told_too(person: Person) -> None:
    student = a_student()
    number = placed(student, [a_course()])
    with unit_of_work() as session:
        attempt = session.scalars(sa.select(Payment)).one()
        session.add(
            Trouble(
                kind=TroubleKind.WRONG_AMOUNT,
                payment_id=attempt.id,
                out_trade_no=attempt.out_trade_no,
                trade_no="9" * 28,
                amount_fen=1_234,
                found_by="notice",
            )
        )
    page = at_home(person, student).get(f"/orders/{number}").text
    assert "收到一笔 12.34 元，与应付金额不符，没有入账。" in page
    assert "客服会核对并把它原路退回" in page


# ---------------------------------------------------------------- buying again


def test_buying_again_puts_what_is_still_sold_into_the_cart(person: Person, paid_order: Settled) -> None:
    student, number = paid_order
    first, second = (line.product for line in lines_of(number))
    off_sale(second)
    answer = at_home(person, student).post(f"/orders/{number}/cart")
    assert answer.location == "/cart"
    page = person.follow(answer).text
    assert "「首课」已放进购物车" in page
    assert "「次课」已下架或没有原来的有效期了" in page
    assert re.findall(r'data-product="(\d+)"', page) == [str(first.id)]
    assert "「首课」已在购物车里" in person.follow(person.post(f"/orders/{number}/cart")).text


def test_buying_again_finds_the_plan_of_the_same_length(person: Person) -> None:
    student, course = a_student(), a_course(10_000, 18_000)
    line, plan = a_paid_line(student, course), plan_of(course, 1)
    line.valid_period = period = plan.valid_period
    number = saved(line).order.order_number
    with unit_of_work() as session:  # the plan is made anew at another price
        session.execute(sa.delete(PricePolicy).where(PricePolicy.id == plan.id))
        session.add(PricePolicy(product_id=course.id, valid_period=period, price_fen=9_000))
    at_home(person, student).post(f"/orders/{number}/cart")
    db.session.rollback()
    new = db.session.scalars(sa.select(PricePolicy).where(PricePolicy.price_fen == 9_000)).one()
    assert f'value="{new.id}" selected' in person.get("/cart").text


def test_a_degree_that_one_has_is_not_bought_again(person: Person) -> None:
    student, degree = a_student(), a_degree(name="全栈学位")
    enrolled_in_degree(student, degree)
    number = db.session.scalars(sa.select(Order.order_number)).one()
    at_home(person, student)
    page = person.follow(person.post(f"/orders/{number}/cart")).text
    assert "您已经报名「全栈学位」，不需要再次购买" in page
    assert "data-product=" not in page


# ---------------------------------------------------------------- the receipt


def test_the_receipt_is_for_paid_orders_and_stands_alone(person: Person, alipay: Cashier, paid_order: Settled) -> None:
    student, number = paid_order
    at_home(person, student)
    page = person.get(f"/orders/{number}/receipt").text
    assert "site-head" not in page
    assert "site-foot" not in page
    for words_of_it in ("首课", "次课", "353.79", "77.21", "431.00", "不是发票", student.username):
        assert words_of_it in page
    refunded(alipay, student, number, 1)
    text = words(person.get(f"/orders/{number}/receipt").text)
    assert "退款后实付 353.79 元" in text
    unpaid = placed(student, [a_course()])
    assert person.get(f"/orders/{unpaid}/receipt").status_code == 404


def test_the_page_of_an_order_asks_little(person: Person, paid_order: Settled) -> None:
    student, number = paid_order
    asked(student, number, 0)
    at_home(person, student).get(f"/orders/{number}")
    with counted() as sent:
        person.get(f"/orders/{number}")
    assert len(sent) <= 9, "\n".join(sent)


def test_an_ended_refund_window_offers_no_refund(person: Person, alipay: Cashier, paid_order: Settled) -> None:
    student, number = paid_order
    link = f'href="/orders/{number}/refunds"'
    assert link in at_home(person, student).get(f"/orders/{number}").text
    alipay.move_clock(timedelta(days=7, minutes=1).total_seconds())
    assert link not in person.get(f"/orders/{number}").text


def test_whoever_pays_or_cancels_a_paid_order_is_told_that_it_is_paid(person: Person, alipay: Cashier) -> None:
    student = a_student()
    number = placed(student, [a_course()])
    at_home(person, student)
    paid(alipay, number)
    for path, says in (("payments", "支付成功"), ("cancellation", "这个订单已经付款")):
        page = person.follow(person.post(f"/orders/{number}/{path}"))
        assert says in page.text and 'data-status="0"' in page.text
    assert_audit_clean()


def test_what_came_back_of_a_paid_order_stands_beside_what_was_paid(person: Person, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000), a_course(20_000)])
    person.sign_in(student.username)
    assert 'id="net"' not in person.get(f"/orders/{number}").text
    refunded(alipay, student, number, 1)
    page = person.get(f"/orders/{number}").text
    told = page.split('id="net">')[1].split("</p>")[0]
    assert told == "已退回 200.00 元，退款后实付 300.00 元。"
    assert "已退款 减 200.00 元 退款后实付 300.00 元" in words(page).replace("− ", "").replace("−", "")
