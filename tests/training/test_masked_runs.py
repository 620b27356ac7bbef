"""Runs of environments with masks of legal actions.  A closed door of ``masked.Doors`` raises, so that a run that ends
has taken none."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import determinism, envs, memory, trained
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.checks import ConfigError, EnvironmentFault
from dqn_tf.config import RunConfig
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Concurrent, Fused, Interleaved
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.training.callbacks import CallbackError
from dqn_tf.training.loop import make_loop
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_table
from dqn_tf.types import EnvironmentSpec, Masks, ObservationSpec, Sample, TargetTerms, Transition

QUIET = Options(progress=False, try_environment=False)
TESTS = Path(__file__).parents[1]
IDEAS: dict[str, dict[str, Any]] = {
    "dqn": {},
    "double, n-step, prioritized": {"bootstrap": Double(), "n_step": 3, "replay": Prioritized()},
    "munchausen, noisy": {"bootstrap": Munchausen(), "layers": Noisy()},
    "c51 munchausen": {"value": Categorical(atoms=7), "bootstrap": Munchausen()},
    "qr double": {"value": Quantile(quantiles=4), "bootstrap": Double()},
    "iqn munchausen": {
        "value": ImplicitQuantile(samples=3, target_samples=3, policy_samples=3, cosines=4),
        "bootstrap": Munchausen(),
    },
    "fqf": {"value": FQF(fractions=3, cosines=4)},
}
SEQUENTIAL = Interleaved(xla="none", threads=1)
BESIDE = Concurrent(xla="none", threads=1, environments=2, workers=0)
WAYS: dict[str, dict[str, Any]] = {
    "pipelined": {"execution": Interleaved(xla="none", threads=2)},
    "fused": {"execution": Fused(xla="none")},
    "concurrent": {"execution": BESIDE},
    "device": {"storage": Storage(capacity=64, placement="device")},
}


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(TESTS / "envs")
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


@pytest.fixture
def run(cartpole: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """A function (arguments of Doors, field=value, ...) -> 100 steps of the small agent on it."""

    def build(doors: dict[str, Any], **changes: Any) -> RunConfig:
        config = cartpole(environment=envs.identify("masked:Doors", doors))
        return dataclasses.replace(config, agent=dataclasses.replace(config.agent, **changes))

    return build


def played(config: RunConfig) -> Any:
    """A loop that has run to its end; closed."""
    loop = make_loop(config)
    try:
        rows = [record for record in loop.records(lambda: None) if record is not None]
        return loop, [{k: v for k, v in r.row.items() if k != "state_digest"} if hasattr(r, "row") else r for r in rows]
    finally:
        loop.close()


def learned(loop: Any) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in loop.run.learner.parameters.state().items()}


def held(loop: Any) -> dict[str, bytes]:
    """The replay, without its masks."""
    ring = loop.run.replay.ring
    frames = ring.frames.read_range(0, min(ring.head, ring.capacity))
    return {"frame": frames.tobytes(), **{k: c.tobytes() for k, c in ring.columns.items() if k != "mask"}}


# -- the reduction -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("changes", [*IDEAS.values(), *WAYS.values()], ids=[*IDEAS, *WAYS])
def test_masks_that_allow_all_change_no_bit(run: Callable[..., RunConfig], changes: dict[str, Any]) -> None:
    """Networks, optimizer, replay, episodes and rows are those of the same environment without masks; only the stored
    masks are more."""
    masked, rows = played(run({"every": True, "by": "info"}, **changes))
    without, others = played(run({"every": True, "by": "none"}, **changes))
    assert masked.run.replay.ring.columns["mask"][: len(masked.run.replay)].all()
    assert "mask" not in without.run.replay.ring.columns
    assert masked.run.counters == without.run.counters and masked.run.counters.updates > 10
    assert learned(masked) == learned(without)
    assert held(masked) == held(without)
    assert repr(rows) == repr(others)


# -- only legal actions ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "by"),
    [*((changes, "info") for changes in [*IDEAS.values(), *WAYS.values()]), ({}, "method")],
    ids=[*IDEAS, *WAYS, "method"],
)
def test_every_agent_takes_open_doors_only(run: Callable[..., RunConfig], changes: dict[str, Any], by: str) -> None:
    loop, _ = played(run({"by": by}, **changes))
    ring = loop.run.replay.ring
    rows = np.arange(ring.oldest, ring.head)
    rows = rows[ring.usable(rows)]
    actions = ring.columns["action"][rows % ring.capacity]
    assert ring.legal(rows)[np.arange(len(rows)), actions].all() and not ring.legal(rows).all()


def test_the_rows_of_an_iteration_look_at_legal_actions(run: Callable[..., RunConfig]) -> None:
    loop, rows = played(run({}))
    one = loop.run
    q = one.learner.scorer("any")(one.heldout).numpy()
    assert one.heldout_masks.shape == q.shape and not one.heldout_masks.all()
    want = np.where(one.heldout_masks, q, -np.inf).max(axis=1).mean()
    assert rows[-1]["heldout_max_q_mean"] == pytest.approx(want, rel=1e-6)
    assert want < q.max(axis=1).mean()


def test_monitors_look_at_the_best_legal_action(run: Callable[..., RunConfig]) -> None:
    from dqn_tf import lazy_tf as tf

    loop, rows = played(run({}, value=Quantile(quantiles=4)))
    one = loop.run
    values = one.learner.online(tf.constant(one.heldout), "predict", None)
    best = np.where(one.heldout_masks, values.q_values.numpy(), -np.inf).argmax(axis=1)
    spread = values.dist.numpy()[np.arange(len(best)), best].std(axis=1).mean()
    assert rows[-1]["heldout_return_std_mean"] == pytest.approx(spread, rel=1e-5)


# -- the target --------------------------------------------------------------------------------------------------------
SPEC = EnvironmentSpec(ObservationSpec((3,), "float32", mask_size=4), tuple("abcd"), 1)


def batch(seed: int, size: int = 6) -> Sample:
    random = np.random.default_rng(seed)
    s_tm1, s_t = random.normal(size=(2, size, 3)).astype(np.float32)
    masks = random.random((2, size, 4)) < 0.4
    masks[..., 1] |= ~masks.any(axis=-1)
    a = np.array([random.choice(np.flatnonzero(row)) for row in masks[0]], np.int32)
    discount = np.where(random.random(size) < 0.3, 0, 0.9).astype(np.float32)
    transitions = Transition(s_tm1, a, random.normal(size=size).astype(np.float32), discount, s_t)
    return Sample(transitions, np.arange(size), np.ones(size, np.float32), Masks(*masks))


@pytest.mark.parametrize("double", [False, True])
def test_td_errors_of_an_update_are_those_of_legal_actions(tiny_agent: Callable[..., Any], double: bool) -> None:
    """y = r + gamma max over the legal actions of s' alone, from the networks' own answers."""
    agent = tiny_agent(batch_size=6, value=Expected(), **({"bootstrap": Double()} if double else {}))
    learner, differs = Learner(agent, SPEC, seed=1), False
    for seed in range(5):
        sample = batch(seed)
        t, legal = sample.transitions, sample.masks.s_t  # type: ignore[union-attr]
        q, q_t, q_online = learner.q_values(t.s_tm1).numpy(), learner.act_target(t.s_t), learner.q_values(t.s_t).numpy()
        best = np.where(legal, q_online if double else q_t, -np.inf).argmax(axis=1)
        differs |= bool((best != (q_online if double else q_t).argmax(axis=1)).any())
        every = np.arange(6)
        delta = t.r_t + t.discount_t * q_t[every, best] - q[every, t.a_tm1]
        np.testing.assert_allclose(learner.update(sample, seed).td_error, delta, rtol=1e-5, atol=1e-6)
    assert differs and learner.traces == 1


@pytest.mark.parametrize("idea", IDEAS.values(), ids=IDEAS.keys())
def test_a_fused_update_is_the_plain_one(tiny_agent: Callable[..., Any], idea: dict[str, Any]) -> None:
    """To float32 rounding, as without masks."""
    agent = tiny_agent(batch_size=6, **{k: v for k, v in idea.items() if k not in ("replay", "n_step")})
    plain = Learner(dataclasses.replace(agent, execution=SEQUENTIAL), SPEC, seed=1)
    fused = FusedLearner(dataclasses.replace(agent, execution=Fused(xla="none")), SPEC, seed=1)
    for seed in range(3):
        a, b = plain.update(batch(seed), seed), fused.update(batch(seed), seed)
        np.testing.assert_allclose(np.asarray(a.td_error), b.td_error, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(np.asarray(a.loss), b.loss, rtol=1e-4, atol=1e-5)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OldRule:
    """A target rule that does not know masks."""

    states = ()

    def terms(self, next_outputs: Any, others: Any, a_tm1: Any) -> TargetTerms:
        raise AssertionError


def test_a_rule_that_does_not_know_masks_is_refused(run: Callable[..., RunConfig]) -> None:
    with pytest.raises(ConfigError, match=r"a target rule whose `terms` takes `masks`"):
        make_loop(run({}, bootstrap=OldRule()))
    make_loop(run({"by": "none", "every": True}, bootstrap=OldRule())).close()


# -- the same bytes ----------------------------------------------------------------------------------------------------
def test_device_and_threads_give_the_bytes_of_the_host(run: Callable[..., RunConfig]) -> None:
    one, rows = played(run({}, n_step=3))
    for way in ("pipelined", "device"):
        other, others = played(run({}, n_step=3, **WAYS[way]))
        assert learned(one) == learned(other) and repr(rows) == repr(others)
        assert one.digest() == other.digest()


def test_workers_give_the_bytes_of_none(run: Callable[..., RunConfig], tmp_path: Path) -> None:
    for workers in (0, 2):
        train(run({}, execution=dataclasses.replace(BESIDE, workers=workers)), tmp_path / str(workers), QUIET)
    for name in ("episodes.csv", "iterations.csv"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


@pytest.mark.parametrize(
    "execution", [SEQUENTIAL, Fused(xla="none"), BESIDE], ids=["interleaved", "fused", "concurrent"]
)
def test_stopped_and_continued(run: Callable[..., RunConfig], execution: Any, tmp_path: Path) -> None:
    config = run({}, execution=execution, n_step=3)
    train(config, tmp_path / "whole", QUIET)
    for stop in (2, 5, 9):

        def enough(record: Any, stop: int = stop) -> None:
            if record.episode == stop:
                raise KeyError("enough")

        with pytest.raises(CallbackError, match="enough"):
            train(config, tmp_path / "stopped", QUIET, on_episode=enough)
    train(config, tmp_path / "stopped", QUIET)
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "stopped" / name).read_bytes()


KILLED = """
import os, signal, sys
import dqn_tf
sys.path.insert(0, sys.argv[1])
from dqn_tf.training.run import Options
config = dqn_tf.make_config("dqn_classic", "masked:Doors", frames=300, agent={"n_step": 3}, settings=[
    "network.hidden=8", "execution.xla=none", "execution.threads=1", "min_replay_steps=40", "batch_size=4",
    "replay.capacity=100", "iteration_frames=150",
    "target_update_steps=50", "evaluation.final_episodes=2", "heldout_states=10", "evaluation.episodes=2"])
