"""Student's intervals against printed tables, integrals and examples worked by hand."""

from __future__ import annotations

import math

import pytest

from reproduce.analysis.intervals import (
    OUTSIDE,
    WITHIN_PREDICTION,
    WITHIN_RUNS,
    Interval,
    judge,
    mean_interval,
    prediction_interval,
)


@pytest.mark.parametrize(
    ("degrees", "probability", "t"),
    [  # any printed table of Student's t, three decimals
        (1, 0.975, 12.706),
        (2, 0.975, 4.303),
        (3, 0.975, 3.182),
        (4, 0.975, 2.776),
        (5, 0.975, 2.571),
        (10, 0.975, 2.228),
        (30, 0.975, 2.042),
        (4, 0.95, 2.132),
        (4, 0.995, 4.604),
        (7, 0.9, 1.415),
    ],
)
def test_quantiles_are_those_of_printed_tables(degrees, probability, t):
    """As half the width of a mean's interval, times the square root of n, for a standard deviation of 1."""
    low, high = mean_interval(0.0, 1.0, degrees + 1, 2 * probability - 1)
    assert high * math.sqrt(degrees + 1) == pytest.approx(t, abs=6e-4) and low == -high


@pytest.mark.parametrize("n", range(2, 9))
def test_the_probability_of_an_interval_is_the_integral_of_the_density(n):
    """Computed naively, by the midpoint rule over a mean's interval: its error is below 1e-8 with 20,000 pieces."""
    degrees = n - 1
    t = mean_interval(0.0, 1.0, n, 0.8).high * math.sqrt(n)
    scale = math.gamma((degrees + 1) / 2) / (math.sqrt(degrees * math.pi) * math.gamma(degrees / 2))
    step = t / 20_000
    area = sum((1 + ((i + 0.5) * step) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(20_000)) * step * scale
    assert 2 * area == pytest.approx(0.8, abs=1e-8)


def test_prediction_interval_by_hand():
    """Five runs, mean 100, standard deviation 10: 2.7764 * 10 * sqrt(6/5) = 30.41."""
    low, high = prediction_interval(100.0, 10.0, 5)
    assert (round(low, 2), round(high, 2)) == (69.59, 130.41)
    assert prediction_interval(3.0, 0.0, 5) == (3.0, 3.0)


def test_verdicts_at_the_boundaries():
    runs = Interval(90.0, 112.0)
    low, high = prediction_interval(100.0, 10.0, 5)

    def status(value):
        return judge(value, 100.0, 10.0, runs, 5).status

    assert [status(v) for v in (90.0, 100.0, 112.0)] == [WITHIN_RUNS] * 3
    below, above = math.nextafter(90.0, 0.0), math.nextafter(112.0, 200.0)
    assert [status(v) for v in (below, above, low, high)] == [WITHIN_PREDICTION] * 4
    assert [status(v) for v in (math.nextafter(low, 0.0), math.nextafter(high, 200.0))] == [OUTSIDE] * 2


def test_runs_without_spread():
    """Montezuma's Revenge: every run scored 0."""
    assert judge(0.0, 0.0, 0.0, Interval(0.0, 0.0), 5).status == WITHIN_RUNS
    assert judge(0.1, 0.0, 0.0, Interval(0.0, 0.0), 5).status == OUTSIDE


def test_sentences():
    runs = Interval(90.0, 112.0)
    assert judge(95.0, 100.0, 10.0, runs, 5).sentence == (
        "95 is between the lowest (90) and the highest (112) of 5 published runs (mean 100, standard deviation 10)."
    )
    assert judge(80.0, 100.0, 10.0, runs, 5).sentence == (
        "80 is below the lowest (90), but where one more such run falls 19 times in 20 (69.59 to 130.4), judging by 5 "
        "published runs (mean 100, standard deviation 10)."
    )
    assert judge(150.0, 100.0, 10.0, runs, 5).sentence.startswith("150 is above where one more such run falls 19 times")
    assert judge(50.0, 100.0, 10.0, runs, 5).sentence.startswith("50 is below where one more such run falls 19 times")


def test_refusals(outcome):
    assert outcome(prediction_interval, 1.0, 1.0, 1) == "Expected at least 2 runs for `n`, got 1."
    assert "a standard deviation >= 0" in outcome(prediction_interval, 1.0, -1.0, 5)
    assert "a probability between 0 and 1" in outcome(prediction_interval, 1.0, 1.0, 5, 1.0)


def test_mean_interval_by_hand():
    assert mean_interval(10.0, 2.0, 4) == pytest.approx((10 - 3.1824, 10 + 3.1824), abs=1e-3)  # 3.1824 * 2 / sqrt(4)
    assert all(math.isnan(bound) for bound in mean_interval(10.0, math.nan, 1))
