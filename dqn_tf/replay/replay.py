"""Experience replay: a ring of frames, an accumulator of n-step returns, and a sampler."""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf.replay.accumulator import Accumulator
from dqn_tf.replay.ring import Foreseen, Ring, Unforeseen
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, Sample, StepType, TimeStep


class Replay:
    """What the agent has seen.

    sampler: a sampling rule (replay/uniform.py).  Draws: stream "replay" of ``seed``, counter = update.
    """

    def __init__(self, sampler: Any, spec: ObservationSpec, n_step: int, gamma: float, seed: int) -> None:
        self.sampler, self.ring = sampler, Ring(spec, sampler.capacity)
        self._accumulator = Accumulator(n_step, gamma)
        self._stream = Stream(seed, "replay")

    def __len__(self) -> int:
        return len(self.ring)

    def add_first(self, timestep: TimeStep) -> None:
        """Store the first observation of an episode of the agent."""
        self.ring.append(timestep.frame, first=True)

    def add(self, action: int, reward: float, timestep: TimeStep) -> None:
        """Store a step: the action, the learner's (clipped) reward, and the environment's answer."""
        newest = self.ring.append(timestep.frame, first=False)
        last = timestep.step_type == StepType.LAST
        for done in self._accumulator.add(action, reward, timestep.discount, last):
            self.ring.complete(newest - done.steps, done.steps, done.action, done.reward, done.discount)

    def sample(self, batch_size: int, update: int) -> Sample:
        """The batch of update number ``update``: a pure function of (seed, update, contents)."""
        return self.gather(*self.rows(batch_size, update))

    def rows(self, batch_size: int, update: int) -> tuple[np.ndarray, np.ndarray]:
        """Which rows [B] the batch of update number ``update`` has, and their importance weights [B]."""
        return self.sampler.rows(self.ring, batch_size, self._stream.at(update))

    def foresee(self, batch_size: int, update: int, new_rows: int) -> tuple[np.ndarray, np.ndarray] | None:
        """What ``rows`` will say once ``new_rows`` more rows are stored; None if it depends on what they hold.

        The rows it names, and what ``gather`` gives for them, do not change until then.
        """
        settled = self.ring.head - 1 - len(self._accumulator)
        try:
            return self.sampler.rows(Foreseen(self.ring, new_rows, settled), batch_size, self._stream.at(update))
        except Unforeseen:
            return None

    def gather(self, rows: np.ndarray, weights: np.ndarray) -> Sample:
        """The batch of these rows."""
        return Sample(self.ring.transitions(rows), rows, weights)

    def state(self) -> dict[str, Any]:
        """Everything but the segments of the ring, which are named by their hashes."""
        return {"head": self.ring.head, "open": self._accumulator.state(), "segments": self.ring.segments()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; the segments are put back one by one with ``ring.restore_segment``."""
        self.ring.restore_head(int(state["head"]), state["segments"])
        self._accumulator.restore(state["open"])
