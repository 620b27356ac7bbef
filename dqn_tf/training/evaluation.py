"""Evaluation: frozen weights, environments of its own, raw undiscounted returns.

It is a pure function of weights, seed and phase name, may be interrupted and repeated, and affects neither the training
environment, nor its random streams, nor learning.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import envs, rng
from dqn_tf.agent.exploration import choose
from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import AnyProtocol, steppers, vector
from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.envs.steppers import Stepper
from dqn_tf.rng import Stream
from dqn_tf.training.lane_groups import Borrow, LaneGroup, guarded, lane_groups
from dqn_tf.types import StepType, TensorLike, TimeStep

LANES = 8  # games at a time, which share each forward pass
AHEAD = 256  # steps whose first draws are made at once
LINE_SECONDS = 30.0  # between two messages about a long phase
Say = Callable[[str], None]


class Score(NamedTuple):
    """One finished episode of the game.

    Attributes:
        return_raw: raw undiscounted return.
        length_frames: its length in frames, no-ops included.
        length_steps: its length in agent steps.
        truncated: whether it was cut off.
        cut_off: whether it was cut off by ``evaluation.max_steps_per_episode``.
    """

    return_raw: float
    length_frames: int
    length_steps: int
    truncated: bool
    cut_off: bool = False


class _Lane:
    """One environment of a phase: the actions for it, and its scores."""

    def __init__(self, stream: Stream, episodes: int | None, frames: int, most_steps: int | None = None) -> None:
        """most_steps: of an episode; it is cut off there."""
        self.stream, self._episodes, self._frames, self._most_steps = stream, episodes, frames, most_steps
        self.scores: list[Score] = []
        self.steps = self._played = 0
        self._return, self._length, self.length_steps = 0.0, 0, 0
        self.begins = True  # the next thing to do is to begin an episode

    @property
    def done(self) -> bool:
        """Whether its share of episodes or frames is played."""
        if self._episodes is not None:
            return len(self.scores) >= self._episodes
        return bool(self.scores) and self._played >= self._frames

    def action(self, q_values: np.ndarray, epsilon: float, ties: bool, mask: np.ndarray | None = None) -> int:
        """The next step's action, of the legal ones if there is a ``mask`` [A]; REST when all is played."""
        if self.done:
            return vector.REST
        self.steps += 1
        return choose(lambda: q_values, len(q_values), epsilon, self.stream.at(self.steps - 1), ties, mask)

    def greedy(self, action: int) -> int:
        """``action`` instead, which ``action`` would have chosen: its draws say that this one is not random."""
        self.steps += 1
        return action

    def begun(self, answer: TimeStep) -> None:
        """The environment has begun an episode of the agent, which may be the middle of a game."""
        self._return += answer.reward
        self._length += answer.frames
        self.begins = False

    def stepped(self, answer: TimeStep) -> None:
        """The environment has answered the action."""
        last = answer.step_type == StepType.LAST
        self.count(answer.reward, answer.frames, last, answer.episode_over, answer.truncated)

    def count(self, reward: float, frames: int, last: bool, episode_over: bool, truncated: bool) -> None:
        """Add a step to the episode, as ``TimeStep`` describes it; ``last``: the agent's episode is over."""
        self.length_steps += 1
        self._return += reward
        self._length += frames
        cut_off = not episode_over and self.length_steps == self._most_steps
        over = episode_over or cut_off
        if over:
            truncated = truncated or cut_off
            score = Score(
                return_raw=self._return,
                length_frames=self._length,
                length_steps=self.length_steps,
                truncated=truncated,
                cut_off=cut_off,
            )
            self.scores.append(score)
            self._played += self._length
            self._return, self._length, self.length_steps = 0.0, 0, 0
        self.begins = (over or last) and not self.done


def scoring_protocol(config: RunConfig) -> AnyProtocol | None:
    """The protocol of the run's evaluations: that of its training, with `evaluation.noops_max`."""
    noops = config.evaluation.noops_max
    if not isinstance(config.protocol, AtariProtocol) or noops is None:
        return config.protocol
    return dataclasses.replace(config.protocol, noops_max=noops, noops_min=min(config.protocol.noops_min, noops))


class _Messages:
    """A progress message every half minute, about a phase that takes long."""

    def __init__(self, config: RunConfig, phase: str, lanes: Sequence[_Lane], length: str, say: Say) -> None:
        self._phase, self._lanes, self._length, self._say = phase, lanes, length, say
        self._latest = time.monotonic()  # when the latest message was sent
        protocol, most = config.protocol, config.evaluation.max_steps_per_episode
        self._rule = (
            f"after {protocol.max_frames_per_evaluation_episode:,} frames "
            "(`protocol.max_frames_per_evaluation_episode`)"
            if isinstance(protocol, AtariProtocol)
            else f"after {most:,} steps (`evaluation.max_steps_per_episode`)"
        )

    def send_if_due(self) -> None:
        """Called after every step."""
        now = time.monotonic()
        if now - self._latest < LINE_SECONDS:
            return
        self._latest = now
        over, longest = sum(len(lane.scores) for lane in self._lanes), max(lane.length_steps for lane in self._lanes)
        self._say(
            f"Playing {self._phase}, {self._length}: {over:,} episodes are over, the longest of the others has "
            f"{longest:,} steps. An episode is cut off {self._rule}."
        )


