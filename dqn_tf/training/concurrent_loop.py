"""Acting and learning at the same time, with the same bytes every time.

Paper: Daley & Amato 2021, "Human-level control without server-grade hardware" (arXiv 2111.01264): concurrent training
and synchronized execution.

    period p: the C = target_update_steps agent steps from step p C on, made in rounds of one step per environment
      this thread     actions from theta^-, for all environments at once; what they answer is kept aside
      another thread  the updates that fall due in the period, on the replay as it was when the period began
    at its end        both wait for each other; what was kept aside goes to the replay, environment after environment;
                      theta^- <- theta

Neither thread touches what the other one reads, so it makes no difference which is faster: everything is decided by
the numbers of steps and updates.  Learning begins with the first period that starts at or after ``min_replay_steps``.
Where an iteration ends inside a period, both wait there too, at the number of updates that fall due by then.  That may
take minutes; a run can be stopped, saved and continued there as anywhere.
"""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dqn_tf.agent.exploration import Behavior
from dqn_tf.agent.learner import Learner
from dqn_tf.agent.update import UpdateOutputs
from dqn_tf.checks import EnvironmentFault, RunError
from dqn_tf.config import Concurrent, RunConfig
from dqn_tf.envs import vector
from dqn_tf.execution.background import ThreadUpdater
from dqn_tf.replay.feed import Feed
from dqn_tf.replay.replay import Replay
from dqn_tf.training.loop import Best, EpisodeRecord, IterationRecord, Trainer, check_finite
from dqn_tf.training.monitors import Monitors
from dqn_tf.training.stats import IterationStats
from dqn_tf.types import Counters, StepType, TimeStep

LOOK_SECONDS = 0.2  # while acting waits for learning, whether the run is to stop is looked at so often


def trainer_of(config: RunConfig) -> Trainer:
    """The trainer that ``execution`` asks for."""
    return ConcurrentTrainer(config) if isinstance(config.agent.execution, Concurrent) else Trainer(config)


