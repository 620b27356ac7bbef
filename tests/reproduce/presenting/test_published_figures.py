from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from dqn_tf import cli
from reproduce.analysis import collecting, learning_curves
from reproduce.places import ROOT
from reproduce.presenting import plots, plots_folder, published_figures, run_figures
from reproduce.presenting.plots import aggregates, bars, suite
from reproduce.records import published

GAMES = ("breakout", "freeway", "pong")


def text_of(figure):
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


def test_figure_3_is_natures():
    """The paper: DQN "at a level that was comparable to a professional human games tester ... (75 % or more of the
    human score) on more than half of the games (29 of 49)"."""
    scores = bars.nature_scores()
    assert len(scores) == 49 and int((scores["dqn"] >= bars.HUMAN_LEVEL).sum()) == 29
    assert scores.index[0] == "video_pinball" and scores.index[-1] == "montezuma_revenge"
    np.testing.assert_allclose(
        scores["dqn"].sort_index(),
        published.scores()["nature_dqn_normalized_pct_computed"].dropna().sort_index(),
        atol=0.01,
    )
    said = text_of(bars.normalized_bars(scores))
    assert "published data only, no run of ours" in said and "29 games" in said and "below: 20 games" in said
    with_ours = text_of(bars.normalized_bars(scores, {"breakout": 50.0, "surround": 1.0}, "dqn_nature"))
    assert "no run of ours" not in with_ours and "dqn_nature beside the published scores" in with_ours


def test_aggregates_are_the_published_ones():
    """What the papers print: results/published/aggregate_published.csv."""
    table = published_figures.no_op_aggregates().pivot(index="label", columns="measure", values="value")
    medians = {"DQN": 79.1, "Double DQN": 117.8, "Dueling": 151.5, "Prioritized Dueling": 172.1, "C51": 178.0}
    means = {"DQN": 227.9, "Double DQN": 307.3, "Dueling": 373.1, "Prioritized Dueling": 591.9, "C51": 701.0}
    for label, value in medians.items():
        assert table.loc[label, "median"] == pytest.approx(value, abs=0.5)
    for label, value in means.items():
        assert table.loc[label, "mean"] == pytest.approx(value, abs=0.5)


def test_improvement_is_the_dueling_papers():
    """Breakout: random 1.7, human 30.5.  Against a baseline below the human, the human counts; above, the baseline."""
    assert bars.improvement({"breakout": 60.0}, {"breakout": 1.7})["breakout"] == pytest.approx(100 * 58.3 / 28.8)
    assert bars.improvement({"breakout": 60.0}, {"breakout": 101.7})["breakout"] == pytest.approx(-41.7)
    found = bars.improvement({"breakout": 1.0, "pong": 1.0, "nowhere": 1.0}, {"pong": 2.0, "breakout": 0.0})
    assert found.index.tolist() == ["breakout", "pong"]


def test_every_published_figure_says_that_it_is_published_data_only():
    drawn = published_figures.published_figures()
    assert {"nature2015_figure3", "grid_dopamine", "profiles_noop", "aggregates_noop"} <= set(drawn)
    for name in (
        "profiles_noop",
        "aggregates_noop",
        "improvement_rainbow_over_dqn",
        "curves_pong",
        "normalized_over_frames_dopamine",
    ):
        assert "published data only, no run of ours" in text_of(drawn[name]())


def test_the_same_bytes_twice_whatever_the_users_style(tmp_path):
    names = ["nature2015_figure3", "curves_breakout"]
    first = [p.read_bytes() for p in plots_folder.published(tmp_path / "a", names)]
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red"}):
        second = [p.read_bytes() for p in plots_folder.published(tmp_path / "b", names)]
    assert first == second and all(b"<svg" in data for data in first)


def test_an_unknown_figure_is_refused_before_anything_is_drawn(tmp_path, outcome):
    assert "Did you mean 'curves_pong'" in outcome(lambda: list(plots_folder.published(tmp_path / "a", ["curve_pong"])))
    assert not (tmp_path / "a").exists()
    assert cli.main(["results", "figures", "--out", str(tmp_path / "a"), "nothing"]) == 2


