"""The table of the classic presets: what is counted, what is not, and that it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dqn_tf import cli
from dqn_tf.checks import ConfigError
from dqn_tf.presets import PRESETS, load
from reproduce.planning import reading
from reproduce.planning.job import Job
from reproduce.presenting import classic_page


@pytest.fixture
def done(run_dir: Callable[..., Path], tmp_path: Path) -> Callable[..., Job]:
    """A function (agent, seed, final returns) that makes that run of the protocol look complete."""

    def make(agent: str, seed: int, final: tuple[float, ...], extra: tuple[str, ...] = ()) -> Job:
        (job,) = (
            j
            for j in classic_page.jobs(reading.load("classic"), tmp_path / "runs")
            if (j.preset, j.seed) == (agent, seed)
        )
        run_dir(
            job.run_dir.relative_to(tmp_path / "runs"),
            ((job.frames, 9.0),),
            preset=job.preset,
            environment=job.environment,
            frames=job.frames,
            seed=job.seed,
            settings=(*job.settings, *extra),
            final=final,
        )
        return job

    return make


def table(folder: Path) -> pd.DataFrame:
    return classic_page.collect(classic_page.jobs(reading.load("classic"), folder), folder / "cartpole.csv")


# Papers' own have protocols of theirs, and so has CleanRL's PQN; some are for recorded data.
OTHERS = ("pqn_classic", "cql_classic", "rem_classic", "cloning_classic")
VECTORS = [name for name in PRESETS if name.endswith("_classic") and name not in OTHERS]


def test_the_protocol_has_every_classic_preset_on_five_seeds() -> None:
    assert all(load(name).protocol is None for name in VECTORS)
    planned = classic_page.jobs(reading.load("classic"), Path("runs"))
    assert {(j.preset, j.seed) for j in planned} == {(name, seed) for name in VECTORS for seed in range(1, 6)}
    smoke = classic_page.jobs(reading.load("classic").smoke_version(), Path("runs"))
    assert [j.preset for j in smoke] == VECTORS


def test_solved_seeds_and_means(done: Callable[..., Job], tmp_path: Path) -> None:
    done("rainbow_classic", 2, (500.0, 450.0))  # 475: solved, just so
    done("rainbow_classic", 1, (500.0, 448.0))
    done("dqn_classic", 3, (100.0,))
    found = table(tmp_path / "runs")
    assert found[["agent", "seed", "score"]].to_numpy().tolist() == [
        ["dqn_classic", 3, 100.0],
        ["rainbow_classic", 1, 474.0],
        ["rainbow_classic", 2, 475.0],
    ]
    said = classic_page.page(reading.load("classic"), found).splitlines()
    lines = {line.split("|")[1].strip(): line for line in said if line.startswith("| `")}
    assert len(lines) == len(VECTORS)
    cells = [cell.strip() for cell in lines["`rainbow_classic`"].split("|")[1:-1]]
    assert cells == ["`rainbow_classic`", "1 of 2", "1 of 2", "2 of 2", "474.5", "474", "475", "–", "–", "–"]
    assert "| 0 of 1 |" in lines["`dqn_classic`"] and "| not run |" in lines["`iqn_classic`"]
    assert "3 of 65 runs are complete" in classic_page.page(reading.load("classic"), found)


def test_the_last_network_is_told_apart_from_the_best(done: Callable[..., Job], tmp_path: Path) -> None:
    from dqn_tf.training.run_dir import read_json, write_json

    path = done("c51_classic", 1, (500.0,)).run_dir / "summary.json"
    summary: dict[str, Any] = read_json(path)
    summary["last_network_evaluation"] = {"return_mean": 20.0, "return_std": 1.0, "episodes": 100}
    summary["final_evaluation"] |= {"network": "best", "network_frames": 40_000}
    write_json(path, summary)
    row = table(tmp_path / "runs").iloc[0]
    assert (row["score"], row["last_network"], row["network_frames"]) == (500.0, 20.0, 40_000)
    line = next(
        x for x in classic_page.page(reading.load("classic"), table(tmp_path / "runs")).splitlines() if "c51" in x
    )
    assert "| 1 of 1 | 0 of 1 |" in line


def test_a_run_of_other_settings_is_refused(done: Callable[..., Job], tmp_path: Path) -> None:
    done("c51_classic", 1, (500.0,), extra=("batch_size=64",))
    with pytest.raises(ConfigError, match="other settings"):
        table(tmp_path / "runs")
    assert cli.main(["results", "classic", "--runs", str(tmp_path / "runs")]) == 2


def test_runs_of_another_machine_stay_while_their_settings_are_asked_for(
    done: Callable[..., Job], tmp_path: Path
) -> None:
    csv, page = tmp_path / "cartpole.csv", tmp_path / "classic_results.md"
    asked = reading.load("classic")
    for seed in range(1, 6):
        done("noisy_classic", seed, (490.0,))
    done("c51_classic", 1, (500.0,))
    classic_page.write(asked, tmp_path / "runs", csv, page)
    written = csv.read_bytes(), page.read_bytes()
    classic_page.write(asked, tmp_path / "elsewhere", csv, page)
    assert (csv.read_bytes(), page.read_bytes()) == written

    planned = classic_page.jobs(asked, tmp_path / "elsewhere")
    left = classic_page.missing(planned, classic_page.collect(planned, csv))
    assert len(left) == 12 and "noisy_classic" not in left and "c51_classic" in left  # one seed of five is not all

    rows = pd.read_csv(csv)
    rows.loc[rows["seed"] == 2, "config_hash"] = "of other settings"
    rows.to_csv(csv, index=False)
    found = classic_page.collect(planned, csv)
    assert found["seed"].tolist() == [1, 3, 4, 5, 1] and "noisy_classic" in classic_page.missing(planned, found)


def test_runs_from_before_the_presets_became_fused_are_counted_apart(done: Callable[..., Job], tmp_path: Path) -> None:
    """They stay in the table, are named as what they are, and are still missing as runs of today's presets."""
    asked, csv = reading.load("classic"), tmp_path / "cartpole.csv"
    first, second = (done("noisy_classic", seed, (490.0,)) for seed in (1, 2))
    before = first.config.with_settings(list(classic_page.BEFORE_FUSED))
    assert before.hash != first.config.hash == first.config.with_settings(["execution=fused", *first.settings]).hash
    rows = table(tmp_path / "runs")
    rows.loc[rows["seed"] == 1, "config_hash"] = before.hash
    rows.to_csv(csv, index=False)
    found = classic_page.collect([first, second], csv)
    assert found["seed"].tolist() == [1, 2]  # here are runs of today's settings of both
    assert classic_page.of_today([first, second], found).all()

    planned = classic_page.jobs(asked, tmp_path / "elsewhere")
    found = classic_page.collect(planned, csv)
    assert classic_page.of_today(planned, found).tolist() == [False, True]
    assert "noisy_classic" in classic_page.missing(planned, found)
    said = classic_page.page(asked, found)
    assert "2 of 65 runs are complete." in said and "**1 of them were measured before" in said
    assert "| `noisy_classic` | 2 of 2 | 2 of 2 | 1 of 2 |" in said
    assert "before the presets" not in classic_page.page(asked, found[1:])


