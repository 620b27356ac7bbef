"""An agent whose whole update is one compiled call, and whose actions are chosen on the host where they can be.

For networks whose update is arithmetic of less than a few milliseconds: there, calls and copies take longer than the
arithmetic (docs/speed.md).  What is computed is update.py's, to float32 rounding: the sums of a compiled whole have
another order than those of its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_tf import fields
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.parameters import Parameters, build_network
from dqn_tf.agent.update import Objective, apply_gradients
from dqn_tf.config import AgentConfig
from dqn_tf.execution import host, kept_learners
from dqn_tf.execution.compiled import DirectCall, as_tensor
from dqn_tf.execution.flat import Flat
from dqn_tf.execution.learner import Learner
from dqn_tf.modes import Fused
from dqn_tf.types import EnvironmentSpec, Masks, Sample, SampleIndices, Tensor, Transition, UpdateOutputs


class FusedLearner:
    """As ``Learner``, with the same random streams and the same state; ``execution=fused`` chooses it.

    theta, theta^- and the optimizer's slots are vectors (flat.py).  Whatever reads the variables that ``Learner``
    has calls ``sync_variables`` first, which brings them up to date.
    """

    def __init__(self, config: AgentConfig, spec: EnvironmentSpec, seed: int) -> None:
        """See ``Learner``; there is no replay on the device.

        Args:
            config: the agent, with execution=fused.
            spec: what its environment shows, and its actions.
            seed: of the run.
        """
        self.config, self.spec = config, spec
        self._plain = Learner(config, spec, seed)
        self.online, self.target, self.random = self._plain.online, self._plain.target, self._plain.random
        self._flat = Flat(self.online, self.target, self._plain.optimizer)
        self.parameters = FlatParameters(self._plain.parameters, self._flat)
        self.packing = Packing(config, spec)
        self.functions_of_others = self._plain.functions_of_others
        self.traces = 0  # of the update; more than one would be a defect
        seeds = [tf.TensorSpec([2], tf.int64)] if self.random else []
        one = tf.TensorSpec([1, *spec.observation.shape], spec.observation.dtype)
        whole = config.execution.xla == "update"
        self._update = DirectCall(self._update_in_graph, [*self.packing.signature, *seeds], whole)
        weights = [tf.TensorSpec(v.shape, v.dtype) for v in self.online.variables]
        self._act = DirectCall(self._act_in_graph, [*weights, one, *seeds], whole)
        self.on_host = host.supports(config, spec.observation)
        self._first: dict[str, np.ndarray] = {}  # the optimizer's variables, if the learner may be used again
        if self.reusable:
            state = self._plain.parameters.state().items()
            self._first = {name: value.copy() for name, value in state if name.startswith("optimizer/")}

    @property
    def reusable(self) -> bool:
        """Whether its compiled functions are those of any seed: no part comes from outside (who knows what it holds),
        and no layer has noise that is drawn once, with the weights."""
        once = getattr(self.config.layers, "redraw", "always") == "never"
        return not once and not any(fields.outside_classes(self.config))

    def begin(self, seed: int) -> None:
        """Be as if newly made: the compiled functions stay, every number is set anew.

        Args:
            seed: of the run that begins.
        """
        self._plain.begin(seed)
        weights = [np.asarray(v) for v in build_network(self.config, self.spec, seed).variables]
        networks = {f"{part}/{i:02d}": w for part in ("online", "target") for i, w in enumerate(weights)}
        self.parameters.restore({**self._first, **networks})

    def update(self, sample: Sample | SampleIndices, number: int = 0) -> UpdateOutputs:
        """See ``Learner.update``; what it returns are arrays of the host."""
        assert isinstance(sample, Sample)
        inputs = [*self.packing.pack(sample), *self._plain.update_seeds(number)]
        reported, *weights = self._update(*map(as_tensor, inputs))
        self.parameters.note_update(weights)
        return self.packing.outputs(np.asarray(reported))

    def share(self, other: FusedLearner) -> None:
        """Use the compiled update of a learner of the same agent, on one's own variables: the same bits, compiled once.

        Args:
            other: a learner of the same configuration; its seed may be another one.
        """
        if self.reusable and other.reusable:
            self._update = other._update.on(other._flat.handles(), self._flat.handles()) or self._update

    def update_in_graph(self, *inputs: Tensor) -> list[Tensor]:
        """Graph code: the update as ``update`` makes it.

        Args:
            inputs: as the packing describes them, then the seed of an agent that draws.

        Returns:
            What it reports, as one vector, and theta by variables.
        """
        return self._update.in_graph(*inputs)

    def _update_in_graph(self, *inputs: Tensor) -> list[Tensor]:
        self.traces += 1  # runs only while tracing
        sample, seeds = self.packing.unpack(inputs)
        with self._flat.in_place_of_variables() as theta:
            found = Objective(self.config, self.online, self.target, theta).gradients(sample, *seeds)
        gradients = self._flat.flatten(found.gradients)
        grad_norm = apply_gradients(self._flat, gradients, self.config.max_grad_norm)
        reported = [found.loss, grad_norm, found.td_error, found.priority, found.q_values]
        return [tf.concat([tf.reshape(r, [-1]) for r in reported], axis=0), *self._flat.weights()]

    def act(self, observation: np.ndarray, step: int = 0) -> np.ndarray:
        """See ``Learner.act``."""
        if self.on_host:
            return host.q_values(self.parameters.weights_on_host(), host.scaled(self.config, observation))
        inputs = [observation[None], *self._plain.act_seeds(step)]
        (q_values,) = self._act(*self.parameters.weights(), *map(as_tensor, inputs))
        return np.array(q_values.numpy()[0])  # a row of the tensor would be another operation: 100 us

    def _act_in_graph(self, *inputs: Tensor) -> list[Tensor]:
        number = len(self.online.variables)
        observation, *seeds = inputs[number:]
        with tf.keras.StatelessScope(state_mapping=zip(self.online.variables, inputs[:number], strict=True)):
            return [self.online(observation, "act", Draws(seeds[0]) if seeds else None).q_values]

    def act_target(self, observations: np.ndarray, step: int = 0) -> np.ndarray:
        """See ``Learner.act_target``."""
        self.sync_variables()
        return self._plain.act_target(observations, step)

    def scorer(self, phase: str) -> Callable[[np.ndarray], Any]:
        """See ``Learner.scorer``: with the weights at the time of this call."""
        self.sync_variables()
        return self._plain.scorer(phase)

    def sync_variables(self) -> None:
        """See ``Learner.sync_variables``."""
        self.parameters.sync_variables()

    def graphs(self) -> tuple[Any, Any]:
        """See ``Learner.graphs``: the same arithmetic, not in one piece."""
        return self._plain.graphs()


def make_learner(
    agent: AgentConfig, spec: EnvironmentSpec, seed: int, gather: Callable[[SampleIndices], Sample] | None = None
) -> Learner | FusedLearner:
    """The learner that ``execution`` asks for.

    Args:
        agent: the agent.
        spec: what its environment shows, and its actions.
        seed: of the run.
        gather: as for ``Learner``; of no meaning for execution=fused, which has its replay on the host.

    Returns:
        A learner with its initial weights.
    """
    if isinstance(agent.execution, Fused):
        return kept_learners.take(agent, spec, seed) or FusedLearner(agent, spec, seed)
    return Learner(agent, spec, seed, gather)


class FlatParameters:
    """``Parameters`` whose newest numbers are in vectors; the variables are brought up to date when they are read."""

    def __init__(self, parameters: Parameters, flat: Flat) -> None:
        """
        Args:
            parameters: of the variables.
            flat: the vectors.
        """
        self._parameters, self._flat = parameters, flat
        self._variables_current = True  # whether the variables are what the vectors are
        self._weights: list[Any] | None = None
        self._on_host: list[np.ndarray] | None = None

    def note_update(self, weights: list[Any] | None, on_host: list[np.ndarray] | None = None) -> None:
        """An update has changed the vectors.

        Args:
            weights: theta since then, a tensor for each of the online network's variables; None: they are cut from the
                vector when they are asked for.
            on_host: the same as arrays, if they are known.
        """
        self._variables_current, self._weights, self._on_host = False, weights, on_host

    def weights(self) -> list[Any]:
        """theta, a tensor for each of the online network's variables."""
        if self._weights is None:
            self._weights = self._flat.weights()
        return self._weights

    def weights_on_host(self) -> list[np.ndarray]:
        """theta as arrays, which share the tensors' memory where that is the host's: to be read only."""
        if self._on_host is None:
            self._on_host = list(map(np.asarray, self.weights()))
        return self._on_host

    def sync_variables(self) -> None:
        """Bring the variables up to date."""
        if not self._variables_current:
            self._flat.sync_variables()
            self._variables_current = True

    def sync_target(self) -> None:
        """theta^- <- theta."""
        self._flat.sync_target()
        self._variables_current = False

    def state(self) -> dict[str, np.ndarray]:
        """See ``Parameters.state``."""
        self.sync_variables()
        return self._parameters.state()

    def theta(self) -> dict[str, np.ndarray]:
        """See ``Parameters.theta``."""
        self.sync_variables()
        return self._parameters.theta()

    def set_theta(self, theta: dict[str, np.ndarray]) -> None:
        """See ``Parameters.set_theta``."""
        self.restore({**self.state(), **theta})

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """See ``Parameters.restore``."""
        self._parameters.restore(state)
        self._flat.load_variables()
        self._variables_current, self._weights, self._on_host = True, None, None


