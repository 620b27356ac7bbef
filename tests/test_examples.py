"""The files of examples/ do what they say, as a reader starts them."""

from __future__ import annotations

import gzip
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from PIL import Image

import dqn_tf
from dqn_tf import cli

EXAMPLES = Path(__file__).parents[1] / "examples"
LINES = 60  # at most, of an example that a guide ends in


def run(script: str, *words: object) -> str:
    """What the script prints."""
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=EXAMPLES.parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("script", "field", "kind"),
    [
        ("own_value_family.py", "value", "own_value_family:LogCosh"),
        ("own_target_rule.py", "bootstrap", "own_target_rule:ExpectedSarsa"),
        ("own_network.py", "network", "own_network:Normalized"),
    ],
)
def test_a_part_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, field: str, kind: str
) -> None:
    """A script trains with its own class; what it left can be used by any process that can import the script."""
    assert kind in run(script, tmp_path / "run", "--frames", 1_500)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    config = dqn_tf.load(tmp_path / "run").config
    assert config.to_json()["agent"][field]["kind"] == kind
    assert dqn_tf.make_config("dqn_classic", "CartPole-v1", frames=1_500, settings=[f"{field}={kind}"]).frames == 1_500


def test_an_environment_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is learned: the far end of the corridor is worth more than the near one, wherever an episode begins."""
    said = run("own_environment.py", tmp_path / "run", "--frames", 8_000)
    assert said.splitlines()[-1] == 'gym:own_environment:Corridor{"length":9} 1.0'
    monkeypatch.syspath_prepend(str(EXAMPLES))
    agent = dqn_tf.load(tmp_path / "run")
    assert [agent.act(place) for place in np.eye(9, dtype=np.float32)[1:8]] == [1] * 7


def test_images_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide shows the file; a short run of it can be loaded, and plays."""
    shown = (EXAMPLES.parent / "docs" / "guides" / "own_environment.md").read_text()
    assert f"```python\n{(EXAMPLES / 'own_images.py').read_text()}```" in shown
    said = run("own_images.py", tmp_path / "run", "--frames", 1_200)
    assert said.splitlines()[-1].startswith("gym:own_images:Catch ")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    agent = dqn_tf.load(tmp_path / "run")
    answer = agent.make_environment().reset()
    assert agent.spec.observation.shape == answer.observation.shape == (8, 8, 2)
    assert agent.act(answer.observation) in (0, 1, 2)


