"""The presets of MinAtar's authors and of CleanRL against their programs in PyTorch (torch_answers.py).

The same weights, batches and settings give the same losses and the same updated weights, to float32 rounding.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.learner import Learner
from dqn_tf.presets import load
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition

HERE = Path(__file__).parent


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("torch_answers", HERE / "torch_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
ANSWERS = dict(np.load(HERE / "torch.npz"))


def trained(name: str, **changes: Any) -> tuple[list[float], list[np.ndarray]]:
    """Losses of the preset's twenty updates, and how far each variable has moved."""
    batch, actions, _ = SCRIPT.LAYOUT[name]
    x = SCRIPT.inputs(name)
    kind = ObservationSpec(x["s_t"].shape[2:], str(x["s_t"].dtype))
    agent = load(name).agent
    agent = dataclasses.replace(agent, **changes, execution=dataclasses.replace(agent.execution, xla="none"))
    learner = Learner(agent, EnvironmentSpec(kind, tuple(map(str, range(actions))), 1), seed=0)
    for network, weights in ((learner.online, x["online"]), (learner.target, x["target"])):
        for variable, values in zip(network.variables, weights, strict=True):
            variable.assign(values)
    losses = []
    for u in range(SCRIPT.UPDATES):
        discount = np.where(x["over"][u], 0, 0.99).astype(np.float32)
        transitions = Transition(x["s_tm1"][u], x["a_tm1"][u].astype(np.int32), x["r_t"][u], discount, x["s_t"][u])
        sample = Sample(transitions, np.arange(batch, dtype=np.int64), np.ones(batch, np.float32))
        losses.append(float(learner.update(sample, u).loss))
    moved = [np.asarray(v) - before for v, before in zip(learner.online.variables, x["online"], strict=True)]
    return losses, moved


def largest_differences(name: str, **changes: Any) -> tuple[float, float]:
    """Of the losses, as shares of them; and of the changes, as shares of the variable's largest change."""
    losses, moved = trained(name, **changes)
    of_losses = np.abs(np.array(losses) / ANSWERS[f"{name}/loss"] - 1).max()
    shares = []
    for i, change in enumerate(moved):
        known = ANSWERS[f"{name}/change/{i}"]
        got = change.ravel()[:: SCRIPT.every(change.size)]
        shares.append(np.abs(got - known).max() / np.abs(known).max())
    return float(of_losses), float(max(shares))


@pytest.mark.parametrize("name", SCRIPT.LAYOUT)
def test_the_same_updates_as_the_authors_program(name: str) -> None:
    """Twenty updates in float32: found were 2e-7 of a loss, and 1.4e-5 of a variable's largest change (a weight of 0.1
    that moves by 1e-3 is itself rounded to 1e-5 of that)."""
    of_losses, of_changes = largest_differences(name)
    assert of_losses < 2e-6 and of_changes < 2e-4, (of_losses, of_changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("dqn_minatar", {"optimizer": {"epsilon_place": "inside"}}),
        ("dqn_minatar", {"value": {"huber_threshold": 0.5}}),
        ("dqn_cleanrl", {"value": {"loss": "huber"}}),
        ("c51_cleanrl", {"optimizer": {"epsilon": 1e-8}}),
    ],
)
def test_another_setting_would_be_seen(name: str, changes: dict[str, dict[str, Any]]) -> None:
    agent = load(name).agent
    other = {field: dataclasses.replace(getattr(agent, field), **values) for field, values in changes.items()}
    assert max(largest_differences(name, **other)) > 0.05
