"""The trade bill of a day or month: a zip of two CSVs in GBK, behind an address that is good for 30 seconds (4.7)."""

from __future__ import annotations

import io
import json
import re
import secrets
import sqlite3
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from cashier import clock, faults
from cashier.desk import Desk, current
from cashier.money import to_yuan
from cashier.refusals import Refused
from cashier.trades import BUYERS

bp = Blueprint("bill", __name__)
VALID_SECONDS = 30.0
BOMB = 40 * 1024 * 1024  # bytes that a bomb unpacks to, from a thousandth of it
PERIOD = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?", re.ASCII)
COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,"
    "商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,"
    "卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,"
    "服务费（元）,分润（元）,实收净额（元）"
)
ROWS = """
SELECT trade_no, out_trade_no, subject, buyer, created_at, paid_at AS finished_at, total_fen AS fen, '' AS number
FROM trade WHERE paid_at >= :start AND paid_at < :end
UNION ALL
SELECT t.trade_no, t.out_trade_no, t.subject, t.buyer, t.created_at, r.done_at, -r.amount_fen, r.out_request_no
FROM refund r JOIN trade t ON t.trade_no = r.trade_no WHERE r.done_at >= :start AND r.done_at < :end
ORDER BY finished_at
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One payment, or (negative, with its number) one refund; ``created_at`` is the payment's in both."""

    trade_no: str
    out_trade_no: str
    subject: str
    buyer: str
    created_at: float
    finished_at: float
    fen: int
    number: str


def download_url(desk: Desk, db: sqlite3.Connection, biz: dict[str, Any], host_url: str) -> str:
    """A fresh address each time. Raises Refused: BILL_NOT_EXIST (no business), INVAILID_ARGUMENTS (sic)."""
    now = desk.now()
    period = biz.get("bill_date")
    first, behind = _days(period)
    if biz.get("bill_type") != "trade" or behind > clock.day(now):
        raise _invalid()
    struck = faults.take(db, faults.BILL, "")
    if "bill_missing" in struck or not _rows(db, first, behind):
        raise Refused("BILL_NOT_EXIST", "账单不存在")
    token = secrets.token_urlsafe(24)
    expires_at = now - 1 if "bill_expired" in struck else now + VALID_SECONDS
    db.execute("DELETE FROM bill_ticket WHERE expires_at < ?", (now - 3600,))
    db.execute(
        "INSERT INTO bill_ticket (token, period, faults_json, expires_at) VALUES (?, ?, ?, ?)",
        (token, period, json.dumps({kind: fault.args for kind, fault in struck.items()}), expires_at),
    )
    query = {"bizType": "trade", "userId": desk.config.seller_id, "fileType": "csv.zip", "token": token}
    if "bill_other_host" in struck:
        host_url = f"http://{struck['bill_other_host'].args['host']}/"
    return f"{host_url}bill/download?{urlencode(query)}"


@bp.get("/bill/download")
def download() -> AnyResponse:
    desk = current()
    with desk.store.read() as db:
        ticket = db.execute("SELECT * FROM bill_ticket WHERE token = ?", (request.args.get("token", ""),)).fetchone()
        if ticket is None:
            abort(404)
        if desk.now() > ticket["expires_at"]:
            abort(410)
        first, behind = _days(ticket["period"])
        rows = _rows(db, first, behind)
    struck = json.loads(ticket["faults_json"])
    if "bill_html" in struck:
        return Response("<!DOCTYPE html><title>系统繁忙</title>", content_type="text/html; charset=utf-8")
    if "bill_redirect" in struck:
        return redirect(struck["bill_redirect"]["location"])
    content = _bomb() if "bill_bomb" in struck else _zip(desk, first, behind, rows, struck)
    name = f"{_account(desk)}_{ticket['period'].replace('-', '')}.csv.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, headers=headers, content_type="application/zip")


