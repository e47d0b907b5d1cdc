"""How much CPU a set of processes has used, by the kernel's account of each process (Linux)."""

from __future__ import annotations

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def used_ms(root: int) -> float:
    """Milliseconds of CPU that a process, its descendants and the children they outlived have used so far."""
    return sum(_of(pid) for pid in tree(root))


def tree(root: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _of(pid: int) -> float:
    try:
        # The process's own CPU clock: what utime + stime of /proc/<pid>/stat say, in nanoseconds instead of ticks.
        own = time.clock_gettime_ns((~pid << 3) | 2) / 1e6
    except OSError:  # gone meanwhile: its parent has its time
        return 0.0
    fields = _stat(pid)
    ended_children = (int(fields[13]) + int(fields[14])) / TICKS * 1000 if fields else 0.0
    return own + ended_children


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; [] for a process that is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()
