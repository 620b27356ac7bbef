"""Two small runs, and the means to start, disturb and compare them.  Every run is a process of its own."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dqn_tf.training.verify import differences

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 500.0  # for one run; on an idle machine a few seconds


@dataclasses.dataclass(frozen=True)
class Case:
    """A run: what is trained, and with which settings."""

    preset: str
    environment: str
    frames: int
    checkpoint_frames: int
    settings: dict[str, str]

    def words(self, run_dir: Path, checkpoint_frames: int = 0, extra: tuple[str, ...] = ()) -> list[str]:
        """The words after `dqn-tf`.  ``extra`` comes last and so wins."""
        words = ["train", self.preset, self.environment, "--seed", "5", "--frames", str(self.frames)]
        words += ["--run-dir", str(run_dir), "--checkpoint-frames", str(checkpoint_frames or self.checkpoint_frames)]
        return [*words, *(w for k, v in self.settings.items() for w in ("--set", f"{k}={v}")), "--quiet", *extra]


CASES = {
    "cartpole": Case(
        preset="dqn_classic",
        environment="CartPole-v1",
        frames=600,
        checkpoint_frames=60,
        settings={
            "network.hidden": "16,16",
            "replay.capacity": "150",
            "batch_size": "16",
            "min_replay_steps": "100",
            "steps_per_update": "2",
            "target_update_steps": "70",
            "exploration.decay_steps": "200",
            "iteration_frames": "250",  # the last iteration is a part of one
            "evaluation.episodes": "3",
            "evaluation.final_episodes": "3",
            "heldout_states": "20",
        },
    ),
    "rainbow": Case(
        preset="rainbow_classic",
        environment="CartPole-v1",
        frames=500,
        checkpoint_frames=60,
        settings={
            "network.hidden": "16,16",
            "value.atoms": "11",
            "replay.capacity": "150",
            "replay.importance.end": "150",
            "batch_size": "8",
            "min_replay_steps": "100",
            "steps_per_update": "2",
            "target_update_steps": "70",
            "iteration_frames": "250",
            "evaluation.episodes": "3",
            "evaluation.final_episodes": "3",
            "heldout_states": "20",
            "execution.xla": "none",  # compiled in a fraction of the time
            "execution.threads": "2",
        },
    ),
    "concurrent": Case(
        preset="dqn_dopamine",
        environment="breakout",
        frames=1_920,
        checkpoint_frames=400,
        settings={
            "execution": "concurrent",
            "execution.environments": "4",
            "execution.workers": "2",
            "network.hidden": "16",
            "replay.capacity": "250",
            "replay.compression": "delta",
            "batch_size": "8",
            "min_replay_steps": "60",
            "target_update_steps": "80",
            "exploration.decay_steps": "100",
            "iteration_frames": "800",  # ends inside a period
            "evaluation.frames": "none",
            "evaluation.episodes": "2",
            "evaluation.final_episodes": "2",
            "heldout_states": "20",
            "protocol.max_frames_per_episode": "300",  # so that episodes end
            "protocol.max_frames_per_evaluation_episode": "240",
        },
    ),
    "breakout": Case(
        preset="dqn_dopamine",
        environment="breakout",
        frames=1_600,
        checkpoint_frames=400,
        settings={
            "network.hidden": "16",
            "replay.capacity": "150",
            "batch_size": "8",
            "min_replay_steps": "60",
            "target_update_steps": "90",
            "exploration.decay_steps": "100",
            "iteration_frames": "800",
            "evaluation.frames": "none",
            "evaluation.episodes": "2",
            "evaluation.final_episodes": "2",
            "heldout_states": "20",
            "protocol.max_frames_per_episode": "600",  # so that an episode ends
            "protocol.max_frames_per_evaluation_episode": "240",  # an untrained greedy agent never fires
        },
    ),
}
RAINBOW = CASES["rainbow"]
CASES["rainbow_interleaved"] = dataclasses.replace(RAINBOW, settings={"execution": "interleaved", **RAINBOW.settings})


@dataclasses.dataclass(frozen=True)
class Result:
    """How a run ended: its exit code (minus the signal's number if one killed it), what it printed, and the seconds
    from the point that the workbench was told of to the end."""

    exit: int
    output: str
    seconds: float | None = None


# -- the ordinary way -------------------------------------------------------------------------------------------------
def start(words: list[str], cwd: Path, hash_seed: int = 0) -> subprocess.Popen[str]:
    """``python -m dqn_tf`` with these words."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "dqn_tf", *words]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> Result:
    """Wait for the end."""
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    finally:
        process.kill()
    return Result(process.returncode, output)


@pytest.fixture(scope="session")
def command() -> Callable[..., Result]:
    """A function (words, cwd, hash_seed) -> the result of `dqn-tf` with these words."""
    return lambda words, cwd, hash_seed=0: finish(start(words, cwd, hash_seed))


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return CASES


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function (case) -> the directory of its run that nothing disturbed; made once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "determinism-baselines"

    def get(name: str) -> Path:
        shared.mkdir(exist_ok=True)
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / name / "summary.json").exists():
                result = finish(start(CASES[name].words(shared / name), shared))
                assert result.exit == 0, result.output
        return shared / name

    return get


@pytest.fixture(scope="session")
def equal_to_baseline(baseline: Callable[[str], Path]) -> Callable[[str, Path], None]:
    """A function (case, run directory): the run is complete, and equal to the one that nothing disturbed."""

    def check(name: str, run_dir: Path) -> None:
        assert differences(baseline(name), run_dir) == []
        for file in ("episodes.csv", "iterations.csv", "summary.json"):
            assert (run_dir / file).read_bytes() == (baseline(name) / file).read_bytes()

    return check


# -- the workbench -----------------------------------------------------------------------------------------------------
class Workbench:
    """See workbench.py."""

    def __init__(self, folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__).with_name("workbench.py"))]
        self._process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._output = folder / "output.txt"
        self._busy = False

    def start(self, words: list[str], at: str = "", what: str = "", segment_bytes: int = 0) -> int:
        """Start a run, and return its process number."""
        if self._busy:  # a test failed before it waited
            self.wait()
        self._busy = True
        self._output.unlink(missing_ok=True)
        job = {"argv": words, "output": str(self._output), "at": at, "what": what, "segment_bytes": segment_bytes}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._answer()["pid"])

    def wait(self) -> Result:
        """Wait for the end of the run."""
        answer = self._answer()
        self._busy = False
        return Result(answer["exit"], self._output.read_text(), answer["seconds"])

    def run(self, words: list[str], at: str = "", what: str = "", segment_bytes: int = 0) -> Result:
        """Start a run and wait for its end."""
        self.start(words, at, what, segment_bytes)
        return self.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], LIMIT_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.close()
            printed = self._output.read_text() if self._output.exists() else ""
            raise AssertionError(f"The workbench does not answer. The run printed:\n{printed}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Starts runs quickly, and ends them at exact points."""
    bench = Workbench(tmp_path_factory.mktemp("workbench"))
    yield bench
    bench.close()
