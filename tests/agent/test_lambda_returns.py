"""Lambda-returns: by hand, against the sum of all n-step returns, and what they are at lambda 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.agent.lambda_returns import LambdaReturns, lambda_returns

T, E, GAMMA = 12, 5, 0.9
Rollout = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def rollout(seed: int = 0, dtype: type = np.float64) -> Rollout:
    """Rewards, discounts, values of the next states, and whether an episode goes on: ends and cuts among them."""
    random = np.random.default_rng(seed)
    over, cut = random.random((T, E)) < 0.2, random.random((T, E)) < 0.15
    goes_on = ~(over | cut)
    goes_on[-1] = False
    r, v = random.normal(size=(2, T, E)).astype(dtype)
    return r, np.where(over, 0, GAMMA).astype(dtype), v, goes_on


def n_step(r: np.ndarray, discount: np.ndarray, v: np.ndarray, t: int, n: int) -> float:
    """The return of n steps from t on: rewards, then the value of the state that they led to."""
    total, product = 0.0, 1.0
    for k in range(t, t + n):
        total += product * r[k]
        product *= discount[k]
    return total + product * v[t + n - 1]


def naive(r: np.ndarray, discount: np.ndarray, v: np.ndarray, goes_on: np.ndarray, decay: float) -> np.ndarray:
    """sum_n (1 - lambda) lambda^(n-1) G^(n), all that is left for the longest one; each from its own first step."""
    out = np.zeros_like(r)
    for t, e in np.ndindex(r.shape):
        longest = 1
        while goes_on[t + longest - 1, e]:
            longest += 1
        column = (r[:, e], discount[:, e], v[:, e])
        weights = [(1 - decay) * decay ** (n - 1) for n in range(1, longest)]
        weights.append(decay ** (longest - 1))
        out[t, e] = sum(w * n_step(*column, t, n) for n, w in enumerate(weights, start=1))
    return out


def test_three_steps_by_hand() -> None:
    """gamma = 1/2, lambda = 1/4, rewards 1, 2, 4, values 8, 16, 32 of the next states.

    G_2 = 4 + 32/2 = 20;  G_1 = 2 + (3/4 16 + 1/4 20)/2 = 10.5;  G_0 = 1 + (3/4 8 + 1/4 10.5)/2 = 5.3125
    """
    r, v = np.array([[1.0], [2.0], [4.0]]), np.array([[8.0], [16.0], [32.0]])
    half, goes_on = np.full((3, 1), 0.5), np.array([[True], [True], [False]])
    assert lambda_returns(r, half, v, goes_on, 0.25).ravel().tolist() == [5.3125, 10.5, 20.0]
    # The second step ends the episode: G_1 = 2, and G_0 = 1 + (3/4 8 + 1/4 2)/2 = 4.25.
    over = np.array([[0.5], [0.0], [0.5]])
    ended = np.array([[True], [False], [False]])
    assert lambda_returns(r, over, v, ended, 0.25).ravel().tolist() == [4.25, 2.0, 20.0]
    # A time limit cuts it off there: G_1 = 2 + 16/2 = 10, and G_0 = 1 + (3/4 8 + 1/4 10)/2 = 5.25.
    assert lambda_returns(r, half, v, ended, 0.25).ravel().tolist() == [5.25, 10.0, 20.0]


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.65, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_all_n_step_returns_weighted(decay: float, seed: int) -> None:
    found = lambda_returns(*rollout(seed), decay)
    np.testing.assert_allclose(found, naive(*rollout(seed), decay), rtol=1e-12, atol=1e-12)
    single = rollout(seed, np.float32)
    assert lambda_returns(*single, decay).dtype == np.float32
    np.testing.assert_allclose(lambda_returns(*single, decay), found, rtol=1e-5, atol=1e-5)


def test_lambda_0_is_the_one_step_target() -> None:
    """To the bit; the returns further on may be anything."""
    r, discount, v, goes_on = rollout()
    assert np.array_equal(lambda_returns(r, discount, v, goes_on, 0.0), r + discount * v)


def test_lambda_1_is_the_sum_of_rewards_up_to_the_end_of_the_episode_or_of_the_rollout() -> None:
    r, discount, v, goes_on = rollout(4)
    found = lambda_returns(r, discount, v, goes_on, 1.0)
    for t, e in np.ndindex(r.shape):
        k, total, product = t, 0.0, 1.0
        while True:
            total += product * r[k, e]
            product *= discount[k, e]
            if not goes_on[k, e]:
                break
            k += 1
        assert found[t, e] == pytest.approx(total + product * v[k, e], rel=1e-12)


def test_environments_and_episodes_do_not_mix() -> None:
    """A reward moves only the returns of its own environment, of its own episode, of its step and those before."""
    r, discount, v, goes_on = rollout(2)
    before = lambda_returns(r, discount, v, goes_on, 0.65)
    first = 1 + max(t for t in range(6) if not goes_on[t, 1])
    r[6, 1] += 1
    changed = np.argwhere(lambda_returns(r, discount, v, goes_on, 0.65) != before)
    assert all(goes_on[first:6, 1]) and changed.tolist() == [[t, 1] for t in range(first, 7)]


def test_a_rollout_of_one_step() -> None:
    assert lambda_returns(*(np.full((1, 2), x) for x in (1.0, 0.5, 4.0, 0.0)), 0.65).tolist() == [[3.0, 3.0]]


def test_shapes_that_differ() -> None:
    r, discount, v, goes_on = rollout()
    with pytest.raises(ValueError, match=r"Expected four arrays of one shape \[T, E\], got"):
        lambda_returns(r, discount, v[1:], goes_on, 0.5)


@pytest.mark.parametrize("decay", [-0.1, 1.1])
def test_lambda_is_a_share(outcome, decay: float) -> None:
    said = outcome(LambdaReturns, trace_decay=decay)
    assert said == f"Expected a number in [0, 1] for `returns.trace_decay`, got {decay}."
