"""Views of images: by hand, a naive twin, what stays as it was, and the same bytes whoever makes the updates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import fields, make_config
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.augmentation import PadAndCrop, brightened, shifted
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.unaugmented import Unaugmented
from dqn_tf.checks import ConfigError
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.execution.fused import make_learner
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.presets import load
from dqn_tf.replay.storage import Storage
from dqn_tf.rng import Stream
from dqn_tf.training.callbacks import CallbackError
from dqn_tf.training.loop import make_loop
from dqn_tf.training.run import Options, train
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

SMALL = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8)
BYTES = ObservationSpec((6, 5), "uint8", stack=2)
FLOATS = ObservationSpec((6, 5), "float32", stack=2, low=0.0, high=255.0)  # seen by networks as the bytes are
VIEWS = PadAndCrop(pad=2, intensity=0.05)


# -- one image ---------------------------------------------------------------------------------------------------------
def test_a_shift_by_hand() -> None:
    """Down by one, and two to the left: what the border has to give for the places that are left empty is its copy."""
    x = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    moved = shifted(x, np.int32([[1, -2]])).numpy()
    assert moved.dtype == np.uint8
    assert moved[0, :, :, 0].tolist() == [[4, 4, 4, 5], [8, 8, 8, 9], [12, 12, 12, 13], [12, 12, 12, 13]]


def test_an_intensity_by_hand() -> None:
    """eta = 1, -3 and 0: factors 1.05, 1 - 0.05 * 2 and 1; 250 becomes more than a byte holds."""
    x = np.full((3, 1, 1, 1), 250, np.uint8)
    assert brightened(x, np.float32([1, -3, 0]), 0.05).numpy().ravel().tolist() == [262.5, 225.0, 250.0]


def test_equals_the_published_code_literally() -> None:
    """Padding with copies of the border, a window out of that, and a factor, in float64: all 64 offsets of pad 4."""
    random, pad = np.random.default_rng(0), 4
    offsets = np.array([(o_y, o_x) for o_y in range(2 * pad) for o_x in range(2 * pad)], np.int32)
    x = random.integers(0, 256, (64, 6, 5, 3), dtype=np.uint8)
    eta = 2 * random.normal(size=64).astype(np.float32)
    padded = np.pad(x / 1.0, [(0, 0), (pad, pad), (pad, pad), (0, 0)], "edge")
    want = np.stack([p[o_y : o_y + 6, o_x : o_x + 5] for p, (o_y, o_x) in zip(padded, offsets, strict=True)])
    moved = shifted(x, offsets - pad)
    assert np.array_equal(moved, want)
    factor = 1 + 0.05 * np.clip(eta.astype(np.float64), -2, 2)
    found = brightened(moved, eta, 0.05).numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want * factor[:, None, None, None], rtol=1e-6)  # float32


# -- the draws ---------------------------------------------------------------------------------------------------------
def views(config: PadAndCrop, s_tm1: np.ndarray, s_t: np.ndarray, counter: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What update ``counter`` sees of them."""
    rest = np.zeros(len(s_tm1), np.float32)
    transitions = Transition(tf.constant(s_tm1), rest, rest, rest, tf.constant(s_t))
    seed = Stream(0, "network/update").seed_of(counter)
    found = config.views(transitions, Draws(tf.constant(seed)))
    assert found.a_tm1 is rest and found.r_t is rest and found.discount_t is rest
    return found.s_tm1.numpy(), found.s_t.numpy()


def test_a_stack_moves_as_one_and_every_state_by_itself() -> None:
    """An image whose pixel (i, j) is 10 i + j tells how it was moved, by what stands in its middle."""
    side = np.arange(10, dtype=np.uint8)
    x = np.broadcast_to((10 * side[:, None] + side)[None, :, :, None], (600, 10, 10, 4))
    s_tm1, s_t = views(PadAndCrop(pad=4, intensity=0), x, x)
    for view in (s_tm1, s_t):
        assert (view == view[..., :1]).all() and view.dtype == np.uint8
        moves = np.stack(divmod(view[:, 5, 5, 0].astype(int), 10)) - 5
        for axis in moves:
            values, counts = np.unique(axis, return_counts=True)
            assert values.tolist() == list(range(-4, 4)) and counts.min() > 40  # 75 each, standard deviation 8
        assert abs(np.corrcoef(moves)[0, 1]) < 0.15
    assert 0.005 < (s_tm1 == s_t).all(axis=(1, 2, 3)).mean() < 0.05  # 1/64


