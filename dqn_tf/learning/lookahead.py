"""The next update's gradients, computed while the steps before it are still being made.  Same bytes, both cores busy.

Between two updates theta and theta^- rest, so the gradients of the next update depend on nothing that is still to
come but its batch; and which rows the batch has is a draw that can be made early (``Replay.foresee``), unless it
falls on one of the few rows that are not stored yet.  When the update's turn comes the draw is made again, as always:
if it is not the foreseen one (an episode ended in between and took a row), what was computed is thrown away.

So the order of the paper (Mnih et al. 2015, algorithm 1) holds in every bit; only the waiting is gone.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.learning.learner import Gradients, Learner
from dqn_tf.replay.replay import Replay
from dqn_tf.types import Draw, Sample


class _Ahead(NamedTuple):
    update: int
    rows: np.ndarray
    weights: np.ndarray
    sample: Sample | Draw
    gradients: Future[Gradients] | None = None


class LookAhead:
    """Computes the gradients of updates, ahead of their turn where it can.

    Between ``begin`` and the next ``gradients``, theta and theta^- must not change.
    """

    def __init__(self, learner: Learner, replay: Replay, batch_size: int) -> None:
        self._learner, self._replay, self._batch_size = learner, replay, batch_size
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="gradients")
        self._ahead: _Ahead | None = None
        self._wanted: tuple[int, int] | None = None
        self.rows = np.zeros(0, np.int64)  # of the batch of the latest update
        self.hits = 0

    def gradients(self, update: int, new_rows: int | None) -> Gradients:
        """The gradients of update number ``update``, whose turn it is.

        new_rows: how many rows the replay is expected to get until the next update; None: do not look ahead to it.
        """
        rows, weights = self._replay.rows(self._batch_size, update)
        begun, self._ahead, self.rows = self._ahead, None, rows
        self._wanted = None if new_rows is None else (update + 1, new_rows)
        if self._wanted and not self._replay.sampler.listens:  # gathered while the gradients are still on their way
            self._ahead, self._wanted = self._gather(*self._wanted), None
        if begun is not None and begun.gradients is not None:
            gradients = begun.gradients.result()  # also if it is of no use: two at a time would only be slower
            if np.array_equal(begun.rows, rows) and np.array_equal(begun.weights, weights):
                self.hits += 1
                return gradients
        return self._learner.gradients(self._replay.gather(rows, weights), update)

    def begin(self) -> None:
        """Start on the update that the last call of ``gradients`` looked ahead to."""
        if self._wanted:  # a sampler that listens had to hear the priorities first
            self._ahead, self._wanted = self._gather(*self._wanted), None
        if self._ahead is not None:
            future = self._worker.submit(self._learner.gradients, self._ahead.sample, self._ahead.update)
            self._ahead = self._ahead._replace(gradients=future)

    def _gather(self, update: int, new_rows: int) -> _Ahead | None:
        foreseen = self._replay.foresee(self._batch_size, update, new_rows)
        if foreseen is None:
            return None
        sample = self._replay.gather(*foreseen)
        return _Ahead(update, *foreseen, tf.nest.map_structure(tf.convert_to_tensor, sample))
