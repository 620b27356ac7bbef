"""What pictures are drawn of: hidden activations, saliency and events, as they are and as they are written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.q_network import last_hidden
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.checks import RunError
from dqn_tf.trained import TrainedAgent
from dqn_tf.watching import played, recorded_states, saliency
from reproduce.presenting.plots import states as state_figures

pytestmark = pytest.mark.usefixtures("threads_left_alone")
IQN = ImplicitQuantile(samples=4, target_samples=4, policy_samples=4, cosines=4)
STATES = np.random.default_rng(5).normal(size=(3, 4)).astype(np.float32)


@pytest.fixture
def no_brush(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: object) -> np.ndarray:
        raise RunError("it has no brush")

    monkeypatch.setattr("dqn_tf.envs.classic.GymnasiumEnvironment.render", failing)


@pytest.mark.parametrize(
    ("ideas", "units"),
    [
        ({}, 8),
        ({"head": Dueling()}, 16),
        ({"head": Dueling(hidden="shared")}, 8),
        ({"value": IQN}, 8),
        ({"network": MLP(hidden=())}, 4),
    ],
    ids=["single", "two streams", "shared", "quantiles", "no hidden layer"],
)
def test_the_last_hidden_layer_and_the_values(
    untrained: Callable[..., TrainedAgent], ideas: dict[str, Any], units: int
) -> None:
    """The Q-values are the network's own; the output layer, applied by hand, gives them of the activations."""
    network = untrained(**ideas).q_network
    q, hidden = network.of_numbers(tf.constant(STATES))
    np.testing.assert_allclose(q, network(STATES, "act", None).q_values, rtol=1e-5, atol=1e-6)
    assert hidden.shape == (3, units)
    if set(ideas) <= {"network"}:
        np.testing.assert_allclose(network.head.layers[-1](hidden, None), q, rtol=1e-5, atol=1e-6)
    if "value" in ideas:  # the mean over fractions
        np.testing.assert_allclose(network.head.layers[-1](hidden, None), q, rtol=1e-4, atol=1e-5)


def test_noise_is_left_out(untrained: Callable[..., TrainedAgent]) -> None:
    network = untrained(layers=Noisy()).q_network
    np.testing.assert_array_equal(last_hidden(network.head, STATES), network.head.layers[0](STATES, None))


def test_saliency_of_a_network_that_looks_at_one_corner(pictures: Callable[..., TrainedAgent]) -> None:
    """Both maps are 0 where the Q-values depend on nothing, and the perturbation is half the squared change of Q."""
    network = pictures({"shape": (40, 40)}, envs.ImageProtocol()).q_network

    class Corner:
        def of_numbers(self, x: Any) -> tuple[Any, None]:
            corner = tf.reduce_mean(x[:, :8, :8, 0], axis=(1, 2))
            return tf.stack([corner, 2 * corner], axis=1), None

    image = np.random.default_rng(3).integers(0, 256, (40, 40, 2)).astype(np.uint8)
    slope = saliency.gradient(Corner(), image)  # type: ignore[arg-type]
    np.testing.assert_allclose(slope[:8, :8], 2 / 64, rtol=1e-6)
    assert not slope[8:].any() and not slope[:, 8:].any()
    change = saliency.perturbation(Corner(), image)  # type: ignore[arg-type]
    assert change.shape == (40, 40) and change[:8, :8].max() > 100 * change[20:, 20:].max() >= 0
    real = saliency.perturbation(network, image[..., :1])
    assert real.shape == (40, 40) and (real >= 0).all() and real.any()
    assert saliency.gradient(network, image[..., :1]).any()


