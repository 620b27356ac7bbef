"""A replay on the device changes no byte of a run: networks, replay, statistics, checkpoints."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import make_config
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.config import RunConfig
from dqn_tf.modes import Concurrent, Interleaved
from dqn_tf.presets import load
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.loop import make_loop

STEPS = 160
RAINBOW = dataclasses.replace(
    load("rainbow_classic").agent,
    network=MLP(hidden=(8, 8)),
    storage=Storage(capacity=70),
    batch_size=4,
    min_replay_steps=30,
    target_update_steps=25,
)
CONCURRENT = Concurrent(xla="optimizer", threads=2, environments=4, workers=0)
CASES: dict[str, dict[str, Any]] = {
    "one after the other": {"execution": Interleaved(xla="none", threads=1)},
    "looking ahead": {
        "execution": Interleaved(xla="optimizer", threads=2),
        "replay": Uniform(),
        "storage": Storage(capacity=150),
    },
    "all XLA": {
        "execution": Interleaved(xla="update", threads=2),
        "replay": Uniform(),
        "storage": Storage(capacity=150),
    },
    "n-step, several at once": {"n_step": 3, "steps_per_update": 6, "updates_at_once": 2},
    "prioritized": {
        "replay": Prioritized(),
        "storage": Storage(capacity=70),
        "execution": Interleaved(xla="none", threads=2),
    },
    "by rank": {"replay": PrioritizedRank(), "storage": Storage(capacity=70), "n_step": 3},
    "at the same time": {"execution": CONCURRENT},
    "at the same time, prioritized": {
        "execution": CONCURRENT,
        "replay": Prioritized(),
        "storage": Storage(capacity=70),
        "n_step": 2,
    },
}


@pytest.fixture
def trainer() -> Iterator[Callable[..., InterleavedLoop]]:
    """A function (configuration, placement) -> a trainer, closed after the test."""
    made: list[InterleavedLoop] = []

    def build(config: RunConfig, placement: str) -> InterleavedLoop:
        made.append(make_loop(config.with_settings([f"replay.placement={placement}"])))
        return made[-1]

    yield build
    for one in made:
        one.close()


def expect_the_same(trainer: Callable[..., InterleavedLoop], config: RunConfig, tmp_path: Path) -> None:
    """Digests along the way (in concurrent execution: in the rows), rows, and pieces; and each continues from what the
    other has saved in the middle."""
    host, device = (trainer(config, placement) for placement in ("host", "device"))
    halves = [trainer(config, placement) for placement in ("device", "host")]
    rows: list[list[str]] = [[], []]
    for number, records in enumerate(zip(*(t.records(lambda: None) for t in (host, device)), strict=True)):
        for kept, record in zip(rows, records, strict=True):
            kept += [str(getattr(record, "row", record))]
        if number % 17 == 0 and not isinstance(config.agent.execution, Concurrent):
            assert host.digest() == device.digest(), host.run.counters
        if number == 31:
            for one, half in zip((host, device), halves, strict=True):
                store = Store(tmp_path / one.run.config.agent.storage.placement, "identity")
                store.save(1, {"run": one.state()}, one.run.pieces())
                loaded = store.load(pytest.fail)
                assert loaded is not None
                half.restore(loaded[1]["run"], loaded[2])
                assert half.digest() == one.digest()
    assert rows[0] == rows[1] and host.run.counters == device.run.counters and host.run.counters.updates > 10
    assert host.digest() == device.digest() and host.run.pieces().keys() == device.run.pieces().keys()
    for half in halves:
        list(half.records(lambda: None))
        assert half.digest() == host.digest()
    assert device.run.learner.traces == 1 and device.run.learner._gradients_of.traces == 1


@pytest.mark.parametrize("case", CASES)
def test_on_vector_states(
    trainer: Callable[..., InterleavedLoop], cartpole: Callable[..., RunConfig], case: str, tmp_path: Path
) -> None:
    config = cartpole(frames=STEPS, iteration_frames=80)
    config = dataclasses.replace(config, agent=dataclasses.replace(config.agent, **CASES[case]))
    expect_the_same(trainer, config, tmp_path)


@pytest.mark.slow
def test_rainbow(trainer: Callable[..., InterleavedLoop], cartpole: Callable[..., RunConfig], tmp_path: Path) -> None:
    agent = dataclasses.replace(RAINBOW, execution=Interleaved(xla="none", threads=2))
    expect_the_same(trainer, cartpole(agent=agent, frames=STEPS, iteration_frames=80), tmp_path)


@pytest.mark.slow
def test_on_atari(trainer: Callable[..., InterleavedLoop], tmp_path: Path) -> None:
    """dqn_dopamine on Breakout, small: stacks of frames, ends of episodes, a ring that wraps."""
    small = (
        "network.hidden=16 replay.capacity=90 batch_size=8 min_replay_steps=40 target_update_steps=50 "
        "exploration.decay_steps=60 evaluation.frames=none evaluation.episodes=1 evaluation.final_episodes=1 "
        "heldout_states=20 protocol.max_frames_per_episode=200 protocol.max_frames_per_evaluation_episode=80 "
        "iteration_frames=400 execution.threads=2"
    )
    config = make_config("dqn_dopamine", "breakout", frames=800, settings=small.split())
    expect_the_same(trainer, config, tmp_path)


def test_another_placement_is_another_identity(cartpole: Callable[..., RunConfig]) -> None:
    """As every field; and a run made before there was a choice keeps its own."""
    config = cartpole()
    assert config.with_settings(["replay.placement=host"]).hash == config.hash
    assert config.with_settings(["replay.placement=device"]).hash != config.hash
