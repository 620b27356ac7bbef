"""Q(s, .; theta) = head(torso(s)): the torso reads the observation, the value family shapes the head."""

from __future__ import annotations

from typing import Any

from dqn_tf import lazy_tf as tf
from dqn_tf.networks.initializers import Initializers
from dqn_tf.rng import Stream
from dqn_tf.types import ObservationSpec, ValueOutputs


class QNetwork:
    """One set of parameters theta.

    ``network``: a torso's configuration.  ``value``: a value family (values/).  ``stream``: where the initial weights
    come from; two networks made from equal streams are equal.
    """

    def __init__(self, network: Any, value: Any, spec: ObservationSpec, num_actions: int, stream: Stream) -> None:
        network.check_observation(spec)
        initializers = Initializers(network.initialization, stream)
        layers, features = network.layers(spec, initializers)
        outputs = value.num_outputs(num_actions)
        head = tf.keras.layers.Dense(outputs, **initializers.layer(features, outputs))
        self._value, self._num_actions = value, num_actions
        self.model = tf.keras.Sequential([tf.keras.Input(spec.shape, dtype=spec.dtype), *layers, head])

    def __call__(self, observations: Any) -> ValueOutputs:
        """observations [B, ...] -> ValueOutputs, q_values [B, A] float32."""
        return self._value.outputs(self.model(observations), self._num_actions)

    @property
    def variables(self) -> list[Any]:
        """theta, in the order of the layers."""
        return list(self.model.trainable_variables)
