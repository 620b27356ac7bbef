"""Run directories: finding them, and reading them with every check that the files allow."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn_tf import envs, fields, plain_json
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.training.run_dir import read_table
from reproduce.places import folder_name
from reproduce.records import packed

REQUIRED = {  # fields that are read
    "config.json": ("preset", "environment", "seed", "frames", "iteration_frames", "agent", "evaluation"),
    "manifest.json": ("config_hash", "sessions"),
    "summary.json": (
        "config_hash",
        "frames",
        "steps",
        "updates",
        "episodes",
        "iterations",
        "state_digest",
        "final_evaluation",
    ),
}
WHOLE_NUMBERS = (
    "frames",
    "steps",
    "updates",
    "episodes",
    "episode",
    "env_index",
    "length_frames",
    "truncated",
    "iteration",
    "eval_episodes",
    "train_episodes",
    "replay_size",
)


@dataclass(frozen=True)
class Run:
    """One run, read and checked: a run directory, or one of several that were packed (``packed``).

    settings: config.json as plain values.  Older code's files stay readable: their integrity is checked by the hash in
    manifest.json, not by today's field names; ``config`` is the typed view where today's fields fit.
    summary: None until the run is complete.  episodes, iterations: the tables so far, columns as in the CSVs.
    seconds: that the iterations took by the clock, as timing.csv has them; nan where that is not to be read.
    """

    path: Path
    settings: dict[str, Any]
    manifest: dict[str, Any]
    summary: dict[str, Any] | None
    episodes: pd.DataFrame
    iterations: pd.DataFrame
    seconds: float = math.nan

    @cached_property
    def config(self) -> RunConfig:
        """The typed configuration.  Raises ConfigError if other fields were in use when it was written."""
        return RunConfig.from_json(self.settings)

    @property
    def agent(self) -> str:
        """The preset's name."""
        return str(self.settings["preset"])

    @property
    def environment(self) -> str:
        """ "CartPole-v1", or a game's id: the name without its kind."""
        return folder_name(envs.short_name(str(self.settings["environment"])))

    @property
    def game(self) -> str | None:
        """The game's id if it is an Atari game."""
        return self.environment if str(self.settings["environment"]).startswith("ale:") else None

    @property
    def seed(self) -> int:
        return int(self.settings["seed"])

    @property
    def _in_place(self) -> bool:
        """Whether its path ends in <name>/<environment>/seed_<k>."""
        return self.path.absolute().parts[-2:] == (self.environment, f"seed_{self.seed}")

    @property
    def name(self) -> str:
        """What the agent is called where the run lies as <name>/<environment>/seed_<k>, otherwise the preset's name.

        A protocol may have several agents of one preset, which differ in their settings.
        """
        return self.path.absolute().parts[-3] if self._in_place else self.agent

    @property
    def collection(self) -> str:
        """The folder that holds <name>/<environment>/seed_<k>: a protocol, a set; "" if the run lies otherwise."""
        return self.path.absolute().parts[-4] if self._in_place else ""

    @property
    def budget_frames(self) -> int:
        return int(self.settings["frames"])

    @property
    def complete(self) -> bool:
        return self.summary is not None

    @property
    def frames(self) -> int:
        """Frames trained so far, by the tables."""
        if self.summary is not None:
            return int(self.summary["frames"])
        return max((int(t["frames"].iloc[-1]) for t in (self.episodes, self.iterations) if len(t)), default=0)

    @property
    def wall_seconds(self) -> float:
        """Seconds by the clock of all sessions that recorded their end, start-up and evaluation included."""
        times = [(s["started"], s["ended"]) for s in self.manifest["sessions"] if "ended" in s]
        return sum((datetime.fromisoformat(b) - datetime.fromisoformat(a)).total_seconds() for a, b in times)

    @property
    def relative_path(self) -> Path:
        """<name>/<environment>/seed_<k>."""
        return Path(self.name) / self.environment / f"seed_{self.seed}"


