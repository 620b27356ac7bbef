"""E environments that are played side by side, with the sums and the records of their episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqn_tf.envs import vector
from dqn_tf.training.episode_sums import EpisodeSums, step_all
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.training.run_state import RunState
from dqn_tf.types import TimeStep


class Games:
    """The environments of a loop.

    Attributes:
        finished: records of episodes that have ended and were not yet yielded.
    """

    def __init__(self, environments: vector.Environments, run: RunState) -> None:
        """
        Args:
            environments: no episode has begun.
            run: whose counters and statistics the episodes go to.
        """
        self.environments, self._run = environments, run
        self._episodes = EpisodeSums(len(environments.observations))
        self.finished: list[EpisodeRecord] = []

    @property
    def over(self) -> list[bool]:
        """For each of them, whether its episode is over, or none has begun."""
        return self._episodes.over

    def begin_episodes(self) -> None:
        """Begin an episode wherever one is over."""
        if any(self.over):
            for i, answer in enumerate(step_all(self.environments, self._episodes.commands())):
                if answer is not None:
                    self._episodes.note(i, answer)

    def step(self, actions: Sequence[int]) -> list[TimeStep]:
        """A step of every environment, which has begun an episode; the answers are valid until the next call."""
        answers = []
        for i, answer in enumerate(step_all(self.environments, actions)):
            assert answer is not None
            self._episodes.note(i, answer)
            answers.append(answer)
            if answer.episode_over:
                self.finished.append(self._episodes.record(self._run, i, answer))
        return answers

    # -- saving ------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Environments, sums of the episodes under way, records that were not yet yielded."""
        return {
            "environment": self.environments.state(),
            "episode": self._episodes.state(),
            "pending": [list(record) for record in self.finished],
        }

    def restore(self, state: dict[str, Any]) -> list[int]:
        """The inverse of ``state``.

        Returns:
            The environments that begin their next episode instead, where ``run.inexact`` allows it.

        Raises:
            InexactRestore: an environment plays something else than it did.
        """
        self._episodes.restore(state["episode"])
        self.finished = [EpisodeRecord(*record) for record in state["pending"]]
        return self.restore_environments(state["environment"])

    def restore_environments(self, states: list[dict[str, Any]]) -> list[int]:
        """As ``restore``, of the environments alone."""
        latest, anew = self.environments.restore(states, self._run.inexact), []
        for i, (last, state) in enumerate(zip(latest, states, strict=True)):
            if last is None and state["digest"]:
                self._run.note_abandoned(i, state)
                self._episodes.abandon(i)
                anew.append(i)
        return anew
