"""Lambda-returns over a rollout: the n-step returns of all n in one, each weighted by lambda^(n-1).

Paper: Gallici et al. 2024, "Simplifying Deep Temporal Difference Learning" (arXiv 2407.04811), read in the authors'
code (mttga/purejaxql@47af6d7, pqn_atari.py, _compute_targets):

    G_t     = r_t + gamma_t ((1 - lambda) max_a' Q(s_t+1, a') + lambda G_t+1),
    G_T-1   = r_T-1 + gamma_T-1 max_a' Q(s_T, a'),

backwards over the T steps of a rollout; the action at s_t+1 may have been a random one, and G continues through it.

Symbols: r_t = r_t, gamma_t (0 at termination) = discount_t, max_a' Q(s_t+1, a') = next_values, lambda =
``trace_decay``.  Q is the network that acted: its values are those that the actions were chosen by.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class LambdaReturns:
    """Lambda-returns over a rollout.

    ``trace_decay``: lambda.  0 is the one-step target of Q-learning; 1 the discounted sum of all rewards up to the end
    of the episode, or up to the end of the rollout and its last value.
    """

    KIND = "lambda_returns"
    trace_decay: float = setting(0.65, doc="lambda: weight of the return that goes one step further")

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.trace_decay <= 1, "a number in [0, 1]", "returns.trace_decay", self.trace_decay)


def lambda_returns(
    r_t: np.ndarray, discount_t: np.ndarray, next_values: np.ndarray, goes_on: np.ndarray, trace_decay: float
) -> np.ndarray:
    """The lambda-returns G of E rollouts of T steps, as targets: nothing is differentiated.

    Args:
        r_t: rewards [T, E], float32 or float64.
        discount_t: [T, E]; gamma, or 0 where the value ends.
        next_values: [T, E]; max_a' Q(s', a') of the state s' that each step led to.
        goes_on: [T, E] bool; whether row t + 1 is the next step of the same episode.  Where it is not (the episode
            ended or was cut off), and in the last row, the return goes no further than ``next_values``.
        trace_decay: lambda, in [0, 1].

    Returns:
        [T, E], in the type of ``r_t``.

    Raises:
        ValueError: the shapes differ.

    >>> r, gamma, v = np.array([[1.0], [2.0]]), np.full((2, 1), 0.5), np.array([[4.0], [8.0]])
    >>> lambda_returns(r, gamma, v, np.array([[True], [False]]), 0.25).ravel().tolist()  # 1 + .5 (.75 * 4 + .25 * 6)
    [3.25, 6.0]
    """
    shapes = {np.shape(a) for a in (r_t, discount_t, next_values, goes_on)}
    if len(shapes) != 1 or r_t.ndim != 2:
        raise ValueError(f"Expected four arrays of one shape [T, E], got {sorted(shapes)}.")
    own, further = r_t.dtype.type(1 - trace_decay), r_t.dtype.type(trace_decay)
    out = np.empty_like(r_t)
    out[-1] = r_t[-1] + discount_t[-1] * next_values[-1]
    for t in reversed(range(len(r_t) - 1)):
        beyond = np.where(goes_on[t], own * next_values[t] + further * out[t + 1], next_values[t])
        out[t] = r_t[t] + discount_t[t] * beyond
    return out