# -- reading -----------------------------------------------------------------------------------------------------------
def find(*folders: Path) -> list[Path]:
    """Run directories among and below ``folders``, sorted: those with a config.json and a manifest.json, and the places
    of packed runs.

    Checkpoints, which have thousands of files, are not searched.  Raises RunError: packed runs are damaged.
    """
    found = {folder for folder in folders if packed.place(folder)}
    for folder in folders:
        for at, below, files in os.walk(folder):
            below[:] = [name for name in below if name != "checkpoints"]
            if "config.json" in files and "manifest.json" in files:
                found.add(Path(at))
            elif packed.INDEX in files:
                found |= {Path(at) / f"seed_{seed}" for seed in packed.seeds(Path(at))}
    return sorted(found)


def contents(path: Path) -> dict[str, bytes]:
    """The small files of a run, packed or not: name -> bytes; those that are there.

    Raises RunError: the run is packed, and its folder is damaged or has no such seed.
    """
    if at := packed.place(path):
        return packed.files(*at)
    return {name: (path / name).read_bytes() for name in (*packed.TEXTS, *packed.TABLES) if (path / name).is_file()}


def load(path: Path) -> Run:
    """Read one run, complete or not.

    Raises:
        RunError: a file is missing or damaged, the rows of a table are incomplete or not in order, or the files belong
            to different runs (manifest.json and summary.json contain the hash of config.json).
    """
    files = contents(path)
    for name in ("config.json", "manifest.json", "episodes.csv", "iterations.csv"):
        if name not in files:
            raise RunError(f"Expected {name} in {path}. Is it a run directory, and has the run begun?")
    settings, manifest, summary = (_json(path / name, files) for name in packed.TEXTS)
    found = {
        "config.json": settings,
        "manifest.json": manifest,
        **({} if summary is None else {"summary.json": summary}),
    }
    for name, content in found.items():
        _check_fields(path / name, content, REQUIRED[name])
    if not isinstance(manifest["sessions"], list) or not all(isinstance(s, dict) for s in manifest["sessions"]):
        raise RunError(f"Expected a list of sessions in {path / 'manifest.json'}. The file is damaged.")
    if summary is not None:
        scored = ["final_evaluation"]
        if isinstance(summary["final_evaluation"], dict) and "network" in summary["final_evaluation"]:
            scored.append("last_network_evaluation")
            _check_fields(path / "summary.json", summary, scored)
        for name in scored:
            _check_fields(path / "summary.json", summary[name], ("return_mean", "return_std", "episodes"))
    identity = fields.digest(settings)
    for name, content in found.items():
        if name != "config.json" and content["config_hash"] != identity:
            raise RunError(f"{path / name} belongs to another run: its config_hash is not that of config.json.")
    episodes, iterations = (table(path / name, files[name]) for name in ("episodes.csv", "iterations.csv"))
    run = Run(path, settings, manifest, summary, episodes, iterations, _seconds(files.get("timing.csv", b"")))
    _check_totals(run)
    return run


