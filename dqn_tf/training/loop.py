"""The paper's loop as a generator of records: it computes, and leaves files, bars and signals to others.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1.
"""

from __future__ import annotations

import functools
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import determinism, envs
from dqn_tf.agent.exploration import Behavior
from dqn_tf.agent.learner import Learner
from dqn_tf.agent.update import UpdateOutputs
from dqn_tf.checks import Diverged, EnvironmentFault, RunError
from dqn_tf.config import RunConfig
from dqn_tf.execution.updater import make_updater
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import segment_digest
from dqn_tf.replay.uniform import Uniform
from dqn_tf.rng import Stream
from dqn_tf.training import evaluation
from dqn_tf.training.monitors import Monitors
from dqn_tf.training.stats import IterationStats
from dqn_tf.types import Counters, StepType, TimeStep


class EpisodeRecord(NamedTuple):
    """A finished episode of training: a row of episodes.csv."""

    frames: int
    steps: int
    episode: int
    env_index: int
    length_frames: int
    return_raw: float
    truncated: int


class IterationRecord(NamedTuple):
    """A finished iteration: the row of iterations.csv, the wall-clock seconds of its phases, and what to draw."""

    row: Mapping[str, Any]
    seconds: Mapping[str, float]
    histograms: Mapping[str, np.ndarray]


class Best(NamedTuple):
    """The best-scored network so far: its mean return, when it was scored, and theta (as in ``Parameters.theta``)."""

    return_mean: float
    frames: int
    theta: dict[str, np.ndarray]


