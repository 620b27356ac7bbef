"""benchmarks/linear_cost.py: a run that slows down or grows is told from one that does not."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from dqn_tf import make_config
from dqn_tf.config import RunConfig
from dqn_tf.training.run_dir import read_json

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "linear_cost.py"
ROW_BYTES = 84 * 84 + 16  # about


@pytest.fixture(scope="module")
def linear_cost() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("linear_cost", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(SCRIPT.parent))
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPT.parent))
    return module


@pytest.fixture(scope="module")
def config() -> RunConfig:
    return make_config("dqn_dopamine", "breakout", frames=2_000_000)


def samples(rate: np.ndarray, grows: float = 0.0, others: float = 0.0) -> pd.DataFrame:
    """Of a run that makes ``rate`` frames in each second and keeps 1.5 cores busy; a sample every 20 s.

    grows: bytes per frame beside the replay.  others: cores that others use.
    """
    frames = 4 * np.cumsum(20 * rate / 4).astype(int)
    seconds = 20.0 * np.arange(1, len(rate) + 1)
    return pd.DataFrame(
        {
            "seconds": 1e9 + seconds,
            "process": 7,
            "frames": frames,
            "steps": frames // 4,
            "episodes": 0,
            "core_seconds": 1.5 * seconds,
            "machine_seconds": (1.5 + others) * seconds + 5_000,
            "memory_bytes": 500e6 + frames // 4 * ROW_BYTES + grows * frames,
        }
    )


def test_a_run_that_stays_as_fast_and_as_large(linear_cost: ModuleType, config: RunConfig) -> None:
    found = linear_cost.summary(samples(np.full(250, 400.0), others=0.25), config)
    assert found["last_to_first"]["frames_per_s"] == pytest.approx(1.0, abs=0.002)
    assert found["last_to_first"]["frames_per_core_second"] == pytest.approx(1.0, abs=0.002)
    assert found["last_to_first"]["beside_replay_mb"] == pytest.approx(1.0, abs=0.03)
    part = found["parts"][4]
    assert part["frames_per_s"] == pytest.approx(400, rel=0.01) and part["others"] == 0.25
    assert part["frames_per_core_second"] == pytest.approx(400 / 1.5, rel=0.01)
    assert [part["part"] for part in found["parts"]] == list(range(1, 11))
    assert found["from_frames"] >= 1_080_000  # Dopamine's warm-up, 20,000 steps, and decay of epsilon, 250,000
    assert found["from_frames"] <= 1_080_000 + 2 * 8_000
    assert "1.00" in linear_cost.table(found)


def test_a_run_that_gets_slower_and_larger(linear_cost: ModuleType) -> None:
    config = make_config("dqn_nature", "breakout", frames=2_000_000)  # whose epsilon falls for four million frames
    found = linear_cost.summary(samples(np.linspace(400, 300, 300), grows=300), config)
    assert 200_000 <= found["from_frames"] <= 200_000 + 2 * 8_000  # so that learning is what counts
    assert found["last_to_first"]["frames_per_core_second"] == pytest.approx(304 / 392, rel=0.02)
    assert found["last_to_first"]["beside_replay_mb"] > 1.5


def test_evaluation_and_starting_are_not_counted(linear_cost: ModuleType, config: RunConfig) -> None:
    """As if they had not been, though each takes minutes: one evaluation in the last tenth, and a second process."""
    one, two = samples(np.full(150, 400.0)), samples(np.full(150, 400.0))
    two[["seconds", "frames", "steps"]] += [10_000, one["frames"].iloc[-1], one["steps"].iloc[-1]]
    two["process"] = 8
    two["memory_bytes"] += one["steps"].iloc[-1] * ROW_BYTES
    two.loc[2:, ["seconds", "core_seconds"]] += 100  # it read a checkpoint and compiled
    whole = pd.concat([one, two], ignore_index=True)
    pause = whole.iloc[[-8] * 6].copy()
    pause["seconds"] += 20 * np.arange(1, 7)
    pause["core_seconds"] += 30 * np.arange(1, 7)
    rest = whole.iloc[-7:].copy()
    rest[["seconds", "core_seconds"]] += [120, 180]
    whole = pd.concat([whole.iloc[:-7], pause, rest], ignore_index=True)
    found = linear_cost.summary(whole, config)
    assert found["processes"] == 2
    rates = [part["frames_per_core_second"] for part in found["parts"]]
    assert rates == pytest.approx([400 / 1.5] * 10, rel=0.01)


def test_too_few_samples_are_refused(linear_cost: ModuleType, config: RunConfig) -> None:
    with pytest.raises(ValueError, match="at least 10 samples"):
        linear_cost.summary(samples(np.full(15, 400.0)), config)


def test_a_real_run_is_looked_at(tmp_path: Path) -> None:
    """The command, from training to the file; called again it says the same without a run."""
    run_dir, out = tmp_path / "run", tmp_path / "found.json"
    ours = [sys.executable, str(SCRIPT), "--run-dir", str(run_dir), "--every", "0.1", "--out", str(out)]
    words = ["dqn_classic", "CartPole-v1", "--frames", "9000"]
    made = subprocess.run([*ours, *words], capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    first = out.read_bytes()
    found = json.loads(first)
    assert found["to_frames"] <= 9_000 and found["preset"] == "dqn_classic" and found["processes"] == 1
    assert all(part["frames_per_s"] > 0 and part["own_mb"] > 100 for part in found["parts"])
    again = subprocess.run(ours, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and out.read_bytes() == first and again.stdout.strip() in made.stdout
    assert read_json(run_dir / "summary.json")["frames"] == 9_000

    wrong = subprocess.run([*ours, "dqn_clasic", *words[1:]], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "dqn_classic" in wrong.stderr
