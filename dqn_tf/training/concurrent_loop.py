"""Acting and learning at the same time, with the same bytes every time.

Paper: Daley & Amato 2021, "Human-level control without server-grade hardware" (arXiv 2111.01264): concurrent training
and synchronized execution.

    period p: the C = target_update_steps agent steps from step p C on, made in rounds of one step per environment
      this thread     actions from theta^-, for all environments at once; their transitions are kept aside
      another thread  the updates that are due in the period, on the replay as it was when the period began
    at its end        a barrier; then the transitions go to the replay, environment after environment; theta^- <- theta

Between two barriers neither thread reads what the other one writes, so it does not matter which is faster: everything
follows from the numbers of steps and updates.  The thread of updates writes theta, priorities, and the statistics of
losses, TD errors and Q-values; this one the counters and the statistics of episodes.  Learning begins with the first
period that starts at or after ``min_replay_steps``.  Where an iteration ends inside a period there is a barrier too,
at the number of updates that are due by then.  The wait there may take minutes; a run can be stopped, saved and
continued there as anywhere else.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dqn_tf import determinism
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.execution.background import ThreadUpdater
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Concurrent
from dqn_tf.replay.feed import Feed
from dqn_tf.training import iterations
from dqn_tf.training.episode_sums import EpisodeSums, step_all
from dqn_tf.training.records import EpisodeRecord, IterationRecord
from dqn_tf.training.run_state import Columns, RunState
from dqn_tf.training.shared_environment import SharedEnvironment
from dqn_tf.types import UpdateOutputs

LOOK_SECONDS = 0.2  # while acting waits for learning, it looks for a request to stop this often


class ConcurrentLoop:
    """A ``Loop`` (loop.py) with several environments, and updates on another thread.

    Streams: as in ``InterleavedLoop``, with "train/i" for the environments' own; a step's number is that of its round's
    first step, plus its environment's.
    """

    def __init__(self, config: RunConfig) -> None:
        """
        Raises:
            ConfigError: environments, replay or networks cannot be made.
        """
        execution = config.agent.execution
        assert isinstance(execution, Concurrent)
        streams = tuple(f"train/{i}" for i in range(execution.environments))
        plan = vector.Plan(config.environment, config.protocol, config.seed, streams)
        self.environments = vector.make(plan, execution.workers)
        try:
            self.run = RunState(config, self.environments.spec)
        except BaseException:
            self.environments.close()
            raise
        run = self.run
        assert isinstance(run.learner, Learner)
        if len(streams) == 1 and isinstance(self.environments, vector.InProcess):
            run.shared_environment = SharedEnvironment.of(
                self.environments.environments[0], config, self._resume_episode
            )
        self.updater = ThreadUpdater(run.learner, run.replay, self._note_update, execution.updates_per_call)
        self._feeds = [Feed(self.environments.spec.observation) for _ in streams]
        self._episodes = EpisodeSums(len(streams))
        self._pending: list[EpisodeRecord] = []  # of the last round, not yet yielded
        self._at_barrier = False  # the step is one, and what happens there has not yet
        self._compiled = False

    # -- the loop --------------------------------------------------------------------------------------------------
    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | None]:
        """See ``Loop.records``; a step is a round of all environments."""
        run = self.run
        self._pass_barrier(each_step)
        while True:
            while self._pending:
                yield self._pending.pop(0)
            if iterations.is_over(run):
                yield iterations.close(run, each_step, self.digest)
            if run.counters.steps >= run.config.steps:
                return
            each_step()
            self._round()
            self._pass_barrier(each_step)
            if not self._pending:
                yield None

    def _round(self) -> None:
        """One step of every environment, while the updates that are due by the next barrier are made."""
        barrier = self._next_barrier()
        self._start_updates(self._updates_due(barrier))
        self._act()
        self._at_barrier = self.run.counters.steps == barrier

    def _pass_barrier(self, each_step: Callable[[], None]) -> None:
        """At a barrier, wait for the updates that are due by it; then what happens there."""
        if not self._at_barrier:
            return
        steps = self.run.counters.steps
        while self._updates_run(self._updates_due(steps), LOOK_SECONDS):
            each_step()
        self._wait_by(self.updater.finish)
        if steps % self.run.config.agent.target_update_steps == 0:
            self._store()
            self.run.learner.parameters.sync_target()
        self._at_barrier = False

    def _next_barrier(self) -> int:
        """The next step at which acting and learning wait for each other."""
        steps, config = self.run.counters.steps, self.run.config
        periods = (config.agent.target_update_steps, config.iteration_steps)
        return min(config.steps, *((steps // period + 1) * period for period in periods))

    def _updates_due(self, steps: int) -> int:
        """Number of updates that are due by agent step ``steps``."""
        agent = self.run.config.agent
        return max(0, steps // agent.steps_per_update - self._rounds_before) * agent.updates_at_once

    @property
    def _rounds_before(self) -> int:
        """Times that updates would be due before learning begins, and are not made."""
        agent = self.run.config.agent
        period = agent.target_update_steps
        return -(-agent.min_replay_steps // period) * period // agent.steps_per_update

    def _step_of(self, update: int) -> int:
        """The step at which this update is due."""
        agent = self.run.config.agent
        return (update // agent.updates_at_once + 1 + self._rounds_before) * agent.steps_per_update

    def _note_update(self, outputs: UpdateOutputs, number: int) -> None:
        """Runs in the thread of updates."""
        self.run.note_update(outputs, number, self._step_of(number))

    # -- acting ------------------------------------------------------------------------------------------------------
    def _act(self) -> None:
        """One step of every environment; what they answer is kept aside."""
        run, first = self.run, self.run.counters.steps
        if any(self._episodes.over):
            self._begin_episodes()
        clock = time.perf_counter()
        q_values = functools.cache(lambda: run.learner.act_target(self.environments.observations, first))
        actions = [
            run.behavior.action(functools.partial(_row, q_values, i), first + i, mask)
            for i, mask in enumerate(self.environments.masks)
        ]
        clock = run.spend("act", clock)
        answers = step_all(self.environments, actions)
        clock = run.spend("environment", clock)
        for i, (action, answer) in enumerate(zip(actions, answers, strict=True)):
            assert answer is not None
            self._episodes.note(i, answer)
            self._feeds[i].add(action, run.clipped_reward(answer.reward), answer)
            if answer.episode_over:
                self._pending.append(self._episodes.record(run, i, answer))
        steps = first + len(actions)
        run.counters = run.counters._replace(steps=steps, frames=steps * run.config.frame_skip)
        run.spend("replay", clock)

    def _begin_episodes(self) -> None:
        clock = time.perf_counter()
        for i, answer in enumerate(step_all(self.environments, self._episodes.commands())):
            if answer is not None:
                self._episodes.note(i, answer)
                self._feeds[i].add_first(answer)
        self.run.spend("environment", clock)

    def _store(self) -> None:
        """Store the steps that were kept aside in the replay, environment after environment."""
        run, clock = self.run, time.perf_counter()
        for feed in self._feeds:
            feed.flush(run.replay)
        if run.heldout is None and run.counters.steps >= run.config.agent.min_replay_steps:
            run.choose_heldout()
        run.spend("replay", clock)

    # -- learning ----------------------------------------------------------------------------------------------------
    def _start_updates(self, until: int) -> None:
        """Make sure that updates are under way, up to number ``until``."""
        if until > self.updater.made and not self._compiled:  # in this thread, before there are two that compile
            self.run.learner.act_target(self.environments.observations, 0)
            self._compiled = True
        self.updater.start(until)

    def _updates_run(self, until: int, seconds: float) -> bool:
        """Start updates up to number ``until``, wait ``seconds`` at most, and say whether they are still under way."""
        self._start_updates(until)
        clock = time.perf_counter()
        running = self.updater.running(seconds)
        self.run.spend("update", clock)
        return running

    def _wait_by(self, wait: Callable[[], None]) -> None:
        """``updater.finish`` or ``updater.pause``: no update is under way afterwards."""
        run, clock = self.run, time.perf_counter()
        wait()
        run.counters = run.counters._replace(updates=self.updater.made)
        run.spend("update", clock)

    # -- saving ----------------------------------------------------------------------------------------------------
    def pause_seconds(self) -> float:
        """See ``Loop.pause_seconds``."""
        return self.updater.pause_seconds()

    def state(self) -> dict[str, Any]:
        """See ``Loop.state``.  In mid-period it also has the steps that are kept aside, and the updates made."""
        self._wait_by(self.updater.pause)
        return {
            **self.run.state(),
            # Left out where it is false, so that older digests stay as they were.
            **({"waits": True} if self._at_barrier else {}),
            "environment": self.environments.state(),
            "feeds": [feed.state() for feed in self._feeds],
            "episode": self._episodes.state(),
            "pending": [list(record) for record in self._pending],
        }

    def restore(self, state: dict[str, Any], read_piece: Callable[[str], Columns]) -> None:
        """See ``Loop.restore``."""
        self.run.restore(state, read_piece)
        for feed, saved in zip(self._feeds, state["feeds"], strict=True):
            feed.restore(saved)
        self._episodes.restore(state["episode"])
        self._restore_environments(state["environment"])
        self._pending = [EpisodeRecord(*record) for record in state["pending"]]
        self.updater.restart(self.run.counters.updates)
        self._at_barrier = bool(state.get("waits", False))

    def _restore_environments(self, states: list[dict[str, Any]]) -> None:
        latest = self.environments.restore(states, self.run.inexact)
        for i, (last, state) in enumerate(zip(latest, states, strict=True)):
            if last is None and state["digest"]:
                self.run.note_abandoned(i, state)
                self._episodes.abandon(i)
                self._feeds[i].cut()

    def _resume_episode(self) -> None:
        if not self._episodes.over[0]:
            self._restore_environments(self.environments.state())

    def digest(self) -> str:
        """See ``Loop.digest``."""
        return determinism.digest(self.state())

    def close(self) -> None:
        """See ``Loop.close``."""
        self.updater.close()
        self.environments.close()


def _row(q_values: Callable[[], np.ndarray], i: int) -> np.ndarray:
    """Q-values [A] of environment i, out of [E, A]."""
    return q_values()[i]
