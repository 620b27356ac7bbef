"""A profile of a run: which calls it has, how they nest, what is kept of them, and that the run does not see it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import cli_options
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.replay.storage import Storage
from dqn_tf.training import profile, timing
from dqn_tf.training.loop import make_loop
from dqn_tf.training.options import Options
from dqn_tf.training.profile import POINTS, Profile
from dqn_tf.training.run import train
from dqn_tf.training.verify import differences

pytestmark = pytest.mark.usefixtures("threads_left_alone")

ROOT = Path(__file__).parents[2]
MODES: dict[str, dict[str, Any]] = {
    "one thread": {"execution": Interleaved(xla="none", threads=1)},
    "two threads": {"execution": Interleaved(xla="none", threads=2)},
    "fused": {"execution": Fused(xla="none")},
    "concurrent": {"execution": Concurrent(xla="none", threads=1, environments=2, workers=0)},
    "blocks": {
        "execution": Concurrent(xla="none", threads=1, environments=1, workers=0, updates_per_call=2),
        "storage": Storage(capacity=64, placement="device"),
    },
}


def trace_of(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def calls(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def parents(events: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """(name, name of the call around it or "") of each event; fails where two overlap and neither contains the other.

    Times are rounded to nanoseconds each, hence 2e-3 microseconds.
    """
    for track in {event["tid"] for event in events}:
        around: list[tuple[str, float]] = []
        for event in (e for e in events if e["tid"] == track):
            end = event["ts"] + event["dur"]
            while around and around[-1][1] <= event["ts"] + 2e-3:
                around.pop()
            assert not around or end <= around[-1][1] + 2e-3, (event, around)
            yield event["name"], around[-1][0] if around else ""
            around.append((event["name"], end))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run with and without a profile; profile.json lies in the folder of the first."""
    from tests.conftest import CARTPOLE, TINY_AGENT

    home = tmp_path_factory.mktemp("profile")
    greedy = EpsilonGreedy(initial_epsilon=0.5, final_epsilon=0.5)
    agent = dataclasses.replace(TINY_AGENT, execution=Fused(xla="none"), exploration=greedy)
    config = dataclasses.replace(CARTPOLE, agent=agent)
    for name in ("with", "without"):
        path = home / "profile.json" if name == "with" else None
        train(config, home / name, Options(progress=False, profile=path, checkpoint_frames=30))
    return home / "with", home / "without"


def test_no_byte_of_the_run_depends_on_it(runs: tuple[Path, Path]) -> None:
    assert differences(*runs) == []
    summaries = [json.loads((run / "summary.json").read_text()) for run in runs]
    assert summaries[0] == summaries[1]


def test_the_file_is_a_trace(runs: tuple[Path, Path]) -> None:
    """The fields that the format asks for; the track and the process have names."""
    trace = trace_of(runs[0].parent / "profile.json")
    assert trace["otherData"]["events_not_kept"] == 0 and trace["otherData"]["preset"] == "dqn_classic"
    named = {event["name"]: event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"}
    assert named == {"process_name": "dqn-tf", "thread_name": "MainThread"}
    known = {point.name: point.phase for point in POINTS}
    for event in calls(trace):
        assert event["dur"] >= 0 and event["cat"] == known[event["name"]] and {"ts", "pid", "tid"} <= event.keys()


def test_calls_stand_inside_those_that_make_them(runs: tuple[Path, Path]) -> None:
    """100 steps, learning from the 8th on, an update each 4: 24 updates; iterations end at 40, 80 and 100.  One
    evaluation and one digest come after training."""
    found = list(parents(calls(trace_of(runs[0].parent / "profile.json"))))
    found = [pair for pair in found if profile.COLLECTION not in pair]
    number = {name: sum(one == name for one, _ in found) for name, _ in found}
    assert number["step"] == number["environment step"] == number["insert"] == number["choose action"] == 100
    assert number["update"] == number["compiled call"] == number["statistics"] == 24
    assert number["evaluation"] == 3 + 1 and number["digest"] == 3 + 1 and number["monitors"] == 3
    around = {name: {outer for one, outer in found if one == name} for name in number}
    assert around["step"] == around["update"] == {""} and around["update call"] == {"update"}
    assert around["compiled call"] == {"update call"} and around["Q-values"] == {"choose action"}
    assert around["state"] == {"", "digest"} and around["write checkpoint"] == {""}


@pytest.mark.parametrize("mode", MODES)
def test_of_every_mode(mode: str, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any]) -> None:
    """Updates are recorded in the thread that makes them, and afterwards nothing is wrapped any more."""
    loop = make_loop(cartpole(agent=tiny_agent(**MODES[mode]), frames=80))
    try:
        owners = [loop, loop.run, loop.run.learner, loop.run.replay]
        before = [dict(vars(owner)) for owner in owners]
        recorded = Profile()
        with recorded.watch(loop):
            for _ in loop.records(lambda: None):
                pass
        for owner, attributes in zip(owners, before, strict=True):
            assert {name for name, value in vars(owner).items() if callable(value)} == {
                name for name, value in attributes.items() if callable(value)
            }
    finally:
        loop.close()
    events = [event for event in recorded.events() if event["ph"] == "X"]
    around = list(parents([event for event in events if event["name"] != profile.COLLECTION]))
    alone = mode == "two threads"  # on its thread the compiled call is all there is
    assert ("compiled call", "" if alone else "update call") in around
    tracks = {name: {e["tid"] for e in events if e["name"] == name} for name in ("compiled call", "choose action")}
    other = mode in ("two threads", "concurrent", "blocks")
    assert len(tracks["choose action"]) == 1 and (tracks["compiled call"] != tracks["choose action"]) == other
    FOUND.update(event["name"] for event in events)


