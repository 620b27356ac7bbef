"""Runs of environments that show images: the same bytes wherever frames are kept and whoever plays, exact resumes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import determinism, envs, memory, trained
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.torsos import CNN, NatureCNN
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import ImageProtocol
from dqn_tf.modes import Concurrent, Interleaved
from dqn_tf.replay.storage import Storage
from dqn_tf.training.callbacks import CallbackError
from dqn_tf.training.loop import make_loop
from dqn_tf.training.run import Options, train

QUIET = Options(progress=False, try_environment=False)
SMALL = CNN(channels=(4,), kernels=(3,), strides=(2,), padding="same", hidden=8)
SEQUENTIAL = Interleaved(xla="none", threads=1)
BESIDE = Concurrent(xla="none", threads=1, environments=2, workers=0)
Run = Callable[..., RunConfig]


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


@pytest.fixture
def run(cartpole: Run) -> Run:
    """A function (arguments of Pictures, protocol, field=value, ...) -> 100 steps of a small agent on it."""

    def build(arguments: dict[str, Any], protocol: ImageProtocol | None = None, **changes: Any) -> RunConfig:
        protocol = protocol or ImageProtocol()
        config = cartpole(environment=envs.identify("pictures:Pictures", arguments), protocol=protocol)
        agent = dataclasses.replace(config.agent, network=SMALL, n_step=2, **changes)
        skip = protocol.frame_skip
        return dataclasses.replace(config, agent=agent, frames=100 * skip, iteration_frames=40 * skip)

    return build


STACKED = ImageProtocol(stack=2, frame_skip=2, max_frames_pooled=2)


def played(config: RunConfig) -> tuple[str, Any]:
    """The digest and the rows of a run."""
    loop = make_loop(config)
    try:
        rows = [record for record in loop.records(lambda: None) if record is not None]
        return loop.digest(), repr([r.row if hasattr(r, "row") else r for r in rows])
    finally:
        loop.close()


def test_wherever_frames_are_kept_bytes_are_the_same(run: Run) -> None:
    """Of all kinds of frames: tests/replay."""
    whole = played(run({"steps": 7}, STACKED, execution=SEQUENTIAL))
    for storage in (Storage(capacity=64, compression="delta"), Storage(capacity=64, placement="device")):
        assert played(run({"steps": 7}, STACKED, execution=SEQUENTIAL, storage=storage)) == whole


@pytest.mark.parametrize("execution", [SEQUENTIAL, BESIDE], ids=["interleaved", "beside"])
def test_stopped_in_mid_episode_and_continued(execution: Any, run: Run, tmp_path: Path) -> None:
    """Stopped where an iteration ends, which is within an episode; frames in color, stacked and skipped."""
    config = run({"steps": 13}, STACKED, execution=execution)
    train(config, tmp_path / "whole", QUIET)

    def enough(row: Any) -> None:
        raise KeyError("enough")

    with pytest.raises(CallbackError, match="enough"):
        train(config, tmp_path / "stopped", QUIET, on_iteration=enough)
    train(config, tmp_path / "stopped", QUIET)
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


def test_workers_give_the_bytes_of_none(run: Run, tmp_path: Path) -> None:
    protocol = ImageProtocol(stack=2, gray=True, frame_height=4)
    for workers in (0, 2):
        execution = dataclasses.replace(BESIDE, workers=workers)
        train(run({}, protocol, execution=execution), tmp_path / str(workers), QUIET)
    for name in ("episodes.csv", "iterations.csv"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize("execution", [SEQUENTIAL, BESIDE], ids=["interleaved", "beside"])
def test_nothing_of_an_image_that_is_not_finite_is_stored(execution: Any, run: Run) -> None:
    loop = make_loop(run({"kind": "float32", "high": 1, "fault": "nan", "at": 2}, execution=execution))
    try:
        with pytest.raises(RunError, match=r"episode 1, step 2 .*finite and fits float32, got nan at place 4"):
            for _ in loop.records(lambda: None):
                pass
        ring = loop.run.replay.ring
        assert np.isfinite(ring.frames.read_range(0, ring.head)).all()
    finally:
        loop.close()


def test_a_trained_agent_acts_on_what_its_environment_shows(run: Run, tmp_path: Path) -> None:
    config = run({"kind": "float64", "low": -1, "high": 1, "mask": True}, ImageProtocol(stack=2))
    train(config, tmp_path, QUIET)
    agent = trained.load(tmp_path)
    assert agent.spec.observation.shape == (6, 5, 6) and agent.spec.masked
    environment = agent.make_environment()
    answer = environment.reset()
    for _ in range(12):
        over = answer.episode_over
        answer = environment.reset() if over else environment.step(agent.act(answer.observation, mask=answer.mask))
    with pytest.raises(ConfigError, match=r"Expected float32 \[6, 5, 6\] for `observation`.* got float32 \[6, 5, 3\]"):
        agent.act(answer.frame, mask=answer.mask)


def test_a_network_sees_the_range_as_0_to_1(run: Run) -> None:
    """The first layer's answer to the lowest and the highest number of each kind of image."""
    for arguments, ends in [
        ({}, (0, 255)),
        ({"high": 10}, (0, 10)),
        ({"kind": "float32", "low": -1, "high": 3}, (-1, 3)),
        ({"kind": "bool", "high": 1}, (False, True)),
    ]:
        one = run(arguments)
        spec = envs.observation_spec(one.environment, one.protocol)
        for torso in (one.agent.network, NatureCNN()):
            scaling = torso.layers(spec._replace(frame_shape=(36, 36, 3)), Initializers("fan_in_uniform", None))[0][0]
            seen = [np.asarray(scaling(np.full((1, 36, 36, 3), end, spec.dtype))) for end in ends]
            np.testing.assert_allclose(seen[0], 0, atol=1e-7)
            np.testing.assert_allclose(seen[1], 1, atol=1e-7)


