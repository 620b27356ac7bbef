"""E environments that are played side by side, with the sums and the records of their episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dqn_tf.checks import EnvironmentFault, RunError
from dqn_tf.envs import vector
from dqn_tf.training.records import EpisodeRecord
from dqn_tf.training.run_state import RunState
from dqn_tf.types import StepType, TimeStep


class Games:
    """The environments of a loop.

    Attributes:
        over: for each of them, whether its episode is over, or none has begun.
        finished: records of episodes that have ended and were not yet yielded.
    """

    def __init__(self, environments: vector.Environments, run: RunState) -> None:
        """
        Args:
            environments: no episode has begun.
            run: whose counters and statistics the episodes go to.
        """
        self.environments, self._run = environments, run
        number = len(environments.observations)
        self.over = [True] * number
        self.finished: list[EpisodeRecord] = []
        self._returns, self._lengths = [0.0] * number, [0] * number

    def begin_episodes(self) -> None:
        """Begin an episode wherever one is over."""
        if any(self.over):
            for i, answer in enumerate(self._step([vector.RESET if over else vector.REST for over in self.over])):
                if answer is not None:
                    self._note(i, answer)

    def step(self, actions: Sequence[int]) -> list[TimeStep]:
        """A step of every environment, which has begun an episode; the answers are valid until the next call."""
        first, skip, answers = self._run.counters.steps, self._run.config.frame_skip, []
        for i, answer in enumerate(self._step(actions)):
            assert answer is not None
            self._note(i, answer)
            answers.append(answer)
            if answer.episode_over:
                self.finished.append(self._record(i, first + i + 1, skip, answer))
        return answers

    def _step(self, actions: Sequence[int]) -> list[TimeStep | None]:
        try:
            return self.environments.step(actions)
        except EnvironmentFault as error:
            if len(actions) == 1:
                raise
            # The others are a step ahead: this is no state to save.
            raise RunError(str(error)) from (error.__cause__ or error)

    def _note(self, i: int, answer: TimeStep) -> None:
        self.over[i] = answer.step_type == StepType.LAST
        self._returns[i] += answer.reward
        self._lengths[i] += answer.frames

    def _record(self, i: int, steps: int, skip: int, answer: TimeStep) -> EpisodeRecord:
        run, number = self._run, self._run.counters.episodes
        run.stats.returns.add(self._returns[i])
        record = EpisodeRecord(
            frames=steps * skip,
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

    # -- saving ------------------------------------------------------------------------------------------------------
    def state(self) -> dict[str, Any]:
        """Environments, sums of the episodes under way, records that were not yet yielded."""
        sums = {"over": list(self.over), "return_raw": list(self._returns), "length_frames": list(self._lengths)}
        return {
            "environment": self.environments.state(),
            "episode": sums,
            "pending": [list(record) for record in self.finished],
        }

    def restore(self, state: dict[str, Any]) -> list[int]:
        """The inverse of ``state``.

        Returns:
            The environments that begin their next episode instead, where ``run.inexact`` allows it.

        Raises:
            InexactRestore: an environment plays something else than it did.
        """
        sums = state["episode"]
        self.over = [bool(over) for over in sums["over"]]
        self._returns, self._lengths = list(map(float, sums["return_raw"])), list(map(int, sums["length_frames"]))
        self.finished = [EpisodeRecord(*record) for record in state["pending"]]
        return self.restore_environments(state["environment"])

    def restore_environments(self, states: list[dict[str, Any]]) -> list[int]:
        """As ``restore``, of the environments alone."""
        latest, anew = self.environments.restore(states, self._run.inexact), []
        for i, (last, state) in enumerate(zip(latest, states, strict=True)):
            if last is None and state["digest"]:
                self._run.note_abandoned(i, state)
                self.over[i], self._returns[i], self._lengths[i] = True, 0.0, 0
                anew.append(i)
        return anew
