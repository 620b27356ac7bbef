"""SPR: the loss by hand and against a naive float64 twin, what stays as it was, and the same bytes whoever updates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import fields
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.augmentation import PadAndCrop
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.parameters import build_network
from dqn_tf.agent.spr import SPR, distance, normalized, project
from dqn_tf.agent.target_tracking import Averaged
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical, cross_entropy, divergence
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.training.callbacks import CallbackError
from dqn_tf.training.loop import make_loop
from dqn_tf.training.run import Options, train
from dqn_tf.types import EnvironmentSpec, Future, ObservationSpec, Sample, Transition

K = 3
IMAGES = ObservationSpec((6, 5), "uint8", stack=2)
SMALL = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8, latent="min_max")
PREDICTING = SPR(steps=K, weight=2.0)


@pytest.fixture
def agent(tiny_agent: Callable[..., AgentConfig]) -> Callable[..., AgentConfig]:
    """A function (auxiliary, field=value, ...) -> a small noisy dueling agent that sees views of images."""
    parts = {
        "network": SMALL,
        "head": Dueling(hidden="separate"),
        "layers": Noisy(scoring="mean"),
        "bootstrap": Double(),
        "augmentation": PadAndCrop(pad=1),
    }
    return lambda auxiliary=PREDICTING, **more: tiny_agent(**{**parts, "auxiliary": auxiliary, **more})


def batch(steps: int = K) -> Sample:
    random = np.random.default_rng(0)
    s_tm1, s_t = random.integers(0, 256, (2, 4, *IMAGES.shape)).astype(np.uint8)
    transitions = Transition(s_tm1, np.int32([0, 1, 2, 0]), np.float32([1, 0, 2, 1]), np.float32([0.9, 0, 0.9, 1]), s_t)
    states = random.integers(0, 256, (4, steps, *IMAGES.shape)).astype(np.uint8)
    actions = random.integers(0, 3, (4, steps)).astype(np.int32)
    mask = (np.arange(steps) < np.array([[3], [1], [2], [3]])).astype(np.float32)
    weights = np.float32([1, 0.5, 0.25, 1])
    future = Future(states, actions, mask) if steps else ()
    return Sample(transitions, np.arange(4, dtype=np.int64), weights, future=future)


def learner(config: AgentConfig) -> Any:
    """Three actions; online and target network not the same."""
    made = make_learner(config, EnvironmentSpec(IMAGES, ("a", "b", "c"), 1), seed=0)
    random = np.random.default_rng(1)
    theta = made.parameters.theta()
    moved = {name: value + random.normal(size=value.shape).astype(np.float32) / 5 for name, value in theta.items()}
    made.parameters.set_theta(moved)
    return made


# -- the loss ----------------------------------------------------------------------------------------------------------
def test_a_distance_by_hand() -> None:
    """(3, 4) and (5, 0): 2 - 2 * 3/5; opposite vectors are 4 apart, equal directions 0; masked places count as 0."""
    y = np.float32([[[3, 4], [1, 0], [2, 2]], [[0, 1], [1, 1], [1, 1]]])
    x = np.float32([[[5, 0], [-3, 0], [1, 1]], [[0, 9], [7, 0], [0, 7]]])
    mask = np.float32([[1, 1, 1], [1, 0, 0]])
    assert distance(y, x, mask, 1e-3).numpy() == pytest.approx([(0.8 + 4 + 0) / 3, 0.0], abs=1e-6)
    assert normalized(np.float32([[0, 3e-4], [0, 0]]), 1e-3).numpy() == pytest.approx(np.float32([[0, 0.3], [0, 0]]))


def test_a_divergence_by_hand() -> None:
    """m = (1/2, 1/2, 0) and p = (1/4, 1/4, 1/2): log 2, which is the cross-entropy log 4 without log 2."""
    m, logits = np.float32([[0.5, 0.5, 0]]), np.log(np.float32([[0.25, 0.25, 0.5]]))
    assert divergence(m, logits).numpy() == pytest.approx([np.log(2)])
    assert cross_entropy(m, logits).numpy() == pytest.approx([np.log(4)])
    assert divergence(m, np.log(np.float32([[0.5, 0.5, 1e-30]]))).numpy() == pytest.approx([0.0], abs=1e-6)


def conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """3 x 3, zeros around: [H, W, P] -> [H, W, Q]."""
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    out = np.zeros((*x.shape[:2], kernel.shape[3]))
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = np.einsum("abc,abcq->q", padded[i : i + 3, j : j + 3], kernel) + bias
    return np.maximum(out, 0)


def twin(made: Any, sample: Sample, features: np.ndarray, targets: np.ndarray, batch_norm: bool) -> np.ndarray:
    """loss_SPR in float64, one state and one step at a time; features: z_0 [B, F]; targets [B, K, F], both scaled."""
    network = made.online
    weights = [np.asarray(v, np.float64) for v in network.prediction.variables]
    first, second, (w, b) = weights[:2], weights[-4:-2], weights[-2:]
    height, width, channels = SMALL.latent_shape(IMAGES)
    heads = [[np.asarray(v, np.float64) for v in layer.variables[:2]] for layer in network.head.first_hidden]
    theirs = [[np.asarray(v, np.float64) for v in layer.variables[:2]] for layer in made.target.head.first_hidden]
    z = features.reshape(-1, height, width, channels)
    out = np.zeros(len(z))
    for k in range(K):
        planes = np.zeros((len(z), height, width, 3))
        planes[np.arange(len(z)), :, :, sample.future.actions[:, k]] = 1
        hidden = np.stack([conv(np.concatenate(pair, -1), *first) for pair in zip(z, planes, strict=True)])
        if batch_norm:
            hidden = (hidden - hidden.mean((0, 1, 2))) / np.sqrt(hidden.var((0, 1, 2)) + 1e-5) * weights[2] + weights[3]
        z = np.stack([conv(x, *second) for x in hidden])
        low, high = z.min((1, 2, 3), keepdims=True), z.max((1, 2, 3), keepdims=True)
        z = (z - low) / (high - low + 1e-5)
        flat = z.reshape(len(z), -1)
        y = np.concatenate([flat @ kernel + bias for kernel, bias in heads], -1) @ w + b
        x = np.concatenate([targets[:, k] @ kernel + bias for kernel, bias in theirs], -1)
        cosine = (y * x).sum(-1) / np.linalg.norm(y, axis=-1) / np.linalg.norm(x, axis=-1)
        out += sample.future.mask[:, k] * (2 - 2 * cosine) / K
    return out


@pytest.mark.parametrize("batch_norm", [False, True])
def test_equals_a_naive_twin(batch_norm: bool, agent: Callable[..., AgentConfig]) -> None:
    config = agent(dataclasses.replace(PREDICTING, batch_norm=batch_norm))
    made, sample = learner(config), batch()
    features = made.online.features(tf.constant(sample.transitions.s_tm1))
    states = tf.constant(sample.future.states.reshape(-1, *IMAGES.shape))
    targets = np.asarray(made.target.features(states), np.float64).reshape(4, K, -1)
    found = config.auxiliary.loss(
        made.online, made.target, features, Future(*map(tf.constant, sample.future)), lambda x: x
    )
    want = twin(made, sample, np.asarray(features, np.float64), targets, batch_norm)
    np.testing.assert_allclose(found, 2.0 * want, rtol=1e-4)  # float32
    assert want.min() > 0.05


def test_a_projection_is_the_hidden_layers_without_noise_and_relu(agent: Callable[..., AgentConfig]) -> None:
    """Of Dueling with separate streams both layers, value first; of a shared one that; of one stream its own."""
    z = np.random.default_rng(0).normal(size=(2, 36)).astype(np.float32)
    for head, layers, width in ((Dueling(), Noisy(), 16), (Dueling(hidden="shared"), Noisy(), 8), (None, None, 8)):
        more = {} if head is None else {"head": head, "layers": layers}
        config = agent(**more) if more else dataclasses.replace(load("dqn_image").agent, network=SMALL)
        network = build_network(config, EnvironmentSpec(IMAGES, ("a", "b", "c"), 1), 0)
        found, parts = project(network.head, z).numpy(), network.head.first_hidden
        want = [z @ np.asarray(layer.variables[0]) + np.asarray(layer.variables[1]) for layer in parts]
        np.testing.assert_allclose(found, np.concatenate(want, -1), rtol=1e-4, atol=1e-5)
        assert found.shape == (2, width) and found.min() < 0


# -- the update --------------------------------------------------------------------------------------------------------
def gradients(made: Any, sample: Sample) -> tuple[list[np.ndarray], float, np.ndarray]:
    found = made.gradients(sample, 5)
    return [g.numpy() for g in found.gradients], float(found.loss), found.priority.numpy()


def test_neutral_numbers_are_no_auxiliary_loss(agent: Callable[..., AgentConfig]) -> None:
    """K = 0, and weight 0: the loss and all gradients of the agent without it, to the last bit.  Priorities are those
    of the value family's loss whatever the weight."""
    plain, loss, priority = gradients(learner(agent(NoAuxiliary())), batch(0))
    none, no_loss, _ = gradients(learner(agent(SPR(steps=0))), batch(0))
    assert len(none) == len(plain) and all(map(np.array_equal, none, plain)) and no_loss == loss

    def with_weight(weight: float) -> tuple[list[np.ndarray], float, np.ndarray]:
        made = make_learner(agent(SPR(steps=K, weight=weight)), EnvironmentSpec(IMAGES, ("a", "b", "c"), 1), seed=0)
        made.parameters.set_theta({**made.parameters.theta(), **learner(agent(NoAuxiliary())).parameters.theta()})
        return gradients(made, batch())

    found, same_loss, same_priority = with_weight(0.0)
    assert all(map(np.array_equal, found, plain)) and same_loss == loss  # the shorter list: theta without its part
    assert all(not g.any() for g in found[len(plain) :]) and len(found) == len(plain) + 6
    other, other_loss, other_priority = with_weight(2.0)
    assert other_loss > loss and all(g.any() for g in other[len(plain) :]) and not np.array_equal(other[0], plain[0])
    assert np.array_equal(priority, same_priority) and np.array_equal(priority, other_priority)


