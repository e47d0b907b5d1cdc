"""The desk finds what waits and leads to where it is mended; the audit log is sealed."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import MailState, StaffRole, TroubleKind
from shop.extensions import db, unit_of_work
from shop.models import (
    AuditLog,
    AuditRun,
    EnrolledCourse,
    JobRun,
    Mail,
    NightlyRun,
    OrderNote,
    Trouble,
)
from shop.services import withdrawals
from shop.services.staff import desk
from shop.web.staff import MENU
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_coupon, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.degrees import a_mentor
from tests.person import Person
from tests.purchases import enrolled_in_degree, saved
from tests.refunding import asked, bought, lines_of, refunded
from tests.statements import counted

PHONE, EMAIL = "13912345678", "zqx.nami@example.com"


def somebody(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*roles).username)


def queues(answer: TestResponse) -> dict[str, tuple[str, int]]:
    """What waits on the desk: where each queue leads, and how much."""
    found = re.findall(r'href="([^"]+)" data-queue="([^"]+)"><strong class="queue__count">(\d+)<', answer.text)
    return {key: (href, int(count)) for href, key, count in found}


def test_every_place_of_the_menu_opens_for_whoever_sees_it(app: Flask) -> None:
    for role in StaffRole:
        person = somebody(app, role)
        page = person.get("/staff/")
        hrefs = re.findall(r'<a href="([^"]+)"', page.text.split('class="desk-nav"')[1].split("</nav>")[0])
        assert hrefs and set(hrefs) <= {place.href for place in MENU}
        for href in hrefs:
            assert person.get(href).status_code == 200, (role.name, href)
        for queue in desk.QUEUES:
            assert person.get(queue.href).status_code in (200, 403), queue.key


def test_a_word_in_an_address_that_is_no_filter_is_let_alone(app: Flask) -> None:
    """Links around a list are made of its filters, not of whatever somebody put into the address."""
    everything = somebody(app, *StaffRole)
    for place in MENU:
        answer = everything.get(f"{place.href}?endpoint=x&_external=1&filename=y")
        links = re.findall(r'href="([^"]+)"', answer.text)
        assert (answer.status_code, [link for link in links if "endpoint=x" in link]) == (200, []), place.href


def test_money_that_waits_is_on_the_desk_and_one_click_away(app: Flask, alipay: Cashier) -> None:
    finance = somebody(app, StaffRole.FINANCE)
    assert queues(finance.get("/staff/")) == {}
    student = a_student()
    number = bought(alipay, student, [a_course(30_000), a_course(20_000)])
    refund = asked(student, number, 0)
    mentor = a_mentor(beli=500)
    request = withdrawals.ask(mentor.id, 100, payee_account="a@example.com", payee_name="沈舟", now=clock.now())
    odd = saved(Trouble(kind=TroubleKind.UNKNOWN_TRADE, out_trade_no="X", trade_no="T", amount_fen=1, found_by="bill"))
    with unit_of_work() as session:
        session.query(EnrolledCourse).filter_by(order_detail_id=lines_of(number)[1].id).delete()
    found = queues(finance.get("/staff/"))
    assert {key: count for key, (_href, count) in found.items()} == {
        "refunds asked": 1,
        "troubles": 1,
        "undelivered": 1,
        "withdrawals asked": 1,
    }
    shows = {
        "refunds asked": refund,
        "troubles": f'data-trouble="{odd.id}"',
        "undelivered": number,
        "withdrawals asked": f'data-withdrawal="{request.id}"',
    }
    for key, text in shows.items():
        assert text in finance.get(found[key][0]).text, key


def test_what_is_wrong_with_the_shop_itself_is_for_administrators(app: Flask) -> None:
    admin, now = somebody(app, StaffRole.ADMIN), clock.now()
    saved(JobRun(name="poll_payments", started_time=now, error="OSError"))
    saved(JobRun(name="send_mail", started_time=now - timedelta(hours=2)))
    saved(JobRun(name="reconcile", started_time=now))
    saved(NightlyRun(night=date(2026, 11, 1), started_time=now - timedelta(hours=2)))
    saved(AuditRun(started_time=now, seconds=1.0, checks=75, findings=[{"says": "a line too many"}], notices=[]))
    letter = saved(Mail(address=EMAIL, subject="s", body="b", message_id="1", state=MailState.FAILED, error="550 no"))
    found = {key: count for key, (_href, count) in queues(admin.get("/staff/")).items()}
    assert found == {"findings": 1, "jobs": 2, "nights": 1, "letters": 1}
    page = admin.get("/staff/system")
    assert "poll_payments" in page.text and "a line too many" in page.text and "zq***@example.com" in page.text
    assert EMAIL not in page.text
    assert admin.post(f"/staff/system/letters/{letter.id}/sending", {"reason": ""}).status_code == 422
    assert admin.post(f"/staff/system/letters/{letter.id}/sending", {"reason": "地址已改正"}).status_code == 303
    assert "letters" not in queues(admin.get("/staff/"))
    db.session.rollback()
    row = db.session.get_one(Mail, letter.id)
    assert (row.state, row.tries) == (MailState.WAITING, 0)
    assert admin.post(f"/staff/system/letters/{letter.id}/delete", {"reason": "so"}).status_code == 404
    finance = somebody(app, StaffRole.FINANCE)
    assert set(queues(finance.get("/staff/"))) == {"findings"}
    assert "poll_payments" not in finance.get("/staff/system").text


def test_a_job_that_has_stopped_waits_and_one_that_rests_at_night_does_not(app: Flask) -> None:
    admin, now = somebody(app, StaffRole.ADMIN), clock.now()
    saved(JobRun(name="remind_of_coupons", started_time=now - timedelta(hours=14)))
    saved(JobRun(name="reconcile", started_time=now - timedelta(minutes=80)))
    saved(JobRun(name="a job of an earlier version", started_time=now - timedelta(days=80), error="OSError"))
    assert queues(admin.get("/staff/")) == {}
    saved(JobRun(name="remind_of_courses", started_time=now - timedelta(hours=16)))
    assert queues(admin.get("/staff/")) == {"jobs": ("/staff/system", 1)}
    assert admin.post("/staff/system/jobs/remind_of_courses/runs").status_code == 303
    assert queues(admin.get("/staff/")) == {}
    db.session.rollback()
    row = db.session.scalars(sa.select(AuditLog).where(AuditLog.action == "job_run by hand")).one()
    assert (row.after, row.account_id is not None) == ({"name": "remind_of_courses"}, True)
    for name in ("rm", "%00", "x" * 65, "/"):
        assert admin.post(f"/staff/system/jobs/{name}/runs").status_code == 404, name


def test_what_was_paid_and_is_not_open_is_opened_once(app: Flask, alipay: Cashier) -> None:
    finance, student = somebody(app, StaffRole.FINANCE), a_student()
    number = bought(alipay, student, [a_course(30_000), a_course(20_000)])
    here = f"/staff/orders/{number}/delivery"
    assert "补开通" not in finance.get(f"/staff/orders/{number}").text
    nothing = finance.follow(finance.post(here, {"reason": "so"}))
    assert "没有要补开通的课程" in nothing.text
    lost, kept = lines_of(number)
    with unit_of_work() as session:
        session.query(EnrolledCourse).filter_by(order_detail_id=lost.id).delete()
    assert set(queues(finance.get("/staff/"))) == {"undelivered"}
    assert finance.post(here, {"reason": " "}).status_code == 422
    assert "已按订单开通" in finance.follow(finance.post(here, {"reason": "数据丢失"})).text
    db.session.rollback()
    opened = db.session.scalars(sa.select(EnrolledCourse.order_detail_id).order_by(EnrolledCourse.order_detail_id))
    assert list(opened) == sorted((lost.id, kept.id))
    assert queues(finance.get("/staff/")) == {}
    assert_audit_clean()


def test_what_was_given_back_is_not_opened_with_the_rest(app: Flask, alipay: Cashier) -> None:
    finance, student = somebody(app, StaffRole.FINANCE), a_student()
    number = bought(alipay, student, [a_course(30_000), a_course(20_000)])
    given_back, kept = (line.id for line in lines_of(number))
    with unit_of_work() as session:
        session.query(EnrolledCourse).delete()
    refunded(alipay, student, number, 0)
    finance.post(f"/staff/orders/{number}/delivery", {"reason": "数据丢失"})
    db.session.rollback()
    assert list(db.session.scalars(sa.select(EnrolledCourse.order_detail_id))) == [kept] != [given_back]
    assert_audit_clean()


def test_an_old_line_that_is_not_open_waits_once_an_audit_has_named_it(app: Flask, alipay: Cashier) -> None:
    number = bought(alipay, a_student(), [a_course(30_000)])
    with unit_of_work() as session:
        session.query(EnrolledCourse).delete()
    alipay.move_clock(5 * 86_400)
    finance = somebody(app, StaffRole.FINANCE)
    assert queues(finance.get("/staff/")) == {}
    assert "还有 1 项发现" in finance.follow(finance.post("/staff/system/audits")).text
    assert set(queues(finance.get("/staff/"))) == {"undelivered", "findings"}
    assert number in finance.get("/staff/orders?trouble=0").text


def test_a_later_audit_without_findings_empties_the_queue(app: Flask) -> None:
    admin, now = somebody(app, StaffRole.ADMIN), clock.now()
    for findings in ([{"says": "broken"}], []):
        saved(AuditRun(started_time=now, seconds=1.0, checks=75, findings=findings, notices=[]))
    assert queues(admin.get("/staff/")) == {}


def test_a_note_comes_up_on_its_day(app: Flask, alipay: Cashier) -> None:
    service, author = somebody(app, StaffRole.SERVICE), a_clerk()
    number = bought(alipay, a_student(), [a_course(30_000)])
    today, order_id = clock.local_date(clock.now()), lines_of(number)[0].order_id
    for day in (today, today + timedelta(days=1)):
        saved(OrderNote(order_id=order_id, author_id=author.id, text="so", follow_up_date=day))
    assert queues(service.get("/staff/")) == {"notes due": ("/staff/orders?trouble=3", 1)}


def test_the_desk_asks_the_same_however_much_waits(app: Flask) -> None:
    finance = somebody(app, StaffRole.FINANCE)
    finance.get("/staff/")
    with counted() as few:
        finance.get("/staff/")
    for number in range(5):
        kind = TroubleKind.UNKNOWN_TRADE
        saved(Trouble(kind=kind, out_trade_no=f"X{number}", trade_no="T", amount_fen=1, found_by="bill"))
    with counted() as many:
        finance.get("/staff/")
    assert len(few) == len(many)


# ---------------------------------------------------------------- the audit log


def some_rows() -> None:
    with unit_of_work() as session:
        for number in range(60):
            table = "refund" if number % 2 else "account"
            session.add(
                AuditLog(
                    actor="anna" if number < 30 else "bert",
                    action=f"{table} change",
                    subject_table=table,
                    subject_id=number,
                    before={"state": 0},
                    after={"state": 1, "name": "=1+1"},
                    reason=f"because of {number}",
                    date=clock.now() - timedelta(days=number // 30),
                )
            )


def shown(answer: TestResponse) -> int:
    assert answer.status_code == 200
    return len(re.findall(r"data-audit=", answer.text))


def test_the_log_is_searched_by_who_what_when_and_why(app: Flask) -> None:
    admin = somebody(app, StaffRole.ADMIN)
    some_rows()
    today = clock.local_date(clock.now())
    cases: dict[str, int] = {
        "": 50,
        "actor=anna": 30,
        "action=refund": 30,
        "action=ref": 30,
        "action=refund+change": 30,
        "action=refund+approve": 0,
        "action=nothing": 0,
        "subject_id=7": 1,
        "text=of+7": 1,
        "text=%25": 0,
        f"since={today}": 30,
        f"until={today - timedelta(days=1)}": 30,
        "actor=anna&action=refund": 15,
    }
    for query, count in cases.items():
        assert shown(admin.get(f"/staff/audit-log?{query}")) == count, query
    page = admin.get("/staff/audit-log?subject_id=7").text
    assert "<del>待审核</del> → 已同意" in page and "because of 7" in page
    assert 'title="state">状态<' in page
    more = re.search(r'rel="next" href="([^"]+)"', admin.get("/staff/audit-log").text)
    assert more is not None and shown(admin.get(more[1])) == 10


def test_what_was_changed_is_chosen_in_words_by_area(app: Flask) -> None:
    admin = somebody(app, StaffRole.ADMIN)
    page = admin.get("/staff/audit-log").text
    assert '<optgroup label="资金">' in page and '<option value="refund">退款</option>' in page
    assert 'label="其他"' not in page
    assert '<option selected value="refund">退款</option>' in admin.get("/staff/audit-log?action=refund").text
    older = admin.get("/staff/audit-log?action=refund+approve").text
    assert '<option selected value="refund approve">退款 · 同意</option>' in older and 'label="其他"' in older
    odd = admin.get("/staff/audit-log?action=%22%3E%3Cxyz").text
    assert "&#34;&gt;&lt;xyz" in odd and "<xyz" not in odd
    finance = somebody(app, StaffRole.FINANCE).get("/staff/audit-log").text
    assert '<option value="refund">' in finance and '<option value="order">' in finance
    assert '<option value="account">' not in finance and "账户和系统" not in finance


def test_a_thing_that_is_chosen_is_not_another_one_that_begins_so(app: Flask) -> None:
    for table in ("course", "course_chapter"):
        saved(AuditLog(actor="anna", action=f"{table} edit", subject_table=table, subject_id=1, date=clock.now()))
    admin = somebody(app, StaffRole.ADMIN)
    assert shown(admin.get("/staff/audit-log?action=course")) == 1
    assert shown(admin.get("/staff/audit-log?action=cours")) == 2


def subjects(person: Person) -> dict[str, str]:
    """Each thing that the log is about, in words, and where it leads."""
    page = person.get("/staff/audit-log").text
    return {
        words: href or "" for href, words in re.findall(r'<td title="\w+ \d+">(?:<a href="([^"]+)">)?([^<]+)<', page)
    }


def test_what_a_row_is_about_is_told_in_words_and_led_to(app: Flask) -> None:
    student, coupon = a_student(), a_coupon()
    course, degree = a_course(), a_degree()
    study = enrolled_in_degree(student, degree)
    gone = 999_999
    for action, table, number in (
        ("account disable", "account", student.id),
        ("course publish", "course", course.id),
        ("degree_course publish", "degree_course", degree.id),
        ("coupon publish", "coupon", coupon.id),
        ("coupon delete", "coupon", gone),
        ("enrolled_degree_course assign", "enrolled_degree_course", study.id),
        ("price_policy edit", "price_policy", 7),
        ("order note", "orders", 8),
        ("job_run by hand", "job_run", 0),
        ("thing edit", "thing", 9),
    ):
        saved(AuditLog(actor="anna", action=action, subject_table=table, subject_id=number, date=clock.now()))
    pages = {
        f"课程 #{course.id}": f"/staff/catalogue/products/{course.id}",
        f"学位课 #{degree.id}": f"/staff/catalogue/products/{degree.id}",
        f"优惠券活动 #{coupon.id}": f"/staff/coupons/{coupon.id}",
        f"学位报名 #{study.id}": f"/staff/studies/{study.id}",
    }
    account = {f"账户 #{student.id}": f"/staff/accounts/{student.id}"}
    bare = {f"优惠券活动 #{gone}": "", "价格方案 #7": "", "订单 #8": "", "任务": "", "thing #9": ""}
    everybody = somebody(app, *StaffRole)
    assert subjects(everybody) == {**pages, **account, **bare}
    assert all(everybody.get(href).status_code == 200 for href in (pages | account).values())
    assert subjects(somebody(app, StaffRole.ADMIN)) == {**dict.fromkeys(pages, ""), **account, **bare}


def test_finance_reads_of_money_alone(app: Flask) -> None:
    finance = somebody(app, StaffRole.FINANCE)
    some_rows()
    assert shown(finance.get("/staff/audit-log")) == 30
    assert shown(finance.get("/staff/audit-log?action=account")) == 0
    rows = list(csv.reader(io.StringIO(finance.get("/staff/audit-log.csv", buffered=True).text)))
    assert len(rows) == 31 and {row[3].split()[0] for row in rows[1:]} == {"refund"}


@pytest.mark.parametrize(
    "bad", ["\x00", "x" * 10_000, "２", "-1", "9" * 30, "2026-02-30"], ids=lambda bad: repr(bad[:6])
)
def test_hostile_filters_are_told(app: Flask, bad: str) -> None:
    admin = somebody(app, StaffRole.ADMIN)
    for name in ("actor", "action", "subject_id", "text", "since", "until"):
        for path in ("/staff/audit-log", "/staff/audit-log.csv"):
            assert admin.get(path, query_string={name: bad}, buffered=True).status_code in (200, 422), name
    assert admin.get("/staff/audit-log", query_string={"after": bad}).status_code == 404


def change(statement: str) -> Any:
    with unit_of_work() as session:
        session.execute(sa.text(statement))


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET reason = 'no'", "DELETE FROM audit_log"])
def test_nobody_changes_a_row_of_the_log(app: Flask, statement: str) -> None:
    some_rows()
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        change(statement)
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(AuditLog).where(AuditLog.reason != "no")) == 60


@pytest.mark.only_on("postgresql")
def test_nobody_empties_the_log(app: Flask) -> None:
    some_rows()
    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        change("TRUNCATE audit_log CASCADE")
