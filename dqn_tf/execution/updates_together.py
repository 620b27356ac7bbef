"""The updates of K learners of one agent in one call, each by the kernels that it has alone.

The learners share one compiled update (``FusedLearner.share``), which a graph around it calls K times, once on the
variables of each: so it is traced and compiled once, and no bit of a learner depends on K or on its neighbors.  What is
paid once instead of K times is the call, the batch's way into TensorFlow, and theta's way back.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.execution.compiled import DirectCall, as_tensor
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.types import Tensor


class UpdatesTogether:
    """The updates of learners whose batch is one vector, and who draw no random numbers."""

    def __init__(self, learners: Sequence[FusedLearner]) -> None:
        """
        Args:
            learners: K of one configuration.
        """
        self._learners, self.packing = learners, learners[0].packing
        for learner in learners[1:]:
            learner.share(learners[0])
        self._call = DirectCall(self._graph, [tf.TensorSpec([len(learners), self.packing.size], tf.float32)], False)

    def update(self, packed: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """One update of each learner.

        Args:
            packed: their batches [K, n] float32, as ``Packing`` says.

        Returns:
            What they report, [K, 2 + 2 B + B A] float32; and theta of all, an array [K, ...] for each variable.
        """
        reported, *weights = map(np.asarray, self._call(as_tensor(packed)))
        return reported, weights

    def _graph(self, packed: Tensor) -> list[Tensor]:
        batches = zip(self._learners, tf.unstack(packed), strict=True)
        each = [learner.update_in_graph(batch) for learner, batch in batches]
        return [tf.stack(parts) for parts in zip(*each, strict=True)]
