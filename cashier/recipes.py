"""How one message is signed and, on demand, spoilt: before the signature (a valid lie) or after it (a forgery)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from cashier import keys, signing
from cashier.money import from_yuan, to_yuan

Fields = dict[str, str]
RecipeList = list[tuple[str, dict[str, Any]]]  # fault kinds with their arguments
Change = Callable[[Fields, dict[str, Any]], Fields]
OPTIONAL = (
    "auth_app_id",
    "buyer_id",
    "buyer_logon_id",
    "seller_email",
    "gmt_create",
    "fund_bill_list",
    "receipt_amount",
    "buyer_pay_amount",
    "invoice_amount",
    "point_amount",
    "body",
    "passback_params",
    "version",
)


def signed(fields: Fields, recipes: RecipeList, key: rsa.RSAPrivateKey) -> Fields:
    """The parameters to send. ``recipes`` are fault kinds with their arguments; none means the genuine message."""
    charset = fields.get("charset", "utf-8")
    sent = fields | {"sign_type": "RSA2"}
    for kind, args in recipes:
        if kind in BEFORE:
            sent = BEFORE[kind](sent, args)
        if kind == "notify_wrong_key":
            key = _other_key(args["private_key_file"])
    sent = {name: value for name, value in sent.items() if value}
    sent["sign"] = signing.sign(signing.plain_text(sent, without=("sign", "sign_type")), key, charset)
    for kind, args in recipes:
        if kind in AFTER:
            sent = AFTER[kind](sent, args)
    return sent


def _cent_less(fields: Fields, args: dict[str, Any]) -> Fields:
    less = to_yuan(from_yuan(fields["total_amount"]) - 1)
    amounts = ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount")
    return fields | {name: less for name in amounts if name in fields}


def _open_id(fields: Fields, args: dict[str, Any]) -> Fields:
    rest = {name: value for name, value in fields.items() if name != "buyer_id"}
    return rest | {"buyer_open_id": "0" + fields.get("buyer_id", "2088") + "kR7pQ"}


def _merged(sent: Fields, args: dict[str, Any]) -> Fields:
    """Fold a parameter into the one sorted before it: the signed text stays the same (safety.md 1.2)."""
    names = sorted(name for name in sent if name not in ("sign", "sign_type"))
    place = names.index(args["field"])
    before, gone = names[place - 1], names[place]
    rest = {name: value for name, value in sent.items() if name != gone}
    return rest | {before: f"{sent[before]}&{gone}={sent[gone]}"}


def _without(sent: Fields, *names: str) -> Fields:
    return {name: value for name, value in sent.items() if name not in names}


def _other_key(path: str) -> rsa.RSAPrivateKey:
    """The key in the file (such as the app's own), or one made for the occasion."""
    if path:
        return keys.load_private(Path(path).read_text())
    return rsa.generate_private_key(public_exponent=65537, key_size=keys.BITS)


BEFORE: dict[str, Change] = {
    "notify_cent_less": _cent_less,
    "notify_other_app": lambda sent, args: sent | {"app_id": args["app_id"], "auth_app_id": args["app_id"]},
    "notify_other_seller": lambda sent, args: sent | {"seller_id": args["seller_id"]},
    "notify_unknown_order": lambda sent, args: sent | {"out_trade_no": sent["out_trade_no"] + "X"},
    "notify_extra_field": lambda sent, args: sent | {args["name"]: '值 {"a":1}/&='},
    "notify_open_id": _open_id,
    "notify_missing_optional": lambda sent, args: _without(sent, *OPTIONAL),
    "notify_other_trade_no": lambda sent, args: sent | {"trade_no": args["trade_no"]},
}
AFTER: dict[str, Change] = {
    "notify_forged": lambda sent, args: sent | {"sign": base64.b64encode(secrets.token_bytes(256)).decode()},
    "notify_wrong_sign_type": lambda sent, args: sent | {"sign_type": args["sign_type"]},
    "notify_no_sign": lambda sent, args: _without(sent, "sign"),
    "notify_truncated_sign": lambda sent, args: sent | {"sign": sent["sign"][:-7]},  # no longer whole base64
    "notify_tampered": lambda sent, args: sent | {"total_amount": args["amount"]},
    "return_tampered": lambda sent, args: sent | {"total_amount": args["amount"]},
    "notify_merged": _merged,
}
RECIPES = BEFORE.keys() | AFTER.keys() | {"notify_wrong_key"}
