"""Counter-based random streams: one draw is f(run seed, stream name, counter).

Nothing has to be saved to resume but the counter, a new stream cannot disturb an old one, and no thread can
reorder draws.  There is no global generator anywhere in the package.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
"""

from __future__ import annotations

import hashlib

import numpy as np


class Stream:
    """A named stream of a run.

    >>> a, b = Stream(7, "replay"), Stream(7, "replay")
    >>> _ = a.at(0).random(5)
    >>> bool(a.at(3).random() == b.at(3).random())
    True
    """

    def __init__(self, seed: int, name: str) -> None:
        """seed: the run's seed, any integer >= 0.  name: which draws these are, e.g. "train/sticky"."""
        digest = hashlib.sha256(f"dqn_tf|{seed}|{name}".encode()).digest()
        self.seed, self.name = seed, name
        self._bits = np.random.Philox(key=np.frombuffer(digest[:16], "<u8"))
        self._generator = np.random.Generator(self._bits)
        self._start = self._bits.state
        self._key = int.from_bytes(digest[16:24], "little") >> 2

    def at(self, counter: int) -> np.random.Generator:
        """The generator of draw number ``counter`` (>= 0); it owns 2^128 numbers and is valid until the next call."""
        self._start["state"]["counter"] = np.array([0, 0, counter, 0], np.uint64)
        self._bits.state = self._start
        return self._generator

    def fresh(self, counter: int) -> np.random.Generator:
        """As ``at``, but a generator of its own, for draws that go on while others are made."""
        return Stream(self.seed, self.name).at(counter)

    def seed_of(self, counter: int) -> np.ndarray:
        """int64 [2], (key of the stream, counter): a seed for draws inside a graph, see ``agent/networks/draws.py``."""
        return np.array([self._key, counter], np.int64)

    def integer(self, counter: int) -> int:
        """One number in [0, 2^31): a seed for somebody else's generator."""
        return int(self.at(counter).integers(2**31))
