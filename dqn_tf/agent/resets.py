"""Resets: every so often the last layers begin anew, and torso and transition model are drawn towards new weights.

Paper: D'Oro et al. 2023, "Sample-Efficient Reinforcement Learning by Breaking the Replay Ratio Barrier" (SR-SPR), and
Schwarzer et al. 2023, "Bigger, Better, Faster" (arXiv 2305.19452), section 3; as read in
google-research/google-research@1d4d2f1 (bigger_better_faster/bbf/agents/spr_agent.py, reset_weights and jit_reset):

    at the steps P, 2 P, 3 P, ... up to ``until_steps``, after the updates of that step:
    torso, transition model:   theta <- ``shrink`` theta + ``perturb`` theta_new
    everything else:           theta <- theta_new,   and its slots of the optimizer as at the start

Symbols: P = ``period_steps``; theta_new: initial weights of a draw of its own, for each reset and for each of the two
networks (stream "weights/reset/NUMBER/online", or ".../target").  The optimizer's count of updates begins at 0 again,
and so do its slots of torso and transition model where ``slots`` says so: jit_reset means to keep them, but it looks
for the names of networks in the optimizer's own tuples, finds none, and all slots begin anew (run with Optax 0.2.8).
Replay, priorities and schedules of exploration go on.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from dqn_tf.agent.networks.spectral import START_ITERATIONS
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.agent.networks.q_network import QNetwork
    from dqn_tf.agent.optimizers import Optimizers
    from dqn_tf.types import TensorLike

SLOTS = ("_momentums", "_velocities", "_average_gradients")  # Keras's lists of an optimizer's variables


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoResets:
    """Weights are never drawn again."""

    KIND = "no_resets"

    def __post_init__(self) -> None:
        check_types(self)

    def due(self, step: int) -> bool:
        """Never."""
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShrinkPerturb:
    """A reset every ``period_steps`` agent steps, the last one at ``until_steps`` or before."""

    KIND = "shrink_perturb"
    period_steps: int = setting(20_000, unit="agent steps", doc="a reset every so many steps")
    until_steps: int = setting(100_000, unit="agent steps", doc="no reset is later than this step")
    shrink: float = setting(0.5, doc="factor on the old weights of torso and transition model")
    perturb: float = setting(0.5, doc="factor on new initial weights, which are added to them")
    slots: Literal["kept", "fresh"] = setting(
        "kept", doc="the optimizer's slots of torso and transition model: as they are, or as at the start", later=True
    )

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.period_steps >= 1, "at least 1 step", "resets.period_steps", self.period_steps)
        least = self.period_steps
        expect(
            self.until_steps >= least, f"at least resets.period_steps={least}", "resets.until_steps", self.until_steps
        )
        for name in ("shrink", "perturb"):
            expect(0 <= getattr(self, name) <= 1, "a number in [0, 1]", f"resets.{name}", getattr(self, name))

    def due(self, step: int) -> bool:
        """Whether there is a reset after the updates of agent step ``step`` (from 1).

        >>> [step for step in range(1, 100) if ShrinkPerturb(period_steps=20, until_steps=70).due(step)]
        [20, 40, 60]
        """
        return step % self.period_steps == 0 and step <= self.until_steps

    def stream(self, step: int, network: str) -> str:
        """The name of the stream of new weights.

        Args:
            step: one that is due.
            network: "online" or "target".

        Returns:
            "weights/reset/NUMBER/NETWORK", resets being numbered from 1.
        """
        return f"weights/reset/{step // self.period_steps}/{network}"


def shrink_and_perturb(rule: ShrinkPerturb, theta: TensorLike, new: TensorLike) -> TensorLike:
    """``shrink`` theta + ``perturb`` theta_new.

    Args:
        rule: has both shares.
        theta: a variable, of any shape.
        new: its new initial weights.

    Returns:
        The weights after a reset.
    """
    return rule.shrink * theta + rule.perturb * new


def apply(
    rule: ShrinkPerturb, networks: list[tuple[QNetwork, QNetwork]], optimizer: Optimizers, fresh: Optimizers
) -> None:
    """Reset networks and optimizer.

    Args:
        rule: shrink and perturb.
        networks: (a network, another of the same kind with new weights): the online network first.
        optimizer: of the online network's variables.
        fresh: the same of a network's that has never been updated.
    """
    for network, new in networks:
        shrunk = _shrunk(network)
        for to, source in zip(network.variables, new.variables, strict=True):
            to.assign(shrink_and_perturb(rule, to, source) if id(to) in shrunk else source)
        for _ in range(START_ITERATIONS):
            network.power_step()
    kept = _shrunk(networks[0][0]) if rule.slots == "kept" else set()
    for (_, old, variables), (_, unused, _) in zip(optimizer.groups, fresh.groups, strict=True):
        old.iterations.assign(unused.iterations)
        for name in SLOTS:
            slots, initial = (getattr(part, name, None) or [] for part in (old, unused))
            for variable, slot, start in zip(variables, slots, initial, strict=bool(slots)):
                if id(variable) not in kept:
                    slot.assign(start)


def _shrunk(network: QNetwork) -> set[int]:
    """Of the variables that are shrunk and perturbed: those of the torso and of the transition model."""
    return {id(v) for v in (*network.torso.trainable_variables, *network.transition_variables)}
