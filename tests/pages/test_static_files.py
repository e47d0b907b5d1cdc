"""What every page brings along: colours that can be read, little weight, foreign code unchanged, nothing inline."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask, url_for

from shop.web import assets
from tests.pages.contrast import contrast

SHOP = Path(__file__).parents[2] / "shop"
STATIC = SHOP / "static"
CSS = (STATIC / "shop.css").read_text()
HTMX = STATIC / "vendor" / "htmx-4.0.1"

TEXT_PAIRS = [
    *((text, ground) for text in ("ink", "muted") for ground in ("paper", "card", "sunk")),
    *((text, ground) for text in ("red", "sea", "ok", "gold") for ground in ("paper", "card")),
    *((tone, f"{tone}-tint") for tone in ("red", "sea", "ok", "gold")),
    *(("ink", f"{tone}-tint") for tone in ("red", "sea", "ok", "gold")),
    *(("muted", f"{tone}-tint") for tone in ("red", "sea", "ok")),
    ("red", "sea-tint"),
    ("sea", "sunk"),
    ("on-red", "red"),
    ("on-red", "red-deep"),
    ("card", "ink"),
    ("on-deep", "deep"),
]


def tokens(dress: str) -> dict[str, str]:
    """The colours of the light dress, or what the dark one makes of them."""
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block)) for block in root_blocks())
    return light if dress == "light" else light | dark


def root_blocks() -> list[str]:
    return re.findall(r":root \{(.*?)\n\s*\}", CSS, re.DOTALL)[:2]


@pytest.mark.parametrize("dress", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS, ids=lambda name: name)
def test_text_can_be_read_on_its_ground(dress, text, ground):
    colours = tokens(dress)
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("dress", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_the_edge_of_a_control_can_be_seen(dress, ground):
    colours = tokens(dress)
    assert contrast(colours["control"], colours[ground]) >= 3


def test_style_and_scripts_of_a_page_stay_small():
    files = [STATIC / "shop.css", STATIC / "shop.js", HTMX / "htmx.min.js"]
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 30_000


def test_vendored_files_are_unchanged():
    said = dict(re.findall(r"^(htmx\.min\.js|LICENSE): sha512-(\S+)$", (HTMX / "VENDOR.txt").read_text(), re.MULTILINE))
    found = {name: base64.b64encode(hashlib.sha512((HTMX / name).read_bytes()).digest()).decode() for name in said}
    assert said == found and len(said) == 2


def test_no_template_writes_style_or_script_inline():
    for template in SHOP.glob("templates/**/*.html"):
        text = template.read_text()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=\"|javascript:", text), template
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), template


def test_the_style_sheet_loads_nothing_from_elsewhere():
    assert set(re.findall(r"url\(\"(.*?)\"\)", CSS)) == {"wave.svg"}
    assert "@import" not in CSS and "http" not in CSS


def test_the_address_of_a_static_file_changes_with_its_content(tmp_path):
    addresses = []
    for text, release in (("a", "one"), ("a", "two"), ("b", "three")):
        folder = tmp_path / release
        folder.mkdir()
        (folder / "shop.css").write_text(text)
        app = Flask("shop", static_folder=folder, static_url_path="/static")
        assets.init_app(app)
        with app.test_request_context():
            addresses.append(url_for("static", filename="shop.css"))
    assert addresses[0] == addresses[1] != addresses[2]
    assert addresses[0].startswith("/static/shop.css?v=")


def test_a_missing_static_file_still_has_an_address(tmp_path):
    app = Flask("shop", static_folder=tmp_path, static_url_path="/static")
    assets.init_app(app)
    with app.test_request_context():
        assert url_for("static", filename="gone.css") == "/static/gone.css"
