"""A trained network as one Keras model: observations in, the greedy action and the Q-values out, nothing random.

Noisy layers are their means, and implicit quantiles are taken at fixed fractions (2i - 1) / 2K: a file must answer the
same question with the same answer, and a format that cannot draw would keep the first draw for ever.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from dqn_tf import fields
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.config import AgentConfig
from dqn_tf.rng import Stream
from dqn_tf.trained import check_weights
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Tensor, TensorLike

OBSERVATIONS, MASK, ACTION, Q_VALUES = "observations", "mask", "action", "q_values"


def spec_to_json(spec: EnvironmentSpec) -> dict[str, Any]:
    """What an environment shows and which actions it has, as plain values."""
    observation = {**spec.observation._asdict(), "frame_shape": list(spec.observation.frame_shape)}
    return {"observation": observation, "action_names": list(spec.action_names), "frame_skip": spec.frame_skip}


def spec_from_json(data: dict[str, Any]) -> EnvironmentSpec:
    """The inverse of ``spec_to_json``.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    observation = dict(data["observation"])
    shape = tuple(int(size) for size in observation.pop("frame_shape"))
    return EnvironmentSpec(
        ObservationSpec(frame_shape=shape, **observation),
        tuple(str(name) for name in data["action_names"]),
        int(data["frame_skip"]),
    )


def build(agent: AgentConfig, spec: EnvironmentSpec, weights: dict[str, np.ndarray]) -> Any:
    """The Keras model of a trained network.

    Args:
        agent: torso, head, layers and value family.
        spec: what its environment shows, and its actions.
        weights: by name (``TrainedAgent.weights``).

    Returns:
        A ``Policy``: a ``keras.Model`` from observations [B, ...] (and a mask [B, A] bool where the environment has
        masks) to {"action": [B] int64, "q_values": [B, A] float32}.

    Raises:
        ConfigError: the weights are those of another network.
    """
    policy = policy_class()(fields.to_json(agent), spec_to_json(spec))
    policy.assign(weights, "the agent")
    return policy


class _Behavior:
    """What a ``Policy`` does; the rest is that of ``keras.Model``, which is not imported before it is used."""

    def __init__(self, agent: dict[str, Any], spec: dict[str, Any]) -> None:
        super().__init__(name="policy")  # type: ignore[call-arg]  # Keras would number it
        self._description = {"agent": agent, "spec": spec}
        config, self._spec = fields.from_json(AgentConfig, agent), spec_from_json(spec)
        self._network = QNetwork(
            config.network,
            config.value,
            self._spec.observation,
            self._spec.num_actions,
            Stream(0, "weights"),
            head=config.head,
            layers=config.layers,
        )
        self.theta = list(self._network.named_variables.values())  # what Keras tracks
        self.built = True

    def call(self, observations: TensorLike, mask: TensorLike | None = None) -> dict[str, Tensor]:
        q_values = self._network(observations, "act").q_values
        allowed = q_values if mask is None else tf.where(mask, q_values, q_values.dtype.min)
        return {ACTION: tf.argmax(allowed, axis=-1), Q_VALUES: q_values}  # keras.ops.argmax cannot be exported

    @property
    def signature(self) -> list[Any]:
        """What it is called with, as ``tf.TensorSpec``."""
        observation = self._spec.observation
        shown = tf.TensorSpec([None, *observation.shape], observation.dtype, name=OBSERVATIONS)
        mask = tf.TensorSpec([None, self._spec.num_actions], tf.bool, name=MASK)
        return [shown, mask] if self._spec.masked else [shown]

    @property
    def weights_by_name(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(variable) for name, variable in self._network.named_variables.items()}

    def assign(self, weights: dict[str, np.ndarray], whose: str) -> None:
        named = self._network.named_variables
        shapes = {name: tuple(int(size) for size in variable.shape) for name, variable in named.items()}
        check_weights(shapes, {name: array.shape for name, array in weights.items()}, whose)
        for name, variable in named.items():
            variable.assign(weights[name])

    def get_config(self) -> dict[str, Any]:
        return dict(self._description)

    def save_own_variables(self, store: Any) -> None:
        for name, array in self.weights_by_name.items():
            store[name.replace("/", ".")] = array

    def load_own_variables(self, store: Any) -> None:
        names = {name: name.replace(".", "/") for name in list(store.keys())}
        self.assign({names[name]: np.asarray(store[name]) for name in names}, "the file")


@functools.cache
def policy_class() -> Any:
    """The class of the model, registered with Keras as ``dqn_tf>Policy``, so that a .keras file can name it."""
    made = type("Policy", (_Behavior, tf.keras.Model), {"__module__": __name__})
    return tf.keras.utils.register_keras_serializable(package="dqn_tf")(made)
