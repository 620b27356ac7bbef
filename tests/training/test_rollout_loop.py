"""PQN's loop: the bytes of a naive twin, stopped anywhere, however updates are cut into calls and for any workers."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import determinism, envs
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.exploration import EpsilonGreedy, choose
from dqn_tf.agent.lambda_returns import LambdaReturns, lambda_returns
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Optimizers
from dqn_tf.agent.parameters import build_network
from dqn_tf.agent.radam import RAdam
from dqn_tf.config import RunConfig
from dqn_tf.envs.simple_protocols import GymnasiumProtocol
from dqn_tf.envs.vector import Plan
from dqn_tf.execution.rollout_updater import RolloutUpdater
from dqn_tf.modes import Rollouts
from dqn_tf.replay.storage import Storage
from dqn_tf.rng import Stream
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.records import EpisodeRecord, IterationRecord
from dqn_tf.training.rollout import Rollout
from dqn_tf.training.rollout_loop import RolloutLoop
from dqn_tf.training.run import Options, train
from dqn_tf.training.stop import Interrupted
from dqn_tf.types import ObservationSpec, StepType

E, T, EPOCHS, MINIBATCHES = 3, 8, 2, 3
N = E * T
QUIET = Options(progress=False, try_environment=False)


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They must come before any other TensorFlow code."""
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


def pqn(config: RunConfig, steps: int = 150, execution: dict[str, Any] | None = None, **agent: Any) -> RunConfig:
    """Rollouts of 8 steps of 3 environments, 6 updates on each; iterations of 60 steps that end inside rollouts; the
    last rollout is not learned from.  Episodes are cut off after 20 steps."""
    fields = {
        "network": MLP(hidden=(8, 8), in_head="all"),
        "layers": LayerNorm(),
        "storage": Storage(capacity=N),
        "exploration": EpsilonGreedy(decay_steps=100, decay_from="first_step"),
        "optimizer": RAdam(learning_rate=3e-3, decay_updates=40),
        "returns": LambdaReturns(trace_decay=0.65),
        "batch_size": N // MINIBATCHES,
        "steps_per_update": N,
        "updates_at_once": EPOCHS * MINIBATCHES,
        "target_update_steps": N,
        "min_replay_steps": N,
        "max_grad_norm": 1.0,
        "execution": Rollouts(**{"xla": "none", "threads": 1, "environments": E, "workers": 0, **(execution or {})}),
    }
    changed = dataclasses.replace(config.agent, **{**fields, **agent})
    rules = GymnasiumProtocol(max_steps_per_episode=20)
    return dataclasses.replace(config, agent=changed, frames=steps, iteration_frames=60, protocol=rules)


@pytest.fixture
def loop(cartpole: Callable[..., RunConfig]) -> Iterator[Callable[..., RolloutLoop]]:
    """A function (as ``pqn``) -> a loop on CartPole, closed after the test."""
    made: list[RolloutLoop] = []

    def build(**more: Any) -> RolloutLoop:
        made.append(RolloutLoop(pqn(cartpole(), **more)))
        return made[-1]

    yield build
    for one in made:
        one.close()


def one_by_one(loop: RolloutLoop) -> None:
    """Each call makes one update."""
    loop.updater._count = lambda left: 1  # type: ignore[method-assign]


def learned(loop: RolloutLoop) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in loop.run.learner.parameters.state().items()}


