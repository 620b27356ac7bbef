"""Environments that do what their authors did not mean: a fault each.

Registered when this is imported, as "misbehaving:NAME-v0".  ``Walk`` is the one without a fault: a place in [-2, 2],
moved by 0.3 a step; being above 1 pays.
"""

from __future__ import annotations

import os
import random
import tempfile
import warnings
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

MODULE = "misbehaving"


class Walk(gymnasium.Env[Any, Any]):
    observation_space: Any = spaces.Box(-9, 9, (2,), np.float32)
    action_space: Any = spaces.Discrete(2)
    fault = (2, 7)  # episode and step of a fault that comes once
    steps = 20

    def __init__(self) -> None:
        self.episode = -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.episode, self.t, self.x = self.episode + 1, 0, float(self.np_random.uniform(-1, 1))
        return self.obs(), {}

    def obs(self) -> Any:
        return np.array([self.x, 1], np.float32)

    def pay(self, reward: float) -> Any:
        return reward

    @property
    def now(self) -> bool:
        return (self.episode, self.t) == self.fault

    def step(self, action: Any) -> Any:
        self.t += 1
        self.x = float(np.clip(self.x + (0.3 if action else -0.3), -2, 2))
        return self.obs(), self.pay(float(self.x > 1)), False, False, {}


# -- values ------------------------------------------------------------------------------------------------------------
class NanReward(Walk):
    def pay(self, reward: float) -> Any:
        return np.nan if self.now else reward


class InfReward(Walk):
    def pay(self, reward: float) -> Any:
        return -np.inf if self.now else reward


class HugeReward(Walk):
    def pay(self, reward: float) -> Any:
        return 1e39 if self.now else reward


class HugeIntReward(Walk):
    def pay(self, reward: float) -> Any:
        return 10**400 if self.now else reward


class NoneReward(Walk):
    def pay(self, reward: float) -> Any:
        return None if self.now else reward


class TwoRewards(Walk):
    def pay(self, reward: float) -> Any:
        return np.array([reward, reward])


class TextReward(Walk):
    def pay(self, reward: float) -> Any:
        return "1.0"


class NanObservation(Walk):
    def obs(self) -> Any:
        return np.array([self.x, np.nan if self.now else 1], np.float32)


class HugeObservation(Walk):
    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)

    def obs(self) -> Any:
        return np.array([self.x, -1e300 if self.now else 1])


class LargeObservation(Walk):  # legal, and never scaled
    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def obs(self) -> Any:
        return np.array([self.x, 3e38], np.float32)


# -- rewards and flags that are meant well -----------------------------------------------------------------------------
class RewardArray(Walk):
    def pay(self, reward: float) -> Any:
        return np.array([reward])


class RewardBool(Walk):
    def pay(self, reward: float) -> Any:
        return reward > 0


class RewardScalar(Walk):
    def pay(self, reward: float) -> Any:
        return np.float32(reward)


# -- answers of another form -------------------------------------------------------------------------------------------
class ResetBare(Walk):
    def reset(self, **k: Any) -> Any:
        return super().reset(**k)[0]  # no info; two numbers unpack all the same


class ResetInfo(Walk):
    def reset(self, **k: Any) -> Any:
        return super().reset(**k)[0], None


class FourValues(Walk):
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        return observation, reward, False, {}


class SixValues(Walk):
    def step(self, action: Any) -> Any:
        return (*super().step(action), 0)


class StepNothing(Walk):
    def step(self, action: Any) -> Any:
        return None


class NoSeed(Walk):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class Shape(Walk):
    def obs(self) -> Any:
        return np.array([self.x], np.float32)


class ShapeLater(Walk):
    def obs(self) -> Any:
        return np.array([self.x] if self.now else [self.x, 1], np.float32)


class Column(Walk):
    def obs(self) -> Any:
        return np.array([[self.x, 1]], np.float32)


class Objects(Walk):
    def obs(self) -> Any:
        return np.array([self.x, None], object)


class Ragged(Walk):
    def obs(self) -> Any:
        return [self.x, [1.0, 2.0]]


class Floats(Walk):
    observation_space = spaces.Box(0, 255, (2,), np.uint8)


class Lists(Walk):  # taken: the numbers are what the space declares
    def obs(self) -> Any:
        return [self.x, 1]


class DoneText(Walk):
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        return observation, reward, "no", False, {}


class DoneNone(Walk):
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        return observation, reward, False, None, {}


class DoneNumbers(Walk):  # taken: 0 and NumPy's False can mean one thing only
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        return observation, reward, 0, np.array([False]), {}


# -- not a function of seed and actions --------------------------------------------------------------------------------
class Curriculum(Walk):  # shorter with every episode of this object
    steps, longest = 50, 30

    def step(self, action: Any) -> Any:
        observation, *_ = super().step(action)
        return observation, 1.0, self.t >= max(3, self.longest - self.episode), False, {}


class Quick(Curriculum):
    longest = 10


class Unseeded(Walk):
    steps = 50

    def reset(self, **k: Any) -> Any:
        super().reset(**k)
        self.x = float(np.random.uniform(-1, 1))  # noqa: NPY002 - the fault
        return self.obs(), {}


class OwnSeed(Walk):  # whatever seed it gets
    def __init__(self) -> None:
        super().__init__()
        self.own = np.random.default_rng(0)

    def reset(self, **k: Any) -> Any:
        super().reset(**k)
        self.x = float(self.own.uniform(-1, 1))
        return self.obs(), {}


class NoisySteps(Walk):
    def pay(self, reward: float) -> Any:
        return reward + random.random()


