"""Alipay as the shop sees it: the only file that knows the SDK (alipay.md 5.3 and 7).

A call ends in one of three ways: an answer that Alipay signed, ``None`` where Alipay knows no such trade,
or ``Unknown`` for everything else. Unknown is not "failed": the call may have worked.
"""

from __future__ import annotations

import json
import re
import urllib.request
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

import structlog
from alipay import AliPay
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from shop import clock
from shop.config import Settings
from shop.enums import PaymentMethod
from shop.errors import BadNotice
from shop.money import YUAN_TEXT, from_yuan, to_yuan

log = structlog.get_logger()

TIMEOUT = 3.0  # seconds for each wait on the socket; a page stands behind it
LARGEST_ANSWER = 1_000_000  # bytes
PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")
KNOWN_STATUSES = (*PAID, "WAIT_BUYER_PAY", "TRADE_CLOSED")
METHODS = {
    PaymentMethod.PAGE: ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
    PaymentMethod.WAP: ("alipay.trade.wap.pay", "QUICK_WAP_WAY"),  # the SDK's own value is wrong (alipay.md 1.2)
}
# Alipay will not carry out these refunds as they are asked for (alipay.md 4.5). Every other no is Unknown: it
# has an outage or our configuration behind it, or (DISCORDANT_REPEAT_REQUEST) only the refund query tells what is so.
SHORT_OF_MONEY = ("ACQ.SELLER_BALANCE_NOT_ENOUGH", "ACQ.REFUND_CHARGE_ERROR")  # until the account is topped up
NOT_REFUNDED = (
    *SHORT_OF_MONEY,
    "ACQ.TRADE_HAS_FINISHED",
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.TRADE_NOT_ALLOW_REFUND",
    "ACQ.TRADE_NOT_EXIST",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "ACQ.REASON_TRADE_BEEN_FREEZEN",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "ACQ.INVALID_PARAMETER",
)
NO_BILL = ("BILL_NOT_EXIST", "NO_BILL_DATA")  # no business that day, or not ready yet
# The signed text is "k=v&k=v" without escaping, so a field may hide another one (safety.md 1.2):
# each must be there by itself and look like itself.
FIELDS = {
    "notify_id": r"[0-9A-Za-z_-]{1,128}",
    "notify_type": r"trade_status_sync",
    "app_id": r"[0-9]{1,32}",
    "seller_id": r"[0-9]{1,32}",
    "out_trade_no": r"[0-9A-Za-z_]{1,64}",
    "trade_no": r"[0-9A-Za-z_]{1,64}",
    "total_amount": YUAN_TEXT.pattern,
    "trade_status": r"[A-Z_]{1,32}",
}


class Unknown(Exception):
    """What Alipay did or knows cannot be told now: ask again later, with the same numbers."""


