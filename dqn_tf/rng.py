"""Counter-based random streams: one draw is f(run seed, stream name, counter).

To resume, only the counter has to be saved.  A new stream does not change the others, and no thread can reorder
draws.  The package has no global generator.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
"""

from __future__ import annotations

import hashlib

import numpy as np


class Stream:
    """A named stream of random numbers of a run, in which every draw has a number, its counter.

    >>> a, b = Stream(7, "replay"), Stream(7, "replay")
    >>> _ = a.at(0).random(5)
    >>> bool(a.at(3).random() == b.at(3).random())
    True
    """

    def __init__(self, seed: int, name: str) -> None:
        """
        Args:
            seed: the run's seed, >= 0.
            name: what is drawn: "train/sticky".
        """
        digest = hashlib.sha256(f"dqn_tf|{seed}|{name}".encode()).digest()
        self.seed, self.name = seed, name
        self._bits = np.random.Philox(key=np.frombuffer(digest[:16], "<u8"))
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state
        self._key = int.from_bytes(digest[16:24], "little") >> 2

    def at(self, counter: int) -> np.random.Generator:
        """The generator of draw ``counter`` (>= 0), with 2^128 numbers.  It is valid until the next call of ``at``."""
        self._start["state"]["counter"] = np.array([0, 0, counter, 0], np.uint64)
        self._bits.state = self._start
        return self._generator

    def fresh(self, counter: int) -> np.random.Generator:
        """As ``at``, but a new generator, which stays valid while other draws are made."""
        return Stream(self.seed, self.name).at(counter)

    def seed_of(self, counter: int) -> np.ndarray:
        """int64 [2], (key of the stream, counter): the seed of draws in a graph (``agent/networks/draws.py``)."""
        return np.array([self._key, counter], np.int64)

    def integer(self, counter: int) -> int:
        """An integer in [0, 2^31): a seed for another library's generator."""
        return int(self.at(counter).integers(2**31))
