#!/usr/bin/env python3
"""Seeds per core-hour: K seeds in one process beside seeds alone, whole runs, alternating.

    python benchmarks/seeds_together.py [--preset dqn_classic] [--environment CartPole-v1] [--frames 50000] [--seeds 8]
                                        [--alone 2] [--rounds 3] [--set path=value ...] [--out results/speed/FILE.json]

In each round ``dqn-tf train --seeds 1-K`` carries out K seeds together, and ``dqn-tf train --seed`` some of them one by
one, from start to exit: imports, compilation, evaluations and checkpoints are in it.  Core seconds are those that the
system booked for each process.  The state digests must be equal, seed by seed.  Steps per second of training alone:
``versus_peers.py --work cartpole --only dqn_tf``.  Keep the machine idle.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from dqn_tf import plain_json
from dqn_tf.determinism import cpu_model
from dqn_tf.training.run_dir import read_json

ROOT = Path(__file__).resolve().parents[1]


def train(words: list[str]) -> float:
    """Core seconds of one command ``dqn-tf train``.

    Raises:
        RuntimeError: it fails; with its last words.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    variables = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "dqn_tf", "train", *words, "--quiet"]
    with tempfile.TemporaryFile() as says:
        process = subprocess.Popen(command, env=variables, stdout=says, stderr=says)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        says.seek(0)
        if process.returncode:
            raise RuntimeError(says.read().decode(errors="replace")[-2000:])
    return used.ru_utime + used.ru_stime


def one_round(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Core seconds of a seed, together and alone.

    Args:
        options: of the command line.
        folder: where the runs live.

    Returns:
        By "together" and "alone".

    Raises:
        RuntimeError: a seed's bytes differ.
    """
    run = [options.preset, options.environment, "--frames", str(options.frames)]
    run += [word for setting in options.settings for word in ("--set", setting)]
    together, alone = folder / "together", folder / "alone"
    seconds = train([*run, "--seeds", f"1-{options.seeds}", "--run-dir", f"{together}/seed_{{seed}}"])
    found = {"together": seconds / options.seeds, "alone": 0.0}
    for seed in range(1, options.alone + 1):
        place = alone / f"seed_{seed}"
        found["alone"] += train([*run, "--seed", str(seed), "--run-dir", str(place)]) / options.alone
        digests = [read_json(at / "summary.json")["state_digest"] for at in (place, together / f"seed_{seed}")]
        if digests[0] != digests[1]:
            raise RuntimeError(f"Expected equal states of seed {seed}, got {digests}.")
    return found


def main() -> None:
    """Measure, print each round and the result; with --out also JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="dqn_classic")
    parser.add_argument("--environment", default="CartPole-v1")
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=8, help="K, together")
    parser.add_argument("--alone", type=int, default=2, help="of them, one by one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="path=value")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rounds: dict[str, list[float]] = {"together": [], "alone": []}
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, seconds in one_round(options, Path(folder)).items():
                rounds[name].append(round(seconds, 3))
        print(
            f"round {number + 1}: core seconds a seed: {rounds['together'][-1]} together, {rounds['alone'][-1]} alone"
        )
    result: dict[str, Any] = {"machine": cpu_model(), **{k: v for k, v in vars(options).items() if k != "out"}}
    result["core_seconds_per_seed"] = rounds
    per_hour = {name: 3600 / statistics.mean(seconds) for name, seconds in rounds.items()}
    result["seeds_per_core_hour"] = {name: round(number, 1) for name, number in per_hour.items()}
    result["ratio"] = round(per_hour["together"] / per_hour["alone"], 3)
    print(plain_json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(plain_json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
