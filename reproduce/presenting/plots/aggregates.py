"""Figures of final scores over games: performance profiles, and aggregate scores with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from reproduce.analysis.statistics import profile
from reproduce.presenting.plots.style import OURS, PUBLISHED, REFERENCE, figure, look, percent_axis, style

PROFILE_RESAMPLES = 500
MEASURES = {"median": "median", "iqm": "IQM", "mean": "mean", "optimality_gap": "optimality gap"}


def profiles(scores: pd.DataFrame, whose: str, width: float = 7.6) -> Figure:
    """The share of (run, game) pairs whose human-normalized score is above tau, over tau.

    Paper: Agarwal et al. 2021, arXiv 2108.13264, section 4.2, where a row is a run.  The band is the 95 % bootstrap
    interval; none where a game has one row only.

    Args:
        scores: a row per run, or per game where only means are published; columns label, game, published (bool),
            normalized (percent).
        whose: the second line of the title.
        width: of the figure, in inches.

    Returns:
        One panel, a curve per label in the order of the rows.
    """
    with style():
        drawn = figure(width=width, height=4.4)
        axes = drawn.subplots()
        for label, color, dashes in looks(scores):
            groups = [group.to_numpy() for _, group in scores[scores["label"] == label].groupby("game")["normalized"]]
            _profile(axes, groups, color, dashes, f"{label} ({len(groups)} games)")
        axes.axvline(100.0, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)))
        _profile_axes(axes)
        axes.set_title(f"Performance profiles\n{whose}", loc="left")
        drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def _profile(axes: Axes, groups: Sequence[np.ndarray], color: str, dashes: Any, label: str) -> None:
    """One profile with its band.  groups: normalized scores of each game, percent."""
    tau = np.concatenate([np.linspace(0, 100, 101), np.geomspace(100, 5000, 200)[1:]])
    share = profile(groups, tau, generator=np.random.default_rng(0), resamples=PROFILE_RESAMPLES)
    axes.fill_between(tau, 100 * share.low, 100 * share.high, color=color, alpha=0.16, linewidth=0)
    axes.plot(tau, 100 * share.value, color=color, linestyle=dashes, linewidth=1.4, label=label)


def _profile_axes(axes: Axes) -> None:
    percent_axis(axes, "x", (0, 50, 100, 200, 500, 1000, 2000, 5000))
    axes.set_xlim(0, 5000)
    axes.set_ylim(0, 100)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.set_xlabel("human-normalized score τ (logarithmic beyond the human's 100 %)")
    axes.set_ylabel("share of games with a score above τ")


def looks(table: pd.DataFrame) -> list[tuple[str, str, Any]]:
    """(label, color, dashes) of what is in ``table``, in its order; ours in vermillion and the colors after it."""
    firsts = table.drop_duplicates("label")
    counts = {True: 0, False: 0}
    out = []
    for label, theirs in zip(firsts["label"], firsts["published"].astype(bool), strict=True):
        out.append((label, *look(counts[theirs], theirs)))
        counts[theirs] += 1
    return out


def intervals(table: pd.DataFrame, whose: str) -> Figure:
    """Aggregate scores with their intervals.  Paper: Agarwal et al. 2021, Figure 9.

    Args:
        table: a row per label and measure; columns label, published (bool), measure (a key of ``MEASURES``), value,
            low, high (percent; nan where no interval can be worked out), n_games.
        whose: the second line of the title.

    Returns:
        A panel per measure that the table has, a row per label.
    """
    labels = [label for label, *_ in looks(table)][::-1]
    measures = [m for m in MEASURES if m in set(table["measure"])]
    with style():
        drawn = figure(width=9.2, height=0.34 * len(labels) + 1.7)
        panels = drawn.subplots(1, len(measures), sharey=True, squeeze=False)[0]
        for axes, measure in zip(panels, measures, strict=True):
            same = table[table["measure"] == measure].set_index("label")
            for at, label in enumerate(labels):
                _estimate(axes, at, same.loc[label].to_dict())
            _measure_axes(axes, MEASURES[measure], len(labels))
        counts = table.groupby("label")["n_games"].max()
        panels[0].set_yticks(range(len(labels)), [f"{label} ({counts[label]:.0f})" for label in labels])
        drawn.supxlabel("human-normalized score, percent (in brackets: games)", fontsize=9.5)
        drawn.suptitle(f"Aggregate scores\n{whose}", x=0.01, ha="left", fontsize=10.5)
    return drawn


def _estimate(axes: Axes, at: int, row: Mapping[Any, Any]) -> None:
    """One estimate as a diamond with its number, over a bar as wide as its interval."""
    color = PUBLISHED if row["published"] else OURS[0]
    if np.isfinite(row["low"]):
        axes.barh(at, row["high"] - row["low"], left=row["low"], height=0.6, color=color, alpha=0.35)
    axes.plot([row["value"]], [at], "D", color=color, markersize=5)
    place: dict[str, Any] = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "fontsize": 7}
    axes.annotate(f"{round(row['value']):,}", (row["value"], at), **place)


def _measure_axes(axes: Axes, name: str, rows: int) -> None:
    axes.set_title(name, loc="left", fontsize=9.5)
    axes.margins(x=0.14)
    axes.set_ylim(-0.6, rows - 0.2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.locator_params(axis="x", nbins=4)
