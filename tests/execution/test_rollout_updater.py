"""The updates of a rollout: every transition once an epoch, and the same bits wherever the calls are cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.agent.radam import RAdam
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.rollout_updater import CALL_SECONDS, Experience, RolloutUpdater
from dqn_tf.modes import Rollouts
from dqn_tf.replay.storage import Storage

EPOCHS, MINIBATCHES, N = 2, 3, 12


@pytest.fixture
def updater(tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> Callable[[], RolloutUpdater]:
    """A function that makes one: rollouts of 12 transitions of 3 environments, 6 updates of 4 on each."""
    sizes = dict.fromkeys(("steps_per_update", "target_update_steps", "min_replay_steps"), N)
    agent = tiny_agent(
        storage=Storage(capacity=N),
        returns=LambdaReturns(),
        optimizer=RAdam(learning_rate=0.01),
        updates_at_once=EPOCHS * MINIBATCHES,
        execution=Rollouts(xla="none", threads=1, environments=3, workers=0),
        **sizes,
    )
    return lambda: RolloutUpdater(Learner(agent, vectors(), seed=1), vectors(), seed=1)


def experience() -> Experience:
    random = np.random.default_rng(0)
    observations, targets = random.normal(size=(N, 3)).astype(np.float32), random.normal(size=N).astype(np.float32)
    return Experience(observations=observations, actions=random.integers(0, 2, N).astype(np.int32), targets=targets)


def reported(updater: RolloutUpdater, numbers: list[int]) -> list[bytes]:
    """What each update of the first rollout reports, and the weights after it, in calls of so many updates."""
    out: list[bytes] = []
    for number in numbers:
        updater._count = lambda left, number=number: number  # type: ignore[method-assign, misc]
        for outputs in updater.update(experience(), 0, len(out)):
            out.append(b"".join(np.asarray(part).tobytes() for part in outputs))
    return [*out, b"".join(np.asarray(v).tobytes() for v in updater._learner.online.variables)]


def test_where_calls_are_cut_changes_no_bit(updater: Callable[[], RolloutUpdater]) -> None:
    whole = reported(updater(), [6])
    assert reported(updater(), [1] * 6) == reported(updater(), [2, 1, 3]) == whole and len(set(whole)) == 7


def test_each_epoch_has_every_transition_once(updater: Callable[[], RolloutUpdater]) -> None:
    one = updater()
    orders = [one.order(rollout) for rollout in range(2)]
    for order in orders:
        assert order.shape == (EPOCHS * MINIBATCHES, 4)
        epochs = order.reshape(EPOCHS, N)
        assert [sorted(epoch) for epoch in epochs.tolist()] == [list(range(N))] * EPOCHS
        assert not np.array_equal(*epochs)
    assert not np.array_equal(*orders) and np.array_equal(one.order(1), orders[1])


def test_calls_take_about_a_second(updater: Callable[[], RolloutUpdater]) -> None:
    """The first call compiles, and says nothing of the time that an update takes."""
    one = updater()
    assert one._count(6) == 1
    one._seconds = CALL_SECONDS / 4
    assert (one._count(6), one._count(3)) == (4, 3)
    one._seconds = 3 * CALL_SECONDS
    assert one._count(6) == 1


def test_observations_of_all_environments_at_once(updater: Callable[[], RolloutUpdater]) -> None:
    one, three = updater(), experience().observations[:3]
    found = one.q_values(three)
    np.testing.assert_allclose(found, one._learner.online(three).q_values, rtol=1e-6)
    assert found.shape == (3, 2) and found.dtype == np.float32
