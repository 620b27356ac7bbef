"""Environments: Atari games under a named protocol, and Gymnasium's vector-state tasks.

Both kinds answer with ``types.TimeStep``, know their ``spec``, and can be saved and restored exactly.  Neither ale_py
nor Gymnasium is imported before it is needed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dqn_tf import checks, fields
from dqn_tf.envs import games, protocols
from dqn_tf.envs.protocols import PROTOCOLS, AtariProtocol
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol
from dqn_tf.types import EnvironmentSpec, ObservationSpec, TimeStep

__all__ = [
    "PROTOCOLS",
    "AtariProtocol",
    "Environment",
    "GymnasiumProtocol",
    "MinAtarProtocol",
    "check_environment",
    "make",
    "observation_spec",
    "protocols",
    "rom_md5",
    "short_name",
]


AnyProtocol = AtariProtocol | GymnasiumProtocol | MinAtarProtocol


class Environment(Protocol):
    """What every environment can do; see ``atari.AtariEnvironment`` and ``classic.GymnasiumEnvironment``."""

    spec: EnvironmentSpec

    @property
    def last(self) -> TimeStep: ...
    def reset(self) -> TimeStep: ...
    def step(self, action: int) -> TimeStep: ...
    def render(self) -> np.ndarray: ...
    def state(self) -> dict[str, np.ndarray | int | str]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


def check_environment(name: str) -> str:
    """The canonical id of an environment: "ale:breakout", "minatar:breakout" or "gym:CartPole-v1".

    name: a game in any spelling of ``games.resolve``, "minatar_breakout", a Gymnasium id, or a canonical id.  No
    emulator is started.

    Raises ConfigError: nothing has this name; the nearest names of both kinds are given.
    """
    kind, colon, rest = name.partition(":")
    if colon and kind == "ale":
        return f"ale:{games.resolve(rest)}"
    if name.startswith(("minatar:", "minatar_")):
        from dqn_tf.envs import minatar

        return f"minatar:{minatar.resolve(name[len('minatar_') :])}"
    if game := games.find(name):
        return f"ale:{game}"
    from dqn_tf.envs import classic

    env_id = rest if colon and kind == "gym" else name
    if classic.find(env_id):
        return f"gym:{env_id}"
    close = [*checks.nearest(env_id, games.ALL), *checks.nearest(env_id, classic.known_ids())]
    hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise checks.ConfigError(
        f"Unknown environment {name!r}. {hint}Give an Atari game (breakout) or a Gymnasium id (CartPole-v1)."
    )


def short_name(environment: str) -> str:
    """A canonical id as people write it: "breakout", "CartPole-v1", "minatar:breakout"."""
    kind, _, name = environment.partition(":")
    return environment if kind == "minatar" else name


def make(
    environment: str, protocol: AnyProtocol | None, seed: int, stream: str = "train", training: bool = True
) -> Environment:
    """An environment by name, in any spelling of ``check_environment``.

    protocol: for Atari games; Gymnasium environments may have one of their kind, and take no notice of others.  seed,
    stream: which random streams it draws from; give training and evaluation different ones.  training: whether a
    protocol's training column applies.

    Raises ConfigError: unknown name, an Atari game without a protocol, or an environment of an unsupported kind.
    """
    kind, _, name = check_environment(environment).partition(":")
    if kind == "gym":
        from dqn_tf.envs.classic import GymnasiumEnvironment

        rules = protocol if isinstance(protocol, GymnasiumProtocol) else None
        return GymnasiumEnvironment(name, seed, stream, training, rules)
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
    """What an environment will show, without starting an emulator."""
    if environment.startswith("ale:") and isinstance(protocol, AtariProtocol):
        size = (protocol.frame_height, protocol.frame_width)
        return ObservationSpec(size, "uint8", protocol.stack, protocol.stack_padding)
    instance = make(environment, protocol, seed=0)
    try:
        return instance.spec.observation
    finally:
        instance.close()


def rom_md5(environment: str) -> str | None:
    """MD5 of an Atari game's ROM as ale-py ships it; None for other environments."""
    kind, _, name = environment.partition(":")
    if kind != "ale":
        return None
    from ale_py import roms

    return hashlib.md5(Path(roms.get_rom_path(name)).read_bytes(), usedforsecurity=False).hexdigest()
