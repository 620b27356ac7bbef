"""The figures of a report: of few environments one by one, of many in a grid; aggregates where there are games."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from reproduce import compare, curves, page, plots, published, scores
from reproduce.page import Markup, tag
from reproduce.plots import bars, suite

MOST_SINGLE = 8  # (folder, environment) pairs; more are drawn as a grid
NARROW = 5.4  # inches: on a phone the letters stay readable
RESAMPLES = 500


def pictures(found: scores.Collected) -> Markup:
    """All figures that these runs have data for."""
    if found.curves.empty:
        return tag("p", "No run has finished an iteration yet: there is nothing to draw.", class_="none")
    pairs = found.curves[["collection", "environment"]].drop_duplicates()
    single = len(pairs) <= MOST_SINGLE
    drawn = list(_single(found) if single else _grids(found))
    out = [tag("div", *(_picture(figure, words) for figure, words in drawn),
               class_="pictures" if single else "pictures large")]  # fmt: skip
    out.append(tag("div", *(_picture(figure, words) for figure, words in _aggregates(found)), class_="pictures large"))
    return page.join(out)


def _picture(figure: Figure, words: str) -> Markup:
    data, kind = plots.render_one(figure)
    return page.picture(data, words, "svg+xml" if kind == "svg" else kind)


def _single(found: scores.Collected) -> Iterator[tuple[Figure, str]]:
    """Learning curve, and value beside return, of each agent on each environment."""
    for (_, environment), same in found.curves.groupby(["collection", "environment"], sort=True):
        if same["train_return"].notna().any():
            table = _with_published(same)
            yield plots.learning_curves(table, str(environment), NARROW), f"{environment}: training returns over frames"
        for agent, rows in same.groupby("agent", sort=True):
            yield plots.value_and_return(rows, NARROW), f"{environment}, {agent}: return and predicted value"


def _grids(found: scores.Collected) -> Iterator[tuple[Figure, str]]:
    for collection, same in found.curves.groupby("collection", sort=True):
        table = _with_published(same)
        if len(table):
            yield suite.grid(table), f"{collection}: training returns over frames, a panel per environment"


def _with_published(rows: pd.DataFrame) -> pd.DataFrame:
    """Our curves, after the published ones that the agents are meant to reproduce."""
    names = sorted({compare.COUNTERPARTS[a][0] for a in rows["agent"].unique() if a in compare.COUNTERPARTS})
    games = sorted(set(rows["game"]) - {""}) if published.available() else []
    ours = curves.of_runs(rows)
    theirs = curves.of_dopamine(games, names)
    return pd.concat([t for t in (theirs, ours) if len(t)], ignore_index=True) if len(theirs) or len(ours) else ours


def _aggregates(found: scores.Collected) -> Iterator[tuple[Figure, str]]:
    """Over the games of each folder, where there are at least two with human and random scores."""
    if not published.available():
        return
    references = published.references(scores.NORMALIZATION)
    for collection, same in found.scores[found.scores["game"].isin(list(references))].groupby("collection", sort=True):
        complete = same[same["complete"].astype(bool)]
        if complete["game"].nunique() < 2:
            continue
        rows = found.curves[found.curves["collection"] == collection]
        over = curves.own_over_frames(scores.over_frames(rows, resamples=RESAMPLES))
        if len(over):
            yield suite.normalized_over_frames(over, sorted(complete["game"].unique())), f"{collection}: over frames"
        for convention, of_it in complete.groupby("convention", sort=True):
            yield from _final(str(collection), str(convention), of_it)


def _final(collection: str, convention: str, table: pd.DataFrame) -> Iterator[tuple[Figure, str]]:
    """Profiles and intervals of the scores by one convention."""
    references = published.references(scores.NORMALIZATION)
    normalized = [references[g].normalized(s) for g, s in zip(table["game"], table["score"], strict=True)]
    rows = table.assign(label=table["agent"], published=False, normalized=normalized)
    whose = f"{collection}: {convention}"
    yield bars.profiles(rows, whose), f"{whose}: performance profiles"
    over = scores.over_games(table, resamples=RESAMPLES)
    over = over.rename(columns={"agent": "label", "metric": "measure", "value_percent": "value"})
    yield bars.intervals(over.assign(published=False), whose), f"{whose}: aggregate scores with intervals"
