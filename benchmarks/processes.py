"""What Linux says of processes and of the machine: time, memory, descendants."""

from __future__ import annotations

import os
from pathlib import Path


def busy_seconds() -> float:
    """Core-seconds that this machine was busy, or was refused by its host, since it started."""
    jiffies = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = jiffies[:8]
    return (user + nice + system + irq + softirq + steal) / float(os.sysconf("SC_CLK_TCK"))


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = " ".join(_text(p) for p in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return [pid, *(p for child in children for p in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Core-seconds that a process has used; 0 if it has ended."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK")) if fields else 0.0


def memory(pid: int) -> int:
    """Resident bytes; of a shared page, its part.  0 if the process has ended."""
    return _rollup(pid, "Pss")


def resident(pid: int) -> int:
    """Resident bytes, shared pages counted whole."""
    return _rollup(pid, "Rss")


def own_memory(pid: int) -> int:
    """Resident bytes that are no file's: what a process asked for, whoever else has the same libraries loaded."""
    return _rollup(pid, "Anonymous")


def _rollup(pid: int, name: str) -> int:
    lines = _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)


def _text(path: Path) -> str:
    """What a file of /proc says, "" if its process has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""
