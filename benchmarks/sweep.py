"""What a sweep of thousands of runs costs beside its training: plan, status, the same command again, tables, report.

    python benchmarks/sweep.py [--games 57] [--seeds 5] [--iterations 200] [--episodes 20000] [--out FILE] [DIR]

Writes down the runs of the protocol atari57 (12 agents x 57 games x 5 seeds = 3,420) as training leaves them, but for
the checkpoints, into DIR/runs (default: a temporary folder); what is there already is kept.
Then it gives the commands that people give, each in a process of its own, and notes its seconds (by the clock and of
the processor), its peak memory, and the size of the page.  One run in a hundred is taken away again before the report,
so that there is something missing in it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn_tf.envs import games
from dqn_tf.rng import Stream
from dqn_tf.training.records import EPISODE_COLUMNS, iteration_columns
from dqn_tf.training.run_dir import write_json
from reproduce.places import ROOT
from reproduce.planning import plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection
from reproduce.records import published

MISSING = 100  # one run in so many


def planned(folder: Path, names: tuple[str, ...], seeds: int) -> tuple[Job, ...]:
    """The runs of the protocol atari57.

    Args:
        folder: where runs are.
        names: ids of games.
        seeds: how many.

    Returns:
        Jobs; nothing is started.
    """
    return plan.make(reading.load("atari57"), folder, Selection(environments=names, seeds=seeds)).jobs


def record(job: Job, config: Any, iterations: int, episodes: int) -> None:
    """Write a run directory as training leaves it, whose returns rise from random play to about the human's.

    Args:
        job: the run.
        config: its configuration.
        iterations: rows of iterations.csv.
        episodes: rows of episodes.csv.
    """
    path = job.run_dir
    path.mkdir(parents=True, exist_ok=True)
    write_json(path / "config.json", config.to_json())
    write_json(path / "manifest.json", manifest(job, config))
    generator = Stream(job.seed, f"benchmarks/{job.label}").at(0)
    reference = published.human_random(job.environment)
    skill = 1 - np.exp(-3 * np.arange(1, iterations + 1) / iterations) + generator.normal(0, 0.05, iterations)
    returns = reference.random + skill * (reference.human - reference.random)
    (path / "episodes.csv").unlink(missing_ok=True)
    os.link(episodes_of(job, returns, episodes), path / "episodes.csv")
    names = iteration_columns([])
    rows = iteration_rows(returns, skill, config.frames // iterations, episodes)
    table(path / "iterations.csv", names, ([row.get(name, 0) for name in names] for row in rows))
    write_json(path / "summary.json", summary(config, returns, iterations, episodes))


def manifest(job: Job, config: Any) -> dict[str, Any]:
    """The content of manifest.json.

    Args:
        job: the run.
        config: its configuration.

    Returns:
        Plain values, for JSON.
    """
    times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-03T12:00:00+00:00"}
    session = {"command": ["dqn-tf", *job.arguments[:6]], "code_sha256": "c" * 64, "status": "complete", **times}
    return {
        "config_hash": config.hash,
        "rom_md5": "d" * 32,
        "status": "complete",
        "scope": {"python": "3.12.0", "tensorflow": "2.21.0", "machine": "x86_64"},
        "sessions": [session],
    }


def iteration_rows(
    returns: NDArray[np.float64], skill: NDArray[np.float64], frames: int, episodes: int
) -> Iterator[dict[str, Any]]:
    """The rows of iterations.csv, as far as they are read later.

    Args:
        returns: float64 [iterations], mean returns.
        skill: float64 [iterations], 0 at random play, 1 at the human's.
        frames: of one iteration.
        episodes: of the whole run.

    Yields:
        Column -> value.
    """
    same = {"train_episodes": episodes // len(returns), "eval_episodes": 30, "state_digest": "e" * 64}
    for i, (score, value) in enumerate(zip(returns.tolist(), skill.tolist(), strict=True)):
        scored = {"train_return_mean": score, "eval_return_mean": score, "heldout_max_q_mean": value}
        at = frames * (i + 1)
        yield {**same, **scored, "iteration": i, "frames": at, "steps": at // 4}


def summary(config: Any, returns: NDArray[np.float64], iterations: int, episodes: int) -> dict[str, Any]:
    """The content of summary.json.

    Args:
        config: of the run.
        returns: float64 [iterations], mean returns.
        iterations: of the run.
        episodes: of the run.

    Returns:
        Plain values, for JSON.
    """
    last: dict[str, Any] = {"epsilon": 0.05, "return_mean": float(returns[-1]), "return_std": 1.0, "episodes": 30}
    after = {"final_evaluation": last}
    if config.evaluation.final_network == "best":
        best = int(returns.argmax())
        frames = config.frames // iterations * (best + 1)
        place = {"network": "best", "network_frames": frames, "return_mean": float(returns[best])}
        after = {"final_evaluation": {**last, **place}, "last_network_evaluation": last}
    counts = {"frames": config.frames, "steps": config.frames // 4, "updates": config.frames // 16}
    return {
        **{"status": "complete", "config_hash": config.hash, **counts},
        **{"episodes": episodes, "iterations": iterations, "state_digest": "f" * 64, **after},
    }


def episodes_of(job: Job, returns: NDArray[np.float64], episodes: int) -> Path:
    """One episodes.csv for all agents of a game and seed: one for each would be gigabytes.

    Args:
        job: a run.
        returns: float64 [iterations], mean returns.
        episodes: rows of the table.

    Returns:
        The file; it is written if it is not there.
    """
    path = job.run_dir.parents[3] / ".episodes" / f"{job.environment}_{job.seed}_{episodes}.csv"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        length, score = job.frames // episodes, np.round(np.repeat(returns, -(-episodes // len(returns)))).tolist()
        ends = ((length * (i + 1), i) for i in range(episodes))
        table(path, EPISODE_COLUMNS, ([end, end // 4, i, 0, length, score[i], 0] for end, i in ends))
    return path


def table(path: Path, columns: Iterable[str], rows: Iterable[list[Any]]) -> None:
    """Write a CSV.

    Args:
        path: the file.
        columns: its header.
        rows: its cells.
    """
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in (columns, *rows)))


def record_all(jobs: tuple[Job, ...], iterations: int, episodes: int) -> None:
    """Write all run directories that are not there yet.

    Configurations are made once for each agent; the others differ in game and seed alone.

    Args:
        jobs: the runs.
        iterations: of each.
        episodes: of each.
    """
    made: dict[tuple[str, str], Any] = {}
    for number, job in enumerate(jobs, start=1):
        if not (job.run_dir / "summary.json").exists():
            agent = job.run_dir.parts[-3]
            config = made.setdefault((agent, ""), job.config)
            config = dataclasses.replace(config, environment=f"ale:{job.environment}", seed=job.seed)
            record(job, config, iterations, episodes)
        if number % 100 == 0:
            print(f"\r{number:,} of {len(jobs):,} runs written", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)


def measure(*command: str) -> dict[str, Any]:
    """One command of the suite in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=out, stderr=out, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        out.seek(0)
        said = out.read().decode(errors="replace").rstrip().splitlines()
    result = {
        "exit_code": process.returncode,
        "seconds": round(seconds, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024),
        "last_words": said[-1][-200:] if said else "",
    }
    print(" ".join(command[:3]), json.dumps(result), flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    parser.add_argument("--games", type=int, default=57)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--episodes", type=int, default=20_000, help="of each run")
    parser.add_argument("--write-only", action="store_true", help="write the runs down, measure nothing")
    parser.add_argument("--out", type=Path, help="write the result there, as JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).absolute()
        jobs = planned(folder / "runs", games.ATARI57[: arguments.games], arguments.seeds)
        record_all(jobs, arguments.iterations, arguments.episodes)
        if arguments.write_only:
            return
        result = sweep(folder, jobs, arguments)
    result = json.loads(json.dumps(result).replace(str(folder), "DIR"))  # nobody else has that folder
    print(json.dumps(result, indent=2))
    if arguments.out:
        write_json(arguments.out, result)


def sweep(folder: Path, jobs: tuple[Job, ...], arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure every command on the recorded runs.

    Args:
        folder: holds runs/; results and report are written to it.
        jobs: the runs.
        arguments: games, seeds, iterations and episodes are used.

    Returns:
        Plain values, for JSON.
    """
    names = games.ATARI57[: arguments.games]
    ask = (
        "dqn_tf",
        "reproduce",
        "atari57",
        "--runs",
        str(folder / "runs"),
        "--seeds",
        str(arguments.seeds),
        "--games",
        ",".join(names),
    )
    found = {"plan": measure(*ask, "--dry-run"), "again": measure(*ask), "once_more": measure(*ask)}
    gone = jobs[::MISSING]
    for job in gone:
        (job.run_dir / "summary.json").unlink()
    home = folder / "runs" / "atari57"
    found["status"] = measure("dqn_tf", "status", str(home))
    found["tables"] = measure("dqn_tf", "results", "tables", "--runs", str(home), "--out", str(folder / "results"))
    found["report"] = measure("dqn_tf", "report", str(home), "--out", str(folder / "report.html"))
    page_mb = round((folder / "report.html").stat().st_size / 1e6, 1)
    return {
        "runs": len(jobs),
        "not_complete": len(gone),
        "iterations": arguments.iterations,
        "episodes": arguments.episodes,
        "page_mb": page_mb,
        **found,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }


if __name__ == "__main__":
    main()
