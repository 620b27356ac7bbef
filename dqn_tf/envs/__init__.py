"""Environments: Atari games under a named protocol, Gymnasium's, of vectors or images, and MinAtar's games.

All kinds answer with ``types.TimeStep``, know their ``spec``, and can be saved and restored exactly.  Neither ale_py
nor Gymnasium is imported before it is needed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dqn_tf import checks, fields, outside
from dqn_tf.envs import games, protocols
from dqn_tf.envs.image_protocol import IMAGE_PROTOCOLS, ImageProtocol
from dqn_tf.envs.protocols import PROTOCOLS, AtariProtocol
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol
from dqn_tf.types import EnvironmentSpec, ObservationSpec, TimeStep

__all__ = [
    "IMAGE_PROTOCOLS",
    "PROTOCOLS",
    "AtariProtocol",
    "Environment",
    "GymnasiumProtocol",
    "ImageProtocol",
    "MinAtarProtocol",
    "check_environment",
    "default_protocol",
    "identify",
    "keywords",
    "make",
    "notes",
    "observation_spec",
    "protocols",
    "rom_md5",
    "short_name",
]


AnyProtocol = AtariProtocol | GymnasiumProtocol | MinAtarProtocol | ImageProtocol


class Environment(Protocol):
    """The contract of an environment; see ``atari.AtariEnvironment`` and ``classic.GymnasiumEnvironment``."""

    spec: EnvironmentSpec

    @property
    def last(self) -> TimeStep:
        """The latest answer.

        Raises:
            RunError: there is none yet.
        """

    def reset(self) -> TimeStep:
        """Begin the agent's next episode: its first answer."""

    def step(self, action: int) -> TimeStep:
        """Take an action, an index into ``spec.action_names``.

        Raises:
            RunError: reset() is due.
            ConfigError: there is no such action, or it is illegal now.
        """

    def render(self) -> np.ndarray:
        """The present picture, [H, W, 3] uint8 RGB."""

    def state(self) -> dict[str, Any]:
        """Everything that decides the future of the environment."""

    def restore(self, state: dict[str, Any]) -> None:
        """Return to the moment of ``state``, in this or another object or process.

        Raises:
            RunError: the state is another environment's.
            InexactRestore: the episode ends elsewhere when it is played again.
        """

    def abandon_episode(self, state: dict[str, Any]) -> None:
        """Abandon the episode of ``state``: the next reset() begins the one after it."""

    def close(self) -> None:
        """Release all resources.  Nothing may be called afterwards."""


def check_environment(name: str) -> str:
    """The canonical id of an environment: "ale:breakout", "minatar:breakout", "gym:CartPole-v1".  No emulator is
    started.

    Args:
        name: a game in any spelling of ``games.resolve``, "minatar_breakout", "MinAtar/Breakout-v0", an id of
            registered.py, or a canonical id.

    Returns:
        The id.

    Raises:
        ConfigError: nothing has this name; it gives the nearest names of all kinds.
    """
    if name.startswith(("minatar:", "minatar_")) or (name.startswith("MinAtar/") and not _is_registered(name)):
        from dqn_tf.envs import minatar

        return f"minatar:{minatar.resolve(name[len('minatar_') :])}"
    text, arguments, _ = name.partition("{")
    kind, colon, rest = text.partition(":")
    game = games.resolve(rest) if colon and kind == "ale" else None
    if not colon and not _is_registered(text):
        game = games.find(text)
    if game and arguments:
        raise checks.ConfigError(
            f"Expected no arguments for the Atari game {game}, got {name!r}. How it is played is the protocol's: --set "
            "protocol.FIELD=VALUE."
        )
    if game:
        return f"ale:{game}"
    from dqn_tf.envs import registered

    env_id = name.removeprefix("gym:")
    if found := registered.find(env_id):
        return f"gym:{found}"
    raise _unknown(name, env_id, registered.known_ids())


