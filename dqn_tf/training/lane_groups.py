"""Environments for the lanes of an evaluation: all at once, or, where so many cannot be made, one group after the
other.

A lane's episodes do not depend on its group: its environment draws from its own streams, the network gets batches of
the same size, and one with random draws begins with those of its first call in each group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import numpy as np

from dqn_tf import envs
from dqn_tf.checks import ConfigError, EnvironmentFault, RunError
from dqn_tf.envs import vector
from dqn_tf.types import TensorLike

Borrow = Callable[[str], envs.Environment]
Answers = TypeVar("Answers")


def guarded(call: Callable[..., Answers], plan: vector.Plan) -> Callable[..., Answers]:
    """A function whose errors are raised as EnvironmentFault: they leave the run's state whole, so that it can be
    saved.

    Args:
        call: the function.
        plan: of the environments, for the message.

    Returns:
        The same function, which raises EnvironmentFault.
    """

    def call_it(*arguments: Any) -> Answers:
        try:
            return call(*arguments)
        except EnvironmentFault:
            raise
        except (ConfigError, RunError) as error:
            raise EnvironmentFault(str(error)) from error
        except Exception as error:
            where = f"{plan.environment} failed in an evaluation"
            raise EnvironmentFault(f"{where}: {type(error).__name__}: {error}") from error

    return call_it


class LaneGroup:
    """Some of the lanes, which are ``part`` of all, and their environments."""

    def __init__(self, environments: vector.Environments, first: int, count: int) -> None:
        """
        Args:
            environments: of some of the lanes.
            first: the first of these lanes.
            count: how many lanes there are in all.
        """
        shown = environments.observations
        self.environments, self.part = environments, slice(first, first + len(shown))
        self._batch = None if len(shown) == count else np.zeros((count, *shown.shape[1:]), shown.dtype)

    def begin(self, network: Callable[[np.ndarray], TensorLike]) -> None:
        """Let a network with random draws make those of the first group again."""
        if self.part.start and hasattr(network, "begin"):
            network.begin()

    def q_values(self, network: Callable[[np.ndarray], TensorLike]) -> np.ndarray:
        """Q-values [lanes of the group, A].  The batch keeps its size to the end and in every group, so that a lane's
        last bits depend neither on when others finish nor on how many play."""
        if self._batch is None:
            return np.asarray(network(self.environments.observations))
        self._batch[self.part] = self.environments.observations
        return np.asarray(network(self._batch))[self.part]


def lane_groups(plan: vector.Plan, workers: int, borrow: Borrow | None) -> Generator[LaneGroup]:
    """One group after the other, until every lane was in one; its environments are closed when the next is asked for.

    Args:
        plan: of all lanes' environments.
        workers: processes for them, at most; 0: this one.
        borrow: gives the environment of training, for a stream, where no other can be made; None: nothing does.

    Yields:
        Some of the lanes, and their environments.

    Raises:
        EnvironmentFault: there is no environment at all.
    """
    first, count = 0, len(plan.streams)
    while first < count:
        environments, ours = guarded(_some, plan)(plan._replace(streams=plan.streams[first:]), workers, borrow)
        try:
            group = LaneGroup(environments, first, count)
            yield group
        finally:
            if ours:
                environments.close()
        first = group.part.stop


def _some(plan: vector.Plan, workers: int, borrow: Borrow | None) -> tuple[vector.Environments, bool]:
    """As many of the plan's environments as can be made, and whether the caller has to close them."""
    with contextlib.suppress(ConfigError):
        return vector.make(plan, min(workers, len(plan.streams))), True
    try:
        return vector.InProcess(plan, fewer=True), True
    except ConfigError:
        if borrow is None:
            raise
        return vector.InProcess.of([borrow(plan.streams[0])]), False
