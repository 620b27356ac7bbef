"""Contracts of an agent's parts: every built-in part satisfies its own, and parts from outside train like them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import math
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import determinism, fields, outside
from dqn_tf.agent import contracts
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, RunConfig
from dqn_tf.modes import Interleaved
from dqn_tf.training.run import Options, train
from dqn_tf.types import Monitored, SampleIndices, TargetTerms, Transition, ValueOutputs

EXAMPLES = Path(__file__).parents[2] / "examples"
QUIET = Options(checkpoint_frames=30, progress=False)
HINTS = typing.get_type_hints(AgentConfig)
OPEN = {name: contract for name in HINTS if (contract := fields.contract(HINTS[name]))}
BUILT_IN = [(name, cls) for name in OPEN for cls in fields.choices(HINTS[name]).values()]


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


def test_these_fields_are_open() -> None:
    assert {name: contract.__name__ for name, contract in OPEN.items()} == {
        **{"network": "Torso", "head": "Head", "layers": "Layers", "value": "ValueFamily", "bootstrap": "TargetRule"},
        **{"replay": "SamplingRule", "optimizer": "Optimizer"},
    }


@pytest.mark.parametrize(("name", "part"), BUILT_IN, ids=[f"{n} {c.__name__}" for n, c in BUILT_IN])
def test_a_built_in_part_has_what_its_contract_asks_for(name: str, part: type) -> None:
    """The members, and methods with the same parameters in the same order (mypy compares their types)."""
    assert outside.missing_members(OPEN[name], part()) == []
    for method, asked in inspect.getmembers(OPEN[name], inspect.isfunction):
        if not method.startswith("_"):
            own = inspect.signature(getattr(part, method))
            assert [(p.name, p.kind, p.default) for p in own.parameters.values()] == [
                (p.name, p.kind, p.default) for p in inspect.signature(asked).parameters.values()
            ], method


def test_every_argument_of_a_contract_says_its_type() -> None:
    """And no annotation is a bare Any."""
    methods = [
        (cls.__name__, name, method)
        for cls in vars(contracts).values()
        if isinstance(cls, type) and cls.__module__ == contracts.__name__
        for name, method in vars(cls).items()
        if inspect.isfunction(method) and (name == "__call__" or not name.startswith("_"))
    ]
    assert len(methods) > 10
    for cls, name, method in methods:
        annotations = inspect.get_annotations(method)
        parameters = [p for p in inspect.signature(method).parameters if p != "self"]
        assert {*parameters, "return"} == set(annotations) and "Any" not in annotations.values(), (cls, name)
        assert method.__doc__, (cls, name)


def test_log_cosh(example: Callable[[str], ModuleType]) -> None:
    """Against NumPy; and nothing is learned from the target."""
    family = example("own_value_family").LogCosh(scale=2.0)
    q, next_q = np.array([[0.0, 1.0], [4.0, 9.0]], np.float32), np.array([[3.0, 0.0], [0.0, -700.0]], np.float32)
    moved = Transition(
        None, np.array([1, 0], np.int32), np.array([1.0, 2.0], np.float32), np.array([0.5, 1.0], np.float32), None
    )
    terms = TargetTerms(np.array([[1.0, 0], [0, 1]], np.float32), np.zeros((2, 2), np.float32), np.zeros(2, "f4"))
    out = family.losses(ValueOutputs(q), moved, ValueOutputs(next_q), terms)
    np.testing.assert_allclose(out.td_error, [1.5, -702.0])  # 1 + 0.5 * 3 - 1;  2 - 700 - 4
    expected = [4 * math.log(math.cosh(0.75)), 4 * (351.0 - math.log(2.0))]
    np.testing.assert_allclose(out.loss, expected, rtol=1e-6)  # float32


def test_expected_sarsa_without_chance_is_dqn_to_the_last_bit(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    tiny_agent: Callable[..., AgentConfig],
    example: Callable[[str], ModuleType],
) -> None:
    rules = {"sarsa": example("own_target_rule").ExpectedSarsa(epsilon=0.0), "dqn": Greedy()}
    digests = [
        train(cartpole(agent=tiny_agent(bootstrap=rule)), tmp_path / name, QUIET)["state_digest"]
        for name, rule in rules.items()
    ]
    assert digests[0] == digests[1]
    other = tiny_agent(bootstrap=example("own_target_rule").ExpectedSarsa(epsilon=0.5))
    assert train(cartpole(agent=other), tmp_path / "other", QUIET)["state_digest"] != digests[0]


def test_a_run_of_parts_from_outside_is_stopped_continued_and_loaded(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    tiny_agent: Callable[..., AgentConfig],
    example: Callable[[str], ModuleType],
) -> None:
    """With the bytes of one that was not stopped; its directory says where its parts come from."""
    parts = {
        "value": example("own_value_family").LogCosh(),
        "bootstrap": example("own_target_rule").ExpectedSarsa(),
        "network": example("own_network").Normalized(widths=(8,), hidden=4),
    }
    config = cartpole(agent=tiny_agent(**parts))
    whole = train(config, tmp_path / "whole", QUIET)

    def stop(record: Any) -> None:
        raise StopIteration

    with pytest.raises(dqn_tf.RunError):
        train(config, tmp_path / "run", QUIET, on_iteration=stop)
    assert train(config, tmp_path / "run", QUIET) == whole
    agent = dqn_tf.load(tmp_path / "run")
    assert agent.config == config and agent.q_values(np.zeros((3, 4), np.float32)).shape == (3, 2)
    assert config.to_json()["agent"]["network"]["kind"] == "own_network:Normalized"
    assert config.hash != cartpole(agent=tiny_agent(**{**parts, "value": Expected()})).hash


def test_a_part_whose_code_has_changed_is_warned_of(
    tmp_path: Path,
    cartpole: Callable[..., RunConfig],
    tiny_agent: Callable[..., AgentConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a change of the package itself is: the file is part of the session's digest of code."""
    code = tmp_path / "my_rule.py"
    code.write_text((EXAMPLES / "own_target_rule.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    config = cartpole(agent=tiny_agent(bootstrap=importlib.import_module("my_rule").ExpectedSarsa()))
    assert [cls.__name__ for cls in fields.outside_classes(config)] == ["ExpectedSarsa"]

    def stop(record: Any) -> None:
        raise StopIteration

    def session() -> str:
        with contextlib.suppress(dqn_tf.RunError):
            train(config, tmp_path / "run", QUIET, on_iteration=stop)
        return (tmp_path / "run" / "log.txt").read_text()

    session()
    assert "of a part from outside" not in session()
    code.write_text(code.read_text() + "# changed\n")
    assert "of a part from outside, is not what an earlier session of this run had" in session()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recent:
    """One of the newest ``window`` rows, with the same probability: a sampler in the fewest words."""

    has_priorities = False
    monitored = ()
    window: int = fields.setting(32)

    def build(self, capacity: int) -> Recent:
        return self

    def sampler_bytes(self, capacity: int) -> int:
        return 0

    def monitors(self, weights_of: Any, update: int) -> Monitored:
        return Monitored({}, {})

    def sample_indices(self, ring: Any, batch_size: int, random: np.random.Generator, update: int = 0) -> SampleIndices:
        rows = np.arange(max(ring.oldest, ring.head - self.window), ring.head)
        return SampleIndices(random.choice(rows[ring.usable(rows)], batch_size), np.ones(batch_size, np.float32))


def test_a_sampling_rule_from_outside(
    tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., AgentConfig]
) -> None:
    """With two threads its batches are drawn early or in their turn: the bytes are the same."""
    digests = []
    for threads in (1, 2):
        agent = tiny_agent(replay=Recent(), execution=Interleaved(xla="none", threads=threads))
        digests.append(train(cartpole(agent=agent), tmp_path / str(threads), QUIET)["state_digest"])
    assert digests[0] == digests[1]
    data = cartpole(agent=tiny_agent(replay=Recent(window=9))).to_json()
    assert data["agent"]["replay"] == {"kind": f"{__name__}:Recent", "window": 9, "capacity": 64}
    assert RunConfig.from_json(data).agent.replay == Recent(window=9)
    assert train(cartpole(), tmp_path / "uniform", QUIET)["state_digest"] != digests[0]


def test_what_a_part_lacks_is_said(tiny_agent: Callable[..., AgentConfig], outcome: Callable[..., str]) -> None:
    @dataclasses.dataclass(frozen=True)
    class Half:
        random = False

        def parts(self) -> None: ...

    said = outcome(tiny_agent, value=Half())
    assert said.endswith("(Half). It lacks: losses, monitored, monitors, outputs, outputs_per_action.")
    assert "or a ValueFamily of your own for `value`" in said
