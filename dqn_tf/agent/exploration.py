"""Epsilon-greedy behavior with a decaying epsilon.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), Methods, "Training details".

There epsilon falls linearly from 1.0 to 0.1 over the first million frames and is fixed then.  In the released code, in
Dopamine and in DQN Zoo the decay begins when learning begins; in CleanRL it begins with the run.  In BTR it is
geometric: each step takes away 1 / ``decay_steps`` of what epsilon is above its last value.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from dqn_tf.checks import Diverged, expect
from dqn_tf.fields import check_types, setting
from dqn_tf.rng import Stream


@dataclasses.dataclass(frozen=True, kw_only=True)
class EpsilonGreedy:
    """With probability epsilon a uniformly random action, otherwise one of the actions of largest Q."""

    KIND = "epsilon_greedy"
    initial_epsilon: float = setting(1.0, doc="epsilon until the decay begins")
    final_epsilon: float = setting(0.1, doc="epsilon after the decay")
    decay_steps: int = setting(
        1_000_000, unit="agent steps", doc="length of the linear decay, which begins where decay_from says"
    )
    decay_from: Literal["learning", "first_step"] = setting(
        "learning", doc="where the decay begins: at min_replay_steps, or with the run", later=True
    )
    random_ties: bool = setting(True, doc="equal largest Q-values: one at random (else the first)")
    decay: Literal["linear", "geometric"] = setting("linear", doc="how epsilon falls", later=True)
    until_steps: int | None = setting(
        None, unit="agent steps", doc="from this step on no action is random; none: to the end", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("initial_epsilon", "final_epsilon"):
            value = getattr(self, name)
            expect(0 <= value <= 1, "a probability in [0, 1]", f"exploration.{name}", value)
        expect(self.decay_steps >= 1, "at least 1 step", "exploration.decay_steps", self.decay_steps)
        until = self.until_steps
        expect(until is None or until >= 1, "at least 1 step or none", "exploration.until_steps", until)

    def epsilon(self, step: int, start: int) -> float:
        """The probability of a random action.

        Args:
            step: agent steps made so far, from 0.
            start: the agent step at which learning begins (``min_replay_steps``).

        Returns:
            epsilon, in [0, 1].

        >>> [EpsilonGreedy(final_epsilon=0.1, decay_steps=100).epsilon(t, 50) for t in (0, 50, 100, 150, 999)]
        [1.0, 1.0, 0.55, 0.1, 0.1]
        >>> rule = EpsilonGreedy(final_epsilon=0.0, decay_steps=4, decay="geometric", until_steps=3)
        >>> [rule.epsilon(t, 0) for t in range(4)]
        [1.0, 0.75, 0.5625, 0.0]
        """
        if self.until_steps is not None and step >= self.until_steps:
            return 0.0
        if self.decay_from == "first_step":
            start = 0
        if self.decay == "geometric":
            above = (1.0 - 1.0 / self.decay_steps) ** max(0, step - start)
            return self.final_epsilon + (self.initial_epsilon - self.final_epsilon) * above
        left = min(1.0, max(0.0, (self.decay_steps + start - step) / self.decay_steps))
        return self.final_epsilon + (self.initial_epsilon - self.final_epsilon) * left


def random_action(num_actions: int, random: np.random.Generator, mask: np.ndarray | None = None) -> int:
    """A uniformly random action.

    Args:
        num_actions: A.
        random: where one integer is drawn from: where all actions are legal, the same as without a mask.
        mask: [A] bool, the legal actions, at least one; None: all are legal.

    Returns:
        An action in [0, A).
    """
    if mask is None:
        return int(random.integers(num_actions))
    legal = np.flatnonzero(mask)
    return int(legal[random.integers(len(legal))])


def choose(
    q_values: Callable[[], np.ndarray],
    num_actions: int,
    epsilon: float,
    random: np.random.Generator,
    ties: bool,
    mask: np.ndarray | None = None,
) -> int:
    """An epsilon-greedy action.

    Draws from ``random``: one uniform number, then, if the action is random or tied, one integer.

    Args:
        q_values: gives [A] float32 when called; it is not called when the action is random.
        num_actions: A.
        epsilon: probability of a random action.
        random: where the draws come from.
        ties: of equal largest Q-values, whether one is taken at random; else the first.
        mask: [A] bool, the legal actions, at least one: no other is taken.  None: all are legal.

    Returns:
        An action in [0, A).

    Raises:
        Diverged: a Q-value is not finite.
    """
    if epsilon > 0 and random.random() < epsilon:
        return random_action(num_actions, random, mask)
    q = q_values().tolist()  # of a few numbers Python finds the largest sooner than NumPy
    if not all(map(math.isfinite, q)):
        raise Diverged(f"Q-values are not finite: {q}. The network has diverged.")
    if mask is not None:
        q = [value if legal else -math.inf for value, legal in zip(q, mask.tolist(), strict=True)]
    largest = max(q)
    if not ties or q.count(largest) == 1:
        return q.index(largest)
    best = [action for action, value in enumerate(q) if value == largest]
    return best[int(random.integers(len(best)))]


class Behavior:
    """An exploration rule bound to its random stream: step t draws from counter t."""

    def __init__(self, rule: EpsilonGreedy, num_actions: int, start_steps: int, seed: int) -> None:
        """
        Args:
            rule: epsilon and its schedule.
            num_actions: A.
            start_steps: the agent step at which learning begins.
            seed: of the run; draws come from its stream "exploration".
        """
        self.rule, self.num_actions, self.start_steps = rule, num_actions, start_steps
        self.stream = Stream(seed, "exploration")

    def action(self, q_values: Callable[[], np.ndarray], step: int, mask: np.ndarray | None = None) -> int:
        """The action of an agent step.

        Args:
            q_values: gives [A] float32 when called; it is not called when the action is random.
            step: agent steps made so far: the counter of the draws.
            mask: [A] bool, the legal actions; None: all are legal.

        Returns:
            An action in [0, A).

        Raises:
            Diverged: a Q-value is not finite.
        """
        epsilon = self.rule.epsilon(step, self.start_steps)
        return choose(q_values, self.num_actions, epsilon, self.stream.at(step), self.rule.random_ties, mask)
