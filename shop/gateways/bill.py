"""Alipay's trade bill of a day: fetched from the address that Alipay gives, and read (alipay.md 4.7).

A zip of two CSV files in GBK. Nothing in it is signed and its place in the zip, its columns and its file names change:
whatever is not as it should be makes the whole bill unreadable rather than half read.
"""

from __future__ import annotations

import io
import re
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from shop.gateways.alipay import NoRedirect, Unknown
from shop.money import from_yuan

SILENCE = 10.0  # seconds for each wait on the socket
LONGEST = 120.0  # seconds for a whole file
LARGEST_FILE = 16 * 1024 * 1024  # bytes; 10⁴ rows take a hundredth of it
LARGEST_TEXT = 64 * 1024 * 1024
MOST_UNPACKED = 200  # times a file's packed size: real bills come to 20 or 30, bombs to 1000
MOST_FILES = 10
TITLE = "#支付宝业务明细查询"
END = "业务明细列表结束"
PAYMENT, REFUND = "交易", "退款"
PRODUCT = "商品名称"  # free text in a file without quotes: commas in it make surplus cells
COLUMNS = ("支付宝交易号", "商户订单号", "业务类型", "订单金额（元）", "商家实收（元）", "退款批次号/请求号")
NUMBER = re.compile(r"[!-~]{0,64}")
STARTS = re.compile(r"起始日期：\[(\d{4})年(\d{2})月(\d{2})日", re.ASCII)
PAID_TOTAL = re.compile(r"#交易合计：(\d+)笔，商家实收共(-?[\d.]+)元", re.ASCII)
REFUNDED_TOTAL = re.compile(r"#退款合计：(\d+)笔，商家实收退款共(-?[\d.]+)元", re.ASCII)


class BillUnreadable(Exception):
    """What Alipay gave is no bill that can be believed; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A payment, or (negative, with its number) a refund. ``received_fen`` leaves out what a discount of ours paid."""

    trade_no: str
    out_trade_no: str
    refund_no: str
    fen: int
    received_fen: int


@dataclass(frozen=True, slots=True)
class Footer:
    """What the foot of the file says the rows add up to, by what was received."""

    payments: int
    paid_fen: int
    refunds: int
    refunded_fen: int


@dataclass(frozen=True, slots=True)
class Bill:
    """A day's rows; an empty one for a day without business. ``footer`` is None when the file has none."""

    rows: tuple[Row, ...] = ()
    footer: Footer | None = None

    @property
    def adds_up(self) -> bool:
        return self.footer == _footer_of(self.rows) if self.rows or self.footer else True


# ---------------------------------------------------------------- fetched


def download(url: str, gateway: str) -> bytes:
    """The file behind an address that Alipay gave. Raises Unknown, and BillUnreadable for what is not to be asked."""
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(safe_url(url, gateway), timeout=SILENCE) as answer:
            return _content(answer)
    except (OSError, HTTPException) as error:  # an address that is over answers 4xx, which is an OSError too
        raise Unknown(f"bill: {type(error).__name__}") from error


def safe_url(url: str, gateway: str) -> str:
    """The address, if it is the gateway's or on a host of Alipay's, asked by https then. Raises BillUnreadable."""
    try:
        parts, home = urlsplit(url), urlsplit(gateway)
    except ValueError as error:
        raise BillUnreadable("its address cannot be read") from error
    if (parts.scheme, parts.netloc) == (home.scheme, home.netloc):
        return url
    if parts.scheme in ("http", "https") and re.fullmatch(r"[a-z0-9.-]+\.alipay\.com", parts.netloc):
        return parts._replace(scheme="https").geturl()
    raise BillUnreadable("its address is on a host that is not Alipay's")


def _content(answer: Any) -> bytes:
    end = time.monotonic() + LONGEST
    content = bytearray()
    while chunk := answer.read1(65_536):
        content += chunk
        if len(content) > LARGEST_FILE:
            raise BillUnreadable("the file is too large")
        if time.monotonic() > end:
            raise Unknown("bill: the download takes too long")
    return bytes(content)


