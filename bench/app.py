"""What ``bin/bench`` serves: the shop, one page to compare it with, and how many statements each answer took.

The page to compare with is 15 KB of Jinja rendered from memory. It comes twice: from the shop's own app, through all of
its plumbing (``/bench/page``), and from an app with nothing in it but that page (``/bench/bare``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from wsgi import app

ROWS = [
    {"id": number, "name": f"课程 {number} <Python & Web>", "brief": "从第一行代码到上线。" * 3, "price": number * 100}
    for number in range(1, 56)
]
PAGE = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>{{ title }}</title></head><body>
<header><nav><a href="/">首页</a> <a href="/courses">课程</a> <a href="/cart">购物车</a></nav></header>
<main><h1>{{ title }}</h1><ul>
{% for row in rows %}
<li class="card{{ " card--new" if row.id > 50 }}"><a href="/courses/{{ row.id }}"><h2>{{ row.name }}</h2></a>
<p>{{ row.brief }}</p><p class="price">{{ "%.2f" | format(row.price) }} 元</p></li>
{% endfor %}
</ul></main></body></html>"""
COUNTED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")

_sent = threading.local()  # an answer is made in one thread


@event.listens_for(Engine, "before_cursor_execute")
def _count(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    if statement.split(maxsplit=1)[0].upper() in COUNTED:
        _sent.count = getattr(_sent, "count", 0) + 1


def _with_count(serve: Any) -> Any:
    """The app with the number of statements (BEGIN, COMMIT and the like left out) in a header of each answer."""

    def counted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        _sent.count = 0

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("X-Statements", str(_sent.count))], *more)

        answer: Iterable[bytes] = serve(environ, start)
        return answer

    return counted


def _add_page(to: Flask, path: str) -> None:
    template = to.jinja_env.from_string(PAGE)
    to.add_url_rule(path, "bench_page", lambda: template.render(title="比较用的页面", rows=ROWS))


_bare = Flask("bare")
_add_page(_bare, "/")
_add_page(app, "/bench/page")
app.wsgi_app = _with_count(DispatcherMiddleware(app.wsgi_app, {"/bench/bare": _bare}))  # type: ignore[method-assign]
