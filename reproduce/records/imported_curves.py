"""Other people's runs in the form of our curves: ``dqn-tf results import``.

What a file measures is said by the user, kept with every row, and never guessed from its name or its numbers.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from dqn_tf.checks import ConfigError, expect
from reproduce.analysis.run_scores import CURVE_COLUMNS
from reproduce.records.other_logs import Asked, Measure, Points, read

# Beside the columns of our curves: which program, what its rewards were, the unit of the file, how points were made.
OWN_COLUMNS = ("program", "rewards", "unit", "frames_per_step", "bin_frames", "source", "source_sha256")
COLUMNS = (*CURVE_COLUMNS, *OWN_COLUMNS)
TEXTS = ("collection", "agent", "environment", "game", "program", "rewards", "unit", "source", "source_sha256")
KEY = ["program", "agent", "environment", "seed", "measure"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the files of one agent on one environment measure.

    program: one of ``other_logs.READERS``.  measure: training or evaluation.  rewards: raw, or clipped as the learner
    gets them.  unit: what the file counts, "frames" or agent "steps"; frames_per_step: of a step.  bin_frames: single
    episodes are averaged over so many frames; 0: they are not single.

    Raises ConfigError: a number out of range.
    """

    program: str
    agent: str
    environment: str
    measure: Measure
    rewards: Literal["raw", "clipped"]
    unit: Literal["frames", "steps"]
    frames_per_step: int = 1
    bin_frames: int = 0

    def __post_init__(self) -> None:
        expect(self.frames_per_step >= 1, "at least 1", "--frames-per-step", self.frames_per_step)
        expect(self.bin_frames >= 0, "at least 0", "--bin-frames", self.bin_frames)
        if self.unit == "frames" and self.frames_per_step != 1:
            raise ConfigError("Expected no --frames-per-step with --unit frames: the file counts frames already.")
        for name in ("agent", "environment"):
            expect(bool(getattr(self, name).strip()), "a name", f"--{name}", getattr(self, name))


def rows(meaning: Meaning, files: Sequence[Path], seeds: Sequence[int], asked: Asked) -> pd.DataFrame:
    """The curves of some files, one seed each.

    Args:
        meaning: what they measure.
        files: one for each seed.
        seeds: of the runs, as they are to be called.
        asked: what the reader needs to know.

    Returns:
        Rows of ``COLUMNS``.

    Raises:
        ConfigError: a file cannot be read so, or the numbers of files and seeds differ.
    """
    if len(files) != len(seeds):
        raise ConfigError(
            f"Expected a file for each of {len(seeds)} seeds, got {len(files)}. Name the seeds in their order."
        )
    return pd.concat(
        [
            _one(meaning, path, seed, read(meaning.program, path, asked))
            for path, seed in zip(files, seeds, strict=True)
        ],
        ignore_index=True,
    )


def _one(meaning: Meaning, path: Path, seed: int, points: Points) -> pd.DataFrame:
    points = points._replace(at=points.at * meaning.frames_per_step)
    if points.single:
        if not meaning.bin_frames:
            raise ConfigError(
                f"Expected --bin-frames N for {path}: its points are single episodes, averaged over N frames."
            )
        points = binned(points, meaning.bin_frames)
    elif meaning.bin_frames:
        raise ConfigError(f"Expected no --bin-frames for {path}: its points are means already.")
    which = "train" if meaning.measure == "training" else "eval"
    table = pd.DataFrame(
        {
            "collection": "imported",
            "agent": meaning.agent,
            "environment": meaning.environment,
            "game": "",
            "seed": seed,
            "iteration": np.arange(len(points.at)),
            "frames": points.at,
            f"{which}_return": points.values,
            f"{which}_episodes": points.episodes,
            "complete": True,
            "program": meaning.program,
            "rewards": meaning.rewards,
            "unit": meaning.unit,
            "frames_per_step": meaning.frames_per_step,
            "bin_frames": meaning.bin_frames,
            "source": path.name,
            "source_sha256": _digest(path),
        }
    )
    return table.reindex(columns=list(COLUMNS))


def binned(points: Points, frames: int) -> Points:
    """Means of the episodes that ended within each block of frames; a block without an episode has no point.

    Args:
        points: single episodes, at frames.
        frames: of a block; a point stands at its end.

    Returns:
        The means.

    >>> episodes = Points(np.array([1, 10, 11, 35]), np.array([1.0, 3.0, 5.0, 7.0]), np.ones(4, int), True)
    >>> [part.tolist() for part in binned(episodes, 10)[:3]]
    [[10, 20, 40], [2.0, 5.0, 7.0], [2, 1, 1]]
    """
    blocks = (points.at + frames - 1) // frames
    ends, places, counts = np.unique(np.maximum(blocks, 1), return_inverse=True, return_counts=True)
    means = np.bincount(places, weights=points.values) / counts
    return Points(ends * frames, means, counts, False)


def _digest(path: Path) -> str:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


# -- the file ----------------------------------------------------------------------------------------------------------
def add(table: pd.DataFrame, path: Path) -> int:
    """Write rows into a file; of a run that it has already, the new ones take the place of the old.

    Args:
        table: rows of ``COLUMNS``.
        path: a CSV file, which may not exist yet.

    Returns:
        The number of runs in the file.

    Raises:
        ConfigError: the file is another one's.
    """
    old = read_curves(path) if path.exists() else table.iloc[:0]
    both = _keyed(pd.concat([frame for frame in (old, table) if len(frame)], ignore_index=True))
    new = _keyed(table)[KEY].drop_duplicates().assign(is_new=True)
    merged = both.assign(place=range(len(both))).merge(new, on=KEY, how="left").sort_values("place")
    stale = merged["is_new"].notna().to_numpy() & (np.arange(len(both)) < len(old))
    kept = both[~stale].sort_values([*KEY, "frames"], kind="stable")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    kept[list(COLUMNS)].to_csv(temporary, index=False, lineterminator="\n", float_format="%.12g")
    temporary.replace(path)
    return len(kept[KEY].drop_duplicates())


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(measure=np.where(table["eval_return"].notna(), "evaluation", "training"))


def read_curves(path: Path) -> pd.DataFrame:
    """The rows of a file that ``add`` wrote.

    Raises:
        ConfigError: it is no such file.
    """
    try:
        table = pd.read_csv(io.StringIO(path.read_text()), dtype=dict.fromkeys(TEXTS, str))
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise ConfigError(f"Expected a file of imported runs (dqn-tf results import), got {path}: {error}") from error
    if list(table.columns) != list(COLUMNS):
        raise ConfigError(
            f"Expected a file of imported runs (dqn-tf results import), got {path}: it has other columns."
        )
    return table.assign(game=table["game"].fillna(""))


def beside(curves: pd.DataFrame, files: Sequence[Path]) -> pd.DataFrame:
    """Our curves and imported ones, whose agents' names say whose they are.

    Args:
        curves: rows of ``CURVE_COLUMNS``.
        files: that ``add`` wrote.

    Returns:
        Rows of ``CURVE_COLUMNS``.
    """
    if not files:
        return curves
    parts: list[Any] = [curves]
    for path in files:
        table = read_curves(path)
        clipped = np.where(table["rewards"] == "clipped", ", clipped rewards", "")
        names = [f"{a} ({p}{c})" for a, p, c in zip(table["agent"], table["program"], clipped, strict=True)]
        parts.append(table.assign(agent=names).reindex(columns=list(CURVE_COLUMNS)))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)
