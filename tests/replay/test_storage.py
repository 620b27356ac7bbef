"""Storage and sampling rule are apart in the code and together in config.json, as they always were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dqn_tf import fields, make_config
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

ROOT = Path(__file__).parents[2]


def config(*settings: str) -> RunConfig:
    return make_config("dqn_classic", "CartPole-v1", seed=1, frames=100_000, settings=list(settings))


def test_in_json_its_fields_stand_among_the_rule_s() -> None:
    agent = config("execution=interleaved", "replay.placement=device").to_json()["agent"]
    assert agent["replay"] == {"kind": "uniform", "capacity": 100_000, "placement": "device"} and "storage" not in agent
    agent = config("replay=prioritized", "replay.alpha=0.5").to_json()["agent"]
    assert agent["replay"]["capacity"] == 100_000 and agent["replay"]["alpha"] == 0.5


@pytest.mark.parametrize("path", sorted((ROOT / "results" / "runs").rglob("config.json")), ids=lambda p: p.parent.name)
def test_a_file_that_an_older_build_wrote_is_read_and_keeps_its_identity(path: Path) -> None:
    written = json.loads(path.read_text())
    assert RunConfig.from_json(written).hash == fields.digest(written)


def test_the_identity_of_a_known_run() -> None:
    """Of the file as it was written when capacity was a field of ``Uniform``."""
    written = config().to_json()
    assert list(written["agent"]["replay"]) == ["kind", "capacity"]
    written["agent"]["replay"] = {"kind": "uniform", "capacity": 5_000, "compression": "delta"}
    read = RunConfig.from_json(written)
    assert (read.agent.replay, read.agent.storage) == (Uniform(), Storage(capacity=5_000, compression="delta"))
    assert read.hash == fields.digest(written) == config("replay.capacity=5000", "replay.compression=delta").hash


def test_another_rule_keeps_the_storage() -> None:
    agent = config("replay=prioritized", "replay.capacity=2_000", "replay.epsilon=0.1").agent
    assert (agent.replay, agent.storage) == (Prioritized(epsilon=0.1), Storage(capacity=2_000))
    assert config("replay=prioritized").agent.storage == Storage(capacity=100_000)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("replay.capcity=5", "Unknown path 'replay.capcity'. Did you mean 'replay.capacity'?"),
        ("storage.capacity=5", "Unknown path 'storage.capacity'. Did you mean 'replay.capacity'?"),
        ("replay.alpha=0.5", "Unknown path 'replay.alpha'."),
        ("replay.capacity=many", "Expected a whole number for `replay.capacity`, got 'many'."),
        ("replay.capacity=1", "Expected at least 2 transitions for `replay.capacity`, got 1."),
        ("replay=100", "Its own fields are: replay.capacity, replay.compression, replay.placement."),
    ],
)
def test_errors_name_the_path_that_a_user_knows(outcome: Callable[..., str], setting: str, message: str) -> None:
    assert message in outcome(config, setting)


def test_damaged_files_are_refused_by_the_same_paths(outcome: Callable[..., str]) -> None:
    def read(**replay: Any) -> None:
        written = config().to_json()
        written["agent"]["replay"] = {"kind": "uniform", **replay}
        RunConfig.from_json(written)

    assert "a value for `agent.replay.capacity`" in outcome(read)
    assert "Unknown field 'agent.replay.capacityy'" in outcome(read, capacity=100, capacityy=3)
    written = config().to_json()
    written["agent"]["storage"] = {"capacity": 3}
    assert "Unknown field 'agent.storage'" in outcome(RunConfig.from_json, written)


def test_paths_are_what_explain_and_set_show() -> None:
    paths = fields.paths(AgentConfig(network=config().agent.network, optimizer=config().agent.optimizer))
    assert [p for p in paths if p.startswith(("replay", "storage"))] == [
        *("replay", "replay.capacity", "replay.compression", "replay.placement")
    ]
