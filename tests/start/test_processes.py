"""Design 3: the parts of the demo start as one and stop as one."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shop import processes
from shop.processes import Child, Processes, StartError

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
WITH_A_WORKER = f"""
import socket, subprocess, sys, time
port = socket.create_server(("127.0.0.1", 0))
worker = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], pass_fds=[port.fileno()])
print(port.getsockname()[1], flush=True)
worker.wait()
"""


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Processes]:
    parts = Processes(tmp_path / "logs")
    yield parts
    parts.stop()


def wait_for_log(child: Child) -> str:
    end = time.monotonic() + 10
    while not (text := child.log.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    return text


def is_listened_to(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def test_a_part_that_dies_is_named_with_the_end_of_its_log(parts: Processes):
    parts.start("web", ["-c", SLEEP])
    jobs = parts.start("jobs", ["-c", "print('no database'); raise SystemExit(3)"])
    jobs.process.wait()
    with pytest.raises(StartError, match=r"(?s)jobs ended with 3.*no database"):
        parts.demand_alive()


def test_stopping_ends_the_workers_of_a_part_too(parts: Processes):
    web = parts.start("web", ["-c", WITH_A_WORKER])
    port = int(wait_for_log(web))
    web.process.kill()  # the leader alone: its worker goes on and keeps the port
    web.process.wait()
    assert is_listened_to(port)
    parts.stop()
    end = time.monotonic() + 5
    while is_listened_to(port) and time.monotonic() < end:
        time.sleep(0.1)  # not so often that the unanswered connections fill the backlog, which looks like no listener
    assert not is_listened_to(port)


def test_a_part_that_does_not_listen_is_ended_after_the_grace_time(parts: Processes, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.2)
    deaf = parts.start("jobs", ["-c", STUBBORN])
    wait_for_log(deaf)
    parts.stop()
    assert deaf.process.returncode == -9


def test_the_log_of_the_run_before_is_kept(parts: Processes):
    for word in ("first", "second"):
        parts.start("web", ["-c", f"print({word!r})"]).process.wait()
    assert (parts.logs / "web.log").read_text() == "second\n"
    assert (parts.logs / "web.log.1").read_text() == "first\n"


def test_a_taken_port_is_one_sentence():
    with socket.create_server((processes.HOST, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"^Port {port} cannot be used"):
            processes._demand_free(port)


def test_two_launchers_do_not_share_one_folder(tmp_path: Path):
    first = processes._only_one(tmp_path)
    with first, pytest.raises(StartError, match="already runs"), processes._only_one(tmp_path):
        pass
    with processes._only_one(tmp_path):  # free again
        pass


def test_faults_in_the_settings_are_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PORT", "no")
    monkeypatch.setattr(processes.signal, "signal", lambda *_: None)
    assert processes.main() == 1
    assert "PORT must be a whole number" in capsys.readouterr().err


def test_parts_run_with_the_launchers_own_python(parts: Processes):
    child = parts.start("web", ["-c", "import sys; print(sys.executable)"])
    child.process.wait()
    assert child.log.read_text().strip() == sys.executable