def identify(environment: str | Callable[..., Any], arguments: Mapping[str, Any] | None = None) -> str:
    """The canonical id of an environment that is given by name, or as a function or class that makes it.

    Args:
        environment: a name as for ``check_environment``, or the function or class.
        arguments: keywords for it, beside its own.

    Returns:
        The id.

    Raises:
        ConfigError: nothing has this name, or the arguments cannot be written as JSON.
    """
    if isinstance(environment, str) and not arguments:
        return check_environment(environment)
    from dqn_tf.envs import registered

    name = environment if isinstance(environment, str) else registered.id_of(environment)
    return check_environment(registered.with_arguments(name, arguments) if arguments else name)


def keywords(texts: Sequence[str]) -> dict[str, Any]:
    """Keyword arguments from "name=value" texts: level=3, easy=true, sizes=[1,2]; a value that is no JSON is a text.

    Raises:
        ConfigError: a text has another form.
    """
    out: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        checks.expect(bool(equals) and name.isidentifier(), "name=value", "--env-args", text)
        try:
            out[name] = json.loads(value)
        except ValueError:
            out[name] = value
    return out


def _unknown(name: str, env_id: str, known: list[str]) -> checks.ConfigError:
    if env_id.startswith("here:"):
        return checks.ConfigError(
            f"Expected the program that has the function {env_id.removeprefix('here:')!r}, which no other can import: "
            "give it there, as train(config, run_dir, environment=function). To be free of that, put it into a module."
        )
    close = [*checks.nearest(env_id, games.ALL), *checks.nearest(env_id, known)]
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return checks.ConfigError(
        f"Unknown environment {name!r}. {hint}Give an Atari game (breakout), a Gymnasium id (CartPole-v1), "
        "module:Name-v0 for a module that registers Name-v0 when it is imported, or module:factory for its function."
    )


def short_name(environment: str) -> str:
    """A canonical id as people write it: "breakout", "CartPole-v1", "minatar:breakout"."""
    kind, _, name = environment.partition(":")
    return environment if kind == "minatar" else name


def _is_registered(name: str) -> bool:
    """Whether Gymnasium knows exactly this id; it is imported only for what looks like one."""
    if not (re.search(r"-v[0-9]+$", name) or "gymnasium" in sys.modules):
        return False
    from dqn_tf.envs import registered

    return registered.is_registered(name)


def notes(name: str, protocol: AnyProtocol | None) -> list[str]:
    """What may surprise a user who asks for an environment by this name.

    Args:
        name: as it was given.
        protocol: of the run; None: there is none.

    Returns:
        One sentence each; may be none.
    """
    game = None if ":" in name else games.spelled(name)
    if game and _is_registered(name):
        return [f"{name} is the environment that Gymnasium has under exactly this id; the Atari game is ale:{game}."]
    own = games.own_settings(name) if game else None
    if own and isinstance(protocol, AtariProtocol) and own != (protocol.frame_skip, protocol.sticky_probability):
        return [
            f"{name} names the game only. The protocol decides how it is played: frame skip {protocol.frame_skip}, "
            f"sticky actions with probability {protocol.sticky_probability} (in Gymnasium that id has {own[0]} and "
            f"{own[1]})."
        ]
    return []


def make(
    environment: str,
    protocol: AnyProtocol | None,
    seed: int,
    stream: str = "train",
    training: bool = True,
    drawing: bool = False,
) -> Environment:
    """An environment by name.

    Args:
        environment: in any spelling of ``check_environment``.
        protocol: how it is played; only a protocol of its kind has an effect, and Atari games need one.
        seed: of the run.
        stream: which of the run's random streams it draws from; training and evaluation need different ones.
        training: whether the protocol's settings for training apply, or those for evaluation.
        drawing: whether ``render`` will be called; of no effect for Atari games, which can always draw.

    Returns:
        The environment, before its first reset.

    Raises:
        ConfigError: unknown name, an Atari game without a protocol, or an environment of an unsupported kind.
    """
    kind, _, name = check_environment(environment).partition(":")
    if kind == "gym":
        from dqn_tf.envs.classic import GymnasiumEnvironment

        rules = protocol if isinstance(protocol, GymnasiumProtocol | ImageProtocol) else None
        return GymnasiumEnvironment(name, seed, stream, training, rules, drawing)
    if kind == "minatar":
        from dqn_tf.envs.minatar import MinAtarEnvironment

        minatar = protocol if isinstance(protocol, MinAtarProtocol) else MinAtarProtocol()
        return MinAtarEnvironment(name, minatar, seed, stream, training)
    if not isinstance(protocol, AtariProtocol):
        names, said = ", ".join(PROTOCOLS), protocol and fields.kind(protocol)
        raise checks.ConfigError(
            f"Expected a protocol for `{name}`, got {said}. Choose one of envs.PROTOCOLS: {names}."
        )
    from dqn_tf.envs.atari import AtariEnvironment

    return AtariEnvironment(name, protocol, seed, stream, training)


