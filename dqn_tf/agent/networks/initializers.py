"""Initial weights, drawn on the host from a counter-based stream, so they are the same on every machine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from dqn_tf.rng import Stream

Initialization = Literal["fan_in_uniform", "glorot_uniform", "dopamine_uniform", "orthogonal", "he_normal"]


Fans = dict[str, Callable[..., Any]]
"`kernel_initializer` and `bias_initializer` of one layer."


class Initializers:
    """Makes Keras initializers.  The initializer of the k-th variable draws from counter k of the stream."""

    def __init__(self, scheme: Initialization, stream: Stream) -> None:
        """
        Args:
            scheme: the distribution of the weights.
            stream: where they are drawn from.
        """
        self.scheme, self.stream, self._made = scheme, stream, 0

    def layer(self, fan_in: int, fan_out: int, output: bool = False) -> Fans:
        """The initializers of one layer, by the scheme.

        "fan_in_uniform": U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights *and* biases, the default of the Torch 7
        layers that the Nature paper's code uses (`deepmind/dqn:dqn/convnet.lua`).
        "glorot_uniform": U(-l, l) with l = sqrt(6 / (fan_in + fan_out)), zero biases: Keras's default, and so
        Dopamine's (`google/dopamine:dopamine/discrete_domains/legacy_networks.py`).
        "dopamine_uniform": U(-l, l) with l = sqrt(sqrt(3) / fan_in), zero biases: Dopamine's distributional networks,
        in the same file (VarianceScaling of scale 1/sqrt(3), fan_in, uniform).
        "orthogonal": sqrt(2) times a random matrix with orthonormal rows or columns, zero biases, the output layer
        included, as in CleanRL's PQN (`vwxyzjn/cleanrl:cleanrl/pqn.py`, layer_init).
        "he_normal": N(0, 2 / fan_in) cut off at two deviations (and scaled to that variance), zero biases; the output
        layer N(0, 1 / fan_in) likewise: Flax's he_normal and its default, as in the authors' PQN
        (`mttga/purejaxql:purejaxql/pqn_atari.py`).

        Args:
            fan_in: inputs of one unit.
            fan_out: units that one input reaches.
            output: it is a network's last layer, which no ReLU follows.

        Returns:
            `kernel_initializer` and `bias_initializer`.
        """
        if self.scheme == "fan_in_uniform":
            return {"kernel_initializer": self.fan_in(fan_in), "bias_initializer": self.fan_in(fan_in)}
        if self.scheme == "glorot_uniform":
            return self.glorot(fan_in, fan_out)
        if self.scheme == "orthogonal":
            return {"kernel_initializer": self._orthogonal(math.sqrt(2.0)), "bias_initializer": self._uniform(0.0)}
        if self.scheme == "he_normal":
            deviation = math.sqrt((1.0 if output else 2.0) / fan_in)
            return {"kernel_initializer": self._cut_normal(deviation), "bias_initializer": self._uniform(0.0)}
        limit = math.sqrt(math.sqrt(3.0) / fan_in)
        return {"kernel_initializer": self._uniform(limit), "bias_initializer": self._uniform(0.0)}

    def glorot(self, fan_in: int, fan_out: int, gain: float = 1.0) -> Fans:
        """Glorot's initializers, whatever the scheme: U(-l, l) with l = gain sqrt(6 / (fan_in + fan_out)), zero biases.

        Args:
            fan_in: inputs of one unit.
            fan_out: units that one input reaches.
            gain: factor on l.

        Returns:
            `kernel_initializer` and `bias_initializer`.
        """
        limit = gain * math.sqrt(6.0 / (fan_in + fan_out))
        return {"kernel_initializer": self._uniform(limit), "bias_initializer": self._uniform(0.0)}

    def fan_in(self, fan_in: int) -> Callable[..., Any]:
        """The initializer of one variable: U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
        return self._uniform(1.0 / math.sqrt(fan_in))

    def normal(self, size: int) -> np.ndarray:
        """[size] float32 of a standard normal distribution: noise that is drawn once (networks/noisy.py)."""
        counter = self._made
        self._made += 1
        return self.stream.at(counter).standard_normal(size).astype(np.float32)

    def _uniform(self, limit: float) -> Callable[..., Any]:
        counter = self._made
        self._made += 1

        def initialize(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
            return self.stream.at(counter).uniform(-limit, limit, shape).astype(np.float32)

        return initialize

    def _cut_normal(self, deviation: float) -> Callable[..., Any]:
        counter = self._made
        self._made += 1

        def initialize(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
            return (deviation / CUT_DEVIATION * cut_normal(shape, self.stream.at(counter))).astype(np.float32)

        return initialize

    def _orthogonal(self, gain: float) -> Callable[..., Any]:
        counter = self._made
        self._made += 1

        def initialize(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
            flat = (math.prod(shape[:-1]), shape[-1])
            return (gain * orthogonal(*flat, self.stream.at(counter))).reshape(shape).astype(np.float32)

        return initialize


CUT_DEVIATION = 0.87962566103423978  # of a standard normal distribution without what is beyond two deviations


def cut_normal(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Normal numbers without the tails.

    Args:
        shape: of the array.
        random: where the draws come from.

    Returns:
        float64 numbers of a standard normal distribution, drawn again where they are beyond [-2, 2].
    """
    out = random.standard_normal(shape)
    while (beyond := np.abs(out) > 2).any():
        out[beyond] = random.standard_normal(int(beyond.sum()))
    return out


def orthogonal(rows: int, columns: int, random: np.random.Generator) -> np.ndarray:
    """A random matrix with orthonormal columns, or rows where these are fewer, all such matrices being equally likely.

    Gram and Schmidt's process on normal numbers, vector by vector.  No BLAS: the same bits everywhere.

    Args:
        rows: of the matrix.
        columns: of the matrix.
        random: where the draws come from.

    Returns:
        [rows, columns] float64.

    >>> q = orthogonal(5, 3, np.random.default_rng(0))
    >>> bool(np.abs(q.T @ q - np.eye(3)).max() < 1e-12)
    True
    """
    columnwise = rows >= columns
    vectors = random.standard_normal((max(rows, columns), min(rows, columns)))  # the columns
    for k in range(vectors.shape[1]):
        vector = vectors[:, k] / math.sqrt(math.fsum(np.square(vectors[:, k]).tolist()))
        vectors[:, k] = vector
        vectors[:, k + 1 :] -= np.multiply.outer(vector, np.einsum("i,ij->j", vector, vectors[:, k + 1 :]))
    return vectors if columnwise else vectors.T
