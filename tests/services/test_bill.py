"""Reading Alipay's bill: what it may look like, and what makes it one that cannot be believed."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import pytest

from shop.gateways import bill
from shop.gateways.bill import Bill, BillUnreadable, Footer, Row

DAY = date(2026, 3, 1)
HEAD = ("#支付宝业务明细查询", "#账号：[20880000000000010156]", "#起始日期：[2026年03月01日 00:00:00]   终止日期：[…]")
COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,"
    "集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)
PAID = (
    "2026030122001\t,N1\t,交易\t,下单测试,2026-03-01 10:55:16,2026-03-01 10:55:23,\t,\t,\t,\t,"
    "*津水(602***@qq.com)\t,{amount},{amount}"
)
REST = ",0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,{number},0.00,0.00,备注"
BACK = PAID.replace("交易\t", "退款\t")
END = "#-----------------------------------------业务明细列表结束------------------------------------"
TOTALS = (
    "#交易合计：1笔，商家实收共10.00元，商家优惠共0.00元",
    "#退款合计：1笔，商家实收退款共-4.00元，商家优惠退款共0.00元",
)


def paid(amount: str = "10.00") -> str:
    return PAID.format(amount=amount) + REST.format(number="\t")


def back(amount: str = "-4.00", number: str = "R1") -> str:
    return BACK.format(amount=amount) + REST.format(number=number)


def lines(*rows: str, columns: str = COLUMNS, footer: tuple[str, ...] = TOTALS) -> list[str]:
    return [*HEAD, "#---业务明细列表---", columns, *rows, END, *footer, "#导出时间：[2026年03月02日 05:46:49]"]


def packed(*files: list[str] | bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, file in enumerate(files):
            content = file if isinstance(file, bytes) else "\r\n".join(file).encode("gbk")
            archive.writestr(f"{number}.csv", content)
    return buffer.getvalue()


def read(*rows: str, **parts: object) -> Bill:
    return bill.read(packed(lines(*rows, **parts)), DAY)  # type: ignore[arg-type]


def test_rows_and_totals() -> None:
    found = read(paid(), back())
    assert found.rows == (
        Row("2026030122001", "N1", "", 1_000, 1_000),
        Row("2026030122001", "N1", "R1", -400, -400),
    )
    assert found.footer == Footer(1, 1_000, 1, -400)
    assert found.adds_up


@pytest.mark.parametrize("number", ["\t", "2026030122001"])
def test_a_refund_without_a_number_of_its_own_has_the_payments(number: str) -> None:
    assert read(paid(), back(number=number)).rows[1].refund_no == "N1"


def test_the_summary_may_come_first_and_names_say_nothing() -> None:
    summary = ["#支付宝业务汇总查询", "合计\t,1"]
    assert len(bill.read(packed(summary, lines(paid(), back())), DAY).rows) == 2


def test_columns_may_be_added_anywhere() -> None:
    columns = f"新列,{COLUMNS},另一列".replace("（", "(").replace("）", ")")
    found = read(f"x,{paid()},\t", f"x,{back()},y", columns=columns)
    assert [row.fen for row in found.rows] == [1_000, -400]


def test_a_product_may_be_called_anything() -> None:
    strange = paid().replace("下单测试", "收银台,今天\x0b的,午餐\x1c")
    assert read(strange, back()).rows == read(paid(), back()).rows


def test_what_a_discount_of_ours_paid_is_not_received() -> None:
    row = paid().replace("10.00,10.00,", "10.00,9.00,")
    found = read(row, back(), footer=("#交易合计：1笔，商家实收共9.00元，商家优惠共1.00元", TOTALS[1]))
    assert (found.rows[0].fen, found.rows[0].received_fen, found.adds_up) == (1_000, 900, True)


def test_no_business_is_a_bill_too() -> None:
    nothing = ("#交易合计：0笔，商家实收共0.00元，商家优惠共0.00元", "#退款合计：0笔，商家实收退款共0.00元")
    assert read(footer=nothing).adds_up
    assert Bill().adds_up


@pytest.mark.parametrize(
    "footer",
    [
        (),
        (TOTALS[0],),
        (TOTALS[0].replace("1笔", "2笔"), TOTALS[1]),
        (TOTALS[0].replace("10.00", "10.01"), TOTALS[1]),
        (TOTALS[0], TOTALS[1].replace("1笔", "0笔")),
        (TOTALS[0], TOTALS[1].replace("-4.00", "4.00")),
        (TOTALS[0].replace("10.00", "1.0.0"), TOTALS[1]),
    ],
)
def test_totals_that_are_off_or_missing(footer: tuple[str, ...]) -> None:
    found = read(paid(), back(), footer=footer)
    assert len(found.rows) == 2 and not found.adds_up


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<!DOCTYPE html>", "no zip"),
        (b"", "no zip"),
        (packed(lines(paid()))[:-30], "no zip"),
        (packed(), "no file in the zip"),
        (packed(["#支付宝业务汇总查询"]), "no file in the zip"),
        (packed(*[["#"]] * 11), "too many files"),
        (packed(lines(paid())[:6]), "cut short"),
        (packed(lines(paid(), columns=COLUMNS.replace("商户订单号", "商家单号"))), "lacks the columns 商户订单号"),
        (packed([*HEAD]), "lacks the columns"),
        (packed(lines("1,2,3")), "a row without its fields"),
        (packed(lines(paid("1e3"))), "a row without its fields"),
        (packed(lines(paid("NaN"))), "a row without its fields"),
        (packed(lines(paid("-10.00"))), "neither a payment nor a refund"),
        (packed(lines(back("4.00"))), "neither a payment nor a refund"),
        (packed(lines(paid().replace("交易", "转账"))), "neither a payment nor a refund"),
        (packed(lines(paid().replace("N1", "N" * 65))), "numbers that are none"),
        (packed(lines(paid().replace("2026030122001", ""))), "numbers that are none"),
        (packed(lines("# a remark among the rows")), "a row without its fields"),
        (packed(lines(paid()), method=zipfile.ZIP_LZMA)[:200], "no zip"),
        (packed(HEAD[0].encode("gbk") + bytes(5_000_000)), "unpacks to too much"),
    ],
)
def test_what_is_no_bill(content: bytes, says: str) -> None:
    with pytest.raises(BillUnreadable, match=says):
        bill.read(content, DAY)


def test_a_file_that_lies_about_its_size() -> None:
    """A bomb whose directory says that it is small gives no more than it says."""
    content = packed(HEAD[0].encode("gbk") + bytes(5_000_000))
    true_size, small = (5_000_000 + len(HEAD[0].encode("gbk"))).to_bytes(4, "little"), (500).to_bytes(4, "little")
    assert content.count(true_size) == 2
    with pytest.raises(BillUnreadable, match="no zip"):
        bill.read(content.replace(true_size, small), DAY)


def test_a_bill_of_another_day() -> None:
    with pytest.raises(BillUnreadable, match="another day"):
        bill.read(packed(lines(paid())), date(2026, 3, 2))


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://127.0.0.1:5001/bill?a=1", "http://127.0.0.1:5001/bill?a=1"),
        ("https://dwbillcenter.alipay.com/d?x=1", "https://dwbillcenter.alipay.com/d?x=1"),
        ("http://dwbillcenter.alipay.com/d?x=1", "https://dwbillcenter.alipay.com/d?x=1"),  # as its documents say it
    ],
)
def test_where_a_bill_is_fetched(url: str, asked: str) -> None:
    assert bill.safe_url(url, "http://127.0.0.1:5001/gateway.do") == asked


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5002/bill",
        "https://127.0.0.1:5001/bill",
        "http://127.0.0.1:5001@evil.example/",
        "https://evil.example/alipay.com",
        "https://evil-alipay.com/",
        "https://alipay.com.evil.example/",
        "https://user@bill.alipay.com/",
        "https://bill.alipay.com:8443/",
        "https://evil.example\\.alipay.com/",
        "file:///etc/passwd",
        "ftp://bill.alipay.com/",
        "//bill.alipay.com/",
        "http://[::1/",
        "",
    ],
)
def test_where_no_bill_is_fetched(url: str) -> None:
    with pytest.raises(BillUnreadable, match="address"):
        bill.safe_url(url, "http://127.0.0.1:5001/gateway.do")
