"""THE update.  It knows no algorithm: the value family, the bootstrap rule and the optimizer are handed in.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1, the last five lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.config import AgentConfig
from dqn_tf.learning.compiled import Compiled
from dqn_tf.learning.optimizers import Optimizers
from dqn_tf.networks.draws import Draws
from dqn_tf.networks.q_network import QNetwork
from dqn_tf.rng import Stream
from dqn_tf.types import Draw, EnvironmentSpec, Sample, Transition


class Gradients(NamedTuple):
    """What a batch says to the networks as they are now.

    values: d loss / d theta, one per variable.  loss []: weighted mean.  td_error, priority [B].  q_values [B, A]: of
    s_tm1.
    """

    values: list[Any]
    loss: Any
    td_error: Any
    priority: Any
    q_values: Any


class UpdateOutputs(NamedTuple):
    """What one update tells: as in ``Gradients``, and grad_norm [], before clipping."""

    loss: Any
    td_error: Any
    priority: Any
    grad_norm: Any
    q_values: Any


class Learner:
    """Online and target networks, their optimizer, and the compiled functions on them.

    The two networks start equal.  Draws: initial weights from stream "weights" of ``seed``; noise and fractions inside
    the networks, where they have any, from "network/update" (counter: update), "network/act" (counter: step) and
    "<phase>/network" (counter: call), as seeds that the compiled functions get as an argument.
    """

    def __init__(
        self,
        config: AgentConfig,
        spec: EnvironmentSpec,
        seed: int,
        recall: Callable[[Draw], Sample] | None = None,
    ) -> None:
        """recall: graph code that makes the batch of a draw, where the replay is on the device; the learner is then
        handed draws instead of batches."""
        self.config, self.spec, self._seed = config, spec, seed
        self.online, self.target = (
            QNetwork(
                config.network,
                config.value,
                spec.observation,
                spec.num_actions,
                Stream(seed, "weights"),
                head=config.head,
                layers=config.layers,
            )
            for _ in range(2)
        )
        self.optimizer = Optimizers(config.optimizer, self.online.variables, self.online.own_optimizers)
        self.traces = 0
        self.random = config.value.random or config.layers.random
        self._updates, self._actions = Stream(seed, "network/update"), Stream(seed, "network/act")
        xla, observation, batch = config.execution.xla, spec.observation, self._sample_signature()
        one, many = (tf.TensorSpec([n, *observation.shape], observation.dtype) for n in (1, None))
        given = [tf.TensorSpec([2], tf.int64)] if self.random else []
        still = config.layers.still_when_scored
        self._gradients_of_batch = Compiled(self._gradients, [batch, *given], xla == "update")
        self._gradients_of = self._gradients_of_batch
        if recall is not None:
            recalled = lambda draw, *s: self._gradients_of_batch.trace(recall(draw), *s)  # noqa: E731
            self._gradients_of = Compiled(recalled, [self._draw_signature(), *given])
        self._one_by_one = tf.function(self._scan, autograph=False)
        values = [tf.TensorSpec(v.shape, v.dtype) for v in self.online.variables]
        self._apply = Compiled(
            self._step, [values], xla == "update" or (xla == "optimizer" and not config.optimizer.FUSED)
        )
        self._act, self._act_target = (
            Compiled(lambda o, *s, n=n: n(o, "act", self._draws(s)).q_values, [states, *given], xla != "none")
            for n, states in ((self.online, one), (self.target, many))
        )
        self.q_values = Compiled(lambda o, *s: self.online(o, "act", self._draws(s, still)).q_values, [many, *given])

    def update(self, sample: Sample | Draw, update: int = 0) -> UpdateOutputs:
        """THE update: one gradient step on a batch, Transition [B, ...] and weights [B].

        Its first half may run ahead of its turn (lookahead.py), so the two are compiled apart.  update: its number.
        """
        return self.step(self.gradients(sample, update))

    def gradients(self, sample: Sample | Draw, update: int = 0) -> Gradients:
        """The update's first half: a pure function of (sample, update, theta, theta^-)."""
        return self._gradients_of(sample, *self._seeds(self._updates, update))

    def _seeds(self, stream: Stream, counter: int) -> tuple[np.ndarray, ...]:
        return (stream.seed_of(counter),) if self.random else ()

    def _draws(self, seeds: tuple[Any, ...], still: bool = False) -> Draws | None:
        return Draws(seeds[0], still) if seeds else None

    def _gradients(self, sample: Sample, *seeds: Any) -> Gradients:
        self.traces += 1  # runs only while tracing
        config, transitions, draws = self.config, sample.transitions, self._draws(seeds)
        next_values = self.target(transitions.s_t, "target", draws)
        others = {
            (network, state): getattr(self, network)(getattr(transitions, state), "act", draws)
            for network, state in config.bootstrap.states
        }
        terms = config.bootstrap.terms(next_values, others, transitions.a_tm1)
        with tf.GradientTape() as tape:
            values = self.online(transitions.s_tm1, "predict", draws)
            losses = config.value.losses(values, transitions, next_values, terms)
            loss = tf.reduce_mean(sample.weights * losses.loss)
        gradients = tape.gradient(loss, self.online.variables)
        return Gradients(gradients, loss, losses.td_error, losses.priority, values.q_values)

    def _step(self, gradients: list[Any]) -> Any:
        """Clip to the global norm, step, and return the norm before clipping."""
        grad_norm = tf.linalg.global_norm(gradients)
        if (limit := self.config.max_grad_norm) is not None:
            scale = limit / tf.maximum(grad_norm, limit)
            gradients = [g * scale for g in gradients]
        self.optimizer.apply(gradients)
        return grad_norm

    def step(self, gradients: Gradients) -> UpdateOutputs:
        """The update's second half: clip, and let the optimizer change theta."""
        grad_norm = self._apply(gradients.values)
        return UpdateOutputs(gradients.loss, gradients.td_error, gradients.priority, grad_norm, gradients.q_values)

    def updates(self, draws: Draw, update: int) -> UpdateOutputs:
        """``update`` on each of K draws [K, B] in turn, numbered from ``update`` on, in one call; outputs [K, ...].

        Where the replay is on the device.  One trace for each K.
        """
        seeds = [self._seeds(self._updates, update + k) for k in range(len(draws.rows))]
        return self._one_by_one(draws, *map(np.stack, zip(*seeds, strict=True)))

    def _scan(self, draws: Draw, *seeds: Any) -> UpdateOutputs:
        batch, actions = self.config.batch_size, self.spec.num_actions
        before = UpdateOutputs(*map(tf.zeros, ([], [batch], [batch], [], [batch, actions])))
        one = lambda _, given: self.step(self._gradients_of(*given))  # noqa: E731
        return tf.scan(one, (draws, *seeds), before, parallel_iterations=1)  # an update reads what the last one wrote

    def _sample_signature(self) -> Sample:
        batch, observation = self.config.batch_size, self.spec.observation
        states = tf.TensorSpec([batch, *observation.shape], observation.dtype)
        floats = tf.TensorSpec([batch], tf.float32)
        transitions = Transition(states, tf.TensorSpec([batch], tf.int32), floats, floats, states)
        return Sample(transitions, tf.TensorSpec([batch], tf.int64), floats)

    def _draw_signature(self) -> Draw:
        batch = [self.config.batch_size]
        return Draw(tf.TensorSpec(batch, tf.int64), tf.TensorSpec(batch, tf.float32))

    def graphs(self) -> tuple[Any, Any]:
        """The traced graphs of an update's gradients and of the choice of an action: to be read, not to be called."""
        return self._gradients_of_batch.trace, self._act.trace

    def sync_target(self) -> None:
        """theta^- <- theta."""
        for to, source in zip(self.target.variables, self.online.variables, strict=True):
            to.assign(source)

    def act(self, observation: np.ndarray, step: int = 0) -> np.ndarray:
        """Q(s, .) [A] float32 of one observation, to choose the action of agent step ``step``."""
        return np.asarray(self._act(observation[None], *self._seeds(self._actions, step)).numpy()[0])

    def act_target(self, observations: np.ndarray, step: int = 0) -> np.ndarray:
        """Q(s, .) [E, A] by theta^- of observations [E, ...], to choose the actions of E steps from ``step`` on."""
        return np.asarray(self._act_target(observations, *self._seeds(self._actions, step)).numpy())

    def scorer(self, phase: str) -> Callable[[np.ndarray], Any]:
        """A function [B, ...] observations -> Q [B, A] for scoring in ``phase``; call k draws from counter k."""
        stream, calls = Stream(self._seed, f"{phase}/network"), itertools.count()
        return lambda observations: self.q_values(observations, *self._seeds(stream, next(calls)))

    # -- saving ----------------------------------------------------------------------------------------------------
    def _named(self) -> dict[str, Any]:
        parts = {
            "online": self.online.variables,
            "target": self.target.variables,
            "optimizer": self.optimizer.variables,
        }
        return {f"{part}/{i:02d}": v for part, variables in parts.items() for i, v in enumerate(variables)}

    def state(self) -> dict[str, np.ndarray]:
        """Every variable as an array, by part and place: "online/00" is the first layer's kernel."""
        return {name: np.asarray(v) for name, v in self._named().items()}

    def theta(self) -> dict[str, np.ndarray]:
        """The online network's part of ``state``, as a copy."""
        return {name: np.asarray(v).copy() for name, v in self._named().items() if name.startswith("online/")}

    def set_theta(self, theta: dict[str, np.ndarray]) -> None:
        """Make these weights the online network's; target network and optimizer are left as they are."""
        self.restore({**self.state(), **theta})

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``.  Raises ValueError, before anything is assigned, if names or shapes differ."""
        named = self._named()
        wrong = [n for n in {*named, *state} if n not in named or n not in state or state[n].shape != named[n].shape]
        if wrong:
            raise ValueError(f"Expected the variables of this network, got others at {sorted(wrong)[:5]}.")
        for name, variable in named.items():
            variable.assign(state[name])
