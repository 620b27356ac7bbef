"""Several updates in one compiled call, where the replay is on the device: no step of the interpreter between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.execution.learner import Learner
from dqn_tf.types import SampleIndices, Tensor, UpdateOutputs


class UpdateScan:
    """K updates of a learner in one call.  One trace for each K."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner
        self._compiled = tf.function(self._graph, autograph=False)

    def run(self, indices: SampleIndices, first: int) -> list[UpdateOutputs]:
        """The updates numbered from ``first`` on, each with the batch of its indices.

        Args:
            indices: sample indices and weights [K, B], all drawn before the first of the updates.
            first: number of the first update.

        Returns:
            What each of the K reports, as arrays of the host.
        """
        seeds = [self._learner.update_inputs(indices, first + k)[1:] for k in range(len(indices.indices))]
        stacked = self._compiled(indices, *map(np.stack, zip(*seeds, strict=True)))
        return [UpdateOutputs(*parts) for parts in zip(*(part.numpy() for part in stacked), strict=True)]

    def _graph(self, indices: SampleIndices, *seeds: Tensor) -> UpdateOutputs:
        batch, actions = self._learner.config.batch_size, self._learner.spec.num_actions
        before = UpdateOutputs(*map(tf.zeros, ([], [batch], [batch], [], [batch, actions])))

        def one(_: UpdateOutputs, inputs: tuple[Any, ...]) -> UpdateOutputs:
            return self._learner.update_in_graph(*inputs)

        # One at a time: an update reads what the one before it has written.
        return tf.scan(one, (indices, *seeds), before, parallel_iterations=1)
