"""Concurrent execution: the bytes of a naive twin with one thread, whatever the timing, the workers and the stops."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import determinism, make_config
from dqn_tf.agent.exploration import EpsilonGreedy, choose
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.envs.vector import Plan
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.update_scan import UpdateScan
from dqn_tf.modes import Concurrent
from dqn_tf.replay.feed import Feed
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.rng import Stream
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.concurrent_loop import ConcurrentLoop
from dqn_tf.training.loop import make_loop
from dqn_tf.training.records import EpisodeRecord, IterationRecord
from dqn_tf.training.run import Options, train
from dqn_tf.training.stop import Interrupted
from dqn_tf.types import StepType

STEPS = 240
CASES: dict[str, dict[str, Any]] = {
    "uniform": {},
    "prioritized, n-step, small ring": {"replay": Prioritized(), "storage": Storage(capacity=90), "n_step": 3},
    "several updates at once": {"steps_per_update": 6, "updates_at_once": 2},
    "on the device": {"replay": Uniform(), "storage": Storage(capacity=150, placement="device"), "n_step": 3},
    "several updates per call": {
        "replay": Uniform(),
        "storage": Storage(capacity=150, placement="device"),
        "execution": Concurrent(xla="optimizer", threads=2, environments=3, workers=0, updates_per_call=4),
        "steps_per_update": 2,
    },
}


def concurrent(config: RunConfig, workers: int = 0, frames: int = STEPS, **agent: Any) -> RunConfig:
    """Periods of 30 steps, learning from step 60 on, iterations of 72 that end inside periods."""
    execution = Concurrent(xla="none", threads=2, environments=3, workers=workers)
    fields = {
        "replay": Uniform(),
        "storage": Storage(capacity=150),
        "target_update_steps": 30,
        "min_replay_steps": 40,
        "exploration": EpsilonGreedy(decay_steps=60),
        "execution": execution,
    }
    changed = dataclasses.replace(config.agent, **{**fields, **agent})
    return dataclasses.replace(config, agent=changed, frames=frames, iteration_frames=72)


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in test_run.py: they must come before any other TensorFlow code."""
    monkeypatch.setattr(determinism, "enable", lambda threads: None)


@pytest.fixture
def trainer(cartpole: Callable[..., RunConfig]) -> Iterator[Callable[..., ConcurrentLoop]]:
    """A function (as ``concurrent``) -> a trainer on CartPole, closed after the test."""
    made: list[Any] = []

    def build(**more: Any) -> ConcurrentLoop:
        made.append(make_loop(concurrent(cartpole(), **more)))
        return made[-1]

    yield build
    for one in made:
        one.close()


class NaiveTwin:
    """One thread, no cleverness: the steps of a period, then its updates, then the replay, then the copy."""

    def __init__(self, config: RunConfig) -> None:
        agent, number = config.agent, config.agent.execution.environments
        plan = Plan(config.environment, config.protocol, config.seed, tuple(f"train/{i}" for i in range(number)))
        self.config, self.games = config, [plan.make(i) for i in range(number)]
        spec = self.games[0].spec
        self.learner = Learner(agent, spec, config.seed)
        storage = dataclasses.replace(agent.storage, placement="host")
        self.replay = Replay(agent.replay, storage, spec.observation, agent.n_step, agent.discount, config.seed)
        self.feeds = [Feed(spec.observation) for _ in self.games]
        self.exploration = Stream(config.seed, "exploration")
        self.steps = self.updates = 0
        self.episodes: list[tuple[int, int, float]] = []
        self.returns = [0.0] * number

    def run(self) -> None:
        agent = self.config.agent
        while self.steps < self.config.steps:
            learns = self.steps >= agent.min_replay_steps
            begun = self.steps
            end = min(begun + agent.target_update_steps, self.config.steps)
            while self.steps < end:
                self.round()
            if learns:
                due = end // agent.steps_per_update - begun // agent.steps_per_update
                for _ in range(due * agent.updates_at_once):
                    sample = self.replay.sample(agent.batch_size, self.updates)
                    out = self.learner.update(sample, self.updates)
                    self.replay.update_priorities(sample.indices, out.priority)
                    self.updates += 1
            if end % agent.target_update_steps == 0:
                for feed in self.feeds:
                    feed.flush(self.replay)
                self.learner.parameters.sync_target()

    def round(self) -> None:
        lasts = []
        for game, feed in zip(self.games, self.feeds, strict=True):
            if not hasattr(game, "begun") or game.last.step_type == StepType.LAST:
                game.begun = True
                feed.add_first(game.reset())
            lasts.append(game.last.observation)
        q = self.learner.act_target(np.stack(lasts), self.steps)
        rule = self.config.agent.exploration
        for i, (game, feed) in enumerate(zip(self.games, self.feeds, strict=True)):
            step = self.steps + i
            epsilon = rule.epsilon(step, self.config.agent.min_replay_steps)
            action = choose(lambda i=i: q[i], q.shape[1], epsilon, self.exploration.at(step), rule.random_ties)
            answer = game.step(action)
            feed.add(action, answer.reward, answer)
            self.returns[i] += answer.reward
            if answer.episode_over:
                self.episodes.append((step + 1, i, self.returns[i]))
                self.returns[i] = 0.0
        self.steps += len(self.games)


