"""The Arcade Learning Environment's plain interface, made to begin every game in exactly the same state."""

from __future__ import annotations

import ale_py
import numpy as np
from ale_py import roms

from dqn_tf.envs import games

# Games that a clone of the state after load and reset begins exactly as a fresh emulator does.  Proved for these by
# reproduce/checking/env_restore.py; the others load their ROM again (0.2 s instead of 0.2 ms).
CLONE_IS_EXACT = frozenset(games.ATARI57) - {"amidar", "qbert"}

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)


class Emulator:
    """One game in one emulator: no sticky actions, no frame skip, no frame limit, no randomness of its own.

    ``ale`` is the interface itself, for callers that play; after ``begin`` and before the first action its screen is
    stale (restoring a state does not restore the screen): use ``first_gray`` and ``first_rgb``.
    """

    noop = ale_py.Action.NOOP  # of every game, whether or not it is among the agent's actions

    def __init__(self, game: str, mode: int | None = None, difficulty: int | None = None) -> None:
        """With another mode or difficulty than the game starts with, the ROM is loaded for each game, as clones were
        not tried.

        Args:
            game: an id of ``games.ALL``.
            mode: one of the game's (variants.py); None: the one that it starts with.
            difficulty: one of the game's; None: the one that it starts with.
        """
        self._switches = (mode, difficulty)
        self._rom = str(roms.get_rom_path(game))
        self.ale = ale_py.ALEInterface()
        self.ale.setInt("random_seed", 0)
        self.ale.setFloat("repeat_action_probability", 0.0)
        self._load()
        plain = game in CLONE_IS_EXACT and self._switches == (None, None)
        self._start = self.ale.cloneState() if plain else None
        self.height, self.width = self.ale.getScreenDims()
        self.first_gray = np.empty((self.height, self.width), np.uint8)
        self.first_rgb = np.empty((self.height, self.width, 3), np.uint8)
        self.ale.getScreenGrayscale(self.first_gray)
        self.ale.getScreenRGB(self.first_rgb)
        self._untouched = True

    def _load(self) -> None:
        self.ale.loadROM(self._rom)  # puts both switches back
        mode, difficulty = self._switches
        if mode is not None:
            self.ale.setMode(mode)
        if difficulty is not None:
            self.ale.setDifficulty(difficulty)
        self.ale.reset_game()

    def begin(self) -> None:
        """Go to the game's first state, whatever was played before."""
        if self._untouched:
            self._untouched = False
        elif self._start is not None:
            self.ale.restoreState(self._start)
        else:
            self._load()

    def actions(self, action_set: str) -> list[ale_py.Action]:
        """The joystick's 18 actions ("full") or those that the game uses ("minimal").  The first is NOOP, but in the
        minimal set of backgammon and video_checkers, which have none: see ``noop``."""
        return list(self.ale.getLegalActionSet() if action_set == "full" else self.ale.getMinimalActionSet())
