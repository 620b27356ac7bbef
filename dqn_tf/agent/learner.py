"""THE update.  It knows no algorithm: the value family, the bootstrap rule and the optimizer are handed in.

Paper: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1, the last five lines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, NamedTuple

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.compiled import Compiled
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.optimizers import Optimizers
from dqn_tf.config import AgentConfig
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


class Gate:
    """Where an update stops between its halves: it tells the priorities that it found, and waits until somebody says
    whether there is to be a second half.

    Each update takes one answer and leaves one message.
    """

    def __init__(self) -> None:
        with tf.device("CPU:0"):
            self._answers = tf.queue.FIFOQueue(1, [tf.bool], [[]])
            self._found = tf.queue.FIFOQueue(2, [tf.float32])  # priorities [B]; [0] of an update that failed
            self._nothing = tf.zeros([0])  # made here: where an update fails, other operations may too
        self.handles = (self._answers.queue_ref, self._found.queue_ref)

    def answer(self, go: bool) -> None:
        """Let the update that waits, or the next one that comes, go on to its second half or end without it."""
        _enqueue(self.handles[0], tf.constant(go))

    def hear(self) -> np.ndarray:
        """The priorities [B] that the update found, as soon as it has; [0] if it failed before."""
        return np.asarray(_dequeue(self.handles[1], tf.float32))

    def tell_nothing(self) -> None:
        """In an update's stead, which failed."""
        _enqueue(self.handles[1], self._nothing)

    def release(self, begun: Future[Any]) -> None:
        """End an update that still waits for an answer without its second half, or before its first; take back what
        nobody asked for."""
        if not begun.cancel():
            if not begun.done() and self._answers.size() == 0:
                self.answer(False)
            wait([begun])
        for messages in (self._answers, self._found):
            while messages.size() > 0:
                messages.dequeue()

    def close(self) -> None:
        """Nobody will answer any more: an update that waits fails."""
        with tf.init_scope():  # also where a collection of garbage calls it while something is being traced
            self._answers.close(cancel_pending_enqueues=True)

    @staticmethod
    def stop(handles: Any, priority: Any) -> Any:
        """Graph code: tell the priorities [B]; the answer, bool [], when it is there."""
        _enqueue(handles[1], priority)
        return tf.ensure_shape(_dequeue(handles[0], tf.bool), [])


def _enqueue(queue: Any, message: Any) -> None:
    tf.raw_ops.QueueEnqueueV2(handle=queue, components=[message])


def _dequeue(queue: Any, dtype: Any) -> Any:
    (message,) = tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[dtype])
    return message


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
        xla, observation, batch = config.execution.xla, spec.observation, self._sample_signature()
        self.optimizer = Optimizers(config.optimizer, self.online.variables, self.online.own_optimizers, xla)
        self.traces = 0
        self.random = config.value.random or config.layers.random
        self._updates, self._actions = Stream(seed, "network/update"), Stream(seed, "network/act")
        one, many = (tf.TensorSpec([n, *observation.shape], observation.dtype) for n in (1, None))
        given = [tf.TensorSpec([2], tf.int64)] if self.random else []
        still = config.layers.still_when_scored
        self._gradients_of_batch = Compiled(self._gradients, [batch, *given], xla == "update")
        self._gradients_of = self._gradients_of_batch
        if recall is not None:
            recalled = lambda draw, *s: self._gradients_of_batch.trace(recall(draw), *s)  # noqa: E731
            self._gradients_of = Compiled(recalled, [self._draw_signature(), *given])
        learns_from = [batch if recall is None else self._draw_signature(), *given]
        values = [tf.TensorSpec(v.shape, v.dtype) for v in self.online.variables]
        self._step_by = Compiled(self._step, [values], xla == "update")
        self._update = Compiled(lambda *given: self._make(None, *given), learns_from)
        self._update_behind = Compiled(self._make, [(tf.TensorSpec([], tf.resource),) * 2, *learns_from])
        self._one_by_one = tf.function(self._scan, autograph=False)
        chooser = lambda network: lambda o, *s: network(o, "act", self._draws(s)).q_values  # noqa: E731
        self._act = Compiled(chooser(self.online), [one, *given], xla != "none")
        self._act_target = Compiled(chooser(self.target), [many, *given], xla != "none")
        self.q_values = Compiled(lambda o, *s: self.online(o, "act", self._draws(s, still)).q_values, [many, *given])

    def update(self, sample: Sample | Draw, update: int = 0) -> UpdateOutputs:
        """THE update: one gradient step on a batch, Transition [B, ...] and weights [B].  update: its number."""
        return self._update(sample, *self._seeds(self._updates, update))

    def update_behind(self, gate: Gate, sample: Sample | Draw, update: int = 0) -> UpdateOutputs:
        """``update``, but the priorities that it finds are told at ``gate`` as soon as they are known, and theta is not
        touched before the answer there; if that is no, it never is, and what is returned means nothing.

        The first half, which reads only (sample, update, theta, theta^-), may so run ahead of its turn (lookahead.py),
        and where it is late, each variable steps as soon as its gradient is known.
        """
        return self._update_behind(gate.handles, sample, *self._seeds(self._updates, update))

    def gradients(self, sample: Sample | Draw, update: int = 0) -> Gradients:
        """The update's first half alone: a pure function of (sample, update, theta, theta^-)."""
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
        """The second half: clip to the global norm, step, and return the norm before clipping."""
        grad_norm = tf.linalg.global_norm(gradients)
        if (limit := self.config.max_grad_norm) is not None:
            scale = limit / tf.maximum(grad_norm, limit)
            gradients = [g * scale for g in gradients]
        self.optimizer.apply(gradients)
        return grad_norm

    def _make(self, gate: Any, sample: Sample | Draw, *seeds: Any) -> UpdateOutputs:
        values, loss, td_error, priority, q_values = self._gradients_of.trace(sample, *seeds)
        step = lambda: self._step_by.trace(values)  # noqa: E731
        grad_norm = step() if gate is None else tf.cond(Gate.stop(gate, priority), step, lambda: tf.zeros([]))
        return UpdateOutputs(loss, td_error, priority, grad_norm, q_values)

    def updates(self, draws: Draw, update: int) -> UpdateOutputs:
        """``update`` on each of K draws [K, B] in turn, numbered from ``update`` on, in one call; outputs [K, ...].

        Where the replay is on the device.  One trace for each K.
        """
        seeds = [self._seeds(self._updates, update + k) for k in range(len(draws.rows))]
        return self._one_by_one(draws, *map(np.stack, zip(*seeds, strict=True)))

    def _scan(self, draws: Draw, *seeds: Any) -> UpdateOutputs:
        batch, actions = self.config.batch_size, self.spec.num_actions
        before = UpdateOutputs(*map(tf.zeros, ([], [batch], [batch], [], [batch, actions])))
        one = lambda _, given: self._make(None, *given)  # noqa: E731
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
