"""Statistics of an iteration as running sums, small enough to be part of every checkpoint."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MAGNITUDES = np.geomspace(1e-5, 1e5, 501)
EDGES = np.concatenate([-_MAGNITUDES[::-1], [0.0], _MAGNITUDES])  # bins 4.7 % wide, either sign


def binned(values: np.ndarray, weights: np.ndarray, most: int = 1_000_000) -> np.ndarray:
    """A histogram in proportion to weights.

    Args:
        values: of any shape; nan is left out.
        weights: >= 0, of the same shape.
        most: about the sum of all counts.

    Returns:
        Counts [len(EDGES) + 1] int64.

    >>> counts = binned(np.array([1.0, 1.0, -3.0]), np.array([0.25, 0.25, 0.5]))
    >>> counts[counts > 0].tolist()
    [500000, 500000]
    """
    known = np.isfinite(values)
    flat, mass = np.asarray(values, np.float64)[known], np.asarray(weights, np.float64)[known]
    sums = np.bincount(np.searchsorted(EDGES, flat, side="right"), weights=mass, minlength=len(EDGES) + 1)
    return np.round(sums / max(mass.sum(), 1e-300) * most).astype(np.int64)


def bin_of(values: np.ndarray) -> np.ndarray:
    """The number of the bin of each value, int64, in the shape of ``values`` (finite): how many edges are <= it.

    >>> bin_of(np.array([-3.0, 0.0, 1.0])).tolist() == np.searchsorted(EDGES, [-3.0, 0.0, 1.0], side="right").tolist()
    True
    """
    if values.dtype != np.float32:
        return np.searchsorted(EDGES, values, side="right")
    cells = np.ascontiguousarray(values).view(np.uint32) >> _CELL_BITS
    lowest, edge = _cells()
    return lowest[cells] + (values >= edge[cells])


_CELL_BITS = 16  # of a float32 that do not decide its cell: cells are 0.8 % wide, so that each has one edge at most


@functools.cache
def _cells() -> tuple[np.ndarray, np.ndarray]:
    """Of each cell of float32 numbers that agree in sign, exponent and 7 bits: how many edges are <= all of them, and
    the edge within the cell (infinity: there is none).  A look-up instead of a search: a twentieth of the time."""
    first = np.arange(1 << (32 - _CELL_BITS), dtype=np.uint32) << _CELL_BITS
    with np.errstate(invalid="ignore"):  # some cells are of nan
        ends = np.sort(np.stack([first, first | (1 << _CELL_BITS) - 1]).view(np.float32).astype(np.float64), axis=0)
    lowest, highest = (np.searchsorted(EDGES, end, side="right") for end in ends)
    return lowest, np.where(highest > lowest, np.append(EDGES, np.inf)[lowest], np.inf)


class Distribution:
    """Mean, deviation, extremes, and quantiles (to within the width of a bin, 4.7 %) of a stream of numbers."""

    def __init__(self) -> None:
        self.counts = np.zeros(len(EDGES) + 1, np.int64)
        self.total = self.squares = 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, values: np.ndarray) -> None:
        """values: any shape, finite."""
        self.add_each(np.asarray(values).reshape(1, -1))

    def add_each(self, values: np.ndarray) -> None:
        """``add`` each row of values [K, n], finite, in turn: the same sums to the last bit, one look-up for all."""
        self.counts += np.bincount(bin_of(values).ravel(), minlength=len(self.counts))
        rows = np.ascontiguousarray(values, np.float64)
        for row, total in zip(rows, rows.sum(axis=1).tolist(), strict=True):
            self.total += total
            self.squares += float(row @ row)
        self.low, self.high = min(self.low, float(rows.min())), max(self.high, float(rows.max()))

    @property
    def number(self) -> int:
        """How many numbers were added."""
        return int(self.counts.sum())

    def summary(self, name: str) -> dict[str, float]:
        """name_mean, name_std, name_q05 ... name_q95; nan if nothing was added."""
        n = self.number
        mean = self.total / n if n else math.nan
        std = math.sqrt(max(0.0, self.squares / n - mean * mean)) if n else math.nan
        quantiles = {f"{name}_q{int(100 * q + 0.5):02d}": self.quantile(q) for q in QUANTILES}
        return {f"{name}_mean": mean, f"{name}_std": std, **quantiles}

    def quantile(self, q: float) -> float:
        """The q-quantile, interpolated within its bin; nan if nothing was added."""
        if not self.number:
            return math.nan
        cumulative = np.cumsum(self.counts)
        wanted = q * cumulative[-1]
        index = int(np.searchsorted(cumulative, wanted))
        below = cumulative[index] - self.counts[index]
        left = EDGES[index - 1] if index else self.low
        right = EDGES[index] if index < len(EDGES) else self.high
        value = left + (right - left) * (wanted - below) / max(1, self.counts[index])
        return float(min(max(value, self.low), self.high))

    def state(self) -> dict[str, Any]:
        """Arrays and numbers; infinities as None, since JSON has none."""
        empty = not self.number
        return {
            "counts": self.counts.copy(),
            "total": self.total,
            "squares": self.squares,
            "low": None if empty else self.low,
            "high": None if empty else self.high,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``."""
        self.counts = np.array(state["counts"], np.int64)
        self.total, self.squares = float(state["total"]), float(state["squares"])
        self.low = math.inf if state["low"] is None else float(state["low"])
        self.high = -math.inf if state["high"] is None else float(state["high"])


