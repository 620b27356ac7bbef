"""Run directories as they look after training, written by hand: small, quick, exactly known."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dqn_tf.api import make_config
from dqn_tf.training.records import EPISODE_COLUMNS, iteration_columns
from dqn_tf.training.run_dir import write_json
from reproduce.executing import jobs
from reproduce.planning.job import Job

Episodes = Sequence[tuple[int, float]]


def write_run(
    path: Path,
    episodes: Episodes,
    *,
    preset: str = "dqn_dopamine",
    environment: str = "breakout",
    frames: int = 2_000_000,
    seed: int = 0,
    settings: Sequence[str] = (),
    final: Sequence[float] = (1.0, 3.0),
    complete: bool = True,
    evaluations: Sequence[float] = (10.0, 400.0),
    monitored: Sequence[str] = (),
) -> Path:
    """A run directory.  episodes: (frames when it ended, raw return); monitored: columns of the agent's ideas, which
    are empty in the first row and 0 in the others."""
    config = make_config(preset, environment, seed=seed, frames=frames, settings=settings)
    path.mkdir(parents=True)
    write_json(path / "config.json", config.to_json())
    command = ["/home/someone/checkout/dqn_tf/__main__.py", "train", preset, environment, "--run-dir", str(path)]
    sessions = [
        {
            "command": command,
            "code_sha256": "0" * 64,
            "started": "2026-01-01T00:00:00+00:00",
            "ended": "2026-01-01T00:01:30+00:00",
            "status": "complete",
        }
    ]
    write_json(
        path / "manifest.json", {"config_hash": config.hash, "scope": {}, "sessions": sessions, "status": "complete"}
    )
    rows = [[end, end // 4, i, 0, 40, value, 0] for i, (end, value) in enumerate(episodes)]
    _write_table(path / "episodes.csv", EPISODE_COLUMNS, rows)
    ends = [frames * (i + 1) // len(evaluations) for i in range(len(evaluations))]
    known: list[dict[str, Any]] = [
        {"iteration": i, "frames": end, "eval_return_mean": value, "eval_episodes": 10, "epsilon": 0.5}
        for i, (end, value) in enumerate(zip(ends, evaluations, strict=True))
    ]
    for row in known[:1]:
        row.update(dict.fromkeys(monitored, ""))
    columns = iteration_columns(list(monitored))
    _write_table(path / "iterations.csv", columns, [[row.get(c, 0) for c in columns] for row in known])
    _write_table(path / "timing.csv", ["iteration", "frames", "wall_seconds"], [[0, frames, 90.0]])
    if complete:
        mean = sum(final) / len(final)
        score = {"epsilon": 0.0, "return_mean": mean, "return_std": 0.0, "episodes": len(final)}
        scored: dict[str, Any] = {"final_evaluation": score}
        if config.evaluation.final_network == "best" and known:
            best = {"network": "best", "network_frames": ends[0], **score}
            scored = {"final_evaluation": best, "last_network_evaluation": score}
        counted = {"frames": frames, "steps": frames // 4, "updates": 7, "episodes": len(rows), "iterations": len(ends)}
        write_json(
            path / "summary.json",
            {"status": "complete", "config_hash": config.hash, **counted, "state_digest": "f" * 64, **scored},
        )
    return path


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in [columns, *rows]))


@pytest.fixture
def run_dir(tmp_path: Path) -> Callable[..., Path]:
    """A function (name, episodes, field=value, ...) -> a run directory below tmp_path/runs."""
    return lambda name, episodes=((400_000, 1.0), (1_000_000, 3.0), (1_500_000, 9.0)), **fields: write_run(
        tmp_path / "runs" / name, episodes, **fields
    )


# -- jobs --------------------------------------------------------------------------------------------------------------
@pytest.fixture
def job(tmp_path: Path) -> Callable[..., Job]:
    """A function (seed, field=value, ...) -> a job of 400 frames of CartPole below tmp_path/runs."""

    def build(seed: int = 1, **fields: Any) -> Job:
        given = {
            "label": f"seed {seed}",
            "preset": "dqn_classic",
            "environment": "CartPole-v1",
            "seed": seed,
            "frames": 400,
            "run_dir": tmp_path / "runs" / f"seed_{seed}",
        }
        return Job(**{**given, **fields, "settings": tuple(fields.get("settings", ()))})

    return build


@pytest.fixture
def finish() -> Callable[[Job], None]:
    """A function (job) that makes it look complete."""

    def write(planned: Job) -> None:
        planned.run_dir.mkdir(parents=True, exist_ok=True)
        write_json(planned.run_dir / "config.json", planned.config.to_json())
        write_json(planned.run_dir / "summary.json", {})

    return write


@pytest.fixture
def instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function (script) that puts a Python script in the place of ``dqn_tf``; its arguments are those of dqn-tf."""

    def replace(script: str) -> None:
        package = tmp_path / "fake" / "dqn_tf"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()  # a package of this name may be installed, and would win over a bare folder
        (package / "__main__.py").write_text(script)
        monkeypatch.setattr(jobs, "environment", lambda job: {**os.environ, "PYTHONPATH": str(tmp_path / "fake")})

    return replace
