"""n-step returns: n rewards become one transition, so the loss needs neither n nor gamma.

Paper: Sutton 1988; in this family Hessel et al. 2018 (arXiv 1710.02298), section "Multi-step learning":

    R_t = sum_{i<k} gamma^i r_{t+i+1},   discount = gamma^k, or 0 at termination,   k <= n.

Symbols: n = ``n_step``, gamma = the configuration's ``discount``; k < n only in the tails of an episode.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import NamedTuple


@dataclasses.dataclass(frozen=True, kw_only=True)
class NStep:
    """Returns of ``n_step`` rewards and the value of the state that they led to."""

    KIND = "n_step"


class Completed(NamedTuple):
    """A complete n-step transition.

    Attributes:
        steps: k, from s_tm1 to s_t, which is the newest observation.
        action: a_tm1.
        reward: r_t, the discounted sum of k rewards.
        discount: discount_t, gamma^k, or 0 at termination.
    """

    steps: int
    action: int
    reward: float
    discount: float


class Accumulator:
    """Collects the steps of one environment until their n-step transitions are complete.

    >>> accumulator = Accumulator(n=2, gamma=0.5)
    >>> accumulator.add(7, 1.0, 1.0, last=False)
    []
    >>> accumulator.add(8, 4.0, 1.0, last=False)    # R = 1 + 0.5 * 4, discount = 0.5^2
    [Completed(steps=2, action=7, reward=3.0, discount=0.25)]
    >>> accumulator.add(9, 2.0, 0.0, last=True)     # termination: tails with k = 2 and k = 1
    [Completed(steps=2, action=8, reward=5.0, discount=0.0), Completed(steps=1, action=9, reward=2.0, discount=0.0)]
    """

    def __init__(self, n: int, gamma: float) -> None:
        """
        Args:
            n: steps of a whole transition.
            gamma: discount of one step.
        """
        self.n, self.gamma = n, gamma
        self._open: deque[tuple[int, float, float]] = deque()

    def __len__(self) -> int:
        """Number of transitions that are not complete yet."""
        return len(self._open)

    def add(self, action: int, reward: float, discount: float, last: bool) -> list[Completed]:
        """Add a step.

        Args:
            action: the action taken.
            reward: the learner's (clipped) reward.
            discount: the environment's, 0 or 1.
            last: whether the agent's episode ends here.

        Returns:
            The transitions that this step completes, oldest first.
        """
        self._open.append((action, reward, self.gamma * discount))
        out = [self._oldest()] if len(self._open) == self.n else []
        if out:
            self._open.popleft()
        return out + self.cut() if last else out

    def cut(self) -> list[Completed]:
        """End the episode here: the open transitions are complete, with fewer than n steps.  Oldest first."""
        out = []
        while self._open:
            out.append(self._oldest())
            self._open.popleft()
        return out

    def _oldest(self) -> Completed:
        total, product = 0.0, 1.0
        for _, reward, discount in self._open:
            total += product * reward
            product *= discount
        return Completed(steps=len(self._open), action=self._open[0][0], reward=total, discount=product)

    def state(self) -> list[list[float]]:
        """The open steps: [action, reward, discount] each."""
        return [list(step) for step in self._open]

    def restore(self, state: list[list[float]]) -> None:
        """The inverse of ``state``."""
        self._open = deque((int(a), float(r), float(d)) for a, r, d in state)


class SingleSteps(Accumulator):
    """As ``Accumulator``, but a transition has the reward and the discount of its first step alone: what follows is
    summed later (replay/summing.py).

    >>> SingleSteps(n=2, gamma=1.0).add(7, 1.0, 1.0, last=True)
    [Completed(steps=1, action=7, reward=1.0, discount=1.0)]
    """

    def _oldest(self) -> Completed:
        action, reward, discount = self._open[0]
        return Completed(steps=len(self._open), action=action, reward=reward, discount=discount)
