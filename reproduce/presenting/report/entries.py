"""The entries of a report: each run, also damaged ones, and the protocol that they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dqn_tf.checks import ConfigError
from reproduce.analysis import curve_comparison
from reproduce.planning import job
from reproduce.records.runs import Run

STATES = ("complete", "running", "interrupted", "failed", "damaged", "not run")


@dataclass(frozen=True, kw_only=True)
class Requested:
    """What a protocol asks of a collection of runs; every field may be empty.

    planned: (agent, environment, seed).  claims: dicts as ``claims.row`` makes them.  deviations: dicts with what, why,
    expected_effect.
    """

    title: str = ""
    paper: str = ""
    planned: Sequence[tuple[str, str, int]] = ()
    claims: Sequence[Mapping[str, Any]] = ()
    deviations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run in the report.

    state: one of STATES.
    unreadable: why it could not be read; "" where it was.
    differs: settings that differ from its preset.
    """

    path: str
    collection: str
    agent: str
    environment: str
    seed: int | None
    state: str
    frames: int | None = None
    budget_frames: int | None = None
    last: float | None = None  # of the last network, after training
    best: float | None = None  # of the best one
    hours: float | None = None
    sessions: int | None = None
    config_hash: str = ""
    code: str = ""
    state_digest: str = ""
    rom_md5: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    unreadable: str = ""


def entry(path: Path, folder: Path, run: Run | str) -> Entry:
    """The report's entry of a run directory; of a damaged run, what its path tells.

    Args:
        path: the run directory.
        folder: the folder that the report is about; paths are shown relative to it.
        run: the run, or the reason why it cannot be read.

    Returns:
        An entry, whatever the files contain.
    """
    try:
        return (
            Entry(**_place(path, folder), state="damaged", unreadable=run)
            if isinstance(run, str)
            else _entry(run, folder)
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Entry(**_place(path, folder), state="damaged", unreadable=f"{type(error).__name__}: {error}")


def _place(path: Path, folder: Path) -> dict[str, Any]:
    """Where a run lies, as <collection>/<agent>/<environment>/seed_<k>."""
    _, collection, agent, environment, last = ("", "", "", "", *path.absolute().parts)[-5:]
    number = last.removeprefix("seed_")
    relative = path.relative_to(folder).as_posix() if path != folder else folder.resolve().name
    return {
        "path": relative,
        "collection": collection,
        "agent": agent,
        "environment": environment,
        "seed": int(number) if number.isdecimal() else None,
    }


def _entry(run: Run, folder: Path) -> Entry:
    sessions, summary = run.manifest["sessions"], run.summary or {}
    best_played = "last_network_evaluation" in summary
    place = _place(run.path, folder)
    if place["environment"] != run.environment or place["seed"] != run.seed:  # it lies elsewhere: by what it says
        place |= {"collection": "", "agent": run.agent, "environment": run.environment, "seed": run.seed}
    try:
        differs = tuple(curve_comparison.deviations(run))
    except ConfigError as error:
        differs = (f"not compared: {error}",)
    return Entry(
        **place,
        state=_state(run),
        frames=run.frames,
        budget_frames=run.budget_frames,
        last=_after_training(summary, "last_network_evaluation" if best_played else "final_evaluation"),
        best=_after_training(summary, "final_evaluation") if best_played else None,
        hours=run.wall_seconds / 3600 if any("ended" in s for s in sessions) else None,
        sessions=len(sessions),
        config_hash=str(run.manifest["config_hash"]),
        code="+".join(dict.fromkeys(str(s.get("code_sha256", "")) for s in sessions)),
        state_digest=str(summary.get("state_digest", "")),
        rom_md5=str(run.manifest.get("rom_md5") or ""),
        scope=run.manifest.get("scope") or {},
        differs=differs,
    )


def _after_training(summary: Mapping[str, Any], name: str) -> float | None:
    mean = summary[name]["return_mean"] if name in summary else None  # null in JSON: not finite
    return None if mean is None else float(mean)


def _state(run: Run) -> str:
    """One of STATES; a run whose manifest says "running" but that no process holds was interrupted."""
    if run.complete:
        return "complete"
    if job.owner(run.path):
        return "running"
    return "failed" if run.manifest.get("status") == "failed" else "interrupted"


def not_run(protocols: Mapping[str, Requested], found: Sequence[Entry]) -> list[Entry]:
    """Entries of the runs that protocols ask for and that are not there.

    Args:
        protocols: name of the folder -> its protocol.
        found: entries of the runs that are there.

    Returns:
        An entry in the state "not run" for each.
    """
    have = {(e.collection, e.agent, e.environment, e.seed) for e in found}
    return [
        Entry(path="", collection=name, agent=agent, environment=environment, seed=seed, state="not run")
        for name, protocol in protocols.items()
        for agent, environment, seed in protocol.planned
        if (name, agent, environment, seed) not in have
    ]
