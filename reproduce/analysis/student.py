"""Student's t distribution."""

from __future__ import annotations

import math
from functools import cache

from dqn_tf.checks import expect


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
