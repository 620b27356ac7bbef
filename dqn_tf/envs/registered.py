"""Environments that are not Atari games, by id: from Gymnasium's registry, or from modules of the user's.

An id is one of

    CartPole-v1             what Gymnasium has, or what this program has registered
    module:Name-v0          what a module registers when it is imported
    module:factory          a function, or a class, of a module that gives the environment
    here:module:factory     a function of this program that no other can import (a lambda, a local one)

each with keyword arguments at its end, if it has any, as JSON: CartPole-v1{"sutton_barto_reward":true}.  It is part of
a run's configuration, and so of its identity.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import importlib
import inspect
import json
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium

from dqn_tf import checks
from dqn_tf.outside import name_of_main, present_folder

HERE = "here"
_given: dict[str, Callable[..., Any]] = {}  # functions of this program, by their ids without arguments


class EnvironmentId(NamedTuple):
    """The parts of an id.

    Attributes:
        module: its name; "" if there is none.
        name: in the module, or in Gymnasium's registry.
        arguments: keywords.
    """

    module: str
    name: str
    arguments: dict[str, Any]

    @property
    def text(self) -> str:
        """The id itself; arguments in the order of their names."""
        module = f"{self.module}:" if self.module else ""
        return f"{module}{self.name}{_json(self.arguments) if self.arguments else ''}"


def _json(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True, separators=(",", ":"), allow_nan=False)


def split(env_id: str) -> EnvironmentId:
    """An id in its parts.

    Raises:
        ConfigError: the text in braces is not JSON.
    """
    text, brace, rest = env_id.partition("{")
    arguments: Any = {}
    if brace:
        try:
            arguments = json.loads(brace + rest)
        except ValueError as error:
            raise checks.ConfigError(
                f"Expected keyword arguments as JSON at the end of the environment, as in "
                f'CartPole-v1{{"gravity": 3}}, got '
                f"{brace + rest!r}: {error}. Or give them by --env-args name=value."
            ) from error
    module, _, name = text.rpartition(":")
    return EnvironmentId(module, name, arguments)


def known_ids() -> list[str]:
    """Registered Gymnasium ids, without ale-py's Atari games."""
    return sorted(env_id for env_id in gymnasium.registry if is_registered(env_id))


def is_registered(name: str) -> bool:
    """Whether exactly this id is registered, but not by ale-py, whose games are played by envs/atari.py."""
    spec = gymnasium.registry.get(name)
    return spec is not None and not str(spec.entry_point).startswith("ale_py")


def find(env_id: str) -> str | None:
    """``env_id`` as it is written in configurations, if there is such an environment, else None.

    Raises:
        ConfigError: there is no such module, or its import fails; with the module's own words.
    """
    parts = split(env_id)
    if meaning(env_id) is None:
        return None
    return parts.text


def meaning(env_id: str) -> Any:
    """What the id refers to: a specification of Gymnasium's, or a function; None if there is no such thing.

    Raises:
        ConfigError: as ``find``.
    """
    module, name, _ = split(env_id)
    if module.partition(":")[0] == HERE:
        return _given.get(f"{module}:{name}")
    imported = import_module(module, env_id) if module else None
    if is_registered(name):
        return gymnasium.registry[name]
    try:
        found = functools.reduce(getattr, name.split("."), imported)
    except AttributeError:
        return None
    return found if callable(found) else None


def id_of(factory: Callable[..., Any]) -> str:
    """The canonical id of a function that gives an environment, with the keywords of a functools.partial.

    Raises:
        ConfigError: it has arguments without names, or ones that JSON cannot express.
    """
    keywords: dict[str, Any] = {}
    while isinstance(factory, functools.partial):
        if factory.args:
            raise checks.ConfigError(
                f"Expected keyword arguments only for the environment {factory!r}, got {factory.args!r}. They are part "
                "of the run's identity, which knows them by name."
            )
        keywords, factory = {**factory.keywords, **keywords}, factory.func
    place = _place(factory)
    if place is None:
        place = f"{HERE}:{factory.__module__}:{getattr(factory, '__qualname__', type(factory).__qualname__)}"
        _given[place] = factory
    return f"gym:{with_arguments(place, keywords)}"


def _place(factory: Any) -> str | None:
    """Where any process can import it from, "module:name"; a script is named by its file.  None: from nowhere."""
    module, name = factory.__module__, getattr(factory, "__qualname__", "")
    start, module = sys.modules.get(module), name_of_main() if module == "__main__" else module
    with contextlib.suppress(AttributeError):
        if module and functools.reduce(getattr, name.split("."), start) is factory:
            return f"{module}:{name}"
    return None


def with_arguments(env_id: str, arguments: Mapping[str, Any]) -> str:
    """An id with more keyword arguments.

    Args:
        env_id: may have some already.
        arguments: plain values; they replace those of the same names.

    Returns:
        The id.

    Raises:
        ConfigError: JSON cannot express them.
    """
    parts = split(env_id)
    try:
        _json(arguments)
    except (TypeError, ValueError) as error:
        raise checks.ConfigError(
            f"Expected arguments of plain values (numbers, texts, lists, dicts) for the environment {env_id!r}, got "
            f"{dict(arguments)!r}: {error}. They are part of the run's identity, config.json."
        ) from error
    return parts._replace(arguments={**parts.arguments, **arguments}).text


