"""Annotations of configuration fields: which values fit them, in words, and how texts spell values."""

from __future__ import annotations

import dataclasses
import re
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, Literal, Union, cast

from dqn_tf import outside
from dqn_tf.checks import ConfigError


def kind(cls_or_value: object) -> str:
    """The name by which a dataclass is chosen: ``NatureCNN`` -> "nature_cnn", ``RMSProp`` -> "rmsprop"."""
    cls = cls_or_value if isinstance(cls_or_value, type) else type(cls_or_value)
    if explicit := cls.__dict__.get("KIND"):
        return str(explicit)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


def annotations_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields, by name."""
    return typing.get_type_hints(cls)


def alternatives(annotation: object) -> tuple[Any, ...]:
    """The alternatives of a union, or the annotation alone."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def choices(annotation: object) -> dict[str, type]:
    """The dataclasses that a field may hold, by kind; empty if it holds plain values."""
    return {kind(m): m for m in alternatives(annotation) if dataclasses.is_dataclass(m) and isinstance(m, type)}


def contract(annotation: object) -> type | None:
    """The contract that an open field names; None if the field is not open."""
    return next(filter(outside.is_contract, alternatives(annotation)), None)


def check_type(annotation: object, value: object, path: str) -> None:
    """Check that a value fits an annotation (bool is not an int here; an int is a float).

    Args:
        annotation: of the field.
        value: to be checked.
        path: of the field, for the message.

    Raises:
        ConfigError: it does not fit.
    """
    if not any(fits(m, value) for m in alternatives(annotation)):
        needed = contract(annotation)
        lacks = f" It lacks: {', '.join(outside.missing_members(needed, value))}." if needed else ""
        raise ConfigError(
            f"Expected {describe(annotation)} for `{path}`, got {value!r} ({type(value).__name__}).{lacks}"
        )


def fits(annotation: object, value: object) -> bool:
    """Whether a value fits one alternative of an annotation, see ``check_type``.

    Args:
        annotation: without alternatives.
        value: to be checked.
    """
    if annotation is type(None) or annotation is None:
        return value is None
    if outside.is_contract(annotation):
        return not outside.missing_members(cast(type, annotation), value)
    if typing.get_origin(annotation) is Literal:
        return value in typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        inner = typing.get_args(annotation)
        inner = (inner[0],) * len(value) if isinstance(value, tuple) and inner[-1] is Ellipsis else inner
        return (
            isinstance(value, tuple)
            and len(inner) == len(value)
            and all(fits(a, v) for a, v in zip(inner, value, strict=True))
        )
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, cast(type, annotation))


def describe(annotation: object) -> str:
    """An annotation in words: "a whole number or none"."""
    words: dict[Any, str] = {int: "a whole number", float: "a finite number", bool: "true or false", str: "a text"}
    parts = []
    for member in alternatives(annotation):
        if member is type(None):
            parts.append("none")
        elif typing.get_origin(member) is Literal:
            parts.append("one of " + ", ".join(map(str, typing.get_args(member))))
        elif typing.get_origin(member) is tuple:
            parts.append("numbers separated by commas")
        elif dataclasses.is_dataclass(member):
            parts.append(kind(member))
        elif outside.is_contract(member):
            parts.append(f"a {member.__name__} of your own")
        else:
            parts.append(words.get(member, str(member)))
    return " or ".join(parts)


def readings(member: object, text: str) -> Iterator[Any]:
    """The values of one alternative that a text may spell; the first that fits counts.

    Args:
        member: an alternative of the field's annotation.
        text: as it was given.

    Yields:
        Values, which may not fit.
    """
    clean = text.strip()
    if member is type(None) and clean.lower() in ("none", "null"):
        yield None
    elif member is bool and clean.lower() in ("true", "false"):
        yield clean.lower() == "true"
    elif member in (int, float):
        try:
            number = float(clean)
            yield int(clean) if re.fullmatch(r"[+-]?[\d_]+", clean) else number
            if member is int and number == int(number):
                yield int(number)  # 1e6 steps
        except (ValueError, OverflowError):
            return
    elif typing.get_origin(member) is tuple:
        inner = typing.get_args(member)[0]
        yield tuple(next(readings(inner, part), None) for part in clean.strip("()[]").split(",") if part.strip())
    elif typing.get_origin(member) is Literal:
        yield from (a for a in typing.get_args(member) if str(a) == clean)
    elif member is str:
        yield clean
