"""The progress of a sweep, read from small files alone: thousands of runs in a moment, from any machine."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dqn_tf.checks import ConfigError, RunError
from dqn_tf.training.run_dir import read_json
from reproduce import formatting
from reproduce.executing import jobs
from reproduce.executing.sweep import planned_runs
from reproduce.formatting import plain
from reproduce.planning import job

STATES = ("complete", "running", "failed", "stopped", "waiting")
START_SECONDS = 180.0  # a log younger than this, without a run directory: TensorFlow is being loaded
MOST = 20  # runs listed by name for each state


@dataclass(frozen=True)
class RunStatus:
    """One run of a plan.  state: one of STATES; "stopped": begun, not finished, and held by no process."""

    agent: str
    environment: str
    seed: int
    frames: int
    done: int
    state: str
    path: Path

    @property
    def name(self) -> str:
        return f"{self.agent} {self.environment} seed {self.seed}"


def describe(folder: Path) -> str:
    """What ``dqn-tf status`` prints.

    Args:
        folder: a sweep's folder, or one that holds some.

    Returns:
        Several lines, without a newline at the end.

    Raises:
        ConfigError: no sweep is there.
    """
    homes = [folder] if (folder / "plan.csv").exists() else sorted(p.parent for p in folder.glob("*/plan.csv"))
    if not homes:
        raise ConfigError(f"Expected a folder of `dqn-tf reproduce`, got {folder}: no plan.csv is in it or below it.")
    return "\n\n".join(_describe(home, collect(home)) for home in homes)


def collect(home: Path) -> list[RunStatus]:
    """The state of every run that was asked for."""
    found = []
    for agent, environment, seed, frames in planned_runs(home):
        path = home / agent / environment / f"seed_{seed}"
        state, done = _state(path, frames)
        found.append(RunStatus(agent, environment, seed, frames, done, state, path))
    return found


def _state(path: Path, frames: int) -> tuple[str, int]:
    if (path / "summary.json").exists():
        return "complete", frames
    log = job.log_of(path)
    if not path.exists():
        if not log.exists():
            return "waiting", 0
        return ("running" if time.time() - log.stat().st_mtime < START_SECONDS else "failed"), 0
    done = job.frames_done(path)
    if job.owner(path):
        return "running", done
    try:
        status = read_json(path / "manifest.json").get("status")
    except (RunError, AttributeError):
        status = None
    return ("failed" if status == "failed" else "stopped"), done


def _describe(home: Path, runs: list[RunStatus]) -> str:
    frames, done = sum(r.frames for r in runs), sum(r.done for r in runs)
    counts = Counter(r.state for r in runs)
    states = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    lines = [
        f"{home}: {formatting.runs(len(runs))}, {states}; {done:,} of {frames:,} frames ({done / max(1, frames):.1%})",
        "",
    ]
    rows: list[tuple[str, ...]] = [("agent", "runs", *STATES, "frames")]
    for agent in dict.fromkeys(r.agent for r in runs):
        own = [r for r in runs if r.agent == agent]
        counted = Counter(r.state for r in own)
        share = sum(r.done for r in own) / max(1, sum(r.frames for r in own))
        rows.append((agent, f"{len(own):,}", *(f"{counted[state]:,}" for state in STATES), f"{share:.1%}"))
    lines.append(plain(rows))
    for state in ("running", "stopped", "failed"):
        lines += _listed(state, [r for r in runs if r.state == state])
    return "\n".join(lines)


def _listed(state: str, runs: list[RunStatus]) -> list[str]:
    if not runs:
        return []
    lines = ["", f"{state}:"]
    for run in runs[:MOST]:
        lines.append(f"  {run.name}: {run.done:,} of {run.frames:,} frames ({run.done / run.frames:.0%})")
        if state == "failed":
            lines.append(jobs.tail(job.log_of(run.path), 1))
    return [*lines, *([f"  and {len(runs) - MOST:,} more"] if len(runs) > MOST else [])]
