"""Every legal combination of ideas compiles to one trace and trains; the others are refused with a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Adam
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Interleaved
from dqn_tf.types import Sample, Transition
from reproduce.presenting import combinations_page

CELLS = {"-".join(kinds): parts for kinds, parts in combinations_page.cells().items()}
# A normalized layer is one more layer to every target rule: one of them will do.
TRIED = [name for name in CELLS if not name.endswith("layer_norm") or "greedy" in name]
SMALL: dict[str, dict[str, Any]] = {
    "categorical": {"atoms": 11},
    "quantile": {"quantiles": 8},
    "implicit_quantile": {"samples": 8, "target_samples": 8, "policy_samples": 8, "cosines": 8},
    "fqf": {"fractions": 4, "cosines": 8},
}


def batch(size: int = 8) -> Sample:
    random = np.random.default_rng(0)
    s_tm1, s_t = random.normal(size=(2, size, 3)).astype(np.float32)
    discount = np.where(random.random(size) < 0.3, 0, 0.9).astype(np.float32)
    actions = random.integers(0, 2, size).astype(np.int32)
    rewards = random.normal(size=size).astype(np.float32)
    transitions = Transition(s_tm1, actions, rewards, discount, s_t)
    return Sample(transitions, np.arange(size, dtype=np.int64), np.ones(size, np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("cell", TRIED)
def test_it_trains(cell: str, tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> None:
    """Thirty updates on one batch lower what is regressed; one trace; the target network rests; the same update
    number gives the same numbers, another one others where there is chance."""
    parts = dict(CELLS[cell])
    kind = cell.split("-")[0]
    parts["value"] = dataclasses.replace(parts["value"], **SMALL.get(kind, {}))
    agent = tiny_agent(network=MLP(hidden=(16, 16)), batch_size=8, optimizer=Adam(learning_rate=1e-2), **parts)
    learner, sample = Learner(agent, vectors(), seed=0), batch()
    target = [v.numpy() for v in learner.target.variables]
    first = learner.gradients(sample, 0)
    assert np.array_equal(first.loss, learner.gradients(sample, 0).loss)
    assert learner.random == any(idea in cell for idea in ("noisy", "implicit", "random_ensemble"))
    assert np.array_equal(first.loss, learner.gradients(sample, 1).loss) != learner.random
    losses = []
    for update in range(30):
        out = learner.update(sample, update)
        losses.append(float(np.mean(out.priority)))  # not the loss: FQF's is no measure of anything as a whole
        assert out.priority.shape == out.td_error.shape == (8,) and np.isfinite(out.priority).all()
        assert (out.priority.numpy() >= 0).all()
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert learner.traces == 1
    assert all(np.array_equal(a, b) for a, b in zip(target, learner.target.variables, strict=True))
    if "greedy" in cell:  # acting sees no target rule: once for each value family, head and layers
        assert learner.act(np.zeros(3, np.float32), 7).shape == (2,)
        q_values = learner.scorer("evaluation/0")
        assert np.asarray(q_values(np.zeros((5, 3), np.float32))).shape == (5, 2)


@pytest.mark.parametrize("cell", ["categorical-double-dueling-noisy", "implicit_quantile-munchausen-single-dense"])
def test_wholly_compiled(cell: str, tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> None:
    """xla="update" compiles the draws, too."""
    agent = tiny_agent(
        network=MLP(hidden=(8, 8)), batch_size=8, execution=Interleaved(xla="update", threads=1), **CELLS[cell]
    )
    learner = Learner(agent, vectors(), seed=0)
    losses = [float(learner.update(batch(), update).loss) for update in range(3)]
    assert np.isfinite(losses).all() and learner.traces == 1


# -- what is refused ---------------------------------------------------------------------------------------------------
def test_a_shared_bias_has_no_noisy_form(tiny_agent: Callable[..., Any], outcome: Callable[..., str]) -> None:
    text = outcome(tiny_agent, head=Single(bias="shared"), layers=Noisy())
    assert text.startswith("Expected `head.bias`=per_output with layers=noisy, got shared")


def test_streams_cannot_share_what_is_not_there(tiny_agent: Callable[..., Any], outcome: Callable[..., str]) -> None:
    text = outcome(tiny_agent, head=Dueling(hidden="shared"), network=MLP(hidden=()))
    assert "`head.hidden`=separate" in text and "no hidden layer" in text
