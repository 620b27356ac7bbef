"""Who is to blame for numbers that are not finite, or too large."""

from __future__ import annotations

import numpy as np
import pytest

from dqn_tf.replay.ring import Ring
from dqn_tf.training.divergence import advice
from dqn_tf.types import ObservationSpec


def ring(observation: float = 1.0, reward: float = 1.0, capacity: int = 8, rows: int = 3) -> Ring:
    """Vectors of two numbers; the newest has these."""
    one = Ring(ObservationSpec((2,), "float32"), capacity)
    for i in range(rows):
        newest = i == rows - 1
        one.append(np.array([0.5, observation if newest else -0.5], np.float32), first=i == 0)
        one.complete(i, 1, 0, reward if newest else 0.0, 0.99)
    return one


def test_usual_numbers_leave_the_learning_rate() -> None:
    assert advice(ring()) == "Try a smaller learning rate."
    assert advice(ring(rows=0)) == "Try a smaller learning rate."
    images = Ring(ObservationSpec((4, 4), "uint8", 4), 8)
    images.append(np.full((4, 4), 255, np.uint8), first=True)
    assert advice(images) == "Try a smaller learning rate."


@pytest.mark.parametrize("rows", [3, 11])
def test_large_numbers_are_named(rows: int) -> None:
    assert advice(ring(observation=-2.5e7, rows=rows)).startswith("Observations are as large as 2.5e+07: scale them")
    both = advice(ring(observation=1e30, reward=-1e6, rows=rows))
    assert "Observations are as large as 1e+30" in both and "Rewards are as large as 1e+06" in both


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_came_from_the_environment(value: float) -> None:
    for found in (advice(ring(observation=value)), advice(ring(reward=value))):
        assert "in the replay are not finite: they came so from the environment" in found
        assert "learning rate" not in found
