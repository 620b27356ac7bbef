"""Figures of final scores: bars per game, improvements, performance profiles, intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from reproduce.analysis.statistics import profile
from reproduce.presenting.plots.one_game import name_of
from reproduce.presenting.plots.style import (
    OURS,
    PUBLISHED,
    REFERENCE,
    figure,
    level_line,
    look,
    note,
    percent_axis,
    style,
)
from reproduce.records import published

WORSE = "#E69F00"  # orange, beside blue for better
HUMAN_LEVEL = 75.0  # percent: what Mnih et al. 2015 call "comparable to a professional human games tester"
OTHER_BARS = "#B5B5B5"
PROFILE_RESAMPLES = 500
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # a label that a line would run through


def nature_scores() -> pd.DataFrame:
    """Human-normalized scores (percent) of DQN and of the best linear learner, 49 games, the best DQN first.

    Index: game.  Random and human scores are those of the same table, Mnih et al. 2015, Extended Data Table 2.
    """
    raw, references = published.scores().dropna(subset=["nature_dqn"]), published.references("nature49")
    rows = {
        game: {name: references[str(game)].normalized(row[f"nature_{name}"]) for name in ("dqn", "best_linear")}
        for game, row in raw.iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("dqn", ascending=False, kind="stable")


def normalized_bars(scores: pd.DataFrame, ours: Mapping[str, float] | None = None, our_name: str = "ours") -> Figure:
    """A bar per game, the human level marked.  Paper: Mnih et al. 2015, Figure 3.

    scores: ``nature_scores()``.  ours: game -> percent, by the same random and human scores; drawn as diamonds.
    Deviation: the axis is logarithmic beyond +-100 %, where the paper's is broken.
    """
    ours = {game: score for game, score in (ours or {}).items() if game in scores.index}
    scores = scores.iloc[::-1]  # the best on top
    place = np.arange(len(scores))
    with style():
        drawn = figure(width=7.6, height=0.205 * len(scores) + 1.7)
        axes = drawn.subplots()
        axes.barh(place + 0.2, scores["dqn"], height=0.4, color=PUBLISHED)
        axes.barh(place - 0.2, scores["best_linear"], height=0.34, color=OTHER_BARS)
        for at, game, value in zip(place, scores.index, scores["dqn"], strict=True):
            look: dict[str, Any] = {"va": "center", "fontsize": 7, "zorder": 3, "bbox": _ON_WHITE, "color": "black"}
            note(axes, f"{value:,.0f} %", (max(value, 0.0), at + 0.2), (3, 0), **look)
            if game in ours:
                axes.plot([ours[game]], [at + 0.2], "D", color=OURS[0], markeredgecolor="white", markersize=6, zorder=5)
        axes.axvline(100.0, color="black", linewidth=1)
        _human_level(axes, int((scores["dqn"] < HUMAN_LEVEL).sum()), len(scores))
        _game_axis(axes, scores.index)
        percent_axis(axes, "x", (-100, -50, 0, 50, 100, 500, 1000, 2500))
        axes.set_xlim(min(-4.0, float(scores.to_numpy().min()) * 1.15), 5500)
        axes.set_xlabel("human-normalized score: 0 % random play, 100 % the human (logarithmic beyond)")
        whose = f"{our_name} beside the published scores" if ours else "published data only, no run of ours"
        axes.set_title(f"DQN on {len(scores)} games, Mnih et al. 2015 (Nature), Figure 3\n{whose}", loc="left")
        handles: list[object] = [
            Patch(color=PUBLISHED, label="DQN"),
            Patch(color=OTHER_BARS, label="best linear learner"),
        ]
        if ours:
            handles.append(Line2D([], [], marker="D", linestyle="", color=OURS[0], label=our_name))
        drawn.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawn


def _human_level(axes: Axes, below: int, games: int) -> None:
    """The line that parts the games with at least HUMAN_LEVEL from the ``below`` others."""
    level_line(axes, below - 0.5)
    place: dict[str, Any] = {"within": ("axes fraction", "data"), "ha": "right", "fontsize": 8}
    above = f"at least {HUMAN_LEVEL:g} % of the human: {games - below} games"
    note(axes, above, (1.0, below - 0.5), (0, 3), va="bottom", **place)
    note(axes, f"below: {below} games", (1.0, below - 0.5), (0, -3), va="top", **place)


def _game_axis(axes: Axes, games: Sequence[str] | pd.Index) -> None:
    """Names of games down the y-axis, one per row."""
    axes.set_yticks(range(len(games)), [name_of(g) for g in games], fontsize=7.5)
    axes.set_ylim(-0.8, len(games) - 0.2)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def improvement(agent: Mapping[str, float], over: Mapping[str, float]) -> pd.Series:
    """Improvement per game in percent, the largest first, over the games that both have and that have references.

    Paper: Wang et al. 2016, arXiv 1511.06581, equation 10: the difference of the raw scores by the larger of the
    human's and the other agent's score above random play.

    >>> improvement({"breakout": 60.0, "pong": 20.0}, {"breakout": 30.5})     # random 1.7, human 30.5
    breakout    102.430556
    dtype: float64
    """
    references = published.references("dqn_zoo57")
    values = {}
    for game in sorted(set(agent) & set(over) & set(references)):
        random, human = references[game]
        values[game] = 100.0 * (agent[game] - over[game]) / (max(human, over[game]) - random)
    return pd.Series(values, dtype="float64").sort_values(ascending=False, kind="stable")


def improvement_bars(values: pd.Series, agent: str, over: str, whose: str) -> Figure:
    """A bar per game of ``improvement``; linear within +-100 %, logarithmic beyond.  whose: for the title."""
    values = values.iloc[::-1]
    with style():
        drawn = figure(width=7.6, height=0.165 * len(values) + 1.5)
        axes = drawn.subplots()
        axes.barh(range(len(values)), values, height=0.72, color=np.where(values >= 0, PUBLISHED, WORSE))
        percent_axis(axes, "x", (-3000, -1000, -300, -100, -50, 0, 50, 100, 300, 1000, 3000))
        low, high = min(-30.0, float(values.min())), max(30.0, float(values.max()))
        axes.set_xlim(_beyond(low), _beyond(high))
        for at, value in enumerate(values):
            axes.annotate(
                f"{round(value):,} %",
                (value, at),
                xytext=(3 if value >= 0 else -3, 0),
                va="center",
                ha="left" if value >= 0 else "right",
                textcoords="offset points",
                fontsize=7,
            )
        _game_axis(axes, values.index)
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel("improvement: score difference / (larger of human and baseline, above random)")
        better, worse = int((values > 0).sum()), int((values < 0).sum())
        axes.set_title(
            f"{agent} over {over}: better on {better} games, worse on {worse} of {len(values)}\n{whose}", loc="left"
        )
    return drawn


def _beyond(end: float) -> float:
    """Room for a label outside a bar that ends there."""
    return float(np.sign(end)) * (abs(end) * 2.2 if abs(end) > 50 else abs(end) + 40)


def profiles(scores: pd.DataFrame, whose: str, width: float = 7.6) -> Figure:
    """The share of (run, game) pairs whose human-normalized score is above tau, over tau.

    scores: columns label, game, published, normalized (percent); a row per run, or per game where only means are
    published.  Paper: Agarwal et al. 2021, arXiv 2108.13264, section 4.2, where a row is a run.  The band is the
    95 % bootstrap interval; none where a game has one row only.
    """
    with style():
        drawn = figure(width=width, height=4.4)
        axes = drawn.subplots()
        tau = np.concatenate([np.linspace(0, 100, 101), np.geomspace(100, 5000, 200)[1:]])
        for label, color, dashes in looks(scores):
            groups = [group.to_numpy() for _, group in scores[scores["label"] == label].groupby("game")["normalized"]]
            share = profile(groups, tau, generator=np.random.default_rng(0), resamples=PROFILE_RESAMPLES)
            axes.fill_between(tau, 100 * share.low, 100 * share.high, color=color, alpha=0.16, linewidth=0)
            axes.plot(
                tau,
                100 * share.value,
                color=color,
                linestyle=dashes,
                linewidth=1.4,
                label=f"{label} ({len(groups)} games)",
            )
        axes.axvline(100.0, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)))
        percent_axis(axes, "x", (0, 50, 100, 200, 500, 1000, 2000, 5000))
        axes.set_xlim(0, 5000)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.set_xlabel("human-normalized score τ (logarithmic beyond the human's 100 %)")
        axes.set_ylabel("share of games with a score above τ")
        axes.set_title(f"Performance profiles\n{whose}", loc="left")
        drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def looks(table: pd.DataFrame) -> list[tuple[str, str, Any]]:
    """(label, color, dashes) of what is in ``table``, in its order; ours in vermillion and the colors after it."""
    firsts = table.drop_duplicates("label")
    counts = {True: 0, False: 0}
    out = []
    for label, theirs in zip(firsts["label"], firsts["published"].astype(bool), strict=True):
        out.append((label, *look(counts[theirs], theirs)))
        counts[theirs] += 1
    return out


MEASURES = {"median": "median", "iqm": "IQM", "mean": "mean", "optimality_gap": "optimality gap"}


def intervals(table: pd.DataFrame, whose: str) -> Figure:
    """Aggregate scores with their intervals, a panel per measure.  Paper: Agarwal et al. 2021, Figure 9.

    table: a row per label and measure; columns label, published, measure (a key of ``MEASURES``), value, low, high
    (percent; nan where no interval can be worked out), n_games.
    """
    labels = [label for label, *_ in looks(table)][::-1]
    measures = [m for m in MEASURES if m in set(table["measure"])]
    with style():
        drawn = figure(width=9.2, height=0.34 * len(labels) + 1.7)
        panels = drawn.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, measure in zip(panels, measures, strict=True):
            same = table[table["measure"] == measure].set_index("label")
            for at, label in enumerate(labels):
                row, color = same.loc[label], PUBLISHED if same.loc[label, "published"] else OURS[0]
                if np.isfinite(row["low"]):
                    axes.barh(at, row["high"] - row["low"], left=row["low"], height=0.6, color=color, alpha=0.35)
                axes.plot([row["value"]], [at], "D", color=color, markersize=5)
                axes.annotate(
                    f"{round(row['value']):,}",
                    (row["value"], at),
                    xytext=(0, 5),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                )
            axes.set_title(MEASURES[measure], loc="left", fontsize=9.5)
            axes.margins(x=0.14)
            axes.set_ylim(-0.6, len(labels) - 0.2)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.xaxis.get_major_locator().set_params(nbins=4)
        counts = table.groupby("label")["n_games"].max()
        panels[0].set_yticks(range(len(labels)), [f"{label} ({counts[label]:.0f})" for label in labels])
        drawn.supxlabel("human-normalized score, percent (in brackets: games)", fontsize=9.5)
        drawn.suptitle(f"Aggregate scores\n{whose}", x=0.01, ha="left", fontsize=10.5)
    return drawn