class NaiveTwin:
    """No rows, no compiled loop: lists of transitions of each environment, and an update like any other."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.agent = config, config.agent
        plan = Plan(config.environment, config.protocol, config.seed, tuple(f"train/{i}" for i in range(E)))
        self.games = [plan.make(i) for i in range(E)]
        self.spec = self.games[0].spec
        self.network = build_network(config.agent, self.spec, config.seed)
        self.optimizer = Optimizers(config.agent.optimizer, self.network.variables, [])
        self.exploration, self.shuffle = Stream(config.seed, "exploration"), Stream(config.seed, "shuffle")
        self.steps = self.updates = 0
        self.begun = [False] * E

    def q(self, observations: Any) -> np.ndarray:
        return np.asarray(self.network(tf.constant(np.array(observations)), "predict").q_values)

    def round(self) -> list[tuple[Any, ...]]:
        for i, game in enumerate(self.games):
            if not self.begun[i] or game.last.step_type == StepType.LAST:
                game.reset()
                self.begun[i] = True
        states = [np.array(game.last.observation) for game in self.games]
        q, rule, rows = self.q(states), self.agent.exploration, []
        for i, game in enumerate(self.games):
            step = self.steps + i
            epsilon = rule.epsilon(step, 0)
            action = choose(lambda i=i: q[i], q.shape[1], epsilon, self.exploration.at(step), rule.random_ties)
            answer = game.step(action)
            rows.append((states[i], action, answer.reward, answer.discount, q[i].max(), answer.step_type))
        self.steps += E
        after = self.q([game.last.observation for game in self.games]).max(axis=1)
        return [(*row, after[i]) for i, row in enumerate(rows)]

    def run(self) -> None:
        while self.steps + N <= self.config.steps:
            rounds = [self.round() for _ in range(T)]
            r, discount, v, goes_on = (np.zeros((T, E), np.float32) for _ in range(4))
            for t in range(T):
                for i, (_, _, reward, d, _, kind, after) in enumerate(rounds[t]):
                    goes_on[t, i] = kind != StepType.LAST and t < T - 1
                    r[t, i], discount[t, i] = reward, np.float32(d) * np.float32(self.agent.discount)
                    v[t, i] = rounds[t + 1][i][4] if goes_on[t, i] else after
            targets = lambda_returns(r, discount, v, goes_on > 0, self.agent.returns.trace_decay)
            flat = [(row[0], row[1], targets[t, i]) for t in range(T) for i, row in enumerate(rounds[t])]
            for _ in range(EPOCHS):
                order = self.shuffle.at(self.updates // MINIBATCHES).permutation(N)
                for batch in order.reshape(MINIBATCHES, -1):
                    self.update([flat[k] for k in batch])

    def update(self, batch: list[Any]) -> None:
        states, actions, targets = (np.array(column) for column in zip(*batch, strict=True))
        with tf.GradientTape() as tape:
            q = self.network(tf.constant(states), "predict").q_values
            taken = tf.reduce_sum(q * tf.one_hot(actions.astype(np.int32), 2), axis=-1)
            loss = tf.reduce_mean(self.agent.value.of_errors(targets - taken))
        gradients = tape.gradient(loss, self.network.variables)
        norm = tf.linalg.global_norm(gradients)
        scale = self.agent.max_grad_norm / tf.maximum(norm, self.agent.max_grad_norm)
        self.optimizer.apply([g * scale for g in gradients])
        self.updates += 1


def test_the_weights_of_a_naive_twin(loop: Callable[..., RolloutLoop]) -> None:
    one = loop()
    records = [r for r in one.records(lambda: None) if r is not None]
    twin = NaiveTwin(one.run.config)
    twin.run()
    assert one.run.counters.updates == twin.updates == 36 and one.run.counters.steps == 150
    for variable, other in zip(one.run.learner.online.variables, twin.network.variables, strict=True):
        # Eager operations and those of a compiled loop are the same, but for the last bits of some sums.
        np.testing.assert_allclose(variable, other, rtol=1e-4, atol=1e-6)
    rows = [r.row for r in records if isinstance(r, IterationRecord)]
    assert [(r["steps"], r["updates"], r["replay_size"]) for r in rows] == [(60, 12, 0), (120, 30, 0), (150, 36, 0)]
    assert np.isfinite([r["heldout_max_q_mean"] for r in rows]).all() and rows[0]["eval_episodes"] == 2
    episodes = [r for r in records if isinstance(r, EpisodeRecord)]
    assert {r.env_index for r in episodes} == set(range(E)) and any(r.truncated for r in episodes)


@pytest.mark.parametrize("xla", ["update", "optimizer"])
def test_compiled_it_is_the_same_to_rounding(loop: Callable[..., RolloutLoop], xla: str) -> None:
    """And in two parts of a batch; one rollout, before rounding makes another choice."""
    parts = {"batch_size": 6, "updates_at_once": 8}
    shards = 1 if xla == "update" else E
    plain, compiled = loop(steps=N, **parts), loop(steps=N, **parts, execution={"xla": xla, "shards": shards})
    for one in (plain, compiled):
        list(one.records(lambda: None))
    assert plain.run.counters.updates == compiled.run.counters.updates > 0
    for a, b in zip(plain.run.learner.online.variables, compiled.run.learner.online.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_there_is_no_target_network_and_no_replay(loop: Callable[..., RolloutLoop]) -> None:
    one = loop(steps=N)
    list(one.records(lambda: None))
    assert {name.partition("/")[0] for name in one.run.learner.parameters.state()} == {"online", "optimizer"}
    assert one.run.learner.target is one.run.learner.online and len(one.run.replay) == 0


# -- stopping ----------------------------------------------------------------------------------------------------------
class Stop(Exception):
    """The run is asked to stop."""


def stopped(one: RolloutLoop, at: int) -> list[Any]:
    """The records of a run that is stopped the ``at``-th time that it could be."""
    seen: Iterator[int] = iter(range(10**6))
    records: list[Any] = []

    def each_step() -> None:
        if next(seen) == at:
            raise Stop

    with pytest.raises(Stop):
        records.extend(one.records(each_step))
    return records


def rows(records: list[Any]) -> str:
    return repr([r.row if isinstance(r, IterationRecord) else r for r in records if r is not None])


def test_stopped_anywhere_and_continued(loop: Callable[..., RolloutLoop], tmp_path: Path) -> None:
    """Inside rollouts, between updates of an epoch and between epochs, in an evaluation; the run that is never stopped
    makes its updates in as few calls as it can, those that are stopped one by one."""
    whole = loop()
    expected = rows(list(whole.records(lambda: None)))
    places = set()
    for at in (3, 9, 10, 60):
        one, other = loop(), loop()
        one_by_one(one)
        got = stopped(one, at)
        counters = one.run.counters
        due = counters.steps // N * EPOCHS * MINIBATCHES
        places.add((counters.updates < due, (counters.updates % MINIBATCHES) == 0))
        store = Store(tmp_path / str(at), "identity")
        store.save(at, {"run": one.state()}, one.run.pieces())
        loaded = Store(tmp_path / str(at), "identity").load(pytest.fail)
        assert loaded is not None
        other.restore(loaded[1]["run"], loaded[2])
        assert other.digest() == one.digest()
        got += list(other.records(lambda: None))
        assert rows(got) == expected
        assert other.digest() == whole.digest() and other.run.counters == whole.run.counters
    assert places >= {(True, True), (True, False), (False, True)}


def test_a_real_run_is_killed_in_mid_rollout_and_between_updates(
    cartpole: Callable[..., RunConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM; the same command goes on, to the same bytes.  And what was trained can be loaded."""
    config = pqn(cartpole(), steps=120)
    expected = train(config, tmp_path / "whole", QUIET)
    for name, owner, method in (("rollout", RolloutLoop, "_round"), ("updates", RolloutUpdater, "update")):
        original, calls = getattr(owner, method), iter(range(10**6))

        def kill(self: Any, *arguments: Any, original: Any = original, calls: Any = calls) -> Any:
            if isinstance(self, RolloutUpdater):
                self._count = lambda left: 1  # type: ignore[method-assign]
            if next(calls) == 10:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(self, *arguments)

        with monkeypatch.context() as patched:
            patched.setattr(owner, method, kill)
            with pytest.raises(Interrupted):
                train(config, tmp_path / name, QUIET)
        assert train(config, tmp_path / name, QUIET) == expected
        for table in ("episodes.csv", "iterations.csv"):
            assert (tmp_path / name / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()
    agent = dqn_tf.load(tmp_path / "whole")
    assert agent.act(np.zeros(4, np.float32)) in (0, 1) and agent.frames == 120


@pytest.mark.slow
def test_workers_change_no_byte(loop: Callable[..., RolloutLoop]) -> None:
    one, other = loop(steps=48), loop(steps=48, execution={"workers": 2})
    for each in (one, other):
        list(each.records(lambda: None))
    assert learned(one) == learned(other) and one.run.stats.state()["returns"] == other.run.stats.state()["returns"]


# -- what is learned from ----------------------------------------------------------------------------------------------
def filled(rows: list[dict[str, Any]]) -> Rollout:
    rollout = Rollout(len(rows), 1, ObservationSpec((1,), "float32"))
    for row in rows:
        last = row.pop("last", None)
        rollout.add(observations=[[0.0]], actions=[0], **{k: [v] for k, v in row.items()})
        if last is not None:
            rollout.add_last_values(np.array([last], np.float32))
    return rollout


def test_a_time_limit_and_an_end_by_hand() -> None:
    """gamma = 1/2, lambda = 1: G_2 = 4 + 10/2 = 9.  The second step ends at a limit with V = 6: G_1 = 2 + 3 = 5.

    Or it ends for good: G_1 = 2.  G_0 = 1 + G_1/2."""

    def steps(second: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"r_t": 1.0, "discount_t": 0.5, "values": 7.0, "over": False},
            {"r_t": 2.0, "values": 8.0, "over": True, **second},
            {"r_t": 4.0, "discount_t": 0.5, "values": 9.0, "over": False, "last": 10.0},
        ]

    assert filled(steps({"discount_t": 0.5, "last": 6.0})).targets(1.0).tolist() == [3.5, 5.0, 9.0]
    assert filled(steps({"discount_t": 0.0})).targets(1.0).tolist() == [2.0, 2.0, 9.0]
    # lambda = 0: the value of the next row's state, of the limit's, of the last one.
    assert filled(steps({"discount_t": 0.5, "last": 6.0})).targets(0.0).tolist() == [1 + 4, 2 + 3, 4 + 5]


