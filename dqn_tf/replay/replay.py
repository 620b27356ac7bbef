"""Experience replay: a ring of frames, an accumulator of n-step returns, and a sampler."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_tf.agent.n_step import Accumulator
from dqn_tf.checks import RunError
from dqn_tf.replay.device_ring import DeviceRing
from dqn_tf.replay.ring import Foreseen, Ring, Unforeseen
from dqn_tf.rng import Stream
from dqn_tf.types import Draw, Monitored, ObservationSpec, Sample, StepType, TimeStep


class Replay:
    """What the agent has seen.

    sampler: a sampling rule (uniform.py, prioritized.py, prioritized_rank.py).
    Draws: stream "replay" of ``seed``, counter = update.
    """

    def __init__(self, sampler: Any, spec: ObservationSpec, n_step: int, gamma: float, seed: int) -> None:
        self.sampler = sampler.build()
        self.ring = Ring(spec, sampler.capacity, sampler.compression, sampler.placement)
        self.on_device = DeviceRing(self.ring) if sampler.placement == "device" else None
        self._accumulator = Accumulator(n_step, gamma)
        self._stream = Stream(seed, "replay")
        self._ended = False  # whether the agent's episode is over

    def __len__(self) -> int:
        return len(self.ring)

    def add_first(self, timestep: TimeStep) -> None:
        """Store the first observation of an episode of the agent."""
        self._append(timestep, first=True)
        self._ended = False

    def add(self, action: int, reward: float, timestep: TimeStep) -> None:
        """Store a step: the action, the learner's (clipped) reward, and the environment's answer."""
        newest = self._append(timestep, first=False)
        self._ended = timestep.step_type == StepType.LAST
        for done in self._accumulator.add(action, reward, timestep.discount, self._ended):
            self.ring.complete(newest - done.steps, done.steps, done.action, done.reward, done.discount)
            if self.sampler.listens and self.ring.usable(np.array([newest - done.steps]))[0]:
                self.sampler.entered(newest - done.steps)

    def add_context(self, timestep: TimeStep, first: bool) -> None:
        """Store a frame of an episode that began elsewhere, for the stacks of those that follow; first: the first of
        them.  No transition starts here."""
        self._append(timestep, first)
        self._ended = False

    def end_block(self) -> int:
        """What follows is of another environment.  How many transitions were open; they are forgotten."""
        still_open = len(self._accumulator)
        self._accumulator.restore([])
        self._ended = True
        return still_open

    def _append(self, timestep: TimeStep, first: bool) -> int:
        newest = self.ring.append(timestep.frame, first)
        if self.sampler.listens:
            self.sampler.left(self.ring.displaced(self.ring.oldest))
        return newest

    def learned(self, rows: np.ndarray, priorities: Any) -> None:
        """An update found these priorities [B] for these rows [B]; a sampler that does not care is not asked."""
        if self.sampler.listens:
            self.sampler.learned(rows, np.asarray(priorities))

    def sample(self, batch_size: int, update: int) -> Sample | Draw:
        """The batch of update number ``update``: a pure function of (seed, update, contents)."""
        return self.gather(*self.rows(batch_size, update))

    def rows(self, batch_size: int, update: int) -> tuple[np.ndarray, np.ndarray]:
        """Which rows [B] the batch of update number ``update`` has, and their importance weights [B]."""
        return self.sampler.rows(self.ring, batch_size, self._stream.at(update), update)

    def foresee(self, batch_size: int, update: int, new_rows: int) -> tuple[np.ndarray, np.ndarray] | None:
        """What ``rows`` will say once ``new_rows`` more rows are stored; None if it depends on what they hold.

        The rows it names, and what ``gather`` gives for them, do not change until then.
        """
        settled = self.ring.head - 1 - len(self._accumulator)
        then = Foreseen(self.ring, new_rows, settled)
        try:
            with self._supposing(then, new_rows):
                rows, weights = self.sampler.rows(then, batch_size, self._stream.at(update), update)
        except (Unforeseen, RunError):  # too few rows by then, if no episode ends
            return None
        return None if (rows >= settled).any() else (rows, weights)

    def _supposing(self, then: Foreseen, new_rows: int) -> Any:
        """The sampler's state once ``new_rows`` more rows are stored and no episode ends meanwhile."""
        if not self.sampler.listens:
            return contextlib.nullcontext()
        if not hasattr(self.sampler, "supposing"):
            raise Unforeseen
        still_open = len(self._accumulator)
        first = self.ring.head if self._ended else self.ring.head - 1 - still_open
        complete = max(0, still_open + new_rows - self._ended - (self._accumulator.n - 1))
        leaving = [r for oldest in range(self.ring.oldest + 1, then.oldest + 1) for r in self.ring.displaced(oldest)]
        return self.sampler.supposing(list(range(first, first + complete)), leaving)

    def gather(self, rows: np.ndarray, weights: np.ndarray) -> Sample | Draw:
        """The batch of these rows; of a ring on the device the draw, of which ``DeviceRing.recall`` makes the batch."""
        if self.on_device is not None:
            self.on_device.settle(rows)
            return Draw(rows, weights)
        return Sample(self.ring.transitions(rows), rows, weights)

    def draws(self, batch_size: int, first: int, number: int) -> Draw:
        """The draws [number, B] of ``number`` updates from ``first`` on; of a ring on the device."""
        drawn = [self.rows(batch_size, update) for update in range(first, first + number)]
        out = self.gather(*map(np.stack, zip(*drawn, strict=True)))
        assert isinstance(out, Draw)
        return out

    @property
    def recall(self) -> Callable[[Draw], Sample] | None:
        """What the learner needs to make batches of draws; None if it gets them whole."""
        return None if self.on_device is None else self.on_device.recall

    def monitors(self, batch_size: int, update: int) -> Monitored:
        """What the sampler wants watched when update number ``update`` is the next.  Nothing is changed by it."""
        return self.sampler.monitors(lambda k: self.rows(batch_size, update + k)[1], update)

    def state(self) -> dict[str, Any]:
        """Everything but the segments of the ring, which are named by their hashes."""
        own = {"sampler": self.sampler.state()} if self.sampler.listens else {}
        return {"head": self.ring.head, "open": self._accumulator.state(), "segments": self.ring.segments(), **own}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; the segments are put back one by one with ``ring.restore_segment``."""
        self.ring.restore_head(int(state["head"]), state["segments"])
        self._accumulator.restore(state["open"])
        if self.sampler.listens:
            self.sampler.restore(state["sampler"])
