"""A batch of made-up network outputs, for every value family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from dqn_tf.types import TargetTerms, Transition


class Batch(NamedTuple):
    """dist, next_dist [B, A, N] float32, transitions (no states), and a bootstrap rule's terms, as arrays."""

    dist: np.ndarray
    next_dist: np.ndarray
    transitions: Transition
    terms: TargetTerms


@pytest.fixture
def made_up() -> Callable[..., Batch]:
    """A function (batch, actions, outputs, soft) -> a random batch; soft: a soft policy with bonuses, else one-hot."""

    def build(batch: int = 24, actions: int = 3, outputs: int = 5, soft: bool = False) -> Batch:
        random = np.random.default_rng(0)
        dist, next_dist = (2 * random.normal(size=(2, batch, actions, outputs))).astype(np.float32)
        discount = np.where(random.random(batch) < 0.3, 0, 0.9).astype(np.float32)
        a = random.integers(0, actions, batch).astype(np.int32)
        transitions = Transition(None, a, random.normal(size=batch).astype(np.float32), discount, None)
        if soft:
            policy = random.dirichlet(np.ones(actions), batch).astype(np.float32)
            bonuses = random.normal(size=(batch, actions)), random.normal(size=batch)
        else:
            policy = np.eye(actions, dtype=np.float32)[random.integers(0, actions, batch)]
            bonuses = np.zeros((batch, actions)), np.zeros(batch)
        value_bonus, reward_bonus = (b.astype(np.float32) for b in bonuses)
        return Batch(dist, next_dist, transitions, TargetTerms(policy, value_bonus, reward_bonus))

    return build


@pytest.fixture
def tensors() -> Callable[[Any], Any]:
    """A function that turns the arrays of a tree into tensors."""
    from dqn_tf import lazy_tf as tf

    return lambda tree: tf.nest.map_structure(lambda x: None if x is None else tf.constant(x), tree)