class Close(Enum):
    CLOSED = "closed"
    NOT_EXIST = "not exist"  # nobody has scanned: the page stays payable until its time_expire
    REFUSED = "refused"  # paid or closed meanwhile: query


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What Alipay says to a refund: moved now, or (neither) perhaps moved before, or a final no with its code."""

    is_moved: bool
    refusal: str = ""

    @property
    def is_short_of_money(self) -> bool:
        return self.refusal in SHORT_OF_MONEY


@dataclass(frozen=True, slots=True)
class Trade:
    """What Alipay says of one trade, in a notice or in an answer."""

    out_trade_no: str
    trade_no: str
    status: str
    amount_fen: int
    is_refund: bool = False  # a notice about a refund, which repeats TRADE_SUCCESS
    refund_no: str = ""  # of that refund: our out_request_no, or one made at Alipay

    paid_time: datetime | None = None  # as answers to a query tell it, also when all of it was refunded since

    @property
    def is_paid(self) -> bool:
        return self.status in PAID


@dataclass(frozen=True, slots=True)
class Notice:
    """A message that Alipay signed. ``problem`` says why it is not to be believed all the same."""

    params: Mapping[str, str]
    trade: Trade | None
    problem: str = ""

    def field(self, name: str, longest: int) -> str:
        """A field as received, for the record; cut to its column."""
        return self.params.get(name, "")[:longest]


class _Client(AliPay):
    """The SDK with a gateway of our choice, several accepted keys, its node cut found with a JSON parser,
    no redirects, a bounded answer, and RSA by OpenSSL, which takes a fraction of the SDK's time."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            settings.alipay_app_id,
            app_private_key_string=settings.alipay_app_private_key,
            alipay_public_key_string=settings.alipay_public_keys[0],
        )
        self._gateway = settings.alipay_gateway
        self._private_key: Any = load_pem_private_key(settings.alipay_app_private_key.encode(), None)
        self._public_keys: list[Any] = [load_pem_public_key(key.encode()) for key in settings.alipay_public_keys]
        self._opener = urllib.request.build_opener(NoRedirect)

    def _verify(self, raw_content: str, signature: str) -> bool:
        # the SDK knows one key; while Alipay's is rotated there are two
        return any(_is_signed(raw_content, signature, key) for key in self._public_keys)

    def _sign(self, unsigned_string: str) -> str:
        signature = self._private_key.sign(unsigned_string.encode(), padding.PKCS1v15(), hashes.SHA256())
        return b64encode(signature).decode()

    def _get_string_to_be_signed(self, raw_string: str, response_type: str) -> str:
        start = raw_string.index("{", raw_string.index(f'"{response_type}"'))
        _, end = json.JSONDecoder().raw_decode(raw_string, start)
        return raw_string[start:end]

    def verified_sync_response(self, data: dict[str, Any], response_type: str) -> Any:
        url = f"{self._gateway}?{self.sign_data(data)}"
        with self._opener.open(url, timeout=TIMEOUT) as answer:
            raw = answer.read(LARGEST_ANSWER).decode()
        return self._verify_and_return_sync_response(raw, response_type)


