"""The cost of a plan: hours, memory and disk, as ``--dry-run`` prints them."""

from __future__ import annotations

import csv
import json
import os
import statistics
from dataclasses import dataclass
from pathlib import Path

from dqn_tf import memory
from dqn_tf.config import RunConfig
from reproduce.formatting import plain, runs
from reproduce.places import DATA
from reproduce.planning.job import Job
from reproduce.planning.plan import Plan

# As measured on a run of dqn_dopamine (Breakout, 200,000 frames): two checkpoints of 65 MB beside the replay, which
# came out 90 times smaller than it is in memory.  Frames of agents that play well compress less: 20 is a guess.
CHECKPOINT_BYTES = 2 * 65_000_000
REPLAY_COMPRESSION = 20


@dataclass(frozen=True)
class Speed:
    """Training frames per second of one run, and how that is known."""

    frames_per_s: float
    source: str


def measured_speed(config: RunConfig, results: Path = DATA) -> Speed | None:
    """The speed of such a run as measured in results/.

    Args:
        config: of the run.
        results: the results folder.

    Returns:
        Median frames/s and its source; None if nothing like it was measured, or the file cannot be read.
    """
    try:
        if config.protocol is not None:
            measured = json.loads((results / "speed" / "versus_peers.json").read_text())["work"]["dqn"]["dqn_tf"]
            value = statistics.median(measured["frames_per_s"])
            return Speed(value, f"results/speed/versus_peers.json: {measured['preset']}, one run alone on a CPU")
        with open(results / "quickstart" / "times.csv", newline="") as file:
            rows = [r for r in csv.DictReader(file) if f"gym:{r['environment']}" == config.environment]
        pace = [int(r["frames"]) / float(r["wall_seconds"]) for r in rows]
        return Speed(statistics.median(pace), "results/quickstart/times.csv, on a CPU") if pace else None
    except (OSError, ValueError, KeyError):
        return None


def describe(plan: Plan, folder: Path, parallel: int | None, frames_per_s: float | None = None) -> str:
    """The grid and its cost, as ``dqn-tf reproduce --dry-run`` prints it.

    Args:
        plan: the runs.
        folder: where they will be; its free space is shown.
        parallel: runs at a time; None: one per core.
        frames_per_s: training frames per second of one run; None: as measured in results/.

    Returns:
        Several lines, without a newline at the end.
    """
    title = [plan.protocol.title, f"{plan.protocol.paper.title}: {plan.protocol.paper.reference}", ""]
    groups = [_group(jobs, frames_per_s) for jobs in _groups(plan.jobs)]
    heading = ("agent", "environments", "seeds", "runs", "frames each", "Atari protocol", "memory each", "hours each")
    lines = [plain([heading, *(g.row() for g in groups)]), ""] if groups else []
    count = runs(len(plan.jobs), plan.total)
    frames = sum(job.frames for job in plan.jobs)
    lines += [f"{count}, {frames:,} training frames (evaluation comes on top)"]
    if untrained := sum(len(g.jobs) for g in groups if not g.jobs[0].config.updates):
        lines.append(f"{untrained:,} of them end before learning begins (`min_replay_steps`): they train nothing")
    lines += _cost(groups, folder, parallel or cores(), frames_per_s is not None) if groups else []
    return "\n".join([*title, *lines, *([waiting(plan)] if plan.awaiting else [])])


@dataclass(frozen=True)
class _Group:
    """Runs of one agent in one grid: they differ in environment and seed."""

    jobs: list[Job]
    speed: Speed | None

    @property
    def hours(self) -> float | None:
        """Hours of one run; None if its speed is not known."""
        return self.jobs[0].frames / self.speed.frames_per_s / 3600 if self.speed else None

    @property
    def disk_bytes(self) -> tuple[int, int]:
        """Bytes on disk of all runs when they are finished: with the compression that is expected, and without any."""
        first = self.jobs[0]
        replay = memory.raw_bytes(first.config)
        fixed = CHECKPOINT_BYTES if first.config.protocol is not None else 0
        return len(self.jobs) * (fixed + replay // REPLAY_COMPRESSION), len(self.jobs) * (fixed + replay)

    def row(self) -> tuple[str, ...]:
        first = self.jobs[0]
        names, seeds = {j.environment for j in self.jobs}, {j.seed for j in self.jobs}
        protocol = first.protocol or ("-" if first.config.protocol is None else "the preset's")
        hours = "?" if self.hours is None else f"{self.hours:,.1f}"
        return (
            first.run_dir.parts[-3],
            _count(names),
            _count(seeds),
            f"{len(self.jobs):,}",
            f"{first.frames:,}",
            protocol,
            _gb(first.memory_bytes),
            hours,
        )


def _groups(jobs: tuple[Job, ...]) -> list[list[Job]]:
    groups: dict[tuple[str, int, str | None, tuple[str, ...]], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.run_dir.parts[-3], job.frames, job.protocol, job.settings), []).append(job)
    return list(groups.values())


def _group(jobs: list[Job], frames_per_s: float | None) -> _Group:
    if frames_per_s is not None:
        return _Group(jobs, Speed(frames_per_s, "--frames-per-second"))
    return _Group(jobs, measured_speed(jobs[0].config))


def _cost(groups: list[_Group], folder: Path, at_a_time: int, given: bool) -> list[str]:
    hours = sum(len(g.jobs) * (g.hours or 0.0) for g in groups)
    sources = dict.fromkeys(f"{g.speed.frames_per_s:,.0f} frames/s ({g.speed.source})" for g in groups if g.speed)
    unknown_speed = sum(len(g.jobs) for g in groups if g.speed is None)
    need = max(g.jobs[0].memory_bytes for g in groups)
    disk, raw = (sum(g.disk_bytes[i] for g in groups) for i in (0, 1))
    have, whose = memory.available()
    fit = max(1, have // need)
    gpu = f"{hours:,.1f}" if given else "not measured (--frames-per-second N: what you measured)"
    lines = [
        f"Hours of training, one run after another: {hours:,.1f}; {at_a_time} at a time: {hours / at_a_time:,.1f}",
        f"  at {'; '.join(sources) or 'an unknown speed'}",
        f"GPU-hours, where each run has a GPU of its own: {gpu}",
        f"Memory: up to {_gb(need)} a run, {_gb(need * at_a_time)} for {at_a_time} at a time; {_gb(have)} are {whose}"
        + (f", so {fit} at a time will be started here" if fit < at_a_time else ""),
        f"Disk: about {_gb(disk)}, at most {_gb(raw)} if the replays in the checkpoints do not compress; "
        f"{_gb(free_bytes(folder))} are free in {folder}",
    ]
    if unknown_speed:
        lines.insert(2, f"  without {unknown_speed:,} runs of which no speed is known (--frames-per-second N)")
    return lines


def waiting(plan: Plan) -> str:
    """The agents that cannot run yet, in a sentence."""
    return f"Not in it, because this version of dqn_tf does not have their presets yet: {', '.join(plan.awaiting)}"


def _count(values: set[str] | set[int]) -> str:
    return str(len(values)) if len(values) > 3 else ", ".join(str(v) for v in sorted(values, key=str))


def _gb(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def free_bytes(folder: Path) -> int:
    """Free disk where ``folder`` is or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
