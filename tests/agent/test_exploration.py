"""Epsilon-greedy behavior: the schedule, the coin, ties, and where the random numbers come from."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.exploration import Behavior, EpsilonGreedy, choose
from dqn_tf.checks import RunError
from dqn_tf.rng import Stream

Q = np.array([1.0, 3.0, 2.0], np.float32)
TIED = np.array([2.0, 1.0, 2.0, 2.0], np.float32)


def actions(q: np.ndarray, epsilon: float, ties: bool, draws: int = 6000) -> np.ndarray:
    """How often each action is chosen in ``draws`` draws."""
    stream = Stream(0, "test")
    chosen = [choose(lambda: q, len(q), epsilon, stream.at(i), ties) for i in range(draws)]
    return np.bincount(chosen, minlength=len(q))


@pytest.mark.parametrize(
    ("step", "epsilon"),
    [(0, 1.0), (50_000, 1.0), (300_000, 0.775), (550_000, 0.55), (1_050_000, 0.1), (50_000_000, 0.1)],
)
def test_the_paper_s_schedule(step: int, epsilon: float) -> None:
    """From 1 to 0.1 over a million steps that begin when learning does, after 50,000."""
    assert EpsilonGreedy().epsilon(step, 50_000) == pytest.approx(epsilon, abs=1e-15)


def test_the_schedule_never_rises_and_ends_exactly() -> None:
    rule = EpsilonGreedy(initial_epsilon=0.7, final_epsilon=0.01, decay_steps=30)
    epsilons = [rule.epsilon(step, 10) for step in range(60)]
    assert epsilons[:11] == [pytest.approx(0.7, abs=1e-15)] * 11
    assert all(a > b for a, b in itertools.pairwise(epsilons[10:41]))
    assert set(epsilons[40:]) == {0.01}


def test_a_decay_that_begins_with_the_run() -> None:
    """CleanRL's dqn.py: max(slope * t + 1, 0.05) with slope = (0.05 - 1) / 250,000, from step 0 on."""
    rule = EpsilonGreedy(final_epsilon=0.05, decay_steps=250_000, decay_from="first_step")
    for step in (0, 1, 10_000, 125_000, 249_999, 250_000, 500_000):
        assert rule.epsilon(step, 10_000) == pytest.approx(max((0.05 - 1) / 250_000 * step + 1, 0.05), abs=1e-12)
    assert EpsilonGreedy(decay_from="learning") == EpsilonGreedy(), "what it was before"


def test_a_geometric_decay_that_ends() -> None:
    """BTR's recurrence, eps -= (eps - last) / steps after each step; from `until_steps` on no action is random."""
    rule = EpsilonGreedy(
        initial_epsilon=1.0,
        final_epsilon=0.01,
        decay_steps=50,
        decay_from="first_step",
        decay="geometric",
        until_steps=90,
    )
    epsilon = 1.0
    for step in range(100):
        assert rule.epsilon(step, 30) == pytest.approx(epsilon if step < 90 else 0.0, rel=1e-12)
        epsilon = max(epsilon - (epsilon - 0.01) / 50, 0.01)
    learning = EpsilonGreedy(decay="geometric", decay_steps=2, final_epsilon=0.0)
    assert [learning.epsilon(step, 3) for step in (0, 3, 4, 5)] == [1.0, 1.0, 0.5, 0.25]


def test_greedy_without_epsilon() -> None:
    assert actions(Q, 0.0, ties=False, draws=50).tolist() == [0, 50, 0]


def test_how_often_an_action_is_random() -> None:
    """At epsilon = 0.3 each of three actions is drawn with 0.1, and the greedy one takes the rest: 0.1, 0.8, 0.1.
    The seed is fixed; four standard deviations of 6000 draws are 93 and 124."""
    counts = actions(Q, 0.3, ties=False)
    assert abs(counts[0] - 600) < 93 and abs(counts[2] - 600) < 93 and abs(counts[1] - 4800) < 124


def test_always_random_at_one() -> None:
    counts = actions(Q, 1.0, ties=False)
    assert (abs(counts - 2000) < 146).all()  # four standard deviations


