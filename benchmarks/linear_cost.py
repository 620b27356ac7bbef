"""Whether a run gets slower, or larger, the longer it goes on.

    python benchmarks/linear_cost.py --run-dir DIR [--out FILE.json] PRESET ENV --seed 0 --frames 2000000 [...]
    python benchmarks/linear_cost.py --run-dir DIR [--out FILE.json]      # what the samples say; nothing is run

Runs `dqn-tf train` with these words (the same command continues it) and looks at it every ``--every`` seconds: frames,
core time, memory.  The samples are kept beside DIR, in DIR.cost.csv.  Then it says, of each tenth of what was learned:

    frames/s             by the clock, so it depends on what else the machine does ("others", in cores)
    frames/core-second   what the work costs, whoever has to wait
    own MB               resident memory but for libraries and other files
    beside replay MB     that, less the rows that the replay holds: what must not grow

Evaluations and the first samples of every process (compiling, reading a checkpoint) are left out, and so is what comes
before epsilon rests, if it comes to rest in the run: a random action costs no forward pass.
"""

from __future__ import annotations

import argparse
import bisect
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import processes

from dqn_tf import envs, plain_json
from dqn_tf.checks import RunError
from dqn_tf.config import RunConfig
from dqn_tf.determinism import cpu_model
from dqn_tf.replay.frame_store import expected_bytes
from dqn_tf.replay.ring import COLUMN_BYTES
from dqn_tf.training.run_dir import read_json

COLUMNS = ("seconds", "process", "frames", "steps", "episodes", "core_seconds", "machine_seconds", "memory_bytes")
FIRST_SAMPLES = 3  # of a process: it starts, compiles, and reads what it goes on with
PARTS = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0], allow_abbrev=False)
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--every", type=float, default=20.0, metavar="SECONDS", help="between samples (default: 20)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write what was found there, as JSON")
    options, words = parser.parse_known_args()
    samples = options.run_dir.with_name(f"{options.run_dir.name}.cost.csv")
    code = _run(words, options.run_dir, samples, options.every) if words else 0
    if code:
        return code
    try:
        config = RunConfig.from_json(read_json(options.run_dir / "config.json"))
        found = summary(pd.read_csv(samples), config)
    except (OSError, ValueError, RunError) as error:
        print(f"linear_cost: {error}", file=sys.stderr)
        return 1
    print(table(found))
    if options.out:
        options.out.write_text(plain_json.dumps(found, indent=1) + "\n")
    return 0


def _run(words: list[str], run_dir: Path, samples: Path, every: float) -> int:
    """Train, and note how it goes.  Returns the exit code of ``dqn-tf train``."""
    samples.parent.mkdir(parents=True, exist_ok=True)
    if not samples.exists():
        samples.write_text(",".join(COLUMNS) + "\n")
    command = [sys.executable, "-m", "dqn_tf", "train", *words, "--run-dir", str(run_dir)]
    process = subprocess.Popen(command)

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the run itself
    while True:
        try:
            return process.wait(every)
        except subprocess.TimeoutExpired:
            if row := _sample(process.pid, run_dir):
                with samples.open("a") as file:
                    file.write(",".join(map(str, row)) + "\n")


def _sample(pid: int, run_dir: Path) -> tuple[float, ...] | None:
    """COLUMNS, now; None before the first episode is over."""
    try:
        last = (run_dir / "episodes.csv").read_bytes().split(b"\n")[-2].split(b",")
        frames, steps, episode = (int(field) for field in last[:3])
    except (OSError, ValueError, IndexError):
        return None
    whole = processes.family(pid)
    core_seconds, memory = sum(map(processes.cpu_seconds, whole)), sum(map(processes.own_memory, whole))
    now, machine = round(time.time(), 2), round(processes.busy_seconds(), 2)
    return now, pid, frames, steps, episode + 1, round(core_seconds, 2), machine, memory


