"""The next update, begun while the steps before it are still being made.  Same bytes, both cores busy.

Between two updates theta and theta^- rest, so the gradients of the next update depend on nothing that is still to
come but its batch; and which rows the batch has is a draw that can be made early (``Replay.foresee``), unless it
falls on one of the few rows that are not stored yet.  So the gradients are begun early, and wait at a gate before
they touch theta.  When the update's turn comes the draw is made again, as always: if it is the foreseen one the gate
opens; if not (rows came that were not expected), what was computed is thrown away.

Priorities are known before theta changes, so a prioritized replay learns them, and the batch after is drawn and
gathered, while the update is still being made.

So the order of the paper (Mnih et al. 2015, algorithm 1) holds in every bit; only the waiting is gone.
"""

from __future__ import annotations

import queue
import threading
import weakref
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.learner import Gate, Learner, UpdateOutputs
from dqn_tf.replay.replay import Replay
from dqn_tf.types import Draw, Sample


class _Ahead(NamedTuple):
    update: int
    rows: np.ndarray
    weights: np.ndarray
    sample: Sample | Draw
    begun: Future[UpdateOutputs] | None = None


class LookAhead:
    """Makes the updates, and begins them ahead of their turn where it can.

    Between ``begin`` and the next ``update``, theta and theta^- must not change, unless it is told to ``forget``.
    """

    def __init__(self, learner: Learner, replay: Replay, batch_size: int, threads: int) -> None:
        """threads: with one, nothing is begun ahead."""
        self._learner, self._replay, self._batch_size = learner, replay, batch_size
        self._worker = _Worker(learner) if threads > 1 else None
        self._ahead: _Ahead | None = None
        self.hits = 0

    def update(self, update: int, new_rows: int | None) -> UpdateOutputs:
        """Make update number ``update``, whose turn it is; the replay learns the priorities that it finds.

        new_rows: how many rows the replay is expected to get until the next update; None: do not look ahead to it.
        """
        rows, weights = self._replay.rows(self._batch_size, update)
        if self._worker is None:
            out = self._learner.update(self._replay.gather(rows, weights), update)
            self._replay.learned(rows, out.priority)
            return out
        ahead, self._ahead = self._ahead, None
        begun = None if ahead is None else ahead.begun
        try:
            if ahead is not None and not (np.array_equal(ahead.rows, rows) and np.array_equal(ahead.weights, weights)):
                self.forget()  # and wait for its end: two at a time would only be slower
                begun = None
            self.hits += begun is not None
            begun = begun or self._worker.begin(self._replay.gather(rows, weights), update)
            self._worker.gate.answer(True)
            priority = self._worker.gate.hear()
            if len(priority):
                self._replay.learned(rows, priority)
                if new_rows is not None:  # gathered while this one is still being made
                    self._ahead = self._gather(update + 1, new_rows)
            return begun.result()
        except BaseException:  # also Ctrl-C: nothing must be changing theta when this returns
            self.forget()
            raise

    def forget(self) -> None:
        """Give up what was begun: theta, theta^- or the replay are about to become others."""
        self._ahead = None
        if self._worker is not None:
            self._worker.give_up()

    def begin(self) -> None:
        """Start on the update that the last call of ``update`` looked ahead to."""
        if self._ahead is None or self._worker is None:
            return
        try:
            self._ahead = self._ahead._replace(begun=self._worker.begin(self._ahead.sample, self._ahead.update))
        except BaseException:  # Ctrl-C, when the thread may have it already
            self.forget()
            raise

    def _gather(self, update: int, new_rows: int) -> _Ahead | None:
        foreseen = self._replay.foresee(self._batch_size, update, new_rows)
        if foreseen is None:
            return None
        sample = self._replay.gather(*foreseen)
        return _Ahead(update, *foreseen, tf.nest.map_structure(tf.convert_to_tensor, sample))

    def close(self) -> None:
        """Give up what was begun, and end the thread."""
        self._ahead = None
        if self._worker is not None:
            self._worker.close()


class _Worker:
    """A thread that makes updates, one at a time, as far as the gate lets it.

    It ends when this object does, also where nobody closed it: a program must not wait at its end for an answer that
    will not come.
    """

    def __init__(self, learner: Learner) -> None:
        self.gate = Gate()
        self._latest: Future[UpdateOutputs] | None = None
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_work, args=(learner, self.gate, self._tasks), name="updates", daemon=True
        )
        self._thread.start()
        self._end = weakref.finalize(self, _end, self.gate, self._tasks)

    def close(self) -> None:
        """End the thread, and what it has begun."""
        self._end()
        self._thread.join()

    def begin(self, sample: Sample | Draw, update: int) -> Future[UpdateOutputs]:
        """Begin an update, which then waits at the gate."""
        future: Future[UpdateOutputs] = Future()
        self._latest = future
        self._tasks.put((sample, update, future))
        return future

    def give_up(self) -> None:
        """End what was begun last, also where an exception kept ``begin`` from returning it: this leaves no update at
        the gate, no answer and no message."""
        if self._latest is not None:
            self.gate.release(self._latest)
            self._latest = None


_Task = tuple[Sample | Draw, int, Future[UpdateOutputs]]


def _work(learner: Learner, gate: Gate, tasks: queue.SimpleQueue[_Task | None]) -> None:
    while (task := tasks.get()) is not None:
        sample, update, future = task
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(learner.update_behind(gate, sample, update))
            except BaseException as error:
                try:
                    gate.tell_nothing()
                finally:
                    future.set_exception(error)
        del task, sample, future  # or they would live until the next one


def _end(gate: Gate, tasks: queue.SimpleQueue[_Task | None]) -> None:
    tasks.put(None)
    gate.close()
