"""Files that people hand in: judged by content, kept under names of our own, whole on the disk before a row is."""

from __future__ import annotations

import io
import os
import stat
import unicodedata
import zipfile
from pathlib import Path

import pytest
from flask import Flask

from shop import clock
from shop.errors import NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.gateways import upload_store
from shop.models import HomeworkRecord, HomeworkSubmission, Upload
from shop.services import uploads
from shop.services.uploads import MEGABYTE, Checked, Incoming, UnfitFile
from tests.degrees import a_studying
from tests.purchases import saved

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) + b"\xff\xd9"
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n%%EOF"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
SVG = b'<?xml version="1.0"?><!-- x --><svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'
EXECUTABLE = b"MZ\x90\x00\x03" + bytes(200)


def a_zip(*entries: str, comment: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for entry in entries:
            archive.writestr(entry, "内容")
        archive.comment = comment
    return packed.getvalue()


def office(part: str) -> bytes:
    return a_zip("[Content_Types].xml", part)


def incoming(content: bytes, name: str = "作业.txt") -> Incoming:
    return Incoming(name, io.BytesIO(content), len(content))


def checked(content: bytes, name: str = "作业.txt") -> Checked:
    (file,) = uploads.check([incoming(content, name)])
    return file


# ---------------------------------------------------------------- what it is, its content decides

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SLIDES = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


@pytest.mark.parametrize(
    ("content", "name", "mime_type", "shown"),
    [
        (PNG, "图.png", "image/png", "图.png"),
        (PNG, "图.PNG", "image/png", "图.PNG"),
        (JPEG, "图.jpeg", "image/jpeg", "图.jpeg"),
        (JPEG, "图.png", "image/jpeg", "图.png.jpg"),
        (GIF, "page.html", "image/gif", "page.html.gif"),
        (PDF, "报告.pdf", "application/pdf", "报告.pdf"),
        (PDF, "报告", "application/pdf", "报告.pdf"),
        (a_zip("a.py"), "code.zip", "application/zip", "code.zip"),
        (a_zip("a.py", comment=b"x" * 65535), "code.zip", "application/zip", "code.zip"),
        (a_zip("index.html"), "index.html", "application/zip", "index.html.zip"),
        (a_zip("[Content_Types].xml"), "a.docx", "application/zip", "a.docx.zip"),
        (office("word/document.xml"), "a.docx", WORD, "a.docx"),
        (office("xl/workbook.xml"), "a.docx", SHEET, "a.docx.xlsx"),
        (office("ppt/presentation.xml"), "a.pptx", SLIDES, "a.pptx"),
        (b"print('hello')\n", "main.py", "text/plain", "main.py"),
        ("你好\n".encode(), "读我.md", "text/plain", "读我.md"),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", "表.csv", "text/plain", "表.csv"),
        (b'{"cells": []}', "a.ipynb", "text/plain", "a.ipynb"),
        (b"#!/bin/sh\necho <html>\n", "run.sh", "text/plain", "run.sh"),
        (b"all: build\n", "Makefile", "text/plain", "Makefile"),
        (b"a < b and c <head\n<p>fine", "notes.txt", "text/plain", "notes.txt"),
        (b"BMW is a car", "a.bmp", "text/plain", "a.bmp"),
        (b"hello <script>alert(1)</script>", "a.html", "text/plain", "a.html.txt"),
        (b"@echo off", "setup.BAT", "text/plain", "setup.BAT.txt"),
        (b"\x1b[31mred\x1b[0m\n", "out.log", "text/plain", "out.log"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_what_its_content_says(app: Flask, content: bytes, name: str, mime_type: str, shown: str) -> None:
    file = checked(content, name)
    assert (file.mime_type, file.name, file.size) == (mime_type, shown, len(content))
    assert file.stream.read() == content


@pytest.mark.parametrize(
    "content",
    [
        HTML,
        HTML.lower(),
        b"\xef\xbb\xbf\n  <HTML lang=zh>",
        b"<!-- a --><!-- b --> <body onload=alert(1)>",
        b"<script>alert(1)</script>",
        SVG,
        b"<svg onload=alert(1)>",
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">',
        b'<?xml version="1.0"?><x:html xmlns:x="http://www.w3.org/1999/xhtml">',
        EXECUTABLE,
        b"\x7fELF\x02\x01\x01" + bytes(50),
        b"\xca\xfe\xba\xbe\x00\x00",
        b"PK\x03\x04 and no end",
        b"PK\x05\x06" + bytes(18),
        HTML + a_zip("a.txt"),
        EXECUTABLE + a_zip("a.txt"),
        b"junk" + PDF,
        bytes(range(256)),
        b"text with \x00 in it",
        b"cut off \xe4\xbd",
        "国标".encode("gbk"),
        "wide".encode("utf-16"),
        b"x" * 300_000 + b"\xff",
        b"%!PS-Adobe-3.0\x04",
        b"{\\rtf1 \x01}",
    ],
    ids=lambda content: repr(content[:24]),
)
@pytest.mark.parametrize("name", ["图.png", "报告.pdf", "作业.txt"])
def test_what_is_no_such_file_is_not_taken_whatever_it_is_called(app: Flask, content: bytes, name: str) -> None:
    with pytest.raises(UnfitFile, match=name):
        checked(content, name)


def test_a_text_that_opens_many_comments_is_judged_quickly(app: Flask) -> None:
    for content in (b"<!-- -->" * 8000 + b"<p", b"<!--" * 16000, b"<?" * 30000, b" " * 65536):
        assert checked(content).mime_type == "text/plain"


@pytest.mark.parametrize(("more", "is_taken"), [(-1, True), (0, True), (1, False)])
def test_the_size_of_a_file_is_bounded(app: Flask, more: int, is_taken: bool) -> None:
    size = settings().upload_megabytes * MEGABYTE + more
    content = b"x" * size
    if is_taken:
        assert checked(content).size == size
    else:
        with pytest.raises(UnfitFile, match="10 MB"):
            checked(content)


def test_an_empty_file_is_not_taken(app: Flask) -> None:
    with pytest.raises(UnfitFile, match="空文件"):
        checked(b"")
    assert checked(b"x").size == 1


def test_five_files_are_taken_and_six_are_not(app: Flask) -> None:
    assert len(uploads.check([incoming(b"x")] * 5)) == 5
    assert uploads.check([]) == []
    with pytest.raises(UnfitFile, match="最多提交 5 个"):
        uploads.check([incoming(b"x")] * 6)


# ---------------------------------------------------------------- what it is called


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\Users\\我\\作业.txt", "作业.txt"),
        ("/", "未命名文件"),
        ("..", "未命名文件"),
        ("", "未命名文件"),
        ("\x00\x01", "未命名文件"),
        ("a\x00b.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie_ x.txt"),
        ("photo\u202egnp.exe.txt", "photognp.exe.txt"),
        ("a\u200b\u2066b.txt", "ab.txt"),
        ("\ud800.txt", "txt"),
        (".bashrc", "bashrc"),
        ('a"b<c>.txt', "a_b_c_.txt"),
        ("  两  个   字 .txt ", "两 个 字 .txt"),
        ("x" * 300, "x" * 255),
        ("x" * 300 + ".py", "x" * 252 + ".py"),
        ("学" * 254 + ".py", "学" * 252 + ".py"),
        ("x." + "y" * 300, "x." + "y" * 253),
    ],
    ids=lambda name: repr(name[:24]),
)
def test_a_name_keeps_its_words_and_loses_its_tricks(app: Flask, sent: str, shown: str) -> None:
    assert uploads.clean_name(sent) == shown


def test_every_name_is_harmless(app: Flask) -> None:
    for code in [*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFE00, 0x10010), *range(0xE0000, 0xE0080)]:
        name = uploads.clean_name(f"a{chr(code)}b")
        assert 1 <= len(name) <= 255
        assert not {unicodedata.category(one)[0] for one in name} & {"C"}, hex(code)
        assert not set(name) & set('/\\<>:"|?*'), hex(code)


def test_an_ending_that_is_added_keeps_the_name_within_its_bounds(app: Flask) -> None:
    assert checked(PDF, "x" * 300 + ".html").name == "x" * 250 + ".pdf"
    assert checked(b"text", "x" * 250 + ".html").name.endswith(".txt")


# ---------------------------------------------------------------- on the disk


def everything() -> list[str]:
    return sorted(
        str(path.relative_to(settings().uploads)) for path in settings().uploads.glob("**/*") if path.is_file()
    )


@pytest.fixture(autouse=True)
def empty_folder(app: Flask) -> None:
    for path in settings().uploads.glob("*/*"):
        path.unlink()


def test_a_file_is_kept_under_a_random_name_for_the_shop_alone(app: Flask) -> None:
    with uploads.kept([checked(PNG, "../图.png"), checked(PNG, "图.png")]) as files:
        names = [file.stored_name for file in files]
    assert len(set(names)) == 2
    for name in names:
        path = settings().uploads / name[:2] / name
        assert path.read_bytes() == PNG
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert len(name) == 32
    assert "static" not in str(settings().uploads)
    assert len(everything()) == 2


def test_a_refusal_takes_the_files_away_and_a_crash_leaves_them(app: Flask) -> None:
    with pytest.raises(NotYourTurn), uploads.kept([checked(PNG)]):
        raise NotYourTurn
    assert everything() == []
    with pytest.raises(KeyboardInterrupt), uploads.kept([checked(PNG)]):
        raise KeyboardInterrupt
    assert len(everything()) == 1


def test_a_disk_that_is_full_leaves_nothing_half_written(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), uploads.kept([checked(PNG)]):
        raise AssertionError("nothing may be named that is not on the disk")
    assert everything() == []


@pytest.mark.parametrize("name", ["", "..", "../shop.sqlite3", "a" * 31, "A" * 32, "a" * 32 + "\n", "/etc/passwd"])
def test_only_names_of_our_own_are_opened(app: Flask, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        upload_store.open_file(settings().uploads, name)
    with pytest.raises(FileNotFoundError):
        upload_store.remove(settings().uploads, name)


@pytest.fixture
def a_named_file(app: Flask) -> Upload:
    enrolment = a_studying()
    homework = enrolment.degree_course.modules[0].chapters[0].homework[0]
    record = HomeworkRecord(homework_id=homework.id, student_id=enrolment.id, submit_num=1)
    record.submissions = [HomeworkSubmission(number=1, content="作业")]
    submission_id = saved(record).submissions[0].id
    with uploads.kept([checked(PNG)]) as files, unit_of_work() as session:
        (row,) = uploads.attach(session, files, enrolment.account_id, clock.now(), submission_id=submission_id)
    return db.session.get_one(Upload, row.id)


def aged(name: str, days: float) -> Path:
    path = settings().uploads / name[:2] / name
    then = path.stat().st_mtime - days * 24 * 3600
    os.utime(path, (then, then))
    return path


def test_files_that_no_row_names_go_after_a_day(app: Flask, a_named_file: Upload) -> None:
    with uploads.kept([checked(PNG), checked(PNG)]) as (old, young):
        pass
    aged(old.stored_name, 1.01)
    aged(young.stored_name, 0.99)
    aged(a_named_file.stored_name, 400)
    (settings().uploads / "ab").mkdir(exist_ok=True)
    stranger = settings().uploads / "ab" / "not-ours.txt"
    stranger.write_text("x")
    os.utime(stranger, (0, 0))
    assert uploads.sweep_orphans(clock.now()) == {"removed": 1}
    assert uploads.sweep_orphans(clock.now()) == {"removed": 0}
    kept = {young.stored_name, a_named_file.stored_name, "not-ours.txt"}
    assert {name.rpartition("/")[2] for name in everything()} == kept


def test_sweeping_before_anybody_handed_in_finds_nothing(app: Flask, tmp_path: Path) -> None:
    assert list(upload_store.older_than(tmp_path / "not there", 2e9)) == []
