"""A replay in which priorities come to be exactly zero, and weights are divided by the largest of the whole replay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dqn_tf import determinism
from dqn_tf.agent.optimizers import Adam
from dqn_tf.config import AgentConfig, Evaluation, RunConfig
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.training.run import Options, train
from dqn_tf.training.run_dir import read_table


def test_it_goes_on_learning(
    tmp_path: Path,
    simulators: ModuleType,
    cartpole: Callable[..., RunConfig],
    tiny_agent: Callable[..., AgentConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the episodes show zeros and pay nothing: their errors become zero; the others pay for action 1."""
    monkeypatch.setattr(determinism, "enable", lambda threads: None)
    rule: Any = Prioritized(importance=Importance(divided_by="replay_max"))
    agent = tiny_agent(
        replay=rule,
        storage=Storage(capacity=2_000),
        discount=0.0,
        steps_per_update=1,
        optimizer=Adam(learning_rate=0.01),
    )
    scored = Evaluation(epsilon=0.0, episodes=20, final_episodes=20)
    config = cartpole(
        environment="gym:simulators:Mixed-v0", agent=agent, evaluation=scored, frames=1_200, iteration_frames=400
    )
    summary = train(config, tmp_path, Options(progress=False))
    rows = read_table(tmp_path / "iterations.csv")
    assert float(rows[-1]["priority_q05"]) == 0.0  # else the case would not be that of the name
    assert all(float(row["loss"]) > 0 and float(row["importance_weight_min"]) > 1e-3 for row in rows)
    paid = summary["final_evaluation"]["returns_raw"]
    assert 4 <= sum(paid) <= 16 and set(paid) == {0.0, 1.0}  # all that pays: about half
