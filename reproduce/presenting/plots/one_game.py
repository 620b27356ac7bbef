"""Figures of one game or task: runs as curves, beside published ones where there are any.  x-axes are frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dqn_tf.envs import games
from reproduce.presenting.plots.curves import (
    appearance,
    draw_curve,
    frames_axis,
    moving_average,
    name_of,
    origin,
    reference_levels,
    runs_in_words,
)
from reproduce.presenting.plots.style import OURS, PUBLISHED, REFERENCE, amount, figure, level_line, note, style
from reproduce.records import published
from reproduce.records.published import DOPAMINE_ITERATION_FRAMES
from reproduce.records.runs import Run

MOVING_EPISODES = 100


def title(group: Sequence[Run]) -> str:
    """Game, agent, seeds and frames: "Breakout: dqn_dopamine, 1 seed, 2M frames", or "3 seeds, up to 2M"."""
    seeds = "1 seed" if len(group) == 1 else f"{len(group)} seeds"
    most = f"{'' if len({r.frames for r in group}) == 1 else 'up to '}{amount(max(r.frames for r in group))}"
    name = games.camel_case(group[0].environment) if group[0].game else group[0].environment
    return f"{name}: {group[0].agent}, {seeds}, {most} frames"


# -- beside Dopamine's published curves --------------------------------------------------------------------------------
def training_beside_published(group: Sequence[Run], table: pd.DataFrame, counterpart: tuple[str, str]) -> Figure:
    """Training returns of a preset on one game beside Dopamine's: moving averages, and means per 1M frames.

    Args:
        group: runs of one preset on one game.
        table: their rows of ``curve_comparison.compare``.
        counterpart: (agent, variant) of the published curve.

    Returns:
        One panel; x in millions of frames, y in raw scores.
    """
    curve = published.dopamine_curve(group[0].environment, *counterpart)
    with style():
        drawn = figure()
        axes = drawn.subplots()
        iterations = int(table["iteration"].max()) + 1
        _published_iterations(axes, curve.iloc[:iterations])
        for index, run in enumerate(group):
            own = table[table["config_hash"] == run.manifest["config_hash"]]
            _own_returns(axes, run, own, OURS[index % len(OURS)])
        _random_level(axes, group[0].environment)
        axes.set_xlim(0, iterations)
        axes.set_title(f"{title(group)}\nbeside Dopamine's published {counterpart[0]} (5 runs)", loc="left")
        _training_axes(axes)
        drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def beginning_beside_published(run: Run, table: pd.DataFrame) -> Figure:
    """A short run beside the first published point, and where that is on the whole curve.

    Args:
        run: of ``dqn_dopamine``, shorter than a published iteration.
        table: ``curve_comparison.compare(run)``; without rows, only the published point is drawn.

    Returns:
        Two panels; x in millions of frames, y in raw scores.
    """
    curve = published.dopamine_curve(run.environment)
    with style():
        drawn = figure(width=9.2)
        left, right = drawn.subplots(1, 2, width_ratios=[3, 2])
        _published_iterations(left, curve.iloc[:1])
        if len(table):
            _own_returns(left, run, table, OURS[0])
        _random_level(left, run.environment)
        left.set_xlim(0, 1)
        left.set_ylim(min(0.0, left.get_ylim()[0]), None)
        left.set_title(f"{title([run])}\nbeside Dopamine's first point (an average over 1M frames)", loc="left")
        _training_axes(left)
        _whole_curve(right, curve)
        _mark_end(right, run.frames)
        right.set_title("the whole published curve", loc="left")
        drawn.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return drawn


def _training_axes(axes: Axes) -> None:
    axes.set_xlabel("frames (millions)")
    axes.set_ylabel("return of training episodes (raw score)")


def _published_iterations(axes: Axes, curve: pd.DataFrame) -> None:
    """Each published point as wide as the iteration that it is an average over."""
    edges = np.append(curve["iteration"], curve["iteration"].iloc[-1] + 1) * DOPAMINE_ITERATION_FRAMES / 1e6

    def band(low: pd.Series, high: pd.Series, alpha: float, label: str) -> None:
        look: dict[str, Any] = {"fill": True, "color": PUBLISHED, "alpha": alpha, "linewidth": 0, "label": label}
        axes.stairs(high, edges, baseline=np.asarray(low), **look)

    mean, std = curve["mean_return"], curve["std_return"]
    band(curve["min_return"], curve["max_return"], 0.16, "published: lowest to highest run")
    band(mean - std, mean + std, 0.30, "published: mean ± 1 standard deviation")
    axes.hlines(mean, edges[:-1], edges[1:], colors=PUBLISHED, linewidth=2, label="published: mean of each 1M frames")


def _own_returns(axes: Axes, run: Run, table: pd.DataFrame, color: str) -> None:
    """A run's moving average as a thin line, and its mean of each iteration as a diamond."""
    name = f"ours, seed {run.seed}"
    _moving_average(axes, run, color, name)
    begin, end = table["begin_frames"] / 1e6, table["end_frames"] / 1e6
    axes.hlines(table["return_mean"], begin, end, colors=color, linewidth=2)
    what = "each 1M frames" if run.frames >= DOPAMINE_ITERATION_FRAMES else f"all {amount(run.frames)} frames"
    error = table["return_std"] / np.sqrt(table["episodes"])
    diamond: dict[str, Any] = {"fmt": "D", "color": color, "markersize": 6, "zorder": 5, "markeredgecolor": "white"}
    label = f"{name}: mean of {what} ± standard error"
    axes.errorbar((begin + end) / 2, table["return_mean"], yerr=error, label=label, **diamond)


