"""RSA keys as PEM text: what Alipay's tools hand out made uniform, and the demo's own pairs."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SMALLEST_BITS = 2048
PEM_LINES = re.compile(r"-----[^-]+-----|\s+")


def private_pem(text: str) -> str:
    """PKCS#8 PEM of an RSA private key given as PEM or as the bare base64 that Alipay's key tool shows.

    Raises ValueError with what is wrong (never with key material).
    """
    key = _load(text, lambda der: serialization.load_der_private_key(der, password=None))
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SMALLEST_BITS:
        raise ValueError(f"not an RSA private key of at least {SMALLEST_BITS} bits")
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_pem(text: str) -> str:
    """PEM of an RSA public key given as PEM or bare base64. Raises ValueError."""
    key = _load(text, serialization.load_der_public_key)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < SMALLEST_BITS:
        raise ValueError(f"not an RSA public key of at least {SMALLEST_BITS} bits")
    return _public_text(key)


def public_of(private: str) -> str:
    """The public half of a private key's PEM text, as PEM."""
    key = serialization.load_pem_private_key(private.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA private key")
    return _public_text(key.public_key())


def ensure_private_pem(path: Path) -> str:
    """The private key kept in ``path``, made at the first call (2048 bits, readable by its owner only)."""
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=SMALLEST_BITS)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_once(path, pem)
    return path.read_text()


def ensure_secret(path: Path) -> str:
    """The random secret kept in ``path`` (64 hexadecimal digits), made at the first call."""
    if not path.exists():
        write_once(path, secrets.token_hex(32).encode())
    return path.read_text().strip()


def write_once(path: Path, content: bytes) -> None:
    """Put a file there whole and private, unless it exists: of several processes exactly one wins.

    A link to a finished temporary file is atomic, so nobody reads half a key.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.link(name, path)
    except FileExistsError:
        pass  # another process was first, its key counts
    finally:
        os.unlink(name)


def _load(text: str, loader: Callable[[bytes], object]) -> object:
    try:
        return loader(base64.b64decode(PEM_LINES.sub("", text), validate=True))
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm):
        raise ValueError("not a key in PEM or base64 form") from None


def _public_text(key: rsa.RSAPublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()
