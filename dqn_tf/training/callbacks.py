"""Callbacks of ``train``: called for every finished episode and iteration, and unable to change a byte of the run.

Their arguments are immutable, or read-only copies.  They may draw random numbers: the run uses no global generator.
They are called in the main thread, after the row is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.training.records import EpisodeRecord, IterationRecord

OnEpisode = Callable[[EpisodeRecord], None]
OnIteration = Callable[[IterationRecord], None]


class CallbackError(RunError):
    """A callback raised an exception; the run's state is consistent and can be saved."""


class Callbacks:
    """The callbacks of one run; either may be None."""

    def __init__(self, on_episode: OnEpisode | None, on_iteration: OnIteration | None) -> None:
        """
        Args:
            on_episode: called with every finished episode of training; None for no callback.
            on_iteration: called with every finished iteration; None for no callback.
        """
        self._on_episode, self._on_iteration = on_episode, on_iteration

    def notify(self, record: EpisodeRecord | IterationRecord) -> None:
        """Call the callback of this kind of record.

        Raises:
            CallbackError: the callback raised an exception; the error names it.
        """
        if isinstance(record, EpisodeRecord):
            if self._on_episode is not None:
                _call("on_episode", self._on_episode, record)
        elif self._on_iteration is not None:
            _call("on_iteration", self._on_iteration, read_only(record))


def read_only(record: IterationRecord) -> IterationRecord:
    """A copy whose mappings and arrays cannot be written to."""
    histograms = {name: np.array(counts) for name, counts in record.histograms.items()}
    for counts in histograms.values():
        counts.flags.writeable = False
    return IterationRecord(_frozen(record.row), _frozen(record.seconds), _frozen(histograms))


def _frozen(values: Mapping[str, Any]) -> MappingProxyType[str, Any]:
    return MappingProxyType(dict(values))


def _call(role: str, callback: Callable[[Any], None], record: EpisodeRecord | IterationRecord) -> None:
    try:
        callback(record)
    except Exception as error:
        name = getattr(callback, "__qualname__", repr(callback))
        raise CallbackError(
            f"The callback {name} ({role}) raised {type(error).__name__}: {error}. The run was saved after that "
            "record, and stopped; the same call continues it."
        ) from error