def test_intensities_are_clipped_normal_numbers_one_for_each_state() -> None:
    x = np.full((2000, 1, 2, 2), 100, np.uint8)
    s_tm1, s_t = views(PadAndCrop(pad=0, intensity=0.05), x, x)
    assert (s_tm1 == s_tm1[:, :1, :1, :1]).all() and not np.array_equal(s_tm1, s_t)
    eta = (s_tm1[:, 0, 0, 0] / 100 - 1) / 0.05
    assert eta.min() == pytest.approx(-2, abs=1e-4) and eta.max() == pytest.approx(2, abs=1e-4)
    assert eta.mean() == pytest.approx(0, abs=0.1) and eta.std() == pytest.approx(0.96, abs=0.06)
    assert 0.02 < (abs(eta) > 1.999).mean() < 0.08  # 4.6 %


def test_the_number_of_the_update_decides() -> None:
    x = np.random.default_rng(0).integers(0, 256, (8, 6, 5, 2), dtype=np.uint8)
    first, again, next_one = (views(VIEWS, x, x, counter) for counter in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, next_one)


def test_without_draws_states_are_as_they_are() -> None:
    transitions = Transition(*map(np.zeros, range(1, 6)))
    assert VIEWS.views(transitions, None) is transitions and Unaugmented().views(transitions, None) is transitions


# -- the update --------------------------------------------------------------------------------------------------------
@pytest.fixture
def agent(tiny_agent: Callable[..., AgentConfig]) -> Callable[..., AgentConfig]:
    """A function (augmentation, field=value, ...) -> a small agent for images."""
    return lambda augmentation=VIEWS, **more: tiny_agent(
        network=SMALL, bootstrap=Double(), augmentation=augmentation, **more
    )


def batch(dtype: str = "uint8") -> Sample:
    random = np.random.default_rng(0)
    s_tm1, s_t = random.integers(0, 256, (2, 4, 6, 5, 2)).astype(dtype)
    transitions = Transition(s_tm1, np.int32([0, 1, 2, 0]), np.float32([1, 0, 2, 1]), np.float32([0.9, 0, 0.9, 1]), s_t)
    return Sample(transitions, np.arange(4, dtype=np.int64), np.ones(4, np.float32))


def learner(config: AgentConfig, observation: ObservationSpec = BYTES) -> Any:
    """Three actions; the networks of all learners have the same weights, online and target not the same."""
    made = make_learner(config, EnvironmentSpec(observation, ("a", "b", "c"), 1), seed=0)
    random = np.random.default_rng(1)
    made.parameters.set_theta(
        {
            name: value + random.normal(size=value.shape).astype(np.float32) / 5
            for name, value in made.parameters.theta().items()
        }
    )
    return made


def gradients(made: Learner, sample: Sample, number: int = 0) -> list[np.ndarray]:
    return [g.numpy() for g in made.gradients(sample, number).gradients]


def test_an_update_is_that_of_another_agent_on_the_views(agent: Callable[..., AgentConfig]) -> None:
    """Bytes that became floats are not rounded to bytes again on their way into the network."""
    sample, number = batch(), 5
    s_tm1, s_t = views(VIEWS, sample.transitions.s_tm1, sample.transitions.s_t, number)
    assert not np.array_equal(s_tm1, np.round(s_tm1))
    seen = sample._replace(transitions=sample.transitions._replace(s_tm1=s_tm1, s_t=s_t))
    found, want = (
        gradients(learner(agent()), sample, number),
        gradients(learner(agent(Unaugmented()), FLOATS), seen),
    )
    for ours, theirs in zip(found, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)  # float32, sums in another order
    rounded = seen.transitions._replace(s_tm1=s_tm1.astype(np.uint8), s_t=s_t.astype(np.uint8))
    other = gradients(learner(agent(Unaugmented())), seen._replace(transitions=rounded))
    assert not all(np.allclose(ours, theirs, rtol=1e-4, atol=1e-6) for ours, theirs in zip(found, other, strict=True))


