from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from shop.extensions import db
from shop.models import Course, CourseSection, DegreeRegistrationForm
from shop.web.markdown import to_html
from shop.web.video import playable
from tests.builders import a_course, a_degree, a_student
from tests.person import Person
from tests.purchases import enrolled, enrolled_in_degree, saved

ANSWERS = {
    "current_company": "草帽海贼团",
    "current_position": "船长",
    "current_salary": "",
    "work_experience": "2",
    "study_plan": "1",
    "why_take_this_course": "想学\r\n想用",
    "why_choose_us": "听说好",
    "your_expectation": "能用",
    "stu_specified_mentor": "",
    "memo": "",
    "open_module": "y",
}


@pytest.fixture
def luffy(person: Person) -> Person:
    """A student in a browser, logged in; the account's id is 'luffy'."""
    a_student(username="luffy")
    return person.sign_in("luffy")


def _account() -> Any:
    from shop.models import Account

    return db.session.query(Account).filter_by(username="luffy").one()


def _lessons(course: Course) -> tuple[CourseSection, CourseSection]:
    free, paid = course.chapters[0].sections
    return free, paid


# ---------------------------------------------------------------- lessons


def test_visitor_reads_a_free_lesson_and_is_shown_where_the_course_is_sold(person: Person) -> None:
    course = a_course()
    free, paid = _lessons(course)
    page = person.get(f"/learning/sections/{free.id}")
    assert page.status_code == 200
    assert "<h2>试看</h2>" in page.text
    assert f'href="/courses/{course.id}"' in page.text
    assert f"/learning/sections/{paid.id}" not in page.text


def test_visitor_is_asked_to_log_in_for_any_other_lesson(person: Person) -> None:
    _free, paid = _lessons(a_course())
    answer = person.get(f"/learning/sections/{paid.id}")
    assert (answer.status_code, answer.location) == (303, f"/login?next=/learning/sections/{paid.id}")


def test_student_without_the_course_gets_403_with_the_way_to_buy_it(luffy: Person) -> None:
    course = a_course(name="没买的课")
    _free, paid = _lessons(course)
    for address in (f"/learning/sections/{paid.id}", f"/learning/courses/{course.id}"):
        page = luffy.get(address)
        assert page.status_code == 403
        assert "没买的课" in page.text
        assert f'href="/courses/{course.id}"' in page.text


def test_module_without_a_right_gets_403_with_the_way_to_the_degree(luffy: Person) -> None:
    degree = a_degree()
    _free, paid = _lessons(degree.modules[0])
    page = luffy.get(f"/learning/sections/{paid.id}")
    assert page.status_code == 403
    assert f'href="/degrees/{degree.id}"' in page.text


def test_student_reads_what_was_bought(luffy: Person) -> None:
    course = a_course(name="买下的课")
    enrolment = enrolled(_account(), course)
    free, paid = _lessons(course)
    index = luffy.get("/learning").text
    assert "买下的课" in index
    assert f"/orders/{enrolment.order_detail.order.order_number}" in index
    outline = luffy.get(f"/learning/courses/{course.id}").text
    assert f"/learning/sections/{paid.id}" in outline
    page = luffy.get(f"/learning/sections/{paid.id}")
    assert page.status_code == 200
    assert "<h2>正课</h2>" in page.text
    assert f'rel="prev" href="/learning/sections/{free.id}"' in page.text


def test_course_that_is_over_shows_its_outline_shut_and_offers_to_buy_again(luffy: Person) -> None:
    course = a_course()
    enrolled(_account(), course, -60, -30)
    _free, paid = _lessons(course)
    outline = luffy.get(f"/learning/courses/{course.id}").text
    assert f"/learning/sections/{paid.id}" not in outline
    assert f'href="/courses/{course.id}"' in outline
    assert luffy.get(f"/learning/sections/{paid.id}").status_code == 403


@pytest.mark.parametrize("address", ["/learning/sections/999", "/learning/courses/999", "/learning/degrees/999"])
def test_what_does_not_exist_is_404(luffy: Person, address: str) -> None:
    assert luffy.get(address).status_code == 404


