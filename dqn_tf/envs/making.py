"""Makes environments of Gymnasium's interface, and refuses those that cannot be played here."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium

from dqn_tf import checks
from dqn_tf.envs import registered
from dqn_tf.envs.as_vector import AsVector, is_scalar
from dqn_tf.envs.registered import describe_error


def make(env_id: str, drawing: bool, most_steps: int | None) -> Any:
    """A new environment, its observations vectors where they are numbers.

    Args:
        env_id: an id of registered.py.
        drawing: whether pictures are wanted.
        most_steps: a time limit, in steps, instead of its own; None: its own.

    Returns:
        A gymnasium.Env.

    Raises:
        ConfigError: it cannot be made (a package is missing, say), or its reset() takes no seed; with its own words.
    """
    try:
        env = registered.make(env_id, drawing, most_steps)
    except (Exception, SystemExit) as error:
        raise checks.ConfigError(
            f"Expected an environment that can be made for `{env_id}`, got {describe_error(error)}. Install what it "
            "asks for, or choose another environment."
        ) from error
    if is_scalar(getattr(env, "observation_space", None)):
        env = AsVector(env)
    try:
        _check_reset(env, env_id)
    except checks.ConfigError:
        close(env, env_id)
        raise
    return env


def close(env: Any, env_id: str) -> None:
    """Release an environment.  Where its close() raises, nothing is lost: a RuntimeWarning says so.

    Args:
        env: of Gymnasium's interface.
        env_id: its id, for the warning.
    """
    try:
        env.close()
    except (Exception, SystemExit) as error:
        warnings.warn(f"{env_id}: its close() raised {describe_error(error)}", RuntimeWarning, stacklevel=3)


def _check_reset(env: Any, env_id: str) -> None:
    if missing := [name for name in ("seed", "options") if not registered.takes(env.unwrapped.reset, name)]:
        raise checks.ConfigError(
            f"Expected reset(self, *, seed=None, options=None) of `{env_id}`, got one that takes no "
            f"{' and no '.join(missing)}. This is the manner before Gymnasium 0.26: take them, and begin with "
            "super().reset(seed=seed), so that the same seed gives the same episode."
        )


def check_spaces(env: Any, env_id: str) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Discrete]:
    """The two spaces, if they are of a kind that can be played.

    Args:
        env: of Gymnasium's interface.
        env_id: its id, for the message.

    Returns:
        The spaces of observations and of actions.

    Raises:
        ConfigError: they are of another kind.
    """
    observations, actions = getattr(env, "observation_space", None), getattr(env, "action_space", None)
    for name, space in (("observation_space", observations), ("action_space", actions)):
        if space is None:
            raise checks.ConfigError(
                f"Expected {name} of `{env_id}`, got none. Declare it when the environment is made: self.{name} = ..."
            )
    if 0 in (getattr(observations, "shape", None) or ()):
        raise checks.ConfigError(
            f"Expected observations of one number at least for `{env_id}`, got {observations}: nothing can be told "
            "apart by none. Of an environment without states make one that always shows the same number."
        )
    if isinstance(observations, gymnasium.spaces.Dict | gymnasium.spaces.Tuple):
        raise checks.ConfigError(
            f"Expected observations that are one array for `{env_id}`, got {observations}. Give a function that makes "
            "one vector of them, as gymnasium.wrappers.FlattenObservation does: examples/flattened.py."
        )
    if not (isinstance(observations, gymnasium.spaces.Box) and len(observations.shape) == 1):
        raise checks.ConfigError(
            f"Expected observations of the form Box [D] for `{env_id}`, got {observations}. Only vectors are "
            "supported here, and what becomes one (Discrete, MultiDiscrete, MultiBinary, a single number); for Atari "
            "games give the game's name."
        )
    if not isinstance(actions, gymnasium.spaces.Discrete):
        raise checks.ConfigError(
            f"Expected actions of the form Discrete for `{env_id}`, got {actions}. Q-learning needs a finite "
            "set of actions."
        )
    return observations, actions
