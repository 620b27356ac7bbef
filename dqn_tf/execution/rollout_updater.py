"""The updates of a rollout in compiled calls, epoch after epoch of minibatches; and Q-values for all its environments.

A call makes any number of a rollout's updates: the same compiled loop from one number to another, so where it is cut
changes no bit.  Its operations run on one thread each, ``execution.threads`` of them at a time: the parts of a batch
(``execution.shards``) side by side, and what the backward pass has to offer.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf import rollouts
from dqn_tf.agent.rollout_update import compute_gradients, values_in_shards
from dqn_tf.agent.update import apply_gradients
from dqn_tf.agent.values.expected import Expected
from dqn_tf.execution.compiled import Compiled, DirectCall
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Rollouts
from dqn_tf.rng import Stream
from dqn_tf.types import EnvironmentSpec, Tensor, TensorLike, UpdateOutputs

CALL_SECONDS = 1.0  # about the longest call: a request to stop waits for its end


class Experience(NamedTuple):
    """What is learned from: N transitions, those of step t before those of t + 1.

    Attributes:
        observations: [N, ...].
        actions: [N] int32.
        targets: [N] float32: the lambda-returns.
    """

    observations: TensorLike
    actions: TensorLike
    targets: TensorLike


class RolloutUpdater:
    """The compiled functions of a learner that learns from rollouts.

    Draws: stream "shuffle" of ``seed``, counter = epoch, from 0 over the whole run: which transitions make a minibatch.
    """

    def __init__(self, learner: Learner, spec: EnvironmentSpec, seed: int) -> None:
        """
        Args:
            learner: whose network acts and learns.
            spec: what its environments show.
            seed: of the run.
        """
        agent = learner.config
        assert isinstance(agent.execution, Rollouts) and isinstance(agent.value, Expected)
        self._learner, self._agent, self._value = learner, agent, agent.value
        self._shards, self._shape = agent.execution.shards, rollouts.shape(agent)
        self._stream = Stream(seed, "shuffle")
        self._actions = spec.num_actions
        whole, shape, n = agent.execution.xla == "update", self._shape, self._shape.transitions
        kind = spec.observation
        all_at_once = [tf.TensorSpec([shape.environments, *kind.shape], kind.dtype)]
        self._q_values = DirectCall(self._values, all_at_once, whole)
        floats, index = tf.TensorSpec([n], tf.float32), tf.TensorSpec([], tf.int32)
        experience = Experience(
            observations=tf.TensorSpec([n, *kind.shape], kind.dtype),
            actions=tf.TensorSpec([n], tf.int32),
            targets=floats,
        )
        order = tf.TensorSpec([shape.updates, shape.batch], tf.int32)
        self._updates = Compiled(self._updates_in_graph, [experience, order, index, index], whole)
        self._seconds: float | None = None  # of an update
        self._calls = 0
        self._held: tuple[int, Experience, Any] | None = None  # number of the rollout, and its tensors

    # -- acting ------------------------------------------------------------------------------------------------------
    def q_values(self, observations: np.ndarray) -> np.ndarray:
        """Q(s, .) [E, A] float32 of one observation of each environment, [E, ...]."""
        return np.asarray(self._q_values(tf.constant(observations))[0])

    def _values(self, observations: Tensor) -> list[Tensor]:
        return [values_in_shards(self._learner.online, observations, self._shards)]

    # -- learning ----------------------------------------------------------------------------------------------------
    def update(self, experience: Experience, rollout: int, first: int) -> list[UpdateOutputs]:
        """Some of a rollout's updates, for about a second.

        Args:
            experience: arrays; the same ones for all updates of a rollout.
            rollout: its number, from 0.
            first: number of the first update to make, among the rollout's own.

        Returns:
            What each of them reports, as arrays of the host: one at least, all that are left at most.
        """
        if self._held is None or self._held[0] != rollout:
            order = tf.constant(self.order(rollout))
            self._held = rollout, Experience(*map(tf.convert_to_tensor, experience)), order
        _, tensors, order = self._held
        count = self._count(self._shape.updates - first)
        clock = time.perf_counter()
        reported = self._updates(tensors, order, np.int32(first), np.int32(first + count))
        outputs = UpdateOutputs(*(part.numpy() for part in reported))
        self._calls += 1
        if self._calls > 1:  # the first one compiles
            self._seconds = max(self._seconds or 0.0, (time.perf_counter() - clock) / count)
        if first + count == self._shape.updates:
            self._held = None
        return [UpdateOutputs(*(part[k] for part in outputs)) for k in range(first, first + count)]

    def _count(self, left: int) -> int:
        """How many of the updates that are left the next call makes."""
        if self._seconds is None:
            return 1
        return max(1, min(left, int(CALL_SECONDS / self._seconds)))

    def order(self, rollout: int) -> np.ndarray:
        """Which transitions the updates of a rollout have: [updates, batch] int32; each epoch has every one once."""
        epochs, n = self._shape.epochs, self._shape.transitions
        numbers = range(rollout * epochs, (rollout + 1) * epochs)
        drawn = np.concatenate([self._stream.at(epoch).permutation(n) for epoch in numbers])
        return drawn.astype(np.int32).reshape(self._shape.updates, self._shape.batch)

    def _updates_in_graph(self, experience: Experience, order: Tensor, first: Tensor, end: Tensor) -> UpdateOutputs:
        """Updates first, ..., end - 1; each reports in its own row, [updates, ...], the other rows are zeros."""
        count, batch = self._shape.updates, self._shape.batch
        shapes: UpdateOutputs = UpdateOutputs((), (batch,), (batch,), (), (batch, self._actions))

        def array(shape: tuple[int, ...]) -> Any:
            return tf.TensorArray(tf.float32, count, element_shape=shape, clear_after_read=False)

        def one(k: Tensor, reported: list[Any]) -> tuple[Tensor, list[Any]]:
            outputs = self._one(*(tf.gather(part, order[k]) for part in experience))
            return k + 1, [place.write(k, out) for place, out in zip(reported, outputs, strict=True)]

        # One at a time: an update reads what the one before it has written.
        before = (first, [array(shape) for shape in shapes])
        _, reported = tf.while_loop(lambda k, _: k < end, one, before, parallel_iterations=1)
        return UpdateOutputs(*(place.stack() for place in reported))

    def _one(self, observations: Tensor, actions: Tensor, targets: Tensor) -> UpdateOutputs:
        learner = self._learner
        found = compute_gradients(self._value, learner.online, observations, actions, targets, self._shards)
        norm = apply_gradients(learner.optimizer, found.gradients, self._agent.max_grad_norm)
        return learner.outputs(found, norm)
