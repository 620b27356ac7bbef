"""What followed a transition: K further states of its episode, the actions that led to them, and how many there are.

Paper: Schwarzer et al. 2021, "Data-Efficient Reinforcement Learning with Self-Predictive Representations" (arXiv
2007.05929), section 2.1; a sequence of K + 1 states and K actions, cut off where its episode ends:

    m_k = 1 if a transition starts at each of the rows i, ..., i + k - 1, else 0          (k = 1, ..., K)
    j_k = i + m_1 + ... + m_k,   s_{t+k} = the observation of row j_k,   a_{t+k-1} = the action of row j_k - 1

Symbols: i: the row of s_t, m: the mask; a transition starts at a row that is above 0 steps from the end of what the
ring holds of its episode (replay/ring.py).
None starts at the last row of an episode, nor at one whose n-step return is not complete yet, so that its action is not
known here: what would come after either has m = 0.  One starts at row i itself, so m_1 = 1.
"""

from __future__ import annotations

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.types import Tensor, TensorLike


def chain(ahead: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far the episode goes on after each row, and the rows of what follows.

    Args:
        ahead: of rows i to i + K - 1, [B, K].
        rows: i [B] int64, each of which starts a transition.

    Returns:
        The mask m [B, K] int64, and the rows j [B, K] int64.

    >>> m, j = chain(np.array([[2, 1, 0, 3]]), np.array([7]))   # row 9 ends an episode, another one follows
    >>> m.tolist(), j.tolist()
    ([[1, 1, 0, 0]], [[8, 9, 9, 9]])
    """
    mask = np.cumprod(ahead > 0, axis=1)
    return mask, rows[:, None] + np.cumsum(mask, axis=1)


def chain_in_graph(ahead: TensorLike, rows: TensorLike) -> tuple[Tensor, Tensor]:
    """See ``chain``: graph code, of int64 tensors."""
    mask = tf.math.cumprod(tf.cast(ahead > 0, tf.int64), axis=1)
    return mask, rows[:, None] + tf.math.cumsum(mask, axis=1)
