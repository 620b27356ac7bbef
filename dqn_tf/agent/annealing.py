"""Annealing: n-step returns whose n falls and whose discount rises with the updates since the start or the last reset.

Paper: Schwarzer et al. 2023, "Bigger, Better, Faster" (arXiv 2305.19452), section 3; as read in
google-research/google-research@1d4d2f1 (bigger_better_faster/bbf/agents/spr_agent.py, exponential_decay_scheduler):

    x = max(0, 1 - c / T)
    n(c) = round(n_1 (n_0 / n_1)^x),    1 - gamma(c) = (1 - gamma_1) ((1 - gamma_0) / (1 - gamma_1))^x

Symbols: c: updates since the start or the last reset (resets.py), T = ``decay_updates``; n_0, gamma_0 =
``initial_n_step``, ``initial_discount``; n_1, gamma_1 = the configuration's ``n_step``, ``discount``, which are reached
at c = T.  Halves are rounded to even numbers, as by NumPy.

All updates draw by one (n, gamma), so the replay keeps single steps and sums n of them when a batch is made
(replay/summing.py).  A transition is drawn once the longest return that it may start is complete, or its episode ends.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from dqn_tf.agent.resets import ShrinkPerturb
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.config import AgentConfig


class Horizon(NamedTuple):
    """Of the returns of one update.

    Attributes:
        n_step: n, rewards that are summed.
        discount: gamma, of one step.
    """

    n_step: int
    discount: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnnealedNStep:
    """n-step returns that begin with ``initial_n_step`` and ``initial_discount`` and end with the configuration's
    ``n_step`` and ``discount``."""

    KIND = "annealed_n_step"
    initial_n_step: int = setting(10, unit="agent steps", doc="n at the start and after each reset")
    initial_discount: float = setting(0.97, unit="per agent step", doc="gamma at the start and after each reset")
    decay_updates: int = setting(10_000, unit="updates", doc="after so many updates both have their last values")

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.initial_n_step <= 65_535, "1 to 65535 steps", "returns.initial_n_step", self.initial_n_step)
        first = self.initial_discount
        expect(0 <= first < 1, "a number in [0, 1)", "returns.initial_discount", first)
        expect(self.decay_updates >= 1, "at least 1 update", "returns.decay_updates", self.decay_updates)

    def at(self, last: Horizon, updates: int) -> Horizon:
        """n and gamma of an update.

        Args:
            last: n_1 and gamma_1, gamma_1 below 1.
            updates: c >= 0.

        Returns:
            n(c) and gamma(c).

        >>> rule = AnnealedNStep(initial_n_step=8, initial_discount=0.0, decay_updates=4)
        >>> [rule.at(Horizon(2, 0.9375), c) for c in (0, 2, 4)]    # n: 8, 4, 2; 1 - gamma: 1, 1/4, 1/16
        [Horizon(n_step=8, discount=0.0), Horizon(n_step=4, discount=0.75), Horizon(n_step=2, discount=0.9375)]
        """
        left = max(0.0, 1.0 - updates / self.decay_updates)
        shorter, nearer = self.initial_n_step / last.n_step, (1.0 - self.initial_discount) / (1.0 - last.discount)
        return Horizon(round(last.n_step * shorter**left), 1.0 - (1.0 - last.discount) * nearer**left)


def longest_n_step(agent: AgentConfig) -> int:
    """The largest n that an update of this agent may have."""
    rule = agent.returns
    return max(agent.n_step, rule.initial_n_step) if isinstance(rule, AnnealedNStep) else agent.n_step


def horizons(agent: AgentConfig) -> Callable[[int], Horizon] | None:
    """What the replay asks for the returns of a batch.

    Args:
        agent: the agent.

    Returns:
        From the number of an update, from 0, to its n and gamma; None where both are fixed.
    """
    return functools.partial(_horizon, agent) if isinstance(agent.returns, AnnealedNStep) else None


def _horizon(agent: AgentConfig, update: int) -> Horizon:
    assert isinstance(agent.returns, AnnealedNStep)
    return agent.returns.at(Horizon(agent.n_step, agent.discount), updates_since_reset(agent, update))


def updates_since_reset(agent: AgentConfig, update: int) -> int:
    """c: how many updates there were between the last reset, or the start, and an update.

    A pure function, as the step at which an update is due is one of its number: there is nothing to save.

    Args:
        agent: whose updates and resets are due when ``steps_per_update``, ``updates_at_once``, ``min_replay_steps`` and
            ``resets`` say.
        update: its number, from 0.

    Returns:
        c >= 0; ``update`` itself where there are no resets.
    """
    rule, every, group = agent.resets, agent.steps_per_update, agent.updates_at_once
    if not isinstance(rule, ShrinkPerturb):
        return update
    first = -(-agent.min_replay_steps // every) * every  # the step of the first updates
    step = first + update // group * every
    reset = min(step - 1, rule.until_steps) // rule.period_steps * rule.period_steps  # the last one before them
    before = ((reset - first) // every + 1) * group if reset >= first else 0
    return update - before
