"""Curves to choose from: their data are those of the tables, small enough, and the page stays whole and closed."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from reproduce.analysis.run_scores import CURVE_COLUMNS
from reproduce.presenting import interactive_curves
from reproduce.presenting.report import blocks

LIMIT = 15_000_000  # bytes of a page with ten seeds of 57 games


def curves(environments: int = 2, seeds: int = 2, points: int = 4) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frames = 250_000 * np.arange(1, points + 1)
    parts = [
        pd.DataFrame(
            {
                "collection": "set",
                "agent": "dqn",
                "environment": f"game {environment}",
                "seed": seed,
                "frames": frames,
                "train_return": random.normal(size=points) * 100,
                "eval_return": random.normal(size=points),
                "max_q": np.nan,
            }
        )
        for environment in range(environments)
        for seed in range(seeds)
    ]
    return pd.concat(parts).reindex(columns=list(CURVE_COLUMNS))


def test_a_row_for_each_run_and_measure() -> None:
    table = curves()
    table.loc[table["seed"] == 1, "frames"] += np.tile([0, 1, 3, 9], 2)
    table.loc[(table["seed"] == 0) & (table["frames"] == 500_000), "eval_return"] = np.nan
    rows = interactive_curves.rows(table)
    assert [(r["environment"], r["seed"], r["measure"].split()[0].strip(",")) for r in rows[:4]] == [
        ("game 0", 0, "episodes"),
        ("game 0", 0, "evaluation"),
        ("game 0", 1, "episodes"),
        ("game 0", 1, "evaluation"),
    ]
    assert (rows[0]["first"], rows[0]["step"], len(rows[0]["value"])) == (250_000, 250_000, 4)
    assert rows[1]["frames"] == [250_000, 750_000, 1_000_000] and "step" not in rows[1]
    assert rows[0]["value"] == pytest.approx(table["train_return"][:4].tolist(), rel=1e-4)
    table.loc[table["environment"] == "game 1", "collection"] = "other"
    assert {r["agent"] for r in interactive_curves.rows(table)} == {"set: dqn", "other: dqn"}


def test_the_chart_says_what_can_be_chosen() -> None:
    pytest.importorskip("altair")
    data = interactive_curves.rows(curves())
    found = interactive_curves.specification(data)
    params = {param["name"]: param for param in found["params"]}
    assert params["environment"]["bind"]["options"] == ["game 0", "game 1"]
    assert params["smoothing"]["bind"]["options"] == [1, 5, 20] and params["smoothing"]["value"] == 1
    assert len(params["measure"]["bind"]["options"]) == 2 and {"log_frames", "log_return", "agents"} <= set(params)
    windows = [step["frame"] for step in found["layer"][0]["transform"] if "window" in step]
    assert windows == [[-4, 0], [-19, 0]]
    assert found["datasets"]["runs"] == data
    assert "over the last iterations of a run, 1, 5, 20 of them" in interactive_curves.explanation(data)


def test_ten_seeds_of_57_games_are_small() -> None:
    """200 iterations of training and evaluation; the script is some 0.9 MB (test_the_script)."""
    data = interactive_curves.rows(curves(57, 10, 200))
    assert len(data) == 1140 and len(json.dumps(data)) + 1_000_000 < LIMIT / 3


def test_the_page_loads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No text ends the script early, and the script follows the chart."""
    pytest.importorskip("altair")
    table = curves()
    table["agent"] = "</script><b>"
    data = interactive_curves.rows(table)
    chart = blocks.Chart("here", interactive_curves.json_of(data), interactive_curves.call("here"))
    page = blocks.page("T", [blocks.Section("curves", "Curves", [chart])], "", library="window.vegaEmbed = 1;")
    assert "<b>" not in page and page.count("<script") == page.count("</script>") == 4
    held = re.search(r'<script type="application/json" id="here-data">(.*?)</script>', page)
    assert held is not None and json.loads(held[1])["datasets"]["runs"][0]["agent"] == "</script><b>"
    assert page.index("window.vegaEmbed = 1") < page.index('vegaEmbed("#here"')


def test_the_script() -> None:
    pytest.importorskip("vl_convert")
    script = interactive_curves.library()
    assert "vegaEmbed" in script and "</script" not in script and 500_000 < len(script) < 1_500_000
