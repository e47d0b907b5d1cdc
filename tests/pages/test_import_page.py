"""What the page of a file for the catalogue says: what is wrong with it, what it would change, in either language."""

from __future__ import annotations

import ast
import html
import io
import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop.config import PROJECT
from shop.enums import StaffRole, ValidPeriod
from shop.extensions import db
from shop.models import Coupon
from shop.services.catalogue_import import import_catalogue
from shop.services.staff import catalogue_words
from tests.builders import a_clerk, a_coupon, a_degree, a_draft, plan_of
from tests.pages.test_english import CHINESE, english
from tests.person import Person
from tests.services.test_catalogue_import import DOCS, REFUSED, REFUSED_COUPONS, SCHOOL, TODAY, coupon, course, imported

PAGE = "/staff/catalogue/import"
SAILING = """\
categories: [{name: sea, sub_categories: [stars]}]
teachers: [{name: Lin, title: teacher}, {name: Hai, title: teacher}]
courses:
  - name: "7"
    category: sea
    sub_category: stars
    brief: from the harbour
    teachers: [Lin]
    plans: [{valid_period: 30, price: 99}]
    chapters:
      - {chapter: 1, name: one, sections: [{name: hello, type: document, content: hi}]}
degrees:
  - name: captain
    brief: two years
    plans: [{valid_period: 720, price: 9800}]
    scholarships: [{time_percent: 30, value: 500}]
    modules:
      - name: knots
        category: sea
        sub_category: stars
        brief: hold on
        chapters:
          - chapter: 3
            name: three
            sections: [{name: bowline, type: document, content: tie}]
            homework: [{title: tie one, requirement: now, scholarship_value: 9}]
"""
ALL_PATHS = {
    "zh": {
        "7 › 1个月",
        "7 › 第 1 章",
        "7 › 第 1 章 › hello",
        "captain › 30%",
        "captain › knots › 第 3 章 › bowline",
        "captain › knots › 第 3 章 › tie one",
    },
    "en": {
        "7 › 1 month",
        "7 › chapter 1",
        "7 › chapter 1 › hello",
        "captain › 30%",
        "captain › knots › chapter 3 › bowline",
        "captain › knots › chapter 3 › tie one",
    },
}
SERVICES = Path(__file__).resolve().parents[2] / "shop/services"
TELLERS = ("yaml_records", "catalogue_format", "catalogue_check", "staff/catalogue_import_desk")
FORMAT = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", DOCS.read_text(encoding="utf-8"))), re.ASCII))
NAMES = {"YAML", "UTF", "a", "yaml", "staff"}  # of formats, of the file below and of addresses
QUOTED = re.compile(r"'[^']*'")
PYYAML = {"not YAML", "control characters"}  # what the library says follows a Chinese word of ours

BAD_FILES: dict[str, str | bytes] = {
    **{name: text for name, (text, _line, _sentence) in REFUSED.items()},
    **{name: coupon(terms) for name, (terms, _line, _sentence) in REFUSED_COUPONS.items()},
    "not text": b"\xff\xfe",
    "control characters": "courses: [\x00]",
    "no list": "courses: 10",
    "two lines": course('brief: 简介\nslogan: "a\\nb"'),
    "no flag": coupon("public: maybe"),
    "lists for single values": course(
        "brief: 简介\nlevel: [x]\nperiod: [x]\npub_date: [x]\nplans: [{valid_period: 30, price: [x]}]\n"
        "chapters: [{chapter: 1, name: 一, sections: [{name: 课, type: video, free_trial: [x], link: 9}]}]"
    ),
    "no status": course("brief: 简介\nstatus: gone"),
    "name twice in a list": course("brief: 简介\nteachers: [林海, 林海]"),
    "code twice": coupon("codes: [CODE01]\n") + "  - name: 又一张\n    codes: [CODE01]\n",
    "link of a text": course(
        "brief: 简介\nchapters: [{chapter: 1, name: 一, sections: [{name: 课, type: document, video_time: '9'}]}]"
    ),
    "no sub-category": course("brief: 简介").replace("sub_category: 语言", "sub_category: 没有"),
    "no category": course("brief: 简介").replace("category: 编程\n    sub", "category: 没有\n    sub"),
    "no plan": "degrees: [{name: 学位, brief: 两年, plans: []}]",
    "no degree": coupon("degree: 没有"),
}

AGAINST_THE_SHOP = {
    "what stands in the shop already": """\
courses:
  - {name: 模块一, category: 编程, sub_category: 语言, brief: 简介}
  - name: 入门课
    category: 编程
    sub_category: 语言
    brief: 简介
    status: draft
    chapters: [{chapter: 1, name: 一, sections: [{name: 新, type: video, link: /static/a.webm}]}]
degrees:
  - name: 新学位
    brief: 两年
    modules:
      - {name: 进阶课, category: 编程, sub_category: 语言, brief: 简介}
      - {name: 模块一, category: 编程, sub_category: 语言, brief: 简介}
  - {name: 旧学位, brief: 两年, plans: [{valid_period: 720, price: 9}]}
coupons:
  - {name: 立减, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7,
     codes: [SAIL03]}
  - {name: 新券, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7,
     codes: [SAIL01]}
  - {name: 同名, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7}
  - {name: 草稿, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7}
""",
    "campaigns": """\
coupons:
  - {name: 同样, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7,
     codes: [NEW001]}
  - {name: 新券, type: flat, amount: 30, quantity: 2, open_date: today, close_date: today, valid_days: 7,
     codes: [NEW002]}
""",
}


