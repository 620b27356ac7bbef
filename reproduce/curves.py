"""Learning curves as one tidy table, published ones and our own alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from dqn_tf import fields
from reproduce import published
from reproduce.published import DOPAMINE_ITERATION_FRAMES
from reproduce.runs import Run
from reproduce.statistics import aggregate, human_normalized

# label: the agent; frames: the middle of what the point is an average over; low, high: the lowest and highest run;
# n: runs in the point; published: False for ours.
COLUMNS = ("label", "game", "frames", "mean", "low", "high", "n", "published")
DOPAMINE_AGENTS = ("DQN", "C51", "IQN", "Rainbow")  # of variant "default": the TensorFlow agents


def of_dopamine(games: Iterable[str], agents: Sequence[str] = DOPAMINE_AGENTS) -> pd.DataFrame:
    """Dopamine's published curves of ``games`` (ids); games without any are left out.  Columns: COLUMNS."""
    parts = []
    for game in games:
        for agent in agents:
            if published.has_dopamine_curve(game, agent):
                curve = published.dopamine_curve(game, agent)
                middle = (curve["iteration"] + 0.5) * DOPAMINE_ITERATION_FRAMES
                parts.append(_table(f"{agent}, Dopamine", game, middle, *(curve[c] for c in (
                    "mean_return", "min_return", "max_return", "n_runs")), True))  # fmt: skip
    return _join(parts)


def of_runs(group: Sequence[Run]) -> pd.DataFrame:
    """One curve of training returns per configuration and environment, over its seeds.  Columns: COLUMNS.

    A point is the mean over runs of the mean return of the episodes that ended in a block of 1M frames (a shorter
    run's blocks are its iterations), at blocks that a run has finished.  Configurations that differ in more than the
    seed and budget are different curves.
    """
    parts = []
    for label, same in by_configuration(group):
        block = block_frames(same)
        means = pd.DataFrame([_block_means(run, block) for run in same]).T.sort_index()
        middle = (means.index.to_series() + 0.5) * block
        parts.append(_table(label, same[0].environment, middle, means.mean(axis=1), means.min(axis=1),
                            means.max(axis=1), means.count(axis=1), False))  # fmt: skip
    return _join(parts)


def by_configuration(group: Sequence[Run]) -> list[tuple[str, list[Run]]]:
    """Runs that differ in nothing but seed and budget, with a label: the preset, and a number where it has several."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in sorted(group, key=lambda r: (r.agent, r.environment, r.seed, str(r.path))):
        found.setdefault((run.agent, run.environment, identity(run)), []).append(run)
    labelled, count = [], Counter[tuple[str, str]]()
    for (agent, environment, _), same in found.items():
        count[agent, environment] += 1
        number = count[agent, environment]
        labelled.append((agent if number == 1 else f"{agent}, configuration {number}", same))
    return labelled


def identity(run: Run) -> str:
    """The hash of a run's settings without seed and budget: what the runs of one curve share."""
    return fields.digest({name: value for name, value in run.settings.items() if name not in ("seed", "frames")})


def block_frames(group: Sequence[Run]) -> int:
    """What a point of these runs is an average over: 1M frames, or an iteration if they are shorter."""
    if max(run.budget_frames for run in group) >= DOPAMINE_ITERATION_FRAMES:
        return DOPAMINE_ITERATION_FRAMES
    return int(group[0].settings["iteration_frames"])


def _block_means(run: Run, block: int) -> pd.Series:
    """Mean return per finished block, by the number of the block."""
    which = (run.episodes["frames"] - 1) // block
    means = run.episodes["return_raw"].groupby(which).mean()
    return means[(means.index + 1) * block <= run.frames]


def _table(label: str, game: str, frames: pd.Series, mean: pd.Series, low: pd.Series, high: pd.Series, n: pd.Series,
           theirs: bool) -> pd.DataFrame:  # fmt: skip
    values = (frames, mean, low, high, n)
    columns = dict(zip(COLUMNS[2:7], (np.asarray(v) for v in values), strict=True))
    return pd.DataFrame({"label": label, "game": game, **columns, "published": theirs})


def _join(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def over_frames(table: pd.DataFrame, games: Sequence[str]) -> pd.DataFrame:
    """Median and IQM over ``games`` of the human-normalized scores (percent) of each curve, at points all games have.

    Columns: label, published, frames, median, iqm.  A game's score is the mean over its runs.
    """
    references = {game: published.human_random(game) for game in games}
    parts = []
    for label, same in table[table["game"].isin(references)].groupby("label", sort=False):
        wide = same.pivot(index="frames", columns="game", values="mean").dropna()
        scores = [[human_normalized(wide[game], *references[game])] for game in wide.columns]  # one run [1, points]
        found = aggregate(scores)
        parts.append(pd.DataFrame({"label": label, "published": bool(same["published"].all()), "frames": wide.index,
                                   "median": found["median"].value, "iqm": found["iqm"].value}))  # fmt: skip
    columns = ["label", "published", "frames", "median", "iqm"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
