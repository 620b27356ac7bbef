"""``dqn-tf verify``: are the promises of determinism kept on this machine?  Small real runs, compared byte by byte.

Every run is a process of its own, started as a user would start it (``python -m dqn_tf train ...``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dqn_tf import determinism
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.plain_json import Json
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.rescore import digest_of
from dqn_tf.training.run_dir import read_json
from dqn_tf.types import Tree

FILES = ("episodes.csv", "iterations.csv", "summary.json")
LIMIT_SECONDS = 900.0  # for one run; the slowest takes 20 on an idle machine
Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One small run: what is trained, with which settings, and after how many frames it is killed."""

    name: str
    preset: str
    environment: str
    frames: int
    checkpoint_frames: int
    kill_frames: int
    settings: tuple[str, ...]
    seed: int = 1

    def command(self, run_dir: Path) -> list[str]:
        """The command line of this run in ``run_dir``."""
        words = ["-m", "dqn_tf", "train", self.preset, self.environment, "--seed", str(self.seed)]
        words += ["--frames", str(self.frames), "--checkpoint-frames", str(self.checkpoint_frames)]
        return [sys.executable, *words, *(f"--set={s}" for s in self.settings), "--quiet", "--run-dir", str(run_dir)]


# Small enough to take seconds; each contains ends of episodes, target syncs, a wrapped replay ring and evaluations.
CARTPOLE = Case(
    name="CartPole",
    preset="dqn_classic",
    environment="CartPole-v1",
    frames=1_800,
    checkpoint_frames=250,
    kill_frames=900,
    settings=(
        "network.hidden=32,32",
        "replay.capacity=500",
        "min_replay_steps=200",
        "exploration.decay_steps=600",
        "target_update_steps=150",
        "iteration_frames=600",
        "evaluation.final_episodes=10",
    ),
)
BREAKOUT = Case(
    name="Breakout",
    preset="dqn_dopamine",
    environment="breakout",
    frames=6_000,
    checkpoint_frames=1_000,
    kill_frames=2_800,
    settings=(
        "network.hidden=32",
        "replay.capacity=500",
        "min_replay_steps=200",
        "exploration.decay_steps=400",
        "target_update_steps=200",
        "batch_size=16",
        "iteration_frames=2400",
        "evaluation.frames=none",
        "evaluation.episodes=4",
        "evaluation.final_episodes=4",
        "protocol.max_frames_per_episode=900",
        "protocol.max_frames_per_evaluation_episode=400",
    ),
)
CASES = (CARTPOLE, BREAKOUT)


def verify(work_dir: Path | None, say: Say, cases: Sequence[Case] = CASES) -> bool:
    """Check that equal seeds give equal bytes here, undisturbed and after a SIGKILL.

    Args:
        work_dir: where to run (made if needed, kept); None: a temporary directory, removed if all is well.
        say: called with what is done, what differs, and a verdict in words with the scope it holds for.
        cases: the runs.

    Returns:
        Whether they do.

    Raises:
        ConfigError: ``work_dir`` is not empty: a finished run there would prove nothing.
    """
    folder = _prepare(work_dir)
    problems: list[str] = []
    for case in cases:
        for problem in _verify_case(case, folder, say):
            say(f"  DIFFERENT: {problem}")
            problems.append(f"{case.name}: {problem}")
    say(_verdict(problems, cases, folder))
    if work_dir is None and not problems:
        shutil.rmtree(folder)
    else:
        say(f"The runs are in {folder}.")
    return not problems


def _prepare(work_dir: Path | None) -> Path:
    if work_dir is None:
        return Path(tempfile.mkdtemp(prefix="dqn-tf-verify-"))
    if work_dir.exists() and (not work_dir.is_dir() or any(work_dir.iterdir())):
        raise ConfigError(f"Expected an empty or a new directory for `--work-dir`, got {work_dir}.")
    work_dir.mkdir(parents=True, exist_ok=True)
    return work_dir.resolve()


def _verify_case(case: Case, folder: Path, say: Say) -> list[str]:
    """What differs; empty if nothing does."""
    first, second, killed = (folder / f"{case.name.lower()}-{name}" for name in ("first", "second", "killed"))
    say(f"{case.name} ({case.preset}, seed {case.seed}, {case.frames:,} frames)")
    problems: list[str] = []
    with _running(case, first, hash_seed=1) as process:
        say(f"  1. a first run in {first.name}, PYTHONHASHSEED=1")
        problems += _failure(process, "the first run")
    say(f"  2. the same command in {second.name}, PYTHONHASHSEED=2, and at the same time")
    say(f"  3. the same command in {killed.name}, PYTHONHASHSEED=3, to be killed after {case.kill_frames:,} frames")
    with _running(case, second, hash_seed=2) as busy:
        with _running(case, killed, hash_seed=3) as process:
            problems += _kill(process, killed, case, say)
        with _running(case, killed, hash_seed=4) as process:
            say("  4. the killed run, continued by the same command, PYTHONHASHSEED=4")
            problems += _failure(process, "the continued run")
        problems += _failure(busy, "the second run")
    if not problems:
        problems += [f"second run: {d}" for d in differences(first, second)]
        problems += [f"killed and continued run: {d}" for d in differences(first, killed)]
        if not problems:
            digest = read_json(first / "summary.json")["state_digest"]
            say(f"  equal: state {digest[:16]} (weights, optimizer, replay, counters), {', '.join(FILES)}")
    return problems