def test_a_perturbation_by_hand() -> None:
    """Of a network that is the mean of all pixels: the mask blends the image with its blur around one place."""
    from scipy import ndimage

    class Mean:
        def of_numbers(self, x: Any) -> tuple[Any, None]:
            return tf.reduce_mean(x, axis=(1, 2)), None

    image = np.random.default_rng(3).integers(0, 256, (80, 80, 1)).astype(np.uint8)
    blurred = ndimage.gaussian_filter(image[..., 0].astype(np.float64), 3.0, mode="nearest")
    rows, columns = np.ogrid[:80, :80]
    mask = np.exp(-((rows - 35) ** 2 + (columns - 50) ** 2) / (2 * 25))
    by_hand = 0.5 * (mask * (blurred - image[..., 0])).mean() ** 2
    assert saliency.perturbation(Mean(), image)[35, 50] == pytest.approx(by_hand, rel=1e-2)  # type: ignore[arg-type]


def test_the_event_is_the_reward_after_which_the_value_falls_most() -> None:
    values = np.concatenate([np.linspace(1, 2, 40), np.linspace(2, 5, 20), np.full(40, 1.5)])
    moments = [
        played.Moment(
            screen=None, panels=[], vector=None, q=np.float32([v, 0]), dist=None, legal=None, score=0.0, reward=0.0
        )
        for v in values
    ]
    for step in (10, 58):
        moments[step].reward = 1.0
    one = played.Episode(moments, 2.0, "cut")
    event = recorded_states._event(played.Played([one], None, None, None, ""))  # type: ignore[arg-type]
    assert event.what == "a reward"
    before, top, after = (event.first + place for place in event.places)
    assert (before, top) == (0, 58) and after >= 60 and values[after] == 1.5
    for moment in moments:
        moment.reward = 1.0
    assert recorded_states._event(played.Played([one], None, None, None, "")).what.startswith("the largest fall")  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_brush")
def test_images_are_recorded_written_read_and_drawn(pictures: Callable[..., TrainedAgent], tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    agents = [pictures({"steps": 20, "shape": (12, 12)}, envs.ImageProtocol(stack=2)) for _ in range(2)]
    for name, agent in zip("ab", agents, strict=True):
        recorded_states.write(tmp_path / name, recorded_states.record(agent, states=30, epsilon=0.1))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    states = recorded_states.read(tmp_path / "a")
    assert states.places.shape == (30, 2) and states.values.shape == (30,) and states.filters.shape == (3, 3, 2, 4)
    assert states.thumbnails.shape == (12, 12, 12, 3) and len(set(states.thumbnail_states.tolist())) == 12
    assert states.saliency_screens.shape == states.saliency_gradient.shape == (3, 12, 12)
    assert states.about["agent"] == "dqn_classic" and states.about["episodes"] == 2
    figures = state_figures.drawn(states)
    assert list(figures) == ["plane", "value_trace", "filters", "saliency"]
    said = [text.get_text() for axes in figures["saliency"].axes for text in [axes.xaxis.label]]
    assert "perturbation\n(Greydanus et al. 2018)" in said and "gradient\n(Simonyan et al. 2013)" in said


@pytest.mark.usefixtures("no_brush")
def test_vectors_have_no_filters_and_no_saliency(untrained: Callable[..., TrainedAgent]) -> None:
    pytest.importorskip("sklearn")
    states = recorded_states.record(untrained(), states=12, epsilon=0.0)
    assert len(states.values) == 12 and not len(states.thumbnails) and states.about["event"].startswith("the largest")
    assert list(state_figures.drawn(states)) == ["plane", "value_trace"]


def test_what_is_no_file_of_states_is_refused(
    tmp_path: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("no")
    np.savez(tmp_path / "other.npz", about=np.frombuffer(b'{"format": 1}', np.uint8))
    np.savez(tmp_path / "pickle.npz", about=np.array([{"format": 1}], dtype=object))
    for name in ("text", "other.npz", "pickle.npz", "none"):
        assert "Expected a file of recorded states" in outcome(recorded_states.read, tmp_path / name)
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert "pip install 'dqn_tf[pictures]'" in outcome(recorded_states.embedding)
