"""Which figures there are of the published numbers alone, and what goes into each (docs/figures.md shows them)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pandas as pd
from matplotlib.figure import Figure

from reproduce.analysis import learning_curves, score_aggregates
from reproduce.analysis.statistics import aggregate
from reproduce.presenting import plots
from reproduce.presenting.plots import aggregates, bars, suite
from reproduce.records import published

ONLY = "published data only, no run of ours"
MEANS = f"{ONLY}; one score per game, so without intervals"

# The seven games of Mnih et al. 2013, arXiv 1312.5602: the others are in the grid.
SINGLE_GAMES = ("beam_rider", "breakout", "enduro", "pong", "qbert", "seaquest", "space_invaders")

# As atari57_published_scores.csv spells them -> as the figures do; all from no-op starts, after 200M frames.
NO_OP_AGENTS = {
    "DQN (re-evaluated, no-op 30 min)": "DQN",
    "Double DQN (no-op 30 min)": "Double DQN",
    "Dueling DDQN": "Dueling",
    "Prioritized Dueling DDQN": "Prioritized Dueling",
    "C51": "C51",
    "QR-DQN-1": "QR-DQN",
    "IQN": "IQN",
    "Rainbow": "Rainbow",
}
PROFILED = ("DQN", "Double DQN", "Dueling", "C51", "IQN", "Rainbow")
IMPROVEMENTS = (("Double DQN", "DQN"), ("Dueling", "Double DQN"), ("Rainbow", "DQN"))


def published_figures() -> dict[str, Callable[[], Figure]]:
    """Name of the file, without its ending -> what draws it."""
    single: dict[str, Callable[[], Figure]] = {
        f"curves_{game}": lambda game=game: plots.learning_curves(_dopamine(), game)  # type: ignore[misc]
        for game in SINGLE_GAMES
    }
    better: dict[str, Callable[[], Figure]] = {
        f"improvement_{_plain(agent)}_over_{_plain(over)}": lambda agent=agent, over=over: _improvement(agent, over)  # type: ignore[misc]
        for agent, over in IMPROVEMENTS
    }
    return {
        "nature2015_figure3": lambda: bars.normalized_bars(bars.nature_scores()),
        "grid_dopamine": lambda: suite.grid(_dopamine()),
        "normalized_over_frames_dopamine": _over_frames,
        "profiles_noop": lambda: aggregates.profiles(no_op_scores(PROFILED), MEANS),
        "aggregates_noop": lambda: aggregates.intervals(no_op_aggregates(), MEANS),
        **better,
        **single,
    }


def no_op_scores(agents: Sequence[str] = tuple(NO_OP_AGENTS.values())) -> pd.DataFrame:
    """Published no-op scores, a row per agent and game: label, game, published, score, normalized (percent)."""
    table = published.per_game()
    table = table[(table["start"] == "noop") & table["agent"].isin(NO_OP_AGENTS)]
    table = table.assign(label=table["agent"].map(NO_OP_AGENTS), published=True)
    table = table[table["label"].isin(agents) & table["game"].isin(published.scores().index)]
    order = table["label"].map({label: i for i, label in enumerate(agents)})
    table = table.assign(order=order).sort_values(["order", "game"], kind="stable", ignore_index=True)
    references = published.references(score_aggregates.NORMALIZATION)
    pairs = zip(table["game"], table["score"], strict=True)
    table["normalized"] = [references[game].normalized(score) for game, score in pairs]
    return table[["label", "game", "published", "score", "normalized"]]


def no_op_aggregates() -> pd.DataFrame:
    """Rows for ``plots.aggregates.intervals`` from ``no_op_scores``."""
    rows = []
    for label, same in no_op_scores().groupby("label", sort=False):
        found = aggregate([[score] for score in same["normalized"]])
        rows += [
            {
                "label": label,
                "published": True,
                "measure": measure,
                "n_games": len(same),
                "value": float(e.value),
                "low": float(e.low),
                "high": float(e.high),
            }
            for measure, e in found.items()
        ]
    return pd.DataFrame(rows)


@cache
def _dopamine() -> pd.DataFrame:
    return learning_curves.of_dopamine(published.dopamine_games())


def _over_frames() -> Figure:
    games = suite.normalizable(_dopamine())
    return suite.normalized_over_frames(learning_curves.over_frames(_dopamine(), games), len(games))


def _improvement(agent: str, over: str) -> Figure:
    table = no_op_scores().pivot(index="game", columns="label", values="score")
    values = bars.improvement(*({str(g): float(v) for g, v in table[name].dropna().items()} for name in (agent, over)))
    return bars.improvement_bars(values, agent, over, f"{ONLY}; no-op starts, 200M frames")


def _plain(name: str) -> str:
    return name.lower().replace(" ", "_")
