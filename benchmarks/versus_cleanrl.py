#!/usr/bin/env python3
"""dqn_tf's DQN and CleanRL's PyTorch DQN on the same work, alternating in one run.

    python benchmarks/versus_cleanrl.py --cleanrl CHECKOUT --cleanrl-python PYTHON [--rounds 3] [--seconds 30]

CHECKOUT is a clone of vwxyzjn/cleanrl (measured: fe8d8a0); PYTHON the interpreter of an environment with torch (CPU),
gymnasium 0.29.1, ale-py, opencv-python-headless, tyro, tensorboard and setuptools<81.  Nothing of CleanRL is copied or
changed: its `dqn_atari.py` runs through its own command line and is watched by counting the environment's steps.

The work: Breakout, 84 x 84 x 4, batch 32, frame skip 4, one update for each 4 steps, epsilon 0.01, learning under way.
Each round measures one after the other for the same number of seconds; the ratio is of medians over rounds.
Run it on an idle machine; with --threads both use that many threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

CHILD = r"""
import os, runpy, sys, time
root, seconds, game = sys.argv[1], float(sys.argv[2]), sys.argv[3]
import ale_py
import gymnasium as gym
try:
    gym.spec(game + "NoFrameskip-v4")
except Exception:
    from ale_py import registration
    registration.register_v0_v4_envs()
sys.path.insert(0, root)
counted, warm_up, learning_starts = 0, 5.0, 1000
begun = first = None
inner = gym.vector.SyncVectorEnv.step_wait

def step_wait(self):
    global counted, begun, first
    counted += self.num_envs
    now = time.perf_counter()
    if counted > learning_starts + 50 and begun is None:
        begun = now
    elif begun is not None and first is None and now - begun > warm_up:
        first = (now, counted)
    elif first is not None and now - first[0] > seconds:
        print("FRAMES_PER_S", 4 * (counted - first[1]) / (now - first[0]), flush=True)
        os._exit(0)
    return inner(self)

gym.vector.SyncVectorEnv.step_wait = step_wait
sys.argv = ["dqn_atari.py", "--env-id", game + "NoFrameskip-v4", "--no-cuda", "--batch-size", "32"]
sys.argv += ["--buffer-size", "100000", "--learning-starts", str(learning_starts), "--train-frequency", "4"]
sys.argv += ["--start-e", "0.01", "--end-e", "0.01"]
runpy.run_path(os.path.join(root, "cleanrl", "dqn_atari.py"), run_name="__main__")
"""


def main() -> int:
    """Alternate, print each result, the medians and their ratio; with --out also as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cleanrl", required=True, type=Path, help="checkout of vwxyzjn/cleanrl")
    parser.add_argument("--cleanrl-python", required=True, type=Path, help="python of its environment")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--preset", default="dqn_nature")
    parser.add_argument("--threads", type=int, default=0, help="threads of both (0: CleanRL's default, ours 2)")
    parser.add_argument("--out", type=Path, help="write the results there as JSON")
    options = parser.parse_args()
    results: dict[str, list[float]] = {"dqn_tf": [], "cleanrl": []}
    for number in range(options.rounds):
        for name, measure in (("dqn_tf", ours), ("cleanrl", theirs)):
            results[name].append(measure(options))
            print(f"round {number + 1}: {name:8} {results[name][-1]:7.1f} frames/s", flush=True)
    medians = {name: statistics.median(values) for name, values in results.items()}
    ratio = medians["dqn_tf"] / medians["cleanrl"]
    print(f"median: dqn_tf {medians['dqn_tf']:.1f}, CleanRL {medians['cleanrl']:.1f} frames/s; ratio {ratio:.2f}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(
            json.dumps(
                {
                    "preset": options.preset,
                    "threads": options.threads,
                    "seconds": options.seconds,
                    "frames_per_s": results,
                    "ratio_of_medians": ratio,
                },
                indent=2,
            )
            + "\n"
        )
    return 0


def ours(options: argparse.Namespace) -> float:
    """End-to-end frames/s of the learning phase, by `dqn_tf.bench` in a process of its own."""
    threads = ["--set", f"execution.threads={options.threads}"] if options.threads else []
    command = [
        sys.executable,
        "-m",
        "dqn_tf",
        "bench",
        "--preset",
        options.preset,
        "--seconds",
        str(options.seconds),
        "--json",
        *threads,
    ]
    return float(json.loads(_run(command, {}).splitlines()[-1])["frames_per_s"])


def theirs(options: argparse.Namespace) -> float:
    """Frames/s of CleanRL's learning phase."""
    environment = {"OMP_NUM_THREADS": str(options.threads)} if options.threads else {}
    command = [str(options.cleanrl_python), "-c", CHILD, str(options.cleanrl), str(options.seconds), "Breakout"]
    line = next(x for x in _run(command, environment).splitlines() if x.startswith("FRAMES_PER_S"))
    return float(line.split()[1])


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
