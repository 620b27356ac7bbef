"""The wall clock of a run: rows of timing.csv, the one table that differs between equal runs."""

from __future__ import annotations

import time
from typing import Any

from dqn_tf.training.records import IterationRecord

PHASES = ("act", "environment", "replay", "update", "evaluate", "checkpoint", "other")
COLUMNS = [
    "iteration",
    "frames",
    "wall_seconds",
    "frames_per_s",
    "training_frames_per_s",
    *(f"{p}_seconds" for p in PHASES),
]


class IterationClock:
    """Measures the iteration under way."""

    def __init__(self) -> None:
        self.checkpoint_seconds = 0.0  # spent on checkpoints, of this iteration
        self.start(0)

    def start(self, frames: int) -> None:
        """Start measuring at ``frames`` frames of the run."""
        self._began, self._from_frames = time.perf_counter(), frames

    def row(self, record: IterationRecord) -> dict[str, Any]:
        """The row of an iteration that has ended, in seconds and frames per second; the next one starts."""
        wall, frames = time.perf_counter() - self._began, record.row["frames"] - self._from_frames
        seconds = {**record.seconds, "checkpoint": self.checkpoint_seconds}
        seconds["other"] = max(0.0, wall - sum(seconds.values()))
        training = wall - seconds.get("evaluate", 0.0) - seconds["checkpoint"]
        self.checkpoint_seconds = 0.0
        self.start(record.row["frames"])
        return {
            "iteration": record.row["iteration"],
            "frames": record.row["frames"],
            "wall_seconds": round(wall, 3),
            "frames_per_s": round(frames / wall, 1),
            "training_frames_per_s": round(frames / max(training, 1e-9), 1),
            **{f"{p}_seconds": round(seconds.get(p, 0.0), 3) for p in PHASES},
        }
