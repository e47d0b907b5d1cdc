"""贝里明细 and 我的优惠券: what each row was for, what each coupon waits for (issue 3, item 7)."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from shop.enums import TransactionType
from shop.extensions import unit_of_work
from shop.models import Account
from shop.services import orders, wallet
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.pages.test_orders import words
from tests.pages.test_purchase import put
from tests.person import Person
from tests.purchases import saved
from tests.refunding import bought, placed, refunded
from tests.statements import counted

DAY = timedelta(days=1)


@pytest.fixture
def student(app: object) -> Account:
    return a_student(beli=100)


@pytest.fixture
def owner(person: Person, student: Account) -> Person:
    return person.sign_in(student.username)


def move(account: Account, kind: TransactionType, amount: int, memo: str) -> None:
    with unit_of_work() as session:
        wallet.move_beli(session, account.id, kind, amount, memo=memo)


def rows_of(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


# ---------------------------------------------------------------- 贝里明细


def test_every_move_says_what_it_was_for(owner: Person, student: Account, alipay: Cashier) -> None:
    refunded(alipay, student, bought(alipay, student, [a_course(9_000)], beli=30))
    orders.cancel(student.id, placed(student, [a_course(9_000)], beli=20))
    page = words(owner.get("/account/beli").text)
    for what in ("订单没有付款，贝里退回", "课程退费，贝里退回", "订单抵扣"):
        assert what in page
    balances = [int(found) for found in re.findall(r'<td class="num">(\d+)</td>', owner.get("/account/beli").text)]
    assert balances == [100, 80, 100, 70, 100]
    assert_audit_clean()


def test_the_filter_stays_in_the_address(owner: Person, student: Account) -> None:
    for amount in range(1, wallet.ROWS_A_PAGE + 2):
        move(student, TransactionType.EXPENSE, 1, f"第{amount}笔")
    page = owner.get("/account/beli?type=1").text
    assert page.count("-1<") == wallet.ROWS_A_PAGE
    assert "+100" not in page
    assert 'href="/account/beli?page=2&amp;type=1"' in page
    assert 'href="/account/beli.csv?type=1"' in page
    assert "没有「提现」的记录" in owner.get("/account/beli?type=3").text
    for odd in ("4", "x", "-1", "１", "%00"):
        assert owner.get(f"/account/beli?type={odd}").status_code == 404
        assert owner.get(f"/account/beli.csv?type={odd}").status_code == 404


def test_the_statement_downloads_whole_with_its_running_balance(
    owner: Person, student: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallet, "ROWS_A_BATCH", 2)
    for amount in (10, 20, 30):
        move(student, TransactionType.EXPENSE, amount, "笔记")
    move(a_student(), TransactionType.INCOME, 777, "别人的")
    answer = owner.get("/account/beli.csv", buffered=True)
    assert answer.mimetype == "text/csv"
    assert re.fullmatch(r'attachment; filename="beli-\d{8}\.csv"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]
    head, *rows = rows_of(answer.text)
    assert head == ["时间", "类型", "说明", "变动", "余额", "订单号", "流水号"]
    assert [(row[3], row[4]) for row in rows] == [("-30", "40"), ("-20", "70"), ("-10", "90"), ("100", "100")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row[0]) for row in rows)
    assert len(rows_of(owner.get("/account/beli.csv?type=0", buffered=True).text)) == 2


@pytest.mark.parametrize("memo", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"], ids=repr)
def test_no_cell_is_a_formula(owner: Person, student: Account, memo: str) -> None:
    move(student, TransactionType.INCOME, 1, memo)
    row = rows_of(owner.get("/account/beli.csv", buffered=True).text)[1]
    assert row[2] == f"'{memo}"


def test_the_download_is_for_its_owner(person: Person) -> None:
    assert person.get("/account/beli.csv").location == "/login?next=/account/beli.csv"


# ---------------------------------------------------------------- 我的优惠券


def states(page: str) -> dict[str, str]:
    """What each ticket on the page says about itself, by the coupon's name; best first."""
    tickets = re.findall(r'<article class="coupon.*?</article>', page, re.DOTALL)
    named = ((re.search(r'coupon__name">([^<]*)<', ticket), ticket) for ticket in tickets)
    return {name[1]: words(ticket.split("coupon__action")[-1]) for name, ticket in named if name}


def test_each_coupon_tells_its_true_state_best_first(owner: Person, student: Account, alipay: Cashier) -> None:
    course, other = a_course(30_000, name="车里的课"), a_course(20_000, name="别的课")
    soon = today_in_shanghai() + 2 * DAY
    held = a_claimed(student, other, flat=100, name="占着")
    number = placed(student, [other], coupons={other.id: held.id})
    a_claimed(student, flat=20_000, above=50_000, name="差一点")
    a_claimed(student, flat=100, name="以后", valid_begin_date=soon)
    a_claimed(student, flat=500, name="小券")
    a_claimed(student, percent=50, name="半价")
    a_claimed(student, course, flat=2_000, name="课券")
    stopped = a_claimed(student, flat=100, name="停用").coupon
    stopped.enabled = False
    saved(stopped)
    put(owner, course)

    page = owner.get("/account/coupons").text
    told = states(page)

    assert list(told) == ["半价", "课券", "小券", "差一点", "以后", "占着", "停用"]
    assert "购物车可省 150.00 元" in told["半价"]
    assert "购物车可省 20.00 元" in told["课券"]
    assert "还差 200.00 元" in told["差一点"]
    assert f"{soon.month}月{soon.day}日 起可用" in told["以后"]
    assert re.search(rf"被待支付的订单占用，最晚 .*\d\d:\d\d 放开 订单 {number}", told["占着"])
    assert "已停用" in told["停用"]
    assert "按购物车里勾选课程的原价计算" in page
    assert re.findall(r'tabs__count">(\d+)<', page) == ["7", "0", "0"]


def test_a_used_coupon_names_its_order_and_an_expired_one_is_over(
    owner: Person, student: Account, alipay: Cashier
) -> None:
    course = a_course(30_000)
    record = a_claimed(student, course, flat=500, name="用掉")
    a_claimed(student, flat=500, name="过期", valid_end_date=today_in_shanghai())
    number = bought(alipay, student, [course], coupons={course.id: record.id})
    alipay.move_clock(2 * DAY.total_seconds())
    assert states(owner.get("/account/coupons").text) == {}
    used = states(owner.get("/account/coupons?state=used").text)
    assert list(used) == ["用掉"]
    assert f"订单 {number}" in used["用掉"]
    assert list(states(owner.get("/account/coupons?state=expired").text)) == ["过期"]
    assert_audit_clean()


def test_without_a_cart_nothing_is_said_to_be_missing(owner: Person, student: Account) -> None:
    a_claimed(student, flat=20_000, above=50_000, name="满减")
    page = owner.get("/account/coupons").text
    assert "还差" not in page
    assert "去看可用的课程" in states(page)["满减"]


@pytest.mark.parametrize(("path", "most"), [("/account/coupons", 6), ("/account/beli?type=0", 4)])
def test_the_wallets_pages_ask_little(owner: Person, student: Account, path: str, most: int) -> None:
    course = a_course()
    put(owner, course)
    for _ in range(5):
        a_claimed(student, course)
    owner.get(path)
    with counted() as sent:
        owner.get(path)
    assert len(sent) <= most, "\n".join(sent)
