"""Simulators of Gymnasium's in array form: ``step`` of K of them at a time, in their usual wrappers.

Every line of arithmetic is Gymnasium's, on arrays [K] of float64 instead of single numbers: the same operations of
IEEE 754 in the same order.  So the bits are the same (tests/envs/test_array_simulators.py), as long as Gymnasium's
lines are those (known_simulators.py); environments of any other are stepped one by one.

The objects stay what is saved: ``settle`` brings one up to date, its answers and their digest included.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from dqn_tf.envs import known_simulators
from dqn_tf.envs.classic import GymnasiumEnvironment
from dqn_tf.envs.steppers import Stepped
from dqn_tf.types import StepType, TimeStep

ROUNDS = 64  # steps between two times that an object is brought up to date, at most


class ArraySimulators(abc.ABC):
    """A ``steppers.Stepper`` of K simulators with the same settings.

    A subclass is one simulator of Gymnasium's.

    Attributes:
        SIMULATOR: its class.
        SIZES: numbers of its state, and of an observation.
    """

    SIMULATOR: ClassVar[type]
    SIZES: ClassVar[tuple[int, int]]

    def __init__(self, environments: Sequence[GymnasiumEnvironment]) -> None:
        """environments: K, which this class ``plays``."""
        number, (state, observation) = len(environments), self.SIZES
        self._environments = environments
        self.simulators: list[Any] = [e._env.unwrapped for e in environments]
        self._limit, self._limit_ends = environments[0]._env._max_episode_steps, environments[0]._limit_ends
        self.state = np.zeros((state, number))
        self._elapsed, self.terminated = np.zeros(number, np.int64), np.zeros(number, bool)
        answer = np.dtype(  # what GymnasiumEnvironment adds to its digest for each step
            [
                ("observation", "<f4", (observation,)),
                ("reward", "<f8"),
                ("discount", "<f8"),
                ("step_type", "u1"),
                ("over", "u1"),
                ("truncated", "u1"),
            ]
        )
        self._answers, self._actions = np.zeros((ROUNDS, number), answer), np.zeros((ROUNDS, number), np.int32)
        self._fields = [self._answers[name] for name in answer.names or ()]
        self._now, self._since = 0, [0] * number  # rows of answers: the next one, and the first that an object lacks
        for k in range(number):
            self.adopt(k)

    # -- what a simulator is ------------------------------------------------------------------------------------------
    @abc.abstractmethod
    def advance(self, actions: np.ndarray) -> None:
        """``step`` of the simulator: set ``state`` and ``terminated`` [K] anew.  actions: [K] int64."""

    @abc.abstractmethod
    def observations(self) -> np.ndarray:
        """What is seen now, [K, D] float32, a new array."""

    @abc.abstractmethod
    def rewards(self) -> np.ndarray:
        """Of the latest step, [K] float64."""

    @abc.abstractmethod
    def put(self, k: int) -> None:
        """Write state ``k`` to its object."""

    @classmethod
    def plays(cls, environments: Sequence[object]) -> bool:
        """Whether these are objects of just this simulator, as known_simulators.py says."""
        objects = [each for each in environments if type(each) is GymnasiumEnvironment]
        simulators = [known_simulators.kind_of(each._env) for each in objects]
        return len(objects) == len(environments) and all(kind is cls.SIMULATOR for kind in simulators)

    # -- the stepper ---------------------------------------------------------------------------------------------------
    def step(self, actions: np.ndarray) -> Stepped:
        """See ``Stepper``."""
        if self._now == ROUNDS:
            for k in range(len(self.simulators)):
                self.settle(k)
            self._now, self._since = 0, [0] * len(self.simulators)
        self.advance(actions)
        self._elapsed += 1
        truncated = self._elapsed >= self._limit
        over = self.terminated | truncated
        truncated &= ~self.terminated
        stepped = Stepped(
            observations=self.observations(),
            rewards=self.rewards(),
            discounts=1.0 - (over if self._limit_ends else self.terminated),
            last=over,
            over=over,
            truncated=truncated,
            errors={},
        )
        kinds = over + np.uint8(StepType.MID)  # LAST is the next
        columns = (stepped.observations, stepped.rewards, stepped.discounts, kinds, over, truncated)
        for field, values in zip(self._fields, columns, strict=True):
            field[self._now] = values
        self._actions[self._now] = actions
        self._now += 1
        return stepped

    def adopt(self, k: int) -> None:
        """See ``Stepper``."""
        simulator, limit = self.simulators[k], self._environments[k]._env
        self._since[k] = self._now
        state = getattr(simulator, "state", None)
        if state is not None:
            self.state[:, k], self._elapsed[k] = state, limit._elapsed_steps

    def settle(self, k: int) -> TimeStep | None:
        """See ``Stepper``."""
        environment, rows = self._environments[k], slice(self._since[k], self._now)
        answers, terminated = self._answers[rows, k], bool(self.terminated[k])
        self._since[k] = self._now
        if not len(answers):
            return environment._last
        self.put(k)
        environment._env._elapsed_steps = int(self._elapsed[k])
        seen, reward, discount, kind, over, truncated = answers[-1].item()
        seen = np.array(seen, np.float32)
        last = TimeStep(
            observation=seen,
            frame=seen,
            reward=reward,
            discount=discount,
            step_type=StepType(kind),
            episode_over=bool(over),
            truncated=bool(truncated),
            lives=0 if terminated else 1,
            frames=1,
        )
        environment._log.extend(self._actions[rows, k].tolist())
        environment._answers_sha.update(answers.tobytes())
        environment._last, environment._awaiting_reset = last, last.episode_over
        return last
