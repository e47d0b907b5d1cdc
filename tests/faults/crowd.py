"""Crowds without luck: real processes, held at a write barrier until all have passed their checks (safety.md)."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from shop import create_app
from shop.config import Settings
from shop.web.flask_config import POSTGRES_LIMITS
from tests.faults.barrier import SECONDS, barrier, until_waiting

PROCESSES = 2
THREADS = 12  # in each process; a connection each, below the pool's fifteen


class Crowd:
    """Many callers in processes of their own, each process with a shop of its own."""

    def __init__(self, settings: Settings) -> None:
        self._pool = ProcessPoolExecutor(
            PROCESSES, multiprocessing.get_context("spawn"), initializer=_prepare, initargs=(settings,)
        )

    def outcomes(
        self,
        table: str,
        task: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        waiting: int = PROCESSES * THREADS,
    ) -> Counter[str]:
        """What became of the calls of a task, all made at once: how often "done", how often which exception.

        No write to the table happens before as many callers wait for it, by default as many as there are threads.
        """
        return self.outcomes_behind(barrier(table), task, calls, waiting)

    def outcomes_behind(
        self,
        held: AbstractContextManager[None],
        task: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        waiting: int,
    ) -> Counter[str]:
        """The same behind whatever else holds the callers up, until as many of them wait for it."""
        for ready in [self._pool.submit(time.sleep, 0.2) for _ in range(PROCESSES)]:
            ready.result()
        with held:
            shares = [self._pool.submit(_call_all, task, calls[i::PROCESSES]) for i in range(PROCESSES)]
            until_waiting(waiting)
        return sum((share.result() for share in shares), Counter())

    def go_home(self) -> None:
        self._pool.shutdown()


_shop: Any = None  # of a process of the crowd


def _prepare(settings: Settings) -> None:
    global _shop
    # On a slow machine the first to arrive would be sent away before the last one comes.
    POSTGRES_LIMITS.update(lock_timeout=2_000 * SECONDS, statement_timeout=2_000 * SECONDS)
    _shop = create_app(settings)


def _call_all(task: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> Counter[str]:
    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(threads.map(lambda call: _outcome(task, call), calls))


def _outcome(task: Callable[..., Any], call: tuple[Any, ...]) -> str:
    with _shop.app_context():
        try:
            task(*call)
        except Exception as error:  # whatever it is, the test wants its name
            return type(error).__name__
        return "done"
