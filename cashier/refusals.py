"""How the gateway says no: one exception, answered as a signed node or as a page for the buyer."""

from __future__ import annotations

MESSAGES = {
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40006": "Insufficient Permissions",
}


class Refused(Exception):
    """Alipay's answer to a request it does not carry out; ``is_signed`` is False where the real one cannot sign."""

    def __init__(self, sub_code: str, sub_msg: str, *, code: str = "40004", is_signed: bool = True) -> None:
        super().__init__(f"{code} {sub_code}")
        self.code, self.sub_code, self.sub_msg, self.is_signed = code, sub_code, sub_msg, is_signed

    def node(self) -> dict[str, str]:
        return {"code": self.code, "msg": MESSAGES[self.code], "sub_code": self.sub_code, "sub_msg": self.sub_msg}


def invalid_parameter(detail: str) -> Refused:
    return Refused("ACQ.INVALID_PARAMETER", f"参数有误：{detail}")


def trade_not_exist() -> Refused:
    return Refused("ACQ.TRADE_NOT_EXIST", "交易不存在")