def test_neutral_numbers_are_no_augmentation(agent: Callable[..., AgentConfig]) -> None:
    """No shift and no factor: the gradients of an update, to the last bit; with either they are others."""
    plain = gradients(learner(agent(Unaugmented())), batch())
    for pad, intensity in ((0, 0.0), (1, 0.0), (0, 0.1)):
        found = gradients(learner(agent(PadAndCrop(pad=pad, intensity=intensity))), batch())
        same = all(map(np.array_equal, found, plain))
        assert same == (pad == 0 and intensity == 0)


def test_acting_and_scoring_see_the_states_themselves(agent: Callable[..., AgentConfig]) -> None:
    ours, plain = learner(agent()), learner(agent(Unaugmented()))
    states = batch().transitions.s_tm1
    assert np.array_equal(ours.act(states[0], 7), plain.act(states[0], 7))
    assert np.array_equal(ours.act_target(states, 7), plain.act_target(states, 7))
    assert np.array_equal(ours.scorer("evaluation")(states), plain.scorer("evaluation")(states))


def test_a_fused_update_is_the_same(agent: Callable[..., AgentConfig]) -> None:
    ours, fused = learner(agent()), learner(agent(execution=Fused(xla="none")))
    for number in range(2):
        for made in (ours, fused):
            made.update(batch(), number)
    theta = fused.parameters.theta()
    for name, value in ours.parameters.theta().items():
        np.testing.assert_allclose(theta[name], value, rtol=1e-4, atol=1e-5)  # float32, Adam's first steps


# -- whole runs --------------------------------------------------------------------------------------------------------
@pytest.fixture
def run(on_pictures: Callable[..., RunConfig], agent: Callable[..., AgentConfig]) -> Callable[..., RunConfig]:
    """A function (augmentation, field=value, ...) -> 100 steps of it on pictures of 6 x 5."""

    def build(augmentation: Any = VIEWS, **more: Any) -> RunConfig:
        changed = agent(augmentation, n_step=2, **{"execution": SEQUENTIAL, **more})
        return on_pictures(changed, frames=100)

    return build


SEQUENTIAL = Interleaved(xla="none", threads=1)
BESIDE = Concurrent(xla="none", threads=1, environments=2, workers=0)
DEVICE = Storage(capacity=64, placement="device")
SAME = {  # what makes the updates, and another that is to make the same
    "looking ahead": ({}, {"execution": dataclasses.replace(SEQUENTIAL, threads=2)}),
    "frames on the device": ({}, {"storage": DEVICE}),
    "workers": ({"execution": BESIDE}, {"execution": dataclasses.replace(BESIDE, threads=2, workers=2)}),
    "several in a call": (
        {"execution": BESIDE},
        {"execution": dataclasses.replace(BESIDE, updates_per_call=4), "storage": DEVICE},
    ),
}


def played(config: RunConfig) -> dict[str, np.ndarray]:
    """Networks and optimizer after a run."""
    loop = make_loop(config)
    try:
        for _ in loop.records(lambda: None):
            pass
        assert loop.run.counters.updates >= 15
        state: dict[str, np.ndarray] = loop.run.learner.parameters.state()
        return {name: np.array(value) for name, value in state.items()}
    finally:
        loop.close()


def equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("case", SAME)
def test_the_same_bytes_whoever_makes_the_updates(case: str, run: Callable[..., RunConfig]) -> None:
    one, other = SAME[case]
    assert equal(played(run(**one)), played(run(**other)))


def test_seeds_and_neutral_numbers(run: Callable[..., RunConfig]) -> None:
    """A whole run with neutral numbers is one without augmentation; any other augmentation makes another run."""
    plain, neutral, ours = (
        played(run(augmentation)) for augmentation in (Unaugmented(), PadAndCrop(pad=0, intensity=0), VIEWS)
    )
    assert equal(plain, neutral) and not equal(plain, ours)
    assert equal(ours, played(run())) and not equal(ours, played(dataclasses.replace(run(), seed=1)))


