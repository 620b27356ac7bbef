"""Results in a notebook or a script: the tables of runs with pandas, and a picture of how returns grow.

python examples/read_results.py results/runs --out returns.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd
import seaborn as sns

RUN = ["agent", "game", "seed"]


def read(folder: Path, table: str) -> pd.DataFrame:
    """The table ("episodes" or "iterations") of every run below ``folder``; agent, game and seed say whose rows."""
    tables = []
    for file in sorted(folder.rglob(f"{table}.csv")):
        tables.append(_of(json.loads((file.parent / "config.json").read_text()), pd.read_csv(file)))
    for file in sorted(folder.rglob(f"{table}.csv.gz")):  # packed: several seeds, each before its rows
        tables.append(_of(json.loads((file.parent / "runs.json").read_text())["config"], pd.read_csv(file)))
    if not tables:
        raise SystemExit(f"Expected runs in {folder}, found no {table}.csv.")
    return pd.concat(tables, ignore_index=True)


def _of(config: dict, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with the agent, the game and the seed of their runs."""
    game = config["environment"].removeprefix("ale:").removeprefix("gym:")
    return rows.assign(agent=config["preset"], game=game, seed=rows.get("seed", config["seed"]))


def curves(episodes: pd.DataFrame, bins: int = 40) -> pd.DataFrame:
    """The mean raw return of the training episodes of each run that ended in each of ``bins`` stretches of frames."""
    width = episodes["frames"].max() / bins
    middle = ((episodes["frames"] - 1) // width + 0.5) * width
    return episodes.assign(frames=middle).groupby([*RUN, "frames"], as_index=False)["return_raw"].mean()


def picture(means: pd.DataFrame, file: Path) -> None:
    """A panel per game and a line per agent: the mean over seeds, and their range."""
    columns = min(3, means["game"].nunique())
    facets = {"col": "game", "col_wrap": columns, "facet_kws": {"sharey": False}}
    sns.relplot(means, x="frames", y="return_raw", hue="agent", kind="line", errorbar=("pi", 100), **facets).savefig(
        file
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("returns.png"))
    given = parser.parse_args()
    rows = read(given.folder, "iterations")
    print(rows[[*RUN, "frames", "train_return_mean", "td_error_std", "q_mean"]].to_string(index=False))
    picture(curves(read(given.folder, "episodes")), given.out)
    print(f"{given.out}: drawn")
