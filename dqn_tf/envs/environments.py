"""E environments of one kind: the plan of which, and the contract of those that advance them (vector.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from dqn_tf import envs
from dqn_tf.types import EnvironmentSpec, TimeStep

RESET, REST = -1, -2  # beside the actions 0, 1, ...: begin the next episode; do nothing


class Plan(NamedTuple):
    """Which environments: number i is what ``envs.make`` makes of these and ``streams[i]``.

    Attributes:
        environment: canonical id.
        protocol: how it is played.
        seed: of the run.
        streams: names of the random streams, one for each environment.
        training: whether the protocol's settings for training apply, or those for evaluation.
        drawing: whether ``render`` will be called.
    """

    environment: str
    protocol: envs.AnyProtocol | None
    seed: int
    streams: tuple[str, ...]
    training: bool = True
    drawing: bool = False

    def make(self, index: int) -> envs.Environment:
        """Environment ``index``."""
        return envs.make(
            self.environment,
            self.protocol,
            self.seed,
            stream=self.streams[index],
            training=self.training,
            drawing=self.drawing,
        )


class Environments(Protocol):
    """E environments of one kind."""

    spec: EnvironmentSpec

    def step(self, actions: Sequence[int]) -> list[TimeStep | None]:
        """Advance every environment.

        Answers stay valid until the next call.

        Args:
            actions: an action, RESET or REST for each environment.

        Returns:
            Its answer for each environment; None for REST.

        Raises:
            RunError or ConfigError: as the environment does, or a worker failed; nothing may be called afterwards but
                ``close``.
        """

    @property
    def observations(self) -> np.ndarray:
        """The latest observation of every environment, [E, *observation shape]; valid until the next ``step``."""

    @property
    def masks(self) -> Sequence[np.ndarray | None]:
        """For every environment the actions that are legal now, [A] bool, or None of one without masks; before its
        first answer, no matter what.  Valid until the next ``step``."""

    def state(self) -> list[dict[str, Any]]:
        """What decides each environment's future."""

    def restore(self, states: Sequence[dict[str, Any]], inexact: bool = False) -> list[TimeStep | None]:
        """The inverse of ``state``.

        Args:
            states: one for each environment.
            inexact: whether an environment that cannot be restored exactly begins its next episode instead.

        Returns:
            Its latest answer for each environment; None where there was none, or where the next episode is to begin.

        Raises:
            InexactRestore: an environment cannot be restored exactly, and not ``inexact``.
        """

    def close(self) -> None:
        """Release all resources."""