def _moving_average(axes: Axes, run: Run, color: str, name: str) -> None:
    frames, returns = run.episodes["frames"], run.episodes["return_raw"].to_numpy()
    whole = slice(min(MOVING_EPISODES, len(frames) // 4), None)  # the mean of a handful tells nothing
    means = moving_average(returns, MOVING_EPISODES)[whole]
    label = f"{name}: mean of the last {MOVING_EPISODES} episodes"
    axes.plot(frames[whole] / 1e6, means, color=color, linewidth=0.9, alpha=0.75, label=label)


def _random_level(axes: Axes, game: str) -> None:
    if game in published.scores().index:
        level = published.human_random(game).random
        level_line(axes, level, label=f"random play, without sticky actions: {level:g}")


def _whole_curve(axes: Axes, curve: pd.DataFrame) -> None:
    middle = (curve["iteration"] + 0.5) * DOPAMINE_ITERATION_FRAMES / 1e6
    axes.fill_between(middle, curve["min_return"], curve["max_return"], color=PUBLISHED, alpha=0.16, linewidth=0)
    axes.plot(middle, curve["mean_return"], color=PUBLISHED, linewidth=1.2)
    axes.set_xlim(0, middle.iloc[-1])
    axes.set_ylim(None, curve["max_return"].max() * 1.12)
    axes.set_xlabel("frames (millions)")


def _mark_end(axes: Axes, frames: int) -> None:
    """A vertical line where our run ends."""
    axes.axvline(frames / 1e6, color=OURS[0], linewidth=1.2)
    place: dict[str, Any] = {"within": ("data", "axes fraction"), "va": "top", "color": OURS[0]}
    note(axes, f"this run ends at {amount(frames)} frames", (frames / 1e6, 1.0), (6, -4), **place)


# -- evaluations -------------------------------------------------------------------------------------------------------
def evaluations(group: Sequence[Run], solved_return: float) -> Figure:
    """Evaluations of a preset on one task: during training as lines, after it as diamonds.

    Args:
        group: complete runs of one preset on one task with one frame per step.
        solved_return: the mean return from which on the task counts as solved; it is marked.

    Returns:
        One panel; x in thousands of frames, y in mean returns.
    """
    with style():
        drawn = figure(height=3.9)
        axes = drawn.subplots()
        for index, run in enumerate(group):
            _evaluation_line(axes, run, OURS[index % len(OURS)])
            _after_training(axes, run, index)
        level_line(axes, solved_return)
        place: dict[str, Any] = {"within": ("axes fraction", "data"), "va": "top"}
        note(axes, f"solved: {solved_return:g}", (0.01, solved_return), (0, -3), **place)
        hollow = " (hollow: last)" if any("last_network_evaluation" in (run.summary or {}) for run in group) else ""
        axes.set_title(f"{title(group)}\nlines: while training; diamonds: after training{hollow}", loc="left")
        axes.set_xlabel("frames (thousands; one frame is one step)")
        axes.set_ylabel("mean return of greedy episodes")
        axes.set_xlim(0, None)
        axes.set_ylim(0, None)
        episodes = (group[-1].summary or {})["final_evaluation"]["episodes"]
        heading = f"after training,\n{episodes} episodes"
        drawn.legend(loc="outside right upper", title=heading, alignment="left")
    return drawn


def _evaluation_line(axes: Axes, run: Run, color: str) -> None:
    table = run.iterations.dropna(subset=["eval_return_mean"])
    x = table["frames"] / 1e3
    axes.plot(x, table["eval_return_mean"], color=color, linewidth=1.3, marker=".", markersize=4)


def _after_training(axes: Axes, run: Run, index: int) -> None:
    """A full diamond for the network that was scored, a hollow one for the last network where that is another."""
    summary, color = run.summary or {}, OURS[index % len(OURS)]
    x = [run.frames / 1e3 * (1.02 + 0.015 * index)]  # beside each other: equal results would hide each other
    if last := summary.get("last_network_evaluation"):
        hollow: dict[str, Any] = {"markersize": 6, "markerfacecolor": "white", "zorder": 4}
        axes.plot(x, [last["return_mean"]], "D", color=color, clip_on=False, **hollow)
    final = summary["final_evaluation"]["return_mean"]
    full: dict[str, Any] = {"markersize": 7, "markeredgecolor": "white", "zorder": 5, "clip_on": False}
    axes.plot(x, [final], "D", color=color, label=f"seed {run.seed}: {final:.1f}", **full)


# -- several curves ----------------------------------------------------------------------------------------------------
def learning_curves(table: pd.DataFrame, game: str, width: float = 7.6) -> Figure:
    """Curves of one game with their spread, ours in vermillion; the human and the random level where they are in range.

    Args:
        table: rows of ``learning_curves.COLUMNS``; those of other games are left out, and so are published points far
            beyond the last of ours.
        game: an id, or the name of another environment.
        width: of the figure, in inches.

    Returns:
        One panel; x in millions of frames, y in raw scores. The title says which curves are published.
    """
    shown, end = _within_reach(table[table["game"] == game])
    with style():
        drawn = figure(width=width, height=4.2)
        axes = drawn.subplots()
        for label, (color, dashes) in appearance(shown).items():
            curve = shown[shown["label"] == label]
            draw_curve(axes, curve, color, dashes, f"{label} ({runs_in_words(curve)})")
        axes.set_xlim(0, end / 1e6 if len(shown) else None)
        reference_levels(axes, game)
        axes.set_title(f"{name_of(game)}: return of training episodes\n{origin(shown)}", loc="left")
        frames_axis(axes, shown["frames"].max())
        axes.set_ylabel("mean return (raw score)")
        drawn.legend(loc="outside lower center", ncols=2 if width > 6 else 1)
    return drawn


def _within_reach(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The rows without published points far beyond our last one, and the frames at which the axis ends."""
    ours = table.loc[~table["published"].astype(bool), "frames"]
    most = max(1.15 * ours.max(), DOPAMINE_ITERATION_FRAMES) if table["published"].any() and len(ours) else np.inf
    shown = table[table["frames"] <= most]
    return shown, min(most, shown["frames"].max() * 1.01)


def value_and_return(table: pd.DataFrame, width: float = 7.6) -> Figure:
    """Return and predicted value over training, a line per seed.

    Paper: Mnih et al. 2015, Figure 2; the mean over held-out states of max_a Q(s, a).  Deviation: an average over an
    iteration where the paper's is over an epoch, and training returns where a run has no evaluations.

    Args:
        table: rows of ``run_scores.CURVE_COLUMNS`` of one agent on one environment.
        width: of the figure, in inches.

    Returns:
        Two panels; x in millions of frames, y in raw returns and in (clipped, discounted) values.
    """
    evaluated = bool(table.groupby("seed")["eval_return"].count().gt(0).all())
    returns = ("eval_return", "evaluation") if evaluated else ("train_return", "training")
    panels = {returns[0]: f"mean return, {returns[1]} episodes", "max_q": "mean max Q(s, a), held-out states"}
    most, seeds = table["frames"].max(), table["seed"].nunique()
    with style():
        drawn = figure(width=width, height=3.6)
        for axes, (column, words) in zip(drawn.subplots(1, 2), panels.items(), strict=True):
            _line_per_seed(axes, table, column)
            axes.set_title(words, loc="left", fontsize=9)
            axes.set_xlim(0, most * 1.03 / 1e6)
            frames_axis(axes, most)
        agent, environment = table["agent"].iloc[0], table["environment"].iloc[0]
        words = "1 seed" if seeds == 1 else f"{seeds} seeds"
        heading = f"{name_of(environment)}: {agent}, {words}, {amount(most)} frames"
        drawn.suptitle(heading, x=0.01, ha="left", fontsize=10.5)
        drawn.legend(loc="outside lower center", ncols=min(seeds, 6))
    return drawn


def _line_per_seed(axes: Axes, table: pd.DataFrame, column: str) -> None:
    """The column over frames; only the right panel, "max_q", names its lines for the legend."""
    for index, (seed, rows) in enumerate(table.groupby("seed", sort=True)):
        known = rows.dropna(subset=[column])
        look: dict[str, Any] = {"marker": "." if len(known) < 40 else None, "markersize": 4, "linewidth": 1.2}
        label = f"seed {seed}" if column == "max_q" else None
        x, y = known["frames"] / 1e6, known[column].astype("float64")
        axes.plot(x, y, color=OURS[index % len(OURS)], label=label, **look)
    if table[column].isna().all():
        axes.annotate("not recorded yet", (0.5, 0.5), xycoords="axes fraction", ha="center", color=REFERENCE)
