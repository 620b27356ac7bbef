"""Importance weights: they correct for sampling that is not uniform.

Paper: Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952), section 3.4:

    w_i = (1/N 1/P(i))^beta / max_j w_j,   beta grows linearly to its final value.

Symbols: N: transitions that can be drawn, P(i): the probability of transition i.
Published results differ in what beta grows with and in what j runs over, so both are fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting
from dqn_tf.types import Monitored

MONITORED = (
    *("priority_mean", "priority_q05", "priority_q50", "priority_q95", "priority_max"),
    *("importance_weight_mean", "importance_weight_min", "importance_beta"),
)
WATCHED_BATCHES = 32
TINY, HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def monitors(priorities: np.ndarray, weights_of: Callable[[int], np.ndarray], beta: float) -> Monitored:
    """Statistics of the priorities and of the importance weights.

    Args:
        priorities: [N], of all transitions that can be drawn.
        weights_of: gives the weights of the k-th of the next batches, as if priorities did not change until then.
        beta: the exponent now.

    Returns:
        The numbers of ``MONITORED`` and two histograms; none for an empty replay.
    """
    if not len(priorities):
        return Monitored({}, {})
    weights = np.concatenate([weights_of(k) for k in range(WATCHED_BATCHES)]).astype(np.float64)
    numbers = (
        *(priorities.mean(), *np.quantile(priorities, (0.05, 0.5, 0.95)), priorities.max()),
        *(weights.mean(), weights.min(), beta),
    )
    histograms = {"priority": priorities, "importance_weight": weights}
    return Monitored(
        {name: float(number) for name, number in zip(MONITORED, numbers, strict=True)},
        {name: (values, np.ones_like(values)) for name, values in histograms.items()},
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Importance:
    """How importance weights are computed: beta and its schedule, and what the weights are divided by."""

    beta: float = setting(0.4, doc="exponent of the weights at the start; 0: no weights")
    beta_final: float = setting(1.0, doc="exponent of the weights at the end")
    clock: Literal["updates", "transitions"] = setting("updates", doc="what beta grows with")
    start: int = setting(0, unit="as in replay.importance.clock", doc="when beta begins to grow")
    end: int = setting(12_500_000, unit="as in replay.importance.clock", doc="when beta is final")
    divided_by: Literal["batch_max", "replay_max", "nothing"] = setting(
        "batch_max", doc="the largest weight of the batch, or the largest that the replay could give"
    )

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("beta", "beta_final"):
            expect(
                0 <= getattr(self, name) <= 1, "a number in [0, 1]", f"replay.importance.{name}", getattr(self, name)
            )
        expect(self.start >= 0, "at least 0", "replay.importance.start", self.start)
        expect(
            self.end > self.start, f"more than replay.importance.start={self.start}", "replay.importance.end", self.end
        )

    def beta_at(self, updates: int, transitions: int) -> float:
        """The exponent beta.

        Args:
            updates: made so far.
            transitions: stored so far.

        Returns:
            beta, in [0, 1]; ``clock`` says which of the two counts.

        >>> rule = Importance(beta=0.5, beta_final=1.0, start=100, end=300)
        >>> [rule.beta_at(t, 0) for t in (0, 100, 200, 300, 999)]
        [0.5, 0.5, 0.75, 1.0, 1.0]
        """
        time = updates if self.clock == "updates" else transitions
        done = min(1.0, max(0.0, (time - self.start) / (self.end - self.start)))
        return self.beta + (self.beta_final - self.beta) * done

    def weights(self, chances: np.ndarray, least: float, beta: float) -> np.ndarray:
        """The importance weights w_i of a batch.

        Args:
            chances: N P(i) of each draw, [B] > 0.
            least: the smallest N P(j) > 0 in the replay; read only where weights are divided by the replay's largest.
            beta: the exponent.

        Returns:
            w [B] float32, finite and above 0: what float32 cannot hold becomes its largest or smallest number.

        >>> Importance(beta=1.0).weights(np.array([0.5, 2.0, 4.0]), 0.25, 1.0).tolist()
        [1.0, 0.25, 0.125]
        >>> Importance(divided_by="replay_max").weights(np.array([0.5, 2.0, 4.0]), 0.25, 1.0).tolist()
        [0.5, 0.125, 0.0625]
        """
        if self.divided_by == "batch_max":
            chances = chances / chances.min()
        elif self.divided_by == "replay_max":
            chances = chances / least
        return np.clip(chances**-beta, TINY, HUGE).astype(np.float32)