def test_what_is_masked_changes_nothing(agent: Callable[..., AgentConfig]) -> None:
    """And the latents that are masked pass no gradient on."""
    made, sample = learner(agent()), batch()
    random = np.random.default_rng(9)
    hidden = sample.future.mask == 0
    states, actions = np.array(sample.future.states), np.array(sample.future.actions)
    states[hidden] = random.integers(0, 256, states[hidden].shape)
    actions[hidden] = 2 - actions[hidden]
    changed = sample._replace(future=Future(states, actions, sample.future.mask))
    assert not np.array_equal(states, sample.future.states)
    for ours, theirs in zip(gradients(made, sample)[0], gradients(made, changed)[0], strict=True):
        assert np.array_equal(ours, theirs)


def test_gradients_are_clipped_apart(agent: Callable[..., AgentConfig]) -> None:
    """Torso and head to the norm, the transition model to it again, the predictor not at all."""
    for apart in (False, True):
        made = learner(agent(dataclasses.replace(PREDICTING, clip_apart=apart), max_grad_norm=0.01))
        taken: list[Any] = []
        made.optimizer.apply = taken.extend
        given = made.gradients(batch(), 0).gradients
        norm = float(made._apply_gradients(list(given)))
        first = len(given) - 6
        groups = [given[:first], given[first:-2], given[-2:]]
        norms = [float(tf.linalg.global_norm(g)) for g in groups]
        found = [float(tf.linalg.global_norm(g)) for g in (taken[:first], taken[first:-2], taken[-2:])]
        assert norm == pytest.approx(np.linalg.norm(norms)) and min(norms[:2]) > 0.01
        want = [0.01, 0.01, norms[2]] if apart else [x * 0.01 / norm for x in norms]
        assert found == pytest.approx(want, rel=1e-4)


