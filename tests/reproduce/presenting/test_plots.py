from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest

from reproduce.analysis import curve_comparison
from reproduce.presenting import plots
from reproduce.presenting.plots import curves
from reproduce.records import runs


def test_moving_average_against_a_slow_twin():
    values = np.random.default_rng(1).normal(size=57)
    slow = [values[max(0, i - 9) : i + 1].mean() for i in range(57)]
    np.testing.assert_allclose(curves.moving_average(values, 10), slow, atol=1e-12)
    assert curves.moving_average(np.array([]), 10).tolist() == [] and curves.moving_average(
        np.array([5.0]), 10
    ).tolist() == [5.0]


@pytest.fixture
def drawn(run_dir):
    """A function () -> every kind of figure, drawn anew from the same runs."""
    ends = [(4000 * (i + 1), float(i % 5)) for i in range(400)]
    long = [runs.load(run_dir(f"b{s}", ends, seed=s)) for s in (0, 1)]
    short = runs.load(run_dir("s", ends[:30], frames=160_000))
    poles = [
        runs.load(run_dir(f"c{s}", preset="dqn_classic", environment="CartPole-v1", frames=100, seed=s)) for s in (1, 2)
    ]
    return lambda: [
        plots.training_beside_published(long, curve_comparison.table_of(long), ("DQN", "default")),
        plots.beginning_beside_published(short, curve_comparison.compare(short)),
        plots.evaluations(poles, 475.0),
    ]


def test_the_same_bytes_twice_and_whatever_the_users_style(drawn, tmp_path):
    first = [p.read_bytes() for i, f in enumerate(drawn()) for p in plots.save(f, tmp_path / "a" / str(i))]
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "savefig.dpi": 30, "axes.facecolor": "red"}):
        second = [p.read_bytes() for i, f in enumerate(drawn()) for p in plots.save(f, tmp_path / "b" / str(i))]
        assert mpl.rcParams["font.size"] == 30
    assert len(first) == 6 and first == second
    assert all(b"<dc:date>" not in data and b"Software" not in data for data in first)


def test_titles_and_axes_say_what_is_shown(drawn):
    long, short, poles = (figure.axes for figure in drawn())
    assert long[0].get_title("left").startswith("Breakout: dqn_dopamine, 2 seeds, 2M frames")
    assert short[0].get_title("left").startswith("Breakout: dqn_dopamine, 1 seed, 160k frames")
    assert "an average over 1M frames" in short[0].get_title("left")
    assert poles[0].get_title("left").startswith("CartPole-v1: dqn_classic, 2 seeds, 100 frames")
    assert all("frames" in axes.get_xlabel() for axes in (*long, *short, *poles))
    assert all("return" in axes.get_ylabel() for axes in (long[0], short[0], poles[0]))
    assert long[0].get_xlim() == (0, 2) and short[0].get_xlim() == (0, 1)


def test_each_agent_stands_beside_its_own_published_curve(run_dir):
    ends = [(4000 * (i + 1), float(i % 5)) for i in range(400)]
    run = runs.load(run_dir("c51", ends, preset="c51_dopamine"))
    (axes,) = plots.training_beside_published([run], curve_comparison.table_of([run]), ("C51", "default")).axes
    assert "Dopamine's published C51" in axes.get_title("left")
    (blocks,) = (c for c in axes.collections if c.get_label() == "published: mean of each 1M frames")
    assert [segment[0][1] for segment in blocks.get_segments()] == [1.63386, 2.91244]  # dopamine_curves.csv.gz


def test_a_run_without_episodes_is_drawn_empty(run_dir):
    run = runs.load(run_dir("a", (), frames=400, evaluations=(1.0,)))
    assert len(plots.beginning_beside_published(run, curve_comparison.compare(run)).axes) == 2


def test_runs_without_evaluations(run_dir, tmp_path):
    path = run_dir("a", preset="dqn_classic", environment="CartPole-v1", frames=100, evaluations=(float("nan"),))
    text = (path / "iterations.csv").read_text().replace("nan", "")
    (path / "iterations.csv").write_text(text)
    assert plots.save(plots.evaluations([runs.load(path)], 475.0), tmp_path / "p")[1].stat().st_size > 1000
