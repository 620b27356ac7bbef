"""Seeds together beside the same seeds alone: every file, byte by byte."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import cli, determinism
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.checks import Diverged, EnvironmentFault, RunError
from dqn_tf.config import RunConfig
from dqn_tf.modes import Fused, Interleaved
from dqn_tf.training import in_step, together
from dqn_tf.training.options import Options
from dqn_tf.training.run import train
from dqn_tf.training.run_dir import read_manifest
from dqn_tf.training.run_state import RunState
from dqn_tf.training.stop import Interrupted
from dqn_tf.training.together import train_together

QUIET = Options(progress=False, try_environment=False)
SAME = ("config.json", "episodes.csv", "iterations.csv", "summary.json")
FRAMES = 150


@pytest.fixture(autouse=True)
def left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switches of ``determinism.enable`` must come before any other TensorFlow code, as in test_run.py."""
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


@pytest.fixture
def configs(cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any]) -> Callable[..., list[RunConfig]]:
    """A function (seeds, field=value of the agent, ...) -> runs of a tiny fused agent on CartPole."""

    def make(seeds: Sequence[int], environment: str = "gym:CartPole-v1", **changes: Any) -> list[RunConfig]:
        execution = changes.pop("execution", Fused(xla="none"))
        agent = tiny_agent(execution=execution, network=MLP(hidden=(8, 8)), **changes)
        config = cartpole(agent=agent, environment=environment, frames=FRAMES, iteration_frames=60)
        return [dataclasses.replace(config, seed=seed) for seed in seeds]

    return make


def files(folder: Path) -> dict[str, bytes]:
    """What a run leaves that must be the same."""
    return {name: (folder / name).read_bytes() for name in SAME}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Sequence[RunConfig]], dict[int, dict[str, bytes]]]:
    """A function (configs) -> what each of them leaves when it is trained alone; made once for each configuration."""
    known: dict[str, dict[str, bytes]] = {}

    def of(configs: Sequence[RunConfig]) -> dict[int, dict[str, bytes]]:
        for config in configs:
            if config.hash not in known:
                folder = tmp_path_factory.mktemp("alone") / "run"
                train(config, folder, QUIET)
                known[config.hash] = files(folder)
        return {config.seed: known[config.hash] for config in configs}

    return of


def places(folder: Path, configs: Sequence[RunConfig]) -> list[Path]:
    return [folder / f"seed_{config.seed}" for config in configs]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_seed_leaves_the_bytes_that_it_leaves_alone(
    number: int, configs: Callable[..., list[RunConfig]], alone: Callable[..., Any], tmp_path: Path
) -> None:
    runs = configs(range(number))
    found = train_together(runs, places(tmp_path, runs), QUIET)
    assert [result["status"] for result in found] == ["complete"] * number
    for config, place in zip(runs, places(tmp_path, runs), strict=True):
        assert files(place) == alone(runs)[config.seed]


def test_agents_that_are_not_for_arrays_make_their_steps_in_turn(
    configs: Callable[..., list[RunConfig]], alone: Callable[..., Any], tmp_path: Path
) -> None:
    runs = configs((0, 1), n_step=3)
    train_together(runs, places(tmp_path, runs), QUIET)
    for config, place in zip(runs, places(tmp_path, runs), strict=True):
        assert files(place) == alone(runs)[config.seed]


