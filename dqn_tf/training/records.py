"""What a loop yields: the rows of a run's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.training.stats import IterationStats


class EpisodeRecord(NamedTuple):
    """A finished episode of training: a row of episodes.csv."""

    frames: int
    steps: int
    episode: int
    env_index: int
    length_frames: int
    return_raw: float
    truncated: int


EPISODE_COLUMNS = list(EpisodeRecord._fields)


class IterationRecord(NamedTuple):
    """A finished iteration: the row of iterations.csv, the wall-clock seconds of its phases, and what to draw."""

    row: Mapping[str, Any]
    seconds: Mapping[str, float]
    histograms: Mapping[str, np.ndarray]


def iteration_columns(monitored: list[str]) -> list[str]:
    """The columns of iterations.csv; ``monitored``: those that the agent's own ideas add (monitors.py)."""
    return [
        *("iteration", "frames", "steps", "updates", "episodes"),
        *("eval_return_mean", "eval_return_std", "eval_episodes", "epsilon"),
        *IterationStats().summary(),
        *("heldout_max_q_mean", "replay_size"),
        *monitored,
        "state_digest",
    ]
