"""Learning curves as one tidy table, published ones and our own alike: what ``reproduce.presenting.plots`` draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reproduce.analysis import score_aggregates
from reproduce.analysis.statistics import aggregate, human_normalized
from reproduce.records import published
from reproduce.records.published import DOPAMINE_ITERATION_FRAMES

# label: the agent; frames: the middle of what the point is an average over; low, high: the lowest and highest run;
# n: runs in the point; published: False for ours.
COLUMNS = ("label", "game", "frames", "mean", "low", "high", "n", "published")
METRICS = ("median", "iqm")
# Over games, in percent; low and high: 95 % bootstrap intervals, nan where none can be worked out.
OVER_FRAMES_COLUMNS = ("label", "published", "frames", *(m + end for m in METRICS for end in ("", "_low", "_high")))
DOPAMINE_AGENTS = ("DQN", "C51", "IQN", "Rainbow")  # of variant "default": the TensorFlow agents


def of_dopamine(games: Iterable[str], agents: Sequence[str] = DOPAMINE_AGENTS) -> pd.DataFrame:
    """Dopamine's published learning curves.

    Args:
        games: ids; games without a published curve are left out.
        agents: agents of variant "default", as in PROVENANCE.md.

    Returns:
        Rows of ``COLUMNS``, a point per iteration of 1M frames.
    """
    parts = []
    for game in games:
        for agent in agents:
            if published.has_dopamine_curve(game, agent):
                curve = published.dopamine_curve(game, agent)
                middle = (curve["iteration"] + 0.5) * DOPAMINE_ITERATION_FRAMES
                values = (middle, *(curve[c] for c in ("mean_return", "min_return", "max_return", "n_runs")))
                parts.append(_table(f"{agent}, Dopamine", game, values, True))
    return _join(parts, COLUMNS)


def of_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Training returns of our runs, a curve per agent and environment over its seeds.  Columns: COLUMNS.

    table: rows of ``run_scores.CURVE_COLUMNS``, a point per iteration; an agent in several collections is several
        curves.
    """
    parts = []
    known = table.dropna(subset=["train_return"])
    several = known["collection"].nunique() > 1
    for (collection, agent, environment), same in known.groupby(["collection", "agent", "environment"], sort=True):
        points = same.groupby("iteration", sort=True)
        ends = points["frames"].max()
        middle = ends - ends.diff().fillna(ends.iloc[0] if ends.index[0] == 0 else 0) / 2
        returns = points["train_return"]
        values = (middle, returns.mean(), returns.min(), returns.max(), returns.count())
        parts.append(_table(f"{collection}/{agent}" if several else str(agent), str(environment), values, False))
    return _join(parts, COLUMNS)


def over_frames(table: pd.DataFrame, games: Sequence[str]) -> pd.DataFrame:
    """Median and IQM over games of the human-normalized scores of published curves.

    Args:
        table: rows of ``COLUMNS``; the score of a game at a point is its mean over runs.
        games: ids. A point counts where all of them have a value.

    Returns:
        Rows of ``OVER_FRAMES_COLUMNS`` in percent; low and high are nan, because single runs are not published.
    """
    references = published.references(score_aggregates.NORMALIZATION)
    parts = []
    for label, same in table[table["game"].isin(games)].groupby("label", sort=False):
        wide = same.pivot(index="frames", columns="game", values="mean").dropna()
        one_run = [human_normalized(wide[game], *references[game])[None] for game in wide.columns]  # [1, points] each
        found = aggregate(one_run)
        values = {
            name + end: getattr(found[name], field)
            for name in METRICS
            for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
        }
        parts.append(pd.DataFrame({"label": label, "published": True, "frames": wide.index, **values}))
    return _join(parts, OVER_FRAMES_COLUMNS)


def own_over_frames(table: pd.DataFrame, kind: str = "train_return") -> pd.DataFrame:
    """Median and IQM over games of our runs, with intervals, in the form that figures take.

    Args:
        table: rows of ``score_aggregates.OVER_FRAMES_COLUMNS``.
        kind: "train_return" or "eval_return".

    Returns:
        Rows of ``OVER_FRAMES_COLUMNS``; the label has the collection in it if there are several.
    """
    parts = []
    for (collection, agent), same in table[table["kind"] == kind].groupby(["collection", "agent"], sort=True):
        parts_of_it = {name: same[same["metric"] == name].set_index("frames") for name in METRICS}
        columns = {
            name + end: parts_of_it[name][field]
            for name in METRICS
            for end, field in (("", "value_percent"), ("_low", "low"), ("_high", "high"))
        }
        wide = pd.DataFrame(columns).rename_axis("frames").reset_index()
        label = f"{collection}/{agent}" if table["collection"].nunique() > 1 else str(agent)
        parts.append(wide.assign(label=label, published=False))
    return _join(parts, OVER_FRAMES_COLUMNS)


def _table(label: str, game: str, values: Sequence[pd.Series], theirs: bool) -> pd.DataFrame:
    """Rows of COLUMNS.  values: frames, mean, low, high, n."""
    columns = dict(zip(COLUMNS[2:7], (np.asarray(v) for v in values), strict=True))
    return pd.DataFrame({"label": label, "game": game, **columns, "published": theirs})


def _join(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(columns))
    return whole[list(columns)]
