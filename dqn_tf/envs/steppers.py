"""Environments of several runs, stepped at the same time: one by one, or in array form where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from dqn_tf.envs import Environment
from dqn_tf.types import StepType, TimeStep


class Stepped(NamedTuple):
    """The answers of K environments to a step of each.

    Attributes:
        observations: [K, D] float32.
        rewards: [K] float64, raw.
        discounts: [K] float64, 1 or 0.
        last: [K] bool, whether the agent's episode is over.
        over: [K] bool, whether the game is.
        truncated: [K] bool, whether it was cut off.
        errors: what some of them raised, by number; their other entries are meaningless, and their state is that
            before the step.
    """

    observations: np.ndarray
    rewards: np.ndarray
    discounts: np.ndarray
    last: np.ndarray
    over: np.ndarray
    truncated: np.ndarray
    errors: dict[int, Exception]


class Stepper(Protocol):
    """Steps K environments; all else, saving included, is done by the environments' own objects."""

    def step(self, actions: np.ndarray) -> Stepped:
        """An action [K] int64 for each; none of their episodes is over."""

    def settle(self, k: int) -> TimeStep | None:
        """Bring object ``k`` up to date; its latest answer, None before the first."""

    def adopt(self, k: int) -> None:
        """Object ``k`` has been reset, or stepped elsewhere: continue from its present state."""


class OneByOne:
    """A ``Stepper`` of any environments: each object makes its own steps."""

    def __init__(self, environments: Sequence[Environment], steps: Sequence[Callable[[int], TimeStep]]) -> None:
        """
        Args:
            environments: K objects.
            steps: how each of them makes a step; what it raises is among the errors.
        """
        self._environments, self._steps = environments, steps
        self._latest: list[TimeStep | None] = [None] * len(environments)
        spec = environments[0].spec.observation
        self._seen = np.zeros((len(environments), *spec.shape), spec.dtype)

    def step(self, actions: np.ndarray) -> Stepped:
        """See ``Stepper``."""
        errors: dict[int, Exception] = {}
        seen, numbers = np.empty_like(self._seen), np.zeros((5, len(self._steps)))
        for k, (step, action) in enumerate(zip(self._steps, actions.tolist(), strict=True)):
            try:
                answer = self._latest[k] = step(action)
            except Exception as error:
                errors[k] = error
                continue
            seen[k] = answer.observation
            over = answer.step_type == StepType.LAST, answer.episode_over, answer.truncated
            numbers[:, k] = answer.reward, answer.discount, *over
        rewards, discounts, *flags = numbers
        last, over_now, truncated = (flag > 0 for flag in flags)
        return Stepped(seen, rewards, discounts, last, over_now, truncated, errors)

    def settle(self, k: int) -> TimeStep | None:
        """See ``Stepper``: the object is up to date."""
        return self._latest[k]

    def adopt(self, k: int) -> None:
        """See ``Stepper``: all that is kept of it here is its latest answer, which is out of date now."""
        self._latest[k] = None


def in_arrays(environments: Sequence[Environment]) -> Stepper | None:
    """A stepper in array form.

    Args:
        environments: K objects with the same settings, whose episodes are over or have begun.

    Returns:
        It, which has adopted them all; None: there is none of these environments.
    """
    if "gymnasium" not in sys.modules:  # no environment is Gymnasium's
        return None
    from dqn_tf.envs import acrobots, cartpoles, mountain_cars  # which import Gymnasium's simulators

    for kind in (cartpoles.CartPoles, acrobots.Acrobots, mountain_cars.MountainCars):
        if kind.plays(environments):
            return kind(environments)  # type: ignore[arg-type]
    return None


def make(environments: Sequence[Environment], steps: Sequence[Callable[[int], TimeStep]]) -> Stepper:
    """The fastest stepper there is.

    Args:
        environments: K objects with the same settings, whose episodes are over or have begun.
        steps: how each of them makes a step, where it makes it itself.

    Returns:
        It, which has adopted them all.
    """
    return in_arrays(environments) or OneByOne(environments, steps)
