"""How long aggregation takes, and how much memory: 57 games x 5 seeds x 200 iterations, with bootstrap intervals.

    python benchmarks/aggregation.py [--games 57] [--seeds 5] [--iterations 200] [--files] [--out FILE]

By default from tables in memory: what ``over_frames`` and ``over_games`` do.  With --files the runs are
written down first, as training writes them but for the checkpoints, and then collected: reading and checking included.
The goal is under 10 s and under 500 MB for the default size.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dqn_tf.api import make_config
from dqn_tf.envs import games
from dqn_tf.rng import Stream
from dqn_tf.training.records import EPISODE_COLUMNS, iteration_columns
from dqn_tf.training.run_dir import write_json
from reproduce.analysis import collecting, run_scores, score_aggregates

FRAMES = 1_000_000  # of one iteration


def made_up(names: list[str], seeds: int, iterations: int) -> collecting.Collected:
    """Curves and scores in memory: a random walk per run.

    Args:
        names: ids of games.
        seeds: runs of each game.
        iterations: of each run, 1M frames each.

    Returns:
        A row of scores per run and convention, and a row of curves per run and iteration.
    """
    rows, curves = [], []
    for g, game in enumerate(names):
        for seed in range(seeds):
            walk = Stream(seed, f"benchmarks/{game}").at(0).normal(1.0, 5.0, (2, iterations)).cumsum(axis=1)
            frames = FRAMES * np.arange(1, iterations + 1)
            common = {"collection": "made_up", "agent": "none", "environment": game, "game": game, "seed": seed}
            curves.append(
                pd.DataFrame(
                    {
                        **common,
                        "iteration": np.arange(iterations),
                        "frames": frames,
                        "train_return": walk[0],
                        "train_episodes": 100,
                        "eval_return": walk[1],
                        "eval_episodes": 100,
                        "max_q": 0.0,
                        "complete": True,
                    }
                )
            )
            rows += _scores(common, walk[1, -1] + g, int(frames[-1]))
    return collecting.Collected(
        pd.DataFrame(rows)[list(run_scores.SCORE_COLUMNS)],
        pd.concat(curves, ignore_index=True)[list(run_scores.CURVE_COLUMNS)],
        [],
    )


def _scores(common: dict[str, Any], score: float, frames: int) -> list[dict[str, Any]]:
    """A row per convention, all with one score."""
    same: dict[str, Any] = {"score": score, "episodes": 100, "window": 5, "window_frames": 5 * FRAMES, "complete": True}
    same |= {"frames": frames, "budget_frames": frames, "start": "none", "sticky_actions": 0.25}
    same |= dict.fromkeys(("config_hash", "settings_hash", "code_sha256"), "")
    return [{**common, **same, "convention": name} for name in run_scores.CONVENTIONS]


def write_runs(folder: Path, names: list[str], seeds: int, iterations: int) -> None:
    """Write run directories with one episode per iteration.

    Args:
        folder: where; runs are in made_up/dqn_dopamine/<game>/seed_<k>.
        names: ids of games.
        seeds: runs of each game.
        iterations: of each run, 1M frames each.
    """
    for game in names:
        for seed in range(seeds):
            config = make_config("dqn_dopamine", game, seed=seed, frames=iterations * FRAMES)
            path = folder / "made_up" / "dqn_dopamine" / game / f"seed_{seed}"
            path.mkdir(parents=True)
            data = config.to_json()
            (path / "config.json").write_text(json.dumps(data))
            write_json(path / "manifest.json", {"config_hash": config.hash, "sessions": [], "status": "complete"})
            walk = Stream(seed, f"benchmarks/{game}").at(0).normal(1.0, 5.0, iterations).cumsum()
            episodes = [[(i + 1) * FRAMES, (i + 1) * FRAMES // 4, i, 0, 4000, round(x), 0] for i, x in enumerate(walk)]
            known = [
                {
                    "iteration": i,
                    "frames": (i + 1) * FRAMES,
                    "eval_return_mean": x,
                    "eval_episodes": 10,
                    "train_return_mean": x,
                    "train_episodes": 1,
                }
                for i, x in enumerate(walk)
            ]
            whole = iteration_columns([])
            for name, columns, rows in (
                ("episodes", EPISODE_COLUMNS, episodes),
                ("iterations", whole, [[row.get(c, 0) for c in whole] for row in known]),
            ):
                (path / f"{name}.csv").write_text("".join(",".join(map(str, r)) + "\n" for r in [columns, *rows]))
            final = {"epsilon": 0.0, "return_mean": float(walk[-1]), "return_std": 0.0, "episodes": 10}
            write_json(
                path / "summary.json",
                {
                    "status": "complete",
                    "config_hash": config.hash,
                    "frames": config.frames,
                    "episodes": iterations,
                    "iterations": iterations,
                    "final_evaluation": final,
                },
            )


def measure(names: list[str], seeds: int, iterations: int, files: bool) -> dict[str, float]:
    """Measure reading and aggregating.

    Args:
        names: ids of games.
        seeds: runs of each game.
        iterations: of each run.
        files: read run directories; False: aggregate tables in memory only.

    Returns:
        seconds and seconds_reading (by the clock), processor_seconds, peak_memory_mb (of the process).

    Raises:
        RuntimeError: a run was left out.
    """
    with tempfile.TemporaryDirectory() as folder:
        if files:
            write_runs(Path(folder), names, seeds, iterations)
        found = None if files else made_up(names, seeds, iterations)
        wall, cpu = time.perf_counter(), time.process_time()
        found = found or collecting.collect([Path(folder)])
        read = time.perf_counter() - wall
        tables = (
            score_aggregates.over_games(found.scores),
            score_aggregates.over_frames(found.curves),
            score_aggregates.per_game(found.scores),
        )
        if found.problems or not all(len(table) for table in tables):
            raise RuntimeError(f"Expected every made-up run to count: {found.problems[:3]}")
        return {
            "seconds": round(time.perf_counter() - wall, 2),
            "seconds_reading": round(read, 2),
            "processor_seconds": round(time.process_time() - cpu, 2),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--games", type=int, default=57)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--files", action="store_true", help="write the runs to disk first, and read them")
    parser.add_argument("--out", type=Path, help="write the result there, as JSON")
    arguments = parser.parse_args()
    size = (list(games.ATARI57[: arguments.games]), arguments.seeds, arguments.iterations)
    result = {
        "games": len(size[0]),
        "seeds": size[1],
        "iterations": size[2],
        "files": arguments.files,
        **measure(*size, arguments.files),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
    }
    print(json.dumps(result, indent=2))
    if arguments.out:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
