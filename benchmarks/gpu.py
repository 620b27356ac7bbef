#!/usr/bin/env python3
"""Every question about a GPU, answered by one command in under ten minutes.

    python benchmarks/gpu.py [--minutes 10] [--out FILE] [--rehearse]

In this order, each in a process of its own, so that one failure does not take the other answers with it:

    device       what TensorFlow sees, and its CUDA and cuDNN
    agreement    loss, TD errors and gradients of one batch, GPU against CPU: within 1e-4 of their size with float32
                 products, and how far off with TensorFlow's default (TF32, 10 bits of mantissa)
    placement    which operations of an update and of an action run on the CPU although there is a GPU, also with the
                 replay on the device
    determinism  `dqn-tf verify`: two runs, and one that is killed and continued, byte by byte
    speed        frames/s of dqn_nature and rainbow, interleaved and concurrent, with the replay on the host and on the
                 device, one update and many per call, and what the time goes to
    profile      the kernels that take the most of the GPU's time in fifty updates

--rehearse does the same on the CPU, to try the script where there is none.  Exit code: 0 if all that was asked was
answered and no check failed, 1 otherwise, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHILDREN = ROOT / "benchmarks" / "gpu_children.py"
PRESETS = ("dqn_nature", "rainbow")
TOLERANCE = 1e-4  # of the largest number compared
PERIOD_STEPS, REHEARSED_PERIOD_STEPS = 2_000, 400  # of concurrent modes, so that the seconds timed hold several
MODES: dict[str, tuple[str, ...]] = {
    "interleaved": (),
    "interleaved, all XLA": ("execution.xla=update",),
    "concurrent, 8 environments": (
        "execution=concurrent",
        "execution.environments=8",
        "execution.workers=4",
    ),
    "concurrent, 40 environments, all XLA": (
        "execution=concurrent",
        "execution.environments=40",
        "execution.workers=14",
        "execution.xla=update",
    ),
    "interleaved, replay on the device": ("replay.placement=device",),
    "concurrent, 8 environments, replay on the device": (
        "execution=concurrent",
        "execution.environments=8",
        "execution.workers=4",
        "replay.placement=device",
    ),
    "concurrent, 8 environments, replay on the device, 25 updates per call": (
        "execution=concurrent",
        "execution.environments=8",
        "execution.workers=4",
        "replay.placement=device",
        "execution.updates_per_call=25",
    ),
}


class Failed(Exception):
    """A process that did not do what it should; its last words, and all that it printed."""

    def __init__(self, text: str, out: str = "") -> None:
        """Keep what the process printed.

        Args:
            text: why it failed.
            out: its stdout.
        """
        super().__init__(text)
        self.out = out


LEAST_SECONDS = 5.0  # with less left nothing is begun
Left = Callable[[], float]  # seconds that are left for a question


def within(seconds: float) -> Left:
    """How many of so many seconds are left."""
    end = time.monotonic() + seconds
    return lambda: end - time.monotonic()


def run(command: list[str], left: Left, **variables: str) -> tuple[str, str]:
    """Run a process to its end; all that it started is ended with it.

    Args:
        command: its words.
        left: seconds that it may take.
        variables: for its environment.

    Returns:
        stdout and stderr.

    Raises:
        Failed: an exit code other than 0, or no time.
    """
    if (seconds := left()) < LEAST_SECONDS:
        raise Failed("no time left")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", **variables}
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except BaseException as error:  # Ctrl-C, too, does not reach another session
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"not done after {seconds:.0f} s") from error
        raise
    if process.returncode:
        raise Failed(f"exit code {process.returncode}: {(err or out).strip()[-600:]}", out)
    return out, err


def child(name: str, *arguments: str, left: Left, **variables: str) -> tuple[dict[str, Any], str]:
    """Answer a question in a process of its own.

    Args:
        name: which, as benchmarks/gpu_children.py calls it.
        arguments: for it.
        left: seconds that it may take.
        variables: for its environment.

    Returns:
        Its answer, and what it wrote to stderr.

    Raises:
        Failed: as ``run``.
    """
    out, err = run([sys.executable, str(CHILDREN), name, *arguments], left, **variables)
    return json.loads(out.splitlines()[-1]), err


def agreement(left: Left) -> dict[str, Any]:
    """Largest difference between the devices as a share of the largest number, by preset and kind of product."""
    import numpy as np

    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for preset in PRESETS:
            files = {}
            for kind, variables in {
                "cpu": {"CUDA_VISIBLE_DEVICES": "-1"},
                "float32": {"NVIDIA_TF32_OVERRIDE": "0"},
                "default": {},
            }.items():
                files[kind] = Path(folder) / f"{preset}_{kind}.npz"
                child("numbers", preset, str(files[kind]), left=left, **variables)
            cpu = np.load(files["cpu"])
            for kind in ("float32", "default"):
                gpu = np.load(files[kind])
                shares = [np.abs(gpu[n] - cpu[n]).max() / max(1e-12, np.abs(cpu[n]).max()) for n in cpu.files]
                out[f"{preset}, {kind}"] = float(max(shares))
    worst = max(value for name, value in out.items() if name.endswith("float32"))
    return {"largest_relative_difference": out, "tolerance": TOLERANCE, "passed": worst <= TOLERANCE}


def placement(left: Left) -> dict[str, Any]:
    """Kinds of operations that were put on the CPU, how often, by preset and place of the replay."""
    out = {}
    for preset, where in [*((preset, "host") for preset in PRESETS), (PRESETS[0], "device")]:
        _, said = child("placement", preset, where, left=left, TF_CPP_MIN_LOG_LEVEL="0")
        found = re.findall(r"\((\w+)\): \S*device:(CPU|GPU|XLA_\w+):\d+", said)
        out[f"{preset}, replay on the {where}"] = {
            "on_gpu": sum(device == "GPU" for _, device in found),
            "on_cpu": dict(Counter(kind for kind, device in found if device == "CPU").most_common()),
        }
    return out


def determinism(left: Left) -> dict[str, Any]:
    try:
        out, _ = run([sys.executable, "-m", "dqn_tf", "verify"], left)
    except Failed as error:
        if verdict := verdict_of(error.out):
            return {"passed": False, "verdict": verdict}
        raise
    return {"passed": True, "verdict": verdict_of(out)}


def verdict_of(said: str) -> str:
    """The verdict in what `dqn-tf verify` says; "" if it came to none."""
    return next((line for line in said.splitlines() if line.startswith("Verdict:")), "")


def speeds_asked(period_steps: int) -> list[tuple[str, tuple[str, ...], str]]:
    """(mode, its settings, preset) of every measurement."""
    return [
        (name, _with_period(settings, period_steps), preset)
        for name, settings in MODES.items()
        for preset in PRESETS
        if preset == "dqn_nature" or not _has_blocks(settings)  # prioritized samplers need priorities after each update
    ]


def _with_period(settings: tuple[str, ...], steps: int) -> tuple[str, ...]:
    """A concurrent run's target network has a period of its own."""
    return (*settings, f"target_update_steps={steps}") if "execution=concurrent" in settings else settings


