"""Files that people hand in: what may come in, where it is kept, who may have it back (safety.md 5).

What a file is, its content decides, never its name or what the browser says of it. The types are few, so a table of
their first bytes says all: a library of a thousand types (puremagic 1.30) calls every ZIP a Word document and a text
that begins with "BM" a picture.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import IO

import structlog
from flask_babel import gettext as _
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from shop.errors import NotFound, ShopError
from shop.extensions import db, settings
from shop.gateways import upload_store
from shop.models import EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission, StuFollowUpRecord, Upload

MOST_FILES = 5  # of one hand-in
MEGABYTE = 1024 * 1024
LONGEST_NAME = 255
ORPHANED_AFTER = timedelta(days=1)
NAMES_A_BATCH = 500

TEXT = "text/plain"
ZIP = "application/zip"
OFFICE = "application/vnd.openxmlformats-officedocument"
SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"PK\x03\x04", ZIP),
)
OFFICE_PARTS = (  # a ZIP with this entry; the names of entries are not compressed
    (b"word/document.xml", f"{OFFICE}.wordprocessingml.document"),
    (b"xl/workbook.xml", f"{OFFICE}.spreadsheetml.sheet"),
    (b"ppt/presentation.xml", f"{OFFICE}.presentationml.presentation"),
)
END_OF_ZIP = b"PK\x05\x06"
ENDINGS = {
    "application/pdf": ("pdf",),
    "image/png": ("png",),
    "image/jpeg": ("jpg", "jpeg"),
    "image/gif": ("gif",),
    ZIP: ("zip",),
    OFFICE_PARTS[0][1]: ("docx",),
    OFFICE_PARTS[1][1]: ("xlsx",),
    OFFICE_PARTS[2][1]: ("pptx",),
}
# Texts that a double click would show as a page of their own, or run: they are given back as .txt.
PAGES = {"html", "htm", "xhtml", "shtml", "xht", "hta", "mht", "mhtml", "svg", "xml", "xsl", "url", "lnk", "desktop"}
PROGRAMS = {"js", "jse", "vbs", "vbe", "wsf", "wsh", "bat", "cmd", "com", "exe", "scr", "pif", "msi", "ps1", "psm1"}
RUNNING = PAGES | PROGRAMS | {"reg", "inf", "cpl", "jar", "command", "app", "scpt"}
# What a browser takes for a page, behind whatever may stand before it. Possessive, so that no text makes it slow.
MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s++|<!--.*?-->|<\?.*?\?>)*+"
    rb"<(?:!doctype\s+(?:html|svg)|(?:[\w.-]+:)?(?:html|head|body|svg|script|style|iframe|object|embed|meta|link|base)\b)",
    re.IGNORECASE | re.DOTALL,
)
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # but blanks, line ends and ESC (coloured logs)
HEAD = 64 * 1024
LONGEST_ZIP_END = 64 * 1024 + 22
CHUNK = 256 * 1024

log = structlog.get_logger()


class UnfitFile(ValueError):
    """A file that is not taken; the text says which and why, in the reader's language."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file as it came: what its owner calls it, a stream that can be sought, and its size in bytes."""

    name: str
    stream: IO[bytes]
    size: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be kept; ``name`` is clean and ends as its content does."""

    name: str
    mime_type: str
    size: int
    stream: IO[bytes]
    stored_name: str = ""  # once it is on the disk


@dataclass(frozen=True, slots=True)
class Download:
    """A file on its way to somebody who may have it."""

    name: str
    mime_type: str
    size: int
    stream: IO[bytes]


# ---------------------------------------------------------------- what may come in


def most_bytes() -> int:
    """The largest file that is taken."""
    return settings().upload_megabytes * MEGABYTE


def check(files: Sequence[Incoming]) -> list[Checked]:
    """The same files with clean names and the types that their contents show. Raises UnfitFile at the first bad one."""
    if len(files) > MOST_FILES:
        raise UnfitFile(_("一次最多提交 %(most)s 个文件，可以打包为 ZIP。", most=MOST_FILES))
    return [_checked(file) for file in files]


def _checked(file: Incoming) -> Checked:
    shown = clean_name(file.name)
    if file.size < 1:
        raise UnfitFile(_("「%(name)s」是空文件。", name=shown))
    if file.size > most_bytes():
        raise UnfitFile(_("「%(name)s」超过 %(most)s MB。", name=shown, most=settings().upload_megabytes))
    mime_type = type_of(file.stream, file.size)
    if not mime_type:
        raise UnfitFile(
            _(
                "「%(name)s」不能提交：只收 PDF、PNG、JPEG、GIF、ZIP、Office 文档和 UTF-8 文本。网页请打包为 ZIP。",
                name=shown,
            )
        )
    return Checked(named_by_content(shown, mime_type), mime_type, file.size, file.stream)


def type_of(stream: IO[bytes], size: int) -> str:
    """The MIME type that the content shows, "" for what is not taken. Leaves the stream at its beginning."""
    stream.seek(0)
    head = stream.read(HEAD)
    found = next((mime_type for signature, mime_type in SIGNATURES if head.startswith(signature)), "")
    if found == ZIP:
        stream.seek(max(0, size - LONGEST_ZIP_END))
        found = _type_of_zip(head, stream.read())
    elif not found and not MARKUP.match(head):
        stream.seek(0)
        found = TEXT if _is_text(stream) else ""
    stream.seek(0)
    return found


def _type_of_zip(head: bytes, tail: bytes) -> str:
    """ZIP, or which kind of Office document; "" without the directory that every whole ZIP ends with."""
    if END_OF_ZIP not in tail:
        return ""
    if b"[Content_Types].xml" not in head + tail:
        return ZIP
    return next((mime_type for part, mime_type in OFFICE_PARTS if part in head or part in tail), ZIP)


def _is_text(stream: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := stream.read(CHUNK):
            if CONTROL.search(decoder.decode(chunk)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def clean_name(name: str) -> str:
    """A file's name without folders, without what steers or hides text, and without what no disk takes."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(
        " " if one.isspace() else one for one in last if unicodedata.category(one)[0] != "C" or one.isspace()
    )
    seen = re.sub(r'[<>:"|?*]', "_", re.sub(r" {2,}", " ", seen)).strip(" .")
    return _shortened(seen) or _("未命名文件")


