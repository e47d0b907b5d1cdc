"""``bin/bench``: all that is measured, or with ``--quick`` a first look at it.

python -m bench [--quick] [pages|big|audit|staff|pricing …]
"""

from __future__ import annotations

import argparse
import logging

from bench import apart, audit, big, pricing, staff, table
from bench.parts import on_embedded_parts, on_servers
from bench.requests import Bench

WARM_UP = 24
PARTS = ("pages", "big", "audit", "staff", "pricing")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/bench", description="What the shop costs: docs/performance.md.")
    parser.add_argument("--quick", action="store_true", help="a first look in a minute: fewer and shorter rounds")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all when none is named")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    logging.disable(logging.INFO)  # the parts' own log lines; the shop that is measured writes its to a file
    measure = dict(zip(PARTS, (_pages, _big, _audit, _staff, lambda _quick: pricing.main()), strict=True))
    for name in given.parts or PARTS:
        measure[name](given.quick)


def _pages(quick: bool) -> None:
    count, rounds = (30, 1) if quick else (100, 5)
    for side_of in (on_servers, on_embedded_parts):
        with side_of() as side:
            Bench(side, WARM_UP).round()  # both workers have compiled and prepared what they send
            bench = Bench(side, count)
            for _ in range(rounds):
                bench.round()
            table.show(side.name, bench.rounds, apart.measure(side.app))


def _big(quick: bool) -> None:
    big.main((1_000, 100_000) if quick else (1_000, 1_000_000))


def _audit(quick: bool) -> None:
    audit.main(100_000 if quick else 1_000_000)


def _staff(quick: bool) -> None:
    staff.main((1_000, 100_000) if quick else (1_000, 1_000_000))


if __name__ == "__main__":
    main()
