"""The page holds what was played, whole and alike each time; what cannot be had is said before anything is played."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import envs
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.trained import TrainedAgent
from dqn_tf.training.run import Options, train
from dqn_tf.watching import played, watch_page, watch_video

pytestmark = pytest.mark.usefixtures("threads_left_alone")
QUIET = Options(progress=False, checkpoint_frames=60)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, threads_left_alone: None) -> Path:
    """CartPole for 120 steps with the return's distribution, and a checkpoint at the half of it, too."""
    settings = "network.hidden=8 min_replay_steps=20 value.atoms=5 execution=interleaved execution.xla=none".split()
    settings += "iteration_frames=60 evaluation.episodes=1 evaluation.final_episodes=1 evaluation.epsilon=0".split()
    config = dqn_tf.make_config("c51_classic", "CartPole-v1", seed=2, frames=120, settings=settings)
    path: Path = tmp_path_factory.mktemp("watched") / "run"
    train(config, path, QUIET)
    return path


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def pixels(series: Any, index: int) -> np.ndarray:
    """A picture, unpacked as the page's script does it."""
    chunk = series["chunks"][index // series["per_chunk"]]
    palette = np.frombuffer(base64.b64decode(chunk["palette"]), np.uint8).reshape(-1, 3)
    places = np.frombuffer(zlib.decompress(base64.b64decode(chunk["data"])), np.uint8)
    places = places.reshape(-1, series["height"], series["width"])
    return palette[np.bitwise_xor.accumulate(places, axis=0)[index % series["per_chunk"]]]


def test_the_page_is_whole_and_the_same_each_time(run: Path, tmp_path: Path) -> None:
    """Nothing is loaded from elsewhere, and no path, clock or order of a set shows."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said: list[str] = []
    pages = [dqn_tf.watch(run, tmp_path / name, episodes=2, most_steps=4, say=said.append) for name in "ab"]
    text = pages[0].read_text()
    assert pages[0].read_bytes() == pages[1].read_bytes() and before == {path: path.read_bytes() for path in before}
    assert not re.search(r"https?:|src=|@import|<link", text) and str(tmp_path) not in text
    assert said[0].startswith("Episode 1: return 4 in 4 steps, cut there")
    data = data_of(text)
    assert [episode["moments"] for episode in data["episodes"]] == [5, 5] and data["actions"] == ["0", "1"]
    rows = ("screen", "vector", "q", "action", "random", "reward", "td", "score")
    assert {len(data[name]) for name in rows} == {10} and data["panel"] is data["legal"] is None
    assert data["action"][4] is None and data["reward"][:5] == [1, 1, 1, 1, None] and data["score"][4] == 4


def test_what_the_script_unpacks_is_what_was_there(run: Path) -> None:
    """Screens, and distributions: two bytes a number."""
    agent = dqn_tf.load(run)
    found = played.play(agent, 1, 0.0, most_steps=3)
    data = data_of(watch_page.page(agent, found, 0.0))
    environment = agent.make_environment(played.STREAM, drawing=True)
    environment.reset()
    np.testing.assert_array_equal(pixels(data["screens"], data["screen"][0]), environment.render())
    environment.close()
    packed = data["distribution"]
    levels = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), "<u2").reshape(4, 2, 5)
    np.testing.assert_allclose(levels / 65535, [m.dist for m in found.episodes[0].moments], atol=1e-5)
    assert packed["kind"] == "atoms" and packed["support"] == [agent.config.agent.value.v_min, 100.0]


def test_a_checkpoint_is_chosen_by_its_frames(run: Path) -> None:
    half, whole = dqn_tf.load(run, "last", checkpoint=60), dqn_tf.load(run, "last", checkpoint=120)
    state = np.ones((1, 4), np.float32)
    assert (half.frames, whole.frames) == (60, 120) and (half.q_values(state) != whole.q_values(state)).any()


def test_what_is_refused(
    run: Path, tmp_path: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is played or written."""
    out = tmp_path / "new" / "page.html"
    for wrong, words in {
        "checkpoint": (90, "Expected a checkpoint of 90 frames"),
        "epsilon": (1.5, "Expected a probability in [0, 1] for `--epsilon`, got 1.5"),
        "episodes": (0, "Expected at least 1 for `--episodes`, got 0"),
        "most_steps": (0, "Expected at least 1 for `--steps`, got 0"),
        "mp4": (Path("video.gif"), "Expected a file that ends in .mp4 for `--mp4`, got 'video.gif'"),
    }.items():
        assert words[1] in outcome(dqn_tf.watch, run, out, **{wrong: words[0]}), wrong
    assert "Expected a file for --out" in outcome(dqn_tf.watch, run, tmp_path)
    assert "Expected a run directory" in outcome(dqn_tf.watch, tmp_path / "none", out)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "pip install 'dqn_tf[video]'" in outcome(dqn_tf.watch, run, out, mp4=tmp_path / "video.mp4")
    assert not out.parent.exists() and not (tmp_path / "video.mp4").exists()


def test_a_video_with_the_same_bytes(run: Path, tmp_path: Path) -> None:
    agent = dqn_tf.load(run)
    found = played.play(agent, 1, 0.0, most_steps=2)
    for name in ("a.mp4", "b.mp4"):
        watch_video.write(tmp_path / name, agent, found)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_what_cannot_be_drawn_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the observation instead."""

    def failing(self: object) -> np.ndarray:
        raise RunError("it has no <brush>")

    monkeypatch.setattr("dqn_tf.envs.classic.GymnasiumEnvironment.render", failing)
    agent = dqn_tf.load(run)
    page = watch_page.page(agent, played.play(agent, 1, 0.0, most_steps=2), 0.0)
    data = data_of(page)
    assert data["screen"] is data["screens"] is None and len(data["vector"][0]) == 4
    assert "No screen: it has no &lt;brush&gt;" in page


def test_boards_are_shown_channel_by_channel(
    agent_of: Callable[..., TrainedAgent], cartpole: Callable[..., RunConfig]
) -> None:
    pytest.importorskip("minatar")
    config = cartpole(environment="minatar:breakout", protocol=envs.MinAtarProtocol())
    network = CNN(channels=(4,), kernels=(3,), strides=(1,), hidden=8)
    agent = agent_of(dataclasses.replace(config, agent=dataclasses.replace(config.agent, network=network)))
    data = data_of(watch_page.page(agent, played.play(agent, 1, 0.0, most_steps=2), 0.0))
    assert data["labels"] == ["channel 1", "channel 2", "channel 3", "channel 4"] and data["vector"] is None
    board = agent.make_environment(played.STREAM).reset().observation
    for channel, index in enumerate(data["panel"][0]):
        np.testing.assert_array_equal(pixels(data["panels"], index)[..., 0], 255 * board[..., channel])
