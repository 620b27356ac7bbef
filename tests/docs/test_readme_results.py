"""What README says of results in words is what results/tables/ has; its table is written by `dqn-tf results docs`."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from reproduce.planning import reading
from reproduce.presenting import classic_page

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"Rainbow": "rainbow_dopamine", "C51": "c51_dopamine", "DQN": "dqn_dopamine"}


def measured() -> dict[tuple[str, str, int], list[dict[str, str]]]:
    """(agent, game, iteration) -> the rows of our seeds."""
    found = defaultdict(list)
    for agent, table in TABLES.items():
        with (ROOT / "results" / "tables" / f"{table}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get("iteration"):
                    found[agent, row["environment"], int(row["iteration"])].append(row)
    return dict(found)


def test_as_many_points_of_dopamine_lie_outside_as_it_says() -> None:
    found = measured()
    outside = [key for key, rows in found.items() if {row["verdict"] for row in rows} == {"outside"}]
    assert (len(outside), len(found)) == (2, 10)
    assert "two of ten points lie outside the spread" in " ".join((ROOT / "README.md").read_text().split())


def test_cartpole_is_solved_as_often_and_by_the_presets_that_it_says() -> None:
    planned = classic_page.jobs(reading.load("classic"), Path())
    found = classic_page.found_now(planned)
    assert len(found) == len(planned)
    solved = found.assign(best=found["score"] >= 475, last=found["last_network"] >= 475).groupby("agent")
    best, last = solved["best"].sum(), solved["last"].sum()
    assert set(best) == {5} == set(solved.size())
    text = " ".join((ROOT / "README.md").read_text().split())
    assert f"{len(best)} classic presets: the best network of training solves it in 5 of 5 seeds, " in text
    assert f"the last network in {last.min()} to {last.max()} " in text
    earlier = not classic_page.of_today(planned, found).all()
    assert ("measured with `execution=interleaved`, before the presets became `fused`" in text) == earlier
