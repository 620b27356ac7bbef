"""Files of other programs, made as those programs write them, come out as curves with what the user said of them."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import cli
from reproduce.analysis.run_scores import CURVE_COLUMNS
from reproduce.records import imported_curves, plain_pickle
from reproduce.records.imported_curves import Meaning
from reproduce.records.other_logs import Asked, read

SAID = (
    "--agent dqn --environment pong --seeds 1 --measure training --rewards raw --unit steps --frames-per-step 4".split()
)


def events(folder: Path, scalars: dict[str, list[tuple[int, float]]], tensors: bool = False) -> Path:
    """A TensorBoard file as torch's and tensorboardX's writers leave it, or, with ``tensors``, as TensorFlow's does."""
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    writer = EventFileWriter(str(folder))
    for tag, points in scalars.items():
        for step, value in points:
            held: dict[str, Any] = {"simple_value": value}
            if tensors:
                plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="scalars")
                metadata = summary_pb2.SummaryMetadata(plugin_data=plugin)
                held = {"tensor": make_tensor_proto(np.float32(value)), "metadata": metadata}
            summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, **held)])
            writer.add_event(event_pb2.Event(step=step, summary=summary, wall_time=0.0))
    writer.close()
    (path,) = folder.glob("events*")
    return path


@pytest.mark.parametrize("tensors", [False, True])
def test_cleanrl(tmp_path: Path, tensors: bool) -> None:
    pytest.importorskip("tensorboard")
    path = events(tmp_path, {"charts/episodic_return": [(5, 1.0), (9, 2.0)], "charts/SPS": [(1, 9.0)]}, tensors)
    points = read("cleanrl", path, Asked("training"))
    assert (points.at.tolist(), points.values.tolist(), points.single) == ([5, 9], [1.0, 2.0], True)


def test_sb3_and_the_tags_of_a_file(tmp_path: Path, outcome: Callable[..., str]) -> None:
    pytest.importorskip("tensorboard")
    path = events(tmp_path, {"rollout/ep_rew_mean": [(8, 1.5)], "eval/mean_reward": [(10, 7.0), (20, 8.0)]})
    assert read("sb3", path, Asked("training")).values.tolist() == [1.5]
    evaluated = read("sb3", path, Asked("evaluation"))
    assert (evaluated.at.tolist(), evaluated.single, evaluated.episodes.tolist()) == ([10, 20], False, [0, 0])
    assert "Did you mean 'eval/mean_reward'" in outcome(read, "sb3", path, Asked("training", "eval/mean", single=False))
    assert "Expected --points" in outcome(read, "sb3", path, Asked("training", "eval/mean_reward"))
    assert "no tag of its own for evaluation" in outcome(read, "cleanrl", path, Asked("evaluation"))


def test_monitor(tmp_path: Path, outcome: Callable[..., str]) -> None:
    path = tmp_path / "monitor.csv"
    path.write_text('#{"t_start": 1.0, "env_id": "CartPole-v1"}\nr,l,t\n9.0,9,0.1\n21.0,21,0.2\n')
    points = read("monitor", path, Asked("training"))
    assert (points.at.tolist(), points.values.tolist(), points.single) == ([9, 30], [9.0, 21.0], True)
    path.write_text("r,l,t\n9.0,9,0.1\n")
    assert "first line does not begin with #" in outcome(read, "monitor", path, Asked("training"))


def test_rl_zoo(tmp_path: Path, outcome: Callable[..., str]) -> None:
    path = tmp_path / "evaluations.npz"
    np.savez(path, timesteps=[100, 200], results=[[1.0, 3.0], [5.0, 6.0]], ep_lengths=[[1, 3], [5, 6]])
    points = read("rl-zoo", path, Asked("evaluation"))
    assert [part.tolist() for part in points[:3]] == [[100, 200], [2.0, 5.5], [2, 2]]
    assert "--measure evaluation" in outcome(read, "rl-zoo", path, Asked("training"))
    np.savez(path, timesteps=np.array([{}], object), results=[[1.0]])
    assert "Expected a log of rl-zoo" in outcome(read, "rl-zoo", path, Asked("evaluation"))  # a pickle inside
    path.write_bytes(b"PK\x03\x04 no zip")
    assert "Expected a log of rl-zoo" in outcome(read, "rl-zoo", path, Asked("evaluation"))


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, ("touch owned",)


