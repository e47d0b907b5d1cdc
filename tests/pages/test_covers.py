"""Covers: same data, same picture; every name fits and is escaped; text on every sky can be read."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from shop.enums import Level, ProductKind
from shop.web.covers import DEGREE_DRESS, DRESSES, MARGIN, NAME_WIDTH, WIDTH, _width, draw_cover
from tests.pages.contrast import contrast

SVG = "{http://www.w3.org/2000/svg}"
SAIL_COLOURS = {"#fbf8f3", "#ff9a83"}


def a_cover(
    name: str = "Go 语言高并发编程",
    product_id: int = 7,
    kind: ProductKind = ProductKind.COURSE,
    category_id: int = 2,
    level: Level = Level.BEGINNER,
) -> ElementTree.Element:
    return ElementTree.fromstring(draw_cover(kind, product_id, name, category_id, level))


def words_of(cover: ElementTree.Element) -> list[str]:
    return [span.text or "" for span in cover.iter(f"{SVG}tspan")]


def waves_of(cover: ElementTree.Element) -> list[str | None]:
    return [path.get("d") for path in cover.findall(f"{SVG}path")]


def test_the_same_data_always_draws_the_same_cover():
    data = (ProductKind.COURSE, 7, "Linux 运维", 3, Level.ADVANCED)
    assert draw_cover(*data) == draw_cover(*data)


def test_the_shape_of_the_waves_comes_from_the_products_id():
    assert waves_of(a_cover(product_id=7)) == waves_of(a_cover(product_id=7, name="Linux", category_id=5))
    assert len({tuple(waves_of(a_cover(product_id=n))) for n in range(1, 101)}) == 100


def test_the_colour_comes_from_the_category():
    skies = [a_cover(category_id=n).find(f"{SVG}rect").get("fill") for n in range(1, 8)]
    assert len(set(skies)) == 7


@pytest.mark.parametrize(("level", "sails"), [(Level.BEGINNER, 1), (Level.INTERMEDIATE, 2), (Level.ADVANCED, 3)])
def test_the_level_sets_one_to_three_sails(level, sails):
    hull_and_sails = a_cover(level=level).findall(f"{SVG}g/{SVG}path")
    assert len(hull_and_sails) == 1 + sails
    assert {path.get("fill") for path in hull_and_sails} <= SAIL_COLOURS


def test_a_name_is_text_whatever_it_contains():
    cover = a_cover(name='<script>&"\x00\x1b\n]]></svg>')
    assert "".join(words_of(cover)).replace(" ", "") == '<script>&"]]></svg>'
    assert cover.find(f"{SVG}title").text == '<script>&" ]]></svg>'


@pytest.mark.parametrize(
    "name",
    [
        "Linux",
        "云原生运维工程师",
        "Django REST Framework 企业级接口设计",
        "深度学习与计算机视觉实战：从卷积网络到检测分割",
        "Kubernetes in Production: Deployments, Networking and Observability",
        "数据分析（上）：从 pandas 到可视化，四个真实项目",
    ],
)
def test_a_usual_name_is_shown_whole_within_the_picture(name):
    cover = a_cover(name=name)
    size = int(cover.find(f"{SVG}text").get("font-size"))
    lines = words_of(cover)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert all(_width(line) * size <= NAME_WIDTH for line in lines)
    assert size >= 36  # 9 px when the cover is shown 160 px wide
    assert {span.get("x") for span in cover.iter(f"{SVG}tspan")} == {str(MARGIN)}


@pytest.mark.parametrize("name", ["汉" * 128, "w" * 128, "a b " * 32], ids=["chinese", "one word", "words"])
def test_a_name_of_the_greatest_length_is_cut_and_stays_inside(name):
    cover = a_cover(name=name)
    lines = words_of(cover)
    size = int(cover.find(f"{SVG}text").get("font-size"))
    assert 1 <= len(lines) <= 3 and lines[-1].endswith("…")
    assert all(MARGIN + _width(line) * size <= WIDTH for line in lines)


def test_no_line_begins_with_a_closing_mark():
    for name in ("一二三四五六七八：九十", "网络，系统，与安全（进阶）之路", "前端工程化：Vite、pnpm、Turborepo"):
        assert not any(line[0] in "：，）、。" for line in words_of(a_cover(name=name)))


@pytest.mark.parametrize("dress", [*DRESSES, DEGREE_DRESS], ids=lambda dress: dress.sky)
def test_the_name_can_be_read_on_every_sky(dress):
    assert contrast("#ffffff", dress.sky) >= 4.5


def test_a_cover_carries_no_style_and_no_script():
    text = draw_cover(ProductKind.DEGREE, 101, "Python 全栈工程师", 1, Level.INTERMEDIATE)
    assert "style" not in text and "script" not in text and "href" not in text
    assert len(text) < 3_000