def _has_blocks(settings: tuple[str, ...]) -> bool:
    return any("updates_per_call" in setting for setting in settings)


def speed(left: Left, each: float, period_steps: int = PERIOD_STEPS) -> Iterator[tuple[str, dict[str, Any]]]:
    """The speed of every preset and mode, as ``dqn-tf bench`` measures it.

    Each may take twice its share of the time that is left, as long as half of theirs remains to all after it.

    Args:
        left: seconds for all of them.
        each: seconds of training for each.
        period_steps: target update period of concurrent runs, in agent steps.

    Yields:
        "preset, mode" and its numbers, or {"failed": why}.
    """
    asked = speeds_asked(period_steps)
    kept = left() / len(asked) / 2
    for done, (name, settings, preset) in enumerate(asked):
        command = [sys.executable, "-m", "dqn_tf", "bench", "--preset", preset, "--seconds", str(each), "--json"]
        command += [word for setting in settings for word in ("--set", setting)]
        others = len(asked) - done - 1
        try:
            out, _ = run(command, within(min(2 * left() / (others + 1), left() - others * kept)))
            found = json.loads(out.splitlines()[-1])
        except Failed as error:
            yield f"{preset}, {name}", {"failed": str(error)}
            continue
        keep = ("placement", "frames_per_s", "update_seconds", "action_seconds", "sample_seconds", "phases")
        yield f"{preset}, {name}", {key: found[key] for key in keep}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of training for each speed (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the answers there as JSON, after each of them")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU")
    options = parser.parse_args()
    if options.rehearse:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    left, found, failed = within(60 * options.minutes), dict[str, Any](), []

    def note(question: str, answer: dict[str, Any]) -> None:
        found[question] = answer
        print(f"== {question} ({left():.0f} s left)\n{json.dumps(answer, indent=2)}", flush=True)
        if "failed" in answer or answer.get("passed") is False:
            failed.append(question)
        if options.out:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(found, indent=2) + "\n")

    def share(part: float) -> Left:
        """A limit for one question: what it does not take is left for those after it."""
        return within(part * left())

    def ask(question: str, answer: Callable[[], dict[str, Any]]) -> None:
        try:
            note(question, answer())
        except Failed as error:
            note(question, {"failed": str(error)})

    ask("device", lambda: child("device", left=share(0.3))[0])
    if not found["device"].get("devices") and not options.rehearse:
        print(
            "Expected a GPU that TensorFlow can use, got none. --rehearse tries the script on the CPU.", file=sys.stderr
        )
        return 2
    ask("agreement", lambda: agreement(share(0.3)))
    ask("placement", lambda: placement(share(0.2)))
    ask("determinism", lambda: determinism(share(0.4)))
    period_steps = REHEARSED_PERIOD_STEPS if options.rehearse else PERIOD_STEPS
    for name, answer in speed(share(0.85), options.seconds, period_steps):
        note(f"speed: {name}", answer)
    with tempfile.TemporaryDirectory() as folder:
        ask("profile: dqn_nature", lambda: child("profile", "dqn_nature", folder, left=left)[0])
    print(f"Failed: {', '.join(failed)}" if failed else "All questions answered, no check failed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