def make(env_id: str, drawing: bool, most_steps: int | None = None) -> Any:
    """A new environment of Gymnasium's interface.

    Args:
        env_id: an id of this module.
        drawing: whether pictures are wanted.
        most_steps: a time limit, in steps, instead of its own; None: its own.

    Returns:
        A gymnasium.Env.

    Raises:
        TypeError: the function gave something else.
        Whatever making it raises.
    """
    found, (_, name, arguments) = meaning(env_id), split(env_id)
    if isinstance(found, gymnasium.envs.registration.EnvSpec):
        entry = found.entry_point
        creator = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
        how = {**arguments, **_drawing(creator, found.kwargs.get("render_mode"), drawing)}
        return gymnasium.make(name, max_episode_steps=most_steps, disable_env_checker=True, **how)
    env = found(**arguments, **_drawing(found, None, drawing))
    if not isinstance(env, gymnasium.Env):
        raise TypeError(f"{name}() gave {type(env).__name__}, which is no gymnasium.Env")
    return gymnasium.wrappers.TimeLimit(env, most_steps) if most_steps else env


def _drawing(creator: Any, registered: str | None, wanted: bool) -> dict[str, Any]:
    """What to say of drawing: nothing, unless pictures are wanted and it can, or it is registered to open a window."""
    if not wanted:
        return {"render_mode": None} if registered else {}
    modes = getattr(creator, "metadata", {"render_modes": ["rgb_array"]}).get("render_modes", [])
    return {"render_mode": "rgb_array"} if "rgb_array" in modes and takes(creator, "render_mode") else {}


def takes(function: Any, name: str) -> bool:
    """Whether a function can be called with a keyword.

    Args:
        function: or class.
        name: of the keyword.

    Returns:
        True or False; True where its signature cannot be read.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of compiled code
        return True
    return any(p.name == name or p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)


# -- for other processes -----------------------------------------------------------------------------------------------
def portable(env_id: str) -> bytes | None:
    """What another process needs, to find what only this program has registered; None if it finds it by itself.

    Raises:
        ConfigError: no other process can make it.
    """
    module, found = split(env_id).module, meaning(env_id)
    advice = (
        "Put it into a module of its own, and give module:factory or module:Name-v0; or take --set execution.workers=0."
    )
    if module.partition(":")[0] == HERE:
        raise checks.ConfigError(
            f"Expected an environment that worker processes can import, got {env_id!r}: only this program has this "
            f"function. {advice}"
        )
    entry = getattr(found, "entry_point", "gymnasium.")
    if module or (isinstance(entry, str) and entry.startswith("gymnasium.")):
        return None
    place = entry if isinstance(entry, str) else _place(entry)
    if place is None or not place.partition(":")[2].isidentifier():
        raise checks.ConfigError(
            f"Expected an environment that worker processes can import, got {env_id!r}: this program has registered "
            f"it, with {entry}, which no other process finds. {advice}"
        )
    portable = copy.copy(found)
    portable.entry_point = place
    return pickle.dumps(portable)


def adopt(registered: bytes | None) -> None:
    """Register what ``portable`` gave; None: nothing.

    Raises:
        Whatever importing it raises.
    """
    if registered:
        spec = pickle.loads(registered)  # of our own parent
        gymnasium.registry.setdefault(spec.id, spec)


def import_module(module: str, wanted: str) -> Any:
    """A module, from wherever Python finds it, the present folder included.

    Args:
        module: its name.
        wanted: the environment that it is imported for, for the message.

    Returns:
        The module.

    Raises:
        ConfigError: there is no such module, or its import fails; with the module's own words.
    """
    if module == name_of_main():
        return sys.modules["__main__"]  # it must not be run again
    try:
        with present_folder():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            looked = ", ".join(dict.fromkeys(entry or os.getcwd() for entry in sys.path))
            raise checks.ConfigError(
                f"Expected a module {error.name!r} for the environment {wanted!r}, found none. Looked in {looked}. "
                "Give its folder to PYTHONPATH, or start in it."
            ) from error
        raise _import_failed(module, wanted, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failed(module, wanted, error) from error


def _import_failed(module: str, wanted: str, error: Exception | SystemExit) -> checks.ConfigError:
    return checks.ConfigError(
        f"Expected a module that can be imported for the environment {wanted!r}, but importing {module!r} raised "
        f"{describe_error(error)}"
    )


def describe_error(error: BaseException) -> str:
    """An exception raised by code outside this package, in one line: its type, its words, and where it was raised.

    >>> describe_error(OSError("no display"))
    'OSError: no display'
    """
    words = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    foreign = [frame for frame in frames if not frame.filename.startswith((own, "<frozen"))]
    place = f" ({os.path.basename(foreign[-1].filename)}, line {foreign[-1].lineno})" if foreign else ""
    if isinstance(error, SyntaxError) and error.filename:
        words, place = error.msg, f" ({os.path.basename(error.filename)}, line {error.lineno})"
    return f"{type(error).__name__}{': ' if words else ''}{words}{place}"
