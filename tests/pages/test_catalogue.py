from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from flask import Flask

from shop.enums import CourseType, Level, ProductStatus
from shop.extensions import db
from shop.gateways import page_cache
from shop.models import CouponRecord, Course, Homework, OftenAskedQuestion, Scholarship, Teacher
from shop.services import catalogue
from shop.services.catalogue_views import CourseView
from shop.web import fragments
from tests.builders import a_coupon, a_course, a_degree, a_student
from tests.person import Person
from tests.purchases import a_category, enrolled, enrolled_in_degree, off_sale, saved, today
from tests.statements import counted

# ---------------------------------------------------------------- home


def test_home_shows_degrees_courses_by_category_and_coupons_to_claim(person: Person) -> None:
    a_course(9_900, 19_900, name="Python 入门", sub_category_id=a_category("Python").id)
    a_degree(880_000, name="全栈工程师", period=150, total_scholarship=40_000)
    a_coupon(name="开学立减", quantity=10)
    page = person.get("/").text
    for shown in (
        "Python 入门",
        "99.00",
        "全栈工程师",
        "5 个月",
        "2 个模块",
        "40000",
        "8800.00",
        "开学立减",
        "剩 10 张",
    ):
        assert shown in page


def test_home_shows_at_most_four_courses_of_a_category(app: Flask) -> None:
    shelf = a_category()
    for _ in range(6):
        a_course(sub_category_id=shelf.id)
    assert [len(one.courses) for one in catalogue.home(today()).shelves] == [4]


def test_home_begins_with_what_a_student_can_go_on_with(person: Person) -> None:
    student = a_student(username="luffy")
    enrolled(student, a_course(name="已经买下的课"))
    enrolled(student, a_course(name="退掉的课"), closed_time=student.date_joined)
    enrolled_in_degree(student, a_degree(name="还没开始的学位"))
    page = person.sign_in("luffy").get("/").text
    before_the_hero = page.split("hero")[0]
    assert "已经买下的课" in before_the_hero
    assert "还没开始的学位" in before_the_hero
    assert "退掉的课" not in before_the_hero


def test_modules_and_courses_off_sale_stand_in_no_list(person: Person) -> None:
    a_degree(name="学位甲")
    off_sale(a_course(name="下架的课"))
    for address in ("/", "/courses", "/courses?q=课"):
        page = person.get(address).text
        assert "下架的课" not in page
        assert "模块1" not in page


# ---------------------------------------------------------------- the list


def test_list_filters_by_category_and_level(person: Person) -> None:
    python = a_category("Python")
    a_course(name="甲课", sub_category_id=python.id, level=Level.BEGINNER)
    a_course(name="乙课", sub_category_id=python.id, level=Level.ADVANCED)
    a_course(name="丙课", level=Level.BEGINNER, sub_category_id=a_category().id)
    page = person.get(f"/courses?category={python.category_id}&level=0").text
    assert "甲课" in page
    assert "乙课" not in page
    assert "丙课" not in page


@pytest.mark.parametrize("q", ["装饰器", "大秘宝", "雷利"], ids=["name", "brief", "teacher"])
def test_search_looks_at_name_brief_and_teacher(person: Person, q: str) -> None:
    a_course(name="装饰器专题", brief="找到大秘宝", teachers=[Teacher(name="雷利", title="讲师")])
    a_course(name="别的课")
    page = person.get(f"/courses?q={q}").text
    assert "装饰器专题" in page
    assert "别的课" not in page


def test_search_finds_degrees_too(person: Person) -> None:
    a_degree(name="数据分析师")
    assert "数据分析师" in person.get("/courses?q=数据").text


@pytest.mark.parametrize("q", ["%", "_", "100%", "\\", "'"])
def test_search_takes_wildcards_as_they_stand(person: Person, q: str) -> None:
    a_course(name="甲课")
    saved(a_course(name=f"乙{q}课"))
    page = person.get("/courses", query_string={"q": q}).text
    assert "/courses?q=" not in page.split("grid")[-1]
    assert "甲课" not in page
    assert "乙" in page


@pytest.mark.parametrize("q", ["\x00", "a\x00b", "\ud800", "🙂" * 300, "<script>alert(1)</script>"])
def test_search_survives_hostile_words(person: Person, q: str) -> None:
    answer = person.get("/courses", query_string={"q": q.encode("utf-8", "surrogatepass")})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_list_has_pages_and_keeps_the_filters(person: Person) -> None:
    shelf = a_category()
    for _ in range(catalogue.COURSES_PER_PAGE + 1):
        a_course(sub_category_id=shelf.id)
    address = f"/courses?category={shelf.category_id}"
    assert person.get(address).text.count("course-card") == catalogue.COURSES_PER_PAGE
    second = person.get(f"{address}&page=2").text
    assert second.count("course-card") == 1
    assert f"category={shelf.category_id}" in second.split("pagination")[1]


