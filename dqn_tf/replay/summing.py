"""n-step returns summed when a batch is made, of rows that hold one step each (agent/annealing.py).

The sums are those of agent/n_step.py in its order and in float64, so that they are the same to the last bit, of rewards
that float32 holds exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dqn_tf.agent.annealing import Horizon


class Returns(NamedTuple):
    """Of transitions of a batch.

    Attributes:
        ahead: k <= n, rows from s_tm1 to s_t, [B] int64.
        r_t: discounted sum of k rewards, [B] float32.
        discount_t: gamma^k, or 0 at termination, [B] float32.
    """

    ahead: np.ndarray
    r_t: np.ndarray
    discount_t: np.ndarray


def returns_of(columns: Mapping[str, np.ndarray], rows: np.ndarray, horizon: Horizon) -> Returns:
    """The returns of transitions that start at some rows.

    Args:
        columns: of a ring (ring.py): "reward" and "discount" of a row's one step, "ahead": steps from the row on that
            are known, up to the largest n, or to the end of its episode.
        rows: [B] int64, each with ahead > 0.
        horizon: n and gamma.

    Returns:
        Steps, sums and discounts.

    >>> columns = {"ahead": np.array([3, 2, 1]), "reward": np.float32([8, 4, 2]), "discount": np.float32([1, 1, 0])}
    >>> found = returns_of(columns, np.array([0, 1, 2]), Horizon(2, 0.5))
    >>> found.ahead.tolist(), found.r_t.tolist(), found.discount_t.tolist()
    ([2, 2, 1], [10.0, 5.0, 2.0], [0.25, 0.0, 0.0])
    """
    capacity = len(columns["ahead"])
    ahead = np.minimum(columns["ahead"].take(rows % capacity), horizon.n_step).astype(np.int64)
    total, product = np.zeros(len(rows)), np.ones(len(rows))
    for k in range(int(ahead.max(initial=0))):
        inside, slots = k < ahead, (rows + k) % capacity
        total += np.where(inside, product * columns["reward"].take(slots), 0.0)
        of_step = horizon.discount * columns["discount"].take(slots).astype(np.float64)
        product = np.where(inside, product * of_step, product)
    return Returns(ahead, total.astype(np.float32), product.astype(np.float32))
