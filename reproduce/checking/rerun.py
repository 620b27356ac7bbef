"""``dqn-tf rerun``: a run carried out again from its own configuration and compared, byte by byte, with what was kept.

A whole run is compared by every row of episodes.csv and iterations.csv and by summary.json, whose state digest covers
weights, optimizer, replay and counters.  The beginning of one (``--frames``) by the rows that end within it; the state
digest in iterations.csv covers the same there.  It is the same run, left after so many frames, without what comes after
training: so the beginning of a run of hours is checked in seconds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dqn_tf import fields, plain_json
from dqn_tf.checks import ConfigError
from dqn_tf.config import RunConfig
from reproduce.records import runs
from reproduce.records.runs import Run

TABLES, SUMMARY = ("episodes.csv", "iterations.csv"), "summary.json"
Say = Callable[[str], None]


class Comparison(NamedTuple):
    """What came out when a run was carried out again.

    Attributes:
        equal: what was compared and is equal, in words.
        different: what is not, in words.
        reasons: what bytes may depend on and differs between there and here.
    """

    equal: list[str]
    different: list[str]
    reasons: list[str]


def rerun(path: Path, frames: int | None, run_dir: Path | None, say: Say) -> bool:
    """Carry out a run again and compare.

    Args:
        path: a run directory, or the place of a packed run.
        frames: only the first so many; none: to the end of its budget.
        run_dir: where to make it, new or empty, kept; none: a temporary directory, removed if all is equal.
        say: called with lines on what is done, what differs and why it may.

    Returns:
        Whether all that was compared is equal.

    Raises:
        ConfigError, RunError: before anything is made: the run cannot be read, is not complete, was made by code with
            other settings, or has nothing to compare within ``frames``; and as ``train``.
    """
    there, files = _read(path), runs.contents(path)
    config = _config(there, frames)
    if run_dir is not None and run_dir.exists() and not (run_dir.is_dir() and not any(run_dir.iterdir())):
        raise ConfigError(f"Expected a new or an empty directory for --run-dir, got {run_dir}.")
    rows = {name: _rows_until(files[name], _limit(name, config, frames)) for name in TABLES}
    if not any(rows.values()):
        first = min(_frames(line) for name in TABLES for line in files[name].splitlines()[1:])
        raise ConfigError(f"Expected frames in which an episode ends, got {frames}. The first one ended at {first:,}.")
    if there.manifest.get("scope", {}).get("devices") == ["CPU"]:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # before TensorFlow looks for one
    place = run_dir if run_dir is not None else Path(tempfile.mkdtemp(prefix="dqn-tf-rerun-"))
    what = "whole" if frames is None else f"its first {frames:,} frames"
    say(f"{config.preset} {config.environment} seed {config.seed}, {what}, in {place}")
    try:
        _train(config, place) if frames is None else _begin(config, place, frames)
        found = compare(there, files, place, config, frames)
    except BaseException:
        if run_dir is None:
            shutil.rmtree(place)
        raise
    _tell(found, say)
    if run_dir is None and not found.different:
        shutil.rmtree(place)
    else:
        say(f"What was made is in {place}.")
    return not found.different


def _read(path: Path) -> Run:
    below = [] if (path / "config.json").exists() else runs.find(path)
    if below and below != [path]:
        raise ConfigError(f"Expected one run, got a folder with {len(below)}. For example: {below[0]}.")
    return runs.load(path)


def _config(there: Run, frames: int | None) -> RunConfig:
    """The run's configuration.

    Raises ConfigError: the run is not complete, has fewer frames, or its settings are not those of this version.
    """
    if frames is None and not there.complete:
        raise ConfigError(f"Expected a complete run, got {there.frames:,} frames so far. Compare those with --frames.")
    if frames is not None and frames > there.frames:
        raise ConfigError(f"Expected at most the {there.frames:,} frames of the run for --frames, got {frames:,}.")
    try:
        config = there.config
    except ConfigError as error:
        raise ConfigError(f"{there.path} was made by a version of dqn_tf with other settings: {error}") from error
    if differing := fields.differences(there.settings, config.to_json()):
        lines = "; ".join(f"{name}: {a!r} there, {b!r} here" for name, a, b in differing)
        raise ConfigError(f"{there.path} was made by a version of dqn_tf with other settings: {lines}.")
    return config


def _train(config: RunConfig, place: Path) -> None:
    from dqn_tf.training.run import Options, train

    train(config, place, Options(checkpoint_frames=10**12, checkpoint_minutes=1e9, progress=False))


def _begin(config: RunConfig, place: Path, frames: int) -> None:
    """The beginning of a run: the rows of ``frames`` frames, without the final evaluation and without a checkpoint."""
    from dqn_tf import determinism, memory
    from dqn_tf.training import sessions
    from dqn_tf.training.loop import make_loop
    from dqn_tf.training.records import EPISODE_COLUMNS, EpisodeRecord, IterationRecord, iteration_columns
    from dqn_tf.training.run_dir import Table, write_json

    memory.check_replay(config)
    determinism.enable(config.agent.execution.threads)
    place.mkdir(parents=True, exist_ok=True)
    write_json(place / "config.json", config.to_json())
    scope = determinism.scope(config.agent.execution.xla)
    sessions.begin(place / "manifest.json", config, scope, extend=None, outside_scope=False, warn=lambda text: None)
    loop = make_loop(config)
    columns = (EPISODE_COLUMNS, iteration_columns(loop.run.monitors.columns))
    episodes, iterations = (Table(place / name, names) for name, names in zip(TABLES, columns, strict=True))
    episodes.begin()
    iterations.begin()
    closed = 0
    try:
        for record in loop.records(lambda: None):
            if isinstance(record, EpisodeRecord):
                episodes.write(record._asdict())
            elif isinstance(record, IterationRecord):
                iterations.write(record.row)
                closed += 1
            if loop.run.counters.frames >= frames and closed >= frames // config.iteration_frames:
                break
    finally:
        loop.close()
        episodes.close()
        iterations.close()


# -- comparing ---------------------------------------------------------------------------------------------------------
def compare(
    there: Run, files: Mapping[str, bytes], place: Path, config: RunConfig, frames: int | None = None
) -> Comparison:
    """What is equal and what differs between a run and its repetition.

    Args:
        there: the run.
        files: its small files.
        place: where the other was made.
        config: the configuration of both.
        frames: compare rows that end within so many; none: all of them, and the summary.

    Returns:
        What was compared, and what bytes may depend on and differs.
    """
    equal, different = [], []
    made = runs.contents(place)
    for name in TABLES:
        limit = _limit(name, config, frames)
        ours, theirs = _rows_until(made[name], limit), _rows_until(files[name], limit)
        if text := _difference(theirs, ours):
            different.append(f"{name}: {text}")
        else:
            equal.append(f"{len(ours):,} rows of {name}")
    if frames is None:
        (equal if files[SUMMARY] == made[SUMMARY] else different).append(_of_summary(files[SUMMARY], made[SUMMARY]))
    return Comparison(equal, different, reasons(there.manifest, runs.load(place).manifest))


def _limit(name: str, config: RunConfig, frames: int | None) -> int | None:
    """Rows that end until then can be compared: an iteration that the budget cut short is another one."""
    if frames is None or name != "iterations.csv":
        return frames
    return frames // config.iteration_frames * config.iteration_frames


def _rows_until(table: bytes, limit: int | None) -> list[bytes]:
    """The rows of a run's table, its header left out, that end within ``limit`` frames.

    >>> _rows_until(b"frames,steps\\n4,1\\n8,2\\n", 4)
    [b'4,1']
    """
    header, *rows = table.splitlines()
    place = header.split(b",").index(b"frames")
    return [row for row in rows if limit is None or int(row.split(b",")[place]) <= limit]


def _frames(line: bytes) -> int:
    """The larger of a row's first two whole numbers: frames come first in one table, second in the other."""
    return max(int(cell) for cell in line.split(b",")[:2])


