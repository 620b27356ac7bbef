"""The same numbers for TensorBoard (extra ``tensorboard``): scalars and histograms over frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.checks import ConfigError
from dqn_tf.training.stats import EDGES


def require() -> None:
    """Check that TensorBoard is installed; TensorFlow itself no longer brings it.

    Raises:
        ConfigError: it is not.
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"--tensorboard needs the extra: pip install 'dqn_tf[tensorboard]' ({error})") from error


class Writer:
    """Event files of one run, one file per session; rows that a resumed session repeats carry the same values."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: where the event files go.

        Raises:
            ConfigError: TensorBoard is not installed.
        """
        require()
        self._writer = tf.summary.create_file_writer(str(folder))

    def write(self, row: Mapping[str, Any], timing: Mapping[str, Any], histograms: Mapping[str, np.ndarray]) -> None:
        """Write one iteration, at its last frame.

        Args:
            row: of iterations.csv.
            timing: row of timing.csv.
            histograms: bin counts over ``stats.EDGES``, by name.
        """
        with self._writer.as_default(step=int(row["frames"])):
            for name, value in {**row, **{f"time/{k}": v for k, v in timing.items()}}.items():
                if isinstance(value, int | float) and value == value:
                    tf.summary.scalar(name if "/" in name else f"{_group(name)}/{name}", float(value))
            for name, counts in histograms.items():
                if counts.sum():
                    tf.summary.histogram(f"distribution/{name}", _spread(counts), buckets=50)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


def _group(name: str) -> str:
    prefix = name.split("_")[0]
    if prefix == "heldout" and name != "heldout_max_q_mean":
        return "return_distribution"
    return {
        "train": "return",
        "eval": "return",
        "td": "td_error",
        "grad": "gradient",
        "q": "q_value",
        "heldout": "q_value",
        "loss": "loss",
        "epsilon": "exploration",
        "priority": "replay",
        "importance": "replay",
        "sigma": "noise",
    }.get(prefix, "counters")


def _spread(counts: np.ndarray, most: int = 5000) -> np.ndarray:
    """Values distributed as the bins say: at most ``most`` of them, each bin's middle repeated."""
    middles = np.concatenate([EDGES[:1], (EDGES[1:] + EDGES[:-1]) / 2, EDGES[-1:]])
    share = np.maximum(counts > 0, counts * most // max(most, int(counts.sum())))
    return np.repeat(middles, share).astype(np.float32)
