"""An agent's networks with the compiled functions on them: the update, the choice of actions, Q-values for scoring.

What the update computes is in update.py; which thread calls it, and when, is decided in dqn_tf/execution.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_tf import fields
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.parameters import Parameters
from dqn_tf.agent.targets.legal import check_rule
from dqn_tf.agent.update import Objective, apply_gradients
from dqn_tf.config import AgentConfig
from dqn_tf.execution.compiled import Compiled, as_tensor
from dqn_tf.rng import Stream
from dqn_tf.types import (
    EnvironmentSpec,
    Future,
    Gradients,
    GraphInput,
    Masks,
    Sample,
    SampleIndices,
    Tensor,
    TensorLike,
    Transition,
    UpdateOutputs,
)


class Scorer:
    """Q [B, A] of observations [B, ...]; a network that draws takes the draws of counter k in call k from 0 on."""

    def __init__(self, q_values: Callable[[np.ndarray, int], Any]) -> None:
        self._q_values = q_values
        self.begin()

    def begin(self) -> None:
        """Count calls from 0 again, so that the next one takes the draws of counter 0."""
        self._calls = itertools.count()

    def __call__(self, observations: np.ndarray) -> Any:
        """Q [B, A] of ``observations``."""
        return self._q_values(observations, next(self._calls))


class Learner:
    """The compiled functions of an agent.

    Draws: initial weights from stream "weights" of ``seed``; views of an update's images, and noise and fractions
    inside the networks, where there are any, from "network/update" (counter: update), "network/act" (counter: step) and
    "<phase>/network" (counter: call), as seeds that the compiled functions get as an argument.
    """

    def __init__(
        self,
        config: AgentConfig,
        spec: EnvironmentSpec,
        seed: int,
        gather: Callable[[SampleIndices], Sample] | None = None,
    ) -> None:
        """
        Args:
            config: the agent.
            spec: what its environment shows, and its actions.
            seed: of the run.
            gather: graph code that makes a batch of its sample indices, where the replay is on the device
                (``Replay.gather_in_graph``); updates are then given indices instead of batches.

        Raises:
            ConfigError: the environment masks actions, and the target rule does not know masks.
        """
        if spec.masked:
            check_rule(config.bootstrap)
        config.augmentation.check_observation(spec.observation)
        self.config, self.spec = config, spec
        self.parameters = Parameters(config, spec, seed)
        self.online, self.target = self.parameters.online, self.parameters.target
        self.optimizer = self.parameters.optimizer
        self.random = config.value.random or config.layers.random or config.augmentation.random
        self.functions_of_others: dict[str, Any] = {}  # compiled functions on its networks that are kept with it
        self.begin(seed)
        self._compile_update(gather)
        self._compile_q_values()

    def begin(self, seed: int) -> None:
        """Draw from the streams of a run's seed from now on; the parameters stay.

        Args:
            seed: of the run.
        """
        self._seed = seed
        self._update_stream, self._act_stream = Stream(seed, "network/update"), Stream(seed, "network/act")

    # -- the update --------------------------------------------------------------------------------------------------
    def _compile_update(self, gather: Callable[[SampleIndices], Sample] | None) -> None:
        whole, batch = self.config.execution.xla == "update", _batch_signature(self.config, self.spec)
        objective = Objective(self.config, self.online, self.target)
        self._gradients_of_batch = Compiled(objective.gradients, [batch, *self._seed_signature], whole)
        self.update_signature: list[Any] = [batch, *self._seed_signature]
        self._gradients_of = self._gradients_of_batch
        if gather is not None:
            self.update_signature[0] = _indices_signature(self.config)
            gathered = functools.partial(self._gather_and_differentiate, gather)
            self._gradients_of = Compiled(gathered, self.update_signature)
        variables = [tf.TensorSpec(v.shape, v.dtype) for v in self.online.variables]
        self._apply = Compiled(self._apply_gradients, [variables], whole)
        self._update = Compiled(self.update_in_graph, self.update_signature)

    def update(self, sample: Sample | SampleIndices, number: int = 0) -> UpdateOutputs:
        """One gradient step on a batch.

        Args:
            sample: transitions [B, ...] and weights [B]; of a replay on the device, indices [B] and weights [B].
            number: of the update, from 0: the counter of its random draws.

        Returns:
            Tensors: loss, td_error [B], priority [B], grad_norm, q_values [B, A].
        """
        return self._update(*self.update_inputs(sample, number))

    def gradients(self, sample: Sample | SampleIndices, number: int = 0) -> Gradients:
        """The update's first half alone: a pure function of (sample, number, theta, theta^-).

        Args:
            sample: as for ``update``.
            number: of the update, from 0.

        Returns:
            The gradients, and what is reported of the batch.
        """
        return self._gradients_of(*self.update_inputs(sample, number))

    def update_inputs(self, sample: Sample | SampleIndices, number: int) -> tuple[Any, ...]:
        """The arguments of a compiled update, as ``update_signature`` describes them.

        Args:
            sample: as for ``update``.
            number: of the update, from 0.

        Returns:
            The sample, and the seed [2] int64 of the update's draws, where there are any.
        """
        return (sample, *self._seeds(self._update_stream, number))

    def update_in_graph(self, *inputs: GraphInput) -> UpdateOutputs:
        """The update as graph code: both halves, one after the other."""
        found: Gradients = self._gradients_of.function(*inputs)
        return self.outputs(found, self._apply.function(found.gradients))

    @property
    def halves(self) -> tuple[Callable[..., Gradients], Callable[[list[Tensor]], Tensor]]:
        """The update as two pieces of graph code: its gradients, of inputs as ``update_signature`` describes them; and
        their application, which returns the norm [] of the gradients before clipping."""
        return self._gradients_of.function, self._apply.function

    @staticmethod
    def outputs(found: Gradients, grad_norm: Tensor) -> UpdateOutputs:
        """What an update reports.

        Args:
            found: its first half.
            grad_norm: [], from its second half.

        Returns:
            Both in one record.
        """
        return UpdateOutputs(
            loss=found.loss,
            td_error=found.td_error,
            priority=found.priority,
            grad_norm=grad_norm,
            q_values=found.q_values,
        )

    def _gather_and_differentiate(
        self, gather: Callable[[SampleIndices], Sample], indices: SampleIndices, *seeds: Tensor
    ) -> Gradients:
        found: Gradients = self._gradients_of_batch.function(gather(indices), *seeds)
        return found

    def _apply_gradients(self, gradients: list[Any]) -> Any:
        apart = self.config.auxiliary.clipped_apart(self.online)
        norm = apply_gradients(self.optimizer, gradients, self.config.max_grad_norm, apart)
        tracking = self.config.target_tracking
        tracking.follow(self.online.variables, self.target.variables)
        self.online.power_step()
        if not tracking.copies:
            self.target.power_step()
        return norm

    # -- Q-values ----------------------------------------------------------------------------------------------------
    def _compile_q_values(self) -> None:
        shape, dtype = self.spec.observation.shape, self.spec.observation.dtype
        one, many = (tf.TensorSpec([n, *shape], dtype) for n in (1, None))
        noiseless, xla = self.config.layers.noiseless_when_scored, self.config.execution.xla != "none"
        actor = self.target if self.config.acts_with == "target" else self.online
        of_actor = functools.partial(q_values_in_graph, actor, False)
        self._act = Compiled(of_actor, [one, *self._seed_signature], xla)
        of_target = functools.partial(q_values_in_graph, self.target, False)
        self._act_target = Compiled(of_target, [many, *self._seed_signature], xla)
        of_scores = functools.partial(q_values_in_graph, actor, noiseless)
        one_thread = getattr(self.config.execution, "threads", 0) == 1 and not any(fields.outside_classes(self.config))
        self.q_values = Compiled(of_scores, [many, *self._seed_signature], one_thread=one_thread)

    def act(self, observation: np.ndarray, step: int = 0) -> np.ndarray:
        """Q-values of one observation, to choose an action by.

        Args:
            observation: of shape and dtype ``spec.observation``.
            step: agent steps made so far: the counter of the network's random draws.

        Returns:
            Q(s, .; theta), [A] float32; by theta^- where ``acts_with`` says so.
        """
        return np.asarray(_called(self._act, observation[None], self._seeds(self._act_stream, step)).numpy()[0])

    def act_target(self, observations: np.ndarray, step: int = 0) -> np.ndarray:
        """Q-values of E observations by the target network, to choose the actions of E agent steps by.

        Args:
            observations: [E, ...], each of shape and dtype ``spec.observation``.
            step: agent steps made before these: the counter of the network's random draws.

        Returns:
            Q(s, .; theta^-), [E, A] float32.
        """
        return np.asarray(_called(self._act_target, observations, self._seeds(self._act_stream, step)).numpy())

    def scorer(self, phase: str) -> Scorer:
        """A function [B, ...] observations -> Q [B, A] for scoring in ``phase``; call k draws from counter k."""
        stream = Stream(self._seed, f"{phase}/network")
        return Scorer(lambda observations, call: _called(self.q_values, observations, self._seeds(stream, call)))

    # -- graphs and random numbers -----------------------------------------------------------------------------------
    @property
    def traces(self) -> int:
        """How often the gradients have been traced; more than once would be a defect."""
        return self._gradients_of_batch.traces

    def graphs(self) -> tuple[Any, Any]:
        """The traced graphs of an update's gradients and of the choice of an action: to be read, not to be called."""
        return self._gradients_of_batch.trace, self._act.trace

    @property
    def _seed_signature(self) -> list[Any]:
        return [tf.TensorSpec([2], tf.int64)] if self.random else []

    def update_seeds(self, number: int) -> tuple[np.ndarray, ...]:
        """Of the random draws inside update number ``number``: int64 [2], or nothing where there are none."""
        return self._seeds(self._update_stream, number)

    def act_seeds(self, step: int) -> tuple[np.ndarray, ...]:
        """Of the random draws of the action of agent step ``step``: as ``update_seeds``."""
        return self._seeds(self._act_stream, step)

    def sync_variables(self) -> None:
        """Bring the networks' variables up to date.  Here they always are; those of ``FusedLearner`` may not be."""

    def _seeds(self, stream: Stream, counter: int) -> tuple[np.ndarray, ...]:
        return (stream.seed_of(counter),) if self.random else ()


