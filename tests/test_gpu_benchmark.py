"""benchmarks/gpu.py, as far as it goes without a GPU: what it asks for can be run, and it keeps to its time."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from dqn_tf import bench, make_config
from dqn_tf.training import verify

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("gpu_benchmark", ROOT / "benchmarks" / "gpu.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_mode_can_be_run_with_its_presets(gpu: ModuleType) -> None:
    """As `dqn-tf bench` makes its configuration, and as it changes it."""
    asked = gpu.speeds_asked(gpu.PERIOD_STEPS)
    assert {name for name, _, _ in asked} == set(gpu.MODES)
    asked += gpu.speeds_asked(gpu.REHEARSED_PERIOD_STEPS)
    for _, settings, preset in asked:
        config = make_config(preset, "breakout", frames=10**9, settings=settings)
        assert bench.measured(config).agent.execution == config.agent.execution


def test_each_process_has_what_is_left_of_its_question_s_time(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first one that takes all of it leaves none to the second."""
    monkeypatch.setattr(gpu, "LEAST_SECONDS", 0.5)
    left, sleep = gpu.within(2.0), [sys.executable, "-c", "import time; time.sleep(60)"]
    begun = time.monotonic()
    with pytest.raises(gpu.Failed, match="not done after 2 s"):
        gpu.run(sleep, left)
    with pytest.raises(gpu.Failed, match="no time left"):
        gpu.run(sleep, left)
    assert time.monotonic() - begun < 30


def test_no_speed_takes_all_of_the_time(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes all that it may."""
    now, limits = [0.0], []

    def run(command: list[str], left: Callable[[], float]) -> None:
        limits.append(left())
        now[0] += left()
        raise gpu.Failed("not done")

    monkeypatch.setattr(gpu.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(gpu, "run", run)
    answers, number = list(gpu.speed(gpu.within(100.0), 1.0)), len(gpu.speeds_asked(400))
    assert len(answers) == len(limits) == number
    assert sum(limits) == pytest.approx(100)  # rounding
    assert min(limits) > 0.499 * 100 / number and max(limits) < 2.001 * 100 / number


def test_a_process_that_is_out_of_time_takes_its_own_with_it(gpu: ModuleType, tmp_path: Path) -> None:
    program = (
        "import pathlib, subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']);"
        "pathlib.Path(sys.argv[1]).write_text(str(p.pid)); time.sleep(99)"
    )
    with pytest.raises(gpu.Failed, match="not done"):
        gpu.run([sys.executable, "-c", program, str(tmp_path / "pid")], gpu.within(8.0))
    child = Path("/proc", (tmp_path / "pid").read_text(), "stat")
    limit = time.monotonic() + 30
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_the_verdict_is_verify_s(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the last line, which tells where the runs are or what the verdict holds for; bad news are an answer, too."""
    monkeypatch.setattr(verify, "_scope_words", lambda *_: "  CartPole: x86")
    good, bad = (verify._verdict(problems, verify.CASES, Path()) for problems in ([], ["CartPole: differs"]))
    monkeypatch.setattr(gpu, "run", lambda *_: (f"CartPole ...\n{good}\nThe runs are in x.\n", ""))
    words = "Verdict: same seed, same bytes, and killed and continued, same bytes (CartPole and Breakout)."
    assert gpu.determinism(None) == {"passed": True, "verdict": words}

    def fails(*_: object) -> None:
        raise gpu.Failed("exit code 1", bad)

    monkeypatch.setattr(gpu, "run", fails)
    assert gpu.determinism(None) == {"passed": False, "verdict": "Verdict: NOT the same bytes (CartPole and Breakout):"}
