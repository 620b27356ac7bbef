"""The published numbers are the ones that were read, and are found by any usual name."""

from __future__ import annotations

import gzip
import hashlib
import re

import pandas as pd
import pytest

from reproduce.records import published

ROWS = {
    "aggregate_published.csv": 229,
    "atari100k_published_scores.csv": 494,
    "atari100k_run_level.csv.gz": 36_920,
    "atari57_published_scores.csv": 3635,
    "atari_human_random.csv": 57,
    "cleanrl_sb3_atari.csv": 543,
    "dopamine_curves.csv.gz": 191_640,
    "minatar_published.csv": 4,
    "small_budget_published.csv": 1002,
}


def test_files_are_the_ones_that_were_read(tmp_path, monkeypatch):
    assert published.verify() == []
    for name in [*ROWS, "PROVENANCE.md", published.SUMS]:
        (tmp_path / name).write_bytes((published.PUBLISHED / name).read_bytes())
    (tmp_path / "minatar_published.csv").write_text("env\n")
    (tmp_path / "aggregate_published.csv").unlink()
    monkeypatch.setattr(published, "PUBLISHED", tmp_path)
    assert sorted(published.verify()) == ["aggregate_published.csv: missing", "minatar_published.csv: changed"]


def test_sums_name_every_file():
    listed = {line.split("  ")[1] for line in (published.PUBLISHED / published.SUMS).read_text().splitlines()}
    assert listed == {*ROWS, "PROVENANCE.md"} == {p.name for p in published.PUBLISHED.iterdir()} - {published.SUMS}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name):
    assert len(pd.read_csv(published.PUBLISHED / name)) == ROWS[name]


def test_nothing_refers_to_places_outside_the_repository():
    for path in published.PUBLISHED.iterdir():
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp|mnt)/|\.\./|https?://", text), path.name


def test_curve_has_the_values_of_the_source():
    curve = published.dopamine_curve("breakout")
    assert list(curve.columns) == list(published.CURVE_COLUMNS)
    assert curve["iteration"].tolist() == list(range(199))
    assert curve.iloc[1].tolist() == [1, 3.05906, 0.174242, 2.82683, 3.26998, 5]
    assert [str(t) for t in curve.dtypes] == ["int64", *["float64"] * 4, "int64"]
    assert len(published.dopamine_curve("pong", "QR-DQN", "Impala")) == 200


def test_curve_is_found_by_any_spelling_and_is_a_copy():
    curve = published.dopamine_curve("ALE/MsPacman-v5")
    curve["mean_return"] = 0.0
    assert published.dopamine_curve("ms_pacman")["mean_return"][0] == 386.734


def test_curve_statistics_are_consistent():
    """Mean and spread of five numbers lie within their range; the sample deviation is at most that of two extremes."""
    curves = published._curves()
    assert ((curves.min_return <= curves.mean_return + 1e-3) & (curves.mean_return <= curves.max_return + 1e-3)).all()
    assert curves.n_runs.between(3, 5).all() and (curves.std_return >= 0).all()


def test_unknown_names_suggest_near_ones(outcome):
    assert "Did you mean 'breakout'" in outcome(published.dopamine_curve, "brekout")
    assert "published agent 'DQM'. Did you mean 'DQN'" in outcome(published.dopamine_curve, "pong", "DQM")
    assert "Did you mean 'Impala'" in outcome(published.dopamine_curve, "pong", "DQN", "impala")
    assert "Did you mean 'pong'" in outcome(published.human_random, "pongg")
    assert published.has_dopamine_curve("pong") and not published.has_dopamine_curve("surround")


def test_human_and_random_scores():
    reference = published.human_random("ALE/Breakout-v5")
    assert reference == (1.7, 30.5)
    assert reference.normalized(1.7) == 0 and reference.normalized(30.5) == 100
    table = published.scores()
    assert table.shape == (57, 14) and not table[["random", "human"]].isna().any().any()
    table.loc["pong", "random"] = 5.0
    assert published.human_random("pong").random == -20.7


def test_without_the_files_it_says_so(tmp_path, monkeypatch, outcome):
    monkeypatch.setattr(published, "PUBLISHED", tmp_path / "nowhere")
    published._scores.cache_clear()
    assert "found none. Restore the file, or install the package again." in outcome(published.scores)


def test_sums_are_sha256():
    name = "minatar_published.csv"
    expected = hashlib.sha256((published.PUBLISHED / name).read_bytes()).hexdigest()
    assert f"{expected}  {name}\n" in (published.PUBLISHED / published.SUMS).read_text()


def test_rliables_runs_give_the_printed_aggregates():
    """Medians and means of human-normalized scores over 26 games, as rliable's notebook prints them (section 8)."""
    printed = {
        "DER": (0.18936, 0.35030),
        "OTRainbow": (0.12959, 0.21705),
        "DrQ": (0.21198, 0.36912),
        "DrQ(eps)": (0.31290, 0.46474),
        "SPR": (0.39563, 0.61580),
    }
    for agent, (median, mean) in printed.items():
        runs = published.runs_100k(agent)
        assert runs.groupby("game")["run"].nunique().eq(100).all() and runs["game"].nunique() == 26
        scores = runs.groupby("game")["eval_average_return"].mean()
        normalized = pd.Series({game: published.human_random(game).normalized(s) / 100 for game, s in scores.items()})
        assert normalized.median() == pytest.approx(median, abs=5e-6)
        assert normalized.mean() == pytest.approx(mean, abs=5e-6)


def test_der_is_there_after_every_ten_thousand_steps():
    assert [len(published.runs_100k("DER", steps)) for steps in range(10_000, 100_001, 10_000)] == [2600] * 10
    assert list(published.runs_100k("SPR").columns) == ["game", "run", "eval_average_return"]


def test_small_budgets_by_benchmark():
    cleanrl = published.small_budget("classic_control", "CartPole-v1")
    row = cleanrl[cleanrl["agent"] == "CleanRL DQN (dqn.py)"].iloc[0]
    assert (row["value"], row["spread"], row["n_runs"], row["budget_frames"]) == (488.69, "16.11", "3", 500_000)
    assert not row["low_confidence"]
    acrobot = published.small_budget("classic_control", "Acrobot-v1")
    assert acrobot["low_confidence"].sum() == 11, "overlapping curves of a figure"


def test_unknown_small_budgets_suggest_near_ones(outcome):
    assert "Did you mean 'DER'" in outcome(published.runs_100k, "DERR")
    assert "evaluated after 100000" in outcome(published.runs_100k, "SPR", 10_000)
    assert "Did you mean 'minatar'" in outcome(published.small_budget, "minata", "breakout")
    assert "Did you mean 'breakout'" in outcome(published.small_budget, "minatar", "brekout")
