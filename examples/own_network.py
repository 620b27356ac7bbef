"""A network of one's own: a torso whose layers are normalized, under the package's head and losses.

python examples/own_network.py runs/normalized --frames 20000
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, Literal

import keras

import dqn_tf
from dqn_tf.types import ObservationSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalized:
    """Fully connected ReLU layers, each followed by layer normalization (Ba, Kiros & Hinton 2016, arXiv 1607.06450)."""

    widths: tuple[int, ...] = dqn_tf.setting((64, 64), unit="units", doc="of the layers of the torso")
    hidden: int = dqn_tf.setting(64, unit="units", doc="width of the head's hidden layer")
    initialization: Literal["fan_in_uniform", "glorot_uniform"] = dqn_tf.setting("glorot_uniform", doc="first weights")

    def check_observation(self, spec: ObservationSpec) -> None:
        if len(spec.shape) != 1:
            raise dqn_tf.ConfigError(f"Expected vector observations [D] for Normalized, got {list(spec.shape)}.")

    def layers(self, spec: ObservationSpec, initializers: Any) -> tuple[list[Any], int, tuple[int, ...]]:
        """Keras layers from [B, D] to [B, F], the number F, and the widths of the head's hidden layers."""
        layers: list[Any] = []
        features = spec.shape[0]
        for width in self.widths:
            first = initializers.layer(features, width)  # the same first weights for the same seed, on any machine
            layers += [keras.layers.Dense(width, activation="relu", **first), keras.layers.LayerNormalization()]
            features = width
        return layers, features, (self.hidden,)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir")
    parser.add_argument("--frames", type=int, default=20_000)
    given = parser.parse_args()
    config = dqn_tf.make_config("dqn_classic", "CartPole-v1", frames=given.frames, agent={"network": Normalized()})
    summary = dqn_tf.train(config, given.run_dir)
    print(config.to_json()["agent"]["network"], summary["final_evaluation"]["return_mean"])
