"""Campaigns as operations write, rehearse, publish and run them; and what nobody may type into their forms."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import CouponKind, CouponStatus, StaffRole
from shop.extensions import db, unit_of_work
from shop.models import AuditLog, Coupon, CouponCode, CouponRecord
from shop.services import coupons
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_clerk, a_coupon, a_course, a_draft, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.person import Person
from tests.purchases import saved
from tests.refunding import bought, placed, refunded
from tests.statements import counted

HOSTILE = ("\x00", "x" * 100_000, "２", "-1", "1" + "0" * 400, "NaN", "\udcff")
TODAY = today_in_shanghai
DAY = timedelta(days=1)


@pytest.fixture
def operations(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.OPERATIONS).username)


@pytest.fixture
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def terms(**changes: Any) -> dict[str, Any]:
    """A draft as its form sends it: 立减 50, site-wide, ten of them, for three days after the claim."""
    return {
        "name": "开学季",
        "brief": "",
        "type": "0",
        "amount": "50.00",
        "minimum": "",
        "pay_percent": "",
        "product": "",
        "quantity": "10",
        "open_date": TODAY().isoformat(),
        "close_date": (TODAY() + 10 * DAY).isoformat(),
        "valid_begin_date": "",
        "valid_end_date": "",
        "valid_days": "3",
        "is_public": "1",
        **changes,
    }


def the_coupon(coupon_id: int) -> Coupon:
    db.session.rollback()
    return db.session.get_one(Coupon, coupon_id, populate_existing=True)


def count(model: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def written(person: Person, **changes: Any) -> int:
    """The number of a draft that was saved through the form."""
    answer = person.post("/staff/coupons", terms(**changes))
    assert answer.status_code == 303, re.findall(r'role="alert">([^<]+)', answer.text)
    return int(answer.location.rsplit("/", 1)[1])


def errors(answer: TestResponse) -> dict[str, str]:
    """What is said at which field."""
    return dict(re.findall(r'id="(\w+)-error">([^<]+)<', answer.text))


def listed(answer: TestResponse) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(number) for number in re.findall(r'<tr data-coupon="(\d+)"', answer.text)]


def shown(answer: TestResponse, ident: str) -> str:
    """The text of an element."""
    found = re.search(rf'id="{ident}">(.*?)</(?:dd|p|section)>', answer.text, re.DOTALL)
    assert found is not None, ident
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


# ---------------------------------------------------------------- drafts


@pytest.mark.usefixtures("_audited")
def test_a_draft_is_written_looked_at_changed_and_published(operations: Person, app: Flask) -> None:
    course = a_course(10_000)
    percent = {"type": "2", "amount": "", "pay_percent": "79", "product": str(course.id)}
    look = operations.post("/staff/coupons", terms(**percent, step="preview"))
    assert "79 = 7.9 折：学员付 79%，省 21%。" in look.text and "原价 100.00 元，学员付 79.00 元。" in look.text
    assert "这是预览：草稿还没有建立。 没问题就按「保存草稿」" in shown(look, "not-saved")
    assert count(Coupon) == 0
    draft = written(operations, **percent)
    look = operations.post(f"/staff/coupons/{draft}", terms(**percent, quantity="99", step="preview"))
    assert "改动还没有保存，草稿仍是上次保存的样子" in shown(look, "not-saved")
    assert the_coupon(draft).quantity == 10
    student = Person(app).sign_in(a_student().username)
    assert "开学季" not in student.get("/coupons").text
    assert student.post(f"/coupons/{draft}/claims").status_code == 404
    form = operations.form(operations.get(f"/staff/coupons/{draft}/edit"), "campaign")
    assert (form["pay_percent"], form["product"], form["amount"]) == ("79", str(course.id), "")
    assert operations.post(f"/staff/coupons/{draft}", {**form, "quantity": "20"}).status_code == 303
    page = operations.get(f"/staff/coupons/{draft}/publication")
    assert "草稿已经保存，学员还看不到。下面是试算" in page.text
    seal = operations.form(page, "publish")["seal"]
    assert operations.post(f"/staff/coupons/{draft}/publication", {"seal": seal, "reason": ""}).status_code == 422
    assert the_coupon(draft).published_time is None
    answer = operations.post(f"/staff/coupons/{draft}/publication", {"seal": seal, "reason": "双十二"})
    assert (answer.status_code, answer.location) == (303, f"/staff/coupons/{draft}")
    row = the_coupon(draft)
    assert (row.enabled, row.off_percent, row.quantity, row.product_id) == (True, 79, 20, course.id)
    assert student.post(f"/coupons/{draft}/claims").status_code == 303
    columns = AuditLog.action, AuditLog.before, AuditLog.after, AuditLog.reason
    trail = db.session.execute(select(*columns).order_by(AuditLog.id)).all()
    actions = [row.action for row in trail if row.action.startswith("coupon")]
    assert actions == ["coupon create", "coupon edit", "coupon publish"]
    edited, published = (next(row for row in trail if row.action == f"coupon {verb}") for verb in ("edit", "publish"))
    assert (edited.before, edited.after) == ({"quantity": 10}, {"quantity": 20})
    assert (published.after["pay_percent"], published.reason) == (79, "双十二")


@pytest.mark.parametrize(
    ("opens", "closes", "words"),
    [
        (-1, 10, "学员立即可以在领券中心领取"),
        (0, 10, "学员立即可以在领券中心领取"),
        (-1, 0, "学员立即可以在领券中心领取"),
        (1, 10, "起就能在领券中心领取"),
        (-2, -1, "没有人能在领券中心领取"),
    ],
    ids=["open since yesterday", "open today", "last day", "later", "over"],
)
def test_the_button_says_from_when_it_can_be_claimed(operations: Person, opens: int, closes: int, words: str) -> None:
    draft = a_draft(open_date=TODAY() + opens * DAY, close_date=TODAY() + closes * DAY)
    page = operations.get(f"/staff/coupons/{draft.id}/publication").text
    assert words in page
    assert page.count("在领券中心领取。") == 1


REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "立减 without an amount": ({"amount": ""}, "amount", "这种券要填写这一项"),
    "立减 0": ({"amount": "0"}, "amount", "必须大于 0"),
    "below 0": ({"amount": "-5"}, "amount", "请填写金额"),
    "too much": ({"amount": "100000.01"}, "amount", "最多 100000 元"),
    "立减 with a minimum": ({"minimum": "100"}, "minimum", "这种券没有这一项"),
    "满减 without a minimum": ({"type": "1"}, "minimum", "这种券要填写这一项"),
    "折扣 with an amount": ({"type": "2", "pay_percent": "79"}, "amount", "这种券没有这一项"),
    "折扣 with a minimum": (
        {"type": "2", "pay_percent": "79", "amount": "", "minimum": "9"},
        "minimum",
        "这种券没有这一项",
    ),
    "折扣 without a percent": ({"type": "2", "amount": ""}, "pay_percent", "这种券要填写这一项"),
    "折扣 0": ({"type": "2", "amount": "", "pay_percent": "0"}, "pay_percent", "79 = 7.9 折"),
    "折扣 100": ({"type": "2", "amount": "", "pay_percent": "100"}, "pay_percent", "是不是想写 10"),
    "790 for 79": ({"type": "2", "amount": "", "pay_percent": "790"}, "pay_percent", "您是不是想写 79（7.9 折"),
    "7.9 for 79": ({"type": "2", "amount": "", "pay_percent": "7.9"}, "pay_percent", "您是不是想写 79（7.9 折"),
    "7.9折 for 79": ({"type": "2", "amount": "", "pay_percent": "7.9折"}, "pay_percent", "您是不是想写 79（7.9 折"),
    "no end": ({"valid_days": ""}, "valid_days", "没有说能用多久"),
    "0 days": ({"valid_days": "0"}, "valid_days", "1 到 3650"),
    "one date": ({"valid_begin_date": "2026-12-01"}, "valid_begin_date", "要么都填，要么都不填"),
    "used before it begins": (
        {"valid_begin_date": "2099-12-02", "valid_end_date": "2099-12-01"},
        "valid_end_date",
        "最后一天早于第一天",
    ),
    "claimed before it opens": ({"close_date": "2026-01-01"}, "close_date", "早于开始日期"),
    "claimed when it is over": (
        {"valid_begin_date": "2020-01-01", "valid_end_date": "2020-01-01"},
        "close_date",
        "晚于最后可用的日期",
    ),
    "over before it begins": (
        {"valid_begin_date": "2099-01-01", "valid_end_date": "2099-12-31"},
        "valid_days",
        "还没到可用的第一天",
    ),
    "none of them": ({"quantity": "0"}, "quantity", "1 到 10000000"),
    "no name": ({"name": " "}, "name", "1 到 64"),
    "a long name": ({"name": "名" * 65}, "name", "1 到 64"),
    "no such product": ({"product": "999999"}, "product", ""),
    "no such kind": ({"type": "3"}, "type", ""),
}


def test_b40_what_makes_no_sense_is_refused_where_it_stands_and_in_words(operations: Person) -> None:
    for case, (changes, field, sentence) in REFUSED.items():
        answer = operations.post("/staff/coupons", terms(**changes))
        assert answer.status_code == 422, case
        assert sentence in errors(answer)[field], case
    assert count(Coupon) == 0


def test_b40_a_window_of_one_day_is_fine_and_dates_may_stand_beside_days(operations: Person) -> None:
    today = TODAY().isoformat()
    dates = {"close_date": today, "valid_begin_date": today, "valid_end_date": today}
    row = the_coupon(written(operations, **dates))
    assert (row.open_date, row.close_date, row.valid_end_date, row.coupon_valid_days) == (*[TODAY()] * 3, 3)
    written(operations, **{**dates, "valid_days": "", "name": "只有日期"})


def test_a_name_is_used_once_and_a_module_is_not_sold_alone(operations: Person) -> None:
    from tests.builders import a_degree

    module = a_degree().modules[0]
    written(operations)
    assert "同名" in errors(operations.post("/staff/coupons", terms()))["name"]
    assert operations.post("/staff/coupons", terms(name="别的", product=str(module.id))).status_code == 422
    assert count(Coupon) == 1
    choices = operations.get("/staff/coupons/new").text.split('name="product"')[1].split("</select>")[0]
    assert f'value="{module.degree_course_id}"' in choices and f'value="{module.id}"' not in choices


def test_what_is_published_keeps_its_terms_and_a_draft_may_be_deleted(operations: Person) -> None:
    running, draft = a_coupon(), a_draft()
    assert operations.get(f"/staff/coupons/{running.id}/edit").status_code == 303
    assert operations.post(f"/staff/coupons/{running.id}", terms()).status_code == 409
    assert operations.post(f"/staff/coupons/{running.id}/delete").status_code == 409
    for again in ({}, {"seal": "x", "reason": "so"}, {"seal": "x", "reason": "x" * 10_000}):
        answer = operations.post(f"/staff/coupons/{running.id}/publication", again)
        assert (answer.status_code, answer.location) == (303, f"/staff/coupons/{running.id}")
        assert "活动已经发布" in operations.follow(answer).text
    assert the_coupon(running.id).name == running.name
    assert operations.post(f"/staff/coupons/{draft.id}/delete").status_code == 303
    assert operations.get(f"/staff/coupons/{draft.id}").status_code == 404
    assert count(Coupon) == 1


def test_a_draft_changed_after_the_rehearsal_is_not_published(operations: Person) -> None:
    draft = written(operations)
    seal = operations.form(operations.get(f"/staff/coupons/{draft}/publication"), "publish")["seal"]
    operations.post(f"/staff/coupons/{draft}", terms(amount="500.00"))
    answer = operations.post(f"/staff/coupons/{draft}/publication", {"seal": seal, "reason": "so"})
    assert (answer.status_code, "草稿又被修改过" in answer.text) == (409, True)
    assert the_coupon(draft).published_time is None
    form = operations.form(answer, "publish")
    assert operations.post(f"/staff/coupons/{draft}/publication", {**form, "reason": "so"}).status_code == 303


# ---------------------------------------------------------------- what is published


@pytest.mark.usefixtures("_audited")
def test_a_stopped_campaign_is_neither_claimed_nor_used_until_it_is_resumed(operations: Person, app: Flask) -> None:
    student, course = a_student(), a_course(10_000)
    record = a_claimed(student, flat=1_000)
    page = f"/staff/coupons/{record.coupon_id}"
    window = (record.valid_from, record.valid_until)
    assert operations.post(f"{page}/stopping", {"reason": ""}).status_code == 422
    assert operations.post(f"{page}/stopping", {"reason": "写错了"}).status_code == 303
    assert operations.post(f"{page}/stopping", {"reason": "写错了"}).status_code == 409
    other = Person(app).sign_in(a_student().username)
    assert other.post(f"/coupons/{record.coupon_id}/claims").status_code == 404
    with pytest.raises(Exception, match="SiteCouponNotUsable"):
        placed(student, [course], site_coupon=record.id)
    assert operations.post(f"{page}/resuming", {"reason": "没写错"}).status_code == 303
    assert operations.post(f"{page}/resuming", {"reason": "没写错"}).status_code == 409
    db.session.rollback()
    db.session.refresh(record)
    assert (record.valid_from, record.valid_until) == window
    placed(student, [course], site_coupon=record.id)


def test_only_more_and_only_longer(operations: Person) -> None:
    coupon = a_coupon(quantity=10)
    for number in range(3):
        coupons.claim(a_student().id, coupon.id, clock.now())
        saved(CouponCode(code=f"EXTEND{number}", coupon_id=coupon.id))
    page, last = f"/staff/coupons/{coupon.id}/extension", coupon.close_date.isoformat()
    too_few = operations.post(page, {"quantity": "5", "close_date": last, "reason": "so"})
    assert (too_few.status_code, "：6" in errors(too_few)["quantity"]) == (422, True)
    earlier = (coupon.close_date - DAY).isoformat()
    assert (
        "只能延后"
        in errors(operations.post(page, {"quantity": "6", "close_date": earlier, "reason": "so"}))["close_date"]
    )
    later = (coupon.valid_end_date + DAY).isoformat()  # type: ignore[operator]
    assert (
        "不能晚于"
        in errors(operations.post(page, {"quantity": "6", "close_date": later, "reason": "so"}))["close_date"]
    )
    assert the_coupon(coupon.id).quantity == 10
    assert operations.post(page, {"quantity": "6", "close_date": last, "reason": "so"}).status_code == 303
    assert the_coupon(coupon.id).quantity == 6


@pytest.mark.usefixtures("_audited")
def test_the_page_says_what_became_of_the_coupons_and_what_they_cost(operations: Person, alipay: Cashier) -> None:
    """79 % on the sum of three orders, one of them with a line given back; one more holds its coupon."""
    coupon = a_coupon(percent=79)
    people = [a_student() for _each in range(6)]
    for person in people:
        coupons.claim(person.id, coupon.id, clock.now())
    records = {r.account_id: r.id for r in db.session.scalars(select(CouponRecord))}
    held = placed(people[0], [a_course(10_000)], site_coupon=records[people[0].id])
    bought(alipay, people[1], [a_course(10_000)], site_coupon=records[people[1].id])
    two = bought(alipay, people[2], [a_course(20_000), a_course(10_000)], site_coupon=records[people[2].id])
    refunded(alipay, people[2], two, 0)
    whole = bought(alipay, people[3], [a_course(50_000)], site_coupon=records[people[3].id])
    refunded(alipay, people[3], whole)
    with unit_of_work() as session:
        session.get_one(CouponRecord, records[people[4].id]).status = CouponStatus.EXPIRED
    page = operations.get(f"/staff/coupons/{coupon.id}")
    figures = {ident: shown(page, ident) for ident in ("claimed", "unused", "held", "used", "expired")}
    assert figures == {"claimed": "6 / 1000", "unused": "2", "held": "1", "used": "2", "expired": "1"}
    assert (shown(page, "cost"), shown(page, "orders"), shown(page, "revenue")) == ("42.00 元", "2", "158.00 元")
    answer = operations.get(f"/staff/coupons/{coupon.id}/records?state=1")
    assert re.findall(r"<td>(\d{8}[0-9A-Z]+)</td>", answer.text) == [held]
    rows = list(csv.reader(io.StringIO(operations.get(f"/staff/coupons/{coupon.id}/records.csv", buffered=True).text)))
    assert len(rows) == 7 and [row[2] for row in rows].count("已使用") == 2


# ---------------------------------------------------------------- lists


def test_the_list_filters_and_pages_and_asks_the_same_for_few_and_for_many(operations: Person) -> None:
    course, today = a_course(), TODAY()
    far = {"valid_begin_date": None, "valid_end_date": None, "coupon_valid_days": 3}
    made = {
        "0": a_draft(name="草稿"),
        "1": a_coupon(name="以后", open_date=today + DAY, **far),
        "2": a_coupon(course, name="进行", percent=80),
        "3": a_coupon(name="结束", open_date=today - 9 * DAY, close_date=today - DAY, **far),
        "4": a_coupon(name="停用", enabled=False),
    }
    for state, coupon in made.items():
        assert listed(operations.get(f"/staff/coupons?state={state}")) == [coupon.id], state
    assert listed(operations.get("/staff/coupons?type=2")) == [made["2"].id]
    assert listed(operations.get(f"/staff/coupons?product={course.id}")) == [made["2"].id]
    assert listed(operations.get(f"/staff/coupons?product={course.name}")) == [made["2"].id]
    nothing = operations.get("/staff/coupons?product=烹饪")
    assert nothing.status_code == 422 and "没有找到" in nothing.text
    assert listed(operations.get("/staff/coupons?name=进")) == [made["2"].id]
    assert listed(operations.get("/staff/coupons?name=%25")) == []
    with counted() as few:
        operations.get("/staff/coupons")
    for _each in range(50):
        a_coupon()
    with counted() as many:
        first = listed(operations.get("/staff/coupons"))
    assert (len(first), len(many)) == (50, len(few))
    more = re.search(r'rel="next" href="([^"]+)"', operations.get("/staff/coupons").text)
    assert more is not None
    assert len({*first, *listed(operations.get(more[1].replace("&amp;", "&")))}) == 55
    file = operations.get("/staff/coupons.csv?state=2", buffered=True)
    assert len(list(csv.reader(io.StringIO(file.text)))) == 52


def test_customer_service_sees_no_whole_names_beside_orders(operations: Person, app: Flask) -> None:
    coupon, student = a_coupon(), a_student(username="nicorobin")
    coupons.claim(student.id, coupon.id, clock.now())
    service = Person(app).sign_in(a_clerk(StaffRole.SERVICE).username)
    for page in ("records", "records.csv"):
        path = f"/staff/coupons/{coupon.id}/{page}"
        told = service.get(path, buffered=True).text
        assert ("n*" in told, "nicorobin" in told) == (True, False), page
        assert "nicorobin" in operations.get(path, buffered=True).text, page


def test_the_records_page_without_a_gap_and_in_so_many_statements(operations: Person) -> None:
    coupon = a_coupon()
    now = clock.now()

    def some(count: int) -> None:
        for _each in range(count):
            coupons.claim(a_student().id, coupon.id, now)

    some(2)
    page = f"/staff/coupons/{coupon.id}/records"
    with counted() as few:
        operations.get(page)
    some(51)
    with counted() as many:
        first = operations.get(page)
    assert len(many) == len(few)
    found = re.findall(r'data-record="(\w+)"', first.text)
    more = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert more is not None
    found += re.findall(r'data-record="(\w+)"', operations.get(more[1].replace("&amp;", "&")).text)
    assert (len(found), len(set(found))) == (53, 53)
    one = db.session.scalars(select(CouponRecord).limit(1)).one()
    from shop.models import Account

    name = db.session.get_one(Account, one.account_id).username
    assert re.findall(r'data-record="(\w+)"', operations.get(f"{page}?username={name}").text) == [one.number]


def test_the_desk_finds_a_campaign_by_number_name_record_and_code(operations: Person) -> None:
    record = a_claimed(a_student(), name="寻找我")
    saved(CouponCode(code="FINDME7777", coupon_id=record.coupon_id))
    for q in (str(record.coupon_id), "寻找我", "寻找", record.number, "FINDME7777", "findme-7777"):
        answer = operations.post("/staff/search", {"q": q})
        assert (answer.status_code, answer.location) == (303, f"/staff/coupons/{record.coupon_id}"), q
    for q in ("99999999999999999999", "２", "-1", "2147483648"):
        assert operations.post("/staff/search", {"q": q}).status_code == 200, q


# ---------------------------------------------------------------- hostile values


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: ascii(bad[:8]))
def test_hostile_values_are_refused_in_words_and_write_nothing(operations: Person, bad: str) -> None:
    running, draft = a_coupon(is_public=False), a_draft()
    sent = bad.encode("utf-8", "surrogatepass")
    before = [count(model) for model in (Coupon, CouponCode, CouponRecord, AuditLog)]
    forms: dict[str, dict[str, Any]] = {
        "/staff/coupons": terms(),
        f"/staff/coupons/{draft.id}": terms(),
        f"/staff/coupons/{draft.id}/publication": {"seal": "x", "reason": "so"},
        f"/staff/coupons/{running.id}/extension": {"quantity": "x", "close_date": "x", "reason": "so"},
        f"/staff/coupons/{running.id}/codes": {"count": "x", "reason": "so"},
        f"/staff/coupons/{running.id}/gifts": {"names": "nobody", "reason": "so"},
        f"/staff/coupons/{running.id}/gifts/check": {"names": "nobody"},
        f"/staff/coupons/{running.id}/stopping": {"reason": ""},
        f"/staff/coupons/{running.id}/resuming": {"reason": "so"},
    }
    is_text = "\x00" not in bad
    for path, good in forms.items():
        for field in good:
            if is_text and len(bad) < {"name": 65, "brief": 2_001, "reason": 256}.get(field, 0):
                continue  # any words are one
            answer = operations.post(path, {**good, field: sent})
            assert answer.status_code in (409, 422, 200), (path, field, answer.status_code)
            assert answer.status_code != 200 or path.endswith("check"), (path, field)
            twice = operations.post(path, {**good, field: [sent, sent]})
            assert twice.status_code in (409, 422), (path, field, "twice")
    for address in ("", ".csv", f"/{running.id}/codes", f"/{running.id}/codes.csv", f"/{running.id}/records"):
        for name in ("state", "type", "name", "product", "batch", "username", "after", "before", "endpoint"):
            answer = operations.get(f"/staff/coupons{address}", query_string={name: sent}, buffered=True)
            assert answer.status_code in (200, 404, 422), (address, name)
    assert operations.get(f"/staff/coupons/{draft.id}/publication", query_string={"orders": sent}).status_code == 422
    assert [count(model) for model in (Coupon, CouponCode, CouponRecord, AuditLog)] == before


def test_numbers_that_cannot_be_a_campaign_are_not_found(operations: Person) -> None:
    for number in ("0", "-1", "2147483648", "%00", "１", "x"):
        for page in ("", "/edit", "/publication", "/codes", "/gifts", "/records", "/codes.csv", "/records.csv"):
            assert operations.get(f"/staff/coupons/{number}{page}").status_code in (404, 405), (number, page)
    missing = "/staff/coupons/2147483647"
    for page in ("", "/edit", "/publication", "/codes", "/gifts", "/records", "/codes.csv", "/records.csv"):
        assert operations.get(f"{missing}{page}").status_code == 404, page
    because = {"reason": "so", "seal": "x", "quantity": "1", "close_date": "2099-01-01", "count": "1", "names": "x y"}
    for step in ("", "/delete", "/publication", "/stopping", "/resuming", "/extension", "/codes", "/gifts"):
        answer = operations.post(missing + step, {**because, **({} if step else terms())})
        assert answer.status_code == 404, step
    assert operations.post(f"{missing}/gifts/check", because).status_code == 404


def test_a_kind_with_its_own_numbers_is_stored_as_the_source_has_it(operations: Person) -> None:
    row = the_coupon(written(operations, type="1", amount="100", minimum="1000", name="满减"))
    assert (row.coupon_type, row.money_equivalent_fen, row.minimum_consume_fen) == (
        CouponKind.THRESHOLD,
        10_000,
        100_000,
    )
    assert (row.off_percent, row.claimed, row.enabled) == (None, 0, False)
