"""Staff log in with two factors, do what their roles say and no more, from one moment to the next (F64-F66)."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import StaffRole
from shop.errors import NotYourself, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    Coupon,
    Mail,
    Notification,
    PasswordReset,
    RecoveryCode,
    SecondFactor,
    StaffMember,
)
from shop.services import second_factor
from shop.services.audit_log import Actor
from shop.services.staff import accounts
from tests.builders import a_clerk, a_coupon, a_course, a_student, plan_of
from tests.person import PASSWORD, Person

HOSTILE = ("", "\x00", "\ud800", "x" * 10_000, "９" * 6, "NaN", "9" * 30, "<script>alert(1)</script>", "' OR 1=1 --")


def half_way(app: Flask, account: Account, target: str = "/account/beli") -> Person:
    """Somebody who has given the right password, and nothing else yet."""
    person = Person(app)
    answer = person.post("/login", {"username": account.username, "password": PASSWORD, "next": target})
    assert answer.status_code == 303
    assert "/login/second-factor" in answer.location
    return person


def secret_of(account: Account) -> str:
    db.session.rollback()
    return db.session.scalars(select(SecondFactor.secret).where(SecondFactor.account_id == account.id)).one()


def code_of(account: Account) -> str:
    return second_factor.code_now(secret_of(account), clock.now())


def roles_of(account_id: int) -> list[StaffRole]:
    db.session.rollback()
    return list(
        db.session.scalars(select(StaffMember.role).where(StaffMember.account_id == account_id).order_by("role"))
    )


def is_inside(person: Person) -> bool:
    return person.get("/account").status_code == 200


def move_clock(instance: Path, seconds: float) -> None:
    (instance / "clock_offset").write_text(str(seconds))


# ---------------------------------------------------------------- two factors


def test_the_password_alone_lets_nobody_of_the_staff_in(app: Flask) -> None:
    person = half_way(app, a_clerk(StaffRole.ADMIN))
    for page in ("/account", "/staff/accounts", "/staff/confirm", "/orders"):
        answer = person.get(page)
        assert (answer.status_code, "/login" in answer.location) == (303, True), page


def test_a_code_of_the_app_lets_in_and_goes_where_the_person_wanted(app: Flask) -> None:
    clerk = a_clerk(StaffRole.ADMIN)
    person = half_way(app, clerk)
    answer = person.post("/login/second-factor", {"code": code_of(clerk)})
    assert (answer.status_code, answer.location) == (303, "/account/beli")
    assert is_inside(person)


def test_who_only_logs_in_comes_to_the_desk(app: Flask) -> None:
    clerk = a_clerk(StaffRole.FINANCE)
    answer = half_way(app, clerk, "/").post("/login/second-factor", {"code": code_of(clerk)})
    assert (answer.status_code, answer.location) == (303, "/staff/")


def test_a_code_may_be_typed_with_wide_digits_and_blanks(app: Flask) -> None:
    """As an input method for Chinese writes them, at either of the two pages; others are refused, not a fault."""
    new, clerk = a_student(is_staff=True), a_clerk()
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    person = half_way(app, new)
    code = person.get("/login/second-factor/new").text.split('data-demo-code="')[1][:6]
    for bad in ("¹２３４５x", "١٢٣٤٥٦", "１２３４５"):
        assert person.post("/login/second-factor/new", {"code": bad}).status_code == 422, bad
    assert person.post("/login/second-factor/new", {"code": code.translate(wide)}).status_code == 200
    code = code_of(clerk).translate(wide)
    assert half_way(app, clerk).post("/login/second-factor", {"code": f"{code[:3]}　{code[3:]}"}).status_code == 303


def test_a_code_counts_once(app: Flask) -> None:
    clerk = a_clerk()
    code = code_of(clerk)
    first, second = half_way(app, clerk), half_way(app, clerk)
    assert first.post("/login/second-factor", {"code": code}).status_code == 303
    answer = second.post("/login/second-factor", {"code": code})
    assert answer.status_code == 422
    assert not is_inside(second)


@pytest.mark.parametrize("code", HOSTILE, ids=lambda code: repr(code[:8]))
def test_a_wrong_code_is_refused_in_words(app: Flask, code: str) -> None:
    person = half_way(app, a_clerk())
    answer = person.post("/login/second-factor", {"code": code.encode("utf-8", "surrogatepass")})
    assert answer.status_code == 422
    assert not is_inside(person)


def test_a_code_of_two_steps_ago_is_too_old(app: Flask) -> None:
    clerk = a_clerk()
    old = second_factor.code_now(secret_of(clerk), clock.now() - timedelta(seconds=61))
    assert half_way(app, clerk).post("/login/second-factor", {"code": old}).status_code == 422


def test_guessing_codes_is_slowed(app: Flask) -> None:
    person = half_way(app, a_clerk())
    answers = [person.post("/login/second-factor", {"code": "000000"}).status_code for _try in range(6)]
    assert answers == [422] * 5 + [429]


def test_half_a_log_in_ends_after_ten_minutes(app: Flask, instance: Path) -> None:
    clerk = a_clerk()
    person = half_way(app, clerk)
    move_clock(instance, 601)
    answer = person.post("/login/second-factor", {"code": code_of(clerk)})
    assert (answer.status_code, answer.location) == (303, "/login")


def test_the_first_log_in_sets_the_factor_up_and_tells_ten_recovery_codes(app: Flask) -> None:
    clerk = a_student(is_staff=True)
    person = half_way(app, clerk)
    page = person.get("/login/second-factor/new")
    assert "<svg" in page.text and "style=" not in page.text
    secret = re.search(r'id="secret"[^>]*>([A-Z2-7]+)<', page.text)
    assert secret is not None
    assert person.post("/login/second-factor/new", {"code": "000000"}).status_code == 422
    told = person.post("/login/second-factor/new", {"code": second_factor.code_now(secret[1], clock.now())})
    codes = re.findall(r"<code[^>]*>([A-Z2-9-]{19})</code>", told.text)
    assert (told.status_code, len(set(codes))) == (200, 10)
    assert f"欢迎，{clerk.username}。" in told.text and "欢迎回来" not in told.text
    assert is_inside(person)
    db.session.rollback()
    stored = set(db.session.scalars(select(RecoveryCode.digest)))
    assert len(stored) == 10 and not stored & set(codes)
    # one on paper replaces one of the app, once, however it is typed
    typed = codes[3].lower().replace("-", " ")
    assert half_way(app, clerk).post("/login/second-factor", {"code": typed}).status_code == 303
    assert half_way(app, clerk).post("/login/second-factor", {"code": typed}).status_code == 422
    db.session.rollback()
    assert second_factor.codes_left(clerk.id) == 9


def test_a_factor_that_is_set_up_cannot_be_set_up_again(app: Flask) -> None:
    clerk = a_student(is_staff=True)
    tabs = [half_way(app, clerk), half_way(app, clerk)]
    codes = [tab.get("/login/second-factor/new").text.split('data-demo-code="')[1][:6] for tab in tabs]
    assert tabs[0].post("/login/second-factor/new", {"code": codes[0]}).status_code == 200
    assert tabs[1].post("/login/second-factor/new", {"code": codes[1]}).status_code == 422
    assert not is_inside(tabs[1])


def test_students_are_not_asked_for_a_code(app: Flask) -> None:
    assert is_inside(Person(app).sign_in(a_student().username))


def test_the_code_is_on_no_page_in_production(app: Flask, another_shop: object) -> None:
    """What the demo shows is the secret half of every staff log-in."""
    from dataclasses import replace

    from shop.blueprints.second_factor import _demo_code

    clerk = a_clerk()
    assert _demo_code(clerk.id) == code_of(clerk)
    demo = app.extensions["settings"]
    app.extensions["settings"] = replace(demo, env="production")
    try:
        assert _demo_code(clerk.id) == ""
    finally:
        app.extensions["settings"] = demo


# ---------------------------------------------------------------- shown again


def test_what_moves_rights_or_money_asks_again_after_ten_minutes(app: Flask, instance: Path) -> None:
    boss, other = a_clerk(StaffRole.ADMIN), a_clerk(StaffRole.SERVICE)
    person = Person(app).sign_in(boss.username)
    page, form = f"/staff/accounts/{other.id}", {"reason": "so", "roles": "1"}
    move_clock(instance, 601)
    answer = person.post(f"{page}/roles", form, headers={"Referer": f"http://localhost{page}"})
    assert (answer.status_code, answer.location) == (303, f"/staff/confirm?next={page}")
    assert roles_of(other.id) == [StaffRole.SERVICE]
    asked = person.follow(answer)
    assert "刚才的操作没有执行" in asked.text
    fields = {"code": code_of(boss), "next": page}
    assert person.post("/staff/confirm", {**fields, "password": "not the password"}).status_code == 422
    answer = person.post("/staff/confirm", {**fields, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, page)
    assert person.post(f"{page}/roles", form).status_code == 303
    assert roles_of(other.id) == [StaffRole.REGISTRY]


def test_prices_campaigns_files_and_jobs_ask_again_too_and_what_moves_no_money_does_not(
    app: Flask, instance: Path
) -> None:
    coupon, course = a_coupon(quantity=10), a_course(10_000)
    plan = plan_of(course)
    more = {"quantity": "10000000", "close_date": coupon.close_date.isoformat(), "reason": "so"}
    weighty = (
        (f"/staff/coupons/{coupon.id}/extension", more),
        (f"/staff/catalogue/plans/new?of={course.id}", {}),
        (f"/staff/catalogue/plans/{plan.id}", {}),
        ("/staff/catalogue/import/application", {}),
        ("/staff/system/jobs/remind_of_courses/runs", {}),
    )
    person = Person(app).sign_in(a_clerk(StaffRole.ADMIN, StaffRole.OPERATIONS).username)
    move_clock(instance, 601)
    for path, form in weighty:
        answer = person.post(path, form)
        assert (answer.status_code, answer.location) == (303, "/staff/confirm?next=/staff/"), path
    assert person.post(f"/staff/catalogue/courses/{course.id}", {}).status_code == 422
    db.session.rollback()
    assert db.session.get_one(Coupon, coupon.id, populate_existing=True).quantity == 10


def test_where_more_than_a_reason_is_typed_the_page_asks_before(app: Flask, instance: Path) -> None:
    """Asked when the form was sent, the list of names, the amount or the price was lost. Readers are not asked."""
    coupon, plan, student = a_coupon(quantity=10), plan_of(a_course(10_000)), a_student()
    pages = (
        "/staff/accounts/new",
        f"/staff/coupons/{coupon.id}/gifts",
        f"/staff/catalogue/plans/{plan.id}",
        f"/staff/catalogue/plans/new?of={plan.product_id}",
    )
    parts = {  # lists and sheets stay open; their long forms alone ask
        "/staff/gifts": 'name="beli"',
        f"/staff/accounts/{student.id}": 'name="roles"',
        f"/staff/coupons/{coupon.id}": 'name="quantity"',
        f"/staff/coupons/{coupon.id}/codes": 'name="count"',
        "/staff/rules": 'name="score"',
    }
    roles = (StaffRole.ADMIN, StaffRole.OPERATIONS, StaffRole.FINANCE, StaffRole.REGISTRY)
    person, reader = (Person(app).sign_in(a_clerk(*chosen).username) for chosen in (roles, (StaffRole.SERVICE,)))
    for path in pages:
        assert person.get(path).status_code == 200, path
    for path, control in parts.items():
        page = person.get(path).text
        assert control in page and "data-confirm" not in page, path
    move_clock(instance, 301)  # five minutes are left: not enough to fill in a form
    for path in pages:
        answer = person.get(path)
        assert (answer.status_code, answer.location) == (303, f"/staff/confirm?next={quote(path, safe='/?')}"), path
    for path, control in parts.items():
        page = person.get(path).text
        assert control not in page and "data-confirm>" in page, path
        assert f'href="/staff/confirm?next={path}"' in page, path
    assert reader.get(f"/staff/catalogue/plans/{plan.id}").status_code == 200
    again = person.post(f"/staff/coupons/{coupon.id}/extension", {"quantity": "0", "reason": "多一点"})
    assert (again.status_code, "多一点" in again.text) == (422, True), "what is sent in time is shown again"


def test_staff_sessions_end_after_half_an_hour_without_a_visit(app: Flask, instance: Path) -> None:
    person = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username)
    move_clock(instance, 29 * 60)
    assert person.get("/staff/accounts").status_code == 200
    move_clock(instance, 29 * 60 + 31 * 60)
    assert person.get("/staff/accounts").status_code == 303


def test_a_session_without_a_second_factor_opens_no_staff_page(app: Flask) -> None:
    """A changed password begins a new session: it has shown no code."""
    clerk = a_clerk(StaffRole.ADMIN)
    person = Person(app).sign_in(clerk.username)
    new = "another long passphrase"
    assert person.post("/account/password", {"current": PASSWORD, "new": new, "again": new}).status_code == 303
    answer = person.get("/staff/accounts")
    assert (answer.status_code, answer.location) == (303, "/staff/confirm?next=/staff/accounts")
    person.follow(answer)
    move = {"password": new, "code": second_factor.code_now(secret_of(clerk), clock.now() + timedelta(seconds=30))}
    assert person.post("/staff/confirm", move).status_code == 303
    assert person.get("/staff/accounts").status_code == 200


# ---------------------------------------------------------------- roles and accounts


def test_a_role_withdrawn_while_a_page_is_open_refuses_the_next_post(app: Flask) -> None:
    """F66."""
    boss, clerk, third = a_clerk(StaffRole.ADMIN), a_clerk(StaffRole.ADMIN), a_student()
    person = Person(app).sign_in(clerk.username)
    assert person.get(f"/staff/accounts/{third.id}").status_code == 200
    accounts.set_roles(clerk.id, [StaffRole.SERVICE], actor=Actor(boss.username, boss.id), reason="so")
    answer = person.post(f"/staff/accounts/{third.id}/disabling", {"reason": "so"})
    assert answer.status_code == 403
    db.session.rollback()
    assert db.session.get_one(Account, third.id).is_active


def test_a_service_asks_for_the_right_again_in_its_transaction(app: Flask) -> None:
    """Between the door and the deed a role may go."""
    from shop.errors import StaffOnly

    clerk, third = a_clerk(StaffRole.SERVICE), a_student()
    actor = Actor(clerk.username, clerk.id)
    for change in (accounts.disable, accounts.enable, accounts.end_sessions, accounts.password_link):
        with pytest.raises(StaffOnly):
            change(third.id, actor=actor, reason="so")
    with pytest.raises(StaffOnly):
        accounts.set_roles(third.id, [StaffRole.ADMIN], actor=actor, reason="so")
    with pytest.raises(StaffOnly):
        accounts.create("newcomer", [StaffRole.ADMIN], actor=actor, reason="so")
    assert roles_of(third.id) == []


def test_disabling_ends_every_session_at_once(app: Flask) -> None:
    """F65: while logged in."""
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student()
    person = Person(app).sign_in(student.username)
    assert boss.post(f"/staff/accounts/{student.id}/disabling", {"reason": "so"}).status_code == 303
    assert not is_inside(person)
    answer = person.post("/login", {"username": student.username, "password": PASSWORD})
    assert answer.status_code == 422
    assert boss.post(f"/staff/accounts/{student.id}/enabling", {"reason": "so"}).status_code == 303
    assert is_inside(Person(app).sign_in(student.username))


def test_logged_out_in_one_tab_the_other_tab_does_nothing(app: Flask) -> None:
    """F64."""
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student()
    boss.get(f"/staff/accounts/{student.id}")
    token = boss._token
    boss.post("/logout")
    boss._token = token
    answer = boss.post(f"/staff/accounts/{student.id}/disabling", {"reason": "so"})
    assert answer.status_code in (303, 400)
    db.session.rollback()
    assert db.session.get_one(Account, student.id).is_active


def test_becoming_staff_ends_the_longer_sessions_of_before(app: Flask) -> None:
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student()
    person = Person(app).sign_in(student.username)
    assert boss.post(f"/staff/accounts/{student.id}/roles", {"roles": "0", "reason": "so"}).status_code == 303
    assert not is_inside(person)
    half_way(app, student)
    assert boss.post(f"/staff/accounts/{student.id}/roles", {"reason": "so"}).status_code == 303
    assert is_inside(Person(app).sign_in(student.username))


def test_the_own_page_tells_what_one_works_at(app: Flask) -> None:
    clerk = Person(app).sign_in(a_clerk(StaffRole.SERVICE, StaffRole.REGISTRY).username)
    assert "员工 · 教务、客服" in clerk.get("/account").text
    assert "<dd>学员</dd>" in Person(app).sign_in(a_student().username).get("/account").text


def test_nobody_decides_about_their_own_account(app: Flask) -> None:
    clerk = a_clerk(StaffRole.ADMIN)
    a_clerk(StaffRole.ADMIN)
    person = Person(app).sign_in(clerk.username)
    for verb in ("roles", "disabling", "enabling", "sessions/ending", "second-factor/delete", "password-link"):
        answer = person.post(f"/staff/accounts/{clerk.id}/{verb}", {"reason": "so", "roles": "2"})
        assert answer.status_code == 409, verb
    assert roles_of(clerk.id) == [StaffRole.ADMIN]
    assert is_inside(person)


def test_the_last_administrator_stays_one(app: Flask) -> None:
    boss, gone = a_clerk(StaffRole.ADMIN), a_clerk(StaffRole.ADMIN, is_active=False)
    actor = Actor(boss.username, boss.id)
    accounts.set_roles(gone.id, [], actor=actor, reason="has left")  # was one by name only
    other = a_clerk(StaffRole.ADMIN)
    accounts.disable(other.id, actor=actor, reason="so")
    with unit_of_work() as session:  # as if the one who asks had no role of their own any more
        session.get_one(Account, other.id).is_active = True
        session.get_one(Account, boss.id).is_active = False
    with pytest.raises(Exception, match="StaffOnly"):
        accounts.disable(other.id, actor=actor, reason="so")


def test_a_new_colleague_chooses_the_password_and_the_factor(app: Flask) -> None:
    boss = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username)
    fields = {"username": "robin", "kind": "0", "roles": ["1", "3"], "reason": "begins today"}
    assert 'href="/staff/accounts/new"' in boss.get("/staff/accounts").text.split("<table")[0]
    assert "财务：审核退款和提现" in boss.get("/staff/accounts/new").text
    page = boss.post("/staff/accounts", fields)
    assert "账户「robin」已创建。" in page.text
    assert 'href="/staff/accounts?kind=1&amp;username=robin"' in page.text
    link = re.search(r'id="password-link"[^>]*>http://[^/]+(/password/reset/[^<]+)<', page.text)
    assert page.status_code == 200 and link is not None
    newcomer = Person(app)
    assert newcomer.post("/login", {"username": "robin", "password": "!"}).status_code == 422
    newcomer.get(link[1])
    assert newcomer.post(link[1], {"new": PASSWORD, "again": PASSWORD}).status_code == 303
    account = db.session.scalars(select(Account).where(Account.username == "robin")).one()
    assert roles_of(account.id) == [StaffRole.REGISTRY, StaffRole.SERVICE]
    assert is_inside(Person(app).sign_in("robin"))
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "account create")).one()
    assert (row.after, row.reason) == ({"roles": ["REGISTRY", "SERVICE"], "role": 3}, "begins today")
    assert "已创建" not in boss.get(f"/staff/accounts/{account.id}").text
    mentor = boss.post("/staff/accounts", {**fields, "username": "brook", "kind": "1", "roles": []})
    listed = re.search(r'id="created".*?href="([^"]+)"', mentor.text)
    assert listed is not None
    assert ">brook</a>" in boss.get(listed[1].replace("&amp;", "&")).text
    again = boss.post("/staff/accounts", fields)
    assert (again.status_code, "已经有人用了" in again.text) == (422, True)


def test_a_factor_is_dropped_by_another_administrator_alone(app: Flask) -> None:
    """Asked in the transaction itself: the right may have ended since the page was let through (F66)."""
    boss, service, clerk = a_clerk(StaffRole.ADMIN), a_clerk(StaffRole.SERVICE), a_clerk()
    with pytest.raises(StaffOnly):
        second_factor.drop(clerk.id, actor=Actor(service.username, service.id), reason="so")
    with pytest.raises(NotYourself):
        second_factor.drop(boss.id, actor=Actor(boss.username, boss.id), reason="so")
    assert second_factor.has_one(clerk.id) and second_factor.has_one(boss.id)
    second_factor.drop(clerk.id, actor=Actor("command line"), reason="so")
    assert not second_factor.has_one(clerk.id)


def test_lost_phone_and_paper_are_forgotten_by_somebody_else(app: Flask) -> None:
    boss, clerk = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_clerk(StaffRole.SERVICE)
    inside = Person(app).sign_in(clerk.username)
    assert boss.post(f"/staff/accounts/{clerk.id}/second-factor/delete", {"reason": "lost"}).status_code == 303
    assert not is_inside(inside)
    answer = Person(app).post("/login", {"username": clerk.username, "password": PASSWORD})
    assert answer.location == "/login/second-factor/new"
    db.session.rollback()
    told = db.session.scalars(select(Notification.content).where(Notification.account_id == clerk.id)).one()
    assert "清除了您的两步验证" in told


def test_a_link_for_a_password_goes_to_the_owner_alone(app: Flask) -> None:
    """By a link that is shown an administrator could log in as anybody."""
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student()
    answer = boss.post(f"/staff/accounts/{student.id}/password-link", {"reason": "forgotten"})
    assert answer.status_code == 303
    assert "/password/reset/" not in boss.follow(answer).text
    db.session.rollback()
    letter = db.session.scalars(select(Mail).where(Mail.account_id == student.id)).one()
    assert (letter.address, "/password/reset/" in letter.body) == (student.email, True)
    told = db.session.scalars(select(Notification.content).where(Notification.account_id == student.id)).one()
    assert "重设密码的邮件" in told
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "account password link")).one()
    assert (row.subject_id, row.reason) == (student.id, "forgotten")


def test_without_an_address_an_account_with_a_password_gets_no_link(app: Flask) -> None:
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student(email=None)
    answer = boss.post(f"/staff/accounts/{student.id}/password-link", {"reason": "forgotten"})
    assert (answer.status_code, "链接只能发给本人" in answer.text) == (409, True)
    assert "/password/reset/" not in answer.text
    db.session.rollback()
    assert db.session.scalars(select(PasswordReset)).all() == []


def test_an_account_without_a_password_is_shown_its_link_again(app: Flask) -> None:
    boss = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username)
    newcomer = a_student(password=accounts.NOT_A_PASSWORD, email=None)
    answer = boss.post(f"/staff/accounts/{newcomer.id}/password-link", {"reason": "lost"})
    assert (answer.status_code, "/password/reset/" in answer.text) == (200, True)


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: repr(bad[:8]))
def test_hostile_values_are_refused_in_words(app: Flask, bad: str) -> None:
    boss, student = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username), a_student()
    sent = bad.encode("utf-8", "surrogatepass")
    good = {"username": "newcomer", "kind": "0", "roles": "0", "reason": "so"}
    people = db.session.scalar(select(func.count()).select_from(Account))
    for name in good:
        if name == "reason" and bad not in ("", "\x00", "x" * 10_000):
            continue  # any words are a reason
        if name == "username" and re.fullmatch(r"[\w]{2,32}", bad):
            continue
        answer = boss.post("/staff/accounts", {**good, name: sent})
        assert answer.status_code == 422, name
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Account)) == people
    assert boss.post(f"/staff/accounts/{student.id}/roles", {"roles": sent, "reason": "so"}).status_code == 422
    assert boss.get("/staff/accounts", query_string={"after": sent}).status_code == (404 if bad else 200)
    assert boss.get("/staff/accounts", query_string={"username": sent, "kind": "0"}).status_code in (200, 422)


def listed(answer: TestResponse) -> list[int]:
    return [int(number) for number in re.findall(r'data-account="(\d+)"', answer.text)]


def test_the_list_pages_both_ways_and_filters(app: Flask) -> None:
    boss = Person(app).sign_in(a_clerk(StaffRole.ADMIN, username="boss").username)
    ids = [a_student(username=f"zz_{number:03}").id for number in range(60)]
    page = boss.get("/staff/accounts?kind=0&username=zz_")
    assert listed(page) == ids[:-51:-1]
    older = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert older is not None
    page = boss.get(older[1].replace("&amp;", "&"))
    assert listed(page) == ids[9::-1]
    newer = re.search(r'rel="prev" href="([^"]+)"', page.text)
    assert newer is not None
    assert listed(boss.get(newer[1].replace("&amp;", "&"))) == ids[:-51:-1]
    assert listed(boss.get("/staff/accounts?kind=0&username=zz%25")) == []
    assert len(listed(boss.get("/staff/accounts"))) == 1
