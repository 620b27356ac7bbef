"""Two runs of one seed are equal in weights, target weights, optimizer, replay, counters and tables."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.rng import Stream
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.run_dir import read_json, read_table
from dqn_tf.training.verify import differences

pytestmark = pytest.mark.slow


@pytest.fixture
def busy_machine(name: str) -> Iterator[None]:
    """Beside "breakout", whose updates are computed ahead on another thread: a neighbour that never rests."""
    if name != "breakout":
        yield
        return
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    neighbour.kill()
    neighbour.wait()


def newest_state(run_dir: Path) -> dict[str, Any]:
    loaded = Store(run_dir / "checkpoints", read_json(run_dir / "manifest.json")["config_hash"]).load(pytest.fail)
    assert loaded is not None
    state: dict[str, Any] = loaded[1]["run"]
    return state


@pytest.mark.parametrize("name", ["cartpole", "rainbow", "breakout"])
def test_two_runs_are_equal(
    name: str,
    tmp_path: Path,
    cases: dict[str, Any],
    command: Callable[..., Any],
    equal_to_baseline: Callable[[str, Path], None],
    busy_machine: None,
) -> None:
    """In another directory, under another PYTHONHASHSEED, one on a busy machine, with checkpoints at other times."""
    run_dir = tmp_path / "another place" / "é" / name
    words = cases[name].words(run_dir, checkpoint_frames=124)
    result = command(words, cwd=tmp_path, hash_seed=4_000_000_000)
    assert result.exit == 0, result.output
    equal_to_baseline(name, run_dir)


@pytest.mark.parametrize("name", ["cartpole", "rainbow", "breakout"])
def test_the_runs_contain_what_could_differ(name: str, cases: dict[str, Any], baseline: Callable[[str], Path]) -> None:
    """Ends of episodes, learning, target syncs, a wrapped ring and evaluations: or equality would mean little."""
    run_dir, settings = baseline(name), cases[name].settings
    summary, state = read_json(run_dir / "summary.json"), newest_state(baseline(name))
    assert len(read_table(run_dir / "episodes.csv")) == summary["episodes"] >= 2
    assert summary["updates"] >= 50
    assert state["replay"]["head"] > 2 * int(settings["replay.capacity"])
    iterations = read_table(run_dir / "iterations.csv")
    assert len(iterations) == summary["iterations"] >= 2
    assert all(float(row["eval_episodes"]) > 0 and float(row["loss"]) > 0 for row in iterations)
    assert summary["final_evaluation"]["episodes"] == int(settings["evaluation.final_episodes"])
    # The target network was synced after learning began, and the online network went on from there.
    kernel = state["learner"]["target/00"]
    fans = (256, 2048) if name == "breakout" else (kernel.shape[0], 0)
    limit = math.sqrt(6 / sum(fans)) if name == "breakout" else 1 / math.sqrt(fans[0])
    initial = Stream(5, "weights").at(0).uniform(-limit, limit, kernel.shape).astype(np.float32)
    assert not np.array_equal(kernel, initial)
    assert not np.array_equal(kernel, state["learner"]["online/00"])
    assert np.corrcoef(kernel.ravel(), initial.ravel())[0, 1] > 0.7  # but it did begin there


def test_priorities_went_back_and_a_largest_one_was_found(baseline: Callable[[str], Path]) -> None:
    sampler = newest_state(baseline("rainbow"))["replay"]["sampler"]
    assert sampler["largest"] > 1.0 and sampler["transitions"] > 2 * 150 and len(set(sampler["leaves"])) > 20


def test_every_iteration_has_the_state_in_its_row(baseline: Callable[[str], Path]) -> None:
    """So that two runs that differ show from which iteration on."""
    rows = read_table(baseline("cartpole") / "iterations.csv")
    digests = [row["state_digest"] for row in rows]
    assert len(set(digests)) == len(digests)
    assert digests[-1] == read_json(baseline("cartpole") / "summary.json")["state_digest"]


def test_another_seed_gives_other_bytes(
    tmp_path: Path, cases: dict[str, Any], baseline: Callable[[str], Path], workbench: Any
) -> None:
    words = cases["cartpole"].words(tmp_path / "run", extra=("--seed", "6"))
    assert workbench.run(words).exit == 0
    found = "\n".join(differences(baseline("cartpole"), tmp_path / "run"))
    for what in ("episodes.csv", "iterations.csv", "summary.json", "learner (", "replay (", "environment ("):
        assert what in found


def test_the_manifest_says_what_the_promise_covers(cases: dict[str, Any], baseline: Callable[[str], Path]) -> None:
    manifest = json.loads((baseline("breakout") / "manifest.json").read_text())
    assert "every byte" in manifest["promise"]
    assert {
        "python",
        "tensorflow",
        "keras",
        "numpy",
        "gymnasium",
        "ale-py",
        "machine",
        "cpu",
        "devices",
        "xla",
        "variables",
        "op_determinism",
    } <= set(manifest["scope"])
    assert len(manifest["rom_md5"]) == 32 and manifest["status"] == "complete"
    assert [s["status"] for s in manifest["sessions"]] == ["complete"]
