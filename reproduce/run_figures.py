"""The figures of our runs: of few environments one by one, of many in a grid; aggregates where there are games.

``dqn-tf report`` shows them in its page, ``reproduce.regenerate`` writes them to results/plots/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from reproduce import compare, curves, plots, published, scores
from reproduce.plots import bars, suite

MOST_SINGLE = 8  # environments of one folder; more are drawn as a grid
NARROW = 5.4  # inches: on a phone the letters stay readable
RESAMPLES = 500


class Drawn(NamedTuple):
    """A figure.  collection: the folder of its runs.  name: of its file.  words: what it shows.  small: half a page."""

    collection: str
    name: str
    words: str
    small: bool
    figure: Figure


def drawn(found: scores.Collected) -> Iterator[Drawn]:
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
    """Learning curve, and value beside return, of each agent on each environment."""
    for name, same in table.groupby("environment", sort=True):
        environment = str(name)
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
    names = sorted({compare.COUNTERPARTS[a][0] for a in rows["agent"].unique() if a in compare.COUNTERPARTS})
    games = sorted(set(rows["game"]) - {""}) if published.available() else []
    parts = [table for table in (curves.of_dopamine(games, names), curves.of_runs(rows)) if len(table)]
    return pd.concat(parts, ignore_index=True) if parts else curves.of_runs(rows)


def _aggregates(collection: str, rows: pd.DataFrame, table: pd.DataFrame) -> Iterator[Drawn]:
    """Over the games, where there are at least two with human and random scores."""
    if not published.available():
        return
    references = published.references(scores.NORMALIZATION)
    complete = table[table["complete"].astype(bool) & table["game"].isin(list(references))]
    if complete["game"].nunique() < 2:
        return
    over = curves.own_over_frames(scores.over_frames(rows, resamples=RESAMPLES))
    if len(over):
        figure = suite.normalized_over_frames(over, sorted(complete["game"].unique()))
        yield Drawn(collection, "normalized_over_frames", f"{collection}: median and IQM over frames", False, figure)
    for name, of_it in complete.groupby("convention", sort=True):
        convention = str(name)
        whose = f"{collection}: {convention}"
        normalized = [references[g].normalized(s) for g, s in zip(of_it["game"], of_it["score"], strict=True)]
        rows_of_it = of_it.assign(label=of_it["agent"], published=False, normalized=normalized)
        words = f"{whose}: performance profiles"
        yield Drawn(collection, f"profiles_{convention}", words, False, bars.profiles(rows_of_it, whose))
        over = scores.over_games(of_it, resamples=RESAMPLES).assign(published=False)
        over = over.rename(columns={"agent": "label", "metric": "measure", "value_percent": "value"})
        words = f"{whose}: aggregate scores with 95 % intervals"
        yield Drawn(collection, f"aggregates_{convention}", words, False, bars.intervals(over, whose))
