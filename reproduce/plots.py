"""Plots, the same bytes every time: SVG for pages, PNG for a quick look.

Colors are Okabe & Ito's, which stay apart for all common kinds of color blindness; x-axes are frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dqn_tf.envs import games
from reproduce import published
from reproduce.published import DOPAMINE_ITERATION_FRAMES
from reproduce.runs import Run

PUBLISHED = "#0072B2"  # blue
OURS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # vermillion first
REFERENCE = "#666666"
MOVING_EPISODES = 100

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "dqn_tf",  # ids in the SVG: the same every time
    "svg.fonttype": "path",  # looks the same without the font
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw within this: matplotlib's defaults, whatever a user's matplotlibrc says, and ours on top."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _STYLE.items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield


def figure(width: float = 7.6, height: float = 4.3) -> Figure:
    """An empty figure (inches) without a window, whatever the backend."""
    return Figure(figsize=(width, height), layout="constrained")


def save(drawn: Figure, stem: Path) -> list[Path]:
    """Write ``stem``.svg and ``stem``.png without dates or versions; returns both paths."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(stem.name + ending) for ending in (".svg", ".png")]
    with style():
        drawn.savefig(paths[0], metadata={"Date": None, "Creator": None})
        drawn.savefig(paths[1], dpi=150, metadata={"Software": None})
    return paths


def moving_average(values: np.ndarray, length: int = MOVING_EPISODES) -> np.ndarray:
    """Mean of each value and the up to ``length`` - 1 before it.  [n] -> [n]

    >>> moving_average(np.array([2.0, 4.0, 6.0]), length=2).tolist()
    [2.0, 3.0, 5.0]
    """
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(total))
    begins = np.maximum(0, ends - length)
    return (total[ends] - total[begins]) / (ends - begins)


# -- one game ----------------------------------------------------------------------------------------------------------
def training_beside_published(group: Sequence[Run], table: pd.DataFrame) -> Figure:
    """Runs of one preset on one game: moving average of episode returns and means per iteration, beside Dopamine's.

    table: rows of ``compare.compare`` for these runs.
    """
    with style():
        drawn = figure()
        axes = drawn.subplots()
        iterations = int(table["iteration"].max()) + 1
        _published_blocks(axes, group[0].environment, iterations)
        for index, run in enumerate(group):
            _own_returns(axes, run, table[table["config_hash"] == run.manifest["config_hash"]], OURS[index % len(OURS)])
        _random_level(axes, group[0].environment)
        axes.set_xlim(0, iterations)
        axes.set_title(f"{title(group)}\nbeside Dopamine's published DQN (5 runs)", loc="left")
        axes.set_xlabel("frames (millions)")
        axes.set_ylabel("return of training episodes (raw score)")
        drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def title(group: Sequence[Run]) -> str:
    """What, how many seeds, how many frames: "Breakout: dqn_dopamine, 1 seed, 2M frames"."""
    seeds = "1 seed" if len(group) == 1 else f"{len(group)} seeds"
    name = games.camel_case(group[0].environment) if group[0].game else group[0].environment
    return f"{name}: {group[0].agent}, {seeds}, {amount(max(r.frames for r in group))} frames"


def amount(frames: int) -> str:
    """A number of frames in few letters.

    >>> [amount(n) for n in (2_000_000, 1_500_000, 200_000, 950)]
    ['2M', '1.5M', '200k', '950']
    """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if frames >= size:
            return f"{frames / size:.3g}{letter}"
    return str(frames)


def _published_blocks(axes: Axes, game: str, iterations: int) -> None:
    """Each published point as what it is: an average over an iteration, drawn as wide as the iteration."""
    curve = published.dopamine_curve(game).iloc[:iterations]
    edges = np.append(curve["iteration"], curve["iteration"].iloc[-1] + 1) * DOPAMINE_ITERATION_FRAMES / 1e6

    def band(low: pd.Series, high: pd.Series, alpha: float, label: str) -> None:
        axes.stairs(
            high, edges, baseline=np.asarray(low), fill=True, color=PUBLISHED, alpha=alpha, linewidth=0, label=label
        )

    mean, std = curve["mean_return"], curve["std_return"]
    band(curve["min_return"], curve["max_return"], 0.16, "published: lowest to highest run")
    band(mean - std, mean + std, 0.30, "published: mean ± 1 standard deviation")
    axes.hlines(mean, edges[:-1], edges[1:], colors=PUBLISHED, linewidth=2, label="published: mean of each 1M frames")


