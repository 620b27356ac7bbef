"""Makes environments of Gymnasium's interface, and refuses those that cannot be played here."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium

from dqn_tf import checks
from dqn_tf.envs import registered
from dqn_tf.envs.answers import InvalidAnswer
from dqn_tf.envs.as_vector import AsVector, is_scalar
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.envs.registered import describe_error
from dqn_tf.envs.simple_protocols import GymnasiumProtocol


class ShowsImages(checks.ConfigError):
    """An environment shows images, and was asked for without a protocol for them."""


def make(env_id: str, drawing: bool, most_steps: int | None, key: str | None = None) -> Any:
    """A new environment, its observations vectors where they are numbers.

    Args:
        env_id: an id of registered.py.
        drawing: whether pictures are wanted.
        most_steps: a time limit, in steps, instead of its own; None: its own.
        key: the entry of its observations, a Dict, that is seen alone; None: they are seen as they are.

    Returns:
        A gymnasium.Env.

    Raises:
        ConfigError: it cannot be made (a package is missing, say), or its reset() takes no seed; with its own words. Or
            there is no such entry.
    """
    try:
        env = registered.make(env_id, drawing, most_steps)
    except (Exception, SystemExit) as error:
        raise checks.ConfigError(
            f"Expected an environment that can be made for `{env_id}`, got {describe_error(error)}. Install what it "
            "asks for, or choose another environment."
        ) from error
    try:
        if key is not None:
            env = Entry(env, key, env_id)
        elif is_scalar(getattr(env, "observation_space", None)):
            env = AsVector(env)
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


class Entry(gymnasium.ObservationWrapper[Any, Any, Any]):
    """The environment, of whose observations, a Dict, one entry is seen."""

    def __init__(self, env: gymnasium.Env[Any, Any], key: str, env_id: str) -> None:
        """
        Args:
            env: the environment.
            key: of the entry.
            env_id: of the environment, for errors.

        Raises:
            ConfigError: there is no such entry.
        """
        super().__init__(env)
        space, self._key = env.observation_space, key
        if not isinstance(space, gymnasium.spaces.Dict):
            raise checks.ConfigError(
                f"Expected observations that are a Dict for `protocol.key`={key}, got {space} from `{env_id}`. Set "
                "protocol.key=none."
            )
        if key not in space.spaces:
            raise checks.unknown(f"entry of the observations of {env_id}", key, map(str, space.spaces))
        self.observation_space = space.spaces[key]

    def observation(self, observation: Any) -> Any:
        """The entry of an observation.

        Raises:
            InvalidAnswer: it has no such entry.
        """
        if not isinstance(observation, dict) or self._key not in observation:
            raise InvalidAnswer(
                f"expected an observation with the entry {self._key!r}, got {type(observation).__name__}"
            )
        return observation[self._key]


def check_spaces(
    env: Any, env_id: str, protocol: GymnasiumProtocol | ImageProtocol | None = None
) -> tuple[gymnasium.spaces.Box, gymnasium.spaces.Discrete]:
    """Check that an environment can be played under the protocol.

    Args:
        env: the environment.
        env_id: its id, for errors.
        protocol: vectors have one of their kind, or none; images have one for them.

    Returns:
        Its observation space and its action space.

    Raises:
        ConfigError: they are of a kind that cannot be played.
        ShowsImages: they could be under a protocol for images.
    """
    observations, actions = getattr(env, "observation_space", None), getattr(env, "action_space", None)
    for name, space in (("observation_space", observations), ("action_space", actions)):
        if space is None:
            raise checks.ConfigError(
                f"Expected {name} of `{env_id}`, got none. Declare it when the environment is made: self.{name} = ..."
            )
    if 0 in (getattr(observations, "shape", None) or ()):
        raise checks.ConfigError(
            f"Expected observations of one number at least for `{env_id}`, got {observations}: without "
            "a number, states cannot differ. Let an environment without states always show the same number."
        )
    if isinstance(observations, gymnasium.spaces.Dict | gymnasium.spaces.Tuple):
        image = isinstance(observations, gymnasium.spaces.Dict) and any(map(_is_image, observations.spaces.values()))
        raise checks.ConfigError(
            f"Expected observations that are one array for `{env_id}`, got {observations}. Give a function that makes "
            "one vector of them, as gymnasium.wrappers.FlattenObservation does: examples/flattened.py."
            + (" Or see an image among them alone: --protocol image --set protocol.key=NAME." if image else "")
        )
    seen = _checked(observations, env_id, isinstance(protocol, ImageProtocol))
    if not isinstance(actions, gymnasium.spaces.Discrete):
        raise checks.ConfigError(
            f"Expected actions of the form Discrete for `{env_id}`, got {actions}. Q-learning needs a finite "
            "set of actions."
        )
    return seen, actions


def _checked(observations: object, env_id: str, images: bool) -> gymnasium.spaces.Box:
    """The space, if it is one of vectors; images: or of what may be images (images.py)."""
    if not images and _is_image(observations):
        raise ShowsImages(
            f"Expected vectors for `{env_id}`, got images, {observations}. Play them under a protocol for images and "
            "with a network for them: --protocol image, and the preset dqn_image (or, from 36 x 36 pixels on, one of "
            "those for Atari games)."
        )
    if not isinstance(observations, gymnasium.spaces.Box) or not (images or len(observations.shape) == 1):
        raise checks.ConfigError(
            f"Expected observations of the form Box [D], or Box [H, W] and [H, W, C] (images), for `{env_id}`, got "
            f"{observations}. What becomes a vector is played, too: Discrete, MultiDiscrete, MultiBinary, a single "
            "number. For Atari games give the game's name."
        )
    return observations


def _is_image(space: object) -> bool:
    return isinstance(space, gymnasium.spaces.Box) and len(space.shape) in (2, 3)


def check_observations(before: gymnasium.spaces.Box, env: Any) -> None:
    """Check that an environment still declares the observations that it was made with, but for their bounds.

    Args:
        before: what it declared.
        env: the environment.

    Raises:
        InvalidAnswer: it does not.
    """
    space = env.observation_space
    if space is not before and (space.shape, space.dtype) != (before.shape, before.dtype):
        raise InvalidAnswer(
            f"expected the observations that the environment was made with, {before}, got {space} as its "
            "observation_space: a network has an input for each number, and cannot get others in mid-run"
        )