kill = int(sys.argv[3])
dqn_tf.train(config, sys.argv[2], Options(progress=False, checkpoint_frames=50),
             on_episode=lambda record: record.episode == kill and os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.slow
def test_killed_and_continued(tmp_path: Path) -> None:
    def start(folder: str, kill: int) -> int:
        words = [sys.executable, "-c", KILLED, str(TESTS / "envs"), str(tmp_path / folder), str(kill)]
        return subprocess.run(words, check=False, timeout=300).returncode

    assert start("killed", 30) == -9
    assert not (tmp_path / "killed" / "summary.json").exists()
    assert start("killed", -1) == start("whole", -1) == 0
    for name in ("episodes.csv", "iterations.csv", "summary.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


# -- what cannot be used, the trained agent, memory --------------------------------------------------------------------
@pytest.mark.parametrize("execution", [SEQUENTIAL, BESIDE], ids=["interleaved", "concurrent"])
def test_nothing_of_a_wrong_mask_is_stored(run: Callable[..., RunConfig], execution: Any) -> None:
    loop = make_loop(run({"fault": "none legal", "at": 2, "steps": 10**6}, execution=execution))
    try:
        with pytest.raises((EnvironmentFault, dqn_tf.RunError), match=r"episode 1, step 2 .*false for all of them"):
            for _ in loop.records(lambda: None):
                pass
        ring = loop.run.replay.ring
        assert ring.legal(np.arange(ring.oldest, ring.head)).any(axis=1).all()
    finally:
        loop.close()


def test_a_trained_agent_takes_a_mask(run: Callable[..., RunConfig], tmp_path: Path) -> None:
    train(run({}), tmp_path, QUIET)
    agent = trained.load(tmp_path)
    assert agent.spec.masked
    state = np.zeros(4, np.float32)
    for action in range(4):
        assert agent.act(state, epsilon=0.5, mask=np.arange(4) == action) == action
    for wrong in (None, np.ones(3, bool), np.zeros(4, bool), np.ones(4)):
        with pytest.raises(ConfigError, match=r"Expected bools \[4\] with at least one True, the legal actions,"):
            agent.act(state, mask=wrong)
    environment = agent.make_environment()
    answer = environment.reset()
    for _ in range(5):
        answer = environment.step(agent.act(answer.observation, mask=answer.mask))
        if answer.episode_over:
            answer = environment.reset()
    assert len(read_table(tmp_path / "episodes.csv")) > 5


def test_the_plan_of_memory_counts_masks(run: Callable[..., RunConfig]) -> None:
    masked, without = run({}), run({"by": "none", "every": True})
    rows = memory._rows(masked)
    assert memory.replay_bytes(masked) - memory.replay_bytes(without) == 4 * rows
    assert memory.beside_gpu_bytes(masked) - memory.beside_gpu_bytes(without) == 4 * rows
    assert memory.gpu_bytes(masked) - memory.gpu_bytes(without) == 4 * masked.agent.storage.capacity
    beside = [dataclasses.replace(c, agent=dataclasses.replace(c.agent, execution=BESIDE)) for c in (masked, without)]
    assert memory._aside_bytes(beside[0]) - memory._aside_bytes(beside[1]) == 4 * masked.agent.target_update_steps
