"""Environments that show images: ``pictures:Pictures`` and the others, with keyword arguments (envs.identify)."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Pictures(gymnasium.Env[Any, Any]):
    """Random pictures between ``low`` and ``high`` (None: no bound), of one type; action a pays a.

    An episode terminates at step ``steps``.  fault: what goes wrong at step ``at`` of episode 1 (0: its reset).  key:
    observations are a Dict whose entry of this name is the picture.  mask: action 2 is legal at odd steps only.
    """

    def __init__(
        self,
        shape: Any = (6, 5, 3),
        kind: str = "uint8",
        low: float | None = 0,
        high: float | None = 255,
        steps: int = 9,
        fault: str = "",
        at: int = 3,
        key: str = "",
        mask: bool = False,
    ) -> None:
        self.shape, self.kind, self.steps, self.fault, self.at, self.key = tuple(shape), kind, steps, fault, at, key
        least, most = (
            np.array(bound, dtype=np.float64)
            for bound in (low if low is not None else -np.inf, high if high is not None else np.inf)
        )
        self.low, self.high = (float(least), float(most))
        self.picture: Any = spaces.Box(self.low, self.high, self.shape, np.dtype(kind))  # type: ignore[arg-type]
        self.observation_space = spaces.Dict({key: self.picture, "step": spaces.Discrete(99)}) if key else self.picture
        self.action_space: Any = spaces.Discrete(3)
        self.episode, self.masked = -1, mask

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.episode = 0, self.episode + 1
        if self._now("other size"):
            self.shape = (self.shape[0] + 1, *self.shape[1:])
            self.observation_space = spaces.Box(0, 255, self.shape, np.uint8)
        if self._now("other actions"):
            self.action_space = spaces.Discrete(4)
        return self._seen(), self._info()

    def step(self, action: Any) -> Any:
        self.t += 1
        return self._seen(), float(action), self.t == self.steps, False, self._info()

    def _info(self) -> dict[str, Any]:
        return {"action_mask": np.array([True, True, self.t % 2 == 1])} if self.masked else {}

    def _now(self, fault: str) -> bool:
        return self.fault == fault and (self.episode, self.t) == (1, self.at)

    def _seen(self) -> Any:
        low, high = (x if np.isfinite(x) else 7.0 for x in (self.low, self.high))
        drawn = self.np_random.random(self.shape)
        whole = self.kind.startswith(("int", "uint"))
        seen = np.floor(low + (high + 1 - low) * drawn) if whole else low + (high - low) * drawn
        if self.kind == "bool":
            seen = drawn < 0.5
        seen = seen.astype(self.kind)
        if self._now("nan"):
            seen.flat[4] = np.nan
        if self._now("infinite"):
            seen.flat[0] = np.inf
        if self._now("too large"):
            seen.flat[1] = 256
        if self._now("wrong shape"):
            seen = seen[1:]
        return {self.key: seen, "step": self.t} if self.key else seen


class Road(gymnasium.Env[Any, Any]):
    """As CarRacing-v3 with discrete actions: screens of 96 x 96 x 3 bytes, a road that bends, a car that is kept on it.

    The car is drawn in every second frame only, as some Atari games draw theirs.
    """

    observation_space: Any = spaces.Box(0, 255, (96, 96, 3), np.uint8)
    action_space: Any = spaces.Discrete(3)

    def __init__(self, frames: int = 40) -> None:
        self.frames = frames

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t, self.car, self.road = 0, 48.0, 48 + np.cumsum(self.np_random.normal(0, 2, self.frames + 96))
        return self._screen(), {}

    def step(self, action: Any) -> Any:
        self.t += 1
        self.car += 2 * (int(action) - 1)
        off = abs(self.car - self.road[self.t]) > 12
        return self._screen(), -1.0 if off else 0.3, bool(off and self.t > 8), self.t >= self.frames, {}

    def _screen(self) -> np.ndarray:
        rows = self.road[self.t : self.t + 96][::-1]
        on = np.abs(np.arange(96)[None, :] - rows[:, None]) < 12
        screen = np.where(on[..., None], np.uint8([105, 105, 105]), np.uint8([102, 204, 102]))
        if self.t % 2:
            left = int(np.clip(self.car - 2, 0, 91))
            screen[84:92, left : left + 5] = (204, 0, 0)
        return np.ascontiguousarray(screen, np.uint8)


def minigrid_image(name: str = "MiniGrid-Empty-5x5-v0", size: int = 0) -> Any:
    """MiniGrid's view of 7 x 7 cells; with ``size`` its picture, so many pixels for a cell."""
    from minigrid.wrappers import ImgObsWrapper, RGBImgPartialObsWrapper

    env: Any = gymnasium.make(name)
    return ImgObsWrapper(RGBImgPartialObsWrapper(env, tile_size=size) if size else env)


def atari(game: str = "Pong") -> Any:
    """A game as Gymnasium has it: every frame, in color; nothing is drawn at random."""
    import ale_py  # registers the games

    assert ale_py
    return gymnasium.make(f"ALE/{game}-v5", frameskip=1, repeat_action_probability=0.0, full_action_space=False)
