"""The catalogue out of files: every fault with its line, all or nothing, the same ids however often it is imported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from textwrap import dedent, indent

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import func, select

from shop.enums import CouponKind, ModuleStatus, ProductStatus, SectionType, ValidPeriod
from shop.extensions import db
from shop.models import (
    Coupon,
    CouponCode,
    Course,
    CourseSection,
    DegreeCourse,
    PricePolicy,
    Product,
    StudyRecord,
    Teacher,
)
from shop.services import catalogue_format
from shop.services.catalogue_import import Outcome, Tally, import_catalogue
from shop.services.yaml_records import MOST_FAULTS, FormatError, Key
from tests.builders import a_draft, a_student
from tests.purchases import enrolled_in_degree

TODAY = date(2026, 11, 23)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "catalogue-format.md"

SCHOOL = """\
categories:
  - name: 编程
    sub_categories: [语言]
teachers:
  - {name: 林海, title: 讲师}
courses:
  - name: 入门课
    category: 编程
    sub_category: 语言
    brief: 从零开始
    teachers: [林海]
    recommend: [进阶课]
    outline: [{title: 第一步}]
    questions: [{question: 难吗, answer: 不难}]
    plans:
      - {valid_period: 30, price: 99.00}
      - {valid_period: 360, price: 99.10}
    chapters:
      - chapter: 1
        name: 第一章
        sections:
          - {name: 试看, type: document, content: "# 你好", free_trial: true}
          - {name: 影片一, type: video, link: /static/a.webm}
          - {name: 影片二, type: video, link: /static/b.webm}
  - {name: 进阶课, category: 编程, sub_category: 语言, brief: 再走一步}
degrees:
  - name: 学位
    brief: 两年
    plans: [{valid_period: 720, price: 9800}]
    scholarships: [{time_percent: 80, value: 500}]
    modules:
      - name: 模块一
        category: 编程
        sub_category: 语言
        brief: 打基础
        chapters:
          - chapter: 1
            name: 起步
            sections: [{name: 导览, type: document, content: 欢迎}]
            homework: [{title: 作业一, requirement: 写一个程序, scholarship_value: 100}]
coupons:
  - {name: 立减, type: flat, amount: 40, course: 入门课, quantity: 3, open_date: today-1, close_date: today+9,
     valid_days: 7, public: false, codes: [SAIL01, SAIL02]}
