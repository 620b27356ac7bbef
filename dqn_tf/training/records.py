"""What a loop yields: the rows of a run's tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class EpisodeRecord(NamedTuple):
    """A finished episode of training: a row of episodes.csv."""

    frames: int
    steps: int
    episode: int
    env_index: int
    length_frames: int
    return_raw: float
    truncated: int


class IterationRecord(NamedTuple):
    """A finished iteration: the row of iterations.csv, the wall-clock seconds of its phases, and what to draw."""

    row: Mapping[str, Any]
    seconds: Mapping[str, float]
    histograms: Mapping[str, np.ndarray]
