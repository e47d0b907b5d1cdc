"""``create_app`` puts the shop's parts together; the only place that knows them all."""

from __future__ import annotations

from flask import Flask

import shop.gateways.alipay  # noqa: F401  first: importing the SDK closes every log handler there is
from shop import cli, models, web  # noqa: F401  models: the tables must be known to the extensions
from shop.blueprints import (
    account,
    cart,
    catalogue,
    checkout,
    coupons,
    degree,
    earnings,
    grading,
    homework,
    learning,
    mentor,
    messages,
    operations,
    orders,
    outbox,
    own_data,
    password_reset,
    payment,
    questions,
    refunds,
    rewards,
    road,
    second_factor,
    settlement,
    wallet,
)
from shop.blueprints import staff as staff_pages
from shop.config import Settings
from shop.extensions import csrf, db, migrate
from shop.gateways.redis_client import connect
from shop.web import upload_limit

BLUEPRINTS = (
    catalogue,
    coupons,
    account,
    second_factor,
    password_reset,
    own_data,
    outbox,
    cart,
    settlement,
    checkout,
    payment,
    orders,
    refunds,
    wallet,
    messages,
    learning,
    degree,
    road,
    homework,
    questions,
    rewards,
    mentor,
    grading,
    earnings,
    operations,
    *staff_pages.AREAS,
)


def create_app(settings: Settings | None = None) -> Flask:
    """A shop with the given settings, or with those of the environment.

    Raises ConfigError when the environment is not fit; touches neither database nor Redis.
    """
    settings = settings or Settings.from_env()
    app = Flask("shop")
    app.config.update(web.flask_config(settings))
    app.extensions["settings"] = settings
    app.extensions["redis"] = connect(settings.redis_url)
    db.init_app(app)
    migrate.init_app(app, db, directory=str(settings.migrations), render_as_batch=True)
    upload_limit.init_app(app)
    csrf.init_app(app)
    web.init_app(app)  # Babel and Flask-Login too
    for module in BLUEPRINTS:
        app.register_blueprint(module.bp)
    cli.init_app(app)
    return app
