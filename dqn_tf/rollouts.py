"""Agents that learn from rollouts (PQN): which values of a configuration belong together, and what is read off them.

A rollout is what is learned from before the next one is made.  So of the fields that other agents have for a replay
and a target network, each says the same here: ``steps_per_update`` agent steps are a rollout, ``replay.capacity`` holds
just that, learning begins after the first one (``min_replay_steps``), and the targets of its updates are computed once,
by the network as it was when they began (``target_update_steps``).  ``updates_at_once`` updates follow on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.checks import ConfigError, expect
from dqn_tf.modes import Rollouts

if TYPE_CHECKING:
    from dqn_tf.config import AgentConfig

ONE_ROLLOUT = ("target_update_steps", "min_replay_steps", "replay.capacity")  # what equals `steps_per_update`


class Shape(NamedTuple):
    """Of a rollout and what is learned from it.

    Attributes:
        steps: agent steps of each environment.
        environments: that are played side by side.
        epochs: how often each transition is learned from.
        minibatches: updates of an epoch.
        batch: transitions of an update.
    """

    steps: int
    environments: int
    epochs: int
    minibatches: int
    batch: int

    @property
    def transitions(self) -> int:
        """Of a rollout."""
        return self.steps * self.environments

    @property
    def updates(self) -> int:
        """Of a rollout."""
        return self.epochs * self.minibatches


def shape(agent: AgentConfig) -> Shape:
    """The rollouts of an agent with `execution=rollouts`.

    >>> from dqn_tf.presets import load
    >>> shape(load("pqn_classic").agent)
    Shape(steps=128, environments=4, epochs=4, minibatches=4, batch=128)
    """
    assert isinstance(agent.execution, Rollouts)
    minibatches = agent.steps_per_update // agent.batch_size
    environments = agent.execution.environments
    return Shape(
        steps=agent.steps_per_update // environments,
        environments=environments,
        epochs=agent.updates_at_once // minibatches,
        minibatches=minibatches,
        batch=agent.batch_size,
    )


def check(agent: AgentConfig) -> None:
    """Check that rollouts and lambda-returns come together, and that the numbers of a rollout fit.

    Raises:
        ConfigError: they do not; with what would.
    """
    lambdas = isinstance(agent.returns, LambdaReturns)
    if not isinstance(agent.execution, Rollouts):
        if lambdas:
            raise ConfigError(
                f"Expected execution=rollouts with returns=lambda_returns, got {agent.execution.KIND}: they need the "
                "steps of a whole rollout, and a replay draws single transitions. Set it, or returns=n_step."
            )
        return
    if not lambdas:
        raise ConfigError(
            f"Expected returns=lambda_returns with execution=rollouts, got {agent.returns.KIND}. For one-step targets: "
            "--set returns=lambda_returns --set returns.trace_decay=0"
        )
    _check_parts(agent)
    _check_sizes(agent, agent.execution)


def _check_parts(agent: AgentConfig) -> None:
    """Targets are lambda-returns of largest values, and each transition is learned from as often as any other."""
    for name, part, wanted in (
        ("value", agent.value, "expected"),
        ("bootstrap", agent.bootstrap, "greedy"),
        ("replay", agent.replay, "uniform"),
        ("layers", agent.layers, ("dense", "layer_norm")),
    ):
        found, fits = getattr(part, "KIND", type(part).__name__), (wanted,) if isinstance(wanted, str) else wanted
        if found not in fits:
            raise ConfigError(
                f"Expected {name}={' or '.join(fits)} with execution=rollouts, got {found}: the targets are "
                "lambda-returns of the largest of Q, and there is no replay, no target network and no noise."
            )
    expect(agent.n_step == 1, "1 with execution=rollouts", "n_step", agent.n_step, "Set returns.trace_decay instead.")
    placement = agent.storage.placement
    expect(placement == "host", "host with execution=rollouts", "replay.placement", placement, "There is no replay.")


def _check_sizes(agent: AgentConfig, execution: Rollouts) -> None:
    rollout, batch, environments = agent.steps_per_update, agent.batch_size, execution.environments
    if rollout % environments:
        fits = -(-rollout // environments) * environments
        raise ConfigError(
            f"Expected a rollout of whole steps of {environments} environments (`execution.environments`), got "
            f"`steps_per_update`={rollout}. Take {fits}, or another number of environments."
        )
    if rollout % batch:
        raise ConfigError(
            f"Expected minibatches that divide a rollout of {rollout:,} transitions (`steps_per_update`), got "
            f"`batch_size`={batch}. Take {_divisor(rollout, batch)}, or another rollout."
        )
    if agent.updates_at_once % (rollout // batch):
        raise ConfigError(
            f"Expected whole epochs: a multiple of {rollout // batch} minibatches (`steps_per_update`={rollout} / "
            f"`batch_size`={batch}) for `updates_at_once`, got {agent.updates_at_once}. For one epoch: --set "
            f"updates_at_once={rollout // batch}"
        )
    if batch % execution.shards:
        raise ConfigError(
            f"Expected parts of one size of a batch of {batch} transitions, got `execution.shards`={execution.shards}. "
            f"Take {_divisor(batch, execution.shards)}."
        )
    values = (agent.target_update_steps, agent.min_replay_steps, agent.storage.capacity)
    if set(values) != {rollout}:
        found = ", ".join(f"{name}={value}" for name, value in zip(ONE_ROLLOUT, values, strict=True))
        settings = " ".join(f"--set {name}={rollout}" for name in ONE_ROLLOUT)
        raise ConfigError(
            f"Expected one rollout to be all that is kept and learned from, `steps_per_update`={rollout} steps, got "
            f"{found}. {settings}"
        )


def _divisor(number: int, near: int) -> int:
    """The divisor of a number that is nearest to ``near``, of two the smaller."""
    return min((d for d in range(1, number + 1) if number % d == 0), key=lambda d: abs(d - near))
