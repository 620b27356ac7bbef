"""The configuration of a run: frozen dataclasses, whose hash is the run's identity; what has no meaning is refused.

Importing this does not import TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

from dqn_tf import fields, rollouts
from dqn_tf.agent import refused
from dqn_tf.agent.adamw import AdamW
from dqn_tf.agent.annealing import AnnealedNStep, longest_n_step
from dqn_tf.agent.augmentation import PadAndCrop
from dqn_tf.agent.conservative import Conservative
from dqn_tf.agent.contracts import Head, Layers, Optimizer, TargetRule, Torso, ValueFamily
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.agent.n_step import NStep
from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.impala import Impala
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import CNN, MLP, NatureCNN
from dqn_tf.agent.no_auxiliary import NoAuxiliary
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.radam import RAdam
from dqn_tf.agent.resets import NoResets, ShrinkPerturb
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.target_tracking import Averaged, Copied
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.unaugmented import Unaugmented
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.cloning import Cloning
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.agent.values.random_ensemble import RandomEnsemble
from dqn_tf.checks import ConfigError, expect, unknown
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.protocols import AtariProtocol
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol
from dqn_tf.envs.variants import settled
from dqn_tf.fields import check_types, setting
from dqn_tf.modes import Concurrent, Fused, Interleaved, Rollouts
from dqn_tf.offline.source import Played, Recorded, check_data
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.sampler import SamplingRule
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

# Half an hour of an Atari game, the limit of its suites, in steps of four frames.
MAX_STEPS_PER_EPISODE = 27_000
SCHEMA = 1  # of config.json and of checkpoints; raised when an older one can no longer be read


@dataclasses.dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """An agent: one value for each idea of the DQN family.

    Where a contract stands among the alternatives (agent/contracts.py), a class of your own may take their place.  A
    new idea of this package is a new file, one more alternative here, and a line among the built-in parts at the end of
    agent/contracts.py, where type checkers hold it against its contract.
    """

    network: NatureCNN | CNN | Impala | MLP | Torso = setting(doc="torso of the Q-network")
    head: Single | Dueling | Head = setting(Single(), doc="streams from features to outputs", later=True)
    layers: Dense | Noisy | LayerNorm | Layers = setting(Dense(), doc="fully connected layers of the head", later=True)
    value: Expected | Categorical | Quantile | ImplicitQuantile | FQF | RandomEnsemble | Cloning | ValueFamily = (
        setting(Expected(), doc="how the return is represented and regressed")
    )
    bootstrap: Greedy | Double | Munchausen | TargetRule = setting(
        Greedy(), doc="target rule: the policy over next actions"
    )
    replay: Uniform | Prioritized | PrioritizedRank | SamplingRule = setting(Uniform(), doc="experience replay")
    storage: Storage = setting(Storage(), doc="what the replay holds, how, and where", inside="replay")
    exploration: EpsilonGreedy = setting(EpsilonGreedy(), doc="how actions are chosen while training")
    optimizer: RMSProp | Adam | AdamW | RAdam | Optimizer = setting(doc="gradient step")
    returns: NStep | AnnealedNStep | LambdaReturns = setting(
        NStep(), doc="how rewards are summed before bootstrapping", later=True
    )
    n_step: int = setting(1, unit="agent steps", doc="rewards summed before bootstrapping", at="agent/n_step")
    discount: float = setting(0.99, unit="per agent step", doc="gamma", at="agent/n_step")
    batch_size: int = setting(32, unit="transitions", doc="transitions of one update", at="execution/learner")
    steps_per_update: int = setting(
        4, unit="agent steps", doc="one update every so many steps", at="training/interleaved_loop"
    )
    augmentation: Unaugmented | PadAndCrop = setting(Unaugmented(), doc="views of an update's images", later=True)
    auxiliary: NoAuxiliary | SPR | Conservative = setting(NoAuxiliary(), doc="a loss beside the value's", later=True)
    updates_at_once: int = setting(
        1, unit="updates", doc="updates whenever updates are due", later=True, at="training/interleaved_loop"
    )
    target_update_steps: int = setting(
        10_000, unit="agent steps", doc="theta^- <- theta every so many steps", at="training/interleaved_loop"
    )
    acts_with: Literal["online", "target"] = setting(
        "online", doc="the network that chooses actions, and is scored", later=True, at="execution/learner"
    )
    resets: NoResets | ShrinkPerturb = setting(NoResets(), doc="weights that are drawn again", later=True)
    target_tracking: Copied | Averaged = setting(Copied(), doc="how theta^- follows theta", later=True)
    min_replay_steps: int = setting(
        50_000,
        unit="agent steps",
        doc="steps before learning starts and epsilon decays",
        at="training/interleaved_loop",
    )
    max_grad_norm: float | None = setting(None, doc="clip gradients to this global norm", at="agent/update")
    execution: Interleaved | Concurrent | Fused | Rollouts = setting(Interleaved(), doc="order of acting and learning")

    def __post_init__(self) -> None:
        check_types(self)
        expect(1 <= self.n_step <= 65_535, "1 to 65535 steps", "n_step", self.n_step)
        expect(0 <= self.discount <= 1, "a number in [0, 1]", "discount", self.discount)
        for name in ("batch_size", "steps_per_update", "updates_at_once", "target_update_steps", "min_replay_steps"):
            expect(getattr(self, name) >= 1, "at least 1", name, getattr(self, name))
        norm = self.max_grad_norm
        expect(norm is None or norm > 0, "a number > 0 or none", "max_grad_norm", norm)
        rollouts.check(self)
        refused.check(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How an agent is scored: with frozen weights, in environments of its own, by raw undiscounted returns.

    A phase plays whole episodes until ``episodes`` are over or ``frames`` are spent, whichever is set; at least one.
    "best": the network of the phase with the largest mean return is kept (the latest of equals; without any phase the
    last network).  It plays new episodes after training, as the largest of several scores is biased upwards.

    An episode that reaches ``max_steps_per_episode`` is cut off there and counts with the return that it has: a greedy
    policy may never end one, and a continuing task has no end.
    """

    epsilon: float = setting(0.05, doc="probability of a random action", at="training/evaluation")
    episodes: int | None = setting(
        None, unit="episodes", doc="length of a phase during training", at="training/evaluation"
    )
    frames: int | None = setting(None, unit="frames", doc="length of a phase during training", at="training/evaluation")
    final_episodes: int = setting(
        10, unit="episodes", doc="length of the phase after training", at="training/iterations"
    )
    final_network: Literal["last", "best"] = setting(
        "last",
        doc="whose score is the final one: the last network's, or the best-scored one's of training",
        later=True,
        at="training/iterations",
    )
    max_steps_per_episode: int = setting(
        MAX_STEPS_PER_EPISODE,
        unit="agent steps",
        doc="an evaluation episode is cut off after so many; Atari games by their protocol, in frames",
        later=True,
        at="training/evaluation",
    )
    noops_max: int | None = setting(
        None,
        unit="as in the protocol",
        doc="random no-ops at the start, if not as in training",
        at="training/evaluation",
    )
    period_iterations: int = setting(
        1, unit="iterations", doc="a phase every so many iterations; 0: only at the end", at="training/iterations"
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.epsilon <= 1, "a probability in [0, 1]", "evaluation.epsilon", self.epsilon)
        for name in ("episodes", "frames", "final_episodes"):
            value = getattr(self, name)
            expect(value is None or value >= 1, "at least 1", f"evaluation.{name}", value)
        expect(self.noops_max is None or self.noops_max >= 0, "at least 0", "evaluation.noops_max", self.noops_max)
        expect(self.period_iterations >= 0, "at least 0", "evaluation.period_iterations", self.period_iterations)
        most = self.max_steps_per_episode
        expect(most >= 1, "at least 1 step", "evaluation.max_steps_per_episode", most)
        if self.period_iterations and (self.episodes is None) == (self.frames is None):
            raise ConfigError(
                "Expected exactly one of `evaluation.episodes` and `evaluation.frames`, "
                f"got {self.episodes} and {self.frames}. Set one, and the other to none."
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One run: the hash of its JSON is its identity, and the same identity gives the same bytes."""

    preset: str = setting(doc="where the agent's values came from")
    agent: AgentConfig = setting(doc="the agent")
    environment: str = setting(doc="canonical id of the environment")
    protocol: AtariProtocol | GymnasiumProtocol | MinAtarProtocol | ImageProtocol | None = setting(
        None, doc="how an environment is shown and scored"
    )
    evaluation: Evaluation = setting(doc="how the agent is scored")
    seed: int = setting(0, doc="the one seed of every random stream")
    frames: int = setting(unit="frames", doc="training budget: agent steps times frame skip")
    iteration_frames: int = setting(1_000_000, unit="frames", doc="length of one reporting block")
    heldout_states: int = setting(500, unit="states", doc="fixed states for the mean max-Q diagnostic")
    data: Played | Recorded = setting(Played(), doc="what is learned from", later=True)

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 <= self.seed < 2**63, "a whole number in [0, 2^63)", "seed", self.seed)
        expect(1 <= self.heldout_states <= 10_000, "1 to 10,000 states", "heldout_states", self.heldout_states)
        for name in ("frames", "iteration_frames"):
            value = getattr(self, name)
            expect(value >= self.frame_skip, f"at least one agent step ({self.frame_skip} frames)", name, value)
        self._check_stack()
        self._check_resets()
        check_data(self.data, self.agent)
        if isinstance(self.protocol, AtariProtocol):
            settled(self.environment.removeprefix("ale:"), self.protocol)
            refused.check_future(self.agent, self.protocol.max_frames_per_episode, self.frame_skip)
        expect(
            not isinstance(self.protocol, AtariProtocol)
            or self.evaluation.max_steps_per_episode == MAX_STEPS_PER_EPISODE,
            f"{MAX_STEPS_PER_EPISODE} for an Atari game",
            "evaluation.max_steps_per_episode",
            self.evaluation.max_steps_per_episode,
            "Its protocol cuts it off, in frames: --set protocol.max_frames_per_evaluation_episode=N",
        )
        if isinstance(self.agent.execution, Concurrent | Rollouts):
            self._check_rounds(self.agent.execution.environments)
        if isinstance(self.agent.execution, Concurrent):
            self._check_periods(self.agent.execution.environments)

    def _check_stack(self) -> None:
        """While the first n steps of an episode are open, the transition before them must be held, with its stack."""
        stack, capacity = self.protocol.stack if self.protocol else 1, self.agent.storage.capacity
        n = longest_n_step(self.agent)
        if capacity < stack + n + 1:
            raise ConfigError(
                f"Expected at least {stack + n + 1} for `replay.capacity`, got {capacity}: with a stack of {stack} and "
                f"n_step={n} there would be times at which no transition has all its frames in the replay."
            )

    def _check_resets(self) -> None:
        """Resets are within the budget, and fall on steps of updates."""
        resets, every = self.agent.resets, self.agent.steps_per_update
        if not isinstance(resets, ShrinkPerturb):
            return
        period = resets.period_steps
        within = f"fewer steps than the budget of {self.steps:,}"
        expect(period < self.steps, within, "resets.period_steps", period, "There would be no reset.")
        expect(
            period % every == 0,
            f"a multiple of steps_per_update={every}",
            "resets.period_steps",
            period,
            "Updates come first.",
        )

    def _check_rounds(self, environments: int) -> None:
        """Environments side by side make a round of steps at a time: every period must be a number of whole rounds."""
        for name, steps, unit in (
            ("target_update_steps", self.agent.target_update_steps, 1),
            ("iteration_frames", self.iteration_steps, self.frame_skip),
            ("frames", self.steps, self.frame_skip),
        ):
            if steps % environments:
                fits = -(-steps // environments) * environments * unit
                raise ConfigError(
                    f"Expected a multiple of `execution.environments`={environments} agent steps for `{name}`, got "
                    f"{steps:,} steps. Take {fits} for `{name}`, or another number of environments."
                )

    def _check_periods(self, environments: int) -> None:
        """Learning begins at the start of a period, from what the periods before it have put into the replay."""
        agent, period, n = self.agent, self.agent.target_update_steps, longest_n_step(self.agent)
        start = -(-agent.min_replay_steps // period) * period
        if start >= self.steps:
            lower = "target_update_steps" if agent.min_replay_steps < self.steps else "min_replay_steps"
            raise ConfigError(
                f"Expected learning to begin within the budget of {self.steps:,} steps, got step {start:,}: the first "
                f"multiple of `target_update_steps`={period} from `min_replay_steps`={agent.min_replay_steps} on. "
                f"Lower `{lower}`, or take more than {start * self.frame_skip} for `frames`."
            )
        if start // environments < n:
            raise ConfigError(
                f"Expected at least n_step={n} steps of each environment before learning, got {start // environments} "
                f"of each of {environments}: there would be no transition to learn from. Take {n * environments} for "
                "`min_replay_steps`, or lower `n_step`."
            )
        again = (self.protocol.stack if self.protocol else 1) - 1 + n  # rows stored once more, see replay/feed.py
        if agent.storage.capacity < (least := period + environments * again):
            raise ConfigError(
                f"Expected at least {least} for `replay.capacity`, got {agent.storage.capacity}: the {period:,} steps "
                f"of a period are stored at once, with {again} rows more for each of {environments} environments, and "
                "would overwrite one another. Raise it, or lower `target_update_steps`."
            )

    @functools.cached_property
    def frame_skip(self) -> int:
        """Emulator frames of one agent step."""
        return self.protocol.frame_skip if self.protocol else 1

    @functools.cached_property
    def steps(self) -> int:
        """The budget in agent steps, rounded up."""
        return -(-self.frames // self.frame_skip)

    @property
    def updates(self) -> int:
        """Updates that are due within the budget; 0: nothing is learned."""
        agent, first = self.agent, self.agent.min_replay_steps
        if isinstance(self.data, Recorded):  # there from the beginning
            times = self.steps // agent.steps_per_update
        elif isinstance(agent.execution, Concurrent):
            first = -(-first // agent.target_update_steps) * agent.target_update_steps
            times = self.steps // agent.steps_per_update - first // agent.steps_per_update
        else:
            times = self.steps // agent.steps_per_update - (first - 1) // agent.steps_per_update
        return max(0, times) * agent.updates_at_once

    @functools.cached_property
    def iteration_steps(self) -> int:
        """Agent steps of one iteration."""
        return -(-self.iteration_frames // self.frame_skip)

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: the run's identity."""
        return fields.digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain nested values, with the schema's number."""
        return {"schema": SCHEMA, **fields.to_json(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunConfig:
        """The inverse of ``to_json``.

        Raises:
            ConfigError: the schema is another one, or a field does not fit.
        """
        expect(isinstance(data, dict), "named fields", "config.json", data, "The file is damaged.")
        expect(
            data.get("schema") == SCHEMA,
            f"schema {SCHEMA}",
            "config.json: schema",
            data.get("schema"),
            "It was written by another version of dqn_tf.",
        )
        return fields.from_json(cls, {k: v for k, v in data.items() if k != "schema"})

    def with_settings(self, settings: list[str]) -> RunConfig:
        """A copy with "path=value" settings applied; agent fields need no prefix ("optimizer.learning_rate=1e-4").

        All are applied at once, so their order does not matter; of two for the same path the later counts.

        Raises:
            ConfigError: an unknown path (with the nearest ones), or a value of the wrong type or out of range.
        """
        return apply_settings(self, settings)


def setting_paths(config: RunConfig) -> list[str]:
    """Every path that ``with_settings`` accepts."""
    own = [p for p in fields.paths(config) if not p.startswith("agent.") and p != "protocol"]
    return fields.paths(config.agent) + [
        p for p in own if p.split(".")[0] not in ("preset", "environment", "seed", "frames", "data")
    ]


def apply_settings(config: RunConfig, settings: list[str]) -> RunConfig:
    """See ``RunConfig.with_settings``.

    Args:
        config: is not changed.
        settings: "path=value" texts.

    Returns:
        The changed copy.

    Raises:
        ConfigError: an unknown path (with the nearest ones), or a value of the wrong type or out of range.
    """
    of_agent = {f.name for f in dataclasses.fields(AgentConfig)}
    agent: list[tuple[str, str]] = []
    own: list[tuple[str, str]] = []
    for text in settings:
        path, equals, value = text.partition("=")
        path, name = path.strip(), path.strip().partition(".")[0]
        expect(bool(equals), "path=value", "--set", text, "For example: --set optimizer.learning_rate=1e-4")
        expect(path != "protocol", "one of its fields (protocol.stack=4)", "--set", text, "Or: --protocol NAME")
        if name not in (*of_agent, "protocol", "evaluation", "iteration_frames", "heldout_states") or (
            "." in path and name not in of_agent and not dataclasses.is_dataclass(getattr(config, name))
        ):
            raise unknown("path", path, setting_paths(config))
        (agent if name in of_agent else own).append((path, value))
    changed = fields.with_values(config, own)
    if isinstance(changed.protocol, AtariProtocol):
        game = changed.environment.removeprefix("ale:")
        changed = dataclasses.replace(changed, protocol=settled(game, changed.protocol))
    return dataclasses.replace(changed, agent=fields.with_values(config.agent, agent))
