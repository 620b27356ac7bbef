"""Experience replay: a ring of frames, an accumulator of n-step returns, and a sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_tf.agent.annealing import Horizon
from dqn_tf.agent.n_step import Accumulator, Completed, SingleSteps
from dqn_tf.replay.device_ring import DeviceRing
from dqn_tf.replay.ring import Ring
from dqn_tf.replay.sampler import RingView, Sampler, SamplingRule, with_priorities
from dqn_tf.replay.storage import Storage
from dqn_tf.rng import Stream
from dqn_tf.types import Monitored, ObservationSpec, Sample, SampleIndices, StepType, TimeStep


class Replay:
    """The replay memory.

    Draws: stream "replay" of ``seed``, counter = update.
    """

    def __init__(
        self,
        rule: SamplingRule,
        storage: Storage,
        spec: ObservationSpec,
        n_step: int,
        gamma: float,
        seed: int,
        future_steps: int = 0,
        horizons: Callable[[int], Horizon] | None = None,
        ring: Ring | None = None,
    ) -> None:
        """
        Args:
            rule: which transitions are drawn (uniform.py, prioritized.py, prioritized_rank.py).
            storage: how many are held, how, and where.
            spec: of the observations.
            n_step: rewards of one transition, at most.
            gamma: discount of one step.
            seed: of the run.
            future_steps: K: what followed within so many steps is part of a batch (trajectories.py); 0: nothing is.
            horizons: from the number of an update to n and gamma of its batch (agent/annealing.py); rows then hold
                single steps, and ``gamma`` is not used.  None: ``n_step`` and ``gamma``.
            ring: holds the rows instead of one of its own; it has `storage.capacity` of them.

        Raises:
            ConfigError: the machine or the device does not grant the memory.
        """
        self.n_step, self.future_steps = n_step, future_steps
        self.sampler: Sampler = rule.build(storage.capacity)
        self.priorities = with_priorities(self.sampler)  # the same object, if it remembers priorities
        if ring is None:
            ring = Ring(spec, storage.capacity, storage.compression, storage.placement)
        self.ring = ring
        self.on_device = DeviceRing(self.ring, future_steps) if storage.placement == "device" else None
        self.horizons = horizons
        self._accumulator = Accumulator(n_step, gamma) if horizons is None else SingleSteps(n_step, 1.0)
        self._stream = Stream(seed, "replay")
        self.episode_over = False  # of the agent; what is stored next begins another one

    def __len__(self) -> int:
        return len(self.ring)

    @property
    def open_transitions(self) -> int:
        """Transitions whose n-step returns are not complete; their rows are the newest but one, and those before."""
        return len(self._accumulator)

    # -- storing -----------------------------------------------------------------------------------------------------
    def add_first(self, timestep: TimeStep) -> None:
        """Store the first observation of an episode of the agent."""
        self._append(timestep, first=True)
        self.episode_over = False

    def add(self, action: int, reward: float, timestep: TimeStep) -> None:
        """Store a step.

        Args:
            action: the action.
            reward: the learner's (clipped) reward.
            timestep: the environment's answer.
        """
        newest = self._append(timestep, first=False)
        self.episode_over = timestep.step_type == StepType.LAST
        if self.horizons is not None:
            self.ring.note_step(newest - 1, action, reward, timestep.discount)
        self._complete(self._accumulator.add(action, reward, timestep.discount, self.episode_over), newest)

    def _complete(self, transitions: list[Completed], newest: int) -> None:
        """Write transitions whose s_t is the row ``newest``."""
        for done in transitions:
            row = newest - done.steps
            self.ring.complete(row, done.steps, done.action, done.reward, done.discount)
            if self.priorities and self.ring.usable(np.array([row]))[0]:
                self.priorities.on_insert(row)

    def cut(self) -> None:
        """The episode under way was cut off at its newest frame: the open transitions bootstrap from that one."""
        if not self.episode_over:
            self._complete(self._accumulator.cut(), self.ring.head - 1)
        self.episode_over = True

    def add_context(self, timestep: TimeStep, first: bool) -> None:
        """Store a frame of an episode that began elsewhere, for the stacks of those that follow; no transition starts
        here.

        Args:
            timestep: the answer that has the frame.
            first: whether it is the first of them.
        """
        self._append(timestep, first)
        self.episode_over = False

    def end_block(self) -> int:
        """End a block: what is stored next comes from another environment.

        Returns:
            How many transitions were open; they are dropped here, and the feed stores their steps again.
        """
        still_open = len(self._accumulator)
        self._accumulator.restore([])
        self.episode_over = True
        return still_open

    def _append(self, timestep: TimeStep, first: bool) -> int:
        newest = self.ring.append(timestep.frame, first, timestep.mask)
        if self.priorities:
            self.priorities.on_evict(self.ring.evicted_by(self.ring.oldest))
        return newest

    # -- sampling ----------------------------------------------------------------------------------------------------
    def sample(self, batch_size: int, update: int) -> Sample | SampleIndices:
        """The batch of an update: a pure function of (seed, update, contents).

        Args:
            batch_size: B.
            update: its number, from 0.

        Returns:
            Transitions [B, ...], indices [B] int64, weights [B] float32; of a replay on the device, indices and
            weights.

        Raises:
            RunError: no transition can be drawn.
        """
        return self.gather(self.sample_indices(batch_size, update), update)

    def sample_indices(self, batch_size: int, update: int) -> SampleIndices:
        """Which rows the batch of an update has.

        Args:
            batch_size: B.
            update: its number, from 0.

        Returns:
            Rows [B] int64 and their importance weights [B] float32.

        Raises:
            RunError: no transition can be drawn.
        """
        return self.sample_indices_of(self.ring, batch_size, update)

    def raw_draws(self, update: int, number: int) -> np.ndarray:
        """The first words of the draws that ``sample_indices`` makes.

        Args:
            update: number of the update.
            number: how many words.

        Returns:
            [number] uint64.
        """
        words: np.ndarray = self._stream.at(update).bit_generator.random_raw(number)
        return words

    def sample_indices_of(self, ring: RingView, batch_size: int, update: int) -> SampleIndices:
        """``sample_indices`` for another view of the ring than the present one.

        Args:
            ring: the view.
            batch_size: B.
            update: its number, from 0.

        Returns:
            Rows [B] int64 and their importance weights [B] float32.

        Raises:
            RunError: no transition can be drawn.
        """
        return self.sampler.sample_indices(ring, batch_size, self._stream.at(update), update)

    def sample_indices_ahead(self, batch_size: int, first: int, number: int) -> SampleIndices:
        """The sample indices of several updates at once, and their rows written to the device.

        Only for a replay on the device, and a sampler without priorities.

        Args:
            batch_size: B.
            first: number of the first update.
            number: how many updates.

        Returns:
            Indices and weights [number, B].
        """
        drawn = [self.sample_indices(batch_size, update) for update in range(first, first + number)]
        stacked = self.gather(SampleIndices(*map(np.stack, zip(*drawn, strict=True))), first)
        assert isinstance(stacked, SampleIndices)
        return stacked

    def gather(self, sampled: SampleIndices, update: int) -> Sample | SampleIndices:
        """The batch of these indices.

        Args:
            sampled: rows and weights.
            update: number of the update that it is for.

        Returns:
            If the replay is on the device, the indices themselves, after their rows have been written there: the
            compiled update makes the batch with ``gather_in_graph``.
        """
        if self.on_device is not None:
            self.on_device.upload(sampled.indices)
            return sampled
        rows = sampled.indices
        returns = self.ring.returns(rows, self.horizons(update) if self.horizons else None)
        return Sample(
            transitions=self.ring.transitions(rows, returns),
            indices=rows,
            weights=sampled.weights,
            masks=self.ring.masks(rows, returns.ahead),
            future=self.ring.future(rows, self.future_steps),
        )

    @property
    def gather_in_graph(self) -> Callable[[SampleIndices], Sample] | None:
        """Graph code that makes a batch of sample indices, if the replay is on the device; else None."""
        return None if self.on_device is None else self.on_device.gather_in_graph

    def update_priorities(self, rows: np.ndarray, priorities: Any) -> None:
        """Give the sampler the priorities that an update found, if it has priorities.

        Args:
            rows: [B] int64.
            priorities: [B] >= 0, of these rows.

        Raises:
            Diverged: a priority is not finite; none has been taken.
        """
        if self.priorities:
            self.priorities.update_priorities(rows, np.asarray(priorities))

    def monitors(self, batch_size: int, update: int) -> Monitored:
        """The sampler's statistics.  Nothing is changed.

        Args:
            batch_size: B.
            update: number of the next update.

        Returns:
            Numbers and histograms.
        """
        return self.sampler.monitors(lambda k: np.asarray(self.sample_indices(batch_size, update + k).weights), update)

    # -- saving ------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """The state; the segments of the ring are named by their hashes.

        ``episode_over`` is not part of it: where it is true no transition is open, and storing the next frame, which
        begins an episode or a block, sets it again.
        """
        own = {"sampler": self.priorities.state()} if self.priorities else {}
        return {"head": self.ring.head, "open": self._accumulator.state(), "segments": self.ring.segments(), **own}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``; the segments are put back one by one with ``ring.restore_segment``."""
        self.ring.restore_head(int(state["head"]), state["segments"])
        self._accumulator.restore(state["open"])
        if self.priorities:
            self.priorities.restore(state["sampler"])
