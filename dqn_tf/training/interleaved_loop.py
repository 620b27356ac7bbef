"""Algorithm 1 as a generator of records: it acts, stores and learns in turn, and leaves files and signals to others.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1:

    for each step t:
        with probability epsilon a random action a_t, otherwise a_t = argmax_a Q(s_t, a; theta)   _act
        execute a_t in the emulator, observe the reward and the next image                        environment_step
        store the transition                                                                      replay.add
        every K steps: sample a minibatch, a gradient step with respect to theta                  updater.update
        every C steps: theta^- <- theta                                                           sync_target

Symbols: K = ``steps_per_update``, C = ``target_update_steps``; t starts at 0, learning at ``min_replay_steps``.
The loop over t is ``InterleavedLoop.steps``; docs/worked_example.md goes from there to max_a' Q(s', a').
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from dqn_tf import determinism, envs
from dqn_tf.checks import EnvironmentFault
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.execution import kept_learners
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.updater import make_updater
from dqn_tf.training import iterations
from dqn_tf.training.records import Awaiting, EpisodeRecord, IterationRecord
from dqn_tf.training.run_state import Columns, RunState
from dqn_tf.training.shared_environment import SharedEnvironment
from dqn_tf.types import StepType, TimeStep, UpdateOutputs


class InterleavedLoop:
    """A ``Loop`` (loop.py) in the order of the paper, with one environment."""

    def __init__(self, config: RunConfig) -> None:
        """
        Raises:
            ConfigError: environment, replay or networks cannot be made.
        """
        self.environment = envs.make(config.environment, config.protocol, config.seed, "train", training=True)
        try:
            self.run = RunState(config, self.environment.spec)
        except BaseException:
            self.environment.close()
            raise
        self.run.shared_environment = SharedEnvironment.of(self.environment, config, self._resume_episode)
        self.updater = make_updater(config, self.run.learner, self.run.replay)
        self.timestep: TimeStep | None = None  # the newest; None before the first episode
        self.episode_return, self.episode_length = 0.0, 0  # of the game's episode so far: raw return, frames

    # -- the loop --------------------------------------------------------------------------------------------------
    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | Awaiting | None]:
        """See ``Loop.records``."""
        run, steps = self.run, self.steps()
        while True:
            if iterations.is_over(run):
                yield iterations.close(run, each_step, self.digest)
            if run.counters.steps >= run.config.steps:
                return
            each_step()
            yield next(steps)

    def steps(self) -> Iterator[EpisodeRecord | None]:
        """Algorithm 1's loop over t, without end: each ``next`` is a step and what is due after it.

        Yields:
            The episode that the step has ended; None: it has ended none.
        """
        run, agent = self.run, self.run.config.agent
        while True:
            timestep = self._step()
            t = run.counters.steps
            learns = t >= agent.min_replay_steps
            updates = agent.updates_at_once if learns and t % agent.steps_per_update == 0 else 0
            if learns and run.heldout is None:
                run.choose_heldout()
            for left in reversed(range(updates)):
                clock = time.perf_counter()
                outputs = self.updater.update(run.counters.updates, t, last=left == 0)
                run.spend("update", clock)
                if left:
                    self._note_update(outputs)
            if learns:
                self._change_target(t)
            if updates:
                self.updater.prefetch()  # before the outputs are waited for
                self._note_update(outputs)
            yield self.finish_episode(timestep) if timestep.episode_over else None

    def _step(self) -> TimeStep:
        """An action, the environment's answer, and its place in the replay."""
        run, timestep = self.run, self.timestep
        if timestep is None or timestep.step_type == StepType.LAST:
            timestep = self.begin_episode()
        action = self._act(timestep)
        timestep = self.environment_step(action)
        clock = time.perf_counter()
        run.replay.add(action, run.clipped_reward(timestep.reward), timestep)
        if run.recording:
            run.recording.add(action, timestep)
        run.spend("replay", clock)
        self.timestep = timestep
        self.episode_return += timestep.reward
        self.episode_length += timestep.frames
        steps = run.counters.steps + 1
        run.counters = run.counters._replace(steps=steps, frames=steps * run.config.frame_skip)
        return timestep

    def begin_episode(self) -> TimeStep:
        """Begin an episode of the agent, which after a lost life is in the middle of a game."""
        clock = time.perf_counter()
        try:
            timestep = self.environment.reset()
        except Exception as error:
            self._fail(error, f"the beginning of episode {self.run.counters.episodes:,}")
        self.episode_return += timestep.reward
        self.episode_length += timestep.frames
        self.run.spend("environment", clock)
        self.run.replay.add_first(timestep)
        if self.run.recording:
            self.run.recording.begin(timestep)
        return timestep

    def _act(self, timestep: TimeStep) -> int:
        run, clock, step = self.run, time.perf_counter(), self.run.counters.steps
        action = run.behavior.action(lambda: run.learner.act(timestep.observation, step), step, timestep.mask)
        run.spend("act", clock)
        return action

    def environment_step(self, action: int) -> TimeStep:
        """The environment's answer to an action.

        Raises:
            EnvironmentFault: it failed, and its state is that of before.
        """
        clock = time.perf_counter()
        try:
            timestep = self.environment.step(action)
        except Exception as error:
            self._fail(error, f"step {self.run.counters.steps + 1:,} of training")
        self.run.spend("environment", clock)
        return timestep

    def _change_target(self, t: int) -> None:
        """After the updates of step t: the copy of theta, or the reset, that is due."""
        agent, learner = self.run.config.agent, self.run.learner
        if agent.target_tracking.copies and t % agent.target_update_steps == 0:
            learner.parameters.sync_target()
        if agent.resets.due(t):
            assert isinstance(learner, Learner)  # agent/refused.py
            learner.parameters.reset(t)

    def _note_update(self, outputs: UpdateOutputs) -> None:
        counters = self.run.counters
        self.run.note_update(outputs, counters.updates, counters.steps)
        self.run.counters = counters._replace(updates=counters.updates + 1)

    def finish_episode(self, timestep: TimeStep) -> EpisodeRecord:
        """Record the episode of the game, whose score is final now."""
        run, counters = self.run, self.run.counters
        run.stats.returns.add(self.episode_return)
        record = EpisodeRecord(
            frames=counters.frames,
            steps=counters.steps,
            episode=counters.episodes,
            env_index=0,
            length_frames=self.episode_length,
            return_raw=self.episode_return,
            truncated=int(timestep.truncated),
        )
        run.counters = counters._replace(episodes=counters.episodes + 1)
        self.episode_return, self.episode_length = 0.0, 0
        return record

    def _fail(self, error: Exception, where: str) -> NoReturn:
        """Raise what an environment raised as an EnvironmentFault; the run's state is that from before the step."""
        if isinstance(error, EnvironmentFault):
            raise error
        environment = self.run.config.environment
        raise EnvironmentFault(f"{environment} failed at {where}: {type(error).__name__}: {error}") from error

    # -- saving ----------------------------------------------------------------------------------------------------
    def pause_seconds(self) -> float:
        """See ``Loop.pause_seconds``."""
        return 0.0

    def state(self) -> dict[str, Any]:
        """See ``Loop.state``."""
        return {
            **self.run.state(),
            "environment": self.environment.state(),
            "started": self.timestep is not None,
            "episode": {"return_raw": self.episode_return, "length_frames": self.episode_length},
        }

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """See ``Loop.restore``."""
        self.updater.discard()
        self.run.restore(state, read_piece)
        self.episode_return = float(state["episode"]["return_raw"])
        self.episode_length = int(state["episode"]["length_frames"])
        last = self._restore_environment(state["environment"])
        self.timestep = last if state["started"] else None

    def _restore_environment(self, state: dict[str, Any]) -> TimeStep | None:
        """Its latest answer; None if there was none, or if its next episode begins."""
        last = vector.restore(self.environment, state, self.run.inexact)
        if last is None and state["digest"]:
            self.run.note_abandoned(0, state)
            self.timestep, self.episode_return, self.episode_length = None, 0.0, 0
            self.run.replay.cut()
        return last

    def _resume_episode(self) -> None:
        if self.timestep is not None and self.timestep.step_type != StepType.LAST:
            self._restore_environment(self.environment.state())

    def digest(self) -> str:
        """See ``Loop.digest``."""
        return determinism.digest(self.state())

    def close(self) -> None:
        """See ``Loop.close``."""
        self.updater.close()
        self.environment.close()
        if self.run.recording:
            self.run.recording.close()
        kept_learners.give_back(self.run.learner)