def stop_after(steps: int, how: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something happen once, when so many steps have been made together."""
    advance, done = in_step.InStep.advance, []

    def watched(self: in_step.InStep, most: int) -> in_step.Happened:
        if self.steps >= steps and not done:
            done.append(self.steps)
            how()
        return advance(self, most)

    monkeypatch.setattr(in_step.InStep, "advance", watched)


def test_a_stopped_sweep_continues_exactly_and_what_is_finished_is_left_alone(
    configs: Callable[..., list[RunConfig]],
    alone: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM, then a crash without a word, then to the end beside a seed that is further and one that is finished."""
    runs, folders = configs((0, 1)), places(tmp_path, configs((0, 1)))
    with monkeypatch.context() as patched:
        stop_after(70, lambda: os.kill(os.getpid(), signal.SIGTERM), patched)
        with pytest.raises(Interrupted):
            train_together(runs, folders, QUIET)
    assert [read_manifest(folder / "manifest.json")["status"] for folder in folders] == ["interrupted"] * 2

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    with monkeypatch.context() as patched:
        stop_after(120, kill, patched)
        with pytest.raises(Killed):
            train_together(runs, folders, dataclasses.replace(QUIET, checkpoint_frames=20))
    train(runs[1], folders[1], QUIET)
    finished = (folders[1] / "log.txt").read_bytes()
    runs, folders = configs((0, 1, 2)), places(tmp_path, configs((0, 1, 2)))  # 2 is new: it catches up
    found = train_together(runs, folders, QUIET)
    assert [result["status"] for result in found if isinstance(result, dict)] == ["complete"] * 3
    assert (folders[1] / "log.txt").read_bytes() == finished
    for config, folder in zip(runs, folders, strict=True):
        assert files(folder) == alone(runs)[config.seed]


def test_a_seed_whose_network_diverges_stops_alone(
    configs: Callable[..., list[RunConfig]],
    alone: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = configs(range(3))
    note = RunState.note_update

    def diverging(self: RunState, outputs: Any, number: int, step: int) -> None:
        broken = self.config.seed == 1 and number == 9
        note(self, outputs._replace(loss=float("nan")) if broken else outputs, number, step)

    monkeypatch.setattr(RunState, "note_update", diverging)
    found = train_together(runs, places(tmp_path, runs), QUIET)
    assert isinstance(found[1], Diverged) and "at update 9" in str(found[1])
    for k in (0, 2):
        assert files(places(tmp_path, runs)[k]) == alone(runs)[k]


def test_a_seed_whose_environment_raises_stops_alone_and_continues_exactly(
    configs: Callable[..., list[RunConfig]],
    alone: Callable[..., Any],
    tmp_path: Path,
    simulators: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = configs(range(3), environment="gym:simulators:Line-v0")
    expected = alone(runs)

    def trouble(kind: str, number: int) -> None:
        if (kind, number) == ("step", first + 3 * 50 + 2):  # of seed 1, while steps are made together
            raise RuntimeError("the solver did not converge")

    first = simulators.CALLS["step"]
    monkeypatch.setattr(simulators, "TROUBLE", trouble)
    found = train_together(runs, places(tmp_path, runs), QUIET)
    assert isinstance(found[1], EnvironmentFault) and "episode 2, step 11" in str(found[1])
    assert [name.name for name in (places(tmp_path, runs)[1] / "checkpoints").iterdir() if name.name.isdigit()]
    train_together(runs, places(tmp_path, runs), QUIET)
    for k in range(3):
        assert files(places(tmp_path, runs)[k]) == expected[k]


def test_wrong_requests_are_refused_before_anything_is_touched(
    configs: Callable[..., list[RunConfig]], tmp_path: Path, outcome: Callable[..., str]
) -> None:
    runs = configs((0, 1))
    other = dataclasses.replace(runs[1], agent=dataclasses.replace(runs[1].agent, batch_size=8))
    two = places(tmp_path, runs)

    def refused(*arguments: Any) -> str:
        text = outcome(train_together, *arguments)
        assert not list(tmp_path.iterdir())
        return text

    assert "runs that differ in their seeds only, 4 for `batch_size`, got 8" in refused([runs[0], other], two)
    assert "another one for each run for `seed`, got '0'" in refused([runs[0], runs[0]], two)
    assert "another one for each run for `run_dir`" in refused(runs, [two[0], two[0]])
    assert "at least one run" in refused([], [])
    assert "2 directories" in refused(runs, two[:1])
    plain = configs((0, 1), execution=Interleaved(threads=1))
    assert "Expected fused for `execution`, got 'interleaved'" in refused(plain, two)
    assert "a single run for `extend`" in refused(runs, two, dataclasses.replace(QUIET, extend=tmp_path / "old"))


def test_a_directory_of_another_run_refuses_all(
    configs: Callable[..., list[RunConfig]], tmp_path: Path, outcome: Callable[..., str]
) -> None:
    runs = configs((0, 1))
    folders = places(tmp_path, runs)
    folders[1].mkdir()
    (folders[1] / "thesis.txt").write_text("mine")
    outcome(train_together, runs, folders, QUIET)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["seed_1", "thesis.txt"]


def test_the_command_takes_some_seeds_at_a_time_and_says_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[list[int], list[str]]] = []
    score = {"return_mean": 9.5, "episodes": 2}
    summary = {"frames": 50, "updates": 9, "episodes": 2, "final_evaluation": score, "state_digest": "d" * 64}

    def trained(runs: Sequence[RunConfig], folders: Sequence[Path], options: Options) -> list[Any]:
        asked.append(([config.seed for config in runs], [folder.name for folder in folders]))
        return [RunError("It broke") if config.seed == 3 else summary for config in runs]

    monkeypatch.setattr(together, "train_together", trained)
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "50", "--quiet", "--seeds", "1-2,3"]
    code = cli.main([*words, "--run-dir", str(tmp_path / "seed_{seed}"), "--seeds-together", "2"])
    said = capsys.readouterr()
    assert code == 1 and asked == [([1, 2], ["seed_1", "seed_2"]), ([3], ["seed_3"])]
    assert [line.split(": ")[0] for line in said.out.splitlines()] == [str(tmp_path / f"seed_{s}") for s in (1, 2)]
    assert "Seed 3 failed" in said.err and "It broke" in said.err