class Trainer:
    """One run in memory.  ``records`` drives it; ``state`` and ``restore`` are all of it.

    say: told now and then how far an evaluation is that takes long.
    """

    say: Callable[[str], None] = staticmethod(lambda text: None)

    def __init__(self, config: RunConfig) -> None:
        agent = config.agent
        self.config, self.counters, self.stats = config, Counters(), IterationStats()
        self.environment = envs.make(config.environment, config.protocol, config.seed, "train", training=True)
        spec = self.environment.spec
        self.replay = Replay(agent.replay, spec.observation, agent.n_step, agent.discount, config.seed)
        self.learner = Learner(agent, spec, config.seed, self.replay.gather_in_graph)
        self.updater = make_updater(config, self.learner, self.replay)
        self.monitors = Monitors(self.learner, self.replay)
        self.behavior = Behavior(agent.exploration, spec.num_actions, agent.min_replay_steps, config.seed)
        self.heldout: np.ndarray | None = None
        self.best: Best | None = None
        self.seconds: dict[str, float] = defaultdict(float)
        self._timestep: TimeStep | None = None
        self._return, self._length = 0.0, 0

    # -- the loop --------------------------------------------------------------------------------------------------
    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | None]:
        """Train to the end of the budget, yielding after every step: an episode, an iteration, or None.

        each_step: called before every step, also of evaluation; may raise to stop.  The state is whole whenever it is
        called and whenever a record is yielded, so a checkpoint may be taken there.
        """
        while True:
            if self._iteration_is_over():
                yield self._close_iteration(each_step)
            if self.counters.steps >= self.config.steps:
                return
            each_step()
            yield self._step()

    def _step(self) -> EpisodeRecord | None:
        agent, step = self.config.agent, self.counters.steps
        timestep = self._timestep
        if timestep is None or timestep.step_type == StepType.LAST:
            timestep = self._begin_episode()
        clock = time.perf_counter()
        observation = timestep.observation
        action = self.behavior.action(lambda: self.learner.act(observation, step), step)
        clock = self._spend("act", clock)
        try:
            timestep = self.environment.step(action)
        except Exception as error:
            raise self._fault(error, f"step {step + 1:,} of training") from error
        clock = self._spend("environment", clock)
        self.replay.add(action, self._learners_reward(timestep.reward), timestep)
        self._spend("replay", clock)
        self._timestep = timestep
        self._return += timestep.reward
        self._length += timestep.frames
        self.counters = self.counters._replace(steps=step + 1, frames=(step + 1) * self.config.frame_skip)
        if self.counters.steps >= agent.min_replay_steps:
            self._learn()
        return self._finish_episode(timestep) if timestep.episode_over else None

    def _begin_episode(self) -> TimeStep:
        clock = time.perf_counter()
        try:
            timestep = self.environment.reset()
        except Exception as error:
            raise self._fault(error, f"the beginning of episode {self.counters.episodes:,}") from error
        self._return += timestep.reward
        self._length += timestep.frames
        self._spend("environment", clock)
        self.replay.add_first(timestep)
        return timestep

    def _fault(self, error: Exception, where: str) -> EnvironmentFault:
        """What an environment raised: its state is that of before, and so is the run's."""
        if isinstance(error, EnvironmentFault):
            return error
        return EnvironmentFault(f"{self.config.environment} failed at {where}: {type(error).__name__}: {error}")

    def _learners_reward(self, reward: float) -> float:
        """The one place where rewards are clipped (Mnih et al. 2015, Methods, "Training details")."""
        clip = self.config.protocol.reward_clip if self.config.protocol else None
        return reward if clip is None else min(max(reward, clip[0]), clip[1])

    def _learn(self) -> None:
        agent, steps = self.config.agent, self.counters.steps
        if self.heldout is None:
            self.heldout = self._choose_heldout()
        update_is_due = steps % agent.steps_per_update == 0
        if update_is_due:
            for _ in range(agent.updates_at_once - 1):
                self._note_update(self._update(last=False))
            out = self._update(last=True)
        if steps % agent.target_update_steps == 0:
            self.learner.parameters.sync_target()
        if update_is_due:
            self.updater.prefetch()
            self._note_update(out)

    def _update(self, last: bool) -> UpdateOutputs:
        clock = time.perf_counter()
        out = self.updater.update(self.counters.updates, self.counters.steps, last)
        self._spend("update", clock)
        return out

    def _note_update(self, out: UpdateOutputs) -> None:
        loss, grad_norm = float(out.loss), float(out.grad_norm)
        check_finite(loss, grad_norm, self.counters.updates, self.counters.steps)
        self.stats.add_update(loss, grad_norm, out.td_error.numpy(), out.q_values.numpy())
        self.counters = self.counters._replace(updates=self.counters.updates + 1)

    def _choose_heldout(self) -> np.ndarray:
        """States of the random policy, fixed before learning starts (Mnih et al. 2013, section 5.1).  [n, ...]"""
        sampled = Uniform(capacity=self.replay.ring.capacity).sample_indices(
            self.replay.ring, self.config.heldout_states, Stream(self.config.seed, "heldout").at(0)
        )
        return self.replay.ring.observations(sampled.indices)

    def _finish_episode(self, timestep: TimeStep) -> EpisodeRecord:
        self.stats.returns.add(self._return)
        record = EpisodeRecord(
            self.counters.frames,
            self.counters.steps,
            self.counters.episodes,
            0,
            self._length,
            self._return,
            int(timestep.truncated),
        )
        self.counters = self.counters._replace(episodes=self.counters.episodes + 1)
        self._return, self._length = 0.0, 0
        return record

    # -- iterations ------------------------------------------------------------------------------------------------
    def _iteration_is_over(self) -> bool:
        steps, size = self.counters.steps, self.config.iteration_steps
        done = self.counters.iterations * size
        return steps >= done + size or (steps >= self.config.steps and steps > done)

    def _close_iteration(self, each_step: Callable[[], None]) -> IterationRecord:
        clock = time.perf_counter()
        scores = self._evaluate(each_step)
        self._spend("evaluate", clock)
        agent, counters = self.config.agent, self.counters
        monitored, histograms = self.monitors.measure(self.heldout, counters.updates)
        row: dict[str, Any] = {
            "iteration": counters.iterations,
            "frames": counters.frames,
            "steps": counters.steps,
            "updates": counters.updates,
            "episodes": counters.episodes,
            **{f"eval_{k}": scores[k] for k in ("return_mean", "return_std", "episodes")},
            "epsilon": agent.exploration.epsilon(counters.steps, agent.min_replay_steps),
            **self.stats.summary(),
            "heldout_max_q_mean": self._heldout_max_q(),
            "replay_size": len(self.replay),
            **monitored,
        }
        histograms = {"td_error": self.stats.td_error.counts, "q": self.stats.q_value.counts, **histograms}
        record = IterationRecord(row, dict(self.seconds), histograms)
        self.counters = counters._replace(iterations=counters.iterations + 1)
        self.stats = IterationStats()
        self.seconds.clear()
        row["state_digest"] = self.digest()
        return record

    def _evaluate(self, each_step: Callable[[], None]) -> dict[str, float]:
        how, iteration = self.config.evaluation, self.counters.iterations
        if not how.period_iterations or (iteration + 1) % how.period_iterations:
            return {"return_mean": float("nan"), "return_std": float("nan"), "episodes": 0}
        scores = evaluation.play(
            self.config,
            self.learner.scorer(f"evaluation/{iteration}"),
            f"evaluation/{iteration}",
            episodes=how.episodes,
            frames=how.frames,
            each_step=each_step,
            say=self.say,
        )
        found = evaluation.summary(scores)
        if words := evaluation.cut_off_words(found):
            self.say(f"Evaluation {iteration}: {found['episodes']} episodes{words}.")
        mean = found["return_mean"]
        if how.final_network == "best" and math.isfinite(mean) and (not self.best or mean >= self.best.return_mean):
            self.best = Best(mean, self.counters.frames, self.learner.parameters.theta())
        return found

    def _heldout_max_q(self) -> float:
        """Mean over the held-out states of max_a Q(s, a): the paper's own measure of progress."""
        if self.heldout is None:
            return float("nan")
        chunks = [self.heldout[i : i + 100] for i in range(0, len(self.heldout), 100)]
        q_values = self.learner.scorer(f"heldout/{self.counters.iterations}")
        return float(np.concatenate([q_values(c).numpy().max(axis=1) for c in chunks]).mean())

    def final_scores(self, each_step: Callable[[], None]) -> list[evaluation.Score]:
        """The evaluation after training, of the last network."""
        return self._play_to_the_end("evaluation/final", each_step)

    def best_scores(self, each_step: Callable[[], None]) -> list[evaluation.Score]:
        """New episodes of the best-scored network; only where there is one.  The learner is left as it was."""
        if self.best is None:
            raise RunError("Expected a network that was scored during training, there is none.")
        last = self.learner.parameters.theta()
        self.learner.parameters.set_theta(self.best.theta)
        try:
            return self._play_to_the_end("evaluation/best", each_step)
        finally:
            self.learner.parameters.set_theta(last)

    def _play_to_the_end(self, phase: str, each_step: Callable[[], None]) -> list[evaluation.Score]:
        episodes = self.config.evaluation.final_episodes
        q_values = self.learner.scorer(phase)
        return evaluation.play(self.config, q_values, phase, episodes=episodes, each_step=each_step, say=self.say)

    def _spend(self, phase: str, since: float) -> float:
        now = time.perf_counter()
        self.seconds[phase] += now - since
        return now

    # -- saving ----------------------------------------------------------------------------------------------------
    def settling_seconds(self) -> float:
        """What is under way may take about so long before ``state`` can be told; 0: no longer than an update."""
        return 0.0

    def state(self) -> dict[str, Any]:
        """All of the run; large immutable pieces by their hashes, see ``blobs``."""
        return {
            **self._shared_state(),
            "environment": self.environment.state(),
            "started": self._timestep is not None,
            "episode": {"return_raw": self._return, "length_frames": self._length},
        }

    def _shared_state(self) -> dict[str, Any]:
        """What every way of executing a run has."""
        heldout = self.heldout
        keeps_best = self.config.evaluation.final_network == "best"
        return {
            **({"best": self.best and self.best._asdict()} if keeps_best else {}),
            "counters": self.counters._asdict(),
            "learner": self.learner.parameters.state(),
            "replay": self.replay.state(),
            "stats": self.stats.state(),
            "heldout": None if heldout is None else segment_digest({"states": heldout}),
        }

    def blobs(self) -> dict[str, Callable[[], dict[str, np.ndarray]]]:
        """The pieces that ``state`` names by hash, as functions that give their columns."""
        ring, heldout = self.replay.ring, self.heldout
        out: dict[str, Callable[[], dict[str, np.ndarray]]] = {
            name: functools.partial(ring.segment, index) for index, name in enumerate(ring.segments())
        }
        if heldout is not None:
            out[segment_digest({"states": heldout})] = lambda: {"states": heldout}
        return out

    def restore(self, state: dict[str, Any], blob: Callable[[str], dict[str, np.ndarray]]) -> None:
        """The inverse of ``state``; ``blob`` gives a piece by its hash."""
        self.updater.discard()
        self._restore_shared(state, blob)
        if state["started"]:
            self.environment.restore(state["environment"])
            self._timestep = self.environment.last
        self._return = float(state["episode"]["return_raw"])
        self._length = int(state["episode"]["length_frames"])

    def _restore_shared(self, state: dict[str, Any], blob: Callable[[str], dict[str, np.ndarray]]) -> None:
        self.learner.parameters.restore(state["learner"])
        for index, name in enumerate(state["replay"]["segments"]):
            self.replay.ring.restore_segment(index, blob(name))
        self.replay.restore(state["replay"])
        self.stats.restore(state["stats"])
        self.heldout = None if state["heldout"] is None else blob(state["heldout"])["states"]
        self.best = Best(**state["best"]) if state.get("best") else None
        self.counters = Counters(**state["counters"])

    def close(self) -> None:
        """Let go of threads and environments."""
        self.updater.close()
        self.environment.close()

    def digest(self) -> str:
        """SHA-256 of the whole state."""
        return determinism.digest(self.state())


def check_finite(loss: float, grad_norm: float, update: int, step: int) -> None:
    """Raises Diverged if an update has."""
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        raise Diverged(
            f"The loss is {loss} and the gradient norm {grad_norm} at update {update} (step {step}): the network has "
            "diverged. What was saved before is kept."
        )
