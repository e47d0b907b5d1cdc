"""What machines ask: is the process alive, can it work, how is it doing. None of it touches a session."""

from __future__ import annotations

import hmac

import redis
import structlog
from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shop.config import Settings
from shop.extensions import db
from shop.services import figures
from shop.services.figures import Figures
from shop.web import metrics

bp = Blueprint("operations", __name__)
log = structlog.get_logger("shop.operations")


@bp.get("/healthz")
def health() -> Response:
    """The process answers."""
    return _plain("ok")


@bp.get("/readyz")
def ready() -> tuple[Response, int]:
    """200 when database and Redis answer, else 503 and which one does not; details go to the log."""
    missing = [name for name, answers in (("database", _database_answers), ("redis", _redis_answers)) if not answers()]
    return _plain("\n".join(f"{name} down" for name in missing) or "ok"), 503 if missing else 200


@bp.get("/metrics", endpoint="metrics")
def show_metrics() -> Response:
    """Prometheus' text format for whoever knows METRICS_TOKEN; for everybody else there is no such page."""
    settings: Settings = current_app.extensions["settings"]
    expected, given = f"Bearer {settings.metrics_token}", request.headers.get("Authorization", "")
    if not settings.metrics_token or not hmac.compare_digest(given.encode(), expected.encode()):
        abort(404)
    return Response(metrics.exposition(_figures()), content_type="text/plain; version=0.0.4; charset=utf-8")


def _plain(text: str) -> Response:
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _figures() -> Figures | None:
    """None while the database is down: the counters of the web processes are wanted then more than ever."""
    try:
        return figures.read()
    except SQLAlchemyError as error:
        log.error("database down", error=type(error).__name__)
        db.session.remove()
        return None


def _database_answers() -> bool:
    try:
        db.session.execute(select(1))
    except SQLAlchemyError as error:
        log.error("database down", error=type(error).__name__)
        db.session.remove()
        return False
    return True


def _redis_answers() -> bool:
    try:
        current_app.extensions["redis"].ping()
    except redis.RedisError as error:
        log.error("redis down", error=type(error).__name__)
        return False
    return True
