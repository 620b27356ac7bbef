"""An update that waits between its halves, inside one compiled call, until it is committed or discarded."""

from __future__ import annotations

import functools
from concurrent.futures import Future, wait
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.execution.compiled import Compiled
from dqn_tf.execution.learner import Learner
from dqn_tf.types import DType, GraphInput, Sample, SampleIndices, Tensor, UpdateOutputs


class Gate:
    """Two queues between the thread that acts and the thread that updates.

    Each update sends one message (the priorities that it found) and receives one answer: commit, which lets it change
    theta, or discard, which ends it without.
    """

    def __init__(self) -> None:
        with tf.device("CPU:0"):
            self._answers = tf.queue.FIFOQueue(1, [tf.bool], [[]])
            self._priorities = tf.queue.FIFOQueue(2, [tf.float32])
            # Made here: where an update fails, other operations may fail too.
            self._no_priorities = tf.zeros([0])
        self.handles = (self._answers.queue_ref, self._priorities.queue_ref)

    def commit(self) -> None:
        """Let the update that waits, or the next one that comes, change theta."""
        self._answer(True)

    def priorities(self) -> np.ndarray:
        """The priorities [B] of the update under way, as soon as it knows them; [0] if it failed before."""
        return np.asarray(_dequeue(self.handles[1], tf.float32))

    def report_failure(self) -> None:
        """Send the message of an update that failed before it could: no priorities."""
        _enqueue(self.handles[1], self._no_priorities)

    def discard(self, update: Future[Any]) -> None:
        """End an update that has not been committed, without a change of theta; afterwards both queues are empty."""
        if not update.cancel():
            if not update.done() and self._answers.size() == 0:
                self._answer(False)
            wait([update])
        for messages in (self._answers, self._priorities):
            while messages.size() > 0:
                messages.dequeue()

    def close(self) -> None:
        """Close the gate permanently: an update that waits for an answer fails."""
        with tf.init_scope():  # also where a collection of garbage calls it while something is being traced
            self._answers.close(cancel_pending_enqueues=True)

    def _answer(self, commit: bool) -> None:
        _enqueue(self.handles[0], tf.constant(commit))

    @staticmethod
    def pass_in_graph(handles: tuple[Any, Any], priority: Tensor) -> Tensor:
        """Graph code: send the priorities, and wait for the answer.

        Args:
            handles: of the gate's two queues.
            priority: [B] float32.

        Returns:
            [] bool: whether the update is to be committed.
        """
        _enqueue(handles[1], priority)
        return tf.ensure_shape(_dequeue(handles[0], tf.bool), [])


def _enqueue(queue: Tensor, message: Tensor) -> None:
    tf.raw_ops.QueueEnqueueV2(handle=queue, components=[message])


def _dequeue(queue: Tensor, dtype: DType) -> Tensor:
    (message,) = tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[dtype])
    return message


class GatedUpdate:
    """A learner's update with a gate between its gradients and their application.

    The first half reads (sample, number, theta, theta^-) and changes nothing, so it may run before its turn.  It is one
    call with the second half: where it is late, each variable changes as soon as its gradient is known.
    """

    def __init__(self, learner: Learner, gate: Gate) -> None:
        """
        Args:
            learner: whose update it is.
            gate: where it waits.
        """
        self._learner, self._gate = learner, gate
        handles = (tf.TensorSpec([], tf.resource),) * 2
        self.run = Compiled(self._graph, [handles, *learner.update_signature])

    def inputs(self, sample: Sample | SampleIndices, number: int) -> tuple[Any, ...]:
        """The arguments with which ``run`` makes an update.  What it reports of one that was discarded is meaningless.

        Args:
            sample: as for ``Learner.update``.
            number: of the update.

        Returns:
            The gate's handles, the sample, and the seed of the update's draws, where there are any.
        """
        return (self._gate.handles, *self._learner.update_inputs(sample, number))

    def _graph(self, handles: tuple[Any, Any], *inputs: GraphInput) -> UpdateOutputs:
        gradients, apply = self._learner.halves
        found = gradients(*inputs)
        commit = Gate.pass_in_graph(handles, found.priority)
        norm = tf.cond(commit, functools.partial(apply, found.gradients), lambda: tf.zeros([]))
        return self._learner.outputs(found, norm)
