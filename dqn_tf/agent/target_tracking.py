"""How the target network follows the online network: by copies, or as a moving average.

Paper: copies: Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1; the average: Lillicrap et al. 2016, "Continuous
control with deep reinforcement learning" (arXiv 1509.02971), algorithm 1, as in SPR's and BBF's agents:

    copied:    theta^- <- theta                               every ``target_update_steps`` agent steps
    averaged:  theta^- <- tau theta + (1 - tau) theta^-       after every update

Symbols: tau = ``tau``.  With tau = 1 the average is a copy after every update, to the last bit.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting

if TYPE_CHECKING:
    from dqn_tf.types import TensorLike, Variable


def average(tau: float, online: TensorLike, target: TensorLike) -> TensorLike:
    """Graph code: tau theta + (1 - tau) theta^-.

    Args:
        tau: share of ``online``.
        online: a variable of theta, of any shape.
        target: that of theta^-.

    Returns:
        The new value of the latter.
    """
    return tau * online + (1.0 - tau) * target


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copied:
    """A copy every ``target_update_steps`` agent steps."""

    KIND = "copied"
    copies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_types(self)

    def follow(self, online: list[Variable], target: list[Variable]) -> None:
        """See ``Averaged.follow``: nothing; the loop copies."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Averaged:
    """An exponential moving average, moved by every update; ``target_update_steps`` is of no meaning."""

    KIND = "averaged"
    copies: ClassVar[bool] = False
    tau: float = setting(0.005, doc="share of theta in theta^-, at every update; 1: theta itself")

    def __post_init__(self) -> None:
        check_types(self)
        expect(0 < self.tau <= 1, "a number in (0, 1]", "target_tracking.tau", self.tau)

    def follow(self, online: list[Variable], target: list[Variable]) -> None:
        """Graph code, at the end of an update: move theta^-.

        Args:
            online: the variables of theta, after the update.
            target: those of theta^-, in the same order.
        """
        for new, old in zip(online, target, strict=True):
            old.assign(average(self.tau, new, old))