def untimed(record: Any) -> Any:
    """A record without its seconds."""
    return record.row if isinstance(record, IterationRecord) else record


def same_learner(one: Learner, other: Learner) -> bool:
    a, b = one.parameters.state(), other.parameters.state()
    return list(a) == list(b) and all(a[k].tobytes() == b[k].tobytes() for k in a)


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_of_a_naive_twin(trainer: Callable[..., Any], case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While now the actors and now the learner is delayed: it makes no difference which is faster."""
    one = trainer(**CASES[case])
    twin = NaiveTwin(one.run.config)
    twin.run()
    random, update = np.random.default_rng(0), one.run.learner.update

    def slow(*arguments: Any) -> Any:
        time.sleep(0.004 * (random.random() < 0.3))
        return update(*arguments)

    monkeypatch.setattr(one.run.learner, "update", slow)
    records = []
    for number, record in enumerate(one.records(lambda: None)):
        records.append(record)
        time.sleep(0.05 * (number % 20 == 0))
    assert same_learner(one.run.learner, twin.learner)
    assert (
        one.run.replay.ring.segments() == twin.replay.ring.segments()
        and one.run.replay.ring.head == twin.replay.ring.head
    )
    assert one.run.counters[1:3] == (STEPS, twin.updates) and twin.updates >= 40
    episodes = [(r.steps, r.env_index, r.return_raw) for r in records if isinstance(r, EpisodeRecord)]
    assert episodes == twin.episodes and {e[1] for e in episodes} == {0, 1, 2}
    rows = [r.row for r in records if isinstance(r, IterationRecord)]
    assert [r["steps"] for r in rows] == [72, 144, 216, 240]
    every, at_once = one.run.config.agent.steps_per_update, one.run.config.agent.updates_at_once
    assert [r["updates"] for r in rows] == [(r["steps"] // every - 60 // every) * at_once for r in rows]


def test_several_updates_per_call_are_bounded_and_traced_once(
    trainer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls of one size, single updates for the rest: a state is asked for while they run, and then the learner rests
    after its call."""
    one = trainer(**CASES["several updates per call"])
    scan, calls = one.updater._scan, []
    run = scan.run

    def slow(sampled: Any, first: int) -> Any:
        calls.append((first, len(sampled.indices)))
        time.sleep(0.02)
        return run(sampled, first)

    monkeypatch.setattr(scan, "run", slow)
    for _ in one.records(lambda: None):
        before = len(calls)
        one.state()
        assert len(calls) <= before + 1
    assert {size for _, size in calls} == {4} and 4 * len(calls) < one.run.counters.updates == 90
    learner = one.run.learner
    compiled = (learner._gradients_of, learner._gradients_of_batch, learner._apply)
    traces = [learner.traces, *(f.traces for f in compiled), scan._compiled.experimental_get_tracing_count()]
    assert traces == [1] * 5


def test_saved_between_calls_and_continued(trainer: Callable[..., Any], tmp_path: Path) -> None:
    """Where the blocks of updates begin differs from the run never stopped; the bytes do not."""
    whole, one, other = (trainer(**CASES["several updates per call"]) for _ in range(3))
    list(whole.records(lambda: None))
    records = one.records(lambda: None)
    for _ in range(44):
        next(records)
    store = Store(tmp_path / "checkpoints", "identity")
    store.save(44, {"run": one.state()}, one.run.pieces())
    loaded = store.load(pytest.fail)
    assert loaded is not None
    other.restore(loaded[1]["run"], loaded[2])
    list(other.records(lambda: None))
    assert other.digest() == whole.digest() and other.run.counters == whole.run.counters


def test_an_update_that_diverges_in_mid_call_is_named(trainer: Callable[..., Any], monkeypatch) -> None:
    one = trainer(**CASES["several updates per call"])
    scan = one.updater._scan
    run = scan.run

    def bad(sampled: Any, first: int) -> Any:
        reported = run(sampled, first)
        return [
            out._replace(grad_norm=np.float32(np.inf)) if update == 7 else out
            for update, out in enumerate(reported, first)
        ]

    monkeypatch.setattr(scan, "run", bad)
    with pytest.raises(RunError, match=r"the gradient norm inf at update 7 .*diverged"):
        list(one.records(lambda: None))


def test_stopped_anywhere_and_continued_with_other_workers(trainer: Callable[..., Any], tmp_path: Path) -> None:
    """Saved while the learner is on its way, in mid-period, after some of a round's records, and where nothing is due.

    The run never stopped has its environments in its own process, the continued one in two others."""
    whole = trainer(n_step=3)
    expected = [untimed(r) for r in whole.records(lambda: None) if r is not None]
    for number, stop in enumerate((2, 31, 57, 80)):
        one, other = trainer(n_step=3), trainer(n_step=3, workers=2 * (number % 2))
        got, records = [], one.records(lambda: None)
        for _ in range(stop):
            got.append(next(records))
        store = Store(tmp_path / str(stop), "identity")
        store.save(stop, {"run": one.state()}, one.run.pieces())
        digest = one.digest()
        loaded = Store(tmp_path / str(stop), "identity").load(pytest.fail)
        assert loaded is not None
        other.restore(loaded[1]["run"], loaded[2])
        assert other.digest() == digest
        got += list(other.records(lambda: None))
        got = [untimed(r) for r in got if r is not None]
        assert other.digest() == whole.digest() and other.run.counters == whole.run.counters
        assert repr(got) == repr(expected)


class Stop(Exception):
    """The run is asked to stop."""


@pytest.mark.parametrize("step", [90, 144], ids=["end of a period", "end of an iteration inside one"])
def test_stopped_while_acting_waits_for_learning(
    trainer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Saved where all steps of a period are made and not all of its updates; what happens at its end is still to do."""
    whole = trainer(n_step=3)
    expected = [untimed(r) for r in whole.records(lambda: None) if r is not None]
    one, other = trainer(n_step=3), trainer(n_step=3, workers=2)
    update = one.run.learner.update
    monkeypatch.setattr(one.run.learner, "update", lambda *a: (time.sleep(0.1), update(*a))[1])
    monkeypatch.setattr("dqn_tf.training.concurrent_loop.LOOK_SECONDS", 0.01)
    seen: list[int] = []

    def each_step() -> None:
        seen.append(one.run.counters.steps)
        if seen[-2:] == [step, step] and one.run.counters.iterations == (step - 1) // 72:  # again: no step was made
            raise Stop

    got: list[Any] = []
    with pytest.raises(Stop):
        got.extend(one.records(each_step))
    store = Store(tmp_path, "identity")
    store.save(1, {"run": one.state()}, one.run.pieces())
    assert one.run.counters.steps == step
    assert one.run.counters.updates < (step // 4 - 60 // 4)
    loaded = store.load(pytest.fail)
    assert loaded is not None
    other.restore(loaded[1]["run"], loaded[2])
    assert other.digest() == one.digest()
    got += list(other.records(lambda: None))
    assert repr([untimed(r) for r in got if r is not None]) == repr(expected)
    assert other.digest() == whole.digest() and other.run.counters == whole.run.counters


def test_a_signal_is_obeyed_while_acting_waits_for_learning(tmp_path: Path) -> None:
    """A real run whose second period has minutes of updates left when all of its steps are made."""
    settings = {
        "execution": "concurrent",
        "execution.environments": "4",
        "execution.workers": "2",
        "execution.xla": "none",
        "min_replay_steps": "200",
        "target_update_steps": "1000",
        "updates_at_once": "1000",
    }
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "4000", "--checkpoint-frames", "100000", "--quiet"]
    words += ["--run-dir", str(tmp_path / "run"), *(f"--set={name}={value}" for name, value in settings.items())]
    process = subprocess.Popen([sys.executable, "-m", "dqn_tf", *words], stderr=subprocess.PIPE, text=True)
    table = tmp_path / "run" / "episodes.csv"
    try:
        quiet, seen = time.monotonic(), b""
        while time.monotonic() - quiet < 2.0 or steps_in(seen) < 1_500:
            assert process.poll() is None and time.monotonic() - quiet < 120
            now = table.read_bytes() if table.exists() else b""
            if now != seen:
                quiet, seen = time.monotonic(), now
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        _, said = process.communicate(timeout=90)
        taken = time.monotonic() - asked
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, taken < 30) == (143, True), said
    assert "A checkpoint was written" in said
    assert [path.name for path in Store(tmp_path / "run" / "checkpoints", "").found()] == ["000000002000"]


def test_a_block_of_updates_may_take_longer_than_a_hung_call(
    cartpole: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to stop in the middle of one: the run waits for its end and saves."""
    config, ended, blocks = concurrent(cartpole(), **CASES["several updates per call"]), [], []
    monkeypatch.setattr("dqn_tf.training.stop.GRACE_SECONDS", 1.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    run = UpdateScan.run

    def slow(self: UpdateScan, indices: Any, first: int) -> Any:
        blocks.append(first)
        if len(blocks) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(2.5 if len(blocks) in (2, 3) else 0.0)
        return run(self, indices, first)

    monkeypatch.setattr(UpdateScan, "run", slow)
    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", Options(progress=False))
    assert len(blocks) == 3 and not ended
    assert len(Store(tmp_path / "run" / "checkpoints", config.hash).found()) == 1


def test_ctrl_c_while_workers_start(tmp_path: Path) -> None:
    """It reaches all processes of the terminal, the workers before they know what to do with it."""
    settings = ["execution=concurrent", "execution.environments=4", "execution.workers=2", "execution.xla=none"]
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "20000", "--quiet", "--run-dir", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "dqn_tf", *words, *(f"--set={s}" for s in settings)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        limit = time.monotonic() + 120
        while not any(b"dqn_tf.envs.worker" in command_of(pid) for pid in children.read_text().split()):
            assert process.poll() is None and time.monotonic() < limit
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == 130, said
    assert said == "dqn-tf: Stopped by SIGINT. A checkpoint was written; the same command continues.\n"


def command_of(pid: str) -> bytes:
    """A process's words; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def steps_in(episodes: bytes) -> int:
    """Agent steps up to the last whole row of an episodes.csv."""
    rows = episodes.split(b"\n")[1:-1]
    return int(rows[-1].split(b",")[1]) if rows else 0


def test_saving_changes_nothing(trainer: Callable[..., Any]) -> None:
    """A checkpoint after every record: the learner rests and goes on."""
    whole, saved = trainer(), trainer()
    list(whole.records(lambda: None))
    for _ in saved.records(lambda: None):
        saved.state()
    assert saved.digest() == whole.digest()


def test_a_whole_run(cartpole: Callable[..., RunConfig], tmp_path: Path) -> None:
    """Through ``train``: tables, manifest, summary; another way to execute is another identity."""
    config = concurrent(cartpole(), workers=1)
    summary = train(config, tmp_path / "run", Options(checkpoint_frames=50, progress=False))
    assert (summary["steps"], summary["updates"]) == (STEPS, 45)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert len(manifest["deviations"]) == 1 and "arXiv 2111.01264" in manifest["deviations"][0]
    assert config.hash != cartpole().hash
    again = train(concurrent(cartpole(), workers=0), tmp_path / "other", Options(progress=False))
    assert again["state_digest"] == summary["state_digest"] and again["config_hash"] != summary["config_hash"]
    for name in ("episodes.csv", "iterations.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_an_update_that_diverges_stops_the_run(trainer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer()
    update = one.run.learner.update

    def bad(*given: Any) -> Any:
        return update(*given)._replace(loss=np.float32(np.nan))

    monkeypatch.setattr(one.run.learner, "update", bad)
    with pytest.raises(RunError, match=r"The loss is nan .* at update 0 .*diverged"):
        list(one.records(lambda: None))


@pytest.mark.parametrize(("per_update", "at_once"), [(1, 1), (2, 1), (6, 2)])
def test_an_update_is_named_by_the_step_at_which_it_is_due(trainer: Any, per_update: int, at_once: int) -> None:
    """Not by how far acting has come meanwhile, which depends on the machine."""
    one = trainer(steps_per_update=per_update, updates_at_once=at_once)
    for update in range(20):
        step = one._step_of(update)
        assert step > 60 and one._updates_due(step - 1) <= update < one._updates_due(step)


def test_a_worker_that_dies_stops_the_run(trainer: Callable[..., Any], outcome: Callable[..., str]) -> None:
    one = trainer(workers=2)
    records = one.records(lambda: None)
    for _ in range(30):
        next(records)
    one.environments._workers[1].process.kill()
    message = outcome(list, records)
    assert message.startswith("Worker 1 (environments 1 to 2 of gym:CartPole-v1, process") and "SIGKILL" in message


# -- configuration -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["execution.environments=0"], "Expected 1 to 1024 for `execution.environments`, got 0."),
        (["execution.workers=9"], "Expected 0 to 8 (`execution.environments`) for `execution.workers`, got 9."),
        (["target_update_steps=30"], "agent steps for `target_update_steps`, got 30 steps. Take 32 for"),
        (["execution.updates_per_call=65"], "Expected 1 to 64 updates for `execution.updates_per_call`, got 65."),
        (["execution.updates_per_call=2"], "Expected `execution.updates_per_call`=1, got 2: updates of one call need"),
        (
            ["execution.updates_per_call=2", "replay=prioritized", "replay.placement=device", "replay.capacity=1000"],
            "Set replay=uniform and replay.placement=device.",
        ),
        (["iteration_frames=100"], "agent steps for `iteration_frames`, got 100 steps. Take 104 for"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cartpole: Callable[..., RunConfig], settings: list[str], says: str, outcome: Callable[..., str]
) -> None:
    config = cartpole(frames=400)
    given = ["execution=concurrent", "target_update_steps=40", "iteration_frames=80", *settings]
    assert says in outcome(config.with_settings, given)


@pytest.mark.parametrize(
    ("preset", "environment", "frames", "settings", "says"),
    [
        (
            "dqn_classic",
            "CartPole-v1",
            4_000,
            "min_replay_steps=200 target_update_steps=10000",
            "within the budget of 4,000 steps, got step 10,000: the first multiple of `target_update_steps`=10000 from "
            "`min_replay_steps`=200 on. Lower `target_update_steps`, or take more than 10000 for `frames`.",
        ),
        (
            "dqn_dopamine",
            "breakout",
            4_000,
            "min_replay_steps=1000 target_update_steps=160",
            "within the budget of 1,000 steps, got step 1,120: the first multiple of `target_update_steps`=160 from "
            "`min_replay_steps`=1000 on. Lower `min_replay_steps`, or take more than 4480 for `frames`.",
        ),
        (
            "dqn_dopamine",
            "breakout",
            40_000,
            "target_update_steps=160 min_replay_steps=160 n_step=150",
            "at least n_step=150 steps of each environment before learning, got 20 of each of 8: there would be no "
            "transition to learn from. Take 1200 for `min_replay_steps`",
        ),
        (
            "prioritized_classic",
            "CartPole-v1",
            4_000,
            "execution.environments=4 target_update_steps=4 n_step=100 replay.capacity=403 min_replay_steps=400",
            "at least 404 for `replay.capacity`, got 403: the 4 steps of a period are stored at once, with 100 rows",
        ),
        (
            "dqn_classic",
            "CartPole-v1",
            4_000,
            "target_update_steps=1000 replay.capacity=500 min_replay_steps=200",
            "at least 1008 for `replay.capacity`, got 500",
        ),
        (
            "dqn_dopamine",
            "breakout",
            40_000,
            "target_update_steps=160 min_replay_steps=160 replay.capacity=191",
            "at least 192 for `replay.capacity`, got 191: the 160 steps of a period are stored at once, with 4 rows",
        ),
    ],
)
def test_periods_that_nothing_could_be_learned_from_are_refused(
    preset: str, environment: str, frames: int, settings: str, says: str, outcome: Callable[..., str]
) -> None:
    given = ["execution=concurrent", "iteration_frames=16000", *settings.split()]
    assert says in outcome(make_config, preset, environment, frames=frames, settings=given)


@pytest.mark.parametrize(
    ("preset", "environment", "frames", "settings"),
    [
        ("dqn_classic", "CartPole-v1", 4_000, "min_replay_steps=200 target_update_steps=2000"),
        ("dqn_dopamine", "breakout", 40_000, "target_update_steps=160 min_replay_steps=1200 n_step=150"),
        ("dqn_dopamine", "breakout", 40_000, "target_update_steps=160 min_replay_steps=160 replay.capacity=192"),
    ],
)
def test_the_least_that_is_accepted(preset: str, environment: str, frames: int, settings: str) -> None:
    make_config(
        preset,
        environment,
        frames=frames,
        settings=["execution=concurrent", "iteration_frames=16000", *settings.split()],
    )


def test_a_budget_of_whole_rounds(cartpole: Callable[..., RunConfig]) -> None:
    given = ["execution=concurrent", "target_update_steps=40", "iteration_frames=80"]
    assert cartpole(frames=400).with_settings(given).agent.execution == Concurrent()
    with pytest.raises(ConfigError, match=r"`frames`, got 100 steps\. Take 104"):
        cartpole(frames=100).with_settings(given)
    assert Concurrent(threads=2, workers=3).cores == 5


def test_more_workers_than_cores_are_warned_of_before_they_start(
    cartpole: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, make = tmp_path / "run" / "log.txt", vector.make
    said = "2 environment workers share 1 core: they wait"
    found: list[bool] = []
    monkeypatch.setattr(vector.os, "sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(vector, "make", lambda *plan: (found.append(said in log.read_text()), make(*plan))[1])
    train(concurrent(cartpole(), workers=2, frames=90), tmp_path / "run", Options(progress=False))
    assert set(found) == {True} and log.read_text().count(said) == 1  # those of training, and those of evaluation


def test_workers_are_let_go_of_if_the_networks_cannot_be_built(
    cartpole: Callable[..., RunConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    make = vector.make
    monkeypatch.setattr(vector, "make", lambda *arguments: made.append(make(*arguments)) or made[-1])

    def failing(*arguments: Any) -> None:
        raise ConfigError("no")

    monkeypatch.setattr("dqn_tf.training.run_state.make_learner", failing)
    with pytest.raises(ConfigError):
        make_loop(concurrent(cartpole(), workers=2))
    assert [w.process.poll() is not None for w in made[0]._workers] == [True, True]