class _Games:
    """A group of lanes and their environments, side by side."""

    def __init__(
        self,
        lanes: Sequence[_Lane],
        group: LaneGroup,
        plan: vector.Plan,
        watch: Callable[[envs.Environment], None] | None,
    ) -> None:
        self._lanes, self._group, self._watch = lanes[group.part], group, watch
        self._step = guarded(group.environments.step, plan)

    @property
    def done(self) -> bool:
        """All of them are played."""
        return all(lane.done for lane in self._lanes)

    def begin_episodes(self) -> None:
        """Reset the environments of the lanes whose episode is over."""
        if any(lane.begins for lane in self._lanes):
            answers = self._step([vector.RESET if lane.begins else vector.REST for lane in self._lanes])
            for lane, answer in zip(self._lanes, answers, strict=True):
                if answer is not None:
                    lane.begun(answer)

    def step(self, q_values: Callable[[np.ndarray], TensorLike], epsilon: float, ties: bool) -> None:
        """One epsilon-greedy step of every lane that still plays."""
        q = self._group.q_values(q_values)
        choices = zip(self._lanes, q, self._group.environments.masks, strict=True)
        answers = self._step([lane.action(row, epsilon, ties, mask) for lane, row, mask in choices])
        if self._watch and not self._lanes[0].scores:
            assert isinstance(self._group.environments, vector.InProcess)
            self._watch(self._group.environments.environments[0])
        for lane, answer in zip(self._lanes, answers, strict=True):
            if answer is not None:
                lane.stepped(answer)


class _GamesInArrays(_Games):
    """The same where the environments have an array form: their steps, the choice of the largest Q-values, and the
    draws that decide whether an action is random, are made for all lanes at a time.  What is more than
    that, a lane chooses itself."""

    def __init__(self, lanes: Sequence[_Lane], group: LaneGroup, plan: vector.Plan, stepper: Stepper) -> None:
        super().__init__(lanes, group, plan, None)
        self._stepper, self._step_all = stepper, guarded(stepper.step, plan)
        self._draws, self._drawn = np.zeros((len(self._lanes), 0)), 0  # the first draws of steps from ``_drawn`` on

    def begin_episodes(self) -> None:
        """See ``_Games``."""
        begun = [k for k, lane in enumerate(self._lanes) if lane.begins]
        super().begin_episodes()
        for k in begun:
            self._stepper.adopt(k)

    def step(self, network: Callable[[np.ndarray], TensorLike], epsilon: float, ties: bool) -> None:
        """See ``_Games``."""
        q, playing = self._group.q_values(network), np.array([not lane.done for lane in self._lanes])
        first, largest = q.argmax(axis=1), q.max(axis=1, keepdims=True)
        plain = np.isfinite(q).all(axis=1) & (self._first_draws(playing) >= epsilon)
        if ties:
            plain &= (q == largest).sum(axis=1) == 1
        actions = np.zeros(len(q), np.int64)  # of a lane that is done: its environment's answers are not used
        for k in np.flatnonzero(playing).tolist():
            lane = self._lanes[k]
            actions[k] = lane.greedy(int(first[k])) if plain[k] else lane.action(q[k], epsilon, ties)
        stepped = self._step_all(actions)
        self._group.environments.observations[playing] = stepped.observations[playing]
        columns = (stepped.rewards, stepped.last, stepped.over, stepped.truncated)
        answers = zip(*(column.tolist() for column in columns), strict=True)
        for k, (reward, last, over, truncated) in enumerate(answers):
            if playing[k]:
                self._lanes[k].count(reward, 1, last, over, truncated)

    def _first_draws(self, playing: np.ndarray) -> np.ndarray:
        """The first draw [lanes] of each lane's step; all lanes that play have made as many."""
        step = self._lanes[int(playing.argmax())].steps
        if not 0 <= step - self._drawn < self._draws.shape[1]:
            self._draws, self._drawn = rng.uniforms([lane.stream for lane in self._lanes], step, AHEAD), step
        return self._draws[:, step - self._drawn]


def _games(
    lanes: Sequence[_Lane], group: LaneGroup, plan: vector.Plan, watch: Callable[[envs.Environment], None] | None
) -> _Games:
    environments = group.environments
    if isinstance(environments, vector.InProcess) and watch is None:
        stepper = steppers.in_arrays(environments.environments)
        if stepper is not None:
            return _GamesInArrays(lanes, group, plan, stepper)
    return _Games(lanes, group, plan, watch)