@pytest.mark.parametrize("address", ["/learning", "/learning/courses/1", "/learning/degrees/1"])
def test_own_pages_ask_visitors_to_log_in(person: Person, address: str) -> None:
    answer = person.get(address)
    assert (answer.status_code, answer.location) == (303, f"/login?next={address}")


def test_empty_shelf_says_what_to_do_next(luffy: Person) -> None:
    assert "还没有可以学习的课程" in luffy.get("/learning").text


# ---------------------------------------------------------------- what authors write


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("[x](javascript:alert(1))", "href"),
        ("[x](data:text/html;base64,xx)", "href"),
        ("![x](javascript:alert(1))", "javascript:alert(1)&quot; src"),
        ("```\n</code><script>1</script>\n```", "<script"),
        ('```x" onclick="y\ncode\n```', 'onclick="'),
        ("<svg onload=alert(1)>", "<svg"),
    ],
)
def test_lesson_text_cannot_carry_script(text: str, never: str) -> None:
    assert never not in to_html(text)


def test_lesson_text_keeps_what_authors_need() -> None:
    html = to_html(
        "# 一\n\n**粗** `x`\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n```python\nprint('<>')\n```\n\n[站外](https://a.example)"
    )
    for kept in ("<h2>一</h2>", "<strong>粗</strong>", "<td>1</td>", "print('&lt;&gt;')", 'rel="noopener noreferrer"'):
        assert kept in html


@pytest.mark.parametrize(
    ("link", "is_playable"),
    [
        ("/static/demo/welcome.mp4#t=2", True),
        ("https://media.example/a.mp4", True),
        ("https://media.example.evil.example/a.mp4", False),
        ("https://evil.example/a.mp4", False),
        ("http://media.example/a.mp4", False),
        ("//evil.example/a.mp4", False),
        ("///evil.example/a.mp4", False),
        ("/\\evil.example/a.mp4", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("a.mp4", False),
        ("", False),
    ],
)
def test_only_own_videos_and_those_of_allowed_origins_are_played(link: str, is_playable: bool) -> None:
    assert playable(link, ("https://media.example",)) == (link if is_playable else None)


def test_lesson_page_plays_its_video_or_says_that_it_cannot(person: Person) -> None:
    course = a_course()
    free, _paid = _lessons(course)
    free.section_link = "/static/demo/welcome.mp4"
    saved(free)
    assert '<video class="video"' in person.get(f"/learning/sections/{free.id}").text
    free.section_link = "https://evil.example/a.mp4"
    saved(free)
    page = person.get(f"/learning/sections/{free.id}").text
    assert "evil.example" not in page
    assert "暂时不能播放" in page


# ---------------------------------------------------------------- a degree


def _post(person: Person, enrolment_id: int, **changed: str) -> TestResponse:
    address = f"/degrees/enrolments/{enrolment_id}/registration"
    person.get(address)
    return person.post(address, ANSWERS | changed)


def test_degree_leads_to_the_form_and_the_form_opens_the_first_module(luffy: Person) -> None:
    degree = a_degree()
    enrolment_id = enrolled_in_degree(_account(), degree).id
    _free, paid = _lessons(degree.modules[0])
    form_address = f"/degrees/enrolments/{enrolment_id}/registration"
    for address in ("/learning", f"/learning/degrees/{enrolment_id}"):
        assert form_address in luffy.get(address).text
    assert luffy.get(f"/learning/sections/{paid.id}").status_code == 403
    page = luffy.follow(_post(luffy, enrolment_id))
    assert "报名表已提交" in page.text
    assert f"/learning/sections/{paid.id}" in page.text
    assert form_address not in page.text
    assert luffy.get(f"/learning/sections/{paid.id}").status_code == 200
    assert luffy.get(f"/learning/courses/{degree.modules[0].id}").status_code == 200
    db.session.rollback()
    form = db.session.query(DegreeRegistrationForm).one()
    assert (form.current_salary, form.stu_specified_mentor, form.memo) == (None, None, None)


def test_degree_of_somebody_else_does_not_exist(luffy: Person) -> None:
    enrolment_id = enrolled_in_degree(a_student(), a_degree()).id
    assert luffy.get(f"/learning/degrees/{enrolment_id}").status_code == 404