def q_values_in_graph(network: QNetwork, noiseless: bool, observations: TensorLike, *seeds: TensorLike) -> Tensor:
    """Graph code: Q-values, to choose actions by.

    Args:
        network: the online or the target network.
        noiseless: whether noisy layers use their mean weights.
        observations: [B, ...].
        *seeds: [2] int64, of the network's random draws; none where it has none.

    Returns:
        Q [B, A] float32.
    """
    return network(observations, "act", _draws(seeds, noiseless)).q_values


def _called(q_values: Compiled, observations: np.ndarray, seeds: tuple[np.ndarray, ...]) -> Any:
    (found,) = q_values.direct(*map(as_tensor, (observations, *seeds)))
    return found


def _draws(seeds: tuple[Any, ...], noiseless: bool = False) -> Draws | None:
    return Draws(seeds[0], noiseless) if seeds else None


def _batch_signature(agent: AgentConfig, spec: EnvironmentSpec) -> Sample:
    states = tf.TensorSpec([agent.batch_size, *spec.observation.shape], spec.observation.dtype)
    floats = tf.TensorSpec([agent.batch_size], tf.float32)
    actions = tf.TensorSpec([agent.batch_size], tf.int32)
    transitions = Transition(s_tm1=states, a_tm1=actions, r_t=floats, discount_t=floats, s_t=states)
    legal = tf.TensorSpec([agent.batch_size, spec.num_actions], tf.bool)
    ahead = [agent.batch_size, agent.auxiliary.future_steps]
    future = Future(
        states=tf.TensorSpec([*ahead, *spec.observation.shape], spec.observation.dtype),
        actions=tf.TensorSpec(ahead, tf.int32),
        mask=tf.TensorSpec(ahead, tf.float32),
    )
    return Sample(
        transitions=transitions,
        indices=tf.TensorSpec([agent.batch_size], tf.int64),
        weights=floats,
        masks=Masks(s_tm1=legal, s_t=legal) if spec.masked else (),
        future=future if agent.auxiliary.future_steps else (),
    )


def _indices_signature(agent: AgentConfig) -> SampleIndices:
    batch = [agent.batch_size]
    return SampleIndices(indices=tf.TensorSpec(batch, tf.int64), weights=tf.TensorSpec(batch, tf.float32))
