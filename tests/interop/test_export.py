"""``export``: what other programs' runtimes answer is what the agent answers, and two exports are equal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dqn_tf
from dqn_tf import cli, envs
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.parameters import build_network
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.config import RunConfig
from dqn_tf.interop import export as exporting
from dqn_tf.interop import formats, policy, recorded
from dqn_tf.trained import TrainedAgent
from dqn_tf.training.run import Options, train
from dqn_tf.types import EnvironmentSpec, ObservationSpec

pytestmark = pytest.mark.usefixtures("threads_left_alone")

IQN = ImplicitQuantile(samples=4, target_samples=4, policy_samples=4, cosines=4)
IDEAS: dict[str, Any] = {
    "value": IQN,
    "head": Dueling(hidden="shared"),
    "layers": Noisy(),
    "network": MLP(hidden=(6, 8)),
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.conftest import CARTPOLE

    train(CARTPOLE, tmp_path_factory.mktemp("runs") / "run", Options(progress=False))
    return tmp_path_factory.getbasetemp() / "runs0" / "run"


def agent_of(config: RunConfig, seed: int = 5) -> TrainedAgent:
    """An untrained agent, whose biases and sigmas are no constants."""
    environment = envs.make(config.environment, config.protocol, config.seed)
    network = build_network(config.agent, environment.spec, seed)
    environment.close()
    draw = np.random.default_rng(seed)
    theta = [np.asarray(v) + draw.normal(size=v.shape, scale=0.1).astype(np.float32) for v in network.variables]
    return TrainedAgent(config, "last", 0, {f"online/{i:02d}": array for i, array in enumerate(theta)}, seed)


def needed(name: str) -> formats.Format:
    for package in formats.FORMATS[name].needs:
        pytest.importorskip(package)
    return formats.find(name)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_another_runtime_answers_as_the_agent(
    tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any], name: str
) -> None:
    """On states that the export did not see; and what differs between two exports is what the contract says."""
    form, agent = needed(name), agent_of(cartpole(agent=tiny_agent(**IDEAS)))
    seen = recorded.record(agent, 8)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    contracts = [exporting.write(agent, name, form, folder, seen, 1e-5) for folder in folders]
    assert contracts[0] == contracts[1] == json.loads((folders[0] / "contract.json").read_text())
    equal = all((folders[1] / p.relative_to(folders[0])).read_bytes() == p.read_bytes() for p in files(folders[0]))
    assert equal == form.same_bytes == ("sha256" in contracts[0])

    others = np.random.default_rng(0).normal(size=(33, 4)).astype(np.float32)
    actions, q_values = form.open(folders[0] / form.file)(others)
    own = agent.q_values_without_draws(others)
    np.testing.assert_allclose(q_values, own, rtol=0, atol=1e-5)  # sums in another order
    assert actions.dtype == np.int64 and (actions == own.argmax(axis=1)).mean() > 0.95
    assert "means" in contracts[0]["randomness"] and "fractions" in contracts[0]["randomness"]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_images_and_masks(
    tmp_path: Path, cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any], name: str
) -> None:
    """Bytes stay bytes, stacks stand on the last axis, and no illegal action is the greedy one."""
    form = needed(name)
    spec = EnvironmentSpec(ObservationSpec((9, 8), "uint8", stack=2, mask_size=3), ("a", "b", "c"), 4)
    network = CNN(channels=(4,), kernels=(3,), strides=(2,), hidden=6, layer_norm="channels")
    agent = tiny_agent(network=network, layers=LayerNorm(), value=Categorical(atoms=5))
    q_network = build_network(agent, spec, 1)
    weights = {n: np.asarray(variable) for n, variable in q_network.named_variables.items()}
    model = policy.build(agent, spec, weights)
    with formats.quietly():
        form.write(model, tmp_path / form.file)
    states = np.random.default_rng(0).integers(0, 256, (16, 9, 8, 2), dtype=np.uint8)
    masks = np.random.default_rng(1).random((16, 3)) < 0.4
    masks[:, 1] |= ~masks.any(axis=1)
    actions, q_values = form.open(tmp_path / form.file)(states, masks)
    own = np.asarray(q_network(states, "act").q_values)
    recorded.compare(own, actions, q_values, masks, 1e-5)
    assert masks[np.arange(16), actions].all() and not (actions == own.argmax(axis=1)).all()


def test_weights_have_names_and_are_refused_by_them(
    tiny_agent: Callable[..., Any], vectors: Callable[..., Any]
) -> None:
    """The two streams of a dueling head have equal shapes where A is 1: position would not tell them apart."""
    agent, spec = tiny_agent(head=Dueling(), layers=Noisy()), vectors(3, 1)
    network = build_network(agent, spec, 0)
    named = network.named_variables
    assert [id(v) for v in named.values()] == [id(v) for v in network.variables]
    assert "head/value_output/mu_w" in named and "head/advantage_hidden_0/sigma_b" in named
    weights = {name: np.asarray(variable) for name, variable in named.items()}
    model = policy.build(agent, spec, dict(reversed(weights.items())))
    for name, array in model.weights_by_name.items():
        np.testing.assert_array_equal(array, weights[name])
    wrong = {**weights, "head/value_output/mu_w": np.zeros((8, 3), np.float32)}
    with pytest.raises(dqn_tf.ConfigError) as caught:
        policy.build(agent, spec, wrong)
    assert str(caught.value) == (
        "Expected [8, 1] for head/value_output/mu_w in the agent, got [8, 3]: it holds the weights of another network."
    )
    del wrong["head/value_output/mu_w"]
    with pytest.raises(dqn_tf.ConfigError, match=r"for head/value_output/mu_w in the agent, got no such weights"):
        policy.build(agent, spec, wrong)


def test_a_run_is_exported_by_one_command(tmp_path: Path, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in files(run_dir)}
    out = tmp_path / "new" / "exported"
    assert cli.main(["export", str(run_dir), "--format", "keras", "--out", str(out)]) == 0
    assert "100.0% of the greedy actions are equal. Randomness: none" in capsys.readouterr().out
    contract = json.loads((out / "contract.json").read_text())
    assert contract["inputs"]["observations"]["shape"] == ["batch", 4] and contract["parity"]["states"] == 64
    assert contract["weights"].keys() == dqn_tf.load(run_dir).weights.keys()
    assert sorted(path.name for path in out.iterdir()) == ["contract.json", "policy.keras"]
    assert before == {path: path.read_bytes() for path in files(run_dir)}


def test_what_is_refused(
    tmp_path: Path, run_dir: Path, outcome: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written; or, where the answers are wrong, without anything left of it."""
    out = tmp_path / "out"
    assert outcome(dqn_tf.export, run_dir, "onxx", out).startswith("Unknown format 'onxx'. Did you mean 'onnx'?")
    assert outcome(dqn_tf.export, run_dir, "keras", run_dir).startswith("Expected a new or empty directory for --out")
    assert outcome(dqn_tf.export, run_dir, "keras", out, tolerance=0.0).startswith("Expected a number > 0")
    assert outcome(dqn_tf.export, tmp_path, "keras", out).startswith("Expected a run directory")
    with monkeypatch.context() as patch:
        patch.setattr(formats.importlib.util, "find_spec", lambda name: None)
        assert outcome(dqn_tf.export, run_dir, "litert", out) == (
            "--format litert needs the extra: pip install 'dqn_tf[export]' (missing: ai_edge_litert)"
        )

    def open_wrong(path: Path) -> formats.Runner:
        answer = formats._open_keras(path)
        return lambda *inputs: (answer(*inputs)[0], answer(*inputs)[1] + 0.25)

    wrong = formats.FORMATS["keras"]._replace(open=open_wrong)
    monkeypatch.setitem(formats.FORMATS, "keras", wrong)
    message = outcome(dqn_tf.export, run_dir, "keras", out)
    assert "got a difference of 0.25, with 100.0% of the greedy actions equal. Nothing was written" in message
    failing = wrong._replace(open=lambda path: 1 // 0)
    monkeypatch.setitem(formats.FORMATS, "keras", failing)
    assert "cannot be exported as keras: ZeroDivisionError" in outcome(dqn_tf.export, run_dir, "keras", out)
    assert not list(tmp_path.iterdir())


def test_a_wrong_action_is_seen(outcome: Callable[..., str]) -> None:
    """Unless it is as good as the best within the tolerance."""
    own = np.array([[1.0, 2.0], [3.0, 3.0 - 1e-6]], np.float32)
    parity = recorded.compare(own, np.array([1, 1]), own, None, 1e-5)
    assert (parity.equal_actions, parity.largest_difference, parity.largest_q) == (0.5, 0.0, 3.0)
    assert "50.0% of the greedy actions" in outcome(recorded.compare, own, np.array([0, 0]), own, None, 1e-5)
    assert "the network has diverged" in outcome(recorded.compare, own * np.nan, np.array([0, 0]), own, None, 1e-5)


def test_the_mean_of_a_noisy_agent_is_what_is_compared(
    cartpole: Callable[..., RunConfig], tiny_agent: Callable[..., Any]
) -> None:
    agent = agent_of(cartpole(agent=tiny_agent(layers=Noisy())))
    states = recorded.record(agent, 5).observations
    still = agent.q_values_without_draws(states)
    quiet = agent_of(dataclasses.replace(agent.config, agent=tiny_agent(layers=Noisy(scoring="mean"))))
    np.testing.assert_allclose(quiet.q_values(states), still, rtol=0, atol=1e-6)  # eager against compiled
    assert np.abs(agent.q_values(states) - still).max() > 1e-3
