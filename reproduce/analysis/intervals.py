"""Intervals of a handful of values by Student's t: one run beside published runs, and means beside means.

Formulas: docs/statistics.md.  The quantiles of Student's t are SciPy's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import stdtrit

from dqn_tf.checks import expect
from reproduce.formatting import number

CONFIDENCE = 0.95

WITHIN_RUNS, WITHIN_PREDICTION, OUTSIDE = "within the published runs", "within the prediction interval", "outside"


class Interval(NamedTuple):
    """A closed interval."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Verdict(NamedTuple):
    """How one new run compares with n published ones.

    Attributes:
        status: ``WITHIN_RUNS``, ``WITHIN_PREDICTION`` or ``OUTSIDE``.
        prediction: the 95 % prediction interval.
        sentence: the verdict in words, with the numbers.
    """

    status: str
    prediction: Interval
    sentence: str


def prediction_interval(mean: float, std: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Where the result of one new run falls with probability ``confidence``, if runs are normally distributed.

    mean +- t * std * sqrt(1 + 1/n), t the (1 + confidence)/2 quantile of Student's t with n - 1 degrees of freedom. It
    is wider than a confidence interval of the mean, because it is about one run.

    Args:
        mean: mean of the known runs.
        std: their sample standard deviation, at least 0.
        n: how many they are, at least 2.
        confidence: probability, in (0, 1).

    Returns:
        The interval, in the unit of ``mean``.

    Raises:
        ConfigError: fewer than 2 runs, a negative std, or a confidence outside (0, 1).

    >>> [round(x, 3) for x in prediction_interval(mean=10.0, std=1.0, n=5)]    # 2.776 * sqrt(1.2) = 3.041
    [6.959, 13.041]
    """
    expect(n >= 2, "at least 2 runs", "n", n)
    expect(std >= 0, "a standard deviation >= 0", "std", std)
    half = _quantile(confidence, n - 1) * std * math.sqrt(1.0 + 1.0 / n)
    return Interval(mean - half, mean + half)


def mean_interval(mean: float, std: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """The confidence interval of the mean of n normally distributed values: mean +- t * std / sqrt(n).

    t is that of ``prediction_interval``.

    Args:
        mean: mean of the values.
        std: their sample standard deviation.
        n: how many they are.
        confidence: probability, in (0, 1).

    Returns:
        The interval, in the unit of ``mean``; nan to nan for one value, which says nothing about its spread.

    Raises:
        ConfigError: a confidence outside (0, 1).

    >>> [round(x, 3) for x in mean_interval(mean=10.0, std=1.0, n=5)]    # 2.776 / sqrt(5) = 1.242
    [8.758, 11.242]
    """
    if n < 2:
        return Interval(math.nan, math.nan)
    half = _quantile(confidence, n - 1) * std / math.sqrt(n)
    return Interval(mean - half, mean + half)


class Sample(NamedTuple):
    """What is known of n values.

    Attributes:
        mean: their mean.
        std: their sample standard deviation.
        n: how many they are.
    """

    mean: float
    std: float
    n: int


def difference_interval(one: Sample, other: Sample, confidence: float = CONFIDENCE) -> Interval:
    """The confidence interval of the difference of two means whose variances need not be equal (Welch).

    difference +- t * sqrt(v), v = v_1 + v_2, v_i = std_i^2 / n_i; t with v^2 / sum(v_i^2 / (n_i - 1)) degrees of
    freedom (Welch 1947, Satterthwaite), rounded down: never narrower than it should be.

    Args:
        one: the sample whose mean is the minuend.
        other: the sample whose mean is subtracted.
        confidence: probability, in (0, 1).

    Returns:
        The interval of ``one.mean - other.mean``; nan to nan where either has fewer than 2 values, or both have no
            spread.

    Raises:
        ConfigError: a confidence outside (0, 1).

    >>> [round(x, 3) for x in difference_interval(Sample(12.0, 3.0, 3), Sample(10.0, 1.0, 5))]  # 2 +- 4.303 * sqrt(3.2)
    [-5.697, 9.697]
    """
    if min(one.n, other.n) < 2 or one.std == other.std == 0:
        return Interval(math.nan, math.nan)
    parts = [s.std**2 / s.n for s in (one, other)]
    degrees = sum(parts) ** 2 / sum(v**2 / (s.n - 1) for v, s in zip(parts, (one, other), strict=True))
    half = _quantile(confidence, max(1, math.floor(degrees))) * math.sqrt(sum(parts))
    return Interval(one.mean - other.mean - half, one.mean - other.mean + half)


def pooled_interval(one: Sample, other: Sample, confidence: float = CONFIDENCE, *, least_std: float = 0.0) -> Interval:
    """The confidence interval of the difference of two means whose variances are taken to be equal (Student).

    difference +- t * s * sqrt(1/n_1 + 1/n_2), s^2 the mean of both variances weighted by n_i - 1; t with n_1 + n_2 - 2
    degrees of freedom (Student 1908).

    >>> [round(x, 3) for x in pooled_interval(Sample(12.0, 3.0, 3), Sample(10.0, 1.0, 5))]  # 2 +- 2.447 * 1.915 * 0.730
    [-1.422, 5.422]

    Args:
        one: the sample whose mean is the minuend.
        other: the sample whose mean is subtracted.
        confidence: probability, in (0, 1).
        least_std: s is not taken to be less.

    Returns:
        The interval of ``one.mean - other.mean``.

    Raises:
        ConfigError: fewer than one value in either, fewer than 3 in both together, or a confidence outside (0, 1).
    """
    degrees = one.n + other.n - 2
    expect(min(one.n, other.n) >= 1 and degrees >= 1, "3 values, one of each", "n", (one.n, other.n))
    squares = [(s.n - 1) * s.std**2 for s in (one, other) if s.n > 1]
    std = max(least_std, math.sqrt(sum(squares) / degrees))
    half = _quantile(confidence, degrees) * std * math.sqrt(1 / one.n + 1 / other.n)
    return Interval(one.mean - other.mean - half, one.mean - other.mean + half)


def judge(value: float, mean: float, std: float, runs: Interval, n: int) -> Verdict:
    """How the result of one run compares with published runs.  Intervals are closed.

    A run like the published ones lands between their lowest and highest only with probability (n - 1) / (n + 1) (two in
    three for n = 5), so that alone is no test; the prediction interval is.

    Args:
        value: result of the run.
        mean: mean of the published runs.
        std: their sample standard deviation.
        runs: the lowest and the highest of them.
        n: how many they are, at least 2.

    Returns:
        The strictest verdict that holds, the 95 % prediction interval, and a sentence with the numbers.

    Raises:
        ConfigError: as ``prediction_interval``.
    """
    prediction = prediction_interval(mean, std, n)
    if runs.holds(value):
        status, where = WITHIN_RUNS, f"between the lowest ({number(runs.low)}) and the highest ({number(runs.high)})"
    elif prediction.holds(value):
        status = WITHIN_PREDICTION
        side, bound = ("below the lowest", runs.low) if value < runs.low else ("above the highest", runs.high)
        where = f"{side} ({number(bound)}), but where one more such run falls 19 times in 20"
    else:
        status = OUTSIDE
        where = f"{'below' if value < prediction.low else 'above'} where one more such run falls 19 times in 20"
    if status == WITHIN_RUNS:
        where += f" of {n} published runs"
    else:
        where += f" ({number(prediction.low)} to {number(prediction.high)}), judging by {n} published runs"
    sentence = f"{number(value)} is {where} (mean {number(mean)}, standard deviation {number(std)})."
    return Verdict(status, prediction, sentence)


def _quantile(confidence: float, degrees: int) -> float:
    """The t with P(|T| <= t) = ``confidence`` for Student's t with ``degrees`` degrees of freedom."""
    expect(0 < confidence < 1, "a probability between 0 and 1", "confidence", confidence)
    return float(stdtrit(degrees, 0.5 + 0.5 * confidence))