class Moments:
    """Number, mean, deviation and maximum of a stream of single numbers."""

    def __init__(self) -> None:
        self.number, self.total, self.squares, self.high = 0, 0.0, 0.0, 0.0

    def add(self, value: float) -> None:
        """Add one number."""
        self.high = value if self.number == 0 else max(self.high, value)
        self.number += 1
        self.total += value
        self.squares += value * value

    @property
    def mean(self) -> float:
        """Of the numbers added; nan if there are none."""
        return self.total / self.number if self.number else math.nan

    @property
    def std(self) -> float:
        """Sample standard deviation; nan below two values."""
        if self.number < 2:
            return math.nan
        return math.sqrt(max(0.0, (self.squares - self.number * self.mean**2) / (self.number - 1)))

    @property
    def maximum(self) -> float:
        """Of the numbers added; nan if there are none."""
        return self.high if self.number else math.nan

    def state(self) -> list[float]:
        """Number, sum, sum of squares, maximum."""
        return [self.number, self.total, self.squares, self.high]

    def restore(self, state: list[float]) -> None:
        """The inverse of ``state``."""
        self.number = int(state[0])
        self.total, self.squares, self.high = (float(x) for x in state[1:])


class IterationStats:
    """The sums of the iteration under way.

    The TD errors and Q-values of updates are collected and counted many at a time, for speed.  Reading them counts the
    rest first, so summary and state are the same as if every update had been counted at once.
    """

    AT_ONCE = 64  # updates

    def __init__(self) -> None:
        self.returns, self.loss, self.grad_norm = Moments(), Moments(), Moments()
        self._td_error, self._q_value = Distribution(), Distribution()
        self._uncounted: list[tuple[np.ndarray, np.ndarray]] = []

    def add_update(self, loss: float, grad_norm: float, td_error: np.ndarray, q_values: np.ndarray) -> None:
        """Add one update.

        Args:
            loss: of the update.
            grad_norm: of its gradients, before clipping.
            td_error: [B]; kept, so it must not be written to.
            q_values: Q(s_tm1, .) of the online network, [B, A]; kept, too.
        """
        self.loss.add(loss)
        self.grad_norm.add(grad_norm)
        self._uncounted.append((td_error, q_values))
        if len(self._uncounted) >= self.AT_ONCE:
            self._count()

    def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, []
        for distribution, values in zip((self._td_error, self._q_value), zip(*uncounted, strict=True), strict=False):
            if len({np.shape(v) for v in values}) == 1:
                distribution.add_each(np.stack(values).reshape(len(values), -1))
            else:
                for v in values:
                    distribution.add(v)

    @property
    def td_error(self) -> Distribution:
        """Of the TD errors."""
        self._count()
        return self._td_error

    @property
    def q_value(self) -> Distribution:
        """Of the online network's Q-values of s_tm1, all actions."""
        self._count()
        return self._q_value

    def summary(self) -> dict[str, float]:
        """The columns of iterations.csv that come from sums."""
        return {
            "train_return_mean": self.returns.mean,
            "train_return_std": self.returns.std,
            "train_episodes": self.returns.number,
            "loss": self.loss.mean,
            **self.td_error.summary("td_error"),
            "grad_norm_mean": self.grad_norm.mean,
            "grad_norm_max": self.grad_norm.maximum,
            **self.q_value.summary("q"),
        }

    def _parts(self) -> dict[str, Any]:
        names = ("returns", "loss", "grad_norm", "td_error", "q_value")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, Any]:
        """The sums of every statistic, by name."""
        return {name: part.state() for name, part in self._parts().items()}

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``."""
        for name, part in self._parts().items():
            part.restore(state[name])
