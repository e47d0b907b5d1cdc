"""Fen inside, yuan text outside."""

from __future__ import annotations

import re

AMOUNT = re.compile(r"\d{1,9}(\.\d{1,2})?", re.ASCII)


def to_yuan(fen: int) -> str:
    """``"88.80"``; negative amounts (bills) keep their sign."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def from_yuan(value: object) -> int:
    """Fen of a JSON amount (``"88.80"``, ``88.8``). Raises ValueError unless it has at most two decimals."""
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not AMOUNT.fullmatch(text):
        raise ValueError(f"not an amount: {text}")
    yuan, _, rest = text.partition(".")
    return int(yuan) * 100 + int(rest.ljust(2, "0"))
