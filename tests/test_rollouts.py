"""Rollouts in a configuration: what is refused, with what would fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from dqn_tf import bench, memory, rollouts
from dqn_tf.api import make_config
from dqn_tf.config import RunConfig
from dqn_tf.modes import Rollouts
from dqn_tf.presets import load


def changed(*settings: str, preset: str = "pqn_classic", frames: int = 10_240) -> RunConfig:
    environment = "CartPole-v1" if preset.endswith("classic") else "breakout"
    return make_config(preset, environment, frames=frames, settings=settings)


def test_the_rollouts_of_the_presets() -> None:
    """num_envs x num_steps, update_epochs x num_minibatches of CleanRL's and the authors' files."""
    assert rollouts.shape(load("pqn_classic").agent) == (128, 4, 4, 4, 128)
    for preset in ("pqn_minatar", "pqn_atari"):
        shape = rollouts.shape(load(preset).agent)
        assert shape == (32, 128, 2, 32, 128) and (shape.transitions, shape.updates) == (4_096, 64)


def test_a_rollout_of_another_size_with_what_the_message_says() -> None:
    same = [f"{name}=1024" for name in ("steps_per_update", *rollouts.ONE_ROLLOUT)]
    assert rollouts.shape(changed(*same, "updates_at_once=32").agent) == (256, 4, 4, 8, 128)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["returns=n_step"], "Expected returns=lambda_returns with execution=rollouts, got n_step."),
        (["execution=fused"], "Expected execution=rollouts with returns=lambda_returns, got fused:"),
        (["execution=concurrent"], "Expected execution=rollouts with returns=lambda_returns, got concurrent:"),
        (["returns.trace_decay=1.5"], "Expected a number in [0, 1] for `returns.trace_decay`, got 1.5."),
        (["value=categorical"], "Expected value=expected with execution=rollouts, got categorical:"),
        (["bootstrap=double"], "Expected bootstrap=greedy with execution=rollouts, got double:"),
        (["replay=prioritized"], "Expected replay=uniform with execution=rollouts, got prioritized:"),
        (["layers=noisy"], "Expected layers=dense or layer_norm with execution=rollouts, got noisy:"),
        (["n_step=3"], "Expected 1 with execution=rollouts for `n_step`, got 3. Set returns.trace_decay instead."),
        (["replay.placement=device"], "Expected host with execution=rollouts for `replay.placement`, got 'device'."),
        (["execution.environments=7"], "Expected a rollout of whole steps of 7 environments"),
        (
            ["batch_size=100"],
            "Expected minibatches that divide a rollout of 512 transitions (`steps_per_update`), got "
            "`batch_size`=100. Take 128, or another rollout.",
        ),
        (["updates_at_once=6"], "Expected whole epochs: a multiple of 4 minibatches"),
        (["execution.shards=3"], "Expected 1 to 4, and a divisor of `execution.environments`=4, for"),
        (["execution.workers=5"], "Expected 0 to 4 (`execution.environments`) for `execution.workers`, got 5."),
        (["execution.threads=0"], "Expected 1 to 1024 threads for `execution.threads`, got 0."),
        (
            ["target_update_steps=500"],
            "Expected one rollout to be all that is kept and learned from, "
            "`steps_per_update`=512 steps, got target_update_steps=500",
        ),
        (["replay.capacity=1000"], "Expected one rollout to be all that is kept"),
        (
            ["iteration_frames=9999"],
            "Expected a multiple of `execution.environments`=4 agent steps for "
            "`iteration_frames`, got 9,999 steps. Take 10000",
        ),
        (["execution.xla=all"], "Expected one of optimizer, update, none for `execution.xla`, got 'all'."),
        (["returns.lambda=0.5"], "Unknown path 'returns.lambda'."),
    ],
)
def test_what_is_refused(outcome: Callable[..., str], settings: list[str], message: str) -> None:
    assert outcome(changed, *settings).startswith(message)


def test_parts_of_a_batch_have_one_size(outcome: Callable[..., str]) -> None:
    said = outcome(changed, "batch_size=2", "updates_at_once=256", "execution.shards=4")
    assert said == "Expected parts of one size of a batch of 2 transitions, got `execution.shards`=4. Take 2."


def test_a_budget_of_whole_rounds(outcome: Callable[..., str]) -> None:
    said = outcome(changed, preset="pqn_atari", frames=1_000)
    assert said.startswith("Expected a multiple of `execution.environments`=128 agent steps for `frames`, got 250")


def test_identities_of_other_agents_are_what_they_were() -> None:
    """Returns are named only where they are lambda-returns."""
    assert "returns" not in make_config("dqn_classic", "CartPole-v1", frames=100).to_json()["agent"]
    assert changed().to_json()["agent"]["returns"] == {"kind": "lambda_returns", "trace_decay": 0.65}


def test_updates_within_a_budget() -> None:
    """The last rollout is learned from if it is whole."""
    assert changed(frames=500_000).updates == 976 * 16
    assert dataclasses.replace(changed(), frames=1_020).updates == 16


def test_bench_does_not_know_its_floor(outcome: Callable[..., str]) -> None:
    said = outcome(bench.measure, changed(), 1.0, lambda text: None)
    assert said.startswith("Expected an agent with a replay for dqn-tf bench, got pqn_classic (execution=rollouts):")


def test_cores_and_memory(outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Rollouts(threads=2, workers=3).cores, Rollouts(threads=2, workers=0).cores) == (3, 2)
    config: Any = changed(preset="pqn_atari", frames=512 * 40)
    monkeypatch.setattr(memory, "available", lambda: (4 * 10**9, "available"))
    assert memory.describe(config) == "Rollout: 4,096 steps, 0.23 GB of the 4.00 GB available."
    memory.check_replay(config)
    monkeypatch.setattr(memory, "available", lambda: (10**9, "available"))
    assert outcome(memory.check_replay, config).startswith("Expected memory for a rollout of 4,096 steps: 0.23 GB")