@pytest.mark.parametrize(
    "query",
    [
        *("page=2", "page=0", "page=-1", "page=abc", "page=99999999999999999999", "page=１"),
        *("level=9", "level=x", "category=999", "category=x", "category=99999999999"),
    ],
)
def test_list_that_does_not_exist_is_404(person: Person, query: str) -> None:
    a_course()
    assert person.get(f"/courses?{query}").status_code == 404


def test_empty_filters_ask_for_nothing(person: Person) -> None:
    a_course(name="甲课")
    assert "甲课" in person.get("/courses?category=&level=&q=&page=").text


# ---------------------------------------------------------------- a course


def test_course_page_offers_every_plan_with_its_price_per_day(person: Person) -> None:
    course = a_course(9_900, 19_999)
    page = person.get(f"/courses/{course.id}")
    for shown in ("1个月", "99.00", "每天 3.30 元", "2个月", "199.99", "每天 3.34 元"):
        assert shown in page.text
    form = person.form(page, "buy")
    assert form["product"] == str(course.id)
    assert form["policy"] == str(course.policies[0].id)
    assert form["csrf_token"]
    assert 'formaction="/settlement"' in page.text


def test_course_page_links_free_lessons_and_no_others(person: Person) -> None:
    course = a_course()
    free, paid = course.chapters[0].sections
    page = person.get(f"/courses/{course.id}").text
    assert f"/learning/sections/{free.id}" in page
    assert "可试看" in page
    assert paid.name in page
    assert f"/learning/sections/{paid.id}" not in page


def test_course_page_shows_teachers_questions_and_what_to_learn_next(person: Person) -> None:
    course = a_course(
        teachers=[Teacher(name="雷利", title="副船长")],
        questions=[OftenAskedQuestion(question="要什么基础？", answer="不需要。")],
        recommended=[a_course(name="下一门课"), off_sale(a_course(name="不再卖的课"))],
    )
    page = person.get(f"/courses/{course.id}").text
    for shown in ("雷利", "副船长", "要什么基础？", "不需要。", "下一门课", "7 天内可以申请退款"):
        assert shown in page
    assert "不再卖的课" not in page


def test_course_page_says_what_each_coupon_saves_on_the_cheapest_plan_that_it_fits(app: Flask) -> None:
    course = a_course(59_900, 99_900)
    flat = a_coupon(course, flat=4_000)
    percent = a_coupon(percent=79)
    threshold = a_coupon(flat=20_000, above=60_000)
    out_of_reach = a_coupon(flat=20_000, above=100_000)
    a_coupon(a_course())
    view = catalogue.course(course.id, today())
    assert isinstance(view, CourseView)
    assert [(offer.ticket.coupon_id, offer.saves_fen, offer.missing_fen) for offer in view.offers] == [
        (threshold.id, 20_000, 0),  # on the second plan: the first does not reach the minimum
        (percent.id, 12_579, 0),
        (flat.id, 4_000, 0),
        (out_of_reach.id, 0, 100),  # of the dearest plan
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"is_public": False},
        {"enabled": False},
        {"quantity": 1, "claimed": 1},
        {"open_date": today() + timedelta(days=1), "close_date": today() + timedelta(days=2)},
        {"open_date": today() - timedelta(days=2), "close_date": today() - timedelta(days=1)},
    ],
    ids=["by code", "disabled", "none left", "not yet", "over"],
)
def test_coupons_that_cannot_be_claimed_are_not_offered(app: Flask, values: dict) -> None:
    course = a_course()
    a_coupon(**values)
    view = catalogue.course(course.id, today())
    assert isinstance(view, CourseView)
    assert view.offers == ()
    assert catalogue.home(today()).offers == ()


def test_coupon_is_claimed_on_the_course_page_and_marked_there(person: Person) -> None:
    course, coupon = a_course(), a_coupon(name="开学立减", flat=5_000)
    student = a_student(username="luffy")
    page = person.sign_in("luffy").get(f"/courses/{course.id}")
    assert "1个月方案可省 50.00 元" in page.text
    assert f'formaction="/coupons/{coupon.id}/claims"' in page.text
    claimed = person.follow(person.post(f"/coupons/{coupon.id}/claims", person.form(page, "claim")))
    assert claimed.request.path == f"/courses/{course.id}"
    assert "已领取" in claimed.text
    assert f'formaction="/coupons/{coupon.id}/claims"' not in claimed.text
    db.session.rollback()  # look at what is stored now
    assert db.session.query(CouponRecord).filter_by(account_id=student.id).count() == 1


