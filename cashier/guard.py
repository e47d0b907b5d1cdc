"""Who may make mischief: this machine only, and no page of another site in its browser."""

from __future__ import annotations

import ipaddress

from flask import abort, request

LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


def is_local() -> bool:
    """True for a request from this machine that no proxy passed on and that was sent to a local name.

    A proxy would make strangers look local; a foreign name means that a page elsewhere had its name pointed here.
    """
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    return (mapped or address).is_loopback and host in LOCAL_NAMES


def require_local() -> None:
    """403 for anybody else."""
    if not is_local():
        abort(403)
