"""The student's page of a homework, handing in with files, and who may have a file (safety.md 4 and 5)."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import Score, StaffRole
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission, StuFollowUpRecord, Upload
from shop.services import assignment, grading, leave, uploads
from shop.services.uploads import MEGABYTE, Incoming
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.degrees import STAFF, a_mentor, a_registered, a_studying, fresh, homework_in
from tests.pages.conftest import AnotherShop
from tests.person import Person
from tests.purchases import saved
from tests.services.test_homework import asked_back, handed_in
from tests.services.test_uploads import EXECUTABLE, HTML, PDF, PNG, SVG, a_zip
from tests.statements import counted

Row = TypeVar("Row")


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student(name="王小明")


@pytest.fixture
def enrolment(student: Account) -> EnrolledDegreeCourse:
    return a_studying(student)


@pytest.fixture
def page(enrolment: EnrolledDegreeCourse) -> str:
    return f"/learning/degrees/{enrolment.id}/homework/{homework_in(enrolment)[0]}"


@pytest.fixture
def reader(person: Person, student: Account) -> Person:
    return person.sign_in(student.username)


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def a_file(content: bytes = b"print(1)", name: str = "main.py", kind: str | None = None) -> Any:
    return (io.BytesIO(content), name, kind) if kind else (io.BytesIO(content), name)


def hand_in(person: Person, page: str, content: Any = "我的作业", *files: Any, **more: Any) -> TestResponse:
    fields = {"content": content, **more, **({"files": list(files)} if files else {})}
    answer = person.post(page, fields, content_type="multipart/form-data")
    answer.request.environ["wsgi.input"].close()  # the test client keeps a large body in a file of its own
    return answer


def rows() -> tuple[int, int, int]:
    db.session.rollback()
    return tuple(db.session.query(table).count() for table in (HomeworkRecord, HomeworkSubmission, Upload))  # type: ignore[return-value]


def only(table: type[Row]) -> Row:
    db.session.rollback()
    return db.session.query(table).one()


def mark(enrolment: EnrolledDegreeCourse, score: Score, comment: str = "改") -> None:
    db.session.rollback()
    waiting = db.session.query(HomeworkSubmission).filter_by(checked_time=None).one()
    grading.grade(fresh(enrolment).mentor_id or 0, waiting.id, score, comment, clock.now())


# ---------------------------------------------------------------- the page


def test_the_page_tells_the_task_and_takes_the_work(reader: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    answer = reader.get(page)
    shown = words(answer.text)
    for text in ("作业1", "写一个程序", "建议提交", "最多 100 贝里", "沈舟", "提交作业", "每个不超过 10 MB"):
        assert text in shown, text
    assert answer.text.count("<h1") == 1
    assert 'enctype="multipart/form-data"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "还没有" not in shown
    form = reader.form(answer, "hand-in")
    assert form.keys() == {"csrf_token", "files"}
    page_after = reader.follow(hand_in(reader, page, "思路：https://git.example/a?b=1&c=2，完成。", a_file()))
    shown = words(page_after.text)
    assert "第 1 次提交已收到" in shown
    assert "第 1 次提交，等待批改" in shown
    assert "48 小时内批改" in shown
    assert "main.py 8 B" in shown
    link = '<a href="https://git.example/a?b=1&amp;c=2" rel="noopener noreferrer nofollow">'
    assert link in page_after.text
    assert 'id="hand-in"' not in page_after.text
    assert rows() == (1, 1, 1)


def test_a_mark_and_its_comment_are_shown_and_the_work_may_come_again(
    reader: Person, page: str, enrolment: EnrolledDegreeCourse
) -> None:
    hand_in(reader, page, "第一稿")
    mark(enrolment, Score.COPY, "<b>雷同</b> 见 http://a.example/x.")
    shown = reader.get(page).text
    assert "没有通过，成绩 COPY" in shown
    assert "&lt;b&gt;雷同&lt;/b&gt;" in shown
    assert '<a href="http://a.example/x" rel' in shown
    assert 'id="hand-in"' in shown
    hand_in(reader, page, "第二稿")
    mark(enrolment, Score.A_PLUS, "")
    shown = words(reader.get(page).text)
    assert "已通过，成绩 A+" in shown
    assert "获得 105 贝里" in shown
    assert shown.index("第二稿") < shown.index("第一稿")
    assert 'id="hand-in"' not in reader.get(page).text
    answer = hand_in(reader, page, "第三稿")
    assert answer.status_code == 409
    assert "已经通过" in answer.text
    assert "第三稿</textarea>" in answer.text  # nothing that was written is lost
    assert_audit_clean()


def test_while_one_waits_a_second_is_refused_kindly(reader: Person, page: str) -> None:
    hand_in(reader, page)
    before = rows()
    answer = hand_in(reader, page, "再来一次 <script>", a_file())
    assert answer.status_code == 409
    assert "第 1 次提交正在等待批改" in answer.text
    assert "再来一次 &lt;script&gt;</textarea>" in answer.text
    assert rows() == before


def test_without_a_mentor_the_page_says_so(person: Person, student: Account) -> None:
    enrolment = a_registered(student)
    person.sign_in(student.username)
    page = f"/learning/degrees/{enrolment.id}/homework/{homework_in(enrolment)[0]}"
    assert "还没有导师。可以先提交" in person.get(page).text
    assert "还没有导师。作业已经收到" in person.follow(hand_in(person, page)).text


def test_late_is_said_in_words(reader: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    handed_in(enrolment, int(page.rpartition("/")[2]))
    assert "已晚于建议日期" not in reader.get(page).text
    db.session.query(HomeworkRecord).update({"date": clock.now() + timedelta(days=8)})
    db.session.commit()
    assert "已晚于建议日期" in reader.get(page).text


def test_during_a_leave_and_a_refund_the_work_rests(reader: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    leave.begin(enrolment.account_id, enrolment.id, "休息")
    shown = reader.get(page).text
    assert "休学中，复学以后再提交" in shown
    assert 'id="hand-in"' not in shown
    assert hand_in(reader, page).status_code == 409
    leave.end(fresh(enrolment).account_id, enrolment.id)
    asked_back(fresh(enrolment))
    shown = reader.get(page).text
    assert "退费处理中" in shown
    assert "写一个程序" not in shown  # nothing of the course is open meanwhile
    assert hand_in(reader, page).status_code == 409
    assert rows() == (0, 0, 0)


def test_other_peoples_homework_is_not_there(app: Flask, page: str, enrolment: EnrolledDegreeCourse) -> None:
    others = [a_student(), a_mentor(), db.session.get_one(Account, enrolment.mentor_id)]
    names = [account.username for account in others]
    for name in names:
        person = Person(app).sign_in(name)
        assert person.get(page).status_code == 404
        assert hand_in(person, page).status_code == 404
    visitor = Person(app)
    assert visitor.get(page).location.startswith("/login")
    assert hand_in(visitor, page).status_code == 303
    assert rows() == (0, 0, 0)


def test_a_locked_module_is_not_there(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    page = f"/learning/degrees/{enrolment.id}/homework/{homework_in(enrolment, 1)[0]}"
    assert reader.get(page).status_code == 404
    assert hand_in(reader, page).status_code == 404


def test_the_page_asks_little(reader: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    hand_in(reader, page, "作业", *[a_file() for _ in range(5)])
    reader.get(page)
    with counted() as sent:
        reader.get(page)
    assert len(sent) <= 5, "\n".join(sent)  # who, how it stands, hand-ins, files, what they earned


def test_in_english(person: Person, student: Account, page: str, enrolment: EnrolledDegreeCourse) -> None:
    person.sign_in(student.username)
    hand_in(person, page, "my work", a_file())
    mark(enrolment, Score.D, "see above")
    person.get(page)  # what was said in Chinese after the hand-in
    person.post("/language", {"language": "en", "next": page})
    shown = words(person.get(page).text)
    for ours in ("王小明", "沈舟", "作业1", "写一个程序", enrolment.degree_course.name):
        shown = shown.replace(ours, "")
    chinese = [word for word in re.findall(r"[一-鿿]+", shown) if word not in ("中文", "模块")]
    assert chinese == []
    assert "Not passed" in shown or "not passed" in shown.lower()


# ---------------------------------------------------------------- hostile fields


@pytest.mark.parametrize(
    "content",
    ["", "   ", "\r\n", "x" * 10_001, "a\x00b", "a\x1bb", ["a", "b"], None],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("is_multipart", [True, False], ids=["multipart", "urlencoded"])
def test_a_text_is_needed_and_kept_within_bounds(reader: Person, page: str, content: Any, is_multipart: bool) -> None:
    kind = {"content_type": "multipart/form-data"} if is_multipart else {}
    answer = reader.post(page, {} if content is None else {"content": content}, **kind)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="hand-in"' in answer.text
    assert rows() == (0, 0, 0)


@pytest.mark.parametrize(
    "content",
    [
        "x",
        "学" * 10_000,
        ("a\r\n" * 5_000)[:-2] + "b",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "\u202e",
    ],
)
def test_every_text_within_them_is_taken_as_it_is(reader: Person, page: str, content: str) -> None:
    assert hand_in(reader, page, content).status_code == 303
    assert only(HomeworkSubmission).content == content.replace("\r\n", "\n")


def test_a_text_that_is_no_utf8_is_no_500(reader: Person, page: str) -> None:
    answer = reader.client.post(
        page,
        data=b"content=%ff%fe%ed%a0%80&csrf_token=" + quote(reader._token).encode(),
        content_type="application/x-www-form-urlencoded",
    )
    assert answer.status_code in (303, 400, 422)


def test_a_file_in_place_of_the_text_is_a_missing_text(reader: Person, page: str) -> None:
    answer = reader.post(page, {"content": a_file()}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "请填写这一项" in answer.text


def test_file_names_without_their_files_are_not_taken_for_nothing(reader: Person, page: str) -> None:
    """As a form without its enctype sends them."""
    answer = reader.post(page, {"content": "作业", "files": "main.py"})
    assert answer.status_code == 422
    assert "没有收到文件" in answer.text
    assert rows() == (0, 0, 0)


# ---------------------------------------------------------------- files in


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (a_file(b"", "a.txt"), "空文件"),
        (a_file(HTML, "图.png", "image/png"), "图.png"),
        (a_file(SVG, "图.svg", "image/svg+xml"), "图.svg"),
        (a_file(SVG, "图.png", "image/png"), "图.png"),
        (a_file(EXECUTABLE, "setup.exe"), "setup.exe"),
        (a_file(EXECUTABLE, "作业.pdf", "application/pdf"), "作业.pdf"),
        (a_file(HTML + a_zip("a"), "a.zip", "application/zip"), "a.zip"),
        (a_file(b"x\x00y", "../../a\x00b.txt"), "ab.txt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_what_it_says_is_refused_on_the_form(reader: Person, page: str, file: Any, words: str) -> None:
    fresh_file = (io.BytesIO(file[0].getvalue()), *file[1:])
    answer = hand_in(reader, page, "写了很久的说明", a_file(), fresh_file)
    assert answer.status_code == 422
    assert f"「{words}" in answer.text or words in answer.text
    assert "写了很久的说明</textarea>" in answer.text
    assert "请重新选择" in answer.text
    assert rows() == (0, 0, 0)


def test_six_files_are_too_many(reader: Person, page: str) -> None:
    assert hand_in(reader, page, "作业", *[a_file() for _ in range(6)]).status_code == 422
    assert hand_in(reader, page, "作业", *[a_file() for _ in range(5)]).status_code == 303
    assert rows() == (1, 1, 5)


def test_no_file_chosen_is_no_file(reader: Person, page: str) -> None:
    """Browsers send an empty part without a name."""
    assert hand_in(reader, page, "作业", a_file(b"", "")).status_code == 303
    assert rows() == (1, 1, 0)


SHOWN = [
    ("../../etc/passwd", "passwd"),
    ("..\\..\\boot.ini", "boot.ini"),
    ("x" * 300 + ".py", "x" * 252 + ".py"),
    ("photo\u202egnp.py", "photognp.py"),
    ("a%0D%0AX-Evil: 1%22;b.py", "a%0D%0AX-Evil_ 1_;b.py"),  # as browsers send line ends and quotes
    ("page.html", "page.html.txt"),
]


@pytest.mark.parametrize(("sent", "name"), SHOWN, ids=[name[:20] for _sent, name in SHOWN])
def test_a_name_comes_back_clean(reader: Person, page: str, sent: str, name: str) -> None:
    assert hand_in(reader, page, "作业", a_file(b"text", sent)).status_code == 303
    row = only(Upload)
    answer = reader.get(f"/uploads/{row.id}")
    header = answer.headers["Content-Disposition"]
    assert row.name == name
    assert header.startswith("attachment; ")
    assert not re.search(r"[\r\n]", header)
    assert set(answer.headers.keys()).isdisjoint({"X-Evil"})


# ---------------------------------------------------------------- how much


def test_a_request_that_is_too_large_gets_our_own_page(another_shop: AnotherShop, student: Account, page: str) -> None:
    """A limit of 1 MB a file: 6 MB in all. A visitor may send no more than anywhere else."""
    shop = another_shop(upload_megabytes=1)
    person = Person(shop).sign_in(student.username)
    answer = hand_in(person, page, "作业", a_file(b"x" * (MEGABYTE + 1)))
    assert answer.status_code == 422
    assert "超过 1 MB" in answer.text
    answer = hand_in(person, page, "作业", *[a_file(b"x" * 2 * MEGABYTE) for _ in range(3)])
    assert answer.status_code == 413
    assert "提交的内容太大" in answer.text
    assert "什么都没有改变" in answer.text
    assert hand_in(person, page, "作业", a_file(b"x" * MEGABYTE)).status_code == 303
    assert only(Upload).size == MEGABYTE
    visitor = Person(shop)
    assert hand_in(visitor, page, "作业", a_file(b"x" * (MEGABYTE + 200_000))).status_code == 413
    assert hand_in(person, "/settlement/choices", "", a_file(b"x" * (MEGABYTE + 200_000))).status_code == 413
    assert rows() == (1, 1, 1)


def test_other_addresses_take_no_more_than_before(reader: Person, page: str) -> None:
    body = {"username": "x" * (MEGABYTE + 10)}
    for path in ("/login", "/settlement/choices", "/language"):
        assert reader.post(path, body).status_code == 413, path
    assert reader.get(page).status_code == 200


# ---------------------------------------------------------------- files out


@pytest.fixture
def upload_id(reader: Person, page: str) -> int:
    hand_in(reader, page, "作业", a_file(PNG, "图 “一”.png", "text/html"))
    return only(Upload).id


def test_a_file_comes_back_to_be_saved_and_never_shown(reader: Person, upload_id: int) -> None:
    answer = reader.get(f"/uploads/{upload_id}")
    assert answer.status_code == 200
    assert answer.data == PNG
    assert answer.mimetype == "image/png"
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert f"filename*=UTF-8''{quote('图 “一”.png')}" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Length"] == str(len(PNG))
    assert "ETag" not in answer.headers
    with reader.client.head(f"/uploads/{upload_id}") as head:
        assert head.status_code == 200


def test_a_text_comes_back_as_plain_text(reader: Person, page: str) -> None:
    hand_in(reader, page, "作业", a_file("你好".encode(), "a.html", "text/html"))
    answer = reader.get(f"/uploads/{only(Upload).id}")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert "a.html.txt" in answer.headers["Content-Disposition"]


def status(app: Flask, account: Account | int | None, upload_id: int) -> int:
    person = Person(app)
    if account is not None:
        found = account if isinstance(account, Account) else db.session.get_one(Account, account)
        person.sign_in(found.username)
    return person.get(f"/uploads/{upload_id}").status_code


def test_only_the_student_and_the_present_mentor_have_it(
    app: Flask, upload_id: int, enrolment: EnrolledDegreeCourse
) -> None:
    old, new = enrolment.mentor_id, a_mentor()
    neighbour = a_studying(mentor=db.session.get_one(Account, old))
    assert status(app, old, upload_id) == 200
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="a wish")
    fresh(enrolment)
    assert status(app, enrolment.account_id, upload_id) == 200
    assert status(app, new, upload_id) == 200
    for stranger in (old, neighbour.account_id, a_student(), a_mentor(), a_student(is_staff=True)):
        assert status(app, stranger, upload_id) == 404
    assert status(app, None, upload_id) == 303
    for unknown in ("0", "-1", "x", "2147483648", str(2**31 - 1)):
        assert Person(app).sign_in(new.username).get(f"/uploads/{unknown}").status_code == 404
    fresh(enrolment).closed_time = clock.now()
    db.session.commit()
    assert status(app, enrolment.account_id, upload_id) == 404


def test_a_follow_up_is_not_for_its_student(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    """Safety.md 4: follow-up records are the mentor's and the staff's."""
    row = saved(StuFollowUpRecord(enrolled_degree_course_id=enrolment.id, mentor_id=enrolment.mentor_id, record="聊了"))
    (checked,) = uploads.check([Incoming("a.pdf", io.BytesIO(PDF), len(PDF))])
    mentor_id, row_id = fresh(enrolment).mentor_id, row.id
    with uploads.kept([checked]) as files, unit_of_work() as session:
        upload_id = uploads.attach(session, files, mentor_id or 0, clock.now(), follow_up_id=row_id)[0].id
    assert status(app, mentor_id, upload_id) == 200
    assert status(app, fresh(enrolment).account_id, upload_id) == 404
    new = a_mentor()
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="a wish")
    assert status(app, new, upload_id) == 200
    assert status(app, mentor_id, upload_id) == 404


def test_the_folder_is_not_the_web_s(reader: Person, upload_id: int) -> None:
    row = db.session.get_one(Upload, upload_id)
    for path in (f"/uploads/{row.stored_name}", f"/static/../uploads/{row.stored_name}", f"/static/{row.stored_name}"):
        assert reader.get(path).status_code == 404
    assert "static" not in settings().uploads.parts


# ---------------------------------------------------------------- links in what people write


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("见 https://a.example/x，谢谢", '见 <a href="https://a.example/x" R>https://a.example/x</a>，谢谢'),
        ("(http://a.example/y).", '(<a href="http://a.example/y" R>http://a.example/y</a>).'),
        ("https://a.example/b_(c)", '<a href="https://a.example/b_(c)" R>https://a.example/b_(c)</a>'),
        ("javascript:alert(1) ftp://a.example //a", "javascript:alert(1) ftp://a.example //a"),
        ('https://a.example/"onclick="x', '<a href="https://a.example/" R>https://a.example/</a>&#34;onclick=&#34;x'),
        ("https://<b>", "https://&lt;b&gt;"),
        ("<a href='x'>", "&lt;a href=&#39;x&#39;&gt;"),
        ("https://a.example?a=1&b='", '<a href="https://a.example?a=1&amp;b=" R>https://a.example?a=1&amp;b=</a>&#39;'),
    ],
)
def test_addresses_become_links_and_nothing_else_does(app: Flask, text: str, html: str) -> None:
    shown = app.jinja_env.filters["linked"](text)
    assert shown == html.replace(" R>", ' rel="noopener noreferrer nofollow">')


def test_the_registry_opens_the_file_of_the_hand_in_whose_mark_it_judges(
    app: Flask, upload_id: int, enrolment: EnrolledDegreeCourse
) -> None:
    registrar = Person(app).sign_in(a_clerk(StaffRole.REGISTRY).username)
    hand_in_page = f"/staff/studies/{enrolment.id}/hand-ins/{only(HomeworkSubmission).id}"
    (link,) = re.findall(r'href="(/staff/[^"]*/files/\d+)"', registrar.get(hand_in_page).text)
    answer = registrar.get(link)
    assert (answer.status_code, answer.data) == (200, PNG)
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    other = a_studying()
    for elsewhere in (
        link.replace(f"studies/{enrolment.id}/", f"studies/{other.id}/"),
        f"{hand_in_page}/files/{upload_id + 1}",
        f"/staff/studies/{enrolment.id}/hand-ins/{only(HomeworkSubmission).id + 1}/files/{upload_id}",
    ):
        assert registrar.get(elsewhere).status_code == 404
