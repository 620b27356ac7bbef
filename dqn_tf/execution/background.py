"""Updates on another thread, while the loop goes on acting (concurrent training: Daley & Amato 2021)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from dqn_tf.execution.learner import Learner
from dqn_tf.execution.sequential import SequentialUpdater
from dqn_tf.execution.update_scan import UpdateScan
from dqn_tf.replay.replay import Replay
from dqn_tf.types import UpdateOutputs

FIRST_CALL_SECONDS = 600.0  # allowed for a call of many updates while it is not known how long one takes


class ThreadUpdater:
    """A ``BackgroundUpdater``: one thread, on which updates follow one another in the order of their numbers."""

    def __init__(
        self,
        learner: Learner,
        replay: Replay,
        note: Callable[[UpdateOutputs, int], None],
        updates_per_call: int,
    ) -> None:
        """
        Args:
            learner: whose parameters are updated.
            replay: where batches come from; it is not written to while updates are being made.
            note: called in the thread with what each update reports, and its number; may raise.
            updates_per_call: updates of one compiled call, where so many are left to do.
        """
        self._learner, self._replay, self._note = learner, replay, note
        self._one, self._scan, self._updates_per_call = (
            SequentialUpdater(learner, replay),
            UpdateScan(learner),
            updates_per_call,
        )
        self.made = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="learner")
        self._running: Future[None] | None = None
        self._stop = threading.Event()
        self._slowest_update: float | None = None  # seconds, of those that this process has made

    def start(self, until: int) -> None:
        """See ``BackgroundUpdater``."""
        if self._running is not None and self._running.done():
            self._running.result()
            self._running = None
        if self._running is None and self.made < until:
            self._stop.clear()
            self._running = self._thread.submit(self._update_until, until)

    def running(self, seconds: float) -> bool:
        """See ``BackgroundUpdater``."""
        return self._running is not None and bool(wait([self._running], seconds).not_done)

    def finish(self) -> None:
        """See ``BackgroundUpdater``."""
        if self._running is not None:
            running, self._running = self._running, None
            running.result()

    def pause(self) -> None:
        """See ``BackgroundUpdater``."""
        self._stop.set()
        self.finish()

    def pause_seconds(self) -> float:
        """See ``BackgroundUpdater``."""
        if self._updates_per_call == 1:
            return 0.0
        if self._slowest_update is None:
            return FIRST_CALL_SECONDS
        return 3 * self._updates_per_call * self._slowest_update

    def restart(self, made: int) -> None:
        """See ``BackgroundUpdater``."""
        self.made = made

    def close(self) -> None:
        """See ``BackgroundUpdater``."""
        self._stop.set()
        self._thread.shutdown(cancel_futures=True)

    # -- in the thread -----------------------------------------------------------------------------------------------
    def _update_until(self, until: int) -> None:
        while self.made < until and not self._stop.is_set():
            count = self._updates_per_call if self._updates_per_call <= until - self.made else 1
            clock = time.perf_counter()
            reported = self._update(count)
            seconds = (time.perf_counter() - clock) / count
            self._slowest_update = max(self._slowest_update or 0.0, seconds)
            for outputs in reported:
                self._note(outputs, self.made)
                self.made += 1

    def _update(self, count: int) -> list[UpdateOutputs]:
        """What the next ``count`` updates report; more than one are one call."""
        if count == 1:
            return [self._one.update(self.made, step=0, last=True)]
        batch_size = self._learner.config.batch_size
        return self._scan.run(self._replay.sample_indices_ahead(batch_size, self.made, count), self.made)
