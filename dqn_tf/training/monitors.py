"""Monitors: statistics of the agent's parts, once per iteration, for iterations.csv and TensorBoard.

Each idea defines its own: a value family of its predictions for the held-out states, a sampler of its priorities and
weights, a layer of its noise.  ``monitored`` has the names of the numbers, and ``monitors`` computes them.  An agent
has the columns of its own ideas and no others.

All are functions of the run's current state (weights, replay, held-out states, counters).  Nothing is accumulated over
updates, no random stream advances, and neither the network nor the saved state changes.  The network predicts without
noise and at evenly spaced fractions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.targets.legal import of_legal
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.execution.learner import Learner
from dqn_tf.replay.replay import Replay
from dqn_tf.training.stats import binned
from dqn_tf.types import Monitored, Tensor

STATES_AT_ONCE = 100  # of the held-out states, in a forward pass


class Monitors:
    """The monitors of one run."""

    def __init__(self, learner: Learner | FusedLearner, replay: Replay) -> None:
        """
        Args:
            learner: whose value family and layers are watched.
            replay: whose sampler is watched.
        """
        self._learner, self._replay, self._value = learner, replay, learner.config.value
        self._layers = dict(zip(learner.online.head.names, learner.online.head.layers, strict=True))
        observation = learner.spec.observation
        size = observation.mask_size
        signature = [tf.TensorSpec([None, *observation.shape], observation.dtype)]
        signature += [tf.TensorSpec([None, size], tf.bool)] if size else []

        def predict(observations: Tensor, *masks: Tensor) -> Monitored:
            outputs = learner.online(observations, "predict", None)
            if masks:  # the greedy action is a legal one
                outputs = outputs._replace(q_values=of_legal(outputs.q_values, masks[0]))
            return learner.config.value.monitors(outputs)

        compiled = tf.function(predict, autograph=False, input_signature=signature)
        self._predicted = learner.functions_of_others.setdefault("monitors", compiled)

    @property
    def columns(self) -> list[str]:
        """The names of the numbers, in the order of ``measure``."""
        of_layers = [f"{what}_{name}" for name, layer in self._layers.items() for what in layer.monitored]
        return [*self._value.monitored, *self._replay.sampler.monitored, *of_layers]

    def measure(
        self, heldout: np.ndarray | None, update: int, masks: np.ndarray | None = None
    ) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """Compute all monitors.

        Args:
            heldout: states [n, ...]; None if there are none yet.
            update: the number of the next update.
            masks: the actions [n, A] that are legal in the held-out states; None where there are no masks.

        Returns:
            The numbers by name, nan where there is nothing to measure yet; and bin counts over ``stats.EDGES`` by name.
        """
        self._learner.sync_variables()
        numbers = dict.fromkeys(self.columns, math.nan)
        histograms: dict[str, tuple[Any, Any]] = {}
        if self._value.monitored and heldout is not None:
            inputs = [heldout] if masks is None else [heldout, masks]
            found = [
                self._predicted(*(a[i : i + STATES_AT_ONCE] for a in inputs))
                for i in range(0, len(heldout), STATES_AT_ONCE)
            ]
            whole = tf.nest.map_structure(lambda *parts: np.concatenate([p.numpy() for p in parts]), *found)
            numbers.update({name: float(states.mean()) for name, states in whole.numbers.items()})
            histograms.update(whole.histograms)
        of_replay = self._replay.monitors(self._learner.config.batch_size, update)
        numbers.update(of_replay.numbers)
        histograms.update(of_replay.histograms)
        for name, layer in self._layers.items():
            numbers.update({f"{what}_{name}": number for what, number in layer.monitors().numbers.items()})
        return numbers, {name: binned(*pair) for name, pair in histograms.items()}
