"""``cashier.wsgi:app`` for a production-like WSGI server."""

from __future__ import annotations

from cashier import create_app

app = create_app()
