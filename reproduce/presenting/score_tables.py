"""Score tables per game: the published columns alone, and our runs beside each published column of their convention.

A column is set beside our scores only if it is of the same convention, the same kind of start and the same kind of
emulator (sticky actions or not).  Its frames are in the heading: few runs of ours are as long as the published ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf.envs import games
from reproduce import formatting
from reproduce.analysis.statistics import aggregate
from reproduce.records import published, published_conventions

BY = "Written by `dqn-tf results tables`; do not edit."
# Published tables: name -> (starts of its columns, random and human scores, what it is in words).
PUBLISHED = {
    "noop": (("noop",), "dqn_zoo57_vp0", "random no-ops at the start of an episode, no sticky actions"),
    "human_starts": (("human",), "human_starts", "episodes that begin where a human's game was, no sticky actions"),
    "sticky": (("none", "noop?"), "dqn_zoo57_vp0", "sticky actions"),
}
CURVE_AGENTS = ("DQN", "C51", "Rainbow", "IQN")  # Dopamine's TensorFlow agents


# -- published columns alone -------------------------------------------------------------------------------------------
def published_columns(kind: str) -> pd.DataFrame:
    """The rows of ``published.family_columns`` that stand in the table ``kind``, a key of PUBLISHED."""
    columns = published.family_columns()
    return columns[columns["start"].isin(PUBLISHED[kind][0])].reset_index(drop=True)


def published_scores(kind: str) -> pd.DataFrame:
    """Raw scores: a row per game (57, then any others), columns game, random, human, and one per agent; nan where
    nothing is published."""
    references = published.references(PUBLISHED[kind][1])
    columns = {
        str(r["agent"]): published.column(r["agent"], r["start"]) for r in formatting.records(published_columns(kind))
    }
    others = sorted({g for scores in columns.values() for g in scores} - set(games.ATARI57))
    none = published.Reference(math.nan, math.nan)
    return pd.DataFrame(
        [
            {
                "game": game,
                "random": references.get(game, none).random,
                "human": references.get(game, none).human,
                **{agent: scores.get(game, math.nan) for agent, scores in columns.items()},
            }
            for game in (*games.ATARI57, *others)
        ]
    )


def published_page(kind: str) -> str:
    """The page of one published table: scores, their medians, and where each column is from."""
    _, normalization, words = PUBLISHED[kind]
    columns, scores = published_columns(kind), published_scores(kind)
    short = _numbered(columns)
    rows = [
        {"game": r["game"], "random": r["random"], "human": r["human"], **{n: r[a] for a, n in short.items()}}
        for r in formatting.records(scores)
    ]
    return f"""# Published scores of the DQN family: {words}

{BY} Published numbers alone (results/published/): no run of ours is in this table.

Raw scores. Random and human: "{normalization}" (reproduce/records/published.py). A dash: not published or
not readable.

{formatting.markdown(rows)}
## Over games

Median and mean of human-normalized scores, percent, over the games of a column that have random and human scores. A
paper's own summary may be of other random and human scores, or of fewer games: published_medians.md has those.

{formatting.markdown(_summaries(columns, normalization))}
## The columns

{formatting.markdown(_sources(columns))}"""


def _numbered(columns: pd.DataFrame) -> dict[str, str]:
    """Agent -> heading: the name without its remark, its frames, and the number of the column."""
    return {
        r["agent"]: f"{r['agent'].partition(' (')[0]}, {formatting.number(r['frames'] / 1e6)}M [{i}]"
        for i, r in enumerate(formatting.records(columns), start=1)
    }


def _sources(columns: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "no.": str(i),
            "agent": r["agent"],
            "paper": r["paper"],
            "arXiv": _text(r["arxiv"]),
            "table": r["table"],
            "start": r["start"],
            "sticky actions": "yes" if r["sticky_actions"] else "no",
            "frames (M)": r["frames"] / 1e6,
            "games": r["games"],
            "convention": f"{r['convention']} ({r['basis']})",
            "protocol": r["protocol"],
            "flags": r["flags"],
        }
        for i, r in enumerate(formatting.records(columns), start=1)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _summaries(columns: pd.DataFrame, normalization: str) -> list[dict[str, Any]]:
    references = published.references(normalization)
    rows = []
    for i, r in enumerate(formatting.records(columns), start=1):
        scores = published.column(r["agent"], r["start"])
        found = aggregate([[references[g].normalized(s)] for g, s in scores.items() if g in references])
        rows.append(
            {
                "no.": str(i),
                "agent": r["agent"],
                "median": found["median"].value.item(),
                "mean": found["mean"].value.item(),
                "games": sum(g in references for g in scores),
            }
        )
    return rows


# -- ours beside the published -----------------------------------------------------------------------------------------
def with_published(group: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Our rows with the published columns of the same convention, start and stickiness: (table, sources).

    group: rows of score_aggregates.GAME_COLUMNS of one collection, agent and convention.  table: those rows, and
    a column per published one, "published: <agent>, <start>", with raw scores.  sources: the published columns' rows.
    """
    first = formatting.records(group.head(1))[0]
    columns = published.family_columns()
    sticky = columns["sticky_actions"] > 0
    columns = columns[
        (columns["convention"] == first["convention"])
        & (columns["start"] == first["start"])
        & (sticky == (first["sticky_actions"] > 0))
    ]
    added = {str(r["agent"]): published.column(r["agent"], r["start"]) for r in formatting.records(columns)}
    sources = pd.concat([columns, *_of_curves(first, added)], ignore_index=True)
    if not group["game"].any():  # not Atari
        sources, added = sources.iloc[:0], {}
    table = group.copy()
    for r in formatting.records(sources):
        scores = added[r["agent"]]
        table[f"published: {r['agent']}, {r['start']}"] = [scores.get(g, math.nan) for g in group["game"]]
    return table, sources


