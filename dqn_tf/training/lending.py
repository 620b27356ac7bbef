"""The environment of training, lent to evaluations where no other one can be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dqn_tf.checks import EnvironmentFault, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import Environment


class Lender:
    """Gives an environment out for one stream after the other, and sees to it that training gets it back."""

    def __init__(self, environment: Any, config: RunConfig, restore: Callable[[], None]) -> None:
        """restore: returns training to the episode that was under way, if one was."""
        self._environment, self._config, self._restore, self._lent = environment, config, restore, False

    @classmethod
    def of(cls, environment: Any, config: RunConfig, restore: Callable[[], None]) -> Lender | None:
        """None if it is none that can be lent."""
        return cls(environment, config, restore) if hasattr(environment, "lend") else None

    def lend(self, stream: str, say: Callable[[str], None]) -> Environment:
        """The environment, drawing from a stream of an evaluation."""
        if not self._lent:
            say(f"{self._config.environment} exists once: it is lent to the evaluation.")
        self._lent = True
        environment: Environment = self._environment.lend(self._config.seed, stream, training=False)
        return environment

    def take_back(self) -> None:
        """After an evaluation.

        Raises:
            InexactRestore: the episode that was under way is another one when it is played again.
            RunError: the environment failed in that.
        """
        if not self._lent:
            return
        self._lent = False
        try:
            self._restore()
        except EnvironmentFault as error:  # in mid-replay: this is no state to save
            raise RunError(f"{error} That was when it was played again after an evaluation.") from error
