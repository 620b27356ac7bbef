"""Figures of many games at once: a grid of curves, and human-normalized scores over frames."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reproduce.presenting.plots.curves import appearance, draw_curve, frames_axis, label_level, name_of, origin
from reproduce.presenting.plots.style import figure, level_line, style
from reproduce.records import published

COLUMNS = 6
GRID_BLOCK = 5  # points of a curve that one point in the grid stands for


# -- a grid of curves --------------------------------------------------------------------------------------------------
def grid(table: pd.DataFrame, block: int = GRID_BLOCK) -> Figure:
    """A small panel per game, each with its own range of scores; frames are shared.

    Args:
        table: rows of ``learning_curves.COLUMNS``.
        block: points of a curve that are averaged into one, if the curve has at least ten times as many.

    Returns:
        Games by name, ``COLUMNS`` a row; x in millions of frames, y in raw scores.
    """
    games = sorted(table["game"].unique())
    columns = min(COLUMNS, len(games))
    rows = math.ceil(len(games) / columns)
    looks, most = appearance(table), table["frames"].max()
    with style():
        drawn = figure(width=max(5.0, 1.9 * columns), height=1.45 * rows + 1.2)
        panels = drawn.subplots(rows, columns, squeeze=False, sharex=True).ravel()
        for axes, game in zip(panels, games, strict=False):
            _panel(axes, table[table["game"] == game], looks, block)
            axes.set_title(name_of(game), fontsize=8.5, loc="left", pad=2)
            _small_axes(axes)
        for axes in panels[len(games) :]:
            axes.set_axis_off()
        for axes in panels[max(0, len(games) - columns) : len(games)]:  # the lowest panel of each column
            frames_axis(axes, most)
            axes.xaxis.label.set_fontsize(7.5)
            axes.tick_params(labelbottom=True)
        heading = f"Return of training episodes, {len(games)} games\n{origin(table)}"
        drawn.suptitle(heading, x=0.01, ha="left", fontsize=10.5)
        handles = [Line2D([], [], color=color, linestyle=dashes, label=name) for name, (color, dashes) in looks.items()]
        drawn.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)))
    return drawn


def _panel(axes: Axes, table: pd.DataFrame, looks: dict[str, tuple[str, Any]], block: int) -> None:
    """The curves of one game."""
    for label, (color, dashes) in looks.items():
        curve = table[table["label"] == label]
        if len(curve):
            draw_curve(axes, thinned(curve, block), color, dashes, linewidth=1.0)


def _small_axes(axes: Axes) -> None:
    axes.tick_params(labelsize=7, length=2, pad=2)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axes.margins(x=0)


def thinned(curve: pd.DataFrame, block: int) -> pd.DataFrame:
    """A curve with fewer points; one with fewer than ten blocks stays as it is.

    Args:
        curve: rows of ``learning_curves.COLUMNS`` of one label and game, in the order of frames.
        block: points that are averaged into one.

    Returns:
        Means of frames, mean, low, high and n over every ``block`` points.
    """
    if len(curve) < 10 * block:
        return curve
    numbers = curve[["frames", "mean", "low", "high", "n"]].reset_index(drop=True)
    return numbers.groupby(numbers.index // block).mean()


def short(value: float) -> str:
    """A tick label of at most five characters or so.

    >>> [short(v) for v in (0.0, -20.0, 1500.0, 20_000.0, 1.5e6)]
    ['0', '-20', '1.5k', '20k', '1.5M']
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


# -- aggregates over frames --------------------------------------------------------------------------------------------
def normalized_over_frames(table: pd.DataFrame, games: int | None, width: float = 9.2) -> Figure:
    """Median and IQM over games of the human-normalized score, over frames.

    Args:
        table: rows of ``learning_curves.OVER_FRAMES_COLUMNS``.
        games: how many, for the titles; None: it differs between labels.
        width: of the figure, in inches.

    Returns:
        Two panels; x in millions of frames, y in percent.
    """
    with style():
        drawn = figure(width=width, height=4.4)
        panels = drawn.subplots(1, 2, sharex=True)
        for axes, (column, words) in zip(panels, (("median", "median"), ("iqm", "interquartile mean")), strict=True):
            _aggregate_curves(axes, table, column)
            level_line(axes, 100.0)
            label_level(axes, 100.0, "human")
            axes.set_title(f"{words} over {'the' if games is None else games} games", loc="left", fontsize=9.5)
            axes.set_ylim(min(0.0, float(table[["median", "iqm"]].to_numpy().min())), None)
            axes.margins(x=0)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
            frames_axis(axes, table["frames"].max())
        panels[0].set_ylabel("human-normalized score")
        if table["published"].all():
            whose = "published data only, no run of ours; scores are means over runs, so without intervals"
        else:
            whose = "band: 95 % bootstrap interval of ours"
        drawn.suptitle(f"Human-normalized score of training episodes\n{whose}", x=0.01, ha="left", fontsize=10.5)
        drawn.legend(loc="outside lower center", ncols=4)
    return drawn


def _aggregate_curves(axes: Axes, table: pd.DataFrame, column: str) -> None:
    """The metric ``column`` of each label with its band; only the median names its curves for the legend."""
    for label, (color, dashes) in appearance(table).items():
        curve = table[table["label"] == label]
        x = curve["frames"] / 1e6
        low, high = (curve[f"{column}_{end}"].astype("float64") for end in ("low", "high"))
        axes.fill_between(x, low, high, color=color, alpha=0.16, linewidth=0)
        look: dict[str, Any] = {"color": color, "linestyle": dashes, "linewidth": 1.4}
        axes.plot(x, curve[column], label=label if column == "median" else None, **look)


def normalizable(table: pd.DataFrame) -> list[str]:
    """The games of ``table`` that have human and random scores, and that every curve in it has."""
    by_label = [set(same["game"]) for _, same in table.groupby("label")]
    shared = set.intersection(*by_label) if by_label else set()
    return sorted(shared & set(published.scores().index))
