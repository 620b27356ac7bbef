"""Q(s, .; theta): a torso reads the observation, a head of fully connected layers gives N numbers per action, and the
value family says what these numbers mean."""

from __future__ import annotations

import collections

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.conservative import Conservative
from dqn_tf.agent.contracts import BuiltHead, Head, Layers, Optimizer, Torso, ValueFamily
from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.networks.draws import Draws
from dqn_tf.agent.networks.initializers import Initializers
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.spr import SPR, SelfPrediction
from dqn_tf.rng import Stream
from dqn_tf.types import KerasLayer, ObservationSpec, Role, Tensor, TensorLike, ValueOutputs, Variable


class QNetwork:
    """One set of parameters theta.  Two networks made from equal streams are equal."""

    def __init__(
        self,
        network: Torso,
        value: ValueFamily,
        spec: ObservationSpec,
        num_actions: int,
        stream: Stream,
        *,
        head: Head = Single(),  # noqa: B008  frozen
        layers: Layers = Dense(),  # noqa: B008
        auxiliary: NoAuxiliary | SPR | Conservative = NoAuxiliary(),  # noqa: B008
    ) -> None:
        """
        Args:
            network: configuration of the torso.
            value: the value family.
            spec: of the observations.
            num_actions: A.
            stream: where the initial weights come from.
            head: configuration of the head.
            layers: configuration of the head's layers.
            auxiliary: configuration of the auxiliary loss, which may have a part of theta.

        Raises:
            ConfigError: the torso cannot read such observations.
        """
        network.check_observation(spec)
        initializers = Initializers(network.initialization, stream)
        torso, features, hidden = network.layers(spec, initializers)
        self.torso = tf.keras.Sequential([tf.keras.Input(spec.shape, dtype=spec.dtype), *torso] if torso else [])
        self.value, self._dtype = value, spec.dtype
        self._parts = value.parts(features, initializers)
        self.head = head.build(layers, features, hidden, (num_actions, value.outputs_per_action), initializers)
        self._prediction = None
        if isinstance(auxiliary, SPR) and auxiliary.steps:
            latent = network.latent_shape(spec)  # type: ignore[attr-defined]  # agent/refused.py has checked
            self._prediction = auxiliary.build(latent, self.head, num_actions, initializers)

    def __call__(self, observations: TensorLike, role: Role = "act", draws: Draws | None = None) -> ValueOutputs:
        """Graph code: what the network predicts for B states.

        Args:
            observations: [B, ...], each of shape and dtype ``spec``.
            role: what the outputs are for, see ``types.Role``.
            draws: for noise and sampled fractions; None: no noise, evenly spaced fractions.

        Returns:
            q_values [B, A] float32, and whatever the value family's losses need.
        """
        return self.outputs(self.features(observations), role, draws)

    def outputs(self, features: TensorLike, role: Role, draws: Draws | None) -> ValueOutputs:
        """Graph code: as ``__call__``, from the torso's features on.

        Args:
            features: [B, F] float32.
            role: as there.
            draws: as there.

        Returns:
            As there.
        """
        return self.value.outputs(features, self.head, self._parts, role, draws)

    def features(self, observations: TensorLike) -> Tensor:
        """Graph code: what the torso gives for B states, [B, F] float32.

        Of views that are float32 where observations are bytes (augmentation.py) Keras would make bytes again, to fit
        the torso's input; its layers by themselves take them as they are.
        """
        if not self.torso.layers:
            return observations
        if not tf.is_tensor(observations) or observations.dtype.name == self._dtype:
            return self.torso(observations)
        for layer in self.torso.layers:
            observations = layer(observations)
        return observations

    def of_numbers(self, observations: TensorLike) -> tuple[TensorLike, TensorLike]:
        """Graph code: what the network computes of observations that need not be whole numbers or of its own type.

        Noise is left out, and sampled fractions are evenly spaced.

        Args:
            observations: [B, ...] float32, of the shape and in the range of its observations; gradients go through.

        Returns:
            Q [B, A] float32, and the activations of the last hidden layers [B, H] float32 (last_hidden): their mean
            over fractions, where the head is asked once for each.
        """
        features = self.features(tf.cast(observations, tf.float32))
        seen: list[TensorLike] = []

        def head(x: TensorLike, draws: Draws | None) -> TensorLike:
            seen.append(last_hidden(self.head, x))
            return self.head(x, draws)

        q_values = self.value.outputs(features, head, self._parts, "act", None).q_values
        hidden = tf.reshape(seen[-1], [tf.shape(observations)[0], -1, seen[-1].shape[-1]])
        return q_values, tf.reduce_mean(hidden, axis=1)

    def compile_normalization(self) -> None:
        """Let XLA compile the layers that normalize, each by itself (layer_norm.py)."""
        of_head = (getattr(layer, "normalization", None) for layer in self.head.layers)
        for layer in (*self.torso.layers, *of_head):
            if hasattr(layer, "compiled"):
                layer.compiled = True

    @property
    def variables(self) -> list[Variable]:
        """theta, in the order of the layers."""
        layers = [*self._parts, *self.head.layers]
        own = [*self.torso.trainable_variables, *(v for layer in layers for v in layer.variables)]
        return own if self._prediction is None else [*own, *self._prediction.variables]

    @property
    def power_vectors(self) -> list[Variable]:
        """Vectors of the power iterations of spectral normalization, in the order of the layers: part of the network's
        state, which no gradient changes; none where nothing is normalized."""
        return [vector for layer in self._normalized for vector in (layer.u, layer.v)]

    def power_step(self) -> None:
        """Graph code: a step of the power iteration of each normalized layer (spectral.py); due after each update."""
        for layer in self._normalized:
            layer.step()

    @property
    def _normalized(self) -> list[KerasLayer]:
        return [part for layer in self.torso.layers for part in getattr(layer, "normalized", [])]

    @property
    def prediction(self) -> SelfPrediction:
        """The auxiliary loss's part; only where there is one."""
        assert self._prediction is not None
        return self._prediction

    @property
    def transition_variables(self) -> list[Variable]:
        """Those of the auxiliary loss's transition model; none where there is no such loss."""
        return [] if self._prediction is None else self._prediction.transition_variables

    @property
    def clipped_apart(self) -> list[list[int]]:
        """Places in ``variables`` whose gradients are clipped by the norm of each group, where SPR asks for it."""
        if self._prediction is None:
            return [list(range(len(self.variables)))]
        first = len(self.variables) - len(self._prediction.variables)
        transition = len(self._prediction.transition_variables)
        return [list(range(first)), list(range(first, first + transition))]

    @property
    def named_variables(self) -> dict[str, Variable]:
        """theta by name, in the order of ``variables``: "torso/conv2d_0/kernel", "head/value_output/bias"; without the
        auxiliary loss's part, on which no Q-value depends, and with the vectors of spectral normalization.

        A layer of the torso is named by its class and number, one of the head as in iterations.csv, and one of the
        value family by its number.  Two layers of equal shape have different names.
        """
        layers: list[tuple[str, list[Variable]]] = []
        counts: collections.Counter[str] = collections.Counter()
        for layer in self.torso.layers:
            if layer.trainable_variables:
                kind = type(layer).__name__.lower()
                layers.append((f"torso/{kind}_{counts[kind]}", layer.trainable_variables))
                counts[kind] += 1
        layers += [(f"value/{i}", part.variables) for i, part in enumerate(self._parts)]
        layers += [(f"head/{n}", layer.variables) for n, layer in zip(self.head.names, self.head.layers, strict=True)]
        named: dict[str, Variable] = {}
        for layer_name, variables in layers:
            for variable in variables:
                name = f"{layer_name}/{variable.name}"
                named[f"{name}_{len(named)}" if name in named else name] = variable
        return named | {f"torso/power_vector_{i}": v for i, v in enumerate(self.power_vectors)}

    @property
    def own_optimizers(self) -> list[tuple[Optimizer, list[Variable]]]:
        """(optimizer's configuration, variables) of the parts that bring an optimizer of their own."""
        own = [(getattr(part, "optimizer", None), part.variables) for part in self._parts]
        return [(optimizer, variables) for optimizer, variables in own if optimizer is not None]


def last_hidden(head: BuiltHead, features: TensorLike) -> TensorLike:
    """Graph code: the activations that a head's output layers read, without noise.

    Args:
        head: whose layers' names tell streams, "value_hidden_0", and outputs, "value_output".
        features: [B, F] float32.

    Returns:
        [B, H] float32: those of all streams beside one another; the features, if there is no hidden layer.
    """
    common = features
    streams: dict[str, TensorLike] = {}
    for name, layer in zip(head.names, head.layers, strict=True):
        stream, _, _ = name.rpartition("hidden_") if "hidden_" in name else name.rpartition("output")
        if name.endswith("output"):
            streams.setdefault(stream, common)
        elif stream == "shared_":
            common = layer(common, None)
        else:
            streams[stream] = layer(streams.get(stream, common), None)
    found = list({id(x): x for x in streams.values()}.values())
    return found[0] if len(found) == 1 else tf.concat(found, axis=-1)
