"""The neutral value of ``auxiliary``: the loss of an update is that of its value family, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from dqn_tf.fields import check_types


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoAuxiliary:
    """No auxiliary loss: every agent of the family but SPR and its successors.

    ``future_steps``: 0: no batch has what followed its first states.
    """

    KIND = "no_auxiliary"
    future_steps: ClassVar[int] = 0

    def __post_init__(self) -> None:
        check_types(self)
