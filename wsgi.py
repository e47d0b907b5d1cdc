"""The WSGI entry: ``granian --interface wsgi wsgi:app`` or ``gunicorn wsgi:app``."""

from shop import create_app

app = create_app()
