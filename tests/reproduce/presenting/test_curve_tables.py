"""Our training returns beside the published curves, as files."""

from __future__ import annotations

import pandas as pd

from reproduce import places
from reproduce.presenting import plots_folder, results_folder, tables_folder


def test_tables_and_figures_are_the_same_bytes_twice(run_dir, tmp_path):
    for seed in (1, 0):
        ends = ((400_000, 1.6), (1_000_000, 1.7), (1_500_000, 3.0))
        run_dir(f"set/dqn_dopamine/breakout/seed_{seed}", ends, seed=seed)
    run_dir("set/dqn_dopamine/pong/seed_0", environment="pong", frames=400)
    run_dir("set/dqn_classic/CartPole-v1/seed_0", preset="dqn_classic", environment="CartPole-v1", frames=400)
    comparable = results_folder.read(tmp_path).comparable

    def written(to):
        return [
            *tables_folder.comparison_files(comparable, tmp_path, to / "tables"),
            *plots_folder.comparison(comparable, to / "plots"),
        ]

    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    names = "tables/dqn_dopamine.csv tables/dqn_dopamine.md plots/dqn_dopamine_breakout.svg".split()
    names += "plots/dqn_dopamine_breakout.png plots/dqn_dopamine_pong.svg plots/dqn_dopamine_pong.png".split()
    assert [p.relative_to(tmp_path / "a").as_posix() for p in first] == names
    data = [p.read_bytes() for p in first]
    assert data == [p.read_bytes() for p in second]
    table = pd.read_csv(first[0])
    assert table["environment"].tolist() == ["breakout"] * 4 + ["pong"] * 2
    assert table["seed"].tolist() == [0, 0, 1, 1, 0, 0]
    page = first[1].read_text()
    assert "4 within the published runs" in page and "- Breakout, seed 1, iteration 0: 1.65 is between" in page
    assert b"Date" not in data[2] and b"matplotlib" not in data[3]


def test_the_committed_tables_are_what_the_committed_runs_give(tmp_path):
    """Figures may differ between font libraries; .ci/run compares them where the versions are the locked ones."""
    comparable = results_folder.read(places.RESULTS).comparable
    assert len(comparable) >= 5
    for path in tables_folder.comparison_files(comparable, places.RESULTS, tmp_path):
        assert path.read_bytes() == (places.RESULTS / "tables" / path.name).read_bytes(), path.name
