"""Random numbers inside a network: pure functions of a seed that the caller hands over."""

from __future__ import annotations

from dqn_tf import lazy_tf as tf
from dqn_tf.types import Tensor, TensorLike


class Draws:
    """The seeds of one call of a compiled function: its k-th draw has the seed (key + k, counter).

    Draws are numbered while tracing, in the order of the program.
    """

    def __init__(self, seed: TensorLike, noiseless: bool = False) -> None:
        """
        Args:
            seed: [2] int64, (key of a stream, counter), see ``rng.Stream.seed_of``.
            noiseless: whether noise in weights is left out, as when an agent is scored with its mean weights.
        """
        self._seed, self._made, self.noiseless = seed, 0, noiseless

    def same_for_all_networks(self) -> Tensor:
        """The seed of a draw that is the same wherever it is asked for in one call, int64 [2]."""
        return self._seed - tf.constant([1, 0], tf.int64)

    def next(self) -> Tensor:
        """The seed of the next draw, int64 [2], for ``tf.random.stateless_*``."""
        self._made += 1
        return self._seed + tf.constant([self._made - 1, 0], tf.int64)
