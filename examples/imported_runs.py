"""Runs of other programs, as `dqn-tf results import` wrote them: the last return of each agent, over its seeds.

python examples/imported_runs.py theirs.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

WHOSE = ["program", "agent", "environment", "rewards"]


def last_returns(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over seeds of each run's last point: training, evaluation."""
    last = table.sort_values("frames").groupby([*WHOSE, "seed"], as_index=False).last()
    found = last.groupby(WHOSE).agg(
        seeds=("seed", "nunique"),
        frames=("frames", "max"),
        training=("train_return", "mean"),
        evaluation=("eval_return", "mean"),
    )
    return found.reset_index()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    print(last_returns(pd.read_csv(parser.parse_args().file)).to_string(index=False))
