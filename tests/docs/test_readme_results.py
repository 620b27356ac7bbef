"""The numbers of README's first table are those of results/tables/."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from reproduce.planning import reading
from reproduce.presenting import classic_page

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"Rainbow": "rainbow_dopamine", "C51": "c51_dopamine", "DQN": "dqn_dopamine"}
GAMES = {"Freeway": "freeway", "Breakout": "breakout", "Ms. Pac-Man": "ms_pacman"}


def measured() -> dict[tuple[str, str, int], list[dict[str, str]]]:
    """(agent, game, iteration) -> the rows of our seeds."""
    found = defaultdict(list)
    for agent, table in TABLES.items():
        with (ROOT / "results" / "tables" / f"{table}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get("iteration"):
                    found[agent, row["environment"], int(row["iteration"])].append(row)
    return dict(found)


def shown() -> dict[tuple[str, str, int], tuple[str, str, str]]:
    """(agent, game, iteration) -> ours, published and verdict, as README shows them."""
    found, agent, game = {}, "", ""
    lines = (ROOT / "README.md").read_text().splitlines()
    begin = lines.index("| agent and game | frames | ours | published | verdict |")
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        name, frames, ours, published, verdict = (cell.strip() for cell in line.strip("|").split("|"))
        if name:
            agent, game = name.split(", ")
        found[agent, GAMES[game], int(frames.split(" to ")[1].removesuffix("M")) - 1] = (ours, published, verdict)
    return found


def rounded(number: str, like: str) -> str:
    """``number`` with as many decimals as ``like``."""
    return f"{float(number):.{len(like.partition('.')[2])}f}"


def test_every_number_is_the_measured_one() -> None:
    found, table = measured(), shown()
    assert table.keys() == found.keys()
    for key, (ours, published, verdict) in table.items():
        rows, (mean, std) = found[key], published.split(" ± ")
        numbers = ours.split(", ")
        assert [rounded(row["return_mean"], n) for row, n in zip(rows, numbers, strict=True)] == numbers, key
        assert rounded(rows[0]["published_mean"], mean) == mean and rounded(rows[0]["published_std"], std) == std, key
        if len(rows) == 1 and "**" not in verdict:
            assert rows[0]["verdict"] == verdict, key
        else:
            assert {row["verdict"] for row in rows} == {"outside"} and "**outside**" in verdict, key


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