@pytest.mark.parametrize("execution", [SEQUENTIAL, BESIDE], ids=["interleaved", "concurrent"])
def test_stopped_and_continued(execution: Any, run: Callable[..., RunConfig], tmp_path: Path) -> None:
    config, quiet = run(execution=execution), Options(progress=False, try_environment=False)
    train(config, tmp_path / "whole", quiet)

    def enough(row: Any) -> None:
        raise KeyError("enough")

    with pytest.raises(CallbackError, match="enough"):
        train(config, tmp_path / "stopped", quiet, on_iteration=enough)
    train(config, tmp_path / "stopped", quiet)
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


# -- the configuration -------------------------------------------------------------------------------------------------
def test_runs_without_it_keep_their_identity() -> None:
    """The hashes of runs that exist: tests/test_config.py."""
    assert "augmentation" not in fields.to_json(load("der").agent)
    agent = load("drq_eps").agent
    assert fields.to_json(agent)["augmentation"] == {"kind": "pad_and_crop", "pad": 4, "intensity": 0.05}
    assert fields.from_json(AgentConfig, fields.to_json(agent)) == agent


def test_the_two_presets_differ_in_their_epsilons_alone() -> None:
    drq, eps = load("drq"), load("drq_eps")
    assert fields.differences(fields.to_json(drq.agent), fields.to_json(eps.agent)) == [
        ("exploration.final_epsilon", 0.1, 0.01)
    ]
    assert (drq.evaluation.epsilon, eps.evaluation.epsilon) == (0.05, 0.001)
    assert dataclasses.replace(drq.evaluation, epsilon=0.001) == eps.evaluation


def test_what_is_refused(outcome: Callable[..., str], cartpole: Callable[..., RunConfig]) -> None:
    config = cartpole()
    assert outcome(config.with_settings, ["augmentation=pad_and_crop"]) == (
        "Expected a network of images with augmentation=pad_and_crop, got network=mlp: a vector has no neighbors to "
        "shift to. Set augmentation=unaugmented, or network=nature_cnn for images."
    )
    assert outcome(config.with_settings, ["augmentation=pad_crop"]).startswith(
        "Expected unaugmented or pad_and_crop for `augmentation`, got 'pad_crop'."
    )
    assert outcome(PadAndCrop, pad=-1).startswith("Expected at least 0 pixels for `augmentation.pad`, got -1")
    assert outcome(PadAndCrop, intensity=0.5).startswith("Expected a number in [0, 0.5) for `augmentation.intensity`")
    assert outcome(dataclasses.replace, load("pqn_minatar").agent, augmentation=VIEWS) == (
        "Expected augmentation=unaugmented with execution=rollouts, got pad_and_crop: the targets of a rollout are "
        "computed before its updates, from states as they were. Set the one or execution=interleaved."
    )


def test_a_run_on_vectors_is_refused_before_anything_is_made(outcome: Callable[..., str]) -> None:
    assert "Expected images [H, W, C]" in outcome(make_config, "drq_eps", "CartPole-v1", frames=1_000)
    assert "a vector has no neighbors" in outcome(
        make_config, "dqn_classic", "CartPole-v1", frames=1_000, settings=["augmentation=pad_and_crop"]
    )


def test_what_an_environment_must_show(outcome: Callable[..., str], agent: Callable[..., AgentConfig]) -> None:
    """Before any network is made."""
    vectors = EnvironmentSpec(ObservationSpec((3,), "float32"), ("a", "b"), 1)
    assert outcome(Learner, agent(), vectors, 0) == (
        "Expected images [H, W, C] for augmentation=pad_and_crop, got float32 [3]: a vector has no neighbors to shift "
        "to. Set augmentation=unaugmented."
    )
    signed = FLOATS._replace(low=-1.0, high=1.0)
    assert outcome(VIEWS.check_observation, signed) == (
        "Expected images whose darkest value is 0 for `augmentation.intensity`=0.05, got -1.0 to 1.0: a factor would "
        "not make them brighter. Set augmentation.intensity=0."
    )
    PadAndCrop(intensity=0).check_observation(signed)
    Unaugmented().check_observation(vectors.observation)
    with pytest.raises(ConfigError):
        make_learner(agent(execution=Fused()), vectors, 0)
