"""The settlement's page, as two blueprints show it: on its own, and when a checkout was refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import render_template
from flask_babel import gettext as _

from shop import clock
from shop.errors import ShopError
from shop.forms import Form
from shop.services.settlement import SettlementLine, SettlementView


@dataclass(frozen=True, slots=True)
class Change:
    """What a line cost on the page that was sent, where that differs from now (fen)."""

    list_fen: int
    price_fen: int


def render(
    view: SettlementView,
    *,
    refusal: ShopError | None = None,
    problem: str = "",
    seen: Mapping[int, Mapping[str, int]] | None = None,
    shown_fen: int | None = None,
) -> str:
    """The page; after a refusal with its reason, what every line cost before, and the amount that was shown."""
    changes = {line.product_id: _change(line, (seen or {}).get(line.product_id)) for line in view.lines}
    return render_template(
        "settlement/page.html",
        view=view,
        refusal=refusal,
        problem=problem,
        changes={product_id: change for product_id, change in changes.items() if change},
        shown_fen=shown_fen,
        seconds_left=int((view.expires_at - clock.now()).total_seconds()),
    )


def problems(form: Form) -> str:
    """What is wrong with a form, in one line."""
    return _("；").join(str(error) for errors in form.errors.values() for error in errors)


def _change(line: SettlementLine, seen: Mapping[str, int] | None) -> Change | None:
    if seen is None or (seen["list"], seen["price"]) == (line.list_fen, line.price_fen):
        return None
    return Change(seen["list"], seen["price"])
