"""The next update begins while the steps before it are still being made.  Same bytes, both cores busy.

Between two updates theta and theta^- do not change, so of all that the gradients of the next update depend on only its
batch is not known yet; and the sample indices of that batch can be predicted (prediction.py), unless they fall on one
of the few rows that are not stored yet.  So the gradients are begun early, and wait at a gate (gate.py) before they
change theta.  When the update is due its indices are drawn as always: if they are the predicted ones the update
commits; if not, it is discarded and computed again.

Priorities are known before theta changes, so a prioritized replay is given them, and the batch after is drawn and
gathered, while the update is still being made.

So the results are those of the paper's order (Mnih et al. 2015, algorithm 1) in every bit; only the waiting is gone.
"""

from __future__ import annotations

import queue
import threading
import weakref
from concurrent.futures import Future
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.config import RunConfig
from dqn_tf.execution import prediction
from dqn_tf.execution.gate import Gate, GatedUpdate
from dqn_tf.execution.learner import Learner
from dqn_tf.replay.replay import Replay
from dqn_tf.types import Sample, SampleIndices, UpdateOutputs


class _Task(NamedTuple):
    """An update for the thread: the arguments of its call, and its result to come."""

    inputs: tuple[Any, ...]
    result: Future[UpdateOutputs]


class _Next(NamedTuple):
    """The update that comes next: its predicted indices, and, once it has begun, its task."""

    number: int
    predicted: SampleIndices
    sample: Sample | SampleIndices
    task: _Task | None = None


class PipelinedUpdater:
    """An ``Updater`` with a thread that begins the next update early."""

    def __init__(self, config: RunConfig, learner: Learner, replay: Replay) -> None:
        """
        Args:
            config: of the run.
            learner: whose parameters are updated.
            replay: where batches come from.
        """
        self._config, self._replay, self._batch_size = config, replay, config.agent.batch_size
        self._thread = UpdateThread(learner)
        self._next: _Next | None = None
        self.commits = 0

    def update(self, number: int, step: int, last: bool) -> UpdateOutputs:
        """See ``Updater``; gathers the batch of the next update while this one is being made."""
        sampled = self._replay.sample_indices(self._batch_size, number)
        thread = self._thread
        try:
            task = self._begun_early(sampled)
            self.commits += task is not None
            if task is None:
                task = thread.task(self._replay.gather(sampled, number), number)
                thread.tasks.put(task)  # to ``_work``
            thread.gate.commit()
            priorities = thread.gate.priorities()
            if len(priorities):
                self._replay.update_priorities(sampled.indices, priorities)
                if last:
                    self._next = self._gather_next(number + 1, step)
            return task.result.result()
        except BaseException:  # also Ctrl-C: nothing must be changing theta when this returns
            self.discard()
            raise

    def prefetch(self) -> None:
        """See ``Updater``."""
        if self._next is None:
            return
        try:
            task = self._thread.task(self._next.sample, self._next.number)
            self._thread.tasks.put(task)
            self._next = self._next._replace(task=task)
        except BaseException:  # Ctrl-C, when the thread may have it already
            self.discard()
            raise

    def discard(self) -> None:
        """See ``Updater``."""
        self._next = None
        self._thread.discard()

    def close(self) -> None:
        """See ``Updater``."""
        self._next = None
        self._thread.close()

    def _begun_early(self, sampled: SampleIndices) -> _Task | None:
        """The update that began early, if its indices were predicted rightly; else it ends here."""
        following, self._next = self._next, None
        if following is None:
            return None
        if not all(map(np.array_equal, following.predicted, sampled)):
            self.discard()  # and wait for its end: two at a time would only be slower
            return None
        return following.task

    def _gather_next(self, number: int, step: int) -> _Next | None:
        rows = prediction.rows_until_next_update(self._config, self._replay, step)
        predicted = None if rows is None else prediction.predict_indices(self._replay, self._batch_size, number, rows)
        if predicted is None:
            return None
        sample = self._replay.gather(predicted, number)
        return _Next(number, predicted, tf.nest.map_structure(tf.convert_to_tensor, sample))


class UpdateThread:
    """A thread that makes gated updates, one at a time.

    It ends with this object, even if ``close`` was never called; otherwise a program's exit would wait forever for an
    update at the gate.
    """

    def __init__(self, learner: Learner) -> None:
        self.gate = Gate()
        self.gated = GatedUpdate(learner, self.gate)
        self._latest: Future[UpdateOutputs] | None = None
        self.tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(self.gated, self.gate, self.tasks), name="updates", daemon=True
        )
        self._thread.start()
        self._end = weakref.finalize(self, _end, self.gate, self.tasks)

    def task(self, sample: Sample | SampleIndices, number: int) -> _Task:
        """The task of an update, which begins when it is put into ``tasks``, and then waits at the gate.

        Args:
            sample: as for ``Learner.update``.
            number: of the update.

        Returns:
            The task, and in it what the update will report.
        """
        task = _Task(self.gated.inputs(sample, number), Future())
        self._latest = task.result
        return task

    def discard(self) -> None:
        """Discard the task that was made last, so that none waits at the gate.

        That includes one that an exception came after before anything else knew of it.
        """
        if self._latest is not None:
            self.gate.discard(self._latest)
            self._latest = None

    def close(self) -> None:
        """End the thread, and what it has begun."""
        self._end()
        self._thread.join()


def _work(gated: GatedUpdate, gate: Gate, tasks: queue.SimpleQueue[_Task | None]) -> None:
    """What the thread runs.  It must not hold a reference to its ``UpdateThread``, which would then never be freed."""
    while (task := tasks.get()) is not None:
        if task.result.set_running_or_notify_cancel():
            try:
                task.result.set_result(gated.run(*task.inputs))
            except BaseException as error:
                try:
                    gate.report_failure()
                finally:
                    task.result.set_exception(error)
        del task  # or it would live until the next one


def _end(gate: Gate, tasks: queue.SimpleQueue[_Task | None]) -> None:
    tasks.put(None)
    gate.close()