def _lanes(config: RunConfig, phase: str, episodes: int | None, frames: int | None) -> list[_Lane]:
    """The lanes of a phase, each with its share; their number depends on the request alone."""
    count = min(LANES, episodes) if episodes else LANES
    shares = [episodes // count + (i < episodes % count) for i in range(count)] if episodes else [None] * count
    most = None if isinstance(config.protocol, AtariProtocol) else config.evaluation.max_steps_per_episode
    streams = [Stream(config.seed, f"{phase}/{i}/exploration") for i in range(count)]
    return [
        _Lane(stream, share, -(-(frames or 0) // count), most) for stream, share in zip(streams, shares, strict=True)
    ]


def _plan(config: RunConfig, phase: str, lanes: int, drawing: bool) -> vector.Plan:
    """The environments of a phase's lanes."""
    names = tuple(f"{phase}/{i}" for i in range(lanes))
    return vector.Plan(
        environment=config.environment,
        protocol=scoring_protocol(config),
        seed=config.seed,
        streams=names,
        training=False,
        drawing=drawing,
    )


def _play_group(
    games: _Games,
    q_values: Callable[[np.ndarray], TensorLike],
    epsilon: float,
    ties: bool,
    each_step: Callable[[], None],
    messages: _Messages,
) -> None:
    while not games.done:
        games.begin_episodes()
        each_step()
        games.step(q_values, epsilon, ties)
        messages.send_if_due()


def play(
    config: RunConfig,
    q_values: Callable[[np.ndarray], TensorLike],
    phase: str,
    *,
    episodes: int | None = None,
    frames: int | None = None,
    epsilon: float | None = None,
    each_step: Callable[[], None] = lambda: None,
    watch: Callable[[envs.Environment], None] | None = None,
    say: Say = lambda text: None,
    borrow: Borrow | None = None,
) -> list[Score]:
    """Play ``episodes`` episodes, or whole episodes until ``frames`` frames are spent.

    The number of lanes is fixed by the request, each lane has a fixed share, and shares are whole episodes: short
    episodes get no more weight than long ones.  Workers, where execution has them, give the same scores; so do
    fewer environments than lanes, used by one group of lanes after the other, where no more can be made.

    Args:
        config: of the run.
        q_values: [B, ...] observations -> [B, A].
        phase: names the random streams, e.g. "evaluation/3".
        episodes: how many to play; or
        frames: how many to spend.
        epsilon: defaults to the configuration's.
        each_step: called before every step; may raise to stop.
        watch: shown the environment after every step of the first lane's first episode; without workers.
        say: called with progress messages of a long phase.
        borrow: gives the environment of training, for a stream, where no other can be made; None: nothing does.

    Returns:
        The scores, lane after lane.

    Raises:
        RunError: neither a number of episodes nor of frames.
        EnvironmentFault: an environment failed.
    """
    if not episodes and not frames:
        raise RunError("Expected a number of episodes or frames to play, got neither.")
    lanes, ties = _lanes(config, phase, episodes, frames), config.agent.exploration.random_ties
    epsilon = config.evaluation.epsilon if epsilon is None else epsilon
    plan = _plan(config, phase, len(lanes), drawing=bool(watch))
    workers = 0 if watch else getattr(config.agent.execution, "workers", 0)
    messages = _Messages(config, phase, lanes, f"{episodes:,} episodes" if episodes else f"{frames:,} frames", say)
    with contextlib.closing(lane_groups(plan, workers, borrow)) as groups:
        for group in groups:
            group.begin(q_values)
            _play_group(_games(lanes, group, plan, watch), q_values, epsilon, ties, each_step, messages)
    return [score for lane in lanes for score in lane.scores]


def words(final: dict[str, Any], updates: int) -> str:
    """A run's final evaluation in a phrase.

    Args:
        final: as in summary.json.
        updates: that the run has made.

    Returns:
        The phrase.
    """
    whose = f" of the best network, from {final['network_frames']:,} frames," if "network" in final else ""
    if not updates:
        whose = " of a network that was NEVER TRAINED (no update was made)"
    mean = "not a number" if final["return_mean"] is None else f"{final['return_mean']:.2f}"
    return f"final evaluation{whose} {mean} over {final['episodes']} episodes{cut_off_words(final)}"


def cut_off_words(found: dict[str, Any]) -> str:
    """How many episodes of a ``summary`` were cut off; "" if none was."""
    count = int(found.get("cut_off", 0))
    return f" ({count} of them cut off by `evaluation.max_steps_per_episode`)" if count else ""


def summary(scores: list[Score]) -> dict[str, float]:
    """mean, sample standard deviation (nan for one episode), minimum, maximum and number of the returns; cut_off: how
    many of them ``evaluation.max_steps_per_episode`` cut off, only where there are such."""
    returns = np.array([s.return_raw for s in scores], np.float64)
    std = float(returns.std(ddof=1)) if len(returns) > 1 else float("nan")
    return {
        "return_mean": float(returns.mean()),
        "return_std": std,
        "return_min": float(returns.min()),
        "return_max": float(returns.max()),
        "episodes": len(returns),
        **({"cut_off": cut_off} if (cut_off := sum(s.cut_off for s in scores)) else {}),
    }
