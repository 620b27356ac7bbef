"""Updates one after the other, each when it is due: the order of algorithm 1, and nothing else."""

from __future__ import annotations

from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.learner import Learner
from dqn_tf.replay.replay import Replay
from dqn_tf.types import UpdateOutputs


class SequentialUpdater:
    """An ``Updater`` without a thread: what the other executions must equal, bit for bit."""

    commits = 0

    def __init__(self, learner: Learner | FusedLearner, replay: Replay) -> None:
        """
        Args:
            learner: whose parameters are updated.
            replay: where batches come from.
        """
        self._learner, self._replay = learner, replay

    def update(self, number: int, step: int, last: bool) -> UpdateOutputs:
        """See ``Updater``: sample a batch, make the update, update the priorities."""
        sampled = self._replay.sample_indices(self._learner.config.batch_size, number)
        outputs = self._learner.update(self._replay.gather(sampled, number), number)
        self._replay.update_priorities(sampled.indices, outputs.priority)
        return outputs

    def prefetch(self) -> None:
        """Nothing begins early."""

    def discard(self) -> None:
        """Nothing has begun."""

    def close(self) -> None:
        """There is no thread."""
