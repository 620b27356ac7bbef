"""A replay without any cleverness: every transition keeps both of its observations, whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.types import ObservationSpec, StepType, TimeStep

Script = list[list[tuple[int, float, float]]]  # episodes of (action, reward, discount)


def frame(number: int, spec: ObservationSpec) -> np.ndarray:
    """A frame that tells its number (from 1, so that it differs from padding)."""
    return np.frombuffer(np.array(number, ">u4").tobytes(), np.uint8).astype(spec.dtype).reshape(spec.frame_shape)


def numbers(observation: np.ndarray) -> list[int]:
    """The numbers of the frames of an observation [4] or [4, stack]; 0 for padding."""
    columns = observation.reshape(4, -1).astype(np.uint8).T
    return [int.from_bytes(column.tobytes(), "big") for column in columns]


def stacked(frames: list[np.ndarray], spec: ObservationSpec) -> np.ndarray:
    """The observation after an agent's episode has shown ``frames``, built from the definition of the padding."""
    if spec.stack is None:
        return frames[-1]
    shown, missing = frames[-spec.stack :], max(0, spec.stack - len(frames))
    zero = np.zeros_like(frames[0])
    whole = {
        "zeros_before": [zero] * missing + shown,
        "zeros_after": shown + [zero] * missing,
        "repeat_first": [shown[0]] * missing + shown,
    }[spec.padding]
    return np.stack(whole, axis=-1)


@dataclasses.dataclass
class Kept:
    """One transition as the naive replay holds it, and the numbers of the frames it needs."""

    s_tm1: np.ndarray
    action: int
    reward: float
    discount: float
    s_t: np.ndarray
    oldest_frame: int


class NaiveReplay:
    """Rows are the frames, numbered from 1; ``transitions`` maps the number of s_tm1's newest frame to all of it."""

    def __init__(self, spec: ObservationSpec, capacity: int, n: int, gamma: float) -> None:
        self.spec, self.capacity, self.n, self.gamma = spec, capacity, n, gamma
        self.frames, self.transitions = 0, {}
        self.episode: list[Any] = []

    def add_first(self) -> None:
        self.frames += 1
        self.episode = [(self.frames, None, 0.0, 0.0)]

    def add(self, action: int, reward: float, discount: float, last: bool) -> None:
        self.frames += 1
        self.episode.append((self.frames, action, reward, discount))
        now = len(self.episode) - 1
        for t in range(now) if last else [now - self.n]:
            if t >= 0 and self.episode[t][0] not in self.transitions:
                self._complete(t, min(t + self.n, now))

    def _complete(self, t: int, end: int) -> None:
        seen = [frame(number, self.spec) for number, *_ in self.episode[: end + 1]]
        total, product = 0.0, 1.0
        for _, _, reward, discount in self.episode[t + 1 : end + 1]:
            total += product * reward
            product *= self.gamma * discount
        number, action = self.episode[t][0], self.episode[t + 1][1]
        oldest = self.episode[max(0, t - (self.spec.stack or 1) + 1)][0]
        s_tm1, s_t = stacked(seen[: t + 1], self.spec), stacked(seen, self.spec)
        self.transitions[number] = Kept(s_tm1, action, total, product, s_t, oldest)

    def usable(self) -> dict[int, Kept]:
        """The transitions all of whose frames are among the last ``capacity``."""
        return {i: kept for i, kept in self.transitions.items() if kept.oldest_frame > self.frames - self.capacity}


class Twins:
    """A replay and its naive twin, fed the same."""

    def __init__(self, replay: Replay, naive: NaiveReplay) -> None:
        self.replay, self.naive = replay, naive

    def step(self, step_type: StepType, action: int = 0, reward: float = 0.0, discount: float = 1.0) -> None:
        """One time step for both."""
        image = frame(self.naive.frames + 1, self.naive.spec)
        last = step_type == StepType.LAST
        timestep = TimeStep(image, image, reward, discount, step_type, last, last and discount > 0, 1, 1)
        if step_type == StepType.FIRST:
            self.naive.add_first()
            self.replay.add_first(timestep)
        else:
            self.naive.add(action, reward, discount, last)
            self.replay.add(action, reward, timestep)

    def play(self, script: Script) -> None:
        """Whole episodes."""
        for episode in script:
            self.step(StepType.FIRST)
            for i, step in enumerate(episode):
                self.step(StepType.LAST if i == len(episode) - 1 else StepType.MID, *step)


@pytest.fixture(scope="session")
def twins() -> Callable[..., Twins]:
    """A function (spec, capacity, n) -> a replay and its naive twin, gamma = 1/2, seed 0."""
    from dqn_tf.replay.uniform import Uniform

    def build(spec: ObservationSpec, capacity: int, n: int = 1) -> Twins:
        replay = Replay(Uniform(), Storage(capacity=capacity), spec, n, 0.5, seed=0)
        return Twins(replay, NaiveReplay(spec, capacity, n, 0.5))

    return build


@pytest.fixture(scope="session")
def frame_numbers() -> Callable[[np.ndarray], list[int]]:
    """``numbers``: which frames an observation shows."""
    return numbers
