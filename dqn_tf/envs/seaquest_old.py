"""MinAtar's Seaquest with the rule of the published curves, which are of minatar 1.0.10 and lower.

Two lines of minatar/environments/seaquest.py were changed with 1.0.11 (kenjyoung/MinAtar@da3dc2d, "fixed a bug in
seaquest which caused the oxygen bar to flash to full one time step before oxygen ran out"): before, the air lasted a
step longer, and in that step its gauge showed nine cells of ten.  Everything else is the game of the package that is
installed, the free surfacing after six divers too, which every version has.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

FULL = 200  # max_oxygen of minatar/environments/seaquest.py
ROW, CELLS = 9, 10  # of the gauge


@functools.cache
def game() -> Any:
    """The class of the old game.  Raises ImportError: minatar is not installed."""
    from minatar.environments.seaquest import Env

    class OldSeaquest(Env):
        """Seaquest that ends where the oxygen falls below 0, not where it is 0."""

        def act(self, a: int) -> tuple[int, bool]:
            """One step.  The package ends the game where oxygen <= 0: with one unit more, where it is < 0."""
            self.oxygen += 1
            answer: tuple[int, bool] = super().act(a)
            self.oxygen -= 1
            return answer

        def _surface(self) -> int:
            """Within ``act``, but the reward is by the real oxygen."""
            self.oxygen -= 1
            reward: int = super()._surface()
            self.oxygen += 1
            return reward

        def state(self) -> np.ndarray:
            """The planes; the gauge of a negative oxygen as the slice of the old line has it, all cells but one."""
            planes: np.ndarray = super().state()
            planes[ROW, 0 : self.oxygen * CELLS // FULL, self.channels["oxygen_guage"]] = True
            return planes

    return OldSeaquest
