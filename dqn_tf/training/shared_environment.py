"""The environment of training, used by evaluations too: where only one object of it can exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dqn_tf.checks import EnvironmentFault, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import Environment


class SharedEnvironment:
    """Gives the environment of training to evaluations, for one stream after the other, and returns it to training."""

    def __init__(self, environment: Any, config: RunConfig, resume: Callable[[], None]) -> None:
        """
        Args:
            environment: of training; has ``with_streams`` (envs/classic.py).
            config: of the run.
            resume: returns training to the episode that was under way, if one was, by playing it again.
        """
        self._environment, self._config, self._resume, self._lent = environment, config, resume, False

    @classmethod
    def of(cls, environment: Any, config: RunConfig, resume: Callable[[], None]) -> SharedEnvironment | None:
        """A shared environment, if it can be one.

        Args:
            environment: of training.
            config: of the run.
            resume: as for the constructor.

        Returns:
            None for an environment that has no ``with_streams``; of such there can always be several.
        """
        return cls(environment, config, resume) if hasattr(environment, "with_streams") else None

    def for_evaluation(self, stream: str, say: Callable[[str], None]) -> Environment:
        """The environment, drawing from a stream of an evaluation.

        Args:
            stream: names its random streams.
            say: called with a sentence, once for each evaluation.

        Returns:
            An environment; that of training must not be used until ``return_to_training``.
        """
        if not self._lent:
            say(f"{self._config.environment} exists once: it is lent to the evaluation.")
        self._lent = True
        environment: Environment = self._environment.with_streams(self._config.seed, stream, training=False)
        return environment

    def return_to_training(self) -> None:
        """After an evaluation.

        Raises:
            InexactRestore: the episode that was under way is another one when it is played again.
            RunError: the environment failed while it was played again.
        """
        if not self._lent:
            return
        self._lent = False
        try:
            self._resume()
        except EnvironmentFault as error:  # in mid-replay: this is no state to save
            raise RunError(f"{error} That was when it was played again after an evaluation.") from error
