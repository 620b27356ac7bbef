"""Algorithm 1 for K seeds of one configuration in step: each makes the steps of interleaved_loop.py, at the same time.

What every step costs in Python and NumPy is paid once for all of them: the forward passes are one product, the draws
that decide whether to explore are made ahead, the replays are written and read side by side, the updates are one call,
and CartPoles are stepped as arrays.  Each of these computes for seed k the bits that its own object would compute, so
``InterleavedLoop`` is the naive twin that tests compare with, byte by byte (tests/training/test_in_step.py).

What is saved and read of a run are still its own objects.  ``advance`` returns at the latest when an episode of a run
ends or a run raises, and brings the objects of such runs up to date (``settle``); until then the newest numbers are in
arrays here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dqn_tf.envs import steppers
from dqn_tf.envs.steppers import Stepped
from dqn_tf.execution import host
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.updates_together import UpdatesTogether
from dqn_tf.replay import side_by_side
from dqn_tf.rng import uniforms_and_integers
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.types import StepType

AHEAD = 256  # steps whose first draws are made at once


class Happened(NamedTuple):
    """What happened to runs, by their numbers: episodes that ended, and errors that were raised."""

    records: dict[int, EpisodeRecord]
    errors: dict[int, Exception]


def suits(loop: InterleavedLoop) -> bool:
    """Whether a run can be one of those in step: actions chosen on the host, uniform replay of one-step transitions."""
    learner = loop.run.learner
    return isinstance(learner, FusedLearner) and learner.on_host and side_by_side.suits(loop.run.replay)


class InStep:
    """K runs that have made the same number of steps."""

    def __init__(self, loops: Sequence[InterleavedLoop]) -> None:
        """loops: of one configuration but for the seed, each of a kind that ``suits``."""
        first, self._loops = loops[0].run, loops
        self._config, self._agent = first.config, first.config.agent
        self._rule, self._who = self._agent.exploration, np.arange(len(loops))
        learners = [loop.run.learner for loop in loops if isinstance(loop.run.learner, FusedLearner)]
        self._updates = UpdatesTogether(learners)
        self._weights = [np.stack(w) for w in zip(*(x.parameters.weights_on_host() for x in learners), strict=True)]
        self._replays = side_by_side.SideBySide([loop.run.replay for loop in loops], self._agent.discount)
        environments = [loop.environment for loop in loops]
        self._environments = steppers.make(environments, [loop.environment_step for loop in loops])
        self._seen = np.zeros((len(loops), *first.learner.spec.observation.shape), np.float32)
        self._last = np.ones(len(loops), bool)  # whose agent's episode is over, or has not begun
        self._returns, self._lengths = np.zeros(len(loops)), np.zeros(len(loops), np.int64)
        self.steps, self._made = first.counters.steps, first.counters.updates
        self._draws = np.zeros((len(loops), 0)), np.zeros((len(loops), 0), np.int64)
        self._drawn = self.steps  # the step of the first of these draws
        self._clock, self._seconds = time.perf_counter(), dict.fromkeys(("act", "environment", "replay", "update"), 0.0)
        self._learned = False  # whether theta is newer here than the learners know
        self._left: dict[int, dict[str, np.ndarray]] = {}  # runs that a step failed for, and their parameters then
        for k in range(len(loops)):
            self.adopt(k)

    # -- between the objects and the arrays ------------------------------------------------------------------------
    def adopt(self, k: int) -> None:
        """Read the state of run ``k`` from its objects, whose environment may have been used by an evaluation."""
        loop = self._loops[k]
        self._environments.adopt(k)
        self._replays.heads[k] = loop.run.replay.ring.head
        self._returns[k], self._lengths[k] = loop.episode_return, loop.episode_length
        timestep = loop.timestep
        self._last[k] = timestep is None or timestep.step_type == StepType.LAST
        if timestep is not None:
            self._seen[k] = timestep.observation

    def settle(self, k: int) -> None:
        """Bring run ``k`` up to date."""
        loop = self._loops[k]
        loop.run.counters = loop.run.counters._replace(
            steps=self.steps, frames=self.steps * self._config.frame_skip, updates=self._made
        )
        if (timestep := self._environments.settle(k)) is not None:
            loop.timestep = timestep
        loop.episode_return, loop.episode_length = float(self._returns[k]), int(self._lengths[k])
        self._replays.note(k)
        loop.run.replay.episode_over = bool(self._last[k]) and loop.timestep is not None
        if self._learned and isinstance(loop.run.learner, FusedLearner):
            loop.run.learner.parameters.note_update(None, [w[k] for w in self._weights])

    def settle_all(self) -> None:
        """Bring all runs up to date."""
        for k, loop in enumerate(self._loops):
            if k in self._left:
                loop.run.learner.parameters.restore(self._left[k])
                continue
            self.settle(k)
            for phase, seconds in self._seconds.items():
                loop.run.seconds[phase] += seconds / len(self._loops)
        self._seconds = dict.fromkeys(self._seconds, 0.0)
        self._learned = False

    def _spent(self, phase: str) -> None:
        now = time.perf_counter()
        self._seconds[phase] += now - self._clock
        self._clock = now

    # -- the loop ----------------------------------------------------------------------------------------------------
    def advance(self, most: int) -> Happened:
        """Make up to ``most`` steps of each run, fewer if an episode ends or a run raises.

        Returns:
            What happened.  The objects of the runs concerned are up to date; after ``most`` steps, and where a run
            raised, those of all runs are.
        """
        self._clock = time.perf_counter()
        happened, end = Happened({}, {}), self.steps + most
        while self.steps < end and not happened.records and not happened.errors:
            self._step(happened)
        if self.steps == end or happened.errors:
            self.settle_all()
        return happened

    def _step(self, happened: Happened) -> None:
        """One step of each run; of a run that raises, none."""
        self._each(happened, np.flatnonzero(self._last), self._begin_episode)
        if happened.errors:
            return
        actions = self._act(happened)
        if happened.errors:
            return
        self._spent("act")
        stepped = self._environments.step(actions)
        self._spent("environment")
        self._store(actions, stepped, happened)
        self._seen, self._last = stepped.observations, stepped.last
        self._returns += stepped.rewards
        self._lengths += self._config.frame_skip
        self.steps += 1
        self._spent("replay")
        if self.steps >= self._agent.min_replay_steps:
            self._learn(happened)
        for k in np.flatnonzero(stepped.last).tolist():
            if k not in happened.errors:
                self._end_episode(k, happened)

    def _store(self, actions: np.ndarray, stepped: Stepped, happened: Happened) -> None:
        """Store the step; not of a run whose environment raised: what it is now must not change."""
        rewards = self._clipped(stepped.rewards)
        if not stepped.errors:
            self._replays.add(self._who, actions, rewards, stepped.discounts, stepped.observations)
            return
        for k, error in stepped.errors.items():
            self.settle(k)
            self._left[k] = self._loops[k].run.learner.parameters.state()
            happened.errors[k] = error
        who = np.array([k for k in self._who if k not in stepped.errors], np.int64)
        self._replays.add(who, actions[who], rewards[who], stepped.discounts[who], stepped.observations[who])

    @staticmethod
    def _each(happened: Happened, who: np.ndarray, do: Callable[[int], None]) -> None:
        """Do something for some of the runs; what one raises stops no other."""
        for k in who.tolist():
            if k not in happened.errors:
                try:
                    do(k)
                except Exception as error:
                    happened.errors[k] = error

    def _begin_episode(self, k: int) -> None:
        loop = self._loops[k]
        self.settle(k)
        loop.timestep = loop.begin_episode()
        self.adopt(k)

    def _act(self, happened: Happened) -> np.ndarray:
        """The actions [K]: those of ``exploration.choose``, which is called wherever there is more to the choice than
        a random action or a largest Q-value."""
        epsilon = self._rule.epsilon(self.steps, self._agent.min_replay_steps)
        uniforms, integers = self._first_draws()
        if (random := uniforms < epsilon).all() and (integers >= 0).all():
            return integers
        q = host.q_values_of_many(self._weights, host.scaled(self._agent, self._seen))
        actions = np.where(random, integers, q.argmax(axis=1))
        by_itself = actions < 0
        if not np.isfinite(q).all():
            by_itself |= ~np.isfinite(q).all(axis=1)
        if self._rule.random_ties:
            by_itself |= ~random & ((q == q.max(axis=1, keepdims=True)).sum(axis=1) > 1)

        def choose(k: int) -> None:
            actions[k] = self._loops[k].run.behavior.action(lambda: q[k], self.steps)

        if by_itself.any():
            self._each(happened, np.flatnonzero(by_itself), choose)
        return actions

    def _first_draws(self) -> tuple[np.ndarray, np.ndarray]:
        """The first draws [K] of each run's exploration at this step: a uniform number, then an action (or -1)."""
        if not 0 <= self.steps - self._drawn < self._draws[0].shape[1]:
            behaviors = [loop.run.behavior for loop in self._loops]
            streams, actions = [behavior.stream for behavior in behaviors], behaviors[0].num_actions
            self._draws, self._drawn = uniforms_and_integers(streams, self.steps, AHEAD, actions), self.steps
        uniforms, integers = self._draws
        return uniforms[:, self.steps - self._drawn], integers[:, self.steps - self._drawn]

    def _clipped(self, rewards: np.ndarray) -> np.ndarray:
        """``RunState.learners_reward`` of each."""
        clip = self._config.protocol.reward_clip if self._config.protocol else None
        return rewards if clip is None else np.minimum(np.maximum(rewards, clip[0]), clip[1])

    def _learn(self, happened: Happened) -> None:
        """After a step: the updates that are due, and the copies of theta if they are due."""
        if self._loops[0].run.heldout is None:
            self._each(happened, self._who, self._choose_heldout)
        if self.steps % self._agent.steps_per_update == 0:
            for _ in range(self._agent.updates_at_once):
                self._update(happened)
        if self.steps % self._agent.target_update_steps == 0:
            for loop in self._loops:
                loop.run.learner.parameters.sync_target()

    def _choose_heldout(self, k: int) -> None:
        self._replays.note(k)
        self._loops[k].run.choose_heldout()

    def _update(self, happened: Happened) -> None:
        batch = self._agent.batch_size
        rows = np.zeros((len(self._loops), batch), np.int64)

        def sample(k: int) -> None:
            rows[k] = self._replays.sample(k, batch, self._made)

        self._each(happened, self._who, sample)
        packing = self._updates.packing
        packed = np.empty((len(self._loops), packing.size), np.float32)
        self._replays.gather(rows, packing.parts(packed))
        reported, self._weights = self._updates.update(packed)
        self._learned = True
        self._spent("update")

        def note(k: int) -> None:
            self._loops[k].run.note_update(packing.outputs(reported[k]), self._made, self.steps)

        self._each(happened, self._who, note)
        self._made += 1

    def _end_episode(self, k: int, happened: Happened) -> None:
        self.settle(k)
        loop = self._loops[k]
        if loop.timestep is not None and loop.timestep.episode_over:
            happened.records[k] = loop.finish_episode(loop.timestep)
            self._returns[k], self._lengths[k] = 0.0, 0