# ---------------------------------------------------------------- read


def read(content: bytes, day: date) -> Bill:
    """The bill in a downloaded zip. Raises BillUnreadable."""
    try:
        lines = _detail_lines(content)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise BillUnreadable(f"no zip that can be read: {type(error).__name__}") from error
    head = "".join(lines[:4])
    if (starts := STARTS.search(head)) and date(*map(int, starts.groups())) != day:
        raise BillUnreadable("it is of another day")
    body = iter(lines)
    heading = next((line for line in body if line.strip() and not line.startswith("#")), "")
    rows = tuple(_rows(heading, body))
    return Bill(rows, _footer(list(body)))


def _detail_lines(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = archive.infolist()
        if len(files) > MOST_FILES:
            raise BillUnreadable("too many files in the zip")
        for file in files:
            if file.file_size > min(LARGEST_TEXT, MOST_UNPACKED * max(file.compress_size, 1)):
                raise BillUnreadable("a file in the zip unpacks to too much")
            text = archive.read(file).decode("gb18030", "replace")  # what is read of it is ASCII
            if text.startswith(TITLE):
                return text.split("\n")  # not splitlines: a product may be called anything
    raise BillUnreadable("no file in the zip is the detailed bill")


def _rows(heading: str, body: Iterator[str]) -> Iterator[Row]:
    """The rows up to the end marker, which is taken from ``body`` too."""
    names = [_cell(name).replace("(", "（").replace(")", "）") for name in heading.split(",")]
    if missing := [name for name in COLUMNS if name not in names]:
        raise BillUnreadable(f"it lacks the columns {', '.join(missing)}")
    for line in body:
        if line.startswith("#") and END in line:
            return
        if line.strip():
            yield _row(names, line)
    raise BillUnreadable("it is cut short")


def _row(names: Sequence[str], line: str) -> Row:
    cells = [_cell(cell) for cell in line.split(",")]
    if PRODUCT in names and (surplus := len(cells) - len(names)) > 0:
        place = names.index(PRODUCT)
        cells[place : place + surplus + 1] = [",".join(cells[place : place + surplus + 1])]
    fields = dict(zip(names, cells, strict=False))
    try:
        trade_no, out_trade_no, kind, amount, received, refund_no = (fields[name] for name in COLUMNS)
        fen, received_fen = _fen(amount), _fen(received)
    except (KeyError, ValueError) as error:
        raise BillUnreadable("a row without its fields") from error
    if not trade_no or not all(NUMBER.fullmatch(number) for number in (trade_no, out_trade_no, refund_no)):
        raise BillUnreadable("a row with numbers that are none")
    if kind == PAYMENT and fen >= 0:
        return Row(trade_no, out_trade_no, "", fen, received_fen)
    if kind == REFUND and fen <= 0:
        # one that was made without a number of its own is asked about by the payment's
        is_named = refund_no not in ("", trade_no)
        return Row(trade_no, out_trade_no, refund_no if is_named else out_trade_no or trade_no, fen, received_fen)
    raise BillUnreadable("a row that is neither a payment nor a refund")


def _footer(lines: Sequence[str]) -> Footer | None:
    text = "\n".join(lines)
    paid, refunded = PAID_TOTAL.search(text), REFUNDED_TOTAL.search(text)
    if not paid or not refunded:
        return None
    try:
        return Footer(int(paid[1]), _fen(paid[2]), int(refunded[1]), _fen(refunded[2]))
    except ValueError:
        return None


def _footer_of(rows: Sequence[Row]) -> Footer:
    paid = [row.received_fen for row in rows if not row.refund_no]
    refunded = [row.received_fen for row in rows if row.refund_no]
    return Footer(len(paid), sum(paid), len(refunded), sum(refunded))


def _cell(text: str) -> str:
    return text.strip(" \t\r\ufeff")


def _fen(text: str) -> int:
    return -from_yuan(text[1:]) if text.startswith("-") else from_yuan(text)
