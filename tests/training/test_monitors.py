"""Monitors: what each idea shows, that it is right, and that watching changes nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.agent.values.spread import SPREAD
from dqn_tf.config import RunConfig
from dqn_tf.replay.importance import MONITORED, Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.storage import Storage
from dqn_tf.training import tensorboard
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.monitors import Monitors
from dqn_tf.training.records import IterationRecord, iteration_columns
from dqn_tf.training.stats import EDGES, binned

PRIORITIZED = Prioritized(alpha=0.5, importance=Importance(beta=0.5, beta_final=1.0, end=20))
RAINBOW = {
    "head": Dueling(),
    "layers": Noisy(),
    "value": Categorical(atoms=11, v_min=0.0, v_max=20.0),
    "replay": PRIORITIZED,
    "n_step": 3,
}
IDEAS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "dqn": ({}, []),
    "c51": ({"value": RAINBOW["value"]}, [*SPREAD, "heldout_edge_mass_mean"]),
    "qr_dqn": ({"value": Quantile(quantiles=5)}, list(SPREAD)),
    "fqf": (
        {"value": FQF(fractions=3, cosines=4)},
        [*SPREAD, "heldout_fraction_entropy_nats_mean"],
    ),
    "ranked": ({"replay": PrioritizedRank(), "storage": Storage(capacity=64)}, list(MONITORED)),
    "noisy": ({"layers": Noisy()}, ["sigma_w_abs_mean_hidden_0", "sigma_w_abs_mean_output"]),
    "noisy, shared streams": (
        {"layers": Noisy(), "head": Dueling(hidden="shared")},
        [f"sigma_w_abs_mean_{name}" for name in ("shared_hidden_0", "value_output", "advantage_output")],
    ),
    "rainbow": (
        RAINBOW,
        [
            *(*SPREAD, "heldout_edge_mass_mean", *MONITORED),
            *("sigma_w_abs_mean_value_hidden_0", "sigma_w_abs_mean_value_output"),
            *("sigma_w_abs_mean_advantage_hidden_0", "sigma_w_abs_mean_advantage_output"),
        ],
    ),
}


@pytest.fixture
def trainer(cartpole: Callable[..., RunConfig]) -> Iterator[Callable[..., InterleavedLoop]]:
    """A function (agent field=value, ...) -> a trainer of the tiny agent on CartPole."""
    made = []

    def build(**agent: Any) -> InterleavedLoop:
        config = cartpole()
        made.append(InterleavedLoop(dataclasses.replace(config, agent=dataclasses.replace(config.agent, **agent))))
        return made[-1]

    yield build
    for one in made:
        one.environment.close()


def iterations(one: InterleavedLoop) -> list[IterationRecord]:
    return [r for r in one.records(lambda: None) if isinstance(r, IterationRecord)]


@pytest.mark.parametrize("idea", IDEAS)
def test_an_agent_has_the_columns_of_its_ideas_and_no_others(
    trainer: Callable[..., InterleavedLoop], idea: str
) -> None:
    agent, columns = IDEAS[idea]
    assert trainer(**agent).run.monitors.columns == columns
    assert iteration_columns(columns)[-len(columns) - 2 :] == ["replay_size", *columns, "state_digest"]


def test_watching_changes_no_byte(trainer: Callable[..., InterleavedLoop], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every state digest of a run that is watched is that of one that is not; the state holds nothing of it."""
    watched = trainer(**RAINBOW)
    rows = [r.row for r in iterations(watched)]
    monkeypatch.setattr(Monitors, "measure", lambda self, heldout, update, masks: ({}, {}))
    unwatched = trainer(**RAINBOW)
    others = [r.row for r in iterations(unwatched)]
    assert [r["state_digest"] for r in rows] == [r["state_digest"] for r in others] and len(rows) == 3
    assert watched.digest() == unwatched.digest()
    assert all(str(other[name]) == str(row[name]) for row, other in zip(rows, others, strict=True) for name in other)
    assert set(rows[0]) - set(others[0]) == set(watched.run.monitors.columns)
    assert all(math.isfinite(row[name]) for row in rows for name in watched.run.monitors.columns)


