"""The trained agent of a run directory: it plays and answers questions, without replay, optimizer or target network."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from dqn_tf import determinism, envs
from dqn_tf import lazy_tf as tf
from dqn_tf.agent.exploration import choose
from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.parameters import build_network
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.execution.compiled import Compiled
from dqn_tf.execution.learner import q_values_in_graph
from dqn_tf.rng import Stream
from dqn_tf.training import evaluation, exactness
from dqn_tf.training.checkpoint import Columns, Store
from dqn_tf.training.run_dir import read_json
from dqn_tf.types import EnvironmentSpec

Say = Callable[[str], None]


class Saved(NamedTuple):
    """A run's newest checkpoint.

    Attributes:
        config: of the run.
        state: as ``Loop.state`` gave it.
        read_piece: gives a piece, arrays by name, by its hash.
    """

    config: RunConfig
    state: dict[str, Any]
    read_piece: Callable[[str], Columns]


def read(run_dir: str | Path, say: Say = print, *, check_pieces: bool = True, checkpoint: int | None = None) -> Saved:
    """The newest checkpoint of a run that verifies.

    Args:
        run_dir: the directory of a run, complete or not.
        say: called with a sentence about every checkpoint that is skipped.
        check_pieces: whether the replay's files are verified too.
        checkpoint: frames of training at which it was written; by default the newest is read.

    Returns:
        The run's configuration, its state, and a function that reads a piece.

    Raises:
        ConfigError: there is no run, another version of dqn_tf wrote it, or it has no such checkpoint.
        RunError: there is no checkpoint, or none that verifies.
    """
    path = Path(run_dir)
    config = read_config(path)
    store = Store(path / "checkpoints", config.hash)
    loaded = store.load(say, check_pieces=check_pieces, suits=lambda state: checkpoint in (None, _frames(state)))
    if loaded is None and checkpoint is not None and store.found():
        there = ", ".join(f"{frames:,}" for frames in sorted({int(p.name.partition(".")[0]) for p in store.found()}))
        raise ConfigError(
            f"Expected a checkpoint of {checkpoint:,} frames in {store.folder}, found those of {there} frames (a run "
            "keeps its last two). Ask for one of these."
        )
    if loaded is None:
        raise RunError(
            f"Expected a checkpoint in {path / 'checkpoints'}, found none: the run has not saved anything yet. Train "
            "it on, or wait for its first checkpoint."
        )
    return Saved(config, loaded[1]["run"], loaded[2])


def _frames(state: dict[str, Any]) -> int:
    """The frames of training that a checkpoint has."""
    return int(state["run"]["counters"]["frames"])


def read_config(run_dir: str | Path) -> RunConfig:
    """The configuration of a run.

    Raises:
        ConfigError: there is no run, or another version of dqn_tf wrote it.
    """
    path = Path(run_dir)
    if path.is_file():
        from dqn_tf.interop import archive

        return archive.read(path).config
    if not (path / "config.json").exists():
        what = "it has no config.json" if path.exists() else "there is nothing of this name"
        raise ConfigError(f"Expected a run directory, got {path}: {what}.")
    return RunConfig.from_json(read_json(path / "config.json"))


def load(
    run_dir: str | Path,
    network: Literal["last", "best"] | None = None,
    *,
    seed: int | None = None,
    environment: Callable[..., Any] | None = None,
    checkpoint: int | None = None,
    say: Say = print,
) -> TrainedAgent:
    """The trained agent of a run, complete or not, from its newest checkpoint that verifies.

    Of the checkpoint only the weights are read: no replay is allocated, and nothing is written to the run.

    Args:
        run_dir: the directory of the run, or an archive: of a run (``pack``), or of an imported network.
        network: "last", or the "best" of the evaluations so far; by default the one that the final evaluation is of
            (`evaluation.final_network`), or the last where there is no best one yet.
        seed: of the agent's own draws (see ``TrainedAgent``); the run's own by default.
        environment: as for ``train``: what makes it, where only this program has it.
        checkpoint: frames of training at which it was written; by default the newest is read.
        say: called with a sentence about every checkpoint that is skipped.

    Returns:
        The agent.

    Raises:
        ConfigError: there is no run, another version wrote it, or it has no such checkpoint or no best network.
        RunError: there is no checkpoint, or none that verifies.
    """
    expect(network in (None, "last", "best"), "last or best", "network", network)
    if Path(run_dir).is_file():
        return _packed(Path(run_dir), network, seed, checkpoint)
    saved = read(run_dir, say, check_pieces=False, checkpoint=checkpoint)
    if environment is not None:
        exactness.check_environment(environment, saved.config)
    determinism.enable(saved.config.agent.execution.threads, required=False)
    best = saved.state.get("best")
    if network == "best" and not best:
        raise _no_best(run_dir, saved.config)
    seed = saved.config.seed if seed is None else seed
    try:
        if best and network != "last":
            return TrainedAgent(saved.config, "best", int(best["frames"]), best["theta"], seed)
        part = f"{saved.config.agent.acts_with}/"
        theta = {name: array for name, array in saved.state["learner"].items() if name.startswith(part)}
        frames = int(saved.state["counters"]["frames"])
        return TrainedAgent(saved.config, network="last", frames=frames, theta=theta, seed=seed)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"The checkpoint in {run_dir} is whole but not of this kind of run: {error!r}.") from error


def _no_best(run_dir: str | Path, config: RunConfig) -> ConfigError:
    return ConfigError(
        f"{run_dir} keeps no best network: expected `evaluation.final_network=best` and an evaluation before now, "
        f"got `{config.evaluation.final_network}`. Ask for the last network (--network last)."
    )


def _packed(path: Path, network: str | None, seed: int | None, checkpoint: int | None) -> TrainedAgent:
    """The agent of an archive."""
    from dqn_tf.interop import archive, packing

    if checkpoint is not None:
        raise ConfigError(f"Expected no --checkpoint for the archive {path}, got {checkpoint}: it holds one network.")
    found = archive.read(path)
    if network not in (None, found.about.get("network")):
        raise ConfigError(
            f"Expected the network that {path} holds, the {found.about.get('network')} one, got {network}."
        )
    determinism.enable(found.config.agent.execution.threads, required=False)
    return packing.agent_of(found, seed)


class TrainedAgent:
    """One network of a run, as the run's evaluations use it.

    Where the agent's own ideas draw random numbers to choose an action (noise in the weights, fractions of quantiles),
    they are drawn as in the run's evaluations: from stream "evaluate/network" of ``seed``, counter = calls so far.
    Every other agent answers the same observations with the same bits.  Between batches of different sizes the last
    bits may differ, as sums are taken in another order.

    Attributes:
        config: the run's configuration.
        spec: what the environment shows and which actions it has.
        network: "last" or "best".
        frames: of training that this network has seen.
        seed: of the agent's own draws.
        q_network: the network itself, to be called in graph code.
    """

    def __init__(
        self, config: RunConfig, network: Literal["last", "best"], frames: int, theta: dict[str, np.ndarray], seed: int
    ) -> None:
        """
        Args:
            config: the run's configuration.
            network: "last" or "best".
            frames: of training that this network has seen.
            theta: the weights by their places, as in ``Parameters.theta``, or by their names, as in ``weights``.
            seed: of the agent's own draws.

        Raises:
            ValueError: the weights are those of another network.
        """
        environment = envs.make(config.environment, config.protocol, config.seed)
        self.spec: EnvironmentSpec = environment.spec
        environment.close()
        self.config, self.network, self.frames, self.seed = config, network, frames, seed
        agent, observation = config.agent, self.spec.observation
        self.q_network = build_network(agent, self.spec, config.seed)
        _assign(self.q_network, theta)
        self._random = agent.value.random or agent.layers.random
        self._exploration, self._acts = Stream(seed, "evaluate/exploration"), 0
        noiseless = agent.layers.noiseless_when_scored
        signature = [tf.TensorSpec([None, *observation.shape], observation.dtype)]
        self._q_values = Compiled(
            functools.partial(q_values_in_graph, self.q_network, noiseless),
            [*signature, tf.TensorSpec([2], tf.int64)] if self._random else signature,
        )
        self._scorer = self.scorer("evaluate")

    @property
    def noise(self) -> Literal["none", "off", "on"]:
        """Whether the weights carry noise when the agent plays, which is so as in the run's evaluations.

        "none" if it has no noisy layers, "off" if it plays with their means (`layers.scoring=mean`), "on" if noise is
        drawn for every call.
        """
        if not self.config.agent.layers.random:
            return "none"
        return "off" if self.config.agent.layers.noiseless_when_scored else "on"

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The network's weights by name, as copies: "torso/conv2d_0/kernel" and so on."""
        return {name: np.asarray(variable).copy() for name, variable in self.q_network.named_variables.items()}

    def q_values(self, observations: np.ndarray) -> np.ndarray:
        """Q(s, .) of a batch.

        Args:
            observations: [B, ...], each of shape and dtype ``spec.observation``; numbers of any other kind are taken
                where float32 is expected.

        Returns:
            [B, A] float32, an array of the caller's own.

        Raises:
            ConfigError: observations of another shape or kind.
        """
        batch = self._checked(observations, ("B", *self.spec.observation.shape))
        return self._scorer(batch)

    def scorer(self, phase: str) -> Callable[[np.ndarray], np.ndarray]:
        """Q-values as the run computes them in a phase of its evaluations: draws begin at counter 0.

        Args:
            phase: names the stream of the draws, "<phase>/network".

        Returns:
            A function from observations [B, ...] to Q [B, A] float32.
        """
        draws, calls = Stream(self.seed, f"{phase}/network"), itertools.count()

        def q_values(observations: np.ndarray) -> np.ndarray:
            seeds = (draws.seed_of(next(calls)),) if self._random else ()
            return np.array(self._q_values(observations, *seeds))

        return q_values

    def q_values_without_draws(self, observations: np.ndarray) -> np.ndarray:
        """Q(s, .) of a batch by the mean network, as it is exported: no noise, implicit quantiles at even fractions.

        Args:
            observations: as for ``q_values``.

        Returns:
            [B, A] float32.

        Raises:
            ConfigError: observations of another shape or kind.
        """
        batch = self._checked(observations, ("B", *self.spec.observation.shape))
        return np.array(self.q_network(tf.convert_to_tensor(batch), "act").q_values)

    def act(self, observation: np.ndarray, epsilon: float = 0.0, mask: np.ndarray | None = None) -> int:
        """The action of largest Q, or with probability ``epsilon`` a random one.

        Draws from stream "evaluate/exploration" of ``seed``, counter = calls so far.  Of equal largest Q-values the
        run's own rule chooses (`exploration.random_ties`).

        Args:
            observation: of shape and dtype ``spec.observation``.
            epsilon: probability of a random action, in [0, 1].
            mask: [A] bool, the legal actions, where the environment has masks (``spec.masked``; an answer's ``mask``);
                no other is taken.

        Returns:
            An index into ``spec.action_names``.

        Raises:
            ConfigError: an observation of another shape or kind, epsilon out of range, no mask where there must be one,
                or one that allows nothing.
            RunError: a Q-value is not finite.
        """
        expect(0 <= epsilon <= 1, "a probability in [0, 1]", "epsilon", epsilon)
        checked = self._checked(observation, self.spec.observation.shape)
        mask = self._checked_mask(mask)
        random, ties = self._exploration.at(self._acts), self.config.agent.exploration.random_ties
        self._acts += 1
        return choose(lambda: self.q_values(checked[None])[0], self.spec.num_actions, epsilon, random, ties, mask)

    def make_environment(self, stream: str = "play", *, drawing: bool = False) -> envs.Environment:
        """An environment as in the run's evaluations: the same protocol, with random streams of its own.

        Args:
            stream: names its random streams (of ``seed``); another name gives other episodes.
            drawing: whether its ``render`` will be called.

        Returns:
            The environment, before its first reset.
        """
        protocol = evaluation.scoring_protocol(self.config)
        return envs.make(self.config.environment, protocol, self.seed, stream, training=False, drawing=drawing)

    def _checked_mask(self, mask: np.ndarray | None) -> np.ndarray | None:
        if mask is None and not self.spec.masked:
            return None
        found, actions = np.asarray(mask), self.spec.num_actions
        fits = found.shape == (actions,) and found.dtype == np.bool_ and bool(found.any())
        expect(fits, f"bools [{actions}] with at least one True, the legal actions,", "mask", mask)
        return found

    def _checked(self, observations: np.ndarray, shape: tuple[int | str, ...]) -> np.ndarray:
        found, wanted = np.asarray(observations), np.dtype(self.spec.observation.dtype)
        free = 1 if shape and isinstance(shape[0], str) else 0
        fits = found.ndim == len(shape) and found.shape[free:] == shape[free:]
        castable = found.dtype == wanted or (wanted.kind == "f" and np.can_cast(found.dtype, wanted, "same_kind"))
        if not (fits and castable):
            words = ", ".join(map(str, shape))
            raise ConfigError(
                f"Expected {wanted} [{words}] for `{'observations' if free else 'observation'}`, as "
                f"{self.config.environment} shows them, got {found.dtype} {list(found.shape)}."
            )
        return found.astype(wanted, copy=False)

    def __repr__(self) -> str:
        return (
            f"TrainedAgent({self.config.preset} on {self.config.environment}, {self.network} network, "
            f"{self.frames:,} frames, noise: {self.noise})"
        )


def check_weights(wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], whose: str) -> None:
    """Check that weights are those of a network, by name and shape; never by their order.

    Args:
        wanted: shapes of the network's weights by name.
        found: shapes of those given.
        whose: where they come from, for the message.

    Raises:
        ConfigError: they differ; it names the first layer that does.
    """
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            here, there = (list(s[name]) if name in s else "no such weights" for s in (wanted, found))
            raise ConfigError(
                f"Expected {here} for {name} in {whose}, got {there}: it holds the weights of another network."
            )


def _assign(network: QNetwork, theta: dict[str, np.ndarray]) -> None:
    """Raises ValueError, before anything is assigned, if names or shapes differ, or number or shapes of places."""
    variables = network.variables
    if not all(name.startswith(("online/", "target/")) for name in theta):
        named = network.named_variables
        shapes = {name: tuple(int(size) for size in variable.shape) for name, variable in named.items()}
        check_weights(shapes, {name: array.shape for name, array in theta.items()}, "what was given")
        theta = {f"{i:06d}": theta[name] for i, name in enumerate(named)}
    arrays = [theta[name] for name in sorted(theta)]
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise ValueError("Expected the weights of this network, got others.")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
