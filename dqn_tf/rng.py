"""Counter-based random streams: one draw is f(run seed, stream name, counter).

To resume, only the counter has to be saved.  A new stream does not change the others, and no thread can reorder
draws.  The package has no global generator.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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

    @property
    def key(self) -> np.ndarray:
        """uint64 [2]: the key of the generator, which is the stream's own."""
        key: np.ndarray = self._start["state"]["key"]
        return key

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


_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)  # of Philox 4 x 64 (Salmon et al. 2011, table 2)
_BUMPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS, _LOW, _HALF = 10, np.uint64(0xFFFFFFFF), np.uint64(32)


def uniforms(streams: Sequence[Stream], first: int, number: int) -> np.ndarray:
    """The first uniform number of many draws at once: ``stream.at(counter).random()`` of each, to the last bit.

    Args:
        streams: K.
        first: counter of the first draw.
        number: how many draws of each stream, n.

    Returns:
        [K, n] float64 in [0, 1).

    >>> stream = Stream(7, "replay")
    >>> bool((uniforms([stream], 5, 2)[0] == [stream.at(5).random(), stream.at(6).random()]).all())
    True
    """
    return _uniform(_first_words(streams, first, number)[0])


def uniforms_and_integers(
    streams: Sequence[Stream], first: int, number: int, below: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first two draws of many: of each generator ``random()``, then ``integers(below)``, to the last bit.

    NumPy makes an integer below n of 32 bits x by Lemire's method: it is the upper half of x n, unless the lower half
    is below 2^32 mod n, when it draws again.

    Args:
        streams: K.
        first: counter of the first draw.
        number: how many draws of each stream, n.
        below: integers are below this, 2^32 at most.

    Returns:
        [K, n] float64 in [0, 1); [K, n] int64, -1 where NumPy draws again.

    >>> stream = Stream(7, "replay")
    >>> uniform, integer = uniforms_and_integers([stream], 5, 1, 3)
    >>> generator = stream.at(5)
    >>> bool(uniform[0, 0] == generator.random()), bool(integer[0, 0] == generator.integers(3))
    (True, True)
    """
    words = _first_words(streams, first, number)
    products = (words[1] & _LOW) * np.uint64(below)
    again = (products & _LOW) < np.uint64(2**32 % below)
    return _uniform(words[0]), np.where(again, -1, (products >> _HALF).astype(np.int64))


def _uniform(words: np.ndarray) -> np.ndarray:
    top: np.ndarray = np.right_shift(words, np.uint64(11))
    return top * 2.0**-53


def _first_words(streams: Sequence[Stream], first: int, number: int) -> list[np.ndarray]:
    """The four words [K, n] of 64 bits with which the draws begin, of counters from ``first`` on."""
    zeros = np.zeros((len(streams), number), np.uint64)
    words = [zeros + np.uint64(1), zeros, zeros + np.arange(first, first + number, dtype=np.uint64), zeros]
    keys = np.array([s.key for s in streams], np.uint64).T[:, :, None]  # two words of each
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64
        for _ in range(_ROUNDS):
            (high_0, low_0), (high_1, low_1) = (
                _product(m, word) for m, word in zip(_MULTIPLIERS, words[::2], strict=True)
            )
            words = [high_1 ^ words[1] ^ keys[0], low_1, high_0 ^ words[3] ^ keys[1], low_0]
            keys = keys + np.array(_BUMPS, np.uint64)[:, None, None]
    return words


def _product(multiplier: int, word: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The high and the low 64 bits of products of 64-bit numbers."""
    high, low = np.uint64(multiplier >> 32), np.uint64(multiplier & 0xFFFFFFFF)
    w_high, w_low = word >> _HALF, word & _LOW
    outer, inner = low * w_high, high * w_low
    carried = (low * w_low >> _HALF) + (outer & _LOW) + (inner & _LOW)
    top = high * w_high + (outer >> _HALF) + (inner >> _HALF) + (carried >> _HALF)
    return top, word * np.uint64(multiplier)
