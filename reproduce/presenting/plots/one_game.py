"""Figures of one game or task: runs as curves, beside published ones where there are any.  x-axes are frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dqn_tf.envs import games
from reproduce.presenting.plots.style import OURS, PUBLISHED, REFERENCE, amount, figure, level_line, look, note, style
from reproduce.records import published
from reproduce.records.published import DOPAMINE_ITERATION_FRAMES
from reproduce.records.runs import Run

MOVING_EPISODES = 100
FEW_POINTS = 10  # a line of fewer also shows where they are


def moving_average(values: np.ndarray, length: int = MOVING_EPISODES) -> np.ndarray:
    """Mean of each value and the up to ``length`` - 1 before it.  [n] -> [n]

    >>> moving_average(np.array([2.0, 4.0, 6.0]), length=2).tolist()
    [2.0, 3.0, 5.0]
    """
    total = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    ends = np.arange(1, len(total))
    begins = np.maximum(0, ends - length)
    return (total[ends] - total[begins]) / (ends - begins)


def training_beside_published(group: Sequence[Run], table: pd.DataFrame, counterpart: tuple[str, str]) -> Figure:
    """Runs of one preset on one game: moving average of episode returns and means per iteration, beside Dopamine's.

    table: rows of ``curve_comparison.compare`` for these runs.  counterpart: whose curve, (agent, variant).
    """
    curve = published.dopamine_curve(group[0].environment, *counterpart)
    with style():
        drawn = figure()
        axes = drawn.subplots()
        iterations = int(table["iteration"].max()) + 1
        _published_blocks(axes, curve.iloc[:iterations])
        for index, run in enumerate(group):
            _own_returns(axes, run, table[table["config_hash"] == run.manifest["config_hash"]], OURS[index % len(OURS)])
        _random_level(axes, group[0].environment)
        axes.set_xlim(0, iterations)
        axes.set_title(f"{title(group)}\nbeside Dopamine's published {counterpart[0]} (5 runs)", loc="left")
        axes.set_xlabel("frames (millions)")
        axes.set_ylabel("return of training episodes (raw score)")
        drawn.legend(loc="outside lower center", ncols=2)
    return drawn


def title(group: Sequence[Run]) -> str:
    """Game, agent, seeds and frames: "Breakout: dqn_dopamine, 1 seed, 2M frames", or "3 seeds, up to 2M"."""
    seeds = "1 seed" if len(group) == 1 else f"{len(group)} seeds"
    most = f"{'' if len({r.frames for r in group}) == 1 else 'up to '}{amount(max(r.frames for r in group))}"
    name = games.camel_case(group[0].environment) if group[0].game else group[0].environment
    return f"{name}: {group[0].agent}, {seeds}, {most} frames"


def _published_blocks(axes: Axes, curve: pd.DataFrame) -> None:
    """Each published point as wide as the iteration that it is an average over."""
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
    axes.plot(
        episodes["frames"][whole] / 1e6,
        moving_average(episodes["return_raw"].to_numpy())[whole],
        color=color,
        linewidth=0.9,
        alpha=0.75,
        label=f"{name}: mean of the last {MOVING_EPISODES} episodes",
    )
    begin, end = table["begin_frames"] / 1e6, table["end_frames"] / 1e6
    axes.hlines(table["return_mean"], begin, end, colors=color, linewidth=2)
    what = "each 1M frames" if run.frames >= DOPAMINE_ITERATION_FRAMES else f"all {amount(run.frames)} frames"
    error = table["return_std"] / np.sqrt(table["episodes"])
    axes.errorbar(
        (begin + end) / 2,
        table["return_mean"],
        yerr=error,
        fmt="D",
        color=color,
        markersize=6,
        zorder=5,
        markeredgecolor="white",
        label=f"{name}: mean of {what} ± standard error",
    )


def _random_level(axes: Axes, game: str) -> None:
    if game in published.scores().index:
        level = published.human_random(game).random
        level_line(axes, level, label=f"random play, without sticky actions: {level:g}")


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
            if last := (run.summary or {}).get("last_network_evaluation"):
                hollow_look: dict[str, Any] = {"markersize": 6, "markerfacecolor": "white", "zorder": 4}
                axes.plot([beside], [last["return_mean"]], "D", color=color, clip_on=False, **hollow_look)
            look: dict[str, Any] = {"markersize": 7, "markeredgecolor": "white", "zorder": 5, "clip_on": False}
            label = f"seed {run.seed}: {final['return_mean']:.1f}"
            axes.plot([beside], [final["return_mean"]], "D", color=color, label=label, **look)
        hollow = " (hollow: last)" if any("last_network_evaluation" in (run.summary or {}) for run in group) else ""
        level_line(axes, solved_return)
        place: dict[str, Any] = {"within": ("axes fraction", "data"), "va": "top"}
        note(axes, f"solved: {solved_return:g}", (0.01, solved_return), (0, -3), **place)
        axes.set_title(f"{title(group)}\nlines: while training; diamonds: after training{hollow}", loc="left")
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

    table: ``curve_comparison.compare(run)``.
    """
    curve = published.dopamine_curve(run.environment)
    with style():
        drawn = figure(width=9.2)
        left, right = drawn.subplots(1, 2, width_ratios=[3, 2])
        _published_blocks(left, curve.iloc[:1])
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
        place: dict[str, Any] = {"within": ("data", "axes fraction"), "va": "top", "color": OURS[0]}
        note(right, end, (run.frames / 1e6, 1.0), (6, -4), **place)
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


