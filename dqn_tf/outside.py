"""Classes and functions from outside this package that a configuration may name, by where they are imported from."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

from dqn_tf.checks import ConfigError


def import_path(thing: type | FunctionType) -> str:
    """Where a class or function can be imported from, in any process: "module:Name".

    What a script defines is named by the script's file ("my_script:Name").

    Raises:
        ConfigError: it is not at the top of a module, or was defined in an interactive session.

    >>> import_path(Path)
    'pathlib:Path'
    """
    module, name = thing.__module__, thing.__qualname__
    if module == "__main__":
        module = name_of_main()
    if not module or not name.replace(".", "").isidentifier():
        where = "at the top of a module" if module else "in a file that can be imported by its name"
        raise ConfigError(
            f"Expected what another process can import, got {name} of {thing.__module__}. Define it {where}: a run is "
            "known by where its parts come from."
        )
    return f"{module}:{name}"


def import_object(place: str, path: str) -> Any:
    """The class or function at a place.

    Args:
        place: "module:Name", as ``import_path`` gives it.
        path: of the field whose value it is, for the message.

    Returns:
        The class or function.

    Raises:
        ConfigError: there is nothing.

    >>> import_object("pathlib:Path", "network")
    <class 'pathlib.Path'>
    """
    module, _, names = place.partition(":")
    try:
        with present_folder():
            start = sys.modules["__main__"] if module == name_of_main() else importlib.import_module(module)
        return functools.reduce(getattr, names.split("."), start)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"Expected module:Name for `{path}`, got {place!r}: {error}. Its module must be on Python's path "
            "(PYTHONPATH)."
        ) from error


@contextlib.contextmanager
def folder_kept() -> Iterator[None]:
    """Afterwards the present folder is the one of before: an environment may go elsewhere when it is made."""
    try:
        before = os.getcwd()
    except OSError:  # it was removed
        before = ""
    try:
        yield
    finally:
        if before:
            with contextlib.suppress(OSError):
                os.chdir(before)


@contextlib.contextmanager
def present_folder() -> Iterator[None]:
    """Modules are found in the present folder, whichever command was started: ``python -m dqn_tf`` has it on its path,
    the script ``dqn-tf`` does not.  First of all while the module is imported, last of all from then on."""
    here = os.getcwd()
    if sys.flags.safe_path or here in sys.path or "" in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(here)
        sys.path.append(here)


def source(cls: type) -> Path:
    """The file that defines a class."""
    return Path(inspect.getsourcefile(cls) or "")


def name_of_main() -> str:
    """By which name others can import the script that runs; "" of an interactive session."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    stem = Path(getattr(main, "__file__", None) or "").stem
    return str(spec.name) if spec else stem if stem.isidentifier() else ""


# -- contracts ---------------------------------------------------------------------------------------------------------
def is_contract(annotation: object) -> bool:
    """Whether a member of a field's annotation is a ``Protocol``, which makes the field open."""
    return bool(getattr(annotation, "_is_protocol", False))


def missing_members(contract: type, value: object) -> list[str]:
    """What a value lacks to satisfy a contract in a configuration.

    Args:
        contract: a Protocol.
        value: any.

    Returns:
        Missing members by name, and "to be a frozen dataclass".
    """
    asked = {*vars(contract), *contract.__annotations__}
    missing = sorted(name for name in asked if not name.startswith("_") and not hasattr(value, name))
    frozen = getattr(getattr(type(value), "__dataclass_params__", None), "frozen", False)
    return missing if frozen else [*missing, "to be a frozen dataclass"]