def _days(period: object) -> tuple[date, date]:
    """First day, and the day after the last one. Raises Refused INVAILID_ARGUMENTS."""
    match = PERIOD.fullmatch(period) if isinstance(period, str) else None
    try:
        if match is None:
            raise ValueError(period)
        first = date(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        raise _invalid() from None
    if match[3]:
        return first, first + timedelta(days=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _invalid() -> Refused:
    return Refused("INVAILID_ARGUMENTS", "入参不合法")


def _rows(db: sqlite3.Connection, first: date, behind: date) -> list[Row]:
    span = {"start": clock.start_of_day(first), "end": clock.start_of_day(behind)}
    return [Row(**dict(row)) for row in db.execute(ROWS, span)]


def _spoilt(rows: list[Row], struck: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    if "bill_row_missing" in struck:
        missing = _place(rows, struck["bill_row_missing"]["number"])
        rows = [row for place, row in enumerate(rows) if place != missing]
    if "bill_row_extra" in struck:
        rows = [*rows, replace(rows[-1], trade_no="9" * 28, out_trade_no="UNKNOWN1")] if rows else rows
    if "bill_amount_off" in struck and rows:
        off = _place(rows, struck["bill_amount_off"]["number"])
        rows = [replace(row, fen=row.fen + 1) if place == off else row for place, row in enumerate(rows)]
    return rows


def _place(rows: list[Row], number: str) -> int:
    """Where the row with this number is; -1 when it is not there."""
    return next((place for place, row in enumerate(rows) if number in ("", row.number or row.out_trade_no)), -1)


def _zip(desk: Desk, first: date, behind: date, rows: list[Row], struck: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The summary comes first: readers must choose by the first line of a file, not by its place."""
    stem = f"{_account(desk)}_{first:%Y%m%d}"
    head = [
        f"#账号：[{_account(desk)}]",
        f"#起始日期：[{_chinese(first)}]   终止日期：[{_chinese(behind)}]",
    ]
    exported = f"#导出时间：[{clock.text(desk.now()).replace('-', '年', 1).replace('-', '月', 1).replace(' ', '日 ')}]"
    rows = _spoilt(rows, struck)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if "bill_no_summary" not in struck:
            summary = ["#支付宝业务汇总查询", *head, *_summary(rows), exported]
            archive.writestr(_GbkName(f"{stem}_业务明细(汇总).csv"), _gbk(summary))
        detail = ["#支付宝业务明细查询", *head, *_detail(rows, struck), exported]
        archive.writestr(_GbkName(f"{stem}_业务明细.csv"), _gbk(detail))
    return buffer.getvalue()


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bill.csv", "#支付宝业务明细查询\r\n".encode("gbk") + bytes(BOMB))
    return buffer.getvalue()


class _GbkName(zipfile.ZipInfo):
    """An entry with a GBK name and no UTF-8 flag, which the library would set: its own hook is taken over."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("gbk"), self.flag_bits & ~0x800


def _detail(rows: list[Row], struck: Mapping[str, Any]) -> list[str]:
    has_more_columns = "bill_extra_column" in struck
    paid = [row.fen for row in rows if not row.number]
    back = [row.fen for row in rows if row.number]
    return [
        _rule("业务明细列表"),
        COLUMNS + (",新列" if has_more_columns else ""),
        *(_detail_line(row) + (",\t" if has_more_columns else "") for row in rows),
        _rule("业务明细列表结束"),
        f"#交易合计：{len(paid) + ('bill_footer_off' in struck)}笔，商家实收共{to_yuan(sum(paid))}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{to_yuan(sum(back))}元，商家优惠退款共0.00元",
    ]


def _detail_line(row: Row) -> str:
    buyer = BUYERS[row.buyer]
    amount = to_yuan(row.fen)
    cells = [
        row.trade_no + "\t",
        row.out_trade_no + "\t",
        ("退款" if row.number else "交易") + "\t",
        row.subject.replace(",", "，"),  # the file has no quoting
        clock.text(row.created_at),
        clock.text(row.finished_at),
        *["\t"] * 4,
        f"*{buyer.name[1:]}({buyer.logon_id})\t",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        row.number or "\t",
        *["0.00"] * 2,
        "备注",
    ]
    return ",".join(cells)


def _summary(rows: list[Row]) -> list[str]:
    total = to_yuan(sum(row.fen for row in rows))
    paid = sum(1 for row in rows if not row.number)
    cells = ["合计\t", "\t", str(paid), str(len(rows) - paid), total, total, *["0.00"] * 5, total]
    return [_rule("业务汇总列表"), SUMMARY_COLUMNS, ",".join(cells), _rule("业务汇总列表结束")]


def _rule(title: str) -> str:
    return f"#{'-' * 41}{title}{'-' * 40}"


def _account(desk: Desk) -> str:
    return desk.config.seller_id + "0156"


def _chinese(day: date) -> str:
    return f"{day:%Y}年{day:%m}月{day:%d}日 00:00:00"


def _gbk(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n").encode("gbk", "replace")