def named_by_content(name: str, mime_type: str) -> str:
    """The name with an ending that fits the content, so that a double click on the downloaded file does no harm."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if mime_type == TEXT:
        return _shortened(f"{name}.txt") if ending in RUNNING else name
    fitting = ENDINGS[mime_type]
    return name if ending in fitting else _shortened(f"{name}.{fitting[0]}")


def _shortened(name: str) -> str:
    """At most 255 characters, with the ending kept."""
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 16:
        return name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1].rstrip(' .')}.{ending}"


# ---------------------------------------------------------------- keeping


@contextmanager
def kept(files: Sequence[Checked]) -> Iterator[list[Checked]]:
    """The files, on the disk; open it around the transaction that ``attach``es them, never inside.

    A refusal takes them away again. After anything else they stay: whether the transaction was committed may not be
    known, and a file that no row names harms nobody.
    """
    folder = settings().uploads
    stored: list[Checked] = []
    try:
        for file in files:
            file.stream.seek(0)
            stored.append(replace(file, stored_name=upload_store.save(folder, file.stream)))
        yield stored
    except ShopError:
        for file in stored:
            upload_store.remove(folder, file.stored_name)
        raise


def attach(
    session: Session,
    files: Sequence[Checked],
    account_id: int,
    now: datetime,
    *,
    submission_id: int | None = None,
    follow_up_id: int | None = None,
) -> list[Upload]:
    """The rows of ``kept`` files of one hand-in or of one follow-up record, in the caller's transaction."""
    rows = [
        Upload(
            account_id=account_id,
            homework_submission_id=submission_id,
            follow_up_id=follow_up_id,
            stored_name=file.stored_name,
            name=file.name,
            mime_type=file.mime_type,
            size=file.size,
            date=now,
        )
        for file in files
    ]
    session.add_all(rows)
    session.flush()
    return rows