# -- whole runs --------------------------------------------------------------------------------------------------------
@pytest.fixture
def run(on_pictures: Callable[..., RunConfig], agent: Callable[..., AgentConfig]) -> Callable[..., RunConfig]:
    """A function (auxiliary, field=value, ...) -> 60 steps of it on pictures of 6 x 5, in episodes of 7 steps."""

    def build(auxiliary: Any = PREDICTING, **more: Any) -> RunConfig:
        parts = {
            "n_step": 2,
            "execution": SEQUENTIAL,
            "replay": Prioritized(),
            "target_tracking": Averaged(tau=0.1),
            "steps_per_update": 2,
        }
        changed = agent(auxiliary, **{**parts, **more})
        return on_pictures(changed, frames=60)

    return build


SEQUENTIAL = Interleaved(xla="none", threads=1)
BESIDE = {
    "execution": Concurrent(xla="none", threads=1, environments=2, workers=0),
    "target_tracking": load("der").agent.target_tracking,
}


def played(config: RunConfig) -> dict[str, np.ndarray]:
    """Networks and optimizer after a run."""
    loop = make_loop(config)
    try:
        for _ in loop.records(lambda: None):
            pass
        assert loop.run.counters.updates >= 10
        return {name: np.array(value) for name, value in loop.run.learner.parameters.state().items()}
    finally:
        loop.close()


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_the_same_bytes_whoever_makes_the_updates(run: Callable[..., RunConfig]) -> None:
    """Looking ahead, frames on the device, and a second time."""
    plain = played(run())
    ahead = dataclasses.replace(SEQUENTIAL, threads=2)
    assert equal(plain, played(run(execution=ahead)))
    assert equal(plain, played(run(execution=ahead, storage=Storage(capacity=64, placement="device"))))
    assert not equal(plain, played(run(dataclasses.replace(PREDICTING, weight=0.0))))