# -- processes ---------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _running(case: Case, run_dir: Path, hash_seed: int) -> Iterator[subprocess.Popen[str]]:
    """The case's command as a process, which does not outlive the block."""
    package = Path(__file__).resolve().parents[2]
    found_anyway = package.name in ("site-packages", "dist-packages")
    path = [*([] if found_anyway else [str(package)]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(path)}
    process = subprocess.Popen(
        case.command(run_dir),
        cwd=run_dir.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _failure(process: subprocess.Popen[str], name: str) -> list[str]:
    """Wait for the end; what was wrong with it, if anything."""
    try:
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        return [f"{name} did not end within {LIMIT_SECONDS:.0f} seconds"]
    if process.returncode == 0:
        return []
    return [f"{name} ended with exit code {process.returncode}: {' '.join(errors.strip().splitlines()[-1:])}"]


def _kill(process: subprocess.Popen[str], run_dir: Path, case: Case, say: Say) -> list[str]:
    """SIGKILL once the run has come far enough."""
    limit = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None and time.monotonic() < limit:
        frames = _frames_done(run_dir)
        if frames >= case.kill_frames:
            process.send_signal(signal.SIGKILL)
            process.wait()
            break
        time.sleep(0.005)
    if process.returncode != -signal.SIGKILL:
        return _failure(process, "the run to be killed") or ["the run to be killed ended before it could be killed"]
    if not (kept := Store(run_dir / "checkpoints", "").found()):
        return [f"the run to be killed had no checkpoint after {frames:,} frames"]
    say(f"     killed after {frames:,} frames; its newest checkpoint is {kept[0].name}")
    return []


def _frames_done(run_dir: Path) -> int:
    """Frames up to the last whole row of episodes.csv; 0 if there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((run_dir / "episodes.csv").read_bytes().split(b"\n")[-2].split(b",")[0])
    return 0


# -- comparison --------------------------------------------------------------------------------------------------------
def differences(a: Path, b: Path) -> list[str]:
    """What differs between two complete run directories of one configuration.

    Compared: ``FILES`` byte by byte, and the state of the newest checkpoint, whose hash is computed from the files
    and compared with that in summary.json.  timing.csv, log.txt and manifest.json contain wall clock times.

    Args:
        a: one run directory.
        b: the other one.

    Returns:
        A line for each difference; none: they are equal.
    """
    out = [text for name in FILES if (text := _file_difference(a / name, b / name))]
    digests = [_digest(run_dir, out) for run_dir in (a, b)]
    if all(digests) and digests[0] != digests[1]:
        parts = Counter(name.split(".")[0] for name in _differing_leaves(_state(a), _state(b)))
        out.append("the states differ in " + ", ".join(f"{part} ({count} places)" for part, count in parts.items()))
    return out


def _digest(run_dir: Path, problems: list[str]) -> str:
    """The state's hash, from the bytes on disk; "" if they are damaged.  Adds to ``problems`` what is wrong with it."""
    try:
        digest = digest_of(run_dir, lambda text: problems.append(f"{run_dir.name}: {text}"))
        recorded = str(read_json(run_dir / "summary.json")["state_digest"])
    except (ConfigError, RunError, OSError) as error:
        problems.append(f"{run_dir.name}: {error}")
        return ""
    if digest != recorded:
        problems.append(f"{run_dir.name}: the checkpoint's state is {digest[:16]}, summary.json says {recorded[:16]}")
    return digest


def _file_difference(a: Path, b: Path) -> str:
    missing = [p for p in (a, b) if not p.is_file()]
    if missing:
        return f"{missing[0]} is missing"
    lines, others = a.read_bytes().split(b"\n"), b.read_bytes().split(b"\n")
    if lines == others:
        return ""
    pairs = zip(lines, others, strict=False)
    at = next((i for i, (x, y) in enumerate(pairs) if x != y), min(len(lines), len(others)))
    shown = (text[at][:80].decode(errors="replace") if at < len(text) else "nothing" for text in (lines, others))
    return f"{a.name} differs from line {at + 1} on: {' / '.join(shown)}"


def _state(run_dir: Path) -> dict[str, Any]:
    config = RunConfig.from_json(read_json(run_dir / "config.json"))
    loaded = Store(run_dir / "checkpoints", config.hash).load(lambda text: None)
    state: dict[str, Any] = loaded[1]["run"] if loaded else {}
    return state


def _differing_leaves(a: Tree, b: Tree, path: str = "") -> list[str]:
    """Paths at which two states differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = sorted({*a, *b})
        return [p for n in names for p in _differing_leaves(a.get(n), b.get(n), f"{path}.{n}" if path else n)]
    return [] if determinism.digest(a) == determinism.digest(b) else [path]


# -- words -------------------------------------------------------------------------------------------------------------
def _verdict(problems: list[str], cases: Sequence[Case], folder: Path) -> str:
    names = " and ".join(case.name for case in cases)
    if problems:
        lines = "\n".join(f"  {p}" for p in problems)
        return (
            f"Verdict: NOT the same bytes ({names}):\n{lines}\nResults of this machine cannot be repeated to the byte."
        )
    words = "\n".join(_scope_words(folder / f"{case.name.lower()}-first", case.name) for case in cases)
    return (
        f"Verdict: same seed, same bytes, and killed and continued, same bytes ({names}).\n"
        f"This holds where all of the following is the same:\n{words}"
    )


def _scope_words(run_dir: Path, name: str) -> str:
    scope = read_json(run_dir / "manifest.json")["scope"]
    return f"  {name}: " + ", ".join(f"{key} {_plain(value)}" for key, value in scope.items())


def _plain(value: Json) -> str:
    if isinstance(value, dict):
        value = [f"{key}={inner}" for key, inner in value.items()]
    return " + ".join(map(str, value)) or "none" if isinstance(value, list) else str(value) or "none"
