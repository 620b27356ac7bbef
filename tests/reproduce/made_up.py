"""Made-up runs of a shipped protocol: its own configurations and iterations, returns of a formula."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dqn_tf.training.records import EPISODE_COLUMNS, iteration_columns
from dqn_tf.training.run_dir import write_json
from reproduce.planning import plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection

Returns = Callable[[Job, float], float]  # (job, share of training) -> the return of the episodes there


def write(name: str, folder: Path, returns: Returns, selection: Selection | None = None, episodes: int = 4) -> None:
    """Write the runs of a protocol that ``selection`` chooses below ``folder``, so many episodes in each iteration."""
    for job in plan.make(reading.load(name), folder, selection or Selection()).jobs:
        _run(job, returns, episodes)


def _run(job: Job, returns: Returns, episodes: int) -> None:
    config, path = job.config, job.run_dir
    path.mkdir(parents=True)
    write_json(path / "config.json", config.to_json())
    session = {"command": ["dqn-tf", *job.arguments], "code_sha256": "0" * 64, "status": "complete"}
    write_json(path / "manifest.json", {"config_hash": config.hash, "scope": {}, "sessions": [session]})
    ends = range(config.iteration_frames, config.frames + 1, config.iteration_frames)
    lines, rows = [], []
    columns = iteration_columns([])
    for i, end in enumerate(ends):
        value = returns(job, end / config.frames)
        for k in range(episodes):
            at = end - (episodes - 1 - k) * config.frame_skip
            lines.append([at, at // config.frame_skip, len(lines), 0, 40, value, 0])
        known = {
            "iteration": i,
            "frames": end,
            "train_return_mean": value,
            "train_episodes": episodes,
            "eval_return_mean": value,
            "eval_episodes": 100,
            "heldout_max_q_mean": value / 10,
            "state_digest": "a" * 64,
        }
        rows.append([known.get(c, 0) for c in columns])
    _table(path / "episodes.csv", EPISODE_COLUMNS, lines)
    _table(path / "iterations.csv", columns, rows)
    _table(path / "timing.csv", ["iteration", "frames", "wall_seconds"], [[i, e, 36.0] for i, e in enumerate(ends)])
    score = {"epsilon": 0.0, "return_mean": returns(job, 1.0), "return_std": 1.0, "episodes": 100}
    counted = {"frames": config.frames, "steps": config.steps, "updates": 7, "episodes": len(lines)}
    last = {"iterations": len(rows), "state_digest": "f" * 64, "final_evaluation": score}
    write_json(path / "summary.json", {"status": "complete", "config_hash": config.hash, **counted, **last})


def _table(path: Path, columns: list[str], rows: list[list[object]]) -> None:
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [columns, *rows]))
