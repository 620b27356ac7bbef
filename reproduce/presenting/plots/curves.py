"""What figures with curves share: a curve with its band, the axis of frames, levels of the human and of random play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from dqn_tf.envs import games
from reproduce.presenting.plots.style import level_line, look, note
from reproduce.records import published

FEW_POINTS = 10  # a line of fewer also shows where they are


def moving_average(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of each value and of those before it.

    Args:
        values: [n], any real dtype.
        length: how many values a mean is over, at most.

    Returns:
        float64 [n]; the first ``length`` - 1 are means over fewer values.

    >>> moving_average(np.array([2.0, 4.0, 6.0]), length=2).tolist()
    [2.0, 3.0, 5.0]
    """
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(total))
    begins = np.maximum(0, ends - length)
    return (total[ends] - total[begins]) / (ends - begins)


def draw_curve(
    axes: Axes, curve: pd.DataFrame, color: str, dashes: Any, label: str | None = None, linewidth: float = 1.4
) -> None:
    """Draw a mean with its band, over frames in millions; a single point is a diamond with its range.

    Args:
        axes: where.
        curve: rows of ``learning_curves.COLUMNS`` of one label and game, in the order of frames.
        color: of line, band and marker.
        dashes: of the line, as matplotlib's ``linestyle``.
        label: in the legend; None: not there.
        linewidth: in points.
    """
    x = curve["frames"] / 1e6
    if len(curve) == 1:
        reach = np.abs(curve[["low", "high"]].sub(curve["mean"], axis=0).to_numpy().T)
        axes.errorbar(x, curve["mean"], yerr=reach, fmt="D", color=color, markersize=5, label=label)
        return
    axes.fill_between(x, curve["low"], curve["high"], color=color, alpha=0.16, linewidth=0)
    marker = "." if len(curve) < FEW_POINTS else None
    axes.plot(x, curve["mean"], color=color, linestyle=dashes, linewidth=linewidth, label=label, marker=marker)


def appearance(table: pd.DataFrame) -> dict[str, tuple[str, Any]]:
    """label -> (color, dashes), in the order of the table: published ones first in their colors, ours in others.

    table: rows of ``learning_curves.COLUMNS`` or ``OVER_FRAMES_COLUMNS``.
    """
    origins = table.drop_duplicates("label").set_index("label")["published"]
    theirs, ours = [k for k in origins.index if origins[k]], [k for k in origins.index if not origins[k]]
    both = ((theirs, True), (ours, False))
    return {label: look(i, published) for labels, published in both for i, label in enumerate(labels)}


# -- words -------------------------------------------------------------------------------------------------------------
def origin(table: pd.DataFrame) -> str:
    """Whose data a figure shows, for its title.  table: rows of ``learning_curves.COLUMNS``."""
    if table["published"].all():
        return "published data only, no run of ours; band: lowest to highest run"
    if table["published"].any():
        alone = (table[table["published"].astype(bool)].groupby(["label", "game"]).size() == 1).any()
        point = "\nblue point: an average over 1M frames" if alone else ""
        return f"ours beside published curves; band: lowest to highest run{point}"
    return "band: lowest to highest seed"


def runs_in_words(curve: pd.DataFrame) -> str:
    """ "5 runs", or "3 to 5 runs" where some points have fewer."""
    low, high = int(curve["n"].min()), int(curve["n"].max())
    return f"{high} run{'s' if high > 1 else ''}" if low == high else f"{low} to {high} runs"


def name_of(environment: str) -> str:
    """A game's name for people; other environments keep theirs.

    >>> name_of("ms_pacman"), name_of("CartPole-v1")
    ('MsPacman', 'CartPole-v1')
    """
    return games.camel_case(environment) if environment in games.ALL else environment


# -- axes --------------------------------------------------------------------------------------------------------------
def frames_axis(axes: Axes, most: float) -> None:
    """Name the x-axis, which is in millions of frames, and its ticks, in a unit that fits its range.

    Args:
        axes: whose x-axis.
        most: the largest number of frames on it.
    """
    if most < 1e6:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * 1e3:g}")
        axes.set_xlabel("frames (thousands)")
    else:
        axes.set_xlabel("frames (millions)")


def reference_levels(axes: Axes, game: str) -> None:
    """Mark the human's and the random player's score, where they do not stretch the axis to more than double.

    Args:
        axes: y-axis in raw scores, its range set.
        game: id; one without published human and random scores gets no level.
    """
    if game not in published.scores().index:
        return
    low, high = axes.get_ylim()
    for name, level in published.human_random(game)._asdict().items():
        if low - 0.5 * (high - low) <= level <= high + 0.5 * (high - low):
            level_line(axes, level)
            label_level(axes, level, f"{name}\n{level:,g}")


def label_level(axes: Axes, level: float, text: str) -> None:
    """Name a horizontal line, to the right of the axes where no curve runs through the words.

    Args:
        axes: where.
        level: height of the line, in the unit of the y-axis.
        text: the words.
    """
    note(axes, text, (1.0, level), (4, 0), ("axes fraction", "data"), va="center", fontsize=8)
