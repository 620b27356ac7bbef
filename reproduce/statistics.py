"""Small-sample statistics: how one run stands to a handful of published ones.  Pure arithmetic."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from dqn_tf.checks import expect
from reproduce.tables import number

CONFIDENCE = 0.95
WITHIN_RUNS, WITHIN_PREDICTION, OUTSIDE = "within the published runs", "within the prediction interval", "outside"


class Interval(NamedTuple):
    """A closed interval."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class Verdict(NamedTuple):
    """How one new run stands to n published ones: ``status`` is one of the three words above."""

    status: str
    prediction: Interval
    sentence: str


def student_cdf(t: float, degrees: int) -> float:
    """P(T <= t) for Student's t with ``degrees`` >= 1 degrees of freedom.

    Abramowitz & Stegun 1964, equations 26.7.3 (odd) and 26.7.4 (even), theta = atan(t / sqrt(degrees)).  Exact.

    >>> student_cdf(0.0, 4), round(student_cdf(2.776445, 4), 6)
    (0.5, 0.975)
    """
    expect(degrees >= 1, "at least 1 degree of freedom", "degrees", degrees)
    theta, odd = math.atan(t / math.sqrt(degrees)), degrees % 2
    cosine = math.cos(theta)
    term, total = cosine**odd, 0.0
    for power in range(odd, degrees - 1, 2):
        if power > odd:
            term *= cosine**2 * (power - 1) / power
        total += term
    inner = math.sin(theta) * total
    central = 2.0 / math.pi * (theta + inner) if odd else inner
    return 0.5 + 0.5 * central


@cache
def student_quantile(probability: float, degrees: int) -> float:
    """The t with P(T <= t) = ``probability``, 0.5 <= probability < 1, by bisection.

    >>> [round(student_quantile(0.975, d), 3) for d in (1, 2, 4, 30)]
    [12.706, 4.303, 2.776, 2.042]
    """
    expect(0.5 <= probability < 1, "a probability in [0.5, 1)", "probability", probability)
    low, high = 0.0, 1.0
    while student_cdf(high, degrees) < probability:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if student_cdf(middle, degrees) < probability else (low, middle)
    return 0.5 * (low + high)


def prediction_interval(mean: float, std: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Where the result of one new run falls with ``confidence``, if runs are normal and n of them gave mean and std.

    mean +- t * std * sqrt(1 + 1/n), t the (1 + confidence)/2 quantile of Student's t with n - 1 degrees of freedom;
    std is the sample standard deviation.  Wider than a confidence interval of the mean: it is about a run.

    >>> [round(x, 3) for x in prediction_interval(mean=10.0, std=1.0, n=5)]    # 2.776 * sqrt(1.2) = 3.041
    [6.959, 13.041]

    Raises ConfigError: fewer than 2 runs, a negative std.
    """
    expect(n >= 2, "at least 2 runs", "n", n)
    expect(std >= 0, "a standard deviation >= 0", "std", std)
    half = student_quantile(0.5 + 0.5 * confidence, n - 1) * std * math.sqrt(1.0 + 1.0 / n)
    return Interval(mean - half, mean + half)


def judge(value: float, mean: float, std: float, runs: Interval, n: int) -> Verdict:
    """How ``value``, one run's result, stands to n published runs of this mean and std, lowest and highest ``runs``.

    Bounds belong to their interval.  A run like the published ones lands between their lowest and highest only with
    probability (n - 1) / (n + 1) (two in three for n = 5), so that alone is no test; the prediction interval is.
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
