"""Environments with masks of legal actions: ``masked:Doors``, with keyword arguments (envs.identify)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Doors(gymnasium.Env[Any, Any]):
    """Four doors, some of them open; the observation says which ones pay.  Taking a closed one raises.

    by: how the mask is told ("info", "method", "both": the method lies; "none": not at all).  every: all are open.
    fault: what goes wrong at step ``at`` of episode 1.  kind: the mask's type.
    """

    observation_space: Any = spaces.Box(-9, 9, (4,), np.float32)
    action_space: Any = spaces.Discrete(4)

    def __init__(
        self, by: str = "info", every: bool = False, fault: str = "", kind: str = "bool", at: int = 3, steps: int = 9
    ) -> None:
        self.by, self.every, self.fault, self.kind, self.at, self.steps = by, every, fault, kind, at, steps
        self.episode = -1
        if by in ("method", "both"):
            self.action_masks = self._told_by_method

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.episode = 0, self.episode + 1
        return self._answer()

    def step(self, action: Any) -> Any:
        if not self.open[action]:
            raise ValueError(f"door {action} is closed")
        paid, self.t = float(self.x[action]), self.t + 1
        over = self.t == self.steps or bool(self.np_random.random() < 0.1)
        seen, info = self._answer()
        return seen, paid, over and self.t % 2 == 0, over, info

    def _answer(self) -> Any:
        self.x = self.np_random.normal(size=4).astype(np.float32)
        drawn = self.np_random.random(4) < 0.4
        drawn[int(self.np_random.integers(4))] = True
        self.open = np.ones(4, bool) if self.every else drawn
        return self.x, {"action_mask": self._mask()} if self._tells() else {}

    def _now(self, fault: str) -> bool:
        return self.fault == fault and (self.episode, self.t) == (1, self.at)

    def _tells(self) -> bool:
        return self._now("appears") or (self.by in ("info", "both") and not self._now("disappears"))

    def _mask(self) -> Any:
        if self._now("none legal"):
            return np.zeros(4, bool)
        if self._now("too long"):
            return np.ones(5, bool)
        if self._now("floats"):
            return np.ones(4, np.float32)
        if self._now("twos"):
            return np.full(4, 2)
        if self._now("nothing"):
            return None
        return self.open.tolist() if self.kind == "list" else self.open.astype(self.kind)

    def _told_by_method(self) -> Any:
        return ~self.open if self.by == "both" else self._mask()


class Deadly(Doors):
    """No action is legal where an episode has terminated, which is allowed; it never ends otherwise."""

    def step(self, action: Any) -> Any:
        seen, paid, _, over, info = super().step(action)
        return seen, paid, over, False, {"action_mask": np.zeros(4, bool)} if over else info
