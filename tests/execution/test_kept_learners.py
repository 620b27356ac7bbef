"""A learner that a run has used, used again by another one: nothing but its compiled functions is left of the first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.config import RunConfig
from dqn_tf.execution import kept_learners
from dqn_tf.execution.fused import FusedLearner, make_learner
from dqn_tf.modes import Fused
from dqn_tf.training.options import Options
from dqn_tf.training.run import train
from tests.execution.test_fused import BATCH, batch, learn

IDEAS: dict[str, dict[str, Any]] = {
    "rmsprop": {"optimizer": RMSProp(learning_rate=1e-3, initial_mean_square=1.0)},
    "noisy": {"layers": Noisy()},
    "fqf, two optimizers, random fractions": {"value": FQF(fractions=4, cosines=8)},
}


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    kept_learners.keep(1)
    yield
    kept_learners.keep(0)


@pytest.fixture
def agent(tiny_agent: Callable[..., Any]) -> Callable[..., Any]:
    def make(**changes: Any) -> Any:
        return tiny_agent(
            **{"batch_size": BATCH, "network": MLP(hidden=(8, 7)), "execution": Fused(xla="none"), **changes}
        )

    return make


def does(learner: Any) -> dict[str, np.ndarray]:
    """All that a learner does, and what it is afterwards, bit by bit."""
    before = {f"before/{name}": value.copy() for name, value in learner.parameters.state().items()}
    acted = learner.act(batch(9).transitions.s_t[0], 3)
    reported = learn(learner, 3)._asdict()
    scores = learner.scorer("evaluation/0")(batch(9).transitions.s_t)
    return {**before, "acted": acted, **reported, "scores": scores, **learner.parameters.state()}


@pytest.mark.parametrize("idea", IDEAS)
def test_a_learner_that_was_used_is_like_a_new_one(
    idea: str, agent: Callable[..., Any], vectors: Callable[..., Any]
) -> None:
    first = make_learner(agent(**IDEAS[idea]), vectors(), 5)
    one = does(first)
    kept_learners.give_back(first)
    again = make_learner(agent(**IDEAS[idea]), vectors(), 6)
    assert again is first
    expected = does(FusedLearner(agent(**IDEAS[idea]), vectors(), 6))
    found = does(again)
    assert found.keys() == expected.keys() and again.traces == 1
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(value), err_msg=name)
    assert not np.array_equal(one["acted"], found["acted"])  # another seed is another agent


def test_only_a_learner_of_the_same_agent_and_spaces_is_taken_and_by_one_run(
    agent: Callable[..., Any], vectors: Callable[..., Any]
) -> None:
    first = make_learner(agent(), vectors(), 5)
    kept_learners.give_back(first)
    kept_learners.give_back(first)
    assert kept_learners.take(agent(batch_size=BATCH + 1), vectors(), 5) is None
    assert kept_learners.take(agent(), vectors(4), 5) is None
    assert kept_learners.take(agent(), vectors(), 5) is first
    assert kept_learners.take(agent(), vectors(), 5) is None


def test_no_more_than_asked_for_are_kept(agent: Callable[..., Any], vectors: Callable[..., Any]) -> None:
    first, second = (make_learner(agent(), vectors(size), 5) for size in (3, 4))
    kept_learners.give_back(first)
    kept_learners.give_back(second)
    assert kept_learners.take(agent(), vectors(3), 5) is None
    kept_learners.keep(0)
    assert kept_learners.take(agent(), vectors(4), 5) is None
    kept_learners.give_back(first)
    assert kept_learners.take(agent(), vectors(3), 5) is None


def test_noise_that_is_drawn_with_the_weights_is_in_the_compiled_functions(
    agent: Callable[..., Any], vectors: Callable[..., Any]
) -> None:
    """So neither a later run nor a seed beside it may use them."""
    changes = {"layers": Noisy(redraw="never")}
    learners = [FusedLearner(agent(**changes), vectors(), seed) for seed in (5, 6)]
    kept_learners.give_back(learners[0])
    assert kept_learners.take(agent(**changes), vectors(), 5) is None
    learn(learners[0], 1)
    expected = does(FusedLearner(agent(**changes), vectors(), 6))
    learners[1].share(learners[0])
    found = does(learners[1])
    for name, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(value), err_msg=name)


def test_a_run_after_another_in_one_process_has_the_bytes_that_it_has_alone(
    agent: Callable[..., Any], cartpole: Callable[..., RunConfig], tmp_path: Path, threads_left_alone: None
) -> None:
    """The monitors of C51 are a compiled function too."""
    config = cartpole(agent=agent(value=Categorical(atoms=11)), frames=90)
    quiet = Options(progress=False, try_environment=False)
    for seed in (0, 1):
        train(dataclasses.replace(config, seed=seed), tmp_path / f"after/{seed}", quiet)
    kept_learners.keep(0)
    train(dataclasses.replace(config, seed=1), tmp_path / "alone", quiet)
    for name in ("config.json", "episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "after/1" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
