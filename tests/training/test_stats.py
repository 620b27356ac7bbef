"""What an iteration measured, against NumPy on the whole data."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dqn_tf.training.stats import EDGES, QUANTILES, Distribution, IterationStats, Moments, bin_of

BIN = float(EDGES[-1] / EDGES[-2])  # 1.047: the ratio of a bin's ends


def normal(n: int = 5000) -> np.ndarray:
    return np.random.default_rng(0).normal(1.0, 3.0, n)


def filled(values: np.ndarray, parts: int = 7) -> Distribution:
    """A distribution that was told of the values in parts."""
    distribution = Distribution()
    for part in np.array_split(values, parts):
        distribution.add(part)
    return distribution


# -- distributions -----------------------------------------------------------------------------------------------------
def test_mean_and_deviation_are_numpy_s() -> None:
    """Tolerance: sums in another order."""
    summary = filled(normal()).summary("x")
    assert summary["x_mean"] == pytest.approx(normal().mean(), rel=1e-12)
    assert summary["x_std"] == pytest.approx(normal().std(), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_quantiles_are_right_to_the_width_of_a_bin(scale: float) -> None:
    distribution = filled(normal() * scale)
    for q in (0.01, *QUANTILES, 0.99):
        want = float(np.quantile(normal() * scale, q))
        assert distribution.quantile(q) == pytest.approx(want, rel=BIN - 1)


def test_the_columns() -> None:
    assert list(filled(normal()).summary("td_error")) == [
        *("td_error_mean", "td_error_std"),
        *("td_error_q05", "td_error_q25", "td_error_q50", "td_error_q75", "td_error_q95"),
    ]


def test_one_value_is_every_quantile() -> None:
    for value in (0.0, 3.0, -3.0, 1e-9, 1e9, -1e9):
        distribution = filled(np.array([value]), parts=1)
        assert [distribution.quantile(q) for q in (0.0, 0.5, 1.0)] == [value] * 3


def test_quantiles_stay_within_what_was_seen() -> None:
    """Also in the open bins beyond the last edges."""
    values = np.array([-1e7, -2e6, 5.0, 3e6, 8e8])
    distribution = filled(values, parts=1)
    quantiles = [distribution.quantile(q) for q in np.linspace(0, 1, 101)]
    assert quantiles == sorted(quantiles)
    assert (quantiles[0], quantiles[-1]) == (-1e7, 8e8)


def test_zeros_are_told_from_small_numbers() -> None:
    distribution = filled(np.repeat([0.0, 1e-3], [50, 50]))
    assert distribution.quantile(0.25) < 1e-5 < distribution.quantile(0.75)


def test_any_shape_and_float32() -> None:
    values = normal(24).astype(np.float32)
    assert filled(values.reshape(2, 3, 4), parts=2).counts.tolist() == filled(values).counts.tolist()
    assert filled(values).number == 24


def test_every_value_is_in_one_bin() -> None:
    assert filled(EDGES).counts.tolist() == [0, *[1] * len(EDGES)]
    assert (np.diff(EDGES) > 0).all() and 0.0 in EDGES


def test_bins_of_float32_are_those_of_a_search() -> None:
    """On edges and their neighbors, zeros, the smallest and largest numbers, and all magnitudes between."""
    near = EDGES.astype(np.float32)
    far = np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))
    ends = np.array([0.0, -0.0, 3e38, -3e38, 1e-45, -1e-45], np.float32)
    random = np.random.default_rng(1)
    wide = (random.normal(size=100_000) * 10 ** random.uniform(-9, 9, 100_000)).astype(np.float32)
    values = np.concatenate([near, *far, ends, wide])
    assert np.array_equal(bin_of(values), np.searchsorted(EDGES, values.astype(np.float64), side="right"))


@pytest.mark.parametrize("size", [1, 7, 128, 129, 600])
def test_many_rows_at_once_are_one_after_the_other_to_the_last_bit(size: int) -> None:
    rows = normal(33 * size).astype(np.float32).reshape(33, size)
    one, other = filled(rows[0], parts=1), Distribution()
    for row in rows[1:]:
        one.add(row)
    other.add_each(rows)
    assert repr(one.state()) == repr(other.state()) and np.array_equal(one.counts, other.counts)


def test_nothing_added_is_not_a_number() -> None:
    assert all(math.isnan(v) for v in Distribution().summary("x").values())


# -- moments -----------------------------------------------------------------------------------------------------------
def test_moments_are_numpy_s() -> None:
    moments = Moments()
    for value in normal(100):
        moments.add(float(value))
    assert moments.mean == pytest.approx(normal(100).mean(), rel=1e-12)
    assert moments.std == pytest.approx(normal(100).std(ddof=1), rel=1e-12)
    assert moments.maximum == normal(100).max() and moments.number == 100


def test_few_values() -> None:
    moments = Moments()
    assert math.isnan(moments.mean) and math.isnan(moments.std) and math.isnan(moments.maximum)
    moments.add(-2.0)
    assert (moments.mean, moments.maximum) == (-2.0, -2.0) and math.isnan(moments.std)
    moments.add(-2.0)
    assert moments.std == 0.0


# -- iterations --------------------------------------------------------------------------------------------------------
def iteration(updates: int) -> IterationStats:
    stats = IterationStats()
    for i in range(updates):
        values = normal(8) * (i + 1)
        stats.add_update(float(i), float(10 - i), values[:4], values.reshape(4, 2))
    return stats


def test_one_update_after_another() -> None:
    summary = iteration(3).summary()
    assert (summary["loss"], summary["grad_norm_mean"], summary["grad_norm_max"]) == (1.0, 9.0, 10.0)
    assert summary["td_error_mean"] == pytest.approx(2 * normal(8)[:4].mean())
    assert summary["q_mean"] == pytest.approx(2 * normal(8).mean())
    assert summary["train_episodes"] == 0 and math.isnan(summary["train_return_mean"])


def test_what_is_read_does_not_depend_on_when_it_was_counted() -> None:
    """More updates than are counted at once, batches of two sizes, and somebody who looks after each of them."""
    one, other = IterationStats(), IterationStats()
    for i in range(IterationStats.AT_ONCE + 5):
        values = (normal(8) * (i + 1)).astype(np.float32)[: 4 if i % 3 else 8]
        for stats in (one, other):
            stats.add_update(float(i), 1.0, values, values.reshape(-1, 2))
        assert other.td_error.number == sum(4 if k % 3 else 8 for k in range(i + 1))
    assert repr(one.state()) == repr(other.state()) and np.array_equal(one.q_value.counts, other.q_value.counts)


@pytest.mark.parametrize("updates", [0, 3])
def test_state_and_restore_give_the_same_future(updates: int) -> None:
    """Through JSON, as in a checkpoint; nothing added yet included."""
    one, other = iteration(updates), IterationStats()
    state = one.state()
    state["td_error"]["counts"] = state["td_error"]["counts"].tolist()
    state["q_value"]["counts"] = state["q_value"]["counts"].tolist()
    other.restore(json.loads(json.dumps(state, allow_nan=False)))
    for stats in (one, other):
        stats.returns.add(5.0)
        stats.add_update(0.1, 0.2, normal(4), normal(4))
    assert repr(one.summary()) == repr(other.summary())


def test_a_saved_state_does_not_change_with_the_statistics() -> None:
    stats = iteration(2)
    state = stats.state()
    counts, rest = state["td_error"]["counts"].copy(), repr(state)
    stats.add_update(1.0, 1.0, normal(4), normal(4))
    assert np.array_equal(state["td_error"]["counts"], counts) and repr(state) == rest
