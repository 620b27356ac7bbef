"""The figures of our runs: one per environment where there are few, else a grid; aggregates over Atari games.

``dqn-tf report`` shows them in its page, ``dqn-tf results figures`` writes them to results/plots/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from reproduce.analysis import collecting, curve_comparison, learning_curves, score_aggregates
from reproduce.presenting import plots
from reproduce.presenting.plots import aggregates, suite
from reproduce.records import published

MOST_SINGLE = 8  # environments of one folder; more are drawn as a grid
MOST_AGENTS = 6  # of one environment; the curves of more cannot be told apart
NARROW = 5.4  # inches: on a phone the letters stay readable
RESAMPLES = 500


class Drawn(NamedTuple):
    """A figure of our runs.

    Attributes:
        collection: the folder of its runs.
        name: of its file, without an ending.
        caption: what it shows.
        half_width: whether two fit beside each other.
        figure: the figure itself.
    """

    collection: str
    name: str
    caption: str
    half_width: bool
    figure: Figure


def drawn(found: collecting.Collected) -> Iterator[Drawn]:
    """All figures that these runs have data for, one after another."""
    for name, same in found.curves.groupby("collection", sort=True):
        collection = str(name)
        if same["environment"].nunique() <= MOST_SINGLE:
            yield from _single(collection, same)
        elif len(table := _with_published(same)):
            words = f"{collection}: training returns over frames, a panel per environment"
            yield Drawn(collection, "grid", words, False, suite.grid(table))
        yield from _aggregates(collection, same, found.scores[found.scores["collection"] == name])


def _single(collection: str, table: pd.DataFrame) -> Iterator[Drawn]:
    """Learning curve, and value beside return, of each agent on each environment that has at most MOST_AGENTS."""
    for name, same in table.groupby("environment", sort=True):
        environment = str(name)
        if same["agent"].nunique() > MOST_AGENTS:
            continue
        if same["train_return"].notna().any():
            figure = plots.learning_curves(_with_published(same), environment, NARROW)
            words = f"{environment}: training returns over frames"
            yield Drawn(collection, f"curves_{environment}", words, True, figure)
        for agent, rows in same.groupby("agent", sort=True):
            words = f"{environment}, {agent}: return and predicted value over frames"
            figure = plots.value_and_return(rows, NARROW)
            yield Drawn(collection, f"value_{agent}_{environment}", words, True, figure)


def _with_published(rows: pd.DataFrame) -> pd.DataFrame:
    """Our curves, after the published ones that the agents are meant to reproduce."""
    names = sorted(
        {curve_comparison.COUNTERPARTS[a][0] for a in rows["agent"].unique() if a in curve_comparison.COUNTERPARTS}
    )
    games = sorted(set(rows["game"]) - {""}) if published.available() else []
    ours, theirs = learning_curves.of_runs(rows), learning_curves.of_dopamine(games, names)
    if len(ours):  # far beyond our last point there is nothing to compare
        theirs = theirs[theirs["frames"] <= max(1.15 * ours["frames"].max(), published.DOPAMINE_ITERATION_FRAMES)]
    parts = [table for table in (theirs, ours) if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else ours


def _of_several_games(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of agents that have at least two games: an aggregate over one game is just that game's score."""
    return table[table.groupby("agent")["game"].transform("nunique") >= 2]


def _aggregates(collection: str, rows: pd.DataFrame, table: pd.DataFrame) -> Iterator[Drawn]:
    """Aggregates over games, of the agents with runs on at least two games that have human and random scores."""
    if not published.available():
        return
    references = published.references(score_aggregates.NORMALIZATION)
    complete = _of_several_games(table[table["complete"].astype(bool) & table["game"].isin(list(references))])
    along = score_aggregates.over_frames(rows[rows["agent"].isin(complete["agent"])], resamples=RESAMPLES)
    over, counts = learning_curves.own_over_frames(along), along.groupby("agent")["n_games"].max()
    if len(over):
        same = counts.iloc[0] if counts.nunique() == 1 else None
        if same is None:
            over["label"] = [f"{agent} ({counts[agent]} games)" for agent in over["label"]]
        figure = suite.normalized_over_frames(over, same)
        yield Drawn(collection, "normalized_over_frames", f"{collection}: median and IQM over frames", False, figure)
    for name, group in complete.groupby("convention", sort=True):
        convention, of_it = str(name), _of_several_games(group)
        if of_it.empty:
            continue
        whose = f"{collection}: {convention}"
        normalized = [references[g].normalized(s) for g, s in zip(of_it["game"], of_it["score"], strict=True)]
        rows_of_it = of_it.assign(label=of_it["agent"], published=False, normalized=normalized)
        words = f"{whose}: performance profiles"
        yield Drawn(collection, f"profiles_{convention}", words, False, aggregates.profiles(rows_of_it, whose))
        over = score_aggregates.over_games(of_it, resamples=RESAMPLES).assign(published=False)
        over = over.rename(columns={"agent": "label", "metric": "measure", "value_percent": "value"})
        words = f"{whose}: aggregate scores with 95 % intervals"
        yield Drawn(collection, f"aggregates_{convention}", words, False, aggregates.intervals(over, whose))
