"""What an agent has learned: theta, theta^- and the optimizer's slots."""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf.agent.networks.q_network import QNetwork
from dqn_tf.agent.optimizers import Optimizers
from dqn_tf.agent.resets import ShrinkPerturb, apply
from dqn_tf.config import AgentConfig
from dqn_tf.modes import Rollouts
from dqn_tf.rng import Stream
from dqn_tf.types import EnvironmentSpec


def build_network(agent: AgentConfig, spec: EnvironmentSpec, seed: int, stream: str = "weights") -> QNetwork:
    """A Q-network with its initial weights.

    Args:
        agent: torso, head, layers and value family.
        spec: what its environment shows, and its actions.
        seed: of the run.
        stream: the name of the stream of the weights.

    Returns:
        The network; equal seeds give equal weights.
    """
    network = QNetwork(
        agent.network,
        agent.value,
        spec.observation,
        spec.num_actions,
        Stream(seed, stream),
        head=agent.head,
        layers=agent.layers,
        auxiliary=agent.auxiliary,
    )
    if agent.execution.xla == "optimizer":
        network.compile_normalization()
    return network


class Parameters:
    """Online network (theta), target network (theta^-), optimizer; the two networks start equal."""

    def __init__(self, agent: AgentConfig, spec: EnvironmentSpec, seed: int) -> None:
        """
        Args:
            agent: network and optimizer.
            spec: what its environment shows, and its actions.
            seed: of the run.
        """
        self._agent, self._spec, self._seed = agent, spec, seed
        self.online = build_network(agent, spec, seed)
        one = isinstance(agent.execution, Rollouts)
        self.target = self.online if one else build_network(agent, spec, seed)
        own, xla = self.online.own_optimizers, agent.execution.xla
        self.optimizer = Optimizers(agent.optimizer, self.online.variables, own, xla)

    def sync_target(self) -> None:
        """theta^- <- theta."""
        for to, source in zip(_whole(self.target), _whole(self.online), strict=True):
            to.assign(source)

    def reset(self, step: int) -> None:
        """What is due after the updates of an agent step by ``AgentConfig.resets``: nothing, or a reset."""
        rule, agent = self._agent.resets, self._agent
        if not isinstance(rule, ShrinkPerturb) or not rule.due(step):
            return
        online, target = (
            build_network(agent, self._spec, self._seed, rule.stream(step, name)) for name in ("online", "target")
        )
        fresh = Optimizers(agent.optimizer, online.variables, online.own_optimizers, agent.execution.xla)
        apply(rule, [(self.online, online), (self.target, target)], self.optimizer, fresh)

    # -- saving ----------------------------------------------------------------------------------------------------
    def _named(self) -> dict[str, Any]:
        parts = {
            "online": _whole(self.online),
            "target": [] if self.target is self.online else _whole(self.target),
            "optimizer": self.optimizer.variables,
        }
        return {f"{part}/{i:02d}": v for part, variables in parts.items() for i, v in enumerate(variables)}

    def state(self) -> dict[str, np.ndarray]:
        """Every variable as an array, by part and place: "online/00" is the first layer's kernel."""
        return {name: np.asarray(v) for name, v in self._named().items()}

    def theta(self) -> dict[str, np.ndarray]:
        """The part of ``state`` that is the network by which actions are chosen (``acts_with``), as a copy."""
        part = f"{self._agent.acts_with}/"
        return {name: np.asarray(v).copy() for name, v in self._named().items() if name.startswith(part)}

    def set_theta(self, theta: dict[str, np.ndarray]) -> None:
        """Replace that network's weights alone; the other network and the optimizer stay unchanged."""
        self.restore({**self.state(), **theta})

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """The inverse of ``state``.

        Raises:
            ValueError: names or shapes differ; nothing has been assigned.
        """
        named = self._named()
        wrong = [n for n in {*named, *state} if n not in named or n not in state or state[n].shape != named[n].shape]
        if wrong:
            raise ValueError(f"Expected the variables of this network, got others at {sorted(wrong)[:5]}.")
        for name, variable in named.items():
            variable.assign(state[name])


def _whole(network: QNetwork) -> list[Any]:
    """theta, and the vectors of spectral normalization that go with it."""
    return [*network.variables, *network.power_vectors]