# -- from names to a run -----------------------------------------------------------------------------------------------
def config(preset: str, environment: str, **more: Any) -> RunConfig:
    return dqn_tf.make_config(preset, environment, frames=1_000, **more)


def test_images_have_their_protocol_without_being_asked() -> None:
    asked = config("dqn_image", "pictures:Road", protocol="image")
    assert config("dqn_image", "pictures:Road") == asked and asked.protocol == ImageProtocol()
    nature = config("dqn_nature", "pictures:Road")
    assert nature.protocol == ImageProtocol() and isinstance(nature.agent.network, NatureCNN)
    atari = config("dqn_nature", "pictures:Road", protocol="image_atari", settings=["protocol.frame_skip=2"])
    assert envs.observation_spec(atari.environment, atari.protocol).shape == (84, 84, 4)
    assert (atari.frame_skip, atari.steps) == (2, 500)
    assert RunConfig.from_json(atari.to_json()) == atari and atari.hash != nature.hash
    assert config("dqn_classic", "CartPole-v1").protocol is None
    assert config("dqn_image", "minatar:breakout").protocol == envs.MinAtarProtocol()


REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "vector preset": ("dqn_classic", "pictures:Road", {}, "got [96, 96, 3]. Images take the preset dqn_image, or, fr"),
    "vector preset with rules": ("dqn_cleanrl", "pictures:Road", {}, "network=mlp, got [96, 96, 3]. Images take the"),
    "too small": ("dqn_nature", "pictures:Pictures", {}, "at least 36 x 36 for network=nature_cnn, got uint8 [6, 5,"),
    "image preset": ("dqn_image", "CartPole-v1", {}, "Vectors are played without --protocol, by the preset dqn_clas"),
    "Atari preset": ("dqn_nature", "CartPole-v1", {}, "Vector observations take --set network=mlp or the preset dqn_c"),
    "image protocol of a vector": ("dqn_classic", "CartPole-v1", {"protocol": "image"}, "Expected images [H, W], [H"),
    "image protocol of a game": ("dqn_nature", "pong", {"protocol": "image"}, "Expected an Atari protocol for pong, o"),
    "game of the image preset": ("dqn_image", "pong", {}, "Expected images of a Gymnasium environment or of MinAtar f"),
    "Atari protocol": ("dqn_image", "pictures:Road", {"protocol": "dopamine"}, "or one for images (image, image_atar"),
    "unknown protocol": ("dqn_image", "pictures:Road", {"protocol": "imag"}, "Unknown protocol 'imag'. Did you mean '"),
    "ambiguous": ("dqn_image", 'pictures:Pictures{"shape":[9,9,9]}', {}, "Say which: --set protocol.channels=last"),
}


@pytest.mark.parametrize(("preset", "environment", "more", "message"), REFUSED.values(), ids=REFUSED)
def test_mismatches_are_refused(
    preset: str, environment: str, more: dict[str, Any], message: str, outcome: Callable[..., str]
) -> None:
    assert message in outcome(config, preset, environment, **more)


def test_the_plan_of_memory_knows_images(run: Run) -> None:
    """By hand: 121 rows (100 steps, and a fifth more), 13 bytes beside a frame."""
    whole = {"storage": Storage(capacity=1_000)}
    for arguments, bytes_of_a_frame in [({}, 90), ({"kind": "bool", "high": 1}, 12), ({"kind": "float32"}, 360)]:
        assert memory.raw_bytes(run(arguments, **whole)) == 121 * (bytes_of_a_frame + 13)
        assert memory.gpu_bytes(run(arguments, **whole)) > 1_000 * bytes_of_a_frame
    delta = Storage(capacity=1_000, compression="delta")
    noise = run({"shape": (40, 40, 3)}, storage=delta)
    assert memory.replay_bytes(noise) == memory.raw_bytes(noise)
    road = dataclasses.replace(noise, environment="gym:pictures:Road")
    assert 121 * 1_000 < memory.replay_bytes(road) < memory.raw_bytes(road) / 2
