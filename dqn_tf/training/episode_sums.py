"""What the loops of several environments know of the episodes under way: who plays on, and the sums of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqn_tf.checks import EnvironmentFault, RunError
from dqn_tf.envs import vector
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.training.run_state import RunState
from dqn_tf.types import StepType, TimeStep


def step_all(environments: vector.Environments, actions: Sequence[int]) -> list[TimeStep | None]:
    """A step of every environment.

    Args:
        environments: E.
        actions: one for each, or ``vector.RESET``, ``vector.REST``.

    Returns:
        Their answers, valid until the next call; None of those that rest.

    Raises:
        EnvironmentFault: the only one failed.
        RunError: one of several failed.
    """
    try:
        return environments.step(actions)
    except EnvironmentFault as error:
        if len(actions) == 1:
            raise
        # The others are a step ahead: this is no state to save.
        raise RunError(str(error)) from (error.__cause__ or error)


class EpisodeSums:
    """Raw return and length of the episode under way in each of E environments.

    Attributes:
        over: for each of them, whether its episode is over, or none has begun.
    """

    def __init__(self, environments: int) -> None:
        """environments: E; no episode has begun."""
        self.over = [True] * environments
        self._returns, self._lengths = [0.0] * environments, [0] * environments

    def commands(self) -> list[int]:
        """What begins an episode wherever one is over: an entry for ``step_all`` of each environment."""
        return [vector.RESET if over else vector.REST for over in self.over]

    def note(self, i: int, answer: TimeStep) -> None:
        """Add an answer to the sums.

        Args:
            i: the environment.
            answer: its own.
        """
        self.over[i] = answer.step_type == StepType.LAST
        self._returns[i] += answer.reward
        self._lengths[i] += answer.frames

    def record(self, run: RunState, i: int, answer: TimeStep) -> EpisodeRecord:
        """Record the episode that has ended, and count it.

        Args:
            run: whose counters are those of before the round, of which the environment's step is number ``i``.
            i: the environment.
            answer: its last one.

        Returns:
            The record.
        """
        steps, number = run.counters.steps + i + 1, run.counters.episodes
        run.stats.returns.add(self._returns[i])
        record = EpisodeRecord(
            frames=steps * run.config.frame_skip,
            steps=steps,
            episode=number,
            env_index=i,
            length_frames=self._lengths[i],
            return_raw=self._returns[i],
            truncated=int(answer.truncated),
        )
        run.counters = run.counters._replace(episodes=number + 1)
        self._returns[i], self._lengths[i] = 0.0, 0
        return record

    def abandon(self, i: int) -> None:
        """Environment ``i`` begins its next episode instead of going on with this one."""
        self.over[i], self._returns[i], self._lengths[i] = True, 0.0, 0

    # -- saving ------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, list[Any]]:
        """All of it."""
        return {"over": list(self.over), "return_raw": list(self._returns), "length_frames": list(self._lengths)}

    def restore(self, state: dict[str, list[Any]]) -> None:
        """The inverse of ``state``."""
        self.over = [bool(over) for over in state["over"]]
        self._returns, self._lengths = list(map(float, state["return_raw"])), list(map(int, state["length_frames"]))
