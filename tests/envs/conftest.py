"""A scripted emulator, whose screens tell the number of the frame they show."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf.envs import atari
from dqn_tf.envs.protocols import DOPAMINE, AtariProtocol

MINIMAL = ("NOOP", "FIRE", "LEFT")


class ScriptedEmulator:
    """Plays a script: ``lives[f]`` and ``rewards[f]`` are those after frame f (1 is the first frame played), and the
    game is over after frame ``length``.  Frame f shows the gray 2 f, the first screen the gray 1."""

    noop = types.SimpleNamespace(name="NOOP")

    def __init__(self, lives: Callable[[int], int], rewards: Callable[[int], int], length: int, fire: bool) -> None:
        self._lives, self._rewards, self._length = lives, rewards, length
        self._names = MINIMAL if fire else ("NOOP", "LEFT", "RIGHT")
        self.height, self.width = 210, 160
        self.first_gray = np.full((210, 160), 1, np.uint8)
        self.first_rgb = np.full((210, 160, 3), 1, np.uint8)
        self.ale, self.frame, self.acts, self.games = self, 0, [], 0

    def begin(self) -> None:
        self.frame, self.games = 0, self.games + 1
        self.acts: list[str] = []

    def actions(self, action_set: str) -> list[Any]:
        names = self._names if action_set == "minimal" else [*self._names, *map(str, range(15))]
        return [types.SimpleNamespace(name=name) for name in names]

    def act(self, action: Any) -> int:
        self.frame += 1
        self.acts.append(action.name)
        return self._rewards(self.frame)

    def lives(self) -> int:
        return self._lives(self.frame)

    def game_over(self) -> bool:
        return self.frame >= self._length

    def getScreenGrayscale(self, buffer: np.ndarray) -> None:
        buffer[...] = self.shade(self.frame)

    def getScreenRGB(self, buffer: np.ndarray) -> None:
        buffer[...] = self.shade(self.frame)

    @staticmethod
    def shade(frame: int) -> int:
        return 2 * frame % 256


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[atari.AtariEnvironment, ScriptedEmulator]]:
    """A function (protocol, lives=, rewards=, length=, fire=, training=) -> (environment, its scripted emulator)."""

    def build(
        protocol: AtariProtocol = DOPAMINE,
        lives: Callable[[int], int] = lambda frame: 3,
        rewards: Callable[[int], int] = lambda frame: 0,
        length: int = 10**9,
        fire: bool = True,
        **more: Any,
    ) -> tuple[atari.AtariEnvironment, ScriptedEmulator]:
        emulator = ScriptedEmulator(lives, rewards, length, fire)
        monkeypatch.setattr(atari, "Emulator", lambda *_: emulator)
        return atari.AtariEnvironment("breakout", protocol, seed=0, **more), emulator

    return build
