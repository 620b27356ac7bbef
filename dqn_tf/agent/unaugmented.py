"""The neutral value of ``augmentation``: an update learns from the transitions as the replay gives them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from dqn_tf.fields import check_types

if TYPE_CHECKING:
    from dqn_tf.agent.networks.draws import Draws
    from dqn_tf.types import ObservationSpec, TensorLike, Transition


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unaugmented:
    """No augmentation: every agent of the family but DrQ and its successors."""

    KIND = "unaugmented"
    random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_types(self)

    def check_observation(self, spec: ObservationSpec) -> None:
        """Every observation will do."""

    def views(self, transitions: Transition, draws: Draws | None) -> Transition:
        """Graph code: the transitions themselves; nothing is drawn.

        Args:
            transitions: of one update.
            draws: are left alone.

        Returns:
            ``transitions``.
        """
        return transitions

    def view(self, images: TensorLike, draws: Draws | None) -> TensorLike:
        """Graph code: the images themselves; nothing is drawn.

        Args:
            images: [B, ...].
            draws: are left alone.

        Returns:
            ``images``.
        """
        return images