def _own_returns(axes: Axes, run: Run, table: pd.DataFrame, color: str) -> None:
    episodes, name = run.episodes, f"ours, seed {run.seed}"
    whole = slice(min(MOVING_EPISODES, len(episodes) // 4), None)  # the mean of a handful tells nothing
    axes.plot(episodes["frames"][whole] / 1e6, moving_average(episodes["return_raw"].to_numpy())[whole], color=color,
              linewidth=0.9, alpha=0.75, label=f"{name}: mean of the last {MOVING_EPISODES} episodes")  # fmt: skip
    begin, end = table["begin_frames"] / 1e6, table["end_frames"] / 1e6
    axes.hlines(table["return_mean"], begin, end, colors=color, linewidth=2)
    what = "each 1M frames" if run.frames >= DOPAMINE_ITERATION_FRAMES else f"all {amount(run.frames)} frames"
    error = table["return_std"] / np.sqrt(table["episodes"])
    axes.errorbar((begin + end) / 2, table["return_mean"], yerr=error, fmt="D", color=color, markersize=6, zorder=5,
                  markeredgecolor="white", label=f"{name}: mean of {what} ± standard error")  # fmt: skip


def _random_level(axes: Axes, game: str) -> None:
    if game in published.scores().index:
        level = published.human_random(game).random
        axes.axhline(
            level,
            color=REFERENCE,
            linewidth=1,
            linestyle=(0, (2, 2)),
            label=f"random play, without sticky actions: {level:g}",
        )


# -- the main job ------------------------------------------------------------------------------------------------------
def evaluations(group: Sequence[Run], solved_return: float) -> Figure:
    """Runs of one preset on one task: evaluations during training as lines, those after it as diamonds."""
    with style():
        drawn = figure(height=3.9)
        axes = drawn.subplots()
        for index, run in enumerate(group):
            color, table = OURS[index % len(OURS)], run.iterations.dropna(subset=["eval_return_mean"])
            final = (run.summary or {})["final_evaluation"]
            axes.plot(
                table["frames"] / 1e3, table["eval_return_mean"], color=color, linewidth=1.3, marker=".", markersize=4
            )
            beside = run.frames / 1e3 * (1.02 + 0.015 * index)  # beside each other: equal results would hide each other
            axes.plot([beside], [final["return_mean"]], "D", color=color, markersize=7, markeredgecolor="white",
                      clip_on=False, zorder=5, label=f"seed {run.seed}: {final['return_mean']:.1f}")  # fmt: skip
        axes.axhline(solved_return, color=REFERENCE, linewidth=1, linestyle=(0, (2, 2)))
        axes.annotate(f"solved: {solved_return:g}", (0.01, solved_return), xycoords=("axes fraction", "data"),
                      xytext=(0, -3), textcoords="offset points", va="top", color=REFERENCE, fontsize=8.5)  # fmt: skip
        axes.set_title(f"{title(group)}\nlines: evaluations during training; diamonds: after training", loc="left")
        axes.set_xlabel("frames (thousands; one frame is one step)")
        axes.set_ylabel("mean return of greedy episodes")
        axes.set_xlim(0, None)
        axes.set_ylim(0, None)
        drawn.legend(
            loc="outside right upper", title=f"after training,\n{final['episodes']} episodes", alignment="left"
        )
    return drawn


def beginning_beside_published(run: Run, table: pd.DataFrame) -> Figure:
    """One short run: its first frames beside the first published point, and where that is on the whole curve.

    table: ``compare.compare(run)``.
    """
    curve = published.dopamine_curve(run.environment)
    with style():
        drawn = figure(width=9.2)
        left, right = drawn.subplots(1, 2, width_ratios=[3, 2])
        _published_blocks(left, run.environment, 1)
        if len(table):
            _own_returns(left, run, table, OURS[0])
        _random_level(left, run.environment)
        left.set_xlim(0, 1)
        left.set_ylim(min(0.0, left.get_ylim()[0]), None)
        left.set_title(f"{title([run])}\nbeside Dopamine's first point (an average over 1M frames)", loc="left")
        left.set_xlabel("frames (millions)")
        left.set_ylabel("return of training episodes (raw score)")
        _whole_curve(right, curve)
        right.axvline(run.frames / 1e6, color=OURS[0], linewidth=1.2)
        end = f"this run ends at {amount(run.frames)} frames"
        right.annotate(end, (run.frames / 1e6, 1.0), xytext=(6, -4), va="top",
                       xycoords=("data", "axes fraction"), textcoords="offset points", color=OURS[0],
                       fontsize=8.5)  # fmt: skip
        right.set_title("the whole published curve", loc="left")
        drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return drawn


def _whole_curve(axes: Axes, curve: pd.DataFrame) -> None:
    middle = (curve["iteration"] + 0.5) * DOPAMINE_ITERATION_FRAMES / 1e6
    axes.fill_between(middle, curve["min_return"], curve["max_return"], color=PUBLISHED, alpha=0.16, linewidth=0)
    axes.plot(middle, curve["mean_return"], color=PUBLISHED, linewidth=1.2)
    axes.set_xlim(0, middle.iloc[-1])
    axes.set_ylim(None, curve["max_return"].max() * 1.12)
    axes.set_xlabel("frames (millions)")