def summary(samples: pd.DataFrame, config: RunConfig) -> dict[str, Any]:
    """What the samples say of each tenth of the frames, and the last one's rate over the first one's.

    Args:
        samples: rows of ``COLUMNS``, in the order of time.
        config: of the run.

    Returns:
        Plain values, for JSON.

    Raises:
        ValueError: fewer than ``PARTS`` samples of learning.
    """
    held = samples["steps"] + samples["episodes"]  # an episode's first frame takes a row of its own
    row = (
        expected_bytes(envs.observation_spec(config.environment, config.protocol), config.agent.storage.compression)
        + COLUMN_BYTES
    )
    beside = samples["memory_bytes"] - np.minimum(held, config.agent.storage.capacity) * row
    change = samples[["seconds", "frames", "core_seconds", "machine_seconds"]].diff()[~_not_learning(samples, config)]
    if len(change) < PARTS:
        raise ValueError(f"Expected at least {PARTS} samples of learning, got {len(change)}. Let it run for longer.")
    begin, end = int(samples["frames"][change.index[0] - 1]), int(samples["frames"].iloc[-1])
    part = ((samples["frames"] - begin) * PARTS // max(1, end - begin)).clip(0, PARTS - 1)[change.index]
    parts = [_part(int(str(index)) + 1, rows, samples, beside) for index, rows in change.groupby(part)]
    first, last = parts[0], parts[-1]
    return {
        "preset": config.preset,
        "environment": config.environment,
        "from_frames": begin,
        "to_frames": end,
        "processes": int(samples["process"].nunique()),
        "cpu": cpu_model(),
        "parts": parts,
        "last_to_first": {
            key: round(last[key] / first[key], 3)
            for key in ("frames_per_s", "frames_per_core_second", "beside_replay_mb")
        },
    }


def _part(number: int, rows: pd.DataFrame, samples: pd.DataFrame, beside: pd.Series[float]) -> dict[str, Any]:
    """One tenth of the frames.  rows: differences of samples.  beside: bytes of memory that are not the replay's."""
    total = rows.sum()
    return {
        "part": number,
        "to_frames": int(samples["frames"][rows.index[-1]]),
        "frames_per_s": round(total["frames"] / total["seconds"], 1),
        "frames_per_core_second": round(total["frames"] / total["core_seconds"], 1),
        "others": round(max(0.0, (total["machine_seconds"] - total["core_seconds"]) / total["seconds"]), 2),
        "beside_replay_mb": round(float(beside[rows.index].median()) / 1e6, 1),
        "own_mb": round(float(samples["memory_bytes"][rows.index].max()) / 1e6, 1),
    }


def _not_learning(samples: pd.DataFrame, config: RunConfig) -> pd.Series[bool]:
    """The samples that are left out: starts of processes, evaluations, and steps before learning is under way."""
    rest = samples.groupby("process").cumcount() < FIRST_SAMPLES
    evaluates = samples["frames"].diff().eq(0)
    rest |= evaluates | evaluates.shift(-1, fill_value=False) | evaluates.shift(1, fill_value=False)
    rest |= samples["process"].ne(samples["process"].shift())
    rest |= samples["steps"].shift(fill_value=0) < _warm_up_steps(config)
    return rest


def _warm_up_steps(config: RunConfig) -> int:
    """Steps after which all steps are alike: learning goes on and, if that comes in the run, epsilon rests."""
    begin, epsilon = config.agent.min_replay_steps, config.agent.exploration.epsilon
    last = epsilon(config.steps, begin)
    if epsilon(config.steps - 1, begin) != last:
        return begin
    moves = range(begin, config.steps)  # epsilon falls, so what follows it can be found by bisection
    return begin + bisect.bisect_left(moves, -last, key=lambda step: -epsilon(step, begin))


def table(found: dict[str, Any]) -> str:
    """``summary`` as text."""
    out = [
        f"{found['preset']} on {found['environment']}, frames {found['from_frames']:,} to {found['to_frames']:,} "
        f"({found['processes']} process{'es' * (found['processes'] > 1)}), {found['cpu']}",
        "  to frames  frames/s  frames/core-second  others  beside replay MB  own MB",
    ]
    for part in found["parts"]:
        out.append(
            f"{part['to_frames']:>11,}  {part['frames_per_s']:8.0f}  {part['frames_per_core_second']:18.1f}  "
            f"{part['others']:6.2f}  {part['beside_replay_mb']:16.0f}  {part['own_mb']:6.0f}"
        )
    ratios = found["last_to_first"]
    out.append(
        f"The last tenth beside the first: {ratios['frames_per_s']:.3f} of its frames/s, "
        f"{ratios['frames_per_core_second']:.3f} of its frames per core-second, {ratios['beside_replay_mb']:.3f} of "
        "its memory beside the replay."
    )
    return "\n".join(out)


if __name__ == "__main__":
    raise SystemExit(main())