def test_watching_twice_says_the_same_and_leaves_the_next_batch(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(**RAINBOW)
    iterations(one)
    before, update = one.digest(), one.run.counters.updates
    batch = one.run.replay.sample_indices(4, update)
    first, again = (one.run.monitors.measure(one.run.heldout, update) for _ in range(2))
    assert first[0] == again[0]
    assert all(np.array_equal(first[1][name], again[1][name]) for name in first[1])
    assert one.digest() == before
    for drawn, now in zip(batch, one.run.replay.sample_indices(4, update), strict=True):
        np.testing.assert_array_equal(drawn, now)


def test_before_learning_there_is_nothing_to_say(trainer: Callable[..., InterleavedLoop]) -> None:
    """No held-out states, no transition: the columns are there, and empty; the noise is that of the start."""
    one = trainer(**RAINBOW)
    numbers, histograms = one.run.monitors.measure(None, 0)
    assert list(numbers) == one.run.monitors.columns
    assert all(math.isnan(numbers[name]) for name in (*SPREAD, "heldout_edge_mass_mean", *MONITORED))
    assert histograms == {}
    hidden, output = (numbers[f"sigma_w_abs_mean_value_{name}"] for name in ("hidden_0", "output"))
    assert hidden == pytest.approx(0.5 / math.sqrt(4), rel=1e-6)  # sigma_0 / sqrt(p): CartPole shows 4 numbers
    assert output == pytest.approx(0.5 / math.sqrt(8), rel=1e-6)


def test_sigma_by_hand(trainer: Callable[..., InterleavedLoop]) -> None:
    """The mean of the absolute values, of weights and not of biases."""
    one = trainer(layers=Noisy(), network=MLP(hidden=()))
    (layer,) = one.run.learner.online.head.layers
    layer.variables[2].assign(tf.constant([[0.1, -0.3], [0.2, 0.0], [0.0, 0.0], [-0.6, 0.4]]))
    layer.variables[3].assign(tf.constant([9.0, 9.0]))
    assert one.run.monitors.measure(None, 0)[0] == {"sigma_w_abs_mean_output": pytest.approx(0.2)}


@pytest.mark.parametrize("kind", [Prioritized, PrioritizedRank])
def test_priorities_and_weights(trainer: Callable[..., InterleavedLoop], kind: Any) -> None:
    """Priorities given by hand come back; the weights are those of the batches that the replay would draw."""
    importance = Importance(beta=0.5, beta_final=1.0, end=100)
    one = trainer(replay=kind(alpha=0.5, importance=importance), min_replay_steps=60)
    for _ in one.records(lambda: None):
        if one.run.counters.steps == 41:  # and nothing is learned yet
            break
    rows = np.flatnonzero(one.run.replay.ring.usable(np.arange(one.run.replay.ring.head)))
    given = np.random.default_rng(0).random(len(rows)) + 0.1
    one.run.replay.update_priorities(rows, given)
    numbers, histograms = one.run.monitors.measure(None, 50)
    wanted = (given.mean(), *np.quantile(given, (0.05, 0.5, 0.95)), given.max())
    assert [numbers[name] for name in MONITORED[:5]] == pytest.approx(wanted, rel=1e-9)
    weights = np.concatenate([one.run.replay.sample_indices(4, 50 + k)[1] for k in range(32)])
    assert numbers["importance_weight_mean"] == pytest.approx(weights.mean(), rel=1e-6)
    assert numbers["importance_weight_min"] == weights.min() < 1
    assert numbers["importance_beta"] == pytest.approx(0.75)
    np.testing.assert_array_equal(histograms["priority"], binned(given, np.ones_like(given)))


def test_with_alpha_zero_the_tree_knows_no_priorities(trainer: Callable[..., InterleavedLoop]) -> None:
    one = trainer(replay=dataclasses.replace(PRIORITIZED, alpha=0.0))
    row = iterations(one)[-1].row
    assert all(math.isnan(row[name]) for name in MONITORED[:5])
    assert row["importance_weight_mean"] == row["importance_weight_min"] == 1


def test_predictions_are_those_of_the_network(trainer: Callable[..., InterleavedLoop]) -> None:
    """The mean over the held-out states, in chunks or not, of what the value family says of the network's outputs."""
    one = trainer(value=RAINBOW["value"])
    iterations(one)
    heldout = np.random.default_rng(0).normal(size=(230, 4)).astype(np.float32)
    logits = one.run.learner.online(heldout, "predict").dist.numpy().astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    atoms = np.linspace(0, 20, 11)
    greedy = p[np.arange(230), (p @ atoms).argmax(axis=1)]
    mean = greedy @ atoms
    numbers, histograms = one.run.monitors.measure(heldout, 0)
    assert numbers[SPREAD[0]] == pytest.approx(np.sqrt(greedy @ atoms**2 - mean**2).mean(), rel=1e-4)
    assert numbers["heldout_edge_mass_mean"] == pytest.approx((greedy[:, 0] + greedy[:, -1]).mean(), rel=1e-4)
    counts = histograms["heldout_return"]
    places = np.searchsorted(EDGES, atoms, side="right")
    np.testing.assert_allclose(counts[places] / counts.sum(), greedy.mean(axis=0), atol=1e-5)
    assert counts[places].sum() == counts.sum()


# -- histograms --------------------------------------------------------------------------------------------------------
def test_bins_by_weight() -> None:
    counts = binned(np.array([[2.0, -2.0], [math.nan, 2.0]]), np.array([[1.0, 1.0], [5.0, 2.0]]))
    assert counts[np.searchsorted(EDGES, 2.0, side="right")] == 750_000
    assert counts.sum() == 1_000_000 and counts.dtype == np.int64
    assert not binned(np.array([math.nan]), np.array([1.0])).any()


def test_tensorboard_shows_them(trainer: Callable[..., InterleavedLoop], tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    writer = tensorboard.Writer(tmp_path)
    for record in iterations(trainer(**RAINBOW)):
        writer.write(record.row, {}, record.histograms)
    writer.close()
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {f"distribution/{name}" for name in ("heldout_return", "priority", "importance_weight", "td_error")} <= tags
    assert {"replay/priority_mean", "replay/importance_beta", "noise/sigma_w_abs_mean_value_output"} <= tags
    assert {"return_distribution/heldout_return_std_mean", "q_value/heldout_max_q_mean"} <= tags
