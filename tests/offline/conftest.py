"""Made-up experience for the formats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dqn_tf.offline.rows import GOES_ON, NO_ACTION, TERMINATED, TRUNCATED, Rows
from dqn_tf.types import EnvironmentSpec, ObservationSpec

SCREEN = ObservationSpec((40, 36), "uint8", stack=4)
VECTOR = ObservationSpec((3,), "float32")
BITS = ObservationSpec((5, 5, 2), "bool")
ACTIONS = ("noop", "left", "right")


@pytest.fixture(params=[SCREEN, VECTOR, BITS], ids=["screens", "vectors", "bits"])
def spec(request: pytest.FixtureRequest) -> EnvironmentSpec:
    """An environment of each kind of observation."""
    return EnvironmentSpec(request.param, ACTIONS, 1)


@pytest.fixture
def screens() -> EnvironmentSpec:
    """An environment of stacked screens, large enough that Minari would make JPEGs of them."""
    return EnvironmentSpec(SCREEN, ACTIONS, 1)


@pytest.fixture
def vectors() -> EnvironmentSpec:
    """An environment of vectors."""
    return EnvironmentSpec(VECTOR, ACTIONS, 1)


@pytest.fixture
def made_up() -> Callable[..., Rows]:
    """A function (spec, lengths) -> episodes of so many steps, every other one truncated; noise as frames."""
    return make


def make(spec: EnvironmentSpec, lengths: list[int], seed: int = 0) -> Rows:
    """Episodes of so many steps."""
    random, rows = np.random.default_rng(seed), sum(lengths) + len(lengths)
    shape, dtype = (rows, *spec.observation.frame_shape), np.dtype(spec.observation.dtype)
    frames = (
        random.normal(size=shape) if dtype.kind == "f" else random.integers(0, 2 if dtype.kind == "b" else 256, shape)
    )
    first, last = np.zeros(rows, bool), np.cumsum(np.array(lengths) + 1) - 1
    first[0] = True
    first[last[:-1] + 1] = True
    actions, rewards = random.integers(0, 3, rows), random.integers(-2, 3, rows).astype(np.float64)
    ends = np.full(rows, GOES_ON, np.uint8)
    ends[last - 1] = [TERMINATED if k % 2 == 0 else TRUNCATED for k in range(len(lengths))]
    actions[last], rewards[last] = NO_ACTION, 0
    return Rows(frames.astype(dtype), first, actions, rewards, ends)