def _is_signed(text: str, signature: str, key: Any) -> bool:
    try:
        key.verify(b64decode(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """For openers that go where they are sent, and nowhere else."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None  # urllib then raises HTTPError: the gateway has no reason to send us elsewhere


@lru_cache(maxsize=4)
def _client(settings: Settings) -> _Client:
    return _Client(settings)


class Alipay:
    """One merchant at one gateway."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def client(self) -> _Client:
        return _client(self.settings)

    # ------------------------------------------------------------ sending the buyer

    def biz_content(
        self, method: PaymentMethod, *, out_trade_no: str, amount: str, subject: str, expires_at: datetime
    ) -> dict[str, str]:
        """What an attempt freezes: asked for again word for word, however often (alipay.md 1.3)."""
        content = {
            "out_trade_no": out_trade_no,
            "product_code": METHODS[method][1],
            "total_amount": amount,
            "subject": subject,
            "time_expire": beijing(expires_at),
        }
        if method is PaymentMethod.WAP:
            content["quit_url"] = f"{self.settings.public_url}/orders"
        return content

    def pay_url(self, method: PaymentMethod, biz_content: Mapping[str, Any]) -> str:
        """Where to send the buyer: the frozen content, signed now. Makes no call."""
        base = self.settings.public_url
        query = self.client.client_api(
            METHODS[method][0],
            dict(biz_content),
            timestamp=beijing(clock.now()),
            return_url=f"{base}/alipay/return",
            notify_url=f"{base}/alipay/notify",
        )
        return f"{self.settings.alipay_gateway}?{query}"

    # ------------------------------------------------------------ what Alipay tells us

    def read_notice(self, params: Mapping[str, str]) -> Notice:
        """The notice in a posted form. Raises BadNotice unless Alipay's key signed exactly these fields."""
        self._check_signature(params)
        problem = self._problem_with(params)
        stored = {name: value.replace("\0", "�") for name, value in params.items()}  # PostgreSQL stores no NUL
        return Notice(stored, None if problem else _trade_of(params), problem)

    def read_return(self, params: Mapping[str, str]) -> str:
        """The ``out_trade_no`` of a browser's return. Raises BadNotice. It proves nothing about the payment."""
        self._check_signature(params)
        number = params.get("out_trade_no", "")
        if params.get("app_id") != self.settings.alipay_app_id or not re.fullmatch(FIELDS["out_trade_no"], number):
            raise BadNotice("a return for somebody else")
        return number

    def _check_signature(self, params: Mapping[str, str]) -> None:
        data = dict(params)
        sign = data.pop("sign", "")
        # the SDK edits what it is given, and fails in many ways on what nobody should have sent
        if not sign or data.get("sign_type") != "RSA2":
            raise BadNotice("no RSA2 signature")
        try:
            genuine = self.client.verify(data, sign)
        except Exception as error:
            raise BadNotice(f"unreadable signature: {type(error).__name__}") from error
        if not genuine:
            raise BadNotice("wrong signature")

    def _problem_with(self, params: Mapping[str, str]) -> str:
        if any("\0" in value for value in params.values()):
            return "a field with NUL"
        for name, pattern in FIELDS.items():
            if not re.fullmatch(pattern, params.get(name, ""), re.ASCII):
                return f"{name} is missing or malformed"
        if params["app_id"] != self.settings.alipay_app_id:
            return "for another app"
        if params["seller_id"] != self.settings.alipay_seller_id:
            return "for another seller"
        if params["trade_status"] not in KNOWN_STATUSES:
            return "an unknown trade status"
        return ""

    # ------------------------------------------------------------ what we ask

    def query(self, out_trade_no: str) -> Trade | None:
        """The trade as Alipay knows it now, None while nobody has begun to pay. Raises Unknown."""
        answer = self._call("alipay.trade.query", {"out_trade_no": out_trade_no})
        if answer.get("sub_code") == "ACQ.TRADE_NOT_EXIST":
            return None
        self._expect_success(answer)
        try:
            trade = Trade(
                out_trade_no=answer["out_trade_no"],
                trade_no=answer["trade_no"],
                status=answer["trade_status"],
                amount_fen=from_yuan(answer["total_amount"]),
                paid_time=_instant(answer.get("send_pay_date")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Unknown("an answer without its fields") from error
        if trade.out_trade_no != out_trade_no or trade.status not in KNOWN_STATUSES:
            raise Unknown("an answer about something else")
        return trade

    def close(self, out_trade_no: str) -> Close:
        """End an unpaid trade. Raises Unknown."""
        answer = self._call("alipay.trade.close", {"out_trade_no": out_trade_no})
        match answer.get("sub_code"):
            case "ACQ.TRADE_NOT_EXIST":
                return Close.NOT_EXIST
            case "ACQ.TRADE_STATUS_ERROR" | "ACQ.REASON_TRADE_STATUS_INVALID":
                return Close.REFUSED
        self._expect_success(answer)
        return Close.CLOSED

    def refund(self, trade_no: str, out_request_no: str, *, amount_fen: int, reason: str) -> RefundAnswer:
        """Send money of a trade back; the same number and amount again moves nothing twice. Raises Unknown."""
        content = {
            "trade_no": trade_no,
            "out_request_no": out_request_no,
            "refund_amount": to_yuan(amount_fen),
            "refund_reason": reason,
        }
        answer = self._call("alipay.trade.refund", content)
        sub_code = str(answer.get("sub_code", ""))
        if sub_code in NOT_REFUNDED:
            return RefundAnswer(is_moved=False, refusal=sub_code)
        self._expect_success(answer)
        if answer.get("trade_no") != trade_no:
            raise Unknown("an answer about something else")
        return RefundAnswer(is_moved=answer.get("fund_change") == "Y")

    def refunded_fen(self, trade_no: str, out_request_no: str) -> int | None:
        """What moved back under this number, in fen; None while Alipay has not received it. Raises Unknown.

        Asked too early, Alipay may not know a refund that then succeeds: leave it 10 seconds.
        """
        answer = self._query_refund(trade_no, out_request_no)
        try:
            return from_yuan(answer["refund_amount"]) if answer else None
        except (KeyError, TypeError, ValueError) as error:
            raise Unknown("an answer without its fields") from error

    def refund_time(self, trade_no: str, out_request_no: str) -> datetime | None:
        """When money moved back under this number; None as long as Alipay does not say. Raises Unknown."""
        answer = self._query_refund(trade_no, out_request_no)
        return _instant(answer.get("gmt_refund_pay")) if answer else None

    def _query_refund(self, trade_no: str, out_request_no: str) -> dict[str, Any] | None:
        content = {"trade_no": trade_no, "out_request_no": out_request_no, "query_options": ["gmt_refund_pay"]}
        answer = self._call("alipay.trade.fastpay.refund.query", content)
        if str(answer.get("sub_code")).removeprefix("ACQ.") == "TRADE_NOT_EXIST":
            return None
        self._expect_success(answer)
        if not answer.keys() & {"refund_status", "refund_amount", "out_request_no"}:
            return None
        if (answer.get("trade_no"), answer.get("out_request_no")) != (trade_no, out_request_no):
            raise Unknown("an answer about something else")
        if answer.get("refund_status") != "REFUND_SUCCESS":
            raise Unknown("a refund that is not over")
        return answer

    def bill_url(self, day: date) -> str | None:
        """Where the bill of a day can be fetched for 30 seconds; None when Alipay has none. Raises Unknown."""
        content = {"bill_type": "trade", "bill_date": day.isoformat()}
        answer = self._call("alipay.data.dataservice.bill.downloadurl.query", content)
        if str(answer.get("sub_code")).rpartition(".")[2].upper() in NO_BILL:
            return None
        self._expect_success(answer)
        url = answer.get("bill_download_url")
        if not isinstance(url, str) or not url:
            raise Unknown("an answer without its fields")
        return url

    def _call(self, method: str, content: Mapping[str, Any]) -> dict[str, Any]:
        try:
            answer = self.client.server_api(method, dict(content), timestamp=beijing(clock.now()))
        except Exception as error:  # ten kinds of exception, all of which mean the same (alipay.md 5.5)
            log.warning("alipay call failed", method=method, error=type(error).__name__)
            raise Unknown(type(error).__name__) from error
        if not isinstance(answer, dict):
            raise Unknown("not an answer")
        log.info("alipay call", method=method, code=answer.get("code"), sub_code=answer.get("sub_code"))
        return answer

    @staticmethod
    def _expect_success(answer: Mapping[str, Any]) -> None:
        if answer.get("code") != "10000":
            raise Unknown(f"{answer.get('code')} {answer.get('sub_code')}")


def _trade_of(params: Mapping[str, str]) -> Trade:
    refund_fee = params.get("refund_fee", "0")
    return Trade(
        out_trade_no=params["out_trade_no"],
        trade_no=params["trade_no"],
        status=params["trade_status"],
        amount_fen=from_yuan(params["total_amount"]),
        is_refund="gmt_refund" in params or refund_fee.strip("0.") != "",
        refund_no=params.get("out_biz_no", "")[:64],
    )


def _instant(text: object) -> datetime | None:
    """The instant that Alipay writes in Beijing time, with or without milliseconds."""
    try:
        return datetime.fromisoformat(str(text)[:19]).replace(tzinfo=clock.SHANGHAI).astimezone(UTC)
    except ValueError:
        return None


def beijing(instant: datetime) -> str:
    """An instant as Alipay writes it: Beijing time, to the second, without a zone."""
    return clock.local(instant).strftime("%Y-%m-%d %H:%M:%S")