def test_a_run_here_counts_before_a_row_of_the_table(done: Callable[..., Job], tmp_path: Path) -> None:
    job = done("noisy_classic", 1, (490.0,))
    csv = tmp_path / "cartpole.csv"
    table(tmp_path / "runs").assign(score=3.0).to_csv(csv, index=False)
    assert classic_page.collect([job], csv)["score"].tolist() == [490.0]


def test_a_run_under_way_is_not_counted(done: Callable[..., Job], tmp_path: Path) -> None:
    (done("c51_classic", 1, (500.0,)).run_dir / "summary.json").unlink()
    assert table(tmp_path / "runs").empty
    assert "Not run yet" in classic_page.page(reading.load("classic"), table(tmp_path / "runs"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with tiny budgets are written beside themselves; the others to results/ and docs/."""
    monkeypatch.setattr(classic_page, "FOUND", tmp_path / "results" / "cartpole.csv")
    monkeypatch.setattr("reproduce.places.ROOT", tmp_path)
    command = ["results", "classic", "--runs", str(tmp_path)]
    assert cli.main([*command, "--smoke"]) == 0
    assert "1,300 frames" in capsys.readouterr().out
    home, page = tmp_path / "classic-smoke", classic_page.PAGE
    assert (home / page).exists() and (home / "cartpole.csv").exists() and not (tmp_path / "docs").exists()
    assert cli.main(command) == 0
    assert (tmp_path / "docs" / page).exists() and (tmp_path / "results" / "cartpole.csv").exists()
    capsys.readouterr()
    assert cli.main([*command, "--missing"]) == 0
    assert capsys.readouterr().out.strip().split(",") == VECTORS
