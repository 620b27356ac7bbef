"""Whole updates of presets beside those of their authors' programs in PyTorch: MinAtar's DQN, CleanRL's DQN and C51.

tests/independent/torch_answers.py ran in an environment of PyTorch; its answers are kept beside it.  Here the presets
make the same twenty updates, from the same weights and batches, in float32.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import importlib.util
import json
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import determinism, plain_json
from dqn_tf.presets import load
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, Transition
from reproduce.checking.library_comparison import ANSWERS
from reproduce.places import RESULTS

FOUND = RESULTS / "independent" / "programs.json"


class Updates(NamedTuple):
    """What twenty updates made.

    Attributes:
        losses: [20], one for each update.
        changes: for each variable, how far its numbers have moved; of large variables every k-th number.
    """

    losses: np.ndarray
    changes: list[np.ndarray]


@functools.cache
def script() -> Any:
    """The module torch_answers.py; it imports torch only when it is run."""
    spec = importlib.util.spec_from_file_location("torch_answers", ANSWERS / "torch_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def answers() -> dict[str, np.ndarray]:
    """What is kept of the programs' updates."""
    with np.load(ANSWERS / "torch.npz") as archive:
        return dict(archive)


def theirs(name: str) -> Updates:
    """The updates of an author's program, as they are kept.

    Args:
        name: the preset that follows it, a key of LAYOUT in torch_answers.py.

    Returns:
        Losses and changes, float32.
    """
    count = len(script().LAYOUT[name][2])
    return Updates(answers()[f"{name}/loss"], [answers()[f"{name}/change/{i}"] for i in range(count)])


def ours(name: str, **changes: Any) -> Updates:
    """The same updates by a preset.

    Args:
        name: the preset.
        changes: other values of fields of its agent.

    Returns:
        Losses, float64, and changes, float32.
    """
    from dqn_tf.execution.learner import Learner  # and TensorFlow, which a page of documentation does not need

    batch, actions, _ = script().LAYOUT[name]
    x = script().inputs(name)
    kind = ObservationSpec(x["s_t"].shape[2:], str(x["s_t"].dtype))
    agent = load(name).agent
    agent = dataclasses.replace(agent, **changes, execution=dataclasses.replace(agent.execution, xla="none"))
    learner = Learner(agent, EnvironmentSpec(kind, tuple(map(str, range(actions))), 1), seed=0)
    for network, weights in ((learner.online, x["online"]), (learner.target, x["target"])):
        for variable, values in zip(network.variables, weights, strict=True):
            variable.assign(values)
    losses = []
    for u in range(script().UPDATES):
        discount = np.where(x["over"][u], 0, 0.99).astype(np.float32)
        transitions = Transition(x["s_tm1"][u], x["a_tm1"][u].astype(np.int32), x["r_t"][u], discount, x["s_t"][u])
        sample = Sample(transitions, np.arange(batch, dtype=np.int64), np.ones(batch, np.float32))
        losses.append(float(learner.update(sample, u).loss))
    moved = [np.asarray(v) - before for v, before in zip(learner.online.variables, x["online"], strict=True)]
    kept = [change.ravel()[:: script().every(change.size)] for change in moved]
    return Updates(np.array(losses), kept)


def compare(name: str) -> list[dict[str, Any]]:
    """Our updates beside theirs.

    Args:
        name: the preset.

    Returns:
        A row for the losses and one for the changes of weights: how many numbers, the largest, the largest difference.
    """
    mine, other = ours(name), theirs(name)
    pairs = {
        "losses": (mine.losses, other.losses),
        "changes of weights": (np.concatenate(mine.changes), np.concatenate(other.changes)),
    }
    return [
        {
            "agent": name,
            "quantity": quantity,
            "numbers": int(b.size),
            "largest": float(np.abs(b).max()),
            "largest_difference": float(np.abs(a.astype(np.float64) - b).max()),
        }
        for quantity, (a, b) in pairs.items()
    ]


def measure() -> None:
    """Compare all three, and write the differences."""
    versions = {"dqn_tf": determinism.package_version(), "tensorflow": importlib.metadata.version("tensorflow")}
    found = {
        "versions": versions | json.loads(str(answers()["versions"])),
        "code_sha256": determinism.code_digest(),
        "cpu": determinism.cpu_model(),
        "updates": script().UPDATES,
        "differences": [row for name in script().LAYOUT for row in compare(name)],
    }
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(plain_json.dumps(found, indent=1) + "\n")