@pytest.fixture
def clerk(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.OPERATIONS).username)


def looked_at(clerk: Person, text: str | bytes) -> TestResponse:
    content = text if isinstance(text, bytes) else text.encode()
    return clerk.post(PAGE, {"file": (io.BytesIO(content), "a.yaml")})


def faults(answer: TestResponse) -> list[str]:
    assert answer.status_code == 422, answer.text[:500]
    return [html.unescape(fault) for fault in re.findall(r"<li><code>(.*?)</code></li>", answer.text, re.DOTALL)]


def assert_chinese(name: str, said: list[str]) -> None:
    """Whatever is written in Latin letters is a word of the format, or quoted from the file."""
    assert said, name
    for fault in said:
        place, _colon, sentence = fault.partition(": ")
        assert re.fullmatch(r"a\.yaml:[0-9]+", place), fault
        ours = QUOTED.sub("", sentence)
        assert CHINESE.search(ours), (name, fault)
        foreign = set(re.findall(r"[A-Za-z_]+", ours)) - FORMAT - NAMES
        assert not foreign or name in PYYAML, (name, fault)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "zh",
            [
                "a.yaml:6: brief：必须是文字；请给 '12' 加上引号",
                "a.yaml:7: level：必须是以下之一（beginner, intermediate, advanced），写的是 'hard'",
            ],
        ),
        (
            "en",
            [
                "a.yaml:6: brief must be text; put quotes around '12'",
                "a.yaml:7: level must be one of beginner, intermediate, advanced, not 'hard'",
            ],
        ),
    ],
)
def test_each_reader_is_told_what_is_wrong_in_their_language(clerk: Person, language: str, said: list[str]) -> None:
    clerk.post("/language", {"language": language})
    answer = looked_at(clerk, course("brief: 12\nlevel: hard").replace("编程", "sailing").replace("语言", "stars"))
    assert faults(answer) == said
    if language == "en":
        english(answer, 422)


def test_no_sentence_reaches_a_chinese_reader_in_english(clerk: Person) -> None:
    for name, text in BAD_FILES.items():
        assert_chinese(name, faults(looked_at(clerk, text)))


def test_what_does_not_fit_the_shop_is_told_in_chinese(clerk: Person, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    claimed = db.session.scalars(select(Coupon).where(Coupon.name == "立减")).one()
    claimed.claimed = 3
    db.session.commit()
    for _again in range(2):
        a_coupon(name="同名")
    a_coupon(name="同样")
    a_draft(name="草稿")
    plan_of(a_degree(name="旧学位")).valid_period = ValidPeriod.YEAR
    db.session.commit()
    for name, text in AGAINST_THE_SHOP.items():
        said = faults(looked_at(clerk, text))
        assert len(said) > 2, said
        assert_chinese(name, said)


@pytest.mark.parametrize("module", TELLERS)
def test_nothing_is_told_in_english_alone(module: str) -> None:
    """Every sentence goes through gettext: none of these modules holds one of its own but in Chinese."""
    tree = ast.parse((SERVICES / f"{module}.py").read_text(encoding="utf-8"))
    explanations = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    told = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explanations
    ]
    kinds = {*catalogue_words.KINDS, " import"}  # the last one is part of an action of the audit log
    assert [
        text for text in told if re.search(r"\w\w | \w\w", text) and not CHINESE.search(text) and text not in kinds
    ] == []


# ---------------------------------------------------------------- what it would change


@pytest.mark.parametrize("language", ALL_PATHS)
def test_rows_are_called_by_what_they_are(clerk: Person, language: str) -> None:
    """Chapter 1 is no period of a day, 30 percent no month, and a course may be called 7."""
    clerk.post("/language", {"language": language})
    answer = looked_at(clerk, SAILING)
    called = set(re.findall(r'<th scope="row">([^<]*›[^<]*)</th>', answer.text))
    assert ALL_PATHS[language] <= called, called
    assert '<th scope="row">7</th>' in answer.text
    if language == "en":
        english(answer)


def test_changes_are_told_in_english_too(clerk: Person, tmp_path: Path) -> None:
    imported(tmp_path, SAILING)
    clerk.post("/language", {"language": "en"})
    changed = SAILING.replace("teachers: [Lin]", "teachers: [Lin, Hai]\n    level: advanced\n    pub_date: 2026-11-30")
    page = english(looked_at(clerk, changed.replace("type: document, content: hi", "type: exercise, content: ho")))
    assert "“a.yaml” would make 2 changes" in page.text and "Import these 2 changes" in page.text
    assert "<ins>Lin, Hai</ins>" in page.text
    page = english(looked_at(clerk, SAILING.replace("price: 99}", "price: 89}")))
    assert "“a.yaml” would make 1 change<" in page.text and "Import this change" in page.text
    assert "is imported: 1 change." in clerk.follow(clerk.post(f"{PAGE}/application", clerk.form(page, "apply"))).text
    assert "The file has 1 fault;" in english(looked_at(clerk, "courses: 10"), 422).text


def test_every_kind_and_column_of_a_file_has_a_word(app: Flask) -> None:
    tally = import_catalogue(PROJECT / "demo" / "catalogue", today=TODAY)
    assert tally.outcomes.keys() <= catalogue_words.KINDS.keys()
    columns = {column for changes in tally.changes.values() for column in changes}
    assert len(columns) > 45
    assert columns <= catalogue_words.COLUMNS.keys()
