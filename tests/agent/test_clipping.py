"""Clipping by hand: |(3, 4)| = 5 and |(6, 8)| = 10."""

from __future__ import annotations

import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.clipping import clipped


@pytest.mark.parametrize(
    ("most", "apart", "expected"),
    [
        (None, [[0, 1]], [3.0, 4.0, 6.0, 8.0]),
        (100.0, None, [3.0, 4.0, 6.0, 8.0]),  # the norm of all is 125 ** 0.5, no more than that
        (5.0, [[0, 1], [2, 3]], [3.0, 4.0, 3.0, 4.0]),
        (2.5, [[2, 3]], [3.0, 4.0, 1.5, 2.0]),  # those in no group stay
    ],
)
def test_by_hand(most: float | None, apart: list[list[int]] | None, expected: list[float]) -> None:
    given = [tf.constant(x) for x in (3.0, 4.0, 6.0, 8.0)]
    found = clipped(tf.linalg.global_norm, given, tf.linalg.global_norm(given), most, apart)
    assert [float(x) for x in found] == expected


def test_as_one_the_direction_stays() -> None:
    given = [tf.constant(3.0), tf.constant(4.0)]
    found = clipped(tf.linalg.global_norm, given, tf.constant(5.0), 1.0)
    assert [float(x) for x in found] == pytest.approx([0.6, 0.8], rel=1e-6)
