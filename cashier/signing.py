"""RSA2 (SHA256withRSA, PKCS#1 v1.5) and the strings it is applied to (alipay.md 1.4, 3.2)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def plain_text(params: Mapping[str, str], *, without: Iterable[str] = ("sign",)) -> str:
    """``k=v&k=v`` of the non-empty parameters, sorted by name, values raw.

    A request is signed with its sign_type; a return and a notification without it (``without=("sign", "sign_type")``).
    """
    left_out = set(without)
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if params[name] and name not in left_out)


def sign(text: str, key: rsa.RSAPrivateKey, charset: str = "utf-8") -> str:
    signature = key.sign(text.encode(charset), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def is_signed(text: str, signature: str, key: rsa.RSAPublicKey, charset: str = "utf-8") -> bool:
    try:
        key.verify(
            base64.b64decode(signature, validate=True), text.encode(charset), padding.PKCS1v15(), hashes.SHA256()
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
