"""What a plan will cost, from speeds that are given or were measured."""

from __future__ import annotations

import json
from pathlib import Path

from reproduce import places
from reproduce.planning import cost
from reproduce.planning.plan import Selection, make
from reproduce.planning.reading import load

RUNS = Path("runs")


def test_hours_from_a_speed_that_is_given(tmp_path):
    """Two games of 200M frames at 1,000 frames/s take 55.6 hours each."""
    planned = make(load("nature2015"), RUNS, Selection(environments=("pong", "breakout"), seeds=1))
    text = cost.describe(planned, tmp_path, 2, 1000.0)
    assert "2 runs, 400,000,000 training frames" in text
    assert "one run after another: 111.1; 2 at a time: 55.6" in text and "1,000 frames/s (--frames-per-second)" in text
    assert "GPU-hours, where each run has a GPU of its own: 111.1" in text
    row = next(line for line in text.splitlines() if line.startswith("dqn_nature"))
    assert "8.1 GB" in row and "55.6" in row and "breakout, pong" in row  # 1M frames of 84 x 84, and 1 GiB
    assert "Disk: about 1.0 GB, at most 14.4 GB" in text and f"are free in {tmp_path}" in text


def test_hours_from_what_was_measured():
    text = cost.describe(make(load("nature2015"), RUNS, Selection(seeds=1)), RUNS, None)
    told = json.loads((places.ROOT / "results" / "speed" / "versus_peers.json").read_text())
    measured = told["work"]["dqn"]["dqn_tf"]["frames_per_s"]
    assert min(measured) < 49 * 200_000_000 / 3600 / _number_after(text, "one run after another: ") < max(measured)
    assert "results/speed/versus_peers.json: dqn_nature, one run alone on a CPU" in text and "GPU-hours" in text
    assert "not measured" in next(line for line in text.splitlines() if line.startswith("GPU-hours"))


def _number_after(text, words):
    return float(text.split(words)[1].split(";")[0].replace(",", ""))


def test_no_speed_no_hours(tmp_path):
    config = make(load("classic"), RUNS, Selection()).jobs[0].config
    assert cost.measured_speed(config, tmp_path) is None
    (tmp_path / "quickstart").mkdir()
    (tmp_path / "quickstart" / "times.csv").write_text(
        "environment,seed,frames,wall_seconds\nCartPole-v1,1,80000,100\n"
    )
    assert cost.measured_speed(config, tmp_path).frames_per_s == 800.0
    acrobot = cost.describe(make(load("classic"), RUNS, Selection(environments=("Acrobot-v1",))), RUNS, 1)
    assert "without 5 runs of which no speed is known" in acrobot


def test_a_part_says_so_and_an_empty_one_too():
    part = make(load("quickstart"), RUNS, Selection(shard=(1, 4)))
    assert "2 of 6 runs" in cost.describe(part, RUNS, 1)
    assert "0 of 6 runs" in cost.describe(make(load("quickstart"), RUNS, Selection(shard=(9, 9))), RUNS, 1)


def test_a_budget_without_updates_is_said() -> None:
    short = make(load("quickstart").with_frames(100), RUNS, Selection(environments=("CartPole-v1",), seeds=2))
    assert "2 of them end before learning begins" in cost.describe(short, RUNS, 1)
    assert "learning begins" not in cost.describe(make(load("quickstart"), RUNS, Selection()), RUNS, 1)
