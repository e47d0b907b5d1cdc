"""RSA keys in files: made at the first run, private to their owner, never part of the repository."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048


def ensure_pair(directory: Path, name: str) -> tuple[Path, Path]:
    """Paths of ``<name>_private.pem`` and ``<name>_public.pem``, both made if the private one is missing (PKCS#8).

    Safe to call from several processes at once: the first file linked into place is everybody's.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = directory / f"{name}_private.pem", directory / f"{name}_public.pem"
    if not private.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
        _write_once(
            private,
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
        )
    if not public.exists():
        _write_once(public, public_pem(load_private(private.read_text())))
    return private, public


def load_private(pem: str) -> rsa.RSAPrivateKey:
    """Raises ValueError unless the PEM text is an RSA private key."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA private key")
    return key


def load_public(pem: str) -> rsa.RSAPublicKey:
    """Raises ValueError unless the PEM text is an RSA public key."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA public key")
    return key


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def _write_once(path: Path, content: bytes) -> None:
    """Linking a finished temporary file is atomic: nobody reads half a key, and the first of several writers wins."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