def test_course_says_until_when_its_owner_has_it(person: Person) -> None:
    course = a_course()
    enrolled(a_student(username="luffy"), course)
    assert "您已拥有这门课" not in person.get(f"/courses/{course.id}").text
    assert "您已拥有这门课" in person.sign_in("luffy").get(f"/courses/{course.id}").text


@pytest.mark.parametrize(
    ("status", "words"),
    [(ProductStatus.OFF_SALE, "已经下架"), (ProductStatus.COMING, "即将上线")],
    ids=["off sale", "coming"],
)
def test_course_that_is_not_on_sale_says_so_and_cannot_be_bought(
    person: Person, status: ProductStatus, words: str
) -> None:
    course, degree = off_sale(a_course(), status), off_sale(a_degree(), status)
    for address in (f"/courses/{course.id}", f"/degrees/{degree.id}"):
        page = person.get(address)
        assert page.status_code == 200
        assert words in page.text
        assert 'id="buy"' not in page.text
        assert "formaction" not in page.text


def test_course_without_a_plan_says_so_and_cannot_be_bought(person: Person) -> None:
    page = person.get(f"/courses/{_without_plan(a_course()).id}").text
    assert "还没有定价" in page
    assert 'id="buy"' not in page


def _without_plan(course: Course) -> Course:
    course.policies = []
    return saved(course)


def test_vip_course_with_a_plan_is_sold_like_any_other(person: Person) -> None:
    course = a_course(course_type=CourseType.VIP)
    assert 'id="buy"' in person.get(f"/courses/{course.id}").text


def test_free_plan_is_called_free(person: Person) -> None:
    page = person.get(f"/courses/{a_course(0).id}").text
    assert "免费" in page
    assert 'id="buy"' in page


def test_module_leads_to_its_degree(person: Person) -> None:
    degree = a_degree()
    answer = person.get(f"/courses/{degree.modules[0].id}")
    assert (answer.status_code, answer.location) == (302, f"/degrees/{degree.id}")


@pytest.mark.parametrize(
    "address", ["/courses/999", "/degrees/999", "/courses/0", "/courses/99999999999", "/courses/x"]
)
def test_product_that_does_not_exist_is_404(person: Person, address: str) -> None:
    assert person.get(address).status_code == 404


def test_course_and_degree_pages_are_not_mistaken_for_each_other(person: Person) -> None:
    assert person.get(f"/degrees/{a_course().id}").status_code == 404
    assert person.get(f"/courses/{a_degree().id}").status_code == 404


# ---------------------------------------------------------------- a degree


def test_degree_page_shows_modules_scholarship_mentor_service_and_its_plan(person: Person) -> None:
    tiers = [Scholarship(time_percent=50, value=5000), Scholarship(time_percent=80, value=2000)]
    degree = a_degree(880_000, name="全栈工程师", modules=3, period=150, scholarships=tiers)
    saved(Homework(chapter_id=degree.modules[0].chapters[0].id, title="练习", scholarship_value=120))
    page = person.get(f"/degrees/{degree.id}").text
    for shown in ("全栈工程师 模块2", "1 份作业", "120", "50%", "75 天以内", "5000", "导师一对一", "24个月", "8800.00"):
        assert shown in page
    assert 'formaction="/settlement"' in page


def test_degree_page_leads_its_student_to_the_degree_instead_of_selling_it_again(person: Person) -> None:
    degree = a_degree()
    enrolment = enrolled_in_degree(a_student(username="luffy"), degree)
    page = person.sign_in("luffy").get(f"/degrees/{degree.id}").text
    assert f"/learning/degrees/{enrolment.id}" in page
    assert 'id="buy"' not in page


# ---------------------------------------------------------------- covers