# -- several curves ----------------------------------------------------------------------------------------------------
def learning_curves(table: pd.DataFrame, game: str, width: float = 7.6) -> Figure:
    """Curves of one game with their spread, ours in vermillion; the human and the random level where they are in range.

    table: rows of ``learning_curves.COLUMNS``; those of other games are left out.  So are published
    points far beyond the last of ours.  The title says which are published.
    """
    shown = table[table["game"] == game]
    ours = shown.loc[~shown["published"].astype(bool), "frames"]
    most = max(1.15 * ours.max(), DOPAMINE_ITERATION_FRAMES) if shown["published"].any() and len(ours) else np.inf
    shown = shown[shown["frames"] <= most]
    with style():
        drawn = figure(width=width, height=4.2)
        axes = drawn.subplots()
        for label, (color, dashes) in appearance(shown).items():
            curve = shown[shown["label"] == label]
            draw_curve(axes, curve, color, dashes, f"{label} ({runs_in_words(curve)})")
        axes.set_xlim(0, min(most, shown["frames"].max() * 1.01) / 1e6 if len(shown) else None)
        levels(axes, game)
        axes.set_title(f"{name_of(game)}: return of training episodes\n{origin(shown)}", loc="left")
        frames_axis(axes, shown["frames"].max())
        axes.set_ylabel("mean return (raw score)")
        drawn.legend(loc="outside lower center", ncols=2 if width > 6 else 1)
    return drawn


def appearance(table: pd.DataFrame) -> dict[str, tuple[str, Any]]:
    """label -> (color, dashes), in the order of the table: published ones first in their colors, ours in others."""
    origins = table.drop_duplicates("label").set_index("label")["published"]
    theirs, ours = [k for k in origins.index if origins[k]], [k for k in origins.index if not origins[k]]
    both = ((theirs, True), (ours, False))
    return {label: look(i, published) for labels, published in both for i, label in enumerate(labels)}


def origin(table: pd.DataFrame) -> str:
    """Whose data a figure shows, for its title."""
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