def test_the_network_is_not_asked_for_a_random_action() -> None:
    def never() -> Any:
        raise AssertionError("asked")

    assert choose(never, 4, 1.0, Stream(0, "test").at(0), True) in range(4)


def test_ties_are_broken_at_random_where_the_paper_does() -> None:
    counts = actions(TIED, 0.0, ties=True)
    assert counts[1] == 0 and (abs(counts[[0, 2, 3]] - 2000) < 146).all()  # four standard deviations


def test_the_first_of_equal_values_elsewhere() -> None:
    assert actions(TIED, 0.0, ties=False, draws=50).tolist() == [50, 0, 0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_stop_the_run(bad: float) -> None:
    with pytest.raises(RunError, match=r"Q-values are not finite: .*The network has diverged"):
        choose(lambda: np.array([1.0, bad], np.float32), 2, 0.0, Stream(0, "test").at(0), False)


def behavior(seed: int = 0, **rule: Any) -> Behavior:
    return Behavior(EpsilonGreedy(decay_steps=100, **rule), 4, 10, seed)


def test_draws_are_functions_of_the_step_alone() -> None:
    """In any order, any number of times; other steps and other seeds draw otherwise."""
    one, other = behavior(), behavior()
    forwards = [one.action(lambda: TIED, step) for step in range(200)]
    backwards = [other.action(lambda: TIED, step) for step in reversed(range(200))]
    assert forwards == backwards[::-1]
    assert len(set(forwards)) == 4
    assert forwards != [behavior(seed=1).action(lambda: TIED, step) for step in range(200)]


def test_behavior_follows_its_schedule() -> None:
    """Random for the ten steps before learning, greedy after the decay when the final epsilon is 0."""
    rule = behavior(final_epsilon=0.0)
    asked = []
    for step in (0, 9, 10, 110, 500):
        rule.action(lambda step=step: asked.append(step) or np.float32([0, 0, 1, 0]), step)
    assert asked == [110, 500]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"final_epsilon": 1.5}, "Expected a probability in [0, 1] for `exploration.final_epsilon`, got 1.5."),
        ({"initial_epsilon": -0.1}, "Expected a probability in [0, 1] for `exploration.initial_epsilon`, got -0.1."),
        ({"decay_steps": 0}, "Expected at least 1 step for `exploration.decay_steps`, got 0."),
    ],
)
def test_bad_values(outcome, values: dict[str, Any], message: str) -> None:
    assert outcome(EpsilonGreedy, **values) == message


# -- masks of legal actions --------------------------------------------------------------------------------------------
def test_only_legal_actions_are_chosen_at_random_and_all_of_them_alike() -> None:
    mask, random = np.array([False, True, False, True, True]), np.random.default_rng(0)
    counts = np.bincount([choose(lambda: np.zeros(5), 5, 1.0, random, True, mask) for _ in range(3000)], minlength=5)
    assert counts[[0, 2]].tolist() == [0, 0]
    assert (abs(counts[[1, 3, 4]] - 1000) < 120).all()


def test_the_greedy_choice_and_its_ties_are_among_the_legal_actions() -> None:
    q, random = np.float32([9.0, 2.0, 9.0, 2.0, 1.0]), np.random.default_rng(0)
    mask = np.array([False, True, False, True, True])
    assert {choose(lambda: q, 5, 0.0, random, True, mask) for _ in range(50)} == {1, 3}
    assert choose(lambda: q, 5, 0.0, random, False, mask) == 1
    assert choose(lambda: q, 5, 0.0, random, True, np.arange(5) == 4) == 4


def test_a_mask_that_allows_all_draws_and_chooses_as_none() -> None:
    for seed in range(200):
        q = np.random.default_rng(seed).integers(0, 3, 4).astype(np.float32)
        one, other = (np.random.default_rng(seed) for _ in range(2))
        assert choose(lambda: q, 4, 0.5, one, True, np.ones(4, bool)) == choose(lambda: q, 4, 0.5, other, True)  # noqa: B023
        assert one.bit_generator.state == other.bit_generator.state