def test_cover_is_a_picture_that_browsers_may_keep(person: Person) -> None:
    course = a_course(name="Python 入门")
    answer = person.get(f"/covers/{course.id}.svg")
    assert answer.mimetype == "image/svg+xml"
    assert "Python" in answer.text
    assert answer.cache_control.max_age == 3600
    again = person.get(f"/covers/{course.id}.svg", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert person.get(f"/covers/{a_degree().id}.svg").status_code == 200
    assert person.get("/covers/999.svg").status_code == 404


# ---------------------------------------------------------------- kept pages


def _addresses() -> list[str]:
    shelf = a_category("Python")
    course = a_course(
        sub_category_id=shelf.id, teachers=[Teacher(name="雷利", title="副船长")], recommended=[a_course()]
    )
    degree = a_degree(modules=4)
    a_coupon(course)
    a_coupon()
    return ["/", "/courses", f"/courses?category={shelf.category_id}", f"/courses/{course.id}", f"/degrees/{degree.id}"]


def test_visitor_is_served_from_kept_pages_without_a_statement(person: Person) -> None:
    for address in _addresses():
        person.get(address)
        with counted() as sent:
            assert person.get(address).status_code == 200
        assert sent == [], address


def test_logged_in_reader_costs_at_most_three_statements(person: Person) -> None:
    a_student(username="luffy")
    addresses = _addresses()
    person.sign_in("luffy")
    for address in addresses:
        person.get(address)
        with counted() as sent:
            person.get(address)
        assert len(sent) <= 3, (address, sent)


def test_rendering_a_page_takes_as_many_statements_for_a_big_catalogue_as_for_a_small_one(person: Person) -> None:
    addresses = _addresses()
    small = [_statements_of(person, address) for address in addresses]
    shelf = a_category("Python 2")
    for _ in range(8):
        a_course(sub_category_id=shelf.id)
        a_coupon()
    page_cache.forget_all()
    assert [_statements_of(person, address) for address in addresses] == small
    assert max(small) <= 12


def _statements_of(person: Person, address: str) -> int:
    with counted() as sent:
        assert person.get(address).status_code == 200
    return len(sent)


def test_change_of_the_catalogue_is_seen_at_once(person: Person) -> None:
    course = a_course(name="旧名字")
    assert "旧名字" in person.get(f"/courses/{course.id}").text
    course.name = "新名字"
    saved(course)
    assert "旧名字" in person.get(f"/courses/{course.id}").text  # kept
    page_cache.forget_all()
    assert "新名字" in person.get(f"/courses/{course.id}").text


def test_page_rendered_while_the_catalogue_changes_is_not_kept(app: Flask) -> None:
    def render_old() -> dict[str, str]:
        page_cache.forget_all()  # somebody imports just now
        return {"body": "old"}

    with app.test_request_context("/"):
        fragments.shared("home", render_old)
        assert fragments.shared("home", lambda: {"body": "new"}) == {"body": "new"}


def test_kept_pages_hold_nothing_of_a_person(person: Person, redis_client: redis.Redis) -> None:
    addresses = _addresses()
    a_student(username="luffy")
    person.sign_in("luffy")
    for address in addresses:
        person.get(address)
    keys = list(redis_client.scan_iter("{catalogue}:page:*"))
    assert len(keys) == len(addresses)
    for key in keys:
        kept = str(redis_client.get(key))
        assert "luffy" not in kept
        assert "csrf_token" not in kept
        assert 0 < int(str(redis_client.ttl(key))) <= page_cache.SECONDS


@pytest.mark.parametrize("garbage", ["", "x", "0\n{", "0\n[1]", b"\xff\xfe"])
def test_garbage_in_redis_counts_as_nothing(
    app: Flask, person: Person, redis_client: redis.Redis, garbage: str | bytes
) -> None:
    a_course(name="甲课")
    person.get("/courses")
    (key,) = redis_client.scan_iter("{catalogue}:page:*")
    redis_client.set(key, garbage)
    app.extensions["catalogue_pages"].clear()
    assert "甲课" in person.get("/courses").text
    redis_client.delete(key)
    redis_client.hset(key, "a", "b")
    app.extensions["catalogue_pages"].clear()
    assert "甲课" in person.get("/courses").text


def test_busy_page_asks_redis_once_a_second(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    with app.test_request_context("/"):
        fragments.shared("home", lambda: {"body": "kept"})
        fragments.shared("home", lambda: {"body": "never"})
        client = app.extensions["redis"]
        monkeypatch.setattr(client, "mget", lambda *keys: asked.append(keys) or [None, None])
        assert fragments.shared("home", lambda: {"body": "never"}) == {"body": "kept"}
        assert asked == []
        monkeypatch.setattr(page_cache, "MEMORY_SECONDS", 0)
        app.extensions["catalogue_pages"].clear()
        assert fragments.shared("home", lambda: {"body": "new"}) == {"body": "new"}
        assert len(asked) == 1


def test_each_language_has_its_own_kept_page(person: Person) -> None:
    course = a_course()
    person.get(f"/courses/{course.id}")
    english = person.get(f"/courses/{course.id}", headers={"Accept-Language": "en"}).text
    assert 'lang="en"' in english
    assert 'lang="zh-CN"' in person.get(f"/courses/{course.id}").text


def test_catalogue_reads_without_redis(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = _addresses()
    dead = redis.Redis(host="127.0.0.1", port=1, retry=None)
    monkeypatch.setitem(app.extensions, "redis", dead)
    visitor = Person(app)
    for address in addresses:
        answer = visitor.get(address)
        assert answer.status_code == 200
        assert "html" in answer.text