def _difference(theirs: list[bytes], ours: list[bytes]) -> str:
    """The first difference of two tables in words; "" if there is none."""
    for number, (a, b) in enumerate(zip(theirs, ours, strict=False), start=2):
        if a != b:
            return f"line {number} is {b.decode()[:70]!r}, was {a.decode()[:70]!r}"
    return "" if len(theirs) == len(ours) else f"{len(ours):,} rows, were {len(theirs):,}"


def _of_summary(theirs: bytes, ours: bytes) -> str:
    one, other = (plain_json.loads(text) for text in (theirs, ours))
    if theirs == ours:
        return f"{SUMMARY}, state {str(other['state_digest'])[:16]} (weights, optimizer, replay, counters)"
    names = ", ".join(name for name, *_ in fields.differences(one, other)) or "its form"
    return f"{SUMMARY}: {names} (state {str(other['state_digest'])[:16]}, was {str(one['state_digest'])[:16]})"


def reasons(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What bytes may depend on and differs between two manifests.

    Args:
        there: manifest.json of the run.
        here: that of its repetition.

    Returns:
        Each difference in words; the code comes last.
    """
    differences = [
        f"{name}: {a!r} there, {b!r} here"
        for entry in ("scope", "rom_md5")
        for name, a, b in fields.differences({entry: there.get(entry)}, {entry: here.get(entry)})
    ]
    codes = [{str(s.get("code_sha256")) for s in m["sessions"]} for m in (there, here)]
    if codes[0] != codes[1]:
        differences.append(f"code of dqn_tf: {' and '.join(sorted(c[:12] for c in codes[0]))} there, another here")
    return differences


def _tell(found: Comparison, say: Say) -> None:
    if found.equal:
        say(f"Equal: {'; '.join(found.equal)}.")
    for text in found.different:
        say(f"DIFFERENT: {text}")
    outside = [text for text in found.reasons if not text.startswith("code of dqn_tf")]
    if found.reasons:
        say("\n  ".join(["Not the same there and here:", *found.reasons]))
    if not found.different:
        return
    if outside:
        say("Bytes are promised only where all of that is the same; elsewhere runs agree statistically.")
    elif found.reasons:
        say("The code is another: an entry under **Bytes** in CHANGELOG.md would say why the bytes changed.")
    else:
        say("Nothing that bytes may depend on differs: this is a defect, of the code or of the machine. Tell us.")