def load_or_reason(path: Path) -> Run | str:
    """``load``, or the reason why the run cannot be read; raises nothing, whatever the files contain."""
    try:
        return load(path)
    except (RunError, ConfigError) as error:
        return str(error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"{path}: expected files as training writes them, got {error!r}."


def _check_fields(path: Path, content: Any, names: Iterable[str]) -> None:
    if not isinstance(content, dict):
        raise RunError(f"Expected an object with named fields in {path}, got {type(content).__name__}. It is damaged.")
    for name in names:
        if name not in content:
            raise RunError(f"Expected the field {name} in {path}. The file is incomplete.")


def _seconds(timing: bytes) -> float:
    """The sum of the column wall_seconds; nan if the table is not what training writes.  No result depends on it."""
    try:
        header, *rows = (line.split(",") for line in timing.decode().splitlines())
        place = header.index("wall_seconds")
        return math.fsum(float(row[place]) for row in rows)
    except (ValueError, IndexError):
        return math.nan


def _json(path: Path, files: Mapping[str, bytes]) -> Any:
    """One of a run's files; None if it is not there.  Raises RunError if it is not JSON."""
    try:
        return plain_json.loads(files[path.name]) if path.name in files else None
    except (ValueError, RecursionError) as error:
        raise RunError(f"Expected JSON in {path}: {error}") from error


def table(path: Path, data: bytes | None = None) -> pd.DataFrame:
    """A run's CSV as numbers.

    Args:
        path: the file.
        data: its bytes; None: they are read from ``path``.

    Returns:
        The columns of the file: whole numbers int64, others float64, empty cells nan.

    Raises:
        RunError: as ``run_dir.read_table``, or a cell that should be a whole number is not.
    """
    data = path.read_bytes() if data is None else data
    quick = _parsed(data)
    if quick is not None:
        return quick
    rows = read_table(path, data)  # says what is wrong, and on which line
    columns = data.partition(b"\n")[0].decode().split(",")
    return pd.DataFrame({name: _column(path, name, [row[name] for row in rows]) for name in columns})


def _parsed(data: bytes) -> pd.DataFrame | None:
    """The same table read several times as fast, if the file has plain numbers only; otherwise None.

    Tables of long runs have tens of thousands of rows.  pandas reads every float exactly, from version 3.1 on.
    """
    header, _, body = data.partition(b"\n")
    if not re.fullmatch(rb"[a-z0-9_,]+", header) or body.translate(None, b"0123456789+-.e,\n") or body[-1:] != b"\n":
        return None
    columns, lines = header.decode().split(","), body.count(b"\n")
    if body.count(b",") != (len(columns) - 1) * lines or len(set(columns)) < len(columns):
        return None
    try:
        found = pd.read_csv(io.BytesIO(body), header=None, dtype=np.float64, skip_blank_lines=False)
    except (ValueError, OverflowError):  # pandas' own errors are ValueErrors
        return None
    if found.shape != (lines, len(columns)):
        return None
    found.columns = pd.Index(columns)
    if "frames" in columns and not (np.diff(found["frames"].to_numpy(), prepend=-1.0) >= 0).all():
        return None
    for name in set(columns) & set(WHOLE_NUMBERS):
        values = found[name].to_numpy()
        if not _whole(values).all():
            return None
        found[name] = values.astype(np.int64)
    return found


def _column(path: Path, name: str, texts: list[str]) -> Any:
    """The cells of a column, that ``read_table`` has found to be numbers, with their type."""
    if name == "state_digest":
        return texts
    values = np.array([float(text or "nan") for text in texts], np.float64)
    if name not in WHOLE_NUMBERS:
        return values
    wrong = np.flatnonzero(~_whole(values))
    if len(wrong):
        raise RunError(f"{path}, line {wrong[0] + 2}: expected a whole number for {name}, got {texts[wrong[0]]!r}.")
    return values.astype(np.int64)


def _whole(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which values are whole numbers that float64 holds exactly."""
    return (np.abs(values) < 2**53) & (values == np.round(values))


def _check_totals(run: Run) -> None:
    """Rows are numbered from 0, none missing, none twice; a complete run's tables hold what its summary counts."""
    for name, numbers in (("episodes", run.episodes["episode"]), ("iterations", run.iterations["iteration"])):
        wrong = np.flatnonzero(numbers.to_numpy() != np.arange(len(numbers)))
        if len(wrong):
            i, got = int(wrong[0]), numbers.iloc[wrong[0]]
            raise RunError(
                f"{run.path / name}.csv, line {i + 2}: expected number {i}, got {got}. "
                "A row is missing or stands twice; restore the file from a copy, or run again."
            )
    if run.summary is None:
        return
    for name, rows in (("episodes", len(run.episodes)), ("iterations", len(run.iterations))):
        if rows != run.summary[name]:
            raise RunError(f"{run.path}: {name}.csv has {rows} rows, summary.json counts {run.summary[name]}.")
