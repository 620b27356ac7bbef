from __future__ import annotations

from pathlib import Path

import pytest

SHORT = ("iteration_frames=100_000",)  # 2,000,000 frames are twenty iterations, of which five are the window


@pytest.fixture
def write(run_dir):
    """write(game, seed, final) -> a run in its proper place: set/<agent>/<game>/seed_<k>."""

    def make(environment="breakout", seed=0, final=(1.0, 3.0), collection="set", **fields):
        preset = fields.get("preset", "dqn_dopamine")
        name = f"{collection}/{preset}/{environment}/seed_{seed}"
        fields = {"settings": SHORT, "evaluations": (1, 9, 2, 3, 4, 5, 6), **fields}
        return run_dir(name, environment=environment, seed=seed, final=final, **fields)

    return make


@pytest.fixture
def edit_csv():
    """edit_csv(path, row, column, value): overwrite one cell of a table; ``row`` from 0, without the header."""

    def edit(path: Path, row: int, column: str, value: str) -> None:
        lines = [line.split(",") for line in path.read_text().splitlines()]
        lines[row + 1][lines[0].index(column)] = value
        path.write_text("".join(",".join(line) + "\n" for line in lines))

    return edit