class ConcurrentTrainer(Trainer):
    """One run in memory, as ``Trainer``.

    Streams: as there, with "train/i" for the environments' own; a step's number is that of its round's first step, plus
    its environment's.
    """

    def __init__(self, config: RunConfig) -> None:
        agent, execution = config.agent, config.agent.execution
        assert isinstance(execution, Concurrent)
        self.config, self.counters, self.stats = config, Counters(), IterationStats()
        streams = tuple(f"train/{i}" for i in range(execution.environments))
        plan = vector.Plan(config.environment, config.protocol, config.seed, streams)
        self.environments = vector.make(plan, execution.workers)
        spec = self.environments.spec
        try:
            self.replay = Replay(agent.replay, spec.observation, agent.n_step, agent.discount, config.seed)
            self.learner = Learner(agent, spec, config.seed, self.replay.gather_in_graph)
        except BaseException:
            self.environments.close()
            raise
        self.monitors = Monitors(self.learner, self.replay)
        self.behavior = Behavior(agent.exploration, spec.num_actions, agent.min_replay_steps, config.seed)
        self.heldout: np.ndarray | None = None
        self.best: Best | None = None
        self.seconds: dict[str, float] = defaultdict(float)
        self._feeds = [Feed(spec.observation) for _ in streams]
        self._over = [True] * len(streams)  # whether the environment's episode is over, or none has begun
        self._returns, self._lengths = [0.0] * len(streams), [0] * len(streams)
        self._pending: list[EpisodeRecord] = []  # of the last round, not yet yielded
        self._waits = False  # the step is a boundary, and what happens there has not yet
        self._background = ThreadUpdater(
            self.learner, self.replay, self._note_in_background, execution.updates_per_call
        )
        self._compiled = False

    # -- the loop --------------------------------------------------------------------------------------------------
    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | None]:
        """See ``Trainer.records``; a step is a round of all environments.

        each_step: called while acting waits for learning, too.
        """
        self._settle(each_step)
        while True:
            while self._pending:
                yield self._pending.pop(0)
            if self._iteration_is_over():
                yield self._close_iteration(each_step)
            if self.counters.steps >= self.config.steps:
                return
            each_step()
            self._round()
            self._settle(each_step)
            if not self._pending:
                yield None

    def _round(self) -> None:
        """One step of every environment."""
        boundary = self._boundary()
        self._let_learn(self._due(boundary))
        self._act()
        self._waits = self.counters.steps == boundary

    def _settle(self, each_step: Callable[[], None]) -> None:
        """At a boundary, wait for the updates that are due by it; then what happens there."""
        if not self._waits:
            return
        steps = self.counters.steps
        while self._learns(self._due(steps), LOOK_SECONDS):
            each_step()
        self._finish_updates(self._background.finish)
        if steps % self.config.agent.target_update_steps == 0:
            self._flush()
            self.learner.parameters.sync_target()
        self._waits = False

    def _boundary(self) -> int:
        """The next step at which acting and learning wait for each other."""
        steps, agent, config = self.counters.steps, self.config.agent, self.config
        return min(config.steps, *((steps // p + 1) * p for p in (agent.target_update_steps, config.iteration_steps)))

    def _due(self, steps: int) -> int:
        """Updates that are to be made by so many steps."""
        agent = self.config.agent
        period = agent.target_update_steps
        start = -(-agent.min_replay_steps // period) * period
        return max(0, steps // agent.steps_per_update - start // agent.steps_per_update) * agent.updates_at_once

    def _act(self) -> None:
        first, clock = self.counters.steps, time.perf_counter()
        if any(self._over):
            begun = self._answers([vector.RESET if over else vector.REST for over in self._over])
            for i, answer in enumerate(begun):
                if answer is not None:
                    self._note(i, answer)
                    self._feeds[i].add_first(answer)
            clock = self._spend("environment", clock)
        q_values = functools.cache(lambda: self.learner.act_target(self.environments.observations, first))
        row: Callable[[int], np.ndarray] = lambda i: q_values()[i]  # noqa: E731
        actions = [self.behavior.action(functools.partial(row, i), first + i) for i in range(len(self._over))]
        clock = self._spend("act", clock)
        answers = self._answers(actions)
        clock = self._spend("environment", clock)
        for i, (action, answer) in enumerate(zip(actions, answers, strict=True)):
            assert answer is not None
            self._note(i, answer)
            self._feeds[i].add(action, self._learners_reward(answer.reward), answer)
            if answer.episode_over:
                self._pending.append(self._finish_episode_of(i, answer))
        steps = first + len(actions)
        self.counters = self.counters._replace(steps=steps, frames=steps * self.config.frame_skip)
        self._spend("replay", clock)

    def _answers(self, actions: Sequence[int]) -> list[TimeStep | None]:
        try:
            return self.environments.step(actions)
        except EnvironmentFault as error:
            if len(actions) == 1:
                raise
            raise RunError(str(error)) from error  # the others are a step ahead: this is no state to save

    def _note(self, i: int, answer: TimeStep) -> None:
        self._over[i] = answer.step_type == StepType.LAST
        self._returns[i] += answer.reward
        self._lengths[i] += answer.frames

    def _finish_episode_of(self, i: int, answer: TimeStep) -> EpisodeRecord:
        self.stats.returns.add(self._returns[i])
        steps, number = self.counters.steps + i + 1, self.counters.episodes
        frames = steps * self.config.frame_skip
        record = EpisodeRecord(frames, steps, number, i, self._lengths[i], self._returns[i], int(answer.truncated))
        self.counters = self.counters._replace(episodes=number + 1)
        self._returns[i], self._lengths[i] = 0.0, 0
        return record

    def _flush(self) -> None:
        """What was kept aside goes to the replay, in the environments' order."""
        clock = time.perf_counter()
        for feed in self._feeds:
            feed.flush(self.replay)
        if self.heldout is None and self.counters.steps >= self.config.agent.min_replay_steps:
            self.heldout = self._choose_heldout()
        self._spend("replay", clock)

    # -- learning ----------------------------------------------------------------------------------------------------
    def _let_learn(self, until: int) -> None:
        """See to it that updates are under way, up to so many."""
        if until > self._background.made and not self._compiled:  # in this thread, before there are two that compile
            self.learner.act_target(self.environments.observations, 0)
            self._compiled = True
        self._background.start(until)

    def _note_in_background(self, out: UpdateOutputs, number: int) -> None:
        """Called in the updater's thread."""
        loss, grad_norm = float(out.loss), float(out.grad_norm)
        check_finite(loss, grad_norm, number, self.counters.steps)
        self.stats.add_update(loss, grad_norm, np.asarray(out.td_error), np.asarray(out.q_values))

    def _learns(self, until: int, seconds: float) -> bool:
        """Whether, after so many seconds at most, updates up to so many are still under way."""
        self._let_learn(until)
        clock = time.perf_counter()
        running = self._background.running(seconds)
        self._spend("update", clock)
        return running

    def _finish_updates(self, how: Callable[[], None]) -> None:
        clock = time.perf_counter()
        how()
        self.counters = self.counters._replace(updates=self._background.made)
        self._spend("update", clock)

    # -- saving ----------------------------------------------------------------------------------------------------
    def settling_seconds(self) -> float:
        """See ``Trainer.settling_seconds``."""
        return self._background.pause_seconds()

    def state(self) -> dict[str, Any]:
        """See ``Trainer.state``.  In mid-period it tells how far each side has come, and what is kept aside."""
        self._finish_updates(self._background.pause)
        return {
            **self._shared_state(),
            **({"waits": True} if self._waits else {}),  # left out where it says nothing: digests stay what they were
            "environment": self.environments.state(),
            "feeds": [feed.state() for feed in self._feeds],
            "episode": {
                "over": list(self._over),
                "return_raw": list(self._returns),
                "length_frames": list(self._lengths),
            },
            "pending": [list(record) for record in self._pending],
        }

    def restore(self, state: dict[str, Any], blob: Callable[[str], dict[str, np.ndarray]]) -> None:
        """See ``Trainer.restore``."""
        self._restore_shared(state, blob)
        self.environments.restore(state["environment"])
        for feed, saved in zip(self._feeds, state["feeds"], strict=True):
            feed.restore(saved)
        episode = state["episode"]
        self._over = [bool(over) for over in episode["over"]]
        self._returns, self._lengths = list(map(float, episode["return_raw"])), list(map(int, episode["length_frames"]))
        self._pending = [EpisodeRecord(*record) for record in state["pending"]]
        self._background.restart(self.counters.updates)
        self._waits = bool(state.get("waits", False))

    def close(self) -> None:
        """See ``Trainer.close``."""
        self._background.close()
        self.environments.close()