def dopamine_log(protocol: int = 4) -> bytes:
    iterations = {
        f"iteration_{i}": {
            "train_episode_returns": [1.0, np.float64(2.0 + i)],
            "train_episode_lengths": [10, np.int64(20)],
            "eval_episode_returns": [4.0 * i],
            "train_average_steps_per_second": [np.float32(5)],
        }
        for i in range(11)
    }
    return pickle.dumps(iterations, protocol)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_dopamine(tmp_path: Path, protocol: int) -> None:
    """The newest of its logs; iterations in the order of their numbers; nothing is unpickled."""
    (tmp_path / "log_9").write_bytes(b"old")
    (tmp_path / "log_10.gz").write_bytes(gzip.compress(dopamine_log(protocol)))
    points = read("dopamine", tmp_path, Asked("training"))
    assert points.at.tolist() == list(range(30, 331, 30)) and points.episodes.tolist() == [2] * 11
    assert points.values.tolist() == [(3.0 + i) / 2 for i in range(11)]
    assert read("dopamine", tmp_path, Asked("evaluation")).values.tolist() == [4.0 * i for i in range(11)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps({"iteration_0": Hostile()}), "names posix.system"),
        (pickle.dumps({"iteration_0": np.ones(3)}), "_reconstruct"),
        (pickle.dumps({"iteration_0": print}), "names builtins.print"),
        (pickle.dumps({"iteration_0": np.dtype("f8")}), "Expected a log of dopamine"),
        (dopamine_log()[:-20], "Expected a log of dopamine"),
        (b"", "Expected a log of dopamine"),
        (b"hello", "Expected a log of dopamine"),
    ],
)
def test_a_pickle_of_more_than_plain_values_is_refused(
    tmp_path: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch, data: bytes, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log_0").write_bytes(data)
    assert words in outcome(read, "dopamine", tmp_path / "log_0", Asked("training"))
    assert [path.name for path in tmp_path.iterdir()] == ["log_0"]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_those_that_pickle_gives(protocol: int) -> None:
    value = {"a": [1, -(2**70), 1.5, True, None, "é"], "b": ({}, (), (1,), (1, 2), [[]] * 3), "c": np.float32(0.1)}
    assert plain_pickle.loads(pickle.dumps(value, protocol)) == pickle.loads(pickle.dumps(value, protocol))


def test_wandb(tmp_path: Path, outcome: Callable[..., str]) -> None:
    path = tmp_path / "export.csv"
    path.write_text('"Step","run - return","run - return__MIN"\n10,1.5,1\n20,,\n30,2.5,2\n')
    asked = Asked("training", "run - return", "Step", single=False)
    points = read("wandb", path, asked)
    assert (points.at.tolist(), points.values.tolist()) == ([10, 30], [1.5, 2.5])
    assert "one of its columns: Step, run - return." in outcome(read, "wandb", path, asked._replace(tag=""))
    assert "Did you mean 'run - return'" in outcome(read, "wandb", path, asked._replace(tag="run - retrun"))
    assert "Expected --points" in outcome(read, "wandb", path, asked._replace(single=None))
    path.write_text("Step,v\n10,1\n5,2\n")
    assert "more than one run" in outcome(read, "wandb", path, Asked("training", "v", "Step", single=False))
    path.write_text("Step,v\n10,inf\n")
    assert "finite returns" in outcome(read, "wandb", path, Asked("training", "v", "Step", single=False))
    path.write_text("Step,v\n10.5,1\n")
    assert "whole number" in outcome(read, "wandb", path, Asked("training", "v", "Step", single=False))
    path.write_text("Step,v\n")
    assert "found none" in outcome(read, "wandb", path, Asked("training", "v", "Step", single=False))


# -- into our tables ---------------------------------------------------------------------------------------------------
def monitor(path: Path, lengths: list[int]) -> Path:
    path.write_text("#{}\nr,l,t\n" + "".join(f"{n},{n},0\n" for n in lengths))
    return path


def test_the_command_adds_and_replaces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same run given again takes the place of the old one; every row says what was told of it."""
    out, first = tmp_path / "theirs.csv", monitor(tmp_path / "a.csv", [10, 10, 30])
    words = ["results", "import", "monitor", str(first), "--out", str(out), *SAID, "--bin-frames", "100"]
    assert cli.main(words) == 0
    once = out.read_bytes()
    assert cli.main(words) == 0 and out.read_bytes() == once
    assert capsys.readouterr().out.endswith("2 points of 1 runs added, 1 runs in all\n")
    table = imported_curves.read_curves(out)
    assert list(table.columns[: len(CURVE_COLUMNS)]) == list(CURVE_COLUMNS)
    assert table["frames"].tolist() == [100, 200] and table["train_return"].tolist() == [10.0, 30.0]
    assert table["train_episodes"].tolist() == [2, 1] and table["eval_return"].isna().all()
    said = table[["program", "rewards", "unit", "frames_per_step", "bin_frames", "source"]].drop_duplicates()
    assert said.to_numpy().tolist() == [["monitor", "raw", "steps", 4, 100, "a.csv"]]
    monitor(first, [10, 20, 50])
    other = words[:]
    other[other.index("1")] = "2"
    assert cli.main(words) == 0 and cli.main(other) == 0
    table = imported_curves.read_curves(out)
    assert table["seed"].tolist() == [1, 1, 1, 2, 2, 2]
    assert table[table["seed"] == 1]["frames"].tolist() == [100, 200, 400]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--frames-per-step": None}, "Expected --frames-per-step N with --unit steps"),
        ({"--unit": "frames"}, "Expected no --frames-per-step with --unit frames"),
        ({"--bin-frames": None}, "Expected --bin-frames N"),
        ({"--seeds": "1-2"}, "Expected a file for each of 2 seeds, got 1"),
        ({"--seeds": "x"}, "--seeds: expected seeds such as"),
        ({"--agent": " "}, "Expected a name for `--agent`"),
        ({"FILE": "none.csv"}, "there is nothing of this name"),
    ],
)
def test_what_is_refused_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str | None], words: str
) -> None:
    out = tmp_path / "new" / "theirs.csv"
    given: dict[str, str | None] = {"FILE": str(monitor(tmp_path / "a.csv", [10])), "--out": str(out)}
    given |= dict(zip(SAID[::2], SAID[1::2], strict=True)) | {"--bin-frames": "100"} | change
    file = str(given.pop("FILE"))
    options = [word for name, value in given.items() if value is not None for word in (name, value)]
    assert cli.main(["results", "import", "monitor", file, *options]) == 2
    assert words in capsys.readouterr().err and not out.parent.exists()


def test_what_must_be_said_has_no_default(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("--measure", "--rewards", "--unit", "--seeds", "--agent", "--environment"):
        place = SAID.index(name)
        words = ["results", "import", "monitor", "a.csv", "--out", "b.csv", *SAID[:place], *SAID[place + 2 :]]
        with pytest.raises(SystemExit):
            cli.main(words)
        assert name in capsys.readouterr().err


def test_beside_ours_the_names_say_whose_they_are(tmp_path: Path, outcome: Callable[..., str]) -> None:
    for number, rewards in enumerate(("raw", "clipped")):
        meaning = Meaning(
            program="monitor",
            agent=f"dqn {number}",
            environment="pong",
            measure="evaluation",
            rewards=rewards,  # type: ignore[arg-type]
            unit="frames",
            bin_frames=10,
        )
        table = imported_curves.rows(meaning, [monitor(tmp_path / "m.csv", [5])], [3], Asked("evaluation"))
        imported_curves.add(table, tmp_path / "theirs.csv")
    ours = table.iloc[:0].reindex(columns=list(CURVE_COLUMNS))
    both = imported_curves.beside(ours, [tmp_path / "theirs.csv"])
    assert both["agent"].tolist() == ["dqn 0 (monitor)", "dqn 1 (monitor, clipped rewards)"]
    assert both["eval_return"].tolist() == [5.0, 5.0] and list(both.columns) == list(CURVE_COLUMNS)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "it has other columns" in outcome(imported_curves.beside, ours, [tmp_path / "other.csv"])
