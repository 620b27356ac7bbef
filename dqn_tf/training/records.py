"""What a loop yields: the rows of a run's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dqn_tf.training.stats import IterationStats


class EpisodeRecord(NamedTuple):
    """A finished episode of training: a row of episodes.csv.

    Attributes:
        frames: of training when it ended.
        steps: agent steps of training when it ended.
        episode: its number, from 0.
        env_index: of its environment, from 0.
        length_frames: its length in frames, no-ops included.
        return_raw: undiscounted sum of unclipped rewards.
        truncated: 1 if it was cut off, else 0.
    """

    frames: int
    steps: int
    episode: int
    env_index: int
    length_frames: int
    return_raw: float
    truncated: int


EPISODE_COLUMNS = list(EpisodeRecord._fields)


class IterationRecord(NamedTuple):
    """A finished iteration.

    Attributes:
        row: of iterations.csv.
        seconds: wall clock by phase.
        histograms: counts over ``stats.EDGES``, by name.
    """

    row: Mapping[str, Any]
    seconds: Mapping[str, float]
    histograms: Mapping[str, np.ndarray]


class Awaiting(NamedTuple):
    """A step is due, and the reader of the records is to have it made (together.py)."""


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