class Stateful(Walk):  # pays a little more for ever, without showing it
    total = 0

    def pay(self, reward: float) -> Any:
        self.total += 1
        return reward + self.total


class GlobalSeed(Walk):  # the generator that all objects share, seeded anew by each reset
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        random.seed(seed)
        return super().reset(seed=seed)

    def pay(self, reward: float) -> Any:
        return reward + random.random()


class SharedClock(Walk):  # an attribute of the class, put back by each reset
    clock = 0

    def reset(self, **k: Any) -> Any:
        type(self).clock = 0
        return super().reset(**k)

    def pay(self, reward: float) -> Any:
        type(self).clock += 1
        return float(self.clock)


# -- errors ------------------------------------------------------------------------------------------------------------
class Crash(Walk):
    def obs(self) -> Any:
        if self.now:
            raise ZeroDivisionError("the simulator is upside down")
        return super().obs()


class Quits(Walk):  # as a window that is closed, or a licence server that is gone, often does
    def obs(self) -> Any:
        if self.now:
            raise SystemExit("the simulator says good-bye")
        return super().obs()


class CrashAtReset(Walk):
    def reset(self, **k: Any) -> Any:
        if self.episode == 1:
            raise OSError("no contact to the robot")
        return super().reset(**k)


class Once(Walk):  # one simulator: a second object cannot be made while the first is open
    there = False

    def __init__(self) -> None:
        super().__init__()
        if type(self).there:
            raise RuntimeError("port 4711 is taken")
        type(self).there, self.mine = True, True

    def close(self) -> None:
        if self.mine:
            type(self).there = self.mine = False


class Twice(Walk):  # licences for two
    there = 0

    def __init__(self) -> None:
        super().__init__()
        if type(self).there >= 2:
            raise RuntimeError("no licence left")
        type(self).there += 1

    def close(self) -> None:
        type(self).there -= 1


class CloseRaises(Walk):
    def close(self) -> None:
        raise OSError("the port does not answer")


class Elsewhere(Walk):  # finds its files in a folder of its own
    def __init__(self) -> None:
        super().__init__()
        os.chdir(tempfile.gettempdir())


class RaisesOnZero(Walk):  # with the seed that the trial's last reset has
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        if seed == 0:
            raise ValueError("a seed above 0 is wanted")
        return super().reset(seed=seed)


# -- other spaces ------------------------------------------------------------------------------------------------------
class MoreActions(Walk):
    def step(self, action: Any) -> Any:
        answer = super().step(action)
        if self.now:
            self.action_space = spaces.Discrete(3)
        return answer


class MoreActionsInPlace(Walk):
    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Discrete(2)

    def step(self, action: Any) -> Any:
        answer = super().step(action)
        if self.now:
            self.action_space.n = np.int64(3)
        return answer


class SpacesAnew(Walk):  # equal ones: taken
    @property
    def action_space(self) -> Any:  # type: ignore[override]
        return spaces.Discrete(2)


class NoNumbers(Walk):
    observation_space = spaces.Box(-1, 1, (0,), np.float32)


class NoActionSpace(Walk):
    action_space = None


class OneAction(Walk):
    action_space = spaces.Discrete(1)


# -- drawing -----------------------------------------------------------------------------------------------------------
class NoMode(Walk):
    metadata: ClassVar = {"render_modes": ["rgb_array"]}


class Draws(Walk):  # at each step, if it may
    metadata: ClassVar = {"render_modes": ["rgb_array", "human"]}
    pictures = 0

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode

    def step(self, action: Any) -> Any:
        if self.render_mode:
            type(self).pictures += 1
        return super().step(action)

    def render(self) -> Any:
        return np.full((8, 8, 3), 50, np.uint8)


# -- odd, and allowed --------------------------------------------------------------------------------------------------
class Instant(Walk):  # over at once
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        return observation, reward, True, False, {}


class InPlace(Walk):
    def obs(self) -> Any:
        self.kept = getattr(self, "kept", np.zeros(2, np.float32))
        self.kept[:] = self.x, 1
        return self.kept


class Far(Walk):  # outside of what it declares, and large
    def obs(self) -> Any:
        return np.array([self.x, 50_000], np.float32)


class Endless(Walk):
    steps = 0


class SameStart(Walk):
    def reset(self, **k: Any) -> Any:
        super().reset(**k)
        self.x = 0.0
        return self.obs(), {}


class Unpaid(Walk):
    def pay(self, reward: float) -> Any:
        return 0.0


KINDS = {v.__name__: v for v in list(globals().values()) if isinstance(v, type) and issubclass(v, Walk)}

for name, kind in KINDS.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # imported again under another name
        gymnasium.register(f"{name}-v0", kind, max_episode_steps=kind.steps or None)
gymnasium.register("Window-v0", Draws, max_episode_steps=20, kwargs={"render_mode": "human"})


# -- made by functions ------------------------------------------------------------------------------------------------
class Level(Walk):
    """A walk that begins at ``start``, in steps of a third of ``level``."""

    def __init__(self, level: int = 1, start: float = 0.0, render_mode: str | None = None) -> None:
        super().__init__()
        self.level, self.start, self.render_mode = level, start, render_mode

    def reset(self, **k: Any) -> Any:
        super().reset(**k)
        self.x += self.start
        return self.obs(), {}

    def obs(self) -> Any:
        return np.array([self.x, self.level], np.float32)


def make_level(level: int, *, start: float = 0.0) -> gymnasium.Env[Any, Any]:
    return gymnasium.wrappers.TimeLimit(Level(level, start), 20)


def make_nothing() -> None:
    return None


def make_trouble() -> None:
    raise OSError("no simulator at port 4711")


gymnasium.register("Level-v0", Level, max_episode_steps=20)