def _of_curves(first: dict[str, Any], added: dict[str, dict[str, float]]) -> list[pd.DataFrame]:
    """Dopamine's training returns over our window at our frames, put into ``added``; the rows of their sources."""
    block = published.DOPAMINE_ITERATION_FRAMES
    count = first["window_frames"] // block
    if first["convention"] != "training_return" or not first["sticky_actions"] or count < 1:
        return []
    rows = []
    for agent in CURVE_AGENTS:
        curves = published.dopamine_curves(agent)
        end = min(first["frames"] // block, int(curves["iteration"].max()) + 1)
        if end < count:
            continue
        span = curves[curves["iteration"].between(end - count, end - 1)]
        name = f"Dopamine {agent}, iterations {end - count} to {end - 1}"
        added[name] = {str(game): float(mean) for game, mean in span.groupby("game")["mean_return"].mean().items()}
        rows.append(
            {
                "agent": name,
                "start": "none",
                "convention": "training_return",
                "basis": published_conventions.FAMILY["Dopamine DQN (legacy TF, final)", "none"][1],
                "sticky_actions": 1.0,
                "frames": end * block,
                "games": len(added[name]),
                "paper": "Castro et al. 2018 (Dopamine)",
                "arxiv": "1812.06110",
                "table": "dopamine_curves.csv.gz",
                "protocol": "mean over 5 runs of the same window as ours",
                "flags": "",
            }
        )
    return [pd.DataFrame(rows)] if rows else []


def page(group: pd.DataFrame, over_games: pd.DataFrame) -> str:
    """The page of one collection, agent and convention: our scores beside the published columns.

    Args:
        group: its rows of ``score_aggregates.GAME_COLUMNS``.
        over_games: its rows of ``score_aggregates.OVER_GAMES_COLUMNS``.

    Returns:
        Markdown.
    """
    table, sources = with_published(group)
    first = formatting.records(group.head(1))[0]
    window = f", window of {first['window']} ({first['window_frames']:,} frames)" if first["window"] else ""
    none = "No published column is of this convention, start and stickiness.\n"
    return f"""# {first["agent"]} ({first["collection"] or "no collection"}), {first["convention"]}: our scores per game

{BY} Raw scores; complete runs only.

Ours: {first["convention"]}{window}; start "{first["start"]}"; sticky actions {first["sticky_actions"]:g}; runs of
{_frames(group)} frames; {_code(group)}. The interval is of the mean over seeds, by Student's t; a dash: one seed.

{formatting.markdown(_score_rows(table, sources))}
## Over games

Human-normalized scores in percent ("{first["normalization"] or "no normalization"}"), stratified bootstrap over seeds.

{formatting.markdown(_aggregate_rows(over_games))}
## The published columns

{formatting.markdown(_sources(sources)) if len(sources) else none}"""


def _score_rows(table: pd.DataFrame, sources: pd.DataFrame) -> list[dict[str, Any]]:
    """A row per environment: our numbers, then the published ones under their numbered headings."""
    headings = {f"published: {r['agent']}, {r['start']}": r["agent"] for r in formatting.records(sources)}
    short = _numbered(sources)
    return [
        {
            "environment": r["environment"],
            "seeds": r["n_seeds"],
            "mean": r["mean"],
            "std": r["std"],
            "95 % interval": formatting.interval(r["low"], r["high"]),
            "HNS (%)": r["hns_percent"],
            **{short[agent]: r[column] for column, agent in headings.items()},
        }
        for r in formatting.records(table)
    ]


def _aggregate_rows(over_games: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "metric": r["metric"],
            "percent": r["value_percent"],
            "95 % interval": formatting.interval(r["low"], r["high"]),
            "games": r["n_games"],
            "seeds": f"{r['n_seeds_min']} to {r['n_seeds_max']}",
        }
        for r in formatting.records(over_games)
    ]


def _frames(group: pd.DataFrame) -> str:
    return ", ".join(f"{frames:,}" for frames in sorted(group["frames"].unique()))


def _code(group: pd.DataFrame) -> str:
    most = int(np.max(group["code_versions"]))
    return "one version of the code per game" if most == 1 else f"up to {most} versions of the code within one game"