"""


def imported(tmp_path: Path, text: str, **options: object) -> Tally:
    file = tmp_path / "school.yaml"
    file.write_text(text, encoding="utf-8")
    return import_catalogue(file, today=TODAY, **options)  # type: ignore[arg-type]


def faults_of(tmp_path: Path, text: str) -> list[str]:
    """What the import says in English, each line without the folder; the database must stay as it was."""
    before = db.session.scalar(select(func.count()).select_from(Product))
    db.session.rollback()
    with force_locale("en"), pytest.raises(FormatError) as refused:
        imported(tmp_path, text)
    assert db.session.scalar(select(func.count()).select_from(Product)) == before
    return [line.removeprefix(f"{tmp_path}/") for line in refused.value.lines]


def course(extra: str) -> str:
    """A course that is right but for what is added on lines 6 and following."""
    head = "categories: [{name: 编程, sub_categories: [语言]}]\ncourses:\n"
    return head + "  - name: 课\n    category: 编程\n    sub_category: 语言\n" + indent(dedent(extra), "    ")


def coupon(extra: str) -> str:
    """A coupon whose terms begin on line 4; 立减 5 unless these say otherwise."""
    return "coupons:\n  - name: 券\n    quantity: 5\n" + indent(dedent(extra), "    ")


def a_row(name: str) -> Course:
    db.session.rollback()
    return db.session.scalars(select(Course).where(Course.name == name)).one()


def ids() -> dict[str, list[int]]:
    db.session.rollback()
    tables = (Product, PricePolicy, CourseSection, Teacher, Coupon, CouponCode)
    return {table.__name__: list(db.session.scalars(select(table.id).order_by(table.id))) for table in tables}


# ---------------------------------------------------------------- what is written


def test_what_the_file_says_stands_in_the_shop(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)

    beginner = a_row("入门课")
    assert [teacher.name for teacher in beginner.teachers] == ["林海"]
    assert [other.name for other in beginner.recommended] == ["进阶课"]
    assert [(plan.valid_period, plan.price_fen) for plan in beginner.policies] == [
        (ValidPeriod.MONTH, 9_900),
        (ValidPeriod.YEAR, 9_910),
    ]
    assert [(s.name, s.section_type, s.free_trail) for s in beginner.chapters[0].sections] == [
        ("试看", SectionType.DOCUMENT, True),
        ("影片一", SectionType.VIDEO, False),
        ("影片二", SectionType.VIDEO, False),
    ]
    module = a_row("模块一")
    assert module.degree_course is not None
    assert module.is_module
    assert module.degree_course.name == "学位"
    assert module.chapters[0].homework[0].scholarship_value == 100
    flat = db.session.scalars(select(Coupon)).one()
    assert (flat.coupon_type, flat.money_equivalent_fen, flat.product_id) == (CouponKind.FLAT, 4_000, beginner.id)
    assert (flat.open_date, flat.close_date) == (date(2026, 11, 22), date(2026, 12, 2))


def test_a_second_import_changes_nothing_and_every_id_stays(app: Flask, tmp_path: Path) -> None:
    first = imported(tmp_path, SCHOOL)
    before = ids()
    second = imported(tmp_path, SCHOOL)

    assert first.total(Outcome.CREATED) == second.total(Outcome.UNCHANGED)
    assert second.total(Outcome.CREATED) == second.total(Outcome.UPDATED) == 0
    assert ids() == before


def test_a_changed_file_changes_its_rows_in_place(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    before = ids()
    changed = SCHOOL.replace("price: 99.00", "price: 89.00").replace("# 你好", "# 您好").replace("从零开始", "从头开始")
    tally = imported(tmp_path, changed)

    assert ids() == before
    assert tally.total(Outcome.UPDATED) == 3
    assert a_row("入门课").policies[0].price_fen == 8_900


def test_what_the_file_leaves_out_is_left_alone(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL + "")
    before = ids()
    a_row("入门课").status = ProductStatus.OFF_SALE
    db.session.commit()
    imported(tmp_path, "courses:\n  - {name: 入门课, category: 编程, sub_category: 语言, brief: 只改简介}\n")

    row = a_row("入门课")
    assert ids() == before
    assert (row.brief, row.status) == ("只改简介", ProductStatus.OFF_SALE)
    assert len(row.policies) == 2
    assert len(row.teachers) == 1


def test_two_lessons_may_swap_their_videos(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    swapped = (
        SCHOOL.replace("/static/a.webm", "x")
        .replace("/static/b.webm", "/static/a.webm")
        .replace("link: x", "link: /static/b.webm")
    )
    tally = imported(tmp_path, swapped)

    assert [s.section_link for s in a_row("入门课").chapters[0].sections] == [None, "/static/b.webm", "/static/a.webm"]
    assert tally.count("lessons", Outcome.UPDATED) == 2


def test_the_files_of_a_folder_may_point_at_one_another(app: Flask, tmp_path: Path) -> None:
    head, tail = SCHOOL.split("courses:\n", 1)
    (tmp_path / "z.yaml").write_text(head, encoding="utf-8")
    (tmp_path / "a.yaml").write_text("courses:\n" + tail, encoding="utf-8")
    import_catalogue(tmp_path, today=TODAY)

    assert a_row("入门课").teachers[0].name == "林海"


def test_a_module_added_after_a_sale_comes_locked_to_the_degrees_students(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    degree = db.session.scalars(select(DegreeCourse)).one()
    enrolment = enrolled_in_degree(a_student(), degree)
    more = "      - {name: 模块二, category: 编程, sub_category: 语言, brief: 再进一步}\ncoupons:\n"
    imported(tmp_path, SCHOOL.replace("coupons:\n", more))

    records = db.session.scalars(
        select(StudyRecord).where(StudyRecord.enrolled_degree_course_id == enrolment.id).order_by(StudyRecord.id)
    ).all()
    assert [(record.course_module.name, record.status) for record in records][-1] == ("模块二", ModuleStatus.LOCKED)
    assert len(records) == 2


def test_pages_kept_in_redis_are_forgotten_after_an_import(app: Flask, tmp_path: Path) -> None:
    client = app.extensions["redis"]
    imported(tmp_path, SCHOOL)
    before = client.get("{catalogue}:version")
    imported(tmp_path, SCHOOL)

    assert before is not None
    assert client.get("{catalogue}:version") != before


# ---------------------------------------------------------------- what is refused

REFUSED = {
    "unknown key": (course("brief: 简介\ncolour: red"), 7, "unknown key 'colour'"),
    "missing key": (course("level: beginner"), 3, "brief is missing"),
    "key twice": (course("brief: 简介\nbrief: 又来"), 7, "brief is written twice, first on line 6"),
    "number for text": (course("brief: 12"), 6, "brief must be text; put quotes around '12'"),
    "text for number": (course("brief: 简介\nperiod: 七天"), 7, "period must be a whole number"),
    "bad choice": (course("brief: 简介\nlevel: hard"), 7, "level must be one of beginner, intermediate, advanced"),
    "list for text": (course("brief: [简介]"), 6, "brief must be text"),
    "empty text": (course("brief: ''"), 6, "brief is empty"),
    "too long": (course(f"brief: 简介\nslogan: {'长' * 126}"), 7, "slogan has 126 characters"),
    "control character": (course('brief: "a\\0b"'), 6, "brief has control characters"),
    "210 days": (course("brief: 简介\nplans: [{valid_period: 210, price: 9}]"), 7, "12个月 is 360 days"),
    "no such period": (
        course("brief: 简介\nplans: [{valid_period: 45, price: 9}]"),
        7,
        "must be one of 1, 3, 7, 14, 30",
    ),
    "three decimals": (course("brief: 简介\nplans: [{valid_period: 30, price: 9.001}]"), 7, "at most two decimals"),
    "negative price": (course("brief: 简介\nplans: [{valid_period: 30, price: -1}]"), 7, "at most two decimals"),
    "exponent": (course("brief: 简介\nplans: [{valid_period: 30, price: 1e3}]"), 7, "at most two decimals"),
    "price too high": (course("brief: 简介\nplans: [{valid_period: 30, price: 100000.01}]"), 7, "at most 100000 yuan"),
    "period twice": (
        course("brief: 简介\nplans:\n- {valid_period: 30, price: 1}\n- {valid_period: 30, price: 2}"),
        9,
        "is already used at",
    ),
    "unknown teacher": (course("brief: 简介\nteachers: [没有]"), 7, "there is no teacher '没有'"),
    "unknown recommended course": (course("brief: 简介\nrecommend: [没有]"), 7, "there is no course '没有'"),
    "homework in a course": (
        course("brief: 简介\nchapters: [{chapter: 1, name: 一, sections: [], homework: []}]"),
        7,
        "homework belongs to the modules of degrees only",
    ),
    "video without link": (
        course("brief: 简介\nchapters: [{chapter: 1, name: 一, sections: [{name: 课, type: video}]}]"),
        7,
        "link is missing",
    ),
    "document without text": (
        course("brief: 简介\nchapters: [{chapter: 1, name: 一, sections: [{name: 课, type: document}]}]"),
        7,
        "content is missing",
    ),
    "foreign video": (
        course("brief: 简介\nvideo_brief_link: https://elsewhere.example/a.webm"),
        7,
        "a host that MEDIA_ORIGINS does not name",
    ),
    "script for a link": (course("brief: 简介\nvideo_brief_link: 'javascript:alert(1)'"), 7, "must be an address"),
    "scheme-relative link": (course("brief: 简介\nvideo_brief_link: //elsewhere.example/a"), 7, "must be an address"),
    "bad day": (course("brief: 简介\npub_date: 2026-02-30"), 7, "pub_date must be a day"),
    "alias": (course("brief: &a 简介\nslogan: *a"), 7, "aliases (*name) are not read"),
    "nested too deep": ("courses: " + "[" * 40 + "]" * 40, 1, "nested deeper"),
    "not YAML": ("courses:\n  - name: [课\n", 3, "this is not plain YAML"),
    "empty file": ("", 1, "the file is empty"),
    "a list on top": ("- 课\n", 1, "expected keys and values"),
    "two plans for a degree": (
        "degrees:\n  - name: 学位\n    brief: 两年\n    plans:\n"
        "      - {valid_period: 720, price: 9}\n      - {valid_period: 360, price: 5}\n",
        6,
        "a degree has one plan only",
    ),
    "degree of another length": (
        "degrees: [{name: 学位, brief: 两年, plans: [{valid_period: 360, price: 9}]}]",
        1,
        "a degree is sold for 720 days",
    ),
    "degree without a plan": ("degrees: [{name: 学位, brief: 两年}]", 1, "plans is missing"),
    "module with a price": (
        "degrees:\n  - name: 学位\n    brief: 两年\n    plans: [{valid_period: 720, price: 9}]\n    modules:\n"
        "      - {name: 模块, category: 编程, sub_category: 语言, brief: 好, plans: [{valid_period: 30, price: 1}]}\n",
        6,
        "a module is never sold alone",
    ),
}

WINDOW = "open_date: today\nclose_date: today+9\n"
REFUSED_COUPONS = {
    "B40 no validity at all": (f"type: flat\namount: 5\n{WINDOW}", 2, "it is not said how long it can be used"),
    "B40 one date of two": (
        f"type: flat\namount: 5\n{WINDOW}valid_end_date: today+9",
        8,
        "are given together or not at all",
    ),
    "B40 no days": (f"type: flat\namount: 5\n{WINDOW}valid_days: 0", 8, "valid_days must be between 1"),
    "B40 ends before it begins": (
        f"type: flat\namount: 5\n{WINDOW}valid_begin_date: today+20\nvalid_end_date: today+19",
        9,
        "valid_end_date 2026-12-12 is before valid_begin_date 2026-12-13",
    ),
    "B40 closes before it opens": (
        "type: flat\namount: 5\nopen_date: today\nclose_date: today-1\nvalid_days: 1",
        7,
        "close_date 2026-11-22 is before open_date 2026-11-23",
    ),
    "B40 percent without percent": (f"type: percent\n{WINDOW}valid_days: 1", 2, "pay_percent is missing"),
    "B40 percent 0": (f"type: percent\npay_percent: 0\n{WINDOW}valid_days: 1", 5, "must be between 1 and 99"),
    "B40 percent 150": (f"type: percent\npay_percent: 150\n{WINDOW}valid_days: 1", 5, "must be between 1 and 99"),
    "percent as a fraction": (f"type: percent\npay_percent: 0.79\n{WINDOW}valid_days: 1", 5, "79 for 7.9折"),
    "percent with a sign": (f"type: percent\npay_percent: 79%\n{WINDOW}valid_days: 1", 5, "79 for 7.9折"),
    "percent with an amount": (
        f"type: percent\npay_percent: 79\n{WINDOW}valid_days: 1\namount: 5",
        9,
        "amount has no meaning for a percent coupon",
    ),
    "B40 negative amount": (f"type: flat\namount: -5\n{WINDOW}valid_days: 1", 5, "must be an amount in yuan"),
    "nothing off": (f"type: flat\namount: 0\n{WINDOW}valid_days: 1", 5, "amount must be more than 0"),
    "B40 threshold without minimum": (f"type: threshold\namount: 5\n{WINDOW}valid_days: 1", 2, "minimum is missing"),
    "flat with a minimum": (
        f"type: flat\namount: 5\nminimum: 50\n{WINDOW}valid_days: 1",
        6,
        "minimum has no meaning for a flat coupon",
    ),
    "unknown product": (f"type: flat\namount: 5\n{WINDOW}valid_days: 1\ncourse: 没有", 9, "there is no course '没有'"),
    "two products": (
        f"type: flat\namount: 5\n{WINDOW}valid_days: 1\ncourse: 一\ndegree: 二",
        10,
        "one course or one degree",
    ),
    "claimed when it is over": (
        f"type: flat\namount: 5\n{WINDOW}valid_begin_date: today\nvalid_end_date: today+8",
        7,
        "is after valid_end_date",
    ),
    "over before it begins": (
        f"type: flat\namount: 5\n{WINDOW}valid_begin_date: today+10\nvalid_end_date: today+30\nvalid_days: 9",
        10,
        "valid_days 9 end before valid_begin_date",
    ),
    "small letters in a code": (f"type: flat\namount: 5\n{WINDOW}valid_days: 1\ncodes: [abcdef]", 9, "capital letters"),
    "more codes than coupons": (
        f"type: flat\namount: 5\n{WINDOW}valid_days: 1\ncodes: [CODE01, CODE02, CODE03, CODE04, CODE05, CODE06]",
        9,
        "there are 6 codes, but only 5 coupons",
    ),
}


@pytest.mark.parametrize(("text", "line", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_fault_is_told_with_its_line_and_nothing_is_written(
    app: Flask, tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    assert any(said.startswith(f"school.yaml:{line}: ") and sentence in said for said in faults_of(tmp_path, text))


@pytest.mark.parametrize(("terms", "line", "sentence"), REFUSED_COUPONS.values(), ids=REFUSED_COUPONS)
def test_a_coupon_that_makes_no_sense_is_refused(
    app: Flask, tmp_path: Path, terms: str, line: int, sentence: str
) -> None:
    said = faults_of(tmp_path, coupon(terms))
    assert any(fault.startswith(f"school.yaml:{line}: ") and sentence in fault for fault in said)


def test_a_draft_of_the_staff_pages_is_not_changed_by_a_file(app: Flask, tmp_path: Path) -> None:
    """Nor published by one: somebody rehearses and publishes it."""
    a_draft(name="券")
    said = faults_of(tmp_path, coupon("type: flat\namount: 5\nopen_date: today\nclose_date: today\nvalid_days: 1"))
    assert any("is a draft in the shop" in sentence for sentence in said), said


def test_a_coupon_of_one_day_is_fine(app: Flask, tmp_path: Path) -> None:
    """B40: the source refused a window that begins and ends on the same day."""
    days = "open_date: today\nclose_date: today\nvalid_begin_date: today\nvalid_end_date: today"
    imported(tmp_path, coupon(f"type: flat\namount: 5\n{days}"))

    assert db.session.scalars(select(Coupon)).one().open_date == TODAY


def test_every_fault_is_told_at_once(app: Flask, tmp_path: Path) -> None:
    text = course("brief: 简介\ncolour: red\nlevel: hard\nteachers: [没有]\n") + coupon("type: flat\nopen_date: 明天")
    assert [fault.split(":")[1] for fault in faults_of(tmp_path, text)] == ["7", "8", "9", "11", "11", "11", "14"]


def test_after_so_many_faults_the_reading_ends(app: Flask, tmp_path: Path) -> None:
    found = faults_of(tmp_path, "".join(f"key{number}: 1\n" for number in range(5_000)))
    assert len(found) == MOST_FAULTS
    assert found[0].startswith("school.yaml:1: unknown key 'key0'")


def test_a_key_of_any_length_is_told_shortly(app: Flask, tmp_path: Path) -> None:
    found = faults_of(tmp_path, f'"\\x1b{"k" * 900}": 1\n' * 2)
    assert len(found) == 2 and max(map(len, found)) < 250 and not any("\x1b" in fault for fault in found)


def test_one_fault_keeps_the_whole_file_out(app: Flask, tmp_path: Path) -> None:
    faults_of(tmp_path, SCHOOL.replace("valid_days: 7", "valid_days: 0"))
    assert ids() == {name: [] for name in ids()}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("amount: 40", "amount: 30", "amount cannot change any more: '立减' has been claimed 3 times"),
        ("course: 入门课", "degree: 学位", "course cannot change any more"),
        ("quantity: 3", "quantity: 2", "quantity is less than the 3 that have been claimed"),
        ("SAIL01, SAIL02", "SAIL03, SAIL04", "4 codes exist with those in the shop"),
    ],
)
def test_what_people_hold_keeps_its_worth(app: Flask, tmp_path: Path, before: str, after: str, sentence: str) -> None:
    imported(tmp_path, SCHOOL)
    flat = db.session.scalars(select(Coupon)).one()
    flat.claimed = 3
    db.session.commit()

    assert any(sentence in fault for fault in faults_of(tmp_path, SCHOOL.replace(before, after)))


def test_a_course_that_is_sold_cannot_become_a_module_nor_the_other_way_round(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    swapped = SCHOOL.replace("进阶课", "?").replace("模块一", "进阶课").replace("?", "模块一")
    said = " ".join(faults_of(tmp_path, swapped))

    assert "'模块一' is a module of a degree in the shop and cannot become a course" in said
    assert "'进阶课' is sold as a course in the shop and cannot become a module" in said


def test_a_video_may_come_from_a_named_host(app: Flask, tmp_path: Path) -> None:
    text = SCHOOL.replace("/static/a.webm", "https://media.example.com/a.webm")
    assert any("MEDIA_ORIGINS" in fault for fault in faults_of(tmp_path, text))
    imported(tmp_path, text, media_origins=("https://media.example.com",))


def test_a_file_larger_than_the_limit_is_not_even_read(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.services.yaml_records.LARGEST_FILE", 10)
    assert faults_of(tmp_path, SCHOOL) == ["school.yaml:1: the file is larger than 0 MiB"]


# ---------------------------------------------------------------- the command and its page


def test_the_command_prints_counts_and_returns_zero(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "school.yaml").write_text(SCHOOL, encoding="utf-8")
    done = app.test_cli_runner().invoke(args=["catalogue", "import", str(tmp_path / "school.yaml")])

    assert done.exit_code == 0
    assert "courses: 3 created, 0 updated, 0 unchanged" in done.output


def test_the_command_prints_every_fault_and_fails(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "school.yaml").write_text(course("brief: ''\nlevel: hard"), encoding="utf-8")
    done = app.test_cli_runner().invoke(args=["catalogue", "import", str(tmp_path / "school.yaml")])

    assert done.exit_code == 1
    assert f"{tmp_path}/school.yaml:6: brief is empty" in done.output
    assert "2 faults; nothing was imported." in done.output


def test_the_documentation_names_every_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    tables = [table for table in vars(catalogue_format).values() if isinstance(table, dict) and _is_keys(table)]
    missing = {key for table in tables for key in table if f"`{key}`" not in text}

    assert len(tables) > 10
    assert not missing


def _is_keys(table: dict[object, object]) -> bool:
    return bool(table) and all(isinstance(rule, Key) for rule in table.values())
