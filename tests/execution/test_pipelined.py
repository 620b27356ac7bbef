"""Looking ahead changes no byte: threads=2 (gradients begin early) against threads=1 (one thing after the other)."""

from __future__ import annotations

import dataclasses
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tensorflow as tf

from dqn_tf import presets
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.config import RunConfig
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.execution import prediction
from dqn_tf.execution.gate import Gate
from dqn_tf.execution.pipelined import _Next
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.interleaved_loop import InterleavedLoop

STEPS = 240
CASES: dict[str, dict[str, Any]] = {
    "small ring, many episodes": {"replay": Uniform(), "storage": Storage(capacity=40)},
    "large ring": {"replay": Uniform(), "storage": Storage(capacity=500), "min_replay_steps": 100},
    "n-step": {"n_step": 3, "replay": Uniform(), "storage": Storage(capacity=120), "min_replay_steps": 40},
    "copies between updates": {"target_update_steps": 7, "replay": Uniform(), "storage": Storage(capacity=120)},
    "update every step": {"steps_per_update": 1, "replay": Uniform(), "storage": Storage(capacity=120)},
    "several at once": {
        "steps_per_update": 8,
        "updates_at_once": 3,
        "replay": Uniform(),
        "storage": Storage(capacity=500),
    },
    "prioritized": {"replay": Prioritized(), "storage": Storage(capacity=500), "n_step": 3, "min_replay_steps": 100},
    "prioritized, small ring": {"replay": Prioritized(), "storage": Storage(capacity=60), "bootstrap": Double()},
    "noise and sampled fractions": {
        "replay": Uniform(),
        "storage": Storage(capacity=500),
        "layers": Noisy(),
        "value": ImplicitQuantile(samples=4, target_samples=4),
        "min_replay_steps": 100,
    },
}


@pytest.fixture
def trainer(cartpole: Callable[..., RunConfig]) -> Iterator[Callable[..., InterleavedLoop]]:
    """A function (threads, xla, agent fields) -> a trainer of the tiny agent on CartPole."""
    made = []

    def build(threads: int, xla: str = "none", **agent: Any) -> InterleavedLoop:
        config = cartpole(frames=STEPS)
        execution = dataclasses.replace(config.agent.execution, threads=threads, xla=xla)
        made.append(
            InterleavedLoop(
                dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution, **agent))
            )
        )
        return made[-1]

    yield build
    for one in made:
        one.close()


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_with_and_without(trainer: Callable[..., InterleavedLoop], case: str) -> None:
    ahead, plain = trainer(2, **CASES[case]), trainer(1, **CASES[case])
    for _ in zip(ahead.records(lambda: None), plain.records(lambda: None), strict=True):
        if plain.run.counters.steps % 20 == 0:  # also while gradients are on their way
            assert ahead.digest() == plain.digest(), plain.run.counters
    assert ahead.digest() == plain.digest() and ahead.run.counters == plain.run.counters
    assert plain.updater.commits == 0 and 0 < ahead.updater.commits < ahead.run.counters.updates  # both ways were taken


@pytest.mark.parametrize("xla", ["none", "optimizer", "update"])
@pytest.mark.parametrize(
    "optimizer",
    [
        RMSProp(learning_rate=1e-3, decay=0.95, epsilon=0.01, centered=True),
        Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    ],
    ids=["rmsprop", "adam"],
)
def test_the_same_bytes_where_gradients_are_clipped(
    trainer: Callable[..., InterleavedLoop], optimizer: Any, xla: str
) -> None:
    """Clipping then stands in one branch of a condition, where TensorFlow has rounded another form of it otherwise."""
    agent = {"max_grad_norm": 0.05, "replay": Uniform(), "storage": Storage(capacity=120), "optimizer": optimizer}
    _compare(trainer(2, xla, **agent), trainer(1, xla, **agent))


def test_the_same_bytes_of_a_large_network(request: pytest.FixtureRequest) -> None:
    """Rainbow as it is, with all its threads, but for sizes: convolutions, noise, and gradients that are clipped."""
    preset = presets.load("rainbow")
    config = RunConfig(
        preset="rainbow",
        agent=preset.agent,
        environment="ale:breakout",
        protocol=PROTOCOLS[preset.protocol],
        evaluation=preset.evaluation,
        frames=720,
        iteration_frames=720,
    ).with_settings(["replay.capacity=150", "min_replay_steps=60", "max_grad_norm=0.05", "heldout_states=8"])
    config = config.with_settings(["evaluation.frames=40"])  # instead of half a million
    ahead, plain = (InterleavedLoop(config.with_settings([f"execution.threads={n}"])) for n in (2, 1))
    for one in (ahead, plain):
        request.addfinalizer(one.close)
    _compare(ahead, plain)


def _compare(ahead: InterleavedLoop, plain: InterleavedLoop) -> None:
    for _ in zip(ahead.records(lambda: None), plain.records(lambda: None), strict=True):
        pass
    assert ahead.digest() == plain.digest() and ahead.run.counters == plain.run.counters
    assert ahead.updater.commits > 0 and plain.run.counters.updates > 20


def _after_three_updates(one: InterleavedLoop) -> Iterator[Any]:
    """What comes then."""
    records = one.records(lambda: None)
    while one.run.counters.updates < 3:
        next(records)
    return records


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
def test_an_error_in_the_background_is_raised_in_its_turn(
    trainer: Callable[..., InterleavedLoop], sampler: Any, after: bool
) -> None:
    """And leaves no answer and no priorities at the gate: who goes on is not let through, or kept waiting, by old ones.

    after: the update fails when it has told its priorities and has been let through.
    """
    one = trainer(2, replay=sampler(), storage=Storage(capacity=500), min_replay_steps=100)
    records = _after_three_updates(one)
    working = one.updater._thread.gated.run

    def fails(*given: Any) -> None:
        if after:
            working(*given)
        raise FloatingPointError("from the worker")

    one.updater._thread.gated.run = fails
    with pytest.raises(FloatingPointError, match="from the worker"):
        for _ in records:
            pass
    one.updater._thread.gated.run = working
    for _ in one.records(lambda: None):
        pass
    assert one.run.counters.steps == STEPS


