"""The commands on one small real run, each in a process of its own, as a user would give them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.training.rescore import Recorder
from dqn_tf.training.run_dir import read_table

SETTINGS = ["iteration_frames=600", "min_replay_steps=200", "evaluation.episodes=2", "evaluation.final_episodes=3"]


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dqn_tf", *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CartPole-v1 for 1,200 frames in two iterations."""
    path = tmp_path_factory.mktemp("runs") / "cartpole"
    settings = [word for s in SETTINGS for word in ("--set", s)]
    done = command(
        "train",
        "dqn_classic",
        "CartPole-v1",
        "--seed",
        3,
        "--frames",
        1200,
        "--run-dir",
        path,
        "--tensorboard",
        *settings,
    )
    assert done.returncode == 0, done.stderr
    assert "Replay: 100,000 transitions" in done.stderr  # the budget comes first
    assert "oneDNN" not in done.stderr  # and no start-up chatter
    assert "complete, 1,200 frames" in done.stdout
    return path


def files(run: Path) -> dict[str, bytes]:
    return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*")) if p.is_file()}


def test_summary_and_tables(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    episodes, iterations = read_table(run / "episodes.csv"), read_table(run / "iterations.csv")
    assert summary["status"] == "complete"
    assert (summary["frames"], summary["steps"], summary["updates"], summary["iterations"]) == (
        1200,
        1200,
        251,
        2,
    )  # one update in 4 steps, from step 200 on
    assert summary["episodes"] == len(episodes)
    assert summary["state_digest"] == iterations[-1]["state_digest"]
    assert len(summary["final_evaluation"]["returns_raw"]) == 3
    assert [int(e["episode"]) for e in episodes] == list(range(len(episodes)))
    assert all(float(e["return_raw"]) == float(e["length_frames"]) for e in episodes)  # CartPole pays 1 a step
    first = [float(e["return_raw"]) for e in episodes if int(e["steps"]) <= 600]
    assert float(iterations[0]["train_return_mean"]) == pytest.approx(np.mean(first), rel=1e-12)
    assert float(iterations[0]["train_return_std"]) == pytest.approx(np.std(first, ddof=1), rel=1e-9)


def test_digest_is_recomputed_from_the_checkpoint(run: Path) -> None:
    done = command("digest", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == json.loads((run / "summary.json").read_text())["state_digest"]


def test_the_same_command_returns_at_once_and_touches_nothing(run: Path) -> None:
    before = files(run)
    settings = [word for s in SETTINGS for word in ("--set", s)]
    done = command("train", "dqn_classic", "CartPole-v1", "--seed", 3, "--frames", 1200, "--run-dir", run, *settings)
    assert done.returncode == 0
    assert "complete, 1,200 frames" in done.stdout
    after = files(run)
    assert {k: v for k, v in after.items() if k != ".lock"} == {k: v for k, v in before.items() if k != ".lock"}


def test_another_request_for_the_directory_is_refused(run: Path) -> None:
    before = files(run)
    done = command("train", "dqn_classic", "CartPole-v1", "--seed", 4, "--frames", 1200, "--run-dir", run)
    assert done.returncode == 2
    assert "seed: 3 there, 4 asked for" in done.stderr
    assert "iteration_frames: 600 there" in done.stderr
    assert files(run) == before


def test_evaluate_is_repeatable_and_writes_nothing(run: Path) -> None:
    before = files(run)
    first, again = (command("evaluate", run, "--episodes", 5, "--seed", 9) for _ in range(2))
    random = command("evaluate", run, "--episodes", 5, "--seed", 9, "--epsilon", 1)
    assert first.returncode == random.returncode == 0, first.stderr
    assert "5 episodes" in first.stdout
    assert first.stdout == again.stdout
    assert random.stdout != first.stdout
    assert files(run) == before


def test_evaluate_refuses_an_impossible_epsilon(run: Path) -> None:
    done = command("evaluate", run, "--episodes", 5, "--epsilon", 2)
    assert done.returncode == 2
    assert "probability" in done.stderr


def test_video(tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v3")
    environment = envs.make("breakout", envs.PROTOCOLS["dopamine"], seed=0)
    environment.reset()
    recorder = Recorder(tmp_path / "videos" / "episode.gif")
    for action in (1, 2, 3, 0, 2):
        environment.step(action)
        recorder.watch(environment)
    recorder.save()
    assert imageio.imread(tmp_path / "videos" / "episode.gif").shape[:3] == (5, 210, 160)


def test_tensorboard_shows_the_same_numbers(run: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    rows = read_table(run / "iterations.csv")
    tensors = events.Tensors("return/train_return_mean")
    assert [t.step for t in tensors] == [600, 1200]
    shown = [float(np.frombuffer(t.tensor_proto.tensor_content, "<f4")[0]) for t in tensors]
    assert shown == pytest.approx([float(r["train_return_mean"]) for r in rows], rel=1e-6)
    assert {"distribution/td_error", "distribution/q", "loss/loss", "exploration/epsilon"} <= set(tags["tensors"])


def test_bench_prints_parts_floor_and_ratio() -> None:
    settings = ["--set", "replay.capacity=5000"]
    done = command("bench", "--preset", "dqn_classic", "--environment", "CartPole-v1", "--seconds", 1, *settings)
    assert done.returncode == 0, done.stderr
    for part in ("update", "action", "environment step", "replay sample", "end to end", "floor", "per transition"):
        assert part in done.stdout