def remove_files(stored_names: Iterable[str]) -> None:
    """Take files away whose rows are gone; what a crash leaves here, ``sweep_orphans`` finds."""
    for name in stored_names:
        upload_store.remove(settings().uploads, name)


def sweep_orphans(now: datetime) -> dict[str, int]:
    """Remove files that no row names a day after they were written; how many that were."""
    folder = settings().uploads
    names = list(upload_store.older_than(folder, (now - ORPHANED_AFTER).timestamp()))
    removed = 0
    for start in range(0, len(names), NAMES_A_BATCH):
        batch = set(names[start : start + NAMES_A_BATCH])
        for name in batch.difference(
            db.session.scalars(select(Upload.stored_name).where(Upload.stored_name.in_(batch)))
        ):
            upload_store.remove(folder, name)
            removed += 1
    return {"removed": removed}


# ---------------------------------------------------------------- giving back


def fetch(account_id: int, upload_id: int) -> Download:
    """A file for somebody who may have it. Raises NotFound for everybody else, as for a missing one.

    Homework: its student, and whoever is the mentor now. A follow-up record: the present mentor only, as students do
    not see those (safety.md 4). Nobody once the degree was refunded.
    """
    of_homework = (
        select(HomeworkSubmission.id)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .where(
            HomeworkSubmission.id == Upload.homework_submission_id,
            EnrolledDegreeCourse.closed_time.is_(None),
            or_(EnrolledDegreeCourse.account_id == account_id, EnrolledDegreeCourse.mentor_id == account_id),
        )
    )
    of_follow_up = (
        select(StuFollowUpRecord.id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == StuFollowUpRecord.enrolled_degree_course_id)
        .where(
            StuFollowUpRecord.id == Upload.follow_up_id,
            EnrolledDegreeCourse.closed_time.is_(None),
            EnrolledDegreeCourse.mentor_id == account_id,
        )
    )
    return _opened(select(Upload).where(Upload.id == upload_id, or_(of_homework.exists(), of_follow_up.exists())))


def fetch_of_hand_in(enrolment_id: int, submission_id: int, upload_id: int) -> Download:
    """A file of this hand-in of this enrolment, for the registry, which judges marks. Raises NotFound."""
    wanted = (
        select(Upload)
        .join(HomeworkSubmission, HomeworkSubmission.id == Upload.homework_submission_id)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .where(
            Upload.id == upload_id,
            HomeworkSubmission.id == submission_id,
            HomeworkRecord.student_id == enrolment_id,
        )
    )
    return _opened(wanted)


def _opened(wanted: Select[Upload]) -> Download:
    row = db.session.scalars(wanted).one_or_none()
    if row is None:
        raise NotFound
    try:
        stream = upload_store.open_file(settings().uploads, row.stored_name)
    except FileNotFoundError as error:
        log.error("upload missing on disk", upload=row.id)
        raise NotFound from error
    return Download(row.name, row.mime_type, os.fstat(stream.fileno()).st_size, stream)


def own(account_id: int) -> Iterator[tuple[int, str, IO[bytes]]]:
    """What the account itself has handed in, to take along: id, name, and the file; the caller closes it."""
    rows = db.session.execute(
        select(Upload.id, Upload.name, Upload.stored_name).where(Upload.account_id == account_id).order_by(Upload.id)
    )
    for upload_id, name, stored_name in rows.all():
        try:
            yield upload_id, name, upload_store.open_file(settings().uploads, stored_name)
        except FileNotFoundError:
            log.error("upload missing on disk", upload=upload_id)
