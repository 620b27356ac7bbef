"""One object holds a run's state, whatever loop carries it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism
from dqn_tf.checks import Diverged
from dqn_tf.config import RunConfig
from dqn_tf.modes import Concurrent
from dqn_tf.training.concurrent_loop import ConcurrentLoop
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.loop import make_loop
from dqn_tf.training.rollout_loop import RolloutLoop
from dqn_tf.training.run_state import RunState, check_finite


def test_all_loops_hold_one_and_inherit_nothing() -> None:
    assert InterleavedLoop.__bases__ == ConcurrentLoop.__bases__ == RolloutLoop.__bases__ == (object,)


@pytest.mark.parametrize("concurrent", [False, True])
def test_a_restored_run_is_the_same_in_every_part(cartpole: Callable[..., RunConfig], concurrent: bool) -> None:
    """And is a part of the loop's own state, whose names do not collide with it."""
    config = cartpole(frames=120)
    if concurrent:
        execution = Concurrent(xla="none", threads=1, environments=2, workers=0)
        config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution))
    loops: list[Any] = [make_loop(config) for _ in range(2)]
    try:
        one, other = loops
        list(one.records(lambda: None))
        state, pieces = one.run.state(), one.run.pieces()
        assert set(state) < set(one.state())
        assert isinstance(other.run, RunState) and determinism.digest(other.run.state()) != determinism.digest(state)
        other.run.restore(state, lambda name: {k: np.array(v) for k, v in pieces[name]().items()})
        assert determinism.digest(other.run.state()) == determinism.digest(state)
        assert other.run.counters == one.run.counters and np.array_equal(other.run.heldout, one.run.heldout)
    finally:
        for loop in loops:
            loop.close()


@pytest.mark.parametrize(("loss", "grad_norm"), [(np.nan, 1.0), (1.0, np.inf)])
def test_what_is_not_finite_has_diverged(loss: float, grad_norm: float) -> None:
    check_finite(1.0, 1.0, 3, 7)
    with pytest.raises(Diverged, match=r"at update 3 \(step 7\)"):
        check_finite(loss, grad_norm, 3, 7)
