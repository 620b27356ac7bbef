"""PQN as a generator of records: a rollout of all environments, then the updates on it, then the next rollout.

Paper: Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning" (arXiv 2407.04811), as in the authors' code
(mttga/purejaxql@47af6d7, pqn_atari.py):

    for T steps: act epsilon-greedily in E environments at once, keep s, a, r, whether it ended, max Q(s, .)   _round
    G = the lambda-returns of these T E transitions, backwards from max Q of the last states                 targets
    for each epoch: shuffle them; for each minibatch a gradient step on (Q(s, a) - G)^2                      _learn

Symbols: T E = ``steps_per_update``, E = ``execution.environments``, ``updates_at_once`` gradient steps for a rollout.

Acting does not wait for updates nor they for it: they take turns.  A run can be stopped, saved and continued between
any two steps, and between any two calls of updates (execution/rollout_updater.py), with the same bytes.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dqn_tf import determinism, rollouts
from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.rollout_updater import Experience, RolloutUpdater
from dqn_tf.modes import Rollouts
from dqn_tf.rng import Stream
from dqn_tf.training import iterations
from dqn_tf.training.records import EpisodeRecord, IterationRecord
from dqn_tf.training.rollout import Rollout
from dqn_tf.training.rollout_games import Games
from dqn_tf.training.run_state import Columns, RunState
from dqn_tf.training.shared_environment import SharedEnvironment
from dqn_tf.types import StepType, TimeStep


class RolloutLoop:
    """A ``Loop`` (loop.py) without replay and target network.

    Streams: as in ``InterleavedLoop``, with "train/i" for the environments' own; a step's number is that of its round's
    first step, plus its environment's.  "shuffle" of the minibatches (execution/rollout_updater.py).
    """

    def __init__(self, config: RunConfig) -> None:
        """
        Raises:
            ConfigError: environments or networks cannot be made.
        """
        execution, returns = config.agent.execution, config.agent.returns
        assert isinstance(execution, Rollouts) and isinstance(returns, LambdaReturns)
        streams = tuple(f"train/{i}" for i in range(execution.environments))
        plan = vector.Plan(config.environment, config.protocol, config.seed, streams)
        environments = vector.make(plan, execution.workers)
        try:
            self.run = RunState(config, environments.spec)
        except BaseException:
            environments.close()
            raise
        assert isinstance(self.run.learner, Learner)
        if len(streams) == 1 and isinstance(environments, vector.InProcess):
            self.run.shared_environment = SharedEnvironment.of(
                environments.environments[0], config, self._resume_episode
            )
        self.games = Games(environments, self.run)
        self.updater = RolloutUpdater(self.run.learner, environments.spec, config.seed)
        self._shape, self._trace_decay = rollouts.shape(config.agent), returns.trace_decay
        self._rollout = Rollout(self._shape.steps, self._shape.environments, environments.spec.observation)
        self._targets = np.zeros(0, np.float32)  # of the rollout, once it is full

    # -- the loop ----------------------------------------------------------------------------------------------------
    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | None]:
        """See ``Loop.records``; a step is a round of all environments, or a call of updates."""
        run = self.run
        self._learn(each_step)  # what was left to do when the run was saved
        while True:
            while self.games.finished:
                yield self.games.finished.pop(0)
            if iterations.is_over(run):
                yield iterations.close(run, each_step, self.digest)
            if run.counters.steps >= run.config.steps:
                return
            each_step()
            self._round()
            self._learn(each_step)
            if not self.games.finished:
                yield None

    def _round(self) -> None:
        """One step of every environment."""
        run, games, first = self.run, self.games, self.run.counters.steps
        clock = time.perf_counter()
        games.begin_episodes()
        clock = run.spend("environment", clock)
        seen = {"observations": games.environments.observations.copy()}
        q_values, masks = self.updater.q_values(seen["observations"]), list(games.environments.masks)
        if masks[0] is not None:
            seen["masks"] = np.array(masks)
        actions = [
            run.behavior.action(functools.partial(q_values.__getitem__, i), first + i, mask)
            for i, mask in enumerate(masks)
        ]
        seen["values"] = _largest(q_values, seen.get("masks"))
        clock = run.spend("act", clock)
        answers = games.step(actions)
        clock = run.spend("environment", clock)
        self._keep(seen, actions, answers)
        steps = first + len(actions)
        run.counters = run.counters._replace(steps=steps, frames=steps * run.config.frame_skip)
        run.spend("replay", clock)

    def _keep(self, seen: dict[str, np.ndarray], actions: list[int], answers: list[TimeStep]) -> None:
        """Put a round into the rollout; of a full one, compute the targets."""
        run, rollout = self.run, self._rollout
        over = np.array([answer.step_type == StepType.LAST for answer in answers])
        discount = np.array([answer.discount for answer in answers], np.float32) * np.float32(run.config.agent.discount)
        rollout.add(
            actions=actions,
            r_t=[run.clipped_reward(answer.reward) for answer in answers],
            discount_t=discount,
            over=over,
            **seen,
        )
        if rollout.full or (over & (discount > 0)).any():
            environments = self.games.environments
            masks = np.array(environments.masks) if "masks" in seen else None
            rollout.add_last_values(_largest(self.updater.q_values(environments.observations), masks))
        if rollout.full:
            self._targets = rollout.targets(self._trace_decay)
            if run.heldout is None:
                self._choose_heldout()

    def _choose_heldout(self) -> None:
        """Fix the held-out states, out of the first rollout (Mnih et al. 2013, section 5.1, has a random policy's)."""
        run, rollout = self.run, self._rollout
        number, size = len(rollout.observations), run.config.heldout_states
        drawn = Stream(run.config.seed, "heldout").at(0).integers(number, size=size)
        run.heldout = rollout.observations[drawn]
        run.heldout_masks = None if rollout.masks is None else rollout.masks[drawn]

    def _learn(self, each_step: Callable[[], None]) -> None:
        """The updates that are due, if the rollout is full."""
        run, begun = self.run, False
        while self._rollout.full:
            if begun:
                each_step()
            begun, clock, counters = True, time.perf_counter(), run.counters
            rollout = counters.steps // self._shape.transitions - 1
            first = counters.updates - rollout * self._shape.updates
            experience = Experience(self._rollout.observations, self._rollout.actions, self._targets)
            for outputs in self.updater.update(experience, rollout, first):
                run.note_update(outputs, run.counters.updates, counters.steps)
                run.counters = run.counters._replace(updates=run.counters.updates + 1)
            if run.counters.updates == (rollout + 1) * self._shape.updates:
                self._rollout.clear()
                self._targets = np.zeros(0, np.float32)
            run.spend("update", clock)

    # -- saving ------------------------------------------------------------------------------------------------------
    def pause_seconds(self) -> float:
        """See ``Loop.pause_seconds``."""
        return 0.0

    def state(self) -> dict[str, Any]:
        """See ``Loop.state``; the rollout so far is part of it."""
        return {
            **self.run.state(),
            **self.games.state(),
            "rollout": self._rollout.state(),
            "targets": self._targets.copy(),
        }

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """See ``Loop.restore``."""
        self.run.restore(state, read_piece)
        self._rollout.restore(state["rollout"])
        self._targets = np.array(state["targets"], np.float32)
        self._cut(self.games.restore(state))

    def _cut(self, environments: list[int]) -> None:
        for i in environments:
            self._rollout.cut(i)

    def _resume_episode(self) -> None:
        if not self.games.over[0]:
            self._cut(self.games.restore_environments(self.games.environments.state()))

    def digest(self) -> str:
        """See ``Loop.digest``."""
        return determinism.digest(self.state())

    def close(self) -> None:
        """See ``Loop.close``."""
        self.games.environments.close()


def _largest(q_values: np.ndarray, masks: np.ndarray | None) -> np.ndarray:
    """max over the legal actions (masks [E, A]; None: all) of q_values [E, A]: [E] float32."""
    if masks is not None:
        q_values = np.where(masks, q_values, np.float32(-np.inf))
    return np.asarray(q_values.max(axis=1))