def observation_spec(environment: str, protocol: AnyProtocol | None) -> ObservationSpec:
    """The form of an environment's observations.

    No emulator is started; an environment of Gymnasium's is made once, to read its spaces.

    Args:
        environment: in any spelling of ``check_environment``.
        protocol: how it is played.

    Returns:
        Shape, dtype, stack, and whether there are masks.
    """
    if environment.startswith("ale:") and isinstance(protocol, AtariProtocol):
        size = (protocol.frame_height, protocol.frame_width)
        return ObservationSpec(size, "uint8", protocol.stack, protocol.stack_padding)
    from dqn_tf.envs import registered

    name = check_environment(environment)
    meaning = registered.meaning(name.removeprefix("gym:")) if name.startswith("gym:") else None
    asked = _asked.get((environment, protocol))
    if asked is None or asked[0] is not meaning:  # its id may mean another one now
        with outside.folder_kept():
            instance = make(environment, protocol, seed=0)
            asked = meaning, instance.spec.observation
            instance.close()
        _asked[(environment, protocol)] = asked
    return asked[1]


def default_protocol(environment: str) -> ImageProtocol | None:
    """The protocol of a Gymnasium environment for which none is asked: that of images as they are, where it shows some.

    Raises:
        ConfigError: it cannot be made.
    """
    from dqn_tf.envs.making import ShowsImages

    try:
        observation_spec(environment, None)
    except ShowsImages:
        return IMAGE_PROTOCOLS["image"]
    return None


# Kept, because it is needed again while environments are open, and of some only one object can exist.
_asked: dict[tuple[str, AnyProtocol | None], tuple[Any, ObservationSpec]] = {}


def is_known(environment: str) -> bool:
    """Whether an environment is a game that this package plays or one of Gymnasium's own: not somebody else's code.

    Args:
        environment: as configurations have it.
    """
    kind, _, name = environment.partition(":")
    if kind != "gym":
        return True
    from dqn_tf.envs import registered

    entry_point = getattr(registered.meaning(name), "entry_point", "")
    return str(entry_point).startswith("gymnasium.envs.")


def portable(environment: str) -> tuple[bytes | None, Any]:
    """What a worker process needs beside the id, see ``registered.portable``; and what is known of its masks."""
    if not environment.startswith("gym:"):
        return None, None
    from dqn_tf.envs import action_masks, registered

    env_id = environment.removeprefix("gym:")
    return registered.portable(env_id), action_masks.known_source(env_id)


def adopt(environment: str, found: tuple[bytes | None, Any]) -> None:
    """In a worker process: use what ``portable`` gave.

    Args:
        environment: canonical id.
        found: as ``portable`` gave it.
    """
    if not environment.startswith("gym:"):
        return
    from dqn_tf.envs import action_masks, registered

    registered.adopt(found[0])
    if found[1]:
        action_masks.know_source(environment.removeprefix("gym:"), found[1])


def rom_md5(environment: str) -> str | None:
    """MD5 of an Atari game's ROM as ale-py ships it; None for other environments."""
    kind, _, name = environment.partition(":")
    if kind != "ale":
        return None
    from ale_py import roms

    return hashlib.md5(Path(roms.get_rom_path(name)).read_bytes(), usedforsecurity=False).hexdigest()
