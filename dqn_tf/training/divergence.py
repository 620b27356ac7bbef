"""A check that weights are finite, and advice about a diverged network: if its inputs are the cause, a smaller learning
rate does not help."""

from __future__ import annotations

import numpy as np

from dqn_tf.checks import Diverged
from dqn_tf.replay.ring import Ring

ROWS = 10_000  # the newest ones are examined
LARGE = 1_000.0  # initial weights and learning rates are meant for observations and rewards of about 1


def check_weights(learner: dict[str, np.ndarray], frames: int) -> None:
    """Check that weights are finite: others must not replace a good checkpoint.

    Args:
        learner: arrays by name, as ``Parameters.state`` gives them.
        frames: of training so far, for the message.

    Raises:
        Diverged: a weight is not finite.
    """
    if wrong := [name for name, array in learner.items() if not np.isfinite(array).all()]:
        raise Diverged(
            f"The weights are not finite at {frames} frames ({', '.join(wrong[:3])}): the network has diverged. "
            "No checkpoint of this is written, and the last one is kept."
        )


def advice(ring: Ring) -> str:
    """One or two sentences about the numbers in the replay; if these are fine, about the learning rate."""
    rows = np.arange(max(ring.oldest, ring.head - ROWS), ring.head)
    found = []
    if len(rows) and ring.spec.dtype.startswith("float"):
        found.append(("Observations", _size(ring.observations(rows)), "scale them in the environment, or by a wrapper"))
    found.append(("Rewards", _size(ring.columns["reward"][rows % ring.capacity]), "scale or clip them there"))
    sentences = [_sentence(*each) for each in found if not each[1] < LARGE]
    return " ".join(sentences) or "Try a smaller learning rate."


def _size(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))


def _sentence(what: str, size: float, do: str) -> str:
    if not np.isfinite(size):
        return f"{what} in the replay are not finite: they came so from the environment, the network is not to blame."
    return f"{what} are as large as {size:.3g}: {do}, to about 1, before the learning rate is to blame."
