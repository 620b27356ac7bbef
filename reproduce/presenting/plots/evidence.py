"""Figures of a protocol's whole table: every run beside the published numbers, and curves with the published ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from reproduce.formatting import records
from reproduce.presenting.plots.one_game import name_of
from reproduce.presenting.plots.style import OURS, PUBLISHED, amount, figure, look, style

Look = tuple[str, Any]  # color, dashes
FEW = 3  # agents of a panel whose bands can be told apart


def heights(cells: pd.DataFrame, scores: pd.DataFrame, title: str) -> Figure:
    """Every agent on every environment: our runs, their mean with its 95 % interval, and the published mean.

    Args:
        cells: rows of ``protocol_cells.CELL_COLUMNS``.
        scores: rows of ``protocol_cells.SCORE_COLUMNS``, a point each.
        title: of the figure.

    Returns:
        The figure.
    """
    names, agents = list(dict.fromkeys(cells["environment"])), list(dict.fromkeys(cells["agent"]))[::-1]
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    with style():
        drawn = figure(width=2.2 + 2.3 * columns, height=rows * (0.24 * len(agents) + 0.9) + 1.1)
        panels = drawn.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            for at, agent in enumerate(agents):
                _height(axes, at, cells[(cells["environment"] == name) & (cells["agent"] == agent)], scores)
            axes.set_title(name_of(name), loc="left", fontsize=9.5)
            axes.xaxis.get_major_locator().set_params(nbins=4)
            axes.margins(x=0.08)
            axes.set_ylim(-0.7, len(agents) - 0.3)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        panels[0].set_yticks(range(len(agents)), agents, fontsize=8)
        for axes in panels[max(0, len(names) - columns) : len(names)]:
            axes.set_xlabel("return", fontsize=8.5)
        drawn.suptitle(title, x=0.01, ha="left", fontsize=10.5)
        drawn.legend(handles=_height_handles(cells), loc="outside lower center", ncols=3)
    return drawn


def _height(axes: Axes, at: int, cell: pd.DataFrame, scores: pd.DataFrame) -> None:
    """One row of a panel: the published number above, ours below it."""
    for row in records(cell):
        same = scores[(scores["agent"] == row["agent"]) & (scores["environment"] == row["environment"])]["score"]
        axes.plot(same, np.full(len(same), at - 0.12), "o", color=OURS[0], markersize=2.5, alpha=0.5)
        if len(same):
            reach = 0.0 if math.isnan(row["low"]) else row["high"] - row["ours"]
            axes.errorbar([row["ours"]], [at - 0.12], xerr=[[reach], [reach]], fmt="D", color=OURS[0], markersize=4.5)
        if not math.isnan(row["published"]):
            spread = 0.0 if math.isnan(row["spread"]) else row["spread"]
            face = "white" if row["low_confidence"] else PUBLISHED
            mark: dict[str, Any] = {"markersize": 5, "markerfacecolor": face}
            axes.errorbar([row["published"]], [at + 0.2], xerr=[[spread], [spread]], fmt="s", color=PUBLISHED, **mark)


def _height_handles(cells: pd.DataFrame) -> list[Line2D]:
    ours: dict[str, Any] = {"linestyle": "", "color": OURS[0]}
    theirs: dict[str, Any] = {"linestyle": "", "color": PUBLISHED, "marker": "s"}
    spread = " ± standard deviation" if cells["spread"].notna().any() else ""
    handles = [
        Line2D([], [], marker="D", markersize=4.5, label="ours: mean, 95 % interval", **ours),
        Line2D([], [], marker="o", markersize=2.5, alpha=0.5, label="ours: a run", **ours),
        Line2D([], [], label=f"published{spread}", **theirs),
    ]
    if cells["low_confidence"].any():
        handles.append(Line2D([], [], markerfacecolor="white", label="published, low confidence", **theirs))
    return handles


def curves_to_ends(
    curves: pd.DataFrame, ends: pd.DataFrame, panels: Mapping[str, Sequence[str]], environment: str, frames: int
) -> Figure:
    """Learning curves of ours with the published last points at their end, agents of a panel in one color each.
    Few agents have a band, from their lowest to their highest run.

    Args:
        curves: rows of ``learning_curves.COLUMNS`` of ours on one environment; the line is the mean over runs.
        ends: rows of ``protocol_cells.CELL_COLUMNS`` of that environment.
        panels: heading -> its agents.
        environment: for the title.
        frames: the budget of the runs.

    Returns:
        The figure.
    """
    few = max(map(len, panels.values())) <= FEW
    with style():
        drawn = figure(width=max(7.0, 4.6 * len(panels) + 1.0), height=4.6)
        axes_of = drawn.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (heading, agents) in zip(axes_of, panels.items(), strict=True):
            for i, agent in enumerate(agents):
                curve, at = curves[curves["label"] == agent], frames * (1.03 + 0.012 * i)
                if few and len(curve):
                    axes.fill_between(curve["frames"], curve["low"], curve["high"], color=look(i, False)[0], alpha=0.14)
                _curve_to_end(axes, curve, ends[ends["agent"] == agent], look(i, False), at)
            axes.set_title(heading, loc="left", fontsize=9.5)
            unit, size = ("millions", 1e6) if frames >= 1e6 else ("thousands", 1e3)
            axes.xaxis.set_major_formatter(lambda value, _, size=size: f"{value / size:g}")
            axes.set_xlabel(f"frames ({unit})")
            axes.set_xlim(0, frames * (1.05 + 0.012 * len(agents)))
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=7.5)
        axes_of[0].set_ylabel("mean return of training episodes")
        n = int(curves["n"].max())
        hollow = " (hollow: of low confidence)" if ends["low_confidence"].any() else ""
        band = ", band: lowest to highest" if few else ""
        whose = f"lines: ours, mean of up to {n} run{'s' * (n != 1)}{band}; squares: published{hollow}"
        title = f"{name_of(environment)}, {amount(frames)} frames\n{whose}"
        drawn.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return drawn


def _curve_to_end(axes: Axes, curve: pd.DataFrame, end: pd.DataFrame, how: Look, at: float) -> None:
    color, dashes = how
    for row in records(end):
        runs = f"{row['runs']} of {row['asked']} runs" if row["runs"] < row["asked"] else f"{row['runs']} runs"
        axes.plot(curve["frames"], curve["mean"], color=color, linestyle=dashes, label=f"{row['agent']} ({runs})")
        if not math.isnan(row["published"]):
            face = "white" if row["low_confidence"] else color
            axes.plot([at], [row["published"]], "s", color=color, markerfacecolor=face, markersize=6, clip_on=False)


def ranks(checkpoints: pd.DataFrame, published: pd.DataFrame, game: str, whose: str) -> Figure:
    """Our evaluations among single published runs, along training.

    Args:
        checkpoints: columns seed, steps, score of ours.
        published: columns steps, eval_average_return, a row per published run and checkpoint.
        game: for the title.
        whose: the published runs are.

    Returns:
        The figure.
    """
    bands = published.groupby("steps")["eval_average_return"].quantile(np.array([0.0, 0.25, 0.5, 0.75, 1.0])).unstack()
    with style():
        drawn = figure(height=4.0)
        axes = drawn.subplots()
        for low, high, alpha in ((0.0, 1.0, 0.14), (0.25, 0.75, 0.3)):
            axes.fill_between(bands.index, bands[low], bands[high], color=PUBLISHED, alpha=alpha, linewidth=0)
        axes.plot(bands.index, bands[0.5], color=PUBLISHED, linewidth=1.2)
        handles: list[Any] = [
            Patch(color=PUBLISHED, alpha=0.2, label=f"{whose}: lowest to highest"),
            Patch(color=PUBLISHED, alpha=0.45, label="middle half"),
            Line2D([], [], color=PUBLISHED, label="median"),
        ]
        for i, (seed, same) in enumerate(checkpoints.groupby("seed", sort=True)):
            color = OURS[i % len(OURS)]
            axes.plot(same["steps"], same["score"], color=color, marker="D", markersize=4, linewidth=1.2)
            handles.append(Line2D([], [], color=color, marker="D", markersize=4, label=f"ours, seed {seed}"))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e3:g}")
        axes.set_xlabel("agent steps (thousands)")
        axes.set_ylabel("mean return of 100 evaluation episodes")
        axes.set_title(f"{name_of(game)}: ours among the published runs", loc="left")
        drawn.legend(handles=handles, loc="outside lower center", ncols=4)
    return drawn
