"""A user's own environments, some of which misbehave, as a module that registers them: ``simulators:Line-v0``.

``TROUBLE`` is called before every reset and step of an environment, with "reset" or "step" and how many of either there
were in this process; what it raises is what the simulator raises.  SIMULATOR_FAILS=step:250 in the environment of a
process does the same there.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

CALLS: Counter[str] = Counter()


def from_environment(kind: str, number: int) -> None:
    """The trouble that the process was started with."""
    if os.environ.get("SIMULATOR_FAILS") == f"{kind}:{number}":
        raise RuntimeError("the solver did not converge")


TROUBLE: Callable[[str, int], None] = from_environment


def called(kind: str) -> None:
    CALLS[kind] += 1
    TROUBLE(kind, CALLS[kind])


class Line(gym.Env[np.ndarray, int]):
    """A walk on [-2, 2] that pays 1 a step beyond 1."""

    observation_space, action_space = spaces.Box(-9, 9, (2,), np.float32), spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        called("reset")
        super().reset(seed=seed)
        self.x = float(self.np_random.uniform(-1, 1))
        return self.observation(), {}

    def observation(self) -> np.ndarray:
        return np.array([self.x, 1], np.float32)

    def step(self, action: int) -> Any:
        called("step")
        self.x = float(np.clip(self.x + (0.3 if action else -0.3), -2, 2))
        return self.observation(), float(self.x > 1), False, False, {}


class Stay(Line):
    """Leaving costs and ends the episode, staying is free: the best policy never ends it."""

    def step(self, action: int) -> Any:
        return self.observation(), -float(action), bool(action), False, {}


class Continuing(Line):
    """No episode ever ends."""


class Mixed(Line):
    """One step an episode; half of the episodes show zeros and pay nothing, the others pay for action 1."""

    def reset(self, **more: Any) -> Any:
        super().reset(**more)
        self.pays = int(self.np_random.integers(2))
        return self.observation(), {}

    def observation(self) -> np.ndarray:
        return np.full(2, getattr(self, "pays", 0), np.float32)

    def step(self, action: int) -> Any:
        return self.observation(), float(action * self.pays), True, False, {}


class Unscaled(Line):
    """Shows meters where others show kilometers."""

    def observation(self) -> np.ndarray:
        return np.array([self.x * 1e7, 1e7], np.float32)


for cls in (Line, Stay, Continuing, Mixed, Unscaled):
    limit = 20 if cls in (Line, Unscaled) else None
    for name in (cls.__name__, f"ns/{cls.__name__}"):
        gym.register(f"{name}-v0", cls, max_episode_steps=limit)