class Packing:
    """A batch as one vector of float32 (and its observations, where they are of another type), and back in the graph:
    each argument of a call costs more than the copy.  Masks are zeros and ones of it."""

    def __init__(self, config: AgentConfig, spec: EnvironmentSpec) -> None:
        """
        Args:
            config: of the agent: the batch size.
            spec: of the environment: shape and dtype of observations, actions, masks.
        """
        shape, dtype = spec.observation.shape, spec.observation.dtype
        self._batch, self._actions = config.batch_size, spec.num_actions
        self._observations = [self._batch, *shape]
        self._together = dtype == "float32"
        size = self._batch * int(np.prod(shape))
        self._masked = spec.masked
        masks = [self._batch * self._actions] * 2 if self._masked else []
        self._sizes = [*([size] * 2 if self._together else []), *[self._batch] * 4, *masks]
        apart = [] if self._together else [tf.TensorSpec(self._observations, dtype)] * 2
        self.size = sum(self._sizes)
        self.signature = [tf.TensorSpec([self.size], tf.float32), *apart]

    def parts(self, packed: np.ndarray) -> list[np.ndarray]:
        """Packed batches [K, n] as views of their parts: s_tm1, s_t [K, B, ...]; a_tm1, r_t, discount_t, weights
        [K, B].  Only where everything is in one vector, and there are no masks."""
        ends = np.cumsum(self._sizes)[:-1]
        s_tm1, s_t, *rest = np.split(packed, ends, axis=1)
        return [*(s.reshape(len(packed), *self._observations) for s in (s_tm1, s_t)), *rest]

    def pack(self, sample: Sample) -> list[np.ndarray]:
        """Arrays as ``signature`` describes them.  Actions are below 2^24, so float32 holds them exactly."""
        t = sample.transitions
        masks = (mask.reshape(-1) for mask in sample.masks)
        rest, states = (t.a_tm1, t.r_t, t.discount_t, sample.weights, *masks), (t.s_tm1, t.s_t)
        if self._together:
            return [np.concatenate([*(s.reshape(-1) for s in states), *rest], dtype=np.float32)]
        return [np.concatenate(rest, dtype=np.float32), *states]

    def unpack(self, inputs: tuple[Any, ...]) -> tuple[Sample, tuple[Any, ...]]:
        """Graph code: the inverse of ``pack``.

        Args:
            inputs: tensors as ``signature`` describes them, and any others after them.

        Returns:
            The batch (without its indices), and the other inputs.
        """
        number = len(self.signature)
        parts = tf.split(inputs[0], self._sizes)
        masks = [tf.reshape(m, [self._batch, self._actions]) > 0 for m in parts[-2:]] if self._masked else []
        *states, a_tm1, r_t, discount_t, weights = parts[: len(parts) - len(masks)]
        s_tm1, s_t = (tf.reshape(s, self._observations) for s in states) if self._together else inputs[1:number]
        transitions = Transition(s_tm1=s_tm1, a_tm1=tf.cast(a_tm1, tf.int32), r_t=r_t, discount_t=discount_t, s_t=s_t)
        legal = Masks(*masks) if masks else ()
        return Sample(transitions=transitions, indices=None, weights=weights, masks=legal), inputs[number:]

    def outputs(self, reported: np.ndarray) -> UpdateOutputs:
        """What an update reports, of the vector [2 + 2 B + B A] that it comes in."""
        batch = self._batch
        q_values = reported[2 + 2 * batch :].reshape(batch, self._actions)
        return UpdateOutputs(
            loss=reported[0],
            td_error=reported[2 : 2 + batch],
            priority=reported[2 + batch : 2 + 2 * batch],
            grad_norm=reported[1],
            q_values=q_values,
        )