def test_results_are_read_and_drawn(tmp_path: Path) -> None:
    """The iterations of the published runs, and a picture."""
    published = EXAMPLES.parent / "results" / "runs"
    said = run("read_results.py", published, "--out", tmp_path / "returns.png").splitlines()
    assert said[0].split()[:5] == ["agent", "game", "seed", "frames", "train_return_mean"]
    plain = [p.read_bytes() for p in published.rglob("iterations.csv")]
    packed = [gzip.decompress(p.read_bytes()) for p in published.rglob("iterations.csv.gz")]
    assert len(said) - 2 == sum(len(table.splitlines()) - 1 for table in (*plain, *packed))
    assert (tmp_path / "returns.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("threads_left_alone")
def test_an_exported_network_plays(tmp_path: Path, cartpole: Callable[..., dqn_tf.RunConfig]) -> None:
    """Without this package: the episode that the agent itself would play."""
    pytest.importorskip("onnxruntime")
    dqn_tf.train(cartpole(), tmp_path / "run", dqn_tf.Options(progress=False))
    dqn_tf.export(tmp_path / "run", "onnx", tmp_path / "exported")
    said = run("exported.py", tmp_path / "exported")
    agent, environment, total = dqn_tf.load(tmp_path / "run"), gymnasium.make("CartPole-v1"), 0
    observation, over = environment.reset(seed=0)[0], False
    while not over:
        observation, _, terminated, truncated, _ = environment.step(agent.act(observation))
        total, over = total + 1, terminated or truncated
    assert said.startswith(f"return {total};")


def test_imported_runs_are_read(tmp_path: Path) -> None:
    """A run of two evaluations, by the command."""
    np.savez(tmp_path / "evaluations.npz", timesteps=[100, 200], results=[[1.0, 3.0], [5.0, 6.0]])
    said = "--seeds 1 --agent dqn --environment CartPole-v1 --measure evaluation --rewards raw --unit frames".split()
    words = ["results", "import", "rl-zoo", str(tmp_path / "evaluations.npz"), "--out", str(tmp_path / "theirs.csv")]
    assert cli.main([*words, *said]) == 0
    shown = run("imported_runs.py", tmp_path / "theirs.csv").splitlines()
    assert shown[1].split() == ["rl-zoo", "dqn", "CartPole-v1", "raw", "1", "200", "NaN", "5.5"]


@pytest.mark.usefixtures("threads_left_alone")
def test_agents_from_files(
    tmp_path: Path,
    cartpole: Callable[..., dqn_tf.RunConfig],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A packed one and one of another program; in this process, which has TensorFlow already."""

    def said(script: str, *words: object) -> list[str]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, words)])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out.splitlines()

    dqn_tf.train(cartpole(), tmp_path / "run", dqn_tf.Options(progress=False))
    dqn_tf.pack(tmp_path / "run", tmp_path / "packed.zip")
    lines = said("packed.py", tmp_path / "packed.zip")
    assert lines[0].startswith("2 of 2 episodes come out") and lines[2].startswith("A new episode: ")
    original = EXAMPLES.parent / "tests" / "interop" / "originals" / "sb3_vectors.zip"
    assert said("imported.py", original, "CartPole-v1", "--source", "sb3", "--episodes", 2)[0].endswith(
        "over 2 episodes"
    )


@pytest.mark.usefixtures("threads_left_alone")
def test_surprises_of_an_agent(tmp_path: Path) -> None:
    settings = ["min_replay_steps=20", "execution=interleaved", "execution.xla=none", "evaluation.final_episodes=1"]
    config = dqn_tf.make_config("dqn_classic", "CartPole-v1", frames=60, settings=settings)
    dqn_tf.train(config, tmp_path / "run", dqn_tf.Options(progress=False))
    said = run("look_at_an_agent.py", tmp_path / "run", "--out", tmp_path / "page.html").splitlines()
    assert len(said) == 7 and said[0].startswith("step ") and "the TD error was" in said[0]
    assert said[-1] == str(tmp_path / "page.html") and (tmp_path / "page.html").exists()


@pytest.mark.usefixtures("threads_left_alone")
def test_an_episode_of_minatar_is_drawn(tmp_path: Path) -> None:
    """And is not black: minatar's own pictures hold numbers between 0 and 1.  The curve of the run is drawn, too."""
    settings = ["min_replay_steps=100", "execution=interleaved", "execution.xla=none", "evaluation.final_episodes=1"]
    config = dqn_tf.make_config("dqn_minatar", "minatar:breakout", frames=120, settings=settings)
    dqn_tf.train(config, tmp_path / "run", dqn_tf.Options(progress=False))
    said = run("watch_minatar.py", tmp_path / "run", "--out", tmp_path / "boards.png")
    assert said.startswith("minatar:breakout: ") and "drawn" in said
    picture = np.asarray(Image.open(tmp_path / "boards.png").convert("RGB"))
    bricks = (np.abs(picture.astype(int) - (193, 202, 243)).max(axis=2) <= 2).sum()  # of three rows on each board
    assert bricks > 1_000
    said = run("read_results.py", tmp_path / "run", "--out", tmp_path / "returns.png")
    assert said.splitlines()[1].split()[:3] == ["dqn_minatar", "minatar:breakout", "0"]


def test_curves_are_means_within_a_run_and_a_stretch_of_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import pandas as pd
    import read_results

    rows = [("a", "g", 0, 10, 1.0), ("a", "g", 0, 50, 3.0), ("a", "g", 0, 51, 5.0), ("a", "g", 1, 100, 7.0)]
    episodes = pd.DataFrame(rows, columns=["agent", "game", "seed", "frames", "return_raw"])
    means = read_results.curves(episodes, bins=2)
    assert means[["seed", "frames", "return_raw"]].values.tolist() == [[0, 25, 2.0], [0, 75, 5.0], [1, 75, 7.0]]


def test_examples_of_guides_are_short() -> None:
    found = {path.name: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    del found["dqn_in_one_file.py"]
    assert len(found) >= 3 and max(found.values()) <= LINES, found
