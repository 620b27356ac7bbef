"""More frames for a finished run: a new run that begins with a checkpoint of the old one.

No schedule depends on the budget: schedules count steps, updates or transitions.  So the new run has the bytes of a run
that had the larger budget from the start.  One thing depends on where a budget ends: the iteration that it
cuts short is closed and evaluated there.  Runs therefore save one step before such an end, and the extension begins
with that checkpoint.  Where it is missing, the difference is reported.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.training.checkpoint import Columns, Store
from dqn_tf.training.run_dir import read_json, read_manifest, write_bytes

TABLES = ("episodes", "iterations")
OWN = (
    "config_hash",
    "promise",
    "scope",
    "rom_md5",
    "deviations",
    "environment_trial",
    "status",
    "sessions",
    "checkpointed",
)  # entries of a manifest that a run makes itself


class Parent(NamedTuple):
    """The checkpoint of another run with which a run begins.

    Attributes:
        checkpoint: its folder.
        state: its content.
        read_piece: gives a piece, arrays by name, by its hash.
        difference: from a run that had this budget from the start, in words; "" if there is none.
    """

    checkpoint: Path
    state: dict[str, Any]
    read_piece: Callable[[str], Columns]
    difference: str


def last_step(config: RunConfig) -> int:
    """The agent step, before the end of the budget, whose checkpoint a run with a larger budget could continue from.

    Returns:
        The step; 0 if the budget ends with an iteration, so that the last checkpoint serves.
    """
    at_once = getattr(config.agent.execution, "environments", 1)
    return config.steps - at_once if config.steps % config.iteration_steps else 0


def check(parent: Path, config: RunConfig) -> None:
    """Check that a run can begin with the checkpoint of another one.

    Args:
        parent: directory of the other run.
        config: of the new run.

    Raises:
        ConfigError: it is not the parent's configuration with more frames, or the parent has no checkpoint.
    """
    there = _config(parent)
    ours, theirs = (fields.to_json(c, whole=True) for c in (config, there))
    if differing := [d for d in fields.differences(theirs, ours) if d[0] != "frames"]:
        lines = [f"  {name.removeprefix('agent.')}: {old!r} there, {new!r} asked for" for name, old, new in differing]
        raise ConfigError(
            f"Expected the run of {parent} with another budget only, got other settings:\n" + "\n".join(lines)
        )
    expect(
        config.frames > there.frames, f"more than the {there.frames:,} frames of {parent}", "--frames", config.frames
    )
    if not Store(parent / "checkpoints", there.hash).found():
        raise ConfigError(f"Expected a checkpoint in {parent} to begin with, found none.")


def manifest_of(parent: Path | None, now: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a new run.

    Args:
        parent: directory of the run that it extends; None: it extends none.
        now: the entries of any new run.

    Returns:
        These entries; of an extension with the parent's scope, name and notes.
    """
    if parent is None:
        return {**now, "sessions": []}
    its_manifest = read_manifest(parent / "manifest.json")
    summary = read_json(parent / "summary.json") if (parent / "summary.json").exists() else {}
    digest = summary.get("state_digest") if isinstance(summary, dict) else None
    about = {
        "config_hash": its_manifest["config_hash"],
        "frames": _config(parent).frames,
        "state_digest": digest,
        "code_sha256": sorted({*(s["code_sha256"] for s in its_manifest["sessions"]), *_codes(its_manifest)}),
        "run_dir": str(parent),
    }
    noted = {key: value for key, value in its_manifest.items() if key not in OWN}
    return {**now, **noted, "scope": its_manifest["scope"], "parent": about, "sessions": []}


def _codes(manifest: dict[str, Any]) -> list[str]:
    return list((manifest.get("parent") or {}).get("code_sha256", []))


def codes(manifest: dict[str, Any]) -> set[str]:
    """The hashes of all code that worked on a run and its parents."""
    return {*(session["code_sha256"] for session in manifest["sessions"]), *_codes(manifest)}


@contextlib.contextmanager
def held(parent: Path | None) -> Iterator[None]:
    """A context in which no process trains the parent.

    Raises:
        RunError: one does.
    """
    if parent is None or not (parent / ".lock").exists():
        yield
        return
    with open(parent / ".lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"{parent} is in use by {lock.read().strip() or 'another process'}. Wait for it.") from error
        yield


def begin(parent: Path, run_dir: Path, config: RunConfig, say: Callable[[str], None]) -> Parent:
    """The checkpoint to begin with; its tables are copied.

    Args:
        parent: directory of the run that is extended.
        run_dir: directory of the new run.
        config: of the new run.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        The checkpoint, and in what the run will differ from one that had its budget from the start.

    Raises:
        RunError: there is no checkpoint, or none verifies.
    """
    store = Store(parent / "checkpoints", _config(parent).hash)
    whole = store.load(say, suits=lambda state: not _cut_short(state, config))
    loaded = whole or store.load(say)
    if loaded is None:
        raise RunError(f"Expected a checkpoint in {parent}, found none.")
    path, state, read_piece = loaded
    for name in TABLES:
        data = (parent / f"{name}.csv").read_bytes()[: int(state["tables"][name]["bytes"])]
        write_bytes(run_dir / f"{name}.csv", data)
    return Parent(path, state, read_piece, "" if whole else _difference(state, config))


def _cut_short(state: dict[str, Any], config: RunConfig) -> bool:
    """Whether the end of the budget has closed an iteration that was not over."""
    counters = state["run"]["counters"]
    return bool(counters["iterations"] * config.iteration_steps > counters["steps"])


def _difference(state: dict[str, Any], config: RunConfig) -> str:
    counters, skip = state["run"]["counters"], config.frame_skip
    following = (counters["iterations"] + 1) * config.iteration_steps * skip
    best = " The best network is chosen by them." if config.evaluation.final_network == "best" else ""
    return (
        f"The last iteration ended with the budget at {counters['frames']:,} frames, before it was over, and no "
        f"checkpoint from before is left. Its row stays, the next iteration ends at {following:,} frames, and the "
        f"evaluations of iterations are others than those of a run that had this budget from the start.{best} "
        "Training itself, and episodes.csv, are the same."
    )


def _config(parent: Path) -> RunConfig:
    if not (parent / "config.json").exists():
        raise ConfigError(f"Expected the directory of a run for --extend, got {parent}: it has no config.json.")
    return RunConfig.from_json(read_json(parent / "config.json"))
