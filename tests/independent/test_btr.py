"""BTR's parts against PyTorch's (btr_answers.py): torso, power iterations, target, loss and priorities.

python tests/independent/test_btr.py          # writes results/independent/btr.json, for docs/independent.md
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, Transition, ValueOutputs

HERE = Path(__file__).parent


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("btr_answers", HERE / "btr_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
ANSWERS = dict(np.load(HERE / "btr.npz"))
INPUTS = SCRIPT.inputs()


def of_torso(**changes: Any) -> dict[str, float]:
    """The largest differences."""
    torso = Impala(
        **{
            "channels": SCRIPT.CHANNELS,
            "hidden": 2,
            "pooling": "centered",
            "spectral_norm": True,
            "pooled_size": SCRIPT.POOLED,
            **changes,
        }
    )
    spec = ObservationSpec((SCRIPT.HEIGHT, SCRIPT.WIDTH), "uint8", SCRIPT.FRAMES)
    network = QNetwork(torso, Expected(), spec, 2, Stream(0, "weights"))
    for variable, values in zip(network.torso.trainable_variables, INPUTS["weights"], strict=True):
        variable.assign(values)
    for vector, values in zip(network.power_vectors, INPUTS["vectors"], strict=True):
        vector.assign(values)
    features = network.features(INPUTS["pictures"]).numpy()
    network.power_step()
    after = network.features(INPUTS["pictures"]).numpy()
    names = [f"{name}/{i}" for i in range(len(network.power_vectors) // 2) for name in ("u", "v")]
    moved = [np.abs(v - ANSWERS[name]).max() for v, name in zip(network.power_vectors, names, strict=True)]
    return {
        "features": float(np.abs(features - ANSWERS["features"]).max()),
        "features_after": float(np.abs(after - ANSWERS["features_after"]).max()),
        "vectors": float(max(moved)),
    }


def of_loss(**changes: Any) -> dict[str, float]:
    """The largest differences of loss, priority and gradient."""
    x = INPUTS
    rule = Munchausen(alpha=SCRIPT.ALPHA, tau=SCRIPT.TAU, log_policy_min=SCRIPT.LOWEST, reward_network="online")
    family = ImplicitQuantile(**{"kappa": 1.0, "absolute_priority": True, **changes})
    assert rule.states == (("online", "s_tm1"),)
    actions = tf.constant(x["actions"], tf.int32)
    after = ValueOutputs(tf.reduce_mean(x["next"], axis=-1), dist=tf.constant(x["next"]))
    terms = rule.terms(after, {("online", "s_tm1"): ValueOutputs(tf.constant(x["now"]))}, actions)
    discount = np.where(x["over"], 0, SCRIPT.GAMMA**SCRIPT.STEPS).astype(np.float32)
    transitions = Transition(s_tm1=None, a_tm1=actions, r_t=x["rewards"], discount_t=discount, s_t=None)
    predicted = tf.constant(x["predicted"])
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        outputs = ValueOutputs(tf.reduce_mean(predicted, axis=-1), dist=predicted, taus=tf.constant(x["taus"]))
        losses = family.losses(outputs, transitions, after, terms)
        total = tf.reduce_sum(losses.loss)
    gradient = tape.gradient(total, predicted).numpy()[np.arange(SCRIPT.TRANSITIONS), x["actions"]]
    found = {"loss": losses.loss, "priority": losses.priority, "gradient": gradient}
    return {name: float(np.abs(value - ANSWERS[name]).max()) for name, value in found.items()}


def test_the_torso() -> None:
    """Through fifteen convolutions in float32, twelve of them divided by a singular value."""
    found = of_torso()
    assert found["vectors"] < 2e-6
    scale = np.abs(ANSWERS["features"]).max()
    assert max(found["features"], found["features_after"]) < 1e-5 * scale
    assert of_torso(pooling="same")["features"] > 1e-3 * scale  # what the tolerance must be able to see


def test_target_loss_and_priority() -> None:
    found = of_loss()
    assert max(found.values()) < 1e-5
    assert of_loss(absolute_priority=False)["priority"] > 0.1


def main() -> None:
    found = {"versions": [str(v) for v in ANSWERS["versions"]], "torso": of_torso(), "loss": of_loss()}
    found["largest_feature"] = float(np.abs(ANSWERS["features"]).max())
    out = HERE.parents[1] / "results" / "independent" / "btr.json"
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main()
