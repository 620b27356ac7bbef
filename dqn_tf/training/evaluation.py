"""Scores: frozen weights, environments of their own, raw undiscounted returns.

Evaluation is a pure function of (weights, seed, phase name): it may be cut short and repeated, and it never touches
the training environment, its random streams, or the learning path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import envs
from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.learning.exploration import choose
from dqn_tf.rng import Stream
from dqn_tf.types import StepType

LANES = 8  # games played side by side, so that one call of the network serves them all


class Score(NamedTuple):
    """One finished episode of the game: raw undiscounted return, length, and whether the cap cut it off."""

    return_raw: float
    length_frames: int
    length_steps: int
    truncated: bool


class _Lane:
    """One environment playing its share of a phase."""

    def __init__(self, config: RunConfig, name: str, episodes: int | None, frames: int | None) -> None:
        self.environment = envs.make(config.environment, _protocol(config), config.seed, name, training=False)
        self._stream = Stream(config.seed, f"{name}/exploration")
        self._episodes, self._frames = episodes, frames
        self.scores: list[Score] = []
        self._steps = self._played = 0
        self._start()

    def _start(self) -> None:
        self.timestep = self.environment.reset()
        self._return, self._length, self._length_steps = self.timestep.reward, self.timestep.frames, 0

    @property
    def done(self) -> bool:
        """The share is played; only asked between episodes."""
        if self._episodes is not None:
            return len(self.scores) >= self._episodes
        return self._played >= (self._frames or 0)

    def step(self, q_values: np.ndarray, epsilon: float, ties: bool) -> None:
        """One agent step; starts the next episode when one ends and the share is not yet played."""
        action = choose(lambda: q_values, len(q_values), epsilon, self._stream.at(self._steps), ties)
        self.timestep = self.environment.step(action)
        self._steps += 1
        self._length_steps += 1
        self._return += self.timestep.reward
        self._length += self.timestep.frames
        if self.timestep.episode_over:
            self.scores.append(Score(self._return, self._length, self._length_steps, self.timestep.truncated))
            self._played += self._length
            if not self.done:
                self._start()
        elif self.timestep.step_type == StepType.LAST:
            self.timestep = self.environment.reset()
            self._return += self.timestep.reward
            self._length += self.timestep.frames


def _protocol(config: RunConfig) -> Any:
    noops = config.evaluation.noops_max
    if config.protocol is None or noops is None:
        return config.protocol
    return dataclasses.replace(config.protocol, noops_max=noops, noops_min=min(config.protocol.noops_min, noops))


def play(
    config: RunConfig,
    q_values: Callable[[np.ndarray], Any],
    phase: str,
    *,
    episodes: int | None = None,
    frames: int | None = None,
    epsilon: float | None = None,
    each_step: Callable[[], None] = lambda: None,
    watch: Callable[[envs.Environment], None] | None = None,
) -> list[Score]:
    """Play ``episodes`` episodes, or whole episodes until ``frames`` frames are spent, and return their scores.

    q_values: [B, ...] observations -> [B, A].  phase: names the random streams, e.g. "evaluation/3".
    epsilon: defaults to the configuration's.  each_step: called before every step; may raise to stop.
    watch: shown the environment after every step of the first lane's first episode.
    The number of lanes is fixed by the request, each lane has a fixed share, and shares are whole episodes: short
    episodes get no more weight than long ones.
    """
    if not episodes and not frames:
        raise RunError("Expected a number of episodes or frames to play, got neither.")
    epsilon = config.evaluation.epsilon if epsilon is None else epsilon
    count = min(LANES, episodes) if episodes else LANES
    shares = [episodes // count + (i < episodes % count) for i in range(count)] if episodes else [None] * count
    lanes = [_Lane(config, f"{phase}/{i}", shares[i], -(-(frames or 0) // count)) for i in range(count)]
    ties = config.agent.exploration.random_ties
    playing = lanes
    try:
        while playing:
            each_step()
            # The batch keeps its size to the end, so that a lane's last bits do not depend on when others finish.
            q = np.asarray(q_values(np.stack([lane.timestep.observation for lane in lanes])))
            for lane, values in zip(lanes, q, strict=True):
                if lane in playing:
                    lane.step(values, epsilon, ties)
            if watch and not lanes[0].scores:
                watch(lanes[0].environment)
            playing = [lane for lane in playing if not lane.done]
    finally:
        for lane in lanes:
            lane.environment.close()
    return [score for lane in lanes for score in lane.scores]


def words(final: dict[str, Any]) -> str:
    """A run's final evaluation, as in its summary.json, in a phrase."""
    whose = f" of the best network, from {final['network_frames']:,} frames," if "network" in final else ""
    return f"final evaluation{whose} {final['return_mean']:.2f} over {final['episodes']} episodes"


def summary(scores: list[Score]) -> dict[str, float]:
    """mean, sample standard deviation (nan for one episode), minimum, maximum and number of the returns."""
    returns = np.array([s.return_raw for s in scores], np.float64)
    std = float(returns.std(ddof=1)) if len(returns) > 1 else float("nan")
    return {
        "return_mean": float(returns.mean()),
        "return_std": std,
        "return_min": float(returns.min()),
        "return_max": float(returns.max()),
        "episodes": len(returns),
    }