def test_a_large_svg_becomes_a_png(tmp_path):
    table = learning_curves.of_dopamine(["pong", "breakout", "qbert"], ["DQN"])
    drawn = suite.grid(table)
    assert plots.save_one(drawn, tmp_path / "g").name == "g.svg"
    path = plots.save_one(drawn, tmp_path / "g", largest_svg=1000)
    assert path.name == "g.png" and path.read_bytes().startswith(b"\x89PNG") and not (tmp_path / "g.svg.tmp").exists()


def test_a_grid_has_a_panel_per_game_and_its_points_are_means():
    table = learning_curves.of_dopamine(["pong", "ms_pacman"], ["DQN"])
    titles = [a.get_title("left") for a in suite.grid(table).axes]
    assert titles == ["MsPacman", "Pong"]
    one = table[table["game"] == "pong"]
    thin = suite.thinned(one, 5)
    assert thin["mean"].iloc[0] == pytest.approx(one["mean"].iloc[:5].mean()) and len(thin) == 40
    assert len(suite.thinned(one.iloc[:49], 5)) == 49


def test_ours_decide_the_range_of_a_learning_curve():
    theirs = learning_curves.of_dopamine(["breakout"], ["DQN"])
    ours = theirs.iloc[:3].assign(label="dqn_dopamine", published=False, n=1)
    axes = plots.learning_curves(pd.concat([theirs, ours]), "breakout").axes[0]
    assert axes.get_xlim() == pytest.approx((0, 2.525))  # not 199
    assert "ours beside published curves" in axes.get_title("left")
    short = ours.iloc[:1].assign(frames=1000.0)
    axes = plots.learning_curves(pd.concat([theirs, short]), "breakout").axes[0]
    assert "blue point: an average over 1M frames" in axes.get_title("left") and "(thousands)" in axes.get_xlabel()


def test_aggregates_are_of_agents_with_several_games():
    """The repository's own runs: one agent on Breakout, another on Freeway; then both games as one agent's as well."""
    found = collecting.collect([ROOT / "results" / "runs" / "family_evidence"])
    alone = {d.name for d in run_figures.drawn(found)}
    assert {"curves_breakout", "curves_freeway"} <= alone and not any("over" in n or "agg" in n for n in alone)

    def figures_of(*agents):
        """With an agent more for each of these: (name, games it has runs on; those of others are Freeway's)."""

        def more(table):
            own = {game: table[table["game"] == ("breakout" if game == "breakout" else "freeway")] for game in GAMES}
            rows = [own[g].assign(agent=name, game=g, environment=g) for name, games in agents for g in games]
            return pd.concat([table, *rows], ignore_index=True)

        both = collecting.Collected(more(found.scores), more(found.curves), problems=[])
        return {d.name: text_of(d.figure) for d in run_figures.drawn(both)}

    drawn = figures_of(("two", GAMES[:2]))
    for name in ("aggregates_final_evaluation", "profiles_final_evaluation", "normalized_over_frames"):
        assert "two" in drawn[name] and "c51_dopamine" not in drawn[name] and "rainbow_dopamine" not in drawn[name]
    assert "median over 2 games" in drawn["normalized_over_frames"]
    said = figures_of(("two", GAMES[:2]), ("three", GAMES))["normalized_over_frames"]
    assert "median over the games" in said and "two (2 games)" in said and "three (3 games)" in said


def test_profile_of_runs_has_a_band_and_of_means_has_none():
    rows = [
        {"label": "a", "game": g, "published": False, "normalized": v}
        for g, values in (("pong", (10.0, 90.0)), ("breakout", (50.0, 300.0)))
        for v in values
    ]
    axes = aggregates.profiles(pd.DataFrame(rows), "x").axes[0]
    curve = axes.lines[0]
    share = dict(zip(curve.get_xdata(), curve.get_ydata(), strict=True))
    assert share[0.0] == 100 and share[50.0] == 50 and share[100.0] == 25
    band = axes.collections[0].get_paths()[0].vertices
    assert np.isfinite(band).all() and band[:, 1].max() == 100


def test_value_and_return(run_dir):

    path = run_dir("c", preset="dqn_classic", environment="CartPole-v1", frames=100)
    table = collecting.collect([path]).curves
    figure = plots.value_and_return(table)
    assert "CartPole-v1: dqn_classic, 1 seed, 100 frames" in text_of(figure)
    nothing = plots.value_and_return(table.assign(max_q=float("nan")))
    assert "not recorded yet" in text_of(nothing) and "not recorded yet" not in text_of(figure)
