"""BBF against its published program (bbf_answers.py): network, optimizer, schedules, resets.

python tests/independent/test_bbf.py          # writes results/independent/bbf.json, for docs/independent.md
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.adamw import AdamW
from dqn_tf.agent.annealing import AnnealedNStep, Horizon
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.spr import SPR, project
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import load
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec

HERE = Path(__file__).parent


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("bbf_answers", HERE / "bbf_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
ANSWERS = dict(np.load(HERE / "bbf.npz"))
INPUTS = SCRIPT.inputs()


def network() -> QNetwork:
    """Ours, with their weights."""
    built = QNetwork(
        Impala(hidden=SCRIPT.HIDDEN, initialization="glorot_uniform", latent="min_max"),
        Categorical(atoms=SCRIPT.ATOMS, v_min=-10.0, v_max=10.0),
        ObservationSpec((SCRIPT.SIZE, SCRIPT.SIZE), "uint8", SCRIPT.FRAMES),
        SCRIPT.ACTIONS,
        Stream(0, "weights"),
        head=Dueling(hidden="shared"),
        auxiliary=SPR(steps=SCRIPT.STEPS),
    )
    for variable, values in zip(built.variables, INPUTS["weights"], strict=True):
        variable.assign(values)
    return built


def of_network() -> dict[str, float]:
    """The largest differences."""
    ours, x, batch = network(), INPUTS, SCRIPT.BATCH
    features = ours.features(x["pictures"])
    outputs = ours.outputs(features, "predict", None)
    latents = ours.prediction.rollout(features, tf.constant(x["actions"], tf.int32))
    predictions = ours.prediction.predictor(project(ours.head, tf.reshape(latents, [batch * SCRIPT.STEPS, -1])))
    states = x["future"].reshape(batch * SCRIPT.STEPS, *x["future"].shape[2:])
    found = {
        "latent": features,
        "q": outputs.q_values,
        "logits": outputs.dist,
        "predictions": predictions,
        "targets": project(ours.head, ours.features(states)),
    }
    return {k: float(np.abs(np.reshape(v, ANSWERS[k].shape) - ANSWERS[k]).max()) for k, v in found.items()}


def of_optimizer(weight_decay: float = 0.1) -> float:
    """The largest difference of a weight after ``SCRIPT.UPDATES`` updates."""
    variables = [tf.Variable(values, name=name.replace("/", "_")) for name, values in INPUTS["theta"].items()]
    optimizer = AdamW(learning_rate=1e-2, epsilon=1.5e-4, weight_decay=weight_decay).build(variables)
    for gradients in INPUTS["gradients"]:
        optimizer.apply_gradients([(tf.constant(g), v) for g, v in zip(gradients.values(), variables, strict=True)])
    return max(float(np.abs(v - ANSWERS[name]).max()) for v, name in zip(variables, INPUTS["theta"], strict=True))


def test_the_network() -> None:
    """Values of up to 3 in float32, through 15 convolutions: found were 2e-6 or less."""
    assert max(of_network().values()) < 2e-5


def test_the_optimizer() -> None:
    assert of_optimizer() < 2e-6
    assert of_optimizer(weight_decay=0.11) > 1e-4  # what the tolerance must be able to see


def test_the_schedules() -> None:
    agent = load("bbf").agent
    assert isinstance(agent.returns, AnnealedNStep)
    found = [agent.returns.at(Horizon(agent.n_step, agent.discount), c) for c in SCRIPT.CLOCKS]
    assert [h.n_step for h in found] == ANSWERS["n"].tolist()
    np.testing.assert_allclose([h.discount for h in found], ANSWERS["gamma"], rtol=1e-14)


def test_after_a_reset_all_moments_begin_again() -> None:
    """Its code means to keep those of torso and transition model; what it computes is in ``slots``."""
    assert float(ANSWERS["slots"]) == 0.0
    for preset in ("bbf", "bbf_rr2", "sr_spr"):
        assert load(preset).agent.resets.slots == "fresh"


def test_parameter_count() -> None:
    """Full size, 18 actions; counted by shapes alone."""
    preset = load("bbf").agent
    assert preset.network.hidden == 2048 and preset.network.width == 4
    wide = QNetwork(
        preset.network,
        preset.value,
        ObservationSpec((84, 84), "uint8", 4),
        18,
        Stream(0, "weights"),
        head=preset.head,
        auxiliary=preset.auxiliary,
    )
    assert sum(int(np.prod(v.shape)) for v in wide.variables) == int(ANSWERS["count"]) == 39_771_401


def main() -> None:
    found = {
        "versions": [str(v) for v in ANSWERS["versions"]],
        "network": of_network(),
        "optimizer": of_optimizer(),
        "count": int(ANSWERS["count"]),
    }
    out = HERE.parents[1] / "results" / "independent" / "bbf.json"
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main()