def test_of_rollouts(cartpole: Callable[..., RunConfig]) -> None:
    """PQN: 48 steps in rounds of 3 environments are two rollouts of 24, with 6 updates on each."""
    from tests.training.test_rollout_loop import pqn

    loop, recorded = make_loop(pqn(cartpole(), steps=48)), Profile()
    try:
        with recorded.watch(loop):
            for _ in loop.records(lambda: None):
                pass
    finally:
        loop.close()
    events = [e for e in recorded.events() if e["ph"] == "X" and e["name"] != profile.COLLECTION]
    around = list(parents(events))
    assert sum(pair == ("environment step", "round") for pair in around) == 16
    assert sum(pair == ("insert", "round") for pair in around) == 16
    assert sum(pair == ("Q-values", "round") for pair in around) == 16  # those for the targets are inside "insert"
    assert {pair for pair in around if pair[0] == "compiled call"} == {("compiled call", "update")}
    assert sum(name == "statistics" for name, _ in around) == 12


FOUND: set[str] = set()


def test_every_place_exists_in_some_mode() -> None:
    """A function that gets another name must get it in POINTS too.  (It looks at what the test before has recorded.)"""
    if FOUND:
        assert {point.name for point in POINTS} - FOUND <= {"write checkpoint", "set priorities", profile.COLLECTION}


def test_phases_are_those_of_timing_csv_and_names_are_documented() -> None:
    page = (ROOT / "docs" / "speed.md").read_text()
    for point in POINTS:
        assert point.phase in timing.PHASES and f"| `{point.name}` | {point.phase} | {point.doc} |" in page


def test_a_window_by_hand() -> None:
    """Of frames 0 to 9, one event each: [3, 6) holds 3, 4, 5."""
    recorded = Profile((3, 6))
    for frame in range(10):
        recorded._frames = lambda frame=frame: frame
        recorded.note("step", 1.0, 2.0)
    assert [event["args"]["frames"] for event in recorded.events() if event["ph"] == "X"] == [3, 4, 5]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    recorded = Profile(limit=4)
    for number in range(7):
        recorded.note("step", float(number), number + 0.5)
    said = recorded.write(tmp_path / "p.json", {})
    trace = trace_of(tmp_path / "p.json")
    assert [event["dur"] for event in calls(trace)] == [500_000.0] * 4 and trace["otherData"]["events_not_kept"] == 3
    assert "4 events, the newest of 7" in said


def test_threads_are_tracks() -> None:
    recorded, clock = Profile(), time.perf_counter()
    recorded.note("step", clock, clock)
    other = threading.Thread(target=recorded.note, args=("update", clock, clock), name="updates")
    other.start(), other.join()
    tracks = {e["args"]["name"]: e["tid"] for e in recorded.events() if e["name"] == "thread_name"}
    assert {e["name"]: e["tid"] for e in recorded.events() if e["ph"] == "X"} == {
        "step": tracks["MainThread"],
        "update": tracks["updates"],
    }


def test_it_is_written_however_the_run_ends(
    tmp_path: Path, cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that a callback stops leaves its profile; one whose profile cannot be written is complete all the same."""

    def stop(record: object) -> None:
        raise ValueError("enough")

    options = Options(progress=False, profile=tmp_path / "p.json")
    with pytest.raises(RunError, match="enough"):
        train(cartpole(), tmp_path / "run", options, on_iteration=stop)
    assert len(calls(trace_of(tmp_path / "p.json"))) > 100

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(profile, "write_bytes", full)
    assert train(cartpole(), tmp_path / "run", options)["status"] == "complete"
    assert "profile could not be written: [Errno 28]" in (tmp_path / "run" / "log.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"profile_frames": (0, 5)}, "Add --profile FILE"),
        ({"profile": "gone/p.json"}, "Make the folder first"),
        ({"profile": "."}, "Expected a file in a folder that exists"),
        ({"profile": "p.json", "profile_frames": (5, 5)}, "got 5:5"),
        ({"profile": "p.json", "profile_frames": (100, 200)}, "A below the budget of 100 frames"),
    ],
)
def test_wrong_requests_touch_nothing(
    options: dict[str, Any], said: str, tmp_path: Path, cartpole: Callable[..., RunConfig]
) -> None:
    given = {**options, **({"profile": tmp_path / options["profile"]} if "profile" in options else {})}
    with pytest.raises(ConfigError, match=said):
        train(cartpole(), tmp_path / "run", Options(progress=False, **given))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("words", ["5", "7:3", "a:b", "3:3", "-1:4"])
def test_frames_of_the_command_line(words: str) -> None:
    assert cli_options._window("0:2e4") == (0, 20_000)
    with pytest.raises(argparse.ArgumentTypeError, match=f"expected frames A:B with A < B, as 0:20000, got '{words}'"):
        cli_options._window(words)