def test_concurrent_runs_are_the_same_too(run: Callable[..., RunConfig]) -> None:
    """Several updates in a call, from a replay on the device, against one after the other."""
    execution = BESIDE["execution"]
    several = {
        **BESIDE,
        "execution": dataclasses.replace(execution, threads=2, updates_per_call=3),
        "storage": Storage(capacity=64, placement="device"),
    }
    uniform = load("drq").agent.replay
    assert equal(played(run(replay=uniform, **BESIDE)), played(run(replay=uniform, **several)))


def test_stopped_and_continued(run: Callable[..., RunConfig], tmp_path: Path) -> None:
    config, quiet = run(), Options(progress=False, try_environment=False)
    train(config, tmp_path / "whole", quiet)

    def enough(row: Any) -> None:
        raise KeyError("enough")

    with pytest.raises(CallbackError, match="enough"):
        train(config, tmp_path / "stopped", quiet, on_iteration=enough)
    train(config, tmp_path / "stopped", quiet)
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


# -- the presets -------------------------------------------------------------------------------------------------------
def count(variables: list[Any]) -> int:
    return sum(prod(v.shape) for v in variables)


def layer(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def parameters(preset: str, actions: int) -> dict[str, int]:
    """How many numbers each part of theta has, on Atari's screens."""
    spec = EnvironmentSpec(ObservationSpec((84, 84), "uint8", stack=4), tuple(map(str, range(actions))), 4)
    network = build_network(load(preset).agent, spec, 0)
    prediction = network.prediction
    rest = count(network.variables) - count(network.torso.trainable_variables) - count(prediction.variables)
    return {
        "torso": count(network.torso.trainable_variables),
        "head": rest,
        "transition": count(prediction.transition_variables),
        "predictor": count(prediction.predictor.trainable_variables),
    }


@pytest.mark.parametrize(
    ("preset", "features", "hidden", "streams", "normalization"),
    [("spr_dopamine", 11 * 11 * 64, 512, 1, 0), ("spr", 7 * 7 * 64, 256, 2, 2 * 64)],
)
def test_parameters_are_those_of_the_published_code(
    preset: str, features: int, hidden: int, streams: int, normalization: int
) -> None:
    """Layer by layer, as spr_networks.py and models.py build them (without the authors' unread parts)."""
    actions, atoms = 9, 51
    assert parameters(preset, actions) == {
        "torso": layer(8 * 8 * 4, 32) + layer(4 * 4 * 32, 64) + layer(3 * 3 * 64, 64),
        "head": 2 * (streams * layer(features, hidden) + layer(hidden, actions * atoms) + layer(hidden, atoms)),
        "transition": layer(9 * (64 + actions), 64) + layer(9 * 64, 64) + normalization,
        "predictor": layer(512, 512),
    }


# -- it learns ---------------------------------------------------------------------------------------------------------
def test_what_is_predicted_comes_true(agent: Callable[..., AgentConfig]) -> None:
    """On one batch of images whose targets rest, forty updates of the auxiliary loss alone take most of it away."""
    config = agent(
        SPR(steps=K, weight=100.0), augmentation=load("der").agent.augmentation, layers=load("drq").agent.layers
    )
    made, sample = learner(config), batch()
    losses = [float(made.update(sample, number).loss) for number in range(60)]
    assert losses[-1] < 0.5 * losses[0]


# -- the configuration -------------------------------------------------------------------------------------------------
def test_runs_without_it_keep_their_identity() -> None:
    """The hashes of runs that exist: tests/test_config.py."""
    plain = fields.to_json(load("der").agent)
    assert not {"auxiliary", "target_tracking"} & plain.keys() and "latent" not in plain["network"]
    assert "divergence_priority" not in plain["value"]
    config = load("spr").agent
    assert fields.from_json(AgentConfig, fields.to_json(config)) == config
    assert fields.to_json(config)["auxiliary"]["steps"] == 5


def test_what_is_refused(
    outcome: Callable[..., str], agent: Callable[..., AgentConfig], cartpole: Callable[..., RunConfig]
) -> None:
    assert outcome(cartpole().with_settings, ["auxiliary=spr"]) == (
        "Expected a network of images with auxiliary=spr, got network=mlp: its transition model is made of "
        "convolutions. Set auxiliary=no_auxiliary, or network=nature_cnn for images."
    )
    assert outcome(agent, network=dataclasses.replace(SMALL, latent="as_it_is")) == (
        "Expected network.latent=min_max with auxiliary=spr, got as_it_is: what the transition model predicts is "
        "scaled to 0..1. Set network.latent=min_max."
    )
    assert "got network.hidden=none" in outcome(
        agent, network=dataclasses.replace(SMALL, hidden=None), head=load("dqn_image").agent.head
    )
    assert "got layers=layer_norm" in outcome(agent, layers=LayerNorm())
    assert outcome(agent, execution=Fused()) == (
        "Expected auxiliary=no_auxiliary with execution=fused, got spr: it learns from what followed each transition, "
        "and an update there is given its batch without it. Set execution=interleaved."
    )
    assert outcome(agent, SPR(steps=40)).startswith(
        "Expected at least 80 for `replay.capacity`, got 64: it has to hold"
    )
    assert outcome(agent, SPR(clip_apart=True)).startswith("Expected a number for `max_grad_norm` with auxiliary.clip")
    assert outcome(SPR, steps=-1).startswith("Expected 0 to 255 steps for `auxiliary.steps`, got -1")
    assert outcome(SPR, weight=-0.1).startswith("Expected a number >= 0 for `auxiliary.weight`")
    assert outcome(SPR, norm_floor=0.0).startswith("Expected a number in [1e-15, 1] for `auxiliary.norm_floor`")
    assert agent(SPR(steps=0), network=MLP(hidden=(8,)), augmentation=load("der").agent.augmentation)
    assert Categorical().divergence_priority is False


def test_more_steps_than_an_episode_has_are_refused(outcome: Callable[..., str]) -> None:
    from dqn_tf import make_config

    settings = ["protocol.max_frames_per_episode=20", "auxiliary.steps=5"]
    assert outcome(make_config, "spr", "breakout", frames=400_000, settings=settings) == (
        "Expected fewer steps than an episode has at most (`protocol.max_frames_per_episode`=20) for "
        "`auxiliary.steps`, got 5."
    )
