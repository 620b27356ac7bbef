"""Figures with a bar per game: human-normalized scores, and improvements of one agent over another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reproduce.presenting.plots.curves import name_of
from reproduce.presenting.plots.style import OURS, PUBLISHED, figure, level_line, note, percent_axis, style
from reproduce.records import published

WORSE = "#E69F00"  # orange, beside blue for better
HUMAN_LEVEL = 75.0  # percent: what Mnih et al. 2015 call "comparable to a professional human games tester"
OTHER_BARS = "#B5B5B5"
_ON_WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # a label that a line would run through


# -- Mnih et al. 2015, Figure 3 ----------------------------------------------------------------------------------------
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

    Deviation: the axis is logarithmic beyond +-100 %, where the paper's is broken.

    Args:
        scores: ``nature_scores()``.
        ours: game -> percent, by the same random and human scores; drawn as diamonds.  Other games are left out.
        our_name: of the diamonds, in legend and title.

    Returns:
        One panel, the best game on top.
    """
    ours = {game: score for game, score in (ours or {}).items() if game in scores.index}
    scores = scores.iloc[::-1]
    place = np.arange(len(scores))
    with style():
        drawn = figure(width=7.6, height=0.205 * len(scores) + 1.7)
        axes = drawn.subplots()
        axes.barh(place + 0.2, scores["dqn"], height=0.4, color=PUBLISHED)
        axes.barh(place - 0.2, scores["best_linear"], height=0.34, color=OTHER_BARS)
        for at, game, value in zip(place, scores.index, scores["dqn"], strict=True):
            _percent_label(axes, at + 0.2, value)
            if game in ours:
                axes.plot([ours[game]], [at + 0.2], "D", color=OURS[0], markeredgecolor="white", markersize=6, zorder=5)
        axes.axvline(100.0, color="black", linewidth=1)
        _human_level(axes, int((scores["dqn"] < HUMAN_LEVEL).sum()), len(scores))
        _game_axis(axes, scores.index)
        _normalized_axis(axes, float(scores.to_numpy().min()))
        whose = f"{our_name} beside the published scores" if ours else "published data only, no run of ours"
        axes.set_title(f"DQN on {len(scores)} games, Mnih et al. 2015 (Nature), Figure 3\n{whose}", loc="left")
        drawn.legend(handles=_legend_of_bars(our_name if ours else ""), loc="outside lower center", ncols=3)
    return drawn


def _percent_label(axes: Axes, at: float, value: float) -> None:
    look: dict[str, Any] = {"va": "center", "fontsize": 7, "zorder": 3, "bbox": _ON_WHITE, "color": "black"}
    note(axes, f"{value:,.0f} %", (max(value, 0.0), at), (3, 0), **look)


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


def _normalized_axis(axes: Axes, least: float) -> None:
    percent_axis(axes, "x", (-100, -50, 0, 50, 100, 500, 1000, 2500))
    axes.set_xlim(min(-4.0, least * 1.15), 5500)
    axes.set_xlabel("human-normalized score: 0 % random play, 100 % the human (logarithmic beyond)")


def _legend_of_bars(our_name: str) -> list[Patch | Line2D]:
    handles: list[Patch | Line2D] = [
        Patch(color=PUBLISHED, label="DQN"),
        Patch(color=OTHER_BARS, label="best linear learner"),
    ]
    if our_name:
        handles.append(Line2D([], [], marker="D", linestyle="", color=OURS[0], label=our_name))
    return handles


# -- improvements ------------------------------------------------------------------------------------------------------
def improvement(agent: Mapping[str, float], over: Mapping[str, float]) -> pd.Series:
    """Improvement of one agent over another per game.

    Paper: Wang et al. 2016, arXiv 1511.06581, equation 10: the difference of the raw scores by the larger of the
    human's and the other agent's score above random play.

    Args:
        agent: game -> raw score.
        over: the same of the other agent.

    Returns:
        Percent by game, the largest first, over the games that both have and that have human and random scores.

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
    """A bar per game; linear within +-100 %, logarithmic beyond.

    Args:
        values: ``improvement`` of the agent over the other.
        agent: its name, for the title.
        over: the other's name.
        whose: the second line of the title.

    Returns:
        One panel, the largest improvement on top.
    """
    values = values.iloc[::-1]
    with style():
        drawn = figure(width=7.6, height=0.165 * len(values) + 1.5)
        axes = drawn.subplots()
        axes.barh(range(len(values)), values, height=0.72, color=np.where(values >= 0, PUBLISHED, WORSE))
        percent_axis(axes, "x", (-3000, -1000, -300, -100, -50, 0, 50, 100, 300, 1000, 3000))
        low, high = min(-30.0, float(values.min())), max(30.0, float(values.max()))
        axes.set_xlim(_beyond(low), _beyond(high))
        for at, value in enumerate(values):
            _outside_label(axes, at, value)
        _game_axis(axes, values.index)
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel("improvement: score difference / (larger of human and baseline, above random)")
        better, worse = int((values > 0).sum()), int((values < 0).sum())
        counts = f"better on {better} games, worse on {worse} of {len(values)}"
        axes.set_title(f"{agent} over {over}: {counts}\n{whose}", loc="left")
    return drawn


def _outside_label(axes: Axes, at: int, value: float) -> None:
    """The number at the end of its bar."""
    side: dict[str, Any] = {"xytext": (3, 0), "ha": "left"} if value >= 0 else {"xytext": (-3, 0), "ha": "right"}
    axes.annotate(f"{round(value):,} %", (value, at), va="center", textcoords="offset points", fontsize=7, **side)


def _beyond(end: float) -> float:
    """Room for a label outside a bar that ends there."""
    return float(np.sign(end)) * (abs(end) * 2.2 if abs(end) > 50 else abs(end) + 40)