def test_the_error_is_raised_even_where_nothing_can_be_told_any_more(
    trainer: Callable[..., InterleavedLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update failed when its priorities were told already, and then telling fails, too."""
    one = trainer(2, replay=Uniform(), storage=Storage(capacity=500), min_replay_steps=100)
    records = _after_three_updates(one)
    working = one.updater._thread.gated.run

    def fails(*given: Any) -> None:
        working(*given)
        raise FloatingPointError("from the worker")

    def refuses(self: Gate) -> None:
        raise MemoryError

    one.updater._thread.gated.run = fails
    monkeypatch.setattr(Gate, "report_failure", refuses)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # of the thread's own end
    with pytest.raises(FloatingPointError, match="from the worker"):
        for _ in records:
            pass


def test_ctrl_c_when_the_thread_has_an_update_that_nobody_here_knows_of(
    trainer: Callable[..., InterleavedLoop],
) -> None:
    """It may come between any two instructions.  What was begun is not let through by the next answer."""
    ahead, plain = (
        trainer(n, replay=Prioritized(), storage=Storage(capacity=500), min_replay_steps=100) for n in (2, 1)
    )
    worker: Any = ahead.updater._thread
    tasks = worker.tasks

    class Interrupted:
        def put(self, task: Any) -> None:
            tasks.put(task)
            raise KeyboardInterrupt

    for _ in zip(ahead.records(lambda: None), plain.records(lambda: None), strict=True):
        if plain.run.counters.updates and plain.run.counters.steps % 7 == 0:
            ahead.updater.discard()
            sampled = prediction.predict_indices(ahead.run.replay, 4, 10_000, 0)
            assert sampled is not None
            following = _Next(10_000, sampled, ahead.run.replay.gather(sampled, 0))  # not the update that will be due
            ahead.updater._next = following
            worker.tasks = Interrupted()
            with pytest.raises(KeyboardInterrupt):
                ahead.updater.prefetch()
            worker.tasks = tasks
    assert ahead.digest() == plain.digest()


def test_priorities_are_learned_while_the_update_is_under_way(trainer: Callable[..., InterleavedLoop]) -> None:
    """Theta has not changed yet, and the next batch is gathered: that is what they are told early for."""
    one = trainer(2, replay=Prioritized(), storage=Storage(capacity=500), min_replay_steps=100)
    records = _after_three_updates(one)
    update_priorities, gather, heard, in_time = one.run.replay.update_priorities, one.run.replay.gather, [], []
    step = threading.Event()
    working = one.updater._thread.gated.run

    def slow(*given: Any) -> Any:
        out = working(*given)
        in_time.append(step.wait(10))  # as if its second half took so long
        return out

    def noted(rows: Any, priorities: Any) -> None:
        update_priorities(rows, priorities)
        heard.append(len(priorities))

    def gathered(sampled: Any, update: int) -> Any:
        sample = gather(sampled, update)
        if heard:
            step.set()
        return sample

    one.updater.discard()  # the next one is begun below, whether this one's thread has come to it or not
    one.updater._thread.gated.run, one.run.replay.update_priorities, one.run.replay.gather = slow, noted, gathered
    while one.run.counters.updates < 6:
        step.clear()
        next(records)
    assert len(in_time) == 3 and all(in_time) and set(heard) == {one.run.config.agent.batch_size}
    one.updater._thread.gated.run = working


def test_what_was_begun_is_forgotten_before_another_theta(trainer: Callable[..., InterleavedLoop]) -> None:
    """Theta doubled while an update waits at the gate: it is made anew, with the new theta."""
    ahead, plain = (trainer(n, replay=Uniform(), storage=Storage(capacity=500), min_replay_steps=100) for n in (2, 1))
    for _ in zip(ahead.records(lambda: None), plain.records(lambda: None), strict=True):
        if plain.run.counters.steps == 150:
            ahead.updater.discard()
            for one in (ahead, plain):
                parameters = one.run.learner.parameters
                parameters.set_theta({name: 2 * value for name, value in parameters.theta().items()})
    assert ahead.digest() == plain.digest()


@pytest.mark.parametrize("xla", [True, False])
def test_one_that_nobody_closed_may_be_collected_at_any_time(cartpole: Callable[..., RunConfig], xla: bool) -> None:
    """Also while something is being traced, which must not get to see its end."""
    others = set(threading.enumerate())
    config = cartpole(frames=STEPS)
    execution = dataclasses.replace(config.agent.execution, threads=2)
    one: Any = InterleavedLoop(
        dataclasses.replace(config, agent=dataclasses.replace(config.agent, execution=execution))
    )
    one.cycle = one  # as of an exception that is kept
    (thread,) = (t for t in threading.enumerate() if t not in others and t.name == "updates")
    del one

    def traced(x: Any) -> Any:
        gc.collect()
        return x + 1.0

    compiled = tf.function(traced, autograph=False, jit_compile=xla)
    assert compiled(tf.constant(1.0)).numpy() == 2.0
    operations = compiled.get_concrete_function(tf.constant(1.0)).graph.get_operations()
    assert not [o.type for o in operations if "Queue" in o.type]
    thread.join(10)
    assert not thread.is_alive()
