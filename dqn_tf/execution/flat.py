"""theta, theta^- and the optimizer's slots as vectors: calls with few arguments, few operations.

A small network's update is arithmetic of a tenth of a millisecond, and each variable that a compiled call reads or
writes costs microseconds.  So here the parameters lie one after the other in one vector, which the graph cuts into the
networks' variables; gradients are taken with respect to the vector, and one step of the optimizer moves all of it.

Everything else reads and saves the variables of the networks and of their optimizer: ``sync_variables`` brings them up
to date from the vectors, ``load_variables`` does the reverse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.contracts import Optimizer
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.optimizers import Optimizers, handle_of
from dqn_tf.checks import ConfigError
from dqn_tf.types import KerasOptimizer, Tensor, TensorLike, Variable

_WIDTH = 128  # of the rows in which a gradient is squared and summed
_SLOTS = ("_momentums", "_velocities", "_average_gradients")  # Keras's lists of an optimizer's variables


class FlatGroup:
    """The variables of one optimizer as a vector: theta, theta^- and its own optimizer with vectors for slots."""

    def __init__(
        self, config: Optimizer, of_variables: KerasOptimizer, online: list[Variable], target: list[Variable]
    ) -> None:
        """
        Args:
            config: of the optimizer.
            of_variables: the Keras optimizer of ``online``, whose slots are mirrored.
            online: the variables of theta that it changes.
            target: the same of theta^-, in the same order.
        """
        self.online, self.target, self._of_variables = online, target, of_variables
        self.shapes = [tuple(v.shape) for v in online]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]
        ends = np.cumsum([0, *self.sizes]).tolist()
        self._places = list(zip(ends[:-1], ends[1:], self.shapes, strict=True))
        start = np.concatenate([np.asarray(v).ravel() for v in online])
        self.theta = tf.keras.Variable(start, name="theta")
        self.theta_target = tf.keras.Variable(start, name="theta_target")
        self.optimizer = config.build([self.theta])

    def split(self, vector: TensorLike) -> list[Tensor]:
        """A vector [P] as tensors of the variables' shapes, in their order."""
        parts = tf.split(vector, self.sizes)
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def split_on_host(self, vector: np.ndarray) -> list[np.ndarray]:
        """``split`` of an array, as views of it."""
        return [vector[a:b].reshape(shape) for a, b, shape in self._places]

    def pairs(self) -> Iterator[tuple[Any, list[Any]]]:
        """(vector, the variables that it holds) of everything that an update changes."""
        yield self.theta, self.online
        yield self.theta_target, self.target
        for name in _SLOTS:
            vectors, variables = (getattr(o, name, None) or [] for o in (self.optimizer, self._of_variables))
            if vectors:
                yield vectors[0], variables

    def sync_variables(self) -> None:
        """Assign the vectors' numbers to the variables."""
        self._of_variables.iterations.assign(self.optimizer.iterations)
        for vector, variables in self.pairs():
            for variable, part in zip(variables, self.split_on_host(np.asarray(vector)), strict=True):
                variable.assign(part)

    def load_variables(self) -> None:
        """Assign the variables' numbers to the vectors."""
        self.optimizer.iterations.assign(self._of_variables.iterations)
        for vector, variables in self.pairs():
            vector.assign(np.concatenate([np.asarray(v).ravel() for v in variables]))


class Flat:
    """Vectors that hold what two networks' variables and their optimizers' slots would hold."""

    def __init__(self, online: QNetwork, target: QNetwork, optimizers: Optimizers) -> None:
        """
        Args:
            online: Q, with theta.
            target: the network of theta^-, its variables in the same order.
            optimizers: of the online network's variables.

        Raises:
            ConfigError: a variable is not Keras's.
        """
        if strange := [v for v in [*online.variables, *target.variables] if not isinstance(v, tf.keras.Variable)]:
            raise ConfigError(
                f"Expected Keras variables in a network for execution=fused, got {type(strange[0]).__name__} "
                f"{strange[0].name!r}. Make it a tf.keras.Variable, or set execution=interleaved."
            )
        target_of = {id(v): t for v, t in zip(online.variables, target.variables, strict=True)}
        self.groups = [
            FlatGroup(config, optimizer, members, [target_of[id(v)] for v in members])
            for config, optimizer, members in optimizers.groups
        ]
        self._online = online

    @contextlib.contextmanager
    def in_place_of_variables(self) -> Iterator[list[Any]]:
        """Graph code: a context in which the networks read the vectors.

        Yields:
            theta as tensors, in the order of the online network's variables, to take gradients with respect to.
        """
        places = {}
        for group in self.groups:
            for variables, vector in ((group.online, group.theta), (group.target, group.theta_target)):
                parts = group.split(tf.convert_to_tensor(vector))
                places.update({id(v): (v, part) for v, part in zip(variables, parts, strict=True)})
        with tf.keras.StatelessScope(state_mapping=places.values()):
            yield [places[id(v)][1] for v in self._online.variables]

    def flatten(self, gradients: list[Any]) -> list[Any]:
        """Graph code: gradients in the order of the online network's variables as a vector [P] for each group."""
        of = {id(v): g for v, g in zip(self._online.variables, gradients, strict=True)}
        return [tf.concat([tf.reshape(of[id(v)], [-1]) for v in group.online], axis=0) for group in self.groups]

    @staticmethod
    def global_norm(gradients: list[Any]) -> Any:
        """Graph code: the norm [] of all gradients together.  Squares are summed by a product with ones: a fraction of
        the time of XLA's own sums."""
        padded = [tf.pad(g, [[0, -g.shape[0] % _WIDTH]]) for g in gradients]
        squares = [tf.square(tf.reshape(g, [-1, _WIDTH])) for g in padded]
        return tf.sqrt(tf.add_n([tf.reduce_sum(tf.linalg.matmul(s, tf.ones([_WIDTH, 1]))) for s in squares]))

    def apply(self, gradients: list[Any]) -> None:
        """Graph code: one step of each optimizer; gradients as ``flatten`` gives them."""
        for group, gradient in zip(self.groups, gradients, strict=True):
            group.optimizer.apply_gradients([(gradient, group.theta)])

    def handles(self) -> list[Any]:
        """The resources of all that an update reads and writes, in an order that equal agents share."""
        variables = [[g.theta, g.theta_target, *g.optimizer.variables] for g in self.groups]
        return [handle_of(v) for group in variables for v in group]

    def weights(self) -> list[Any]:
        """theta now, a tensor for each of the online network's variables."""
        parts = {}
        for group in self.groups:
            tensors = group.split(tf.convert_to_tensor(group.theta))
            parts.update({id(v): tensor for v, tensor in zip(group.online, tensors, strict=True)})
        return [parts[id(v)] for v in self._online.variables]

    def sync_target(self) -> None:
        """theta^- <- theta."""
        for group in self.groups:
            group.theta_target.assign(group.theta)

    def sync_variables(self) -> None:
        """Assign the vectors' numbers to the variables."""
        for group in self.groups:
            group.sync_variables()

    def load_variables(self) -> None:
        """Assign the variables' numbers to the vectors."""
        for group in self.groups:
            group.load_variables()
