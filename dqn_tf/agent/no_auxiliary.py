"""The neutral value of ``auxiliary``: the loss of an update is that of its value family, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from dqn_tf.fields import check_types

if TYPE_CHECKING:
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.agent.networks.q_network import QNetwork
    from dqn_tf.agent.update import Objective
    from dqn_tf.types import Sample, TensorLike


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoAuxiliary:
    """No auxiliary loss: every agent of the family but SPR and its successors.

    ``future_steps``: 0: no batch has what followed its first states.
    """

    KIND = "no_auxiliary"
    future_steps: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_types(self)

    def total_loss(
        self,
        loss: TensorLike,
        objective: Objective,
        features: TensorLike,
        q_values: TensorLike,
        sample: Sample,
        draws: Draws | None,
    ) -> TensorLike:
        """See ``SPR.total_loss``: ``loss`` itself."""
        return loss

    def clipped_apart(self, network: QNetwork) -> None:
        """See ``SPR.clipped_apart``: all gradients are clipped as one."""
