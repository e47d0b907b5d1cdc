"""The WSGI entry: ``granian --interface wsgi wsgi:app`` or ``gunicorn wsgi:app``."""

from __future__ import annotations

import os

from shop import create_app, startup

app = create_app()

# Flask sets this for its commands. Those must start on any database (db upgrade); a server only on the right one.
if os.environ.get("FLASK_RUN_FROM_CLI") != "true":
    startup.check(app.extensions["settings"])