def draw_curve(
    axes: Axes, curve: pd.DataFrame, color: str, dashes: Any, label: str | None = None, linewidth: float = 1.4
) -> None:
    """A mean with its band, over frames in millions; a single point is a diamond with its range."""
    x = curve["frames"] / 1e6
    if len(curve) == 1:
        reach = np.abs(curve[["low", "high"]].sub(curve["mean"], axis=0).to_numpy().T)
        axes.errorbar(x, curve["mean"], yerr=reach, fmt="D", color=color, markersize=5, label=label)
        return
    axes.fill_between(x, curve["low"], curve["high"], color=color, alpha=0.16, linewidth=0)
    marker = "." if len(curve) < FEW_POINTS else None
    axes.plot(x, curve["mean"], color=color, linestyle=dashes, linewidth=linewidth, label=label, marker=marker)


def frames_axis(axes: Axes, most: float) -> None:
    """The x-axis, drawn in millions of frames, in words that fit its range."""
    if most < 1e6:
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * 1e3:g}")
        axes.set_xlabel("frames (thousands)")
    else:
        axes.set_xlabel("frames (millions)")


def levels(axes: Axes, game: str) -> None:
    """The human's and the random player's score, dotted, where they do not stretch the axis to more than double."""
    if game not in published.scores().index:
        return
    low, high = axes.get_ylim()
    for name, level in published.human_random(game)._asdict().items():
        if low - 0.5 * (high - low) <= level <= high + 0.5 * (high - low):
            level_line(axes, level)
            beside(axes, level, f"{name}\n{level:,g}")


def beside(axes: Axes, level: float, text: str) -> None:
    """A word on a horizontal line, outside the axes where no curve runs through it."""
    note(axes, text, (1.0, level), (4, 0), ("axes fraction", "data"), va="center", fontsize=8)


def name_of(environment: str) -> str:
    """A game's name for people; other environments keep theirs.

    >>> name_of("ms_pacman"), name_of("CartPole-v1")
    ('MsPacman', 'CartPole-v1')
    """
    return games.camel_case(environment) if environment in games.ALL else environment


def value_and_return(table: pd.DataFrame, width: float = 7.6) -> Figure:
    """Return and predicted value over training, a line per seed.

    table: rows of ``scores.CURVE_COLUMNS`` of one agent on one environment.
    Paper: Mnih et al. 2015, Figure 2; the mean over held-out states of max_a Q(s, a).  Deviation: an average over an
    iteration where the paper's is over an epoch, and training returns where a run has no evaluations.
    """
    by_seed = table.groupby("seed", sort=True)
    evaluated = bool(by_seed["eval_return"].count().gt(0).all())
    returns = ("eval_return", "evaluation") if evaluated else ("train_return", "training")
    panels = {returns[0]: f"mean return, {returns[1]} episodes", "max_q": "mean max Q(s, a), held-out states"}
    most, seeds = table["frames"].max(), table["seed"].nunique()
    with style():
        drawn = figure(width=width, height=3.6)
        for axes, (column, words) in zip(drawn.subplots(1, 2), panels.items(), strict=True):
            for index, (seed, rows) in enumerate(by_seed):
                known = rows.dropna(subset=[column])
                axes.plot(
                    known["frames"] / 1e6,
                    known[column].astype("float64"),
                    color=OURS[index % len(OURS)],
                    marker="." if len(known) < 40 else None,
                    markersize=4,
                    linewidth=1.2,
                    label=f"seed {seed}" if column == "max_q" else None,
                )
            if table[column].isna().all():
                axes.annotate("not recorded yet", (0.5, 0.5), xycoords="axes fraction", ha="center", color=REFERENCE)
            axes.set_title(words, loc="left", fontsize=9)
            axes.set_xlim(0, most * 1.03 / 1e6)
            frames_axis(axes, most)
        agent, environment = table["agent"].iloc[0], table["environment"].iloc[0]
        words = "1 seed" if seeds == 1 else f"{seeds} seeds"
        drawn.suptitle(
            f"{name_of(environment)}: {agent}, {words}, {amount(most)} frames", x=0.01, ha="left", fontsize=10.5
        )
        drawn.legend(loc="outside lower center", ncols=min(seeds, 6))
    return drawn
