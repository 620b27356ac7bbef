"""What a sweep of short runs costs beside their training, for each run, and whether its processes grow.

    python benchmarks/short_runs.py [--runs 200] [--frames 250000] [--jobs 2] [--out FILE.json] [DIR]

``dqn-tf reproduce`` of a protocol with so many seeds of ``dqn_classic`` on CartPole-v1, in DIR (default: a temporary
folder); five iterations, each with an evaluation of 10 episodes, and in the end 10 episodes of the last and of the best
network.  Keep the machine idle; 250,000 frames are the half minute of a run that the goal is about (under 5 %).

    used          core seconds of everything, divided by the runs: what a busy machine does not change
    a_run         seconds of a core: the sweep's seconds, times --jobs, divided by the runs
    training      of these: acting, the environment, the replay, updates, and the loop around them
    compilation   tracing and compiling: what updates took more in the first iteration than later, for their number
    evaluation    during training; that after training is in the rest
    checkpoints   during training
    rest          the start of the sweep and of the run, the evaluation after training, the last checkpoint, the exit
    overhead      all but training, and its share of a run
    private       MB that are no file's, the most of any process: of those that carry out runs, one after another, at a
                  fifth of their time and at its end, and of the process that forks them likewise
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import processes

from dqn_tf import plain_json
from dqn_tf.determinism import cpu_model
from dqn_tf.training.run_dir import read_table

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = """\
schema = 1
id = "short_runs"
title = "Short runs of CartPole"
[paper]
title = "None"
reference = "none"
place = "none"
[score]
convention = "final_evaluation"
[[grid]]
agents = ["dqn_classic"]
environments = ["CartPole-v1"]
seeds = [{seeds}]
budget_frames = {frames}
checkpoint_frames = 1_000_000_000
settings = ["iteration_frames={iteration}", "evaluation.final_episodes=10"]
[[smoke]]
agents = ["dqn_classic"]
environments = ["CartPole-v1"]
seeds = [1]
budget_frames = 2_000
"""
ITERATIONS = 5
LOOK_SECONDS = 1.0
LEAST_MB = 100.0  # of a process that has imported TensorFlow
TRAINING = ("act", "environment", "replay", "update", "other")


def sweep(folder: Path, options: argparse.Namespace) -> tuple[float, float, dict[int, dict[int, float]]]:
    """Carry the sweep out.

    Args:
        folder: where its runs go.
        options: of the command line.

    Returns:
        Its seconds, its core seconds, and for each of its processes, in the order of their start, the private MB at
        each look, by the number of the look.

    Raises:
        SystemExit: it failed.
    """
    seeds = ", ".join(map(str, range(1, options.runs + 1)))
    protocol = PROTOCOL.format(seeds=seeds, frames=options.frames, iteration=options.frames // ITERATIONS)
    (folder / "short_runs.toml").write_text(protocol)
    words = [str(folder / "short_runs.toml"), "--runs", str(folder / "runs"), "--jobs", str(options.jobs)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
    begun, sizes = time.perf_counter(), dict[int, dict[int, float]]()
    with (folder / "says").open("wb") as says:
        process = subprocess.Popen(
            [sys.executable, "-m", "dqn_tf", "reproduce", *words], env=environment, stdout=says, stderr=says
        )
    try:
        for look in itertools.count():
            if process.poll() is not None:
                break
            for pid in processes.family(process.pid):
                sizes.setdefault(pid, {})[look] = processes.own_memory(pid) / 1e6
            time.sleep(LOOK_SECONDS)
    finally:
        process.terminate()
        process.wait()
    if process.returncode:
        raise SystemExit(f"The sweep failed:\n{(folder / 'says').read_text()[-2000:]}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, sizes


def parts(run_dir: Path) -> dict[str, float]:
    """Where the time of one run went.

    Args:
        run_dir: its directory.

    Returns:
        Seconds of training, compilation, evaluation and checkpoints, as the tables of the run have them.
    """
    timing, rows = read_table(run_dir / "timing.csv"), read_table(run_dir / "iterations.csv")
    made = np.diff([0, *(int(row["updates"]) for row in rows)])
    took = np.array([float(row["update_seconds"]) for row in timing])
    usual = took[1:].sum() / max(1, made[1:].sum())  # seconds of an update, without what only the first one does
    compilation = max(0.0, float(took[0] - made[0] * usual))
    sums = {
        phase: sum(float(row[f"{phase}_seconds"]) for row in timing) for phase in (*TRAINING, "evaluate", "checkpoint")
    }
    return {
        "training": sum(sums[phase] for phase in TRAINING) - compilation,
        "compilation": compilation,
        "evaluation": sums["evaluate"],
        "checkpoints": sums["checkpoint"],
    }


def growth(sizes: dict[int, dict[int, float]]) -> dict[str, float]:
    """Whether processes grow.

    Args:
        sizes: of ``sweep``: the process of the sweep itself first, then the one that forks, then its forks.

    Returns:
        The private MB of the rows of ``table``.
    """
    _, *others = sizes.values()
    large = [
        looks for looks in others if max(looks.values()) > LEAST_MB
    ]  # the others only ask something of the machine
    forking, *workers = (list(looks.values()) for looks in large)
    return {
        "workers": len(workers),
        "workers_early_mb": max(looks[len(looks) // 5] for looks in workers),
        "workers_late_mb": max(looks[-1] for looks in workers),
        "forking_early_mb": forking[len(forking) // 5],  # it has imported everything by then
        "forking_late_mb": forking[-1],
    }


def table(found: dict[str, Any]) -> str:
    """The numbers as text.

    Args:
        found: of ``main``.

    Returns:
        Several lines.
    """
    out = [f"{found['runs']} runs of {found['frames']:,} frames, {found['jobs']} at a time: {found['seconds']:.0f} s"]
    out.append(f"used         {found['core_seconds'] / found['runs']:7.2f} core seconds a run")
    out += [f"{name:12} {found[name]:7.2f} s of a core" for name in ("a_run", *found["parts"])]
    out.append(f"overhead     {found['overhead']:7.2f} s, {100 * found['share']:.1f} % of a run")
    m = found["memory"]
    out.append(
        f"private      {m['workers']} processes with runs: {m['workers_early_mb']:.0f} MB early, "
        f"{m['workers_late_mb']:.0f} late; the one that forks them {m['forking_early_mb']:.0f}, "
        f"{m['forking_late_mb']:.0f}"
    )
    return "\n".join(out)


def main() -> None:
    """Carry the sweep out and print what it cost; with --out also as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--frames", type=int, default=250_000, help="of each run")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--out", type=Path, help="write everything there as JSON")
    options = parser.parse_args()
    if options.runs < 2 or options.frames < ITERATIONS * 1000 or options.jobs < 1:
        parser.error(f"Expected at least 2 runs of {ITERATIONS * 1000:,} frames, one at a time, got other numbers.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "runs").exists():
            parser.error(f"Expected a folder without runs, got {folder}: runs that are complete cost nothing.")
        seconds, used, sizes = sweep(folder, options)
        runs = [parts(path.parent) for path in sorted((folder / "runs").rglob("summary.json"))]
    a_run = seconds * options.jobs / options.runs
    means = {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}
    means["rest"] = a_run - sum(means.values())
    overhead = a_run - means["training"]
    found = {
        "machine": cpu_model(),
        **{"runs": options.runs, "frames": options.frames, "jobs": options.jobs, "seconds": seconds, "a_run": a_run},
        "core_seconds": used,
        **{"parts": means, "overhead": overhead, "share": overhead / a_run, "memory": growth(sizes)},
    }
    print(table({**found, **means}))
    if options.out:
        options.out.write_text(plain_json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
