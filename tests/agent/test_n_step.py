"""n-step returns: R = sum_{i<k} gamma^i r_{t+i+1}, discount gamma^k, or 0 at termination."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dqn_tf.agent.n_step import Accumulator, Completed

Step = tuple[float, float]  # reward, the environment's discount


def play(accumulator: Accumulator, episode: list[Step]) -> list[list[Completed]]:
    """What each step completes; action t is taken at step t."""
    last = len(episode) - 1
    return [accumulator.add(t, reward, discount, t == last) for t, (reward, discount) in enumerate(episode)]


def naive(episode: list[Step], n: int, gamma: float) -> list[Completed]:
    """All transitions of an episode, in order, each summed from its own first step."""
    out = []
    for t in range(len(episode)):
        k = min(n, len(episode) - t)
        discounts = [gamma * d for _, d in episode[t : t + k]]
        total = sum(float(np.prod(discounts[:i])) * episode[t + i][0] for i in range(k))
        out.append(Completed(k, t, total, float(np.prod(discounts))))
    return out


def test_three_steps_by_hand() -> None:
    """gamma = 1/2, rewards 8, 4, 2, 1: R_0 = 8 + 4/2 + 2/4 = 10.5, R_1 = 4 + 2/2 + 1/4 = 5.25, then the tails."""
    added = play(Accumulator(3, 0.5), [(8.0, 1.0), (4.0, 1.0), (2.0, 1.0), (1.0, 0.0)])
    assert added == [
        [],
        [],
        [Completed(steps=3, action=0, reward=10.5, discount=0.125)],
        [Completed(3, 1, 5.25, 0.0), Completed(2, 2, 2.5, 0.0), Completed(1, 3, 1.0, 0.0)],
    ]


def test_truncation_keeps_the_discount_of_the_steps_that_were_played() -> None:
    added = play(Accumulator(3, 0.5), [(8.0, 1.0), (4.0, 1.0)])
    assert added[-1] == [Completed(2, 0, 10.0, 0.25), Completed(1, 1, 4.0, 0.5)]


def test_rewards_after_the_end_of_the_value_do_not_count() -> None:
    """A lost life (discount 0) in mid-episode: nothing from behind it enters the return, but the episode goes on."""
    added = play(Accumulator(3, 0.5), [(8.0, 1.0), (4.0, 0.0), (100.0, 1.0), (2.0, 1.0)])
    assert added[2] == [Completed(3, 0, 10.0, 0.0)]
    assert added[3] == [Completed(3, 1, 4.0, 0.0), Completed(2, 2, 101.0, 0.25), Completed(1, 3, 2.0, 0.5)]


def test_an_episode_of_one_step() -> None:
    assert play(Accumulator(5, 0.5), [(3.0, 0.0)]) == [[Completed(1, 0, 3.0, 0.0)]]


def test_nothing_is_left_open_when_an_episode_ends() -> None:
    accumulator = Accumulator(5, 0.5)
    play(accumulator, [(3.0, 1.0), (1.0, 1.0)])
    assert accumulator.state() == []
    assert play(accumulator, [(7.0, 0.0)]) == [[Completed(1, 0, 7.0, 0.0)]]


def test_one_step_returns_are_the_rewards_themselves() -> None:
    """Reduction: n = 1 is DQN; every step completes its own transition at once."""
    rewards = np.random.default_rng(0).normal(size=50)
    added = play(Accumulator(1, 0.99), [(float(r), 1.0) for r in rewards])
    assert added == [[Completed(1, t, float(r), 0.99)] for t, r in enumerate(rewards)]


@pytest.mark.parametrize("n", [1, 3, 5])
def test_equals_the_naive_sums(n: int) -> None:
    """Lengths below and above n; terminations, truncations, and lost lives in between.  With gamma = 1/2 and whole
    rewards all sums are exact, so the order of the additions cannot matter."""
    random = np.random.default_rng(n)
    accumulator = Accumulator(n, 0.5)
    for _ in range(200):
        length = int(random.integers(1, 3 * n + 2))
        rewards = random.integers(-5, 6, length).astype(float)
        discounts = (random.random(length) < 0.8).astype(float)
        episode = [(float(r), float(d)) for r, d in zip(rewards, discounts, strict=True)]
        assert list(itertools.chain(*play(accumulator, episode))) == naive(episode, n, 0.5)


def test_state_and_restore_give_the_same_future() -> None:
    one, other = Accumulator(3, 0.9), Accumulator(3, 0.9)
    one.add(4, 1.5, 1.0, False)
    one.add(2, -0.1, 0.0, False)
    other.restore(one.state())
    assert [other.add(1, 0.3, 1.0, True)] == [one.add(1, 0.3, 1.0, True)]
