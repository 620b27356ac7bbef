"""The return's distribution of every action, as a trained agent predicts it."""

from __future__ import annotations

import functools
from typing import Any, Literal, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.execution.compiled import Compiled
from dqn_tf.trained import TrainedAgent
from dqn_tf.types import TensorLike

MOST_QUANTILES = 32  # of one action that are shown


class Kind(NamedTuple):
    """What the numbers of a distribution are.

    Attributes:
        name: "atoms": probabilities of fixed returns; "quantiles": returns of equal probability, in ascending order.
        number: N, of each action.
        support: (lowest, highest) return of the atoms; None of quantiles.
        words: how they were computed, for the reader of a page.
    """

    name: Literal["atoms", "quantiles"]
    number: int
    support: tuple[float, float] | None
    words: str


class Distributions:
    """The predicted distribution of an agent's returns.

    An agent that samples the fractions of its quantiles is asked at evenly spaced ones, with the means of its weights
    if these carry noise.  Any other agent's distribution is of the weights that it acted with.

    Attributes:
        kind: what its numbers are; None: the agent predicts expected values only.
    """

    def __init__(self, agent: TrainedAgent) -> None:
        """
        Args:
            agent: whose distribution it is.
        """
        config, observation = agent.config.agent, agent.spec.observation
        self._fixed = config.value.random
        self._noise = config.layers.random and not self._fixed
        noiseless = config.layers.noiseless_when_scored
        signature = [tf.TensorSpec([None, *observation.shape], observation.dtype)]
        signature += [tf.TensorSpec([2], tf.int64)] if self._noise else []
        self._call = Compiled(functools.partial(_in_graph, agent.q_network, noiseless), signature)
        self.kind = self._kind(config.value)

    def __call__(self, observation: np.ndarray, seed: np.ndarray) -> np.ndarray:
        """The distribution in one state.

        Args:
            observation: of shape and dtype ``spec.observation``.
            seed: of the noise that the agent acted with (``Stream.seed_of``); not used without noise.

        Returns:
            [A, N] float32, as ``kind`` says.
        """
        dist, taus = (np.array(part)[0] for part in self._call(observation[None], *((seed,) if self._noise else ())))
        return dist if self.kind is None or self.kind.name == "atoms" else evenly(dist, taus, self.kind.number)

    def _kind(self, value: Any) -> Kind | None:
        if isinstance(value, Categorical):
            return Kind("atoms", value.atoms, (value.v_min, value.v_max), f"{value.atoms} atoms")
        shapes = self._call.trace.structured_outputs[0].shape
        if shapes.rank != 3:
            return None
        number = int(shapes[-1])
        words = f"{number} quantiles" + (" at evenly spaced fractions, by mean weights" if self._fixed else "")
        if number > MOST_QUANTILES:
            words += f", of which {MOST_QUANTILES} are shown"
        return Kind("quantiles", min(number, MOST_QUANTILES), None, words)


def evenly(dist: np.ndarray, taus: np.ndarray, number: int) -> np.ndarray:
    """Quantiles of equal probability: at the midpoints of ``number`` equal parts, linearly between known ones.

    Args:
        dist: [A, N], values at ``taus``.
        taus: [N] fractions.
        number: how many.

    Returns:
        [A, number] float32, ascending.

    >>> evenly(np.array([[4.0, 0.0, 2.0]]), np.array([0.75, 0.25, 0.5]), 2).tolist()
    [[0.0, 4.0]]
    """
    order, wanted = np.argsort(taus, kind="stable"), (np.arange(number) + 0.5) / number
    found = np.array([np.interp(wanted, taus[order], row[order]) for row in dist], np.float32)
    return np.sort(found, axis=-1)


def _in_graph(network: QNetwork, noiseless: bool, observations: TensorLike, *seeds: TensorLike) -> Any:
    """Graph code: ([B, A, N], fractions [B, N]); [B] zeros in their place where no distribution can be shown."""
    outputs = network(observations, "predict", Draws(seeds[0], noiseless) if seeds else None)
    none = tf.zeros([tf.shape(observations)[0]])
    if isinstance(network.value, Categorical):
        return tf.nn.softmax(outputs.dist), none
    if outputs.dist is None or outputs.taus is None:
        return none, none
    return outputs.dist, tf.broadcast_to(outputs.taus, [tf.shape(observations)[0], outputs.dist.shape[-1]])