@pytest.mark.parametrize("limit", ["bootstrap", "terminal"])
def test_what_a_time_limit_means(cartpole: Callable[..., RunConfig], limit: Any, outcome: Any) -> None:
    """CleanRL and the authors take it for an end; the protocol says which.  Episodes of 4 steps: all are cut off."""
    config = pqn(cartpole(), steps=N)
    rules = GymnasiumProtocol(max_steps_per_episode=4, time_limit=limit)
    one = RolloutLoop(dataclasses.replace(config, protocol=rules))
    try:
        for _ in range(T):
            one._round()
        a = one._rollout._arrays
        assert a["over"][3].all() and a["over"][7].all() and not a["over"][[0, 1, 2, 4, 5, 6]].any()
        assert (a["discount_t"][3] > 0).all() == (limit == "bootstrap")
        found = one._targets.reshape(T, E)[3]
        wanted = 1 + 0.99 * a["last_values"][3] if limit == "bootstrap" else np.ones(E)
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
        assert (a["last_values"][3] != 0).all() == (limit == "bootstrap")
    finally:
        one.close()


def test_an_environment_that_begins_anew_leaves_an_end() -> None:
    rollout = Rollout(2, 2, ObservationSpec((1,), "float32"))
    rollout.cut(0)  # nothing is there yet
    for _ in range(2):
        row = {"r_t": [1.0, 1.0], "discount_t": [0.5, 0.5], "values": [8.0, 8.0], "over": [False, False]}
        rollout.add(observations=[[0.0], [0.0]], actions=[0, 0], **row)
        rollout.cut(0) if rollout.steps == 1 else rollout.add_last_values(np.array([4.0, 4.0], np.float32))
    assert rollout.targets(0.0).reshape(2, 2).tolist() == [[1.0, 5.0], [3.0, 3.0]]


def test_rows_of_another_rollout_are_refused() -> None:
    state = Rollout(3, 2, ObservationSpec((1,), "float32")).state()
    with pytest.raises(ValueError, match="Expected rows like"):
        Rollout(3, 1, ObservationSpec((1,), "float32")).restore(state)


def test_only_open_doors(monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig]) -> None:
    """Masks: a closed door raises; values and held-out states are of the open ones; where all are open, they change no
    bit."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")
    found = {}
    for name, doors in (("some", {}), ("all", {"every": True}), ("none", {"every": True, "by": "none"})):
        config = pqn(cartpole(environment=envs.identify("masked:Doors", doors)), steps=60)
        one = RolloutLoop(dataclasses.replace(config, protocol=None))
        list(one.records(lambda: None))
        found[name] = one
        one.close()
    some = found["some"]
    masks = some.run.heldout_masks
    assert masks is not None and masks.any(axis=1).all() and not masks.all() and masks.shape == (5, 4)
    a = some._rollout.state()
    taken = np.take_along_axis(a["masks"], a["actions"][..., None], axis=-1)
    assert len(taken) == 4 and taken.all()  # of the rollout that was under way
    assert learned(found["all"]) == learned(found["none"]) != learned(some)
