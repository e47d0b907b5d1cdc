"""Prints what was measured: medians over the rounds, each beside its target."""

from __future__ import annotations

from statistics import median

from bench.apart import Apart
from bench.requests import REFERENCE, TARGETS, Figures, Rounds

HEAD = (
    f"{'':<26}{'CPU ms':>8}{'app':>8}{'db':>7}{'redis':>7}{'ratio':>8}{'target':>8}"
    f"{'req/s':>8}{'p50 ms':>8}{'p99 ms':>8}{'stmts':>7}{'reqs':>6}"
)


def show(side: str, rounds: Rounds, apart: Apart) -> None:
    print(f"\n{side}\n{HEAD}", flush=True)
    missed = [name for name, measured in rounds.items() if _show(name, measured, rounds[REFERENCE], apart)]
    print("apart, CPU ms each:")
    print(f"  log-in: password hash {apart.password_ms:.2f}")
    print(f"  checkout: RSA signature of the pay URL {apart.sign_ms:.2f} (part of the figures above)")
    print(f"  notify: RSA verification {apart.verify_ms:.2f}")
    print(f"over the target: {', '.join(missed) or 'nothing'}", flush=True)


def _show(name: str, measured: list[Figures], reference: list[Figures], apart: Apart) -> bool:
    """One line; whether it is over its target."""
    less = _apart_of(name, apart)
    ratio = median(_ratio(one, page, less) for one, page in zip(measured, reference, strict=True))
    target = TARGETS.get(name)
    columns = (
        f"{name:<26}{_middle(measured, 'cpu_ms') - less:>8.2f}{_middle(measured, 'application_ms') - less:>8.2f}"
        f"{_middle(measured, 'database_ms'):>7.2f}{_middle(measured, 'redis_ms'):>7.2f}"
        f"{ratio:>7.1f}×{f'{target:.1f}×' if target else '':>8}"
        f"{_middle(measured, 'per_second'):>8.0f}{_middle(measured, 'p50_ms'):>8.1f}{_middle(measured, 'p99_ms'):>8.1f}"
        f"{_middle(measured, 'statements'):>7.0f}{measured[0].requests:>6}"
    )
    print(columns, flush=True)
    return target is not None and ratio > target


def _apart_of(name: str, apart: Apart) -> float:
    return {"whole purchase": apart.password_ms, "notify": apart.verify_ms}.get(name, 0.0)


def _ratio(one: Figures, page: Figures, less_ms: float) -> float:
    """CPU in pages of 15 KB of the same round."""
    return (one.cpu_ms - less_ms) / page.cpu_ms


def _middle(measured: list[Figures], what: str) -> float:
    return median(getattr(one, what) for one in measured)
