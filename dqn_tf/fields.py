"""Frozen dataclasses as configuration: paths, parsing, JSON, identity.  Knows nothing of DQN.

A *path* names a leaf: ``optimizer.learning_rate``.  Where a field may hold one of several dataclasses
(``network: NatureCNN | MLP``), the value is chosen by the class's name in snake case (``network=mlp``).

A field whose annotation also names a contract, a ``Protocol`` (``network: NatureCNN | MLP | Torso``), is open: it holds
any frozen dataclass that satisfies it, from any module, chosen by its place (``network=my_project.torsos:Wide``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast

from dqn_tf import outside
from dqn_tf.annotations import (
    alternatives,
    annotations_of,
    check_type,
    choices,
    contract,
    describe,
    fits,
    kind,
    readings,
)
from dqn_tf.checks import ConfigError, expect, unknown
from dqn_tf.plain_json import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def is_config(value: object) -> TypeGuard[DataclassInstance]:
    """Whether a value is a dataclass (not the class itself)."""
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def setting(
    default: Any = dataclasses.MISSING,
    *,
    unit: str = "",
    doc: str = "",
    later: bool = False,
    at: str = "",
    inside: str = "",
) -> Any:
    """A dataclass field that knows its unit and meaning.

    Args:
        default: the value where none is given.
        unit: what it is counted in, "agent steps" for example.
        doc: its meaning, in a few words.
        later: it came after the first runs were made, and its default is what the code did before.  It is left out of
            JSON where it has its default, so that those runs keep their identity.
        at: the module that carries it out ("agent/update"), if it is not that of the dataclass.
        inside: another field that holds a dataclass; in JSON and in paths the fields of this one are among its fields.

    Returns:
        A ``dataclasses.Field``.
    """
    metadata = {"unit": unit, "doc": doc, "later": later, "at": at, "inside": inside}
    return dataclasses.field(default=default, metadata=metadata)


def _inside(cls: type[DataclassInstance] | DataclassInstance) -> dict[str, str]:
    """Field -> the field inside which it is in JSON and in paths."""
    return {f.name: f.metadata["inside"] for f in dataclasses.fields(cls) if f.metadata.get("inside")}


def name_of(annotation: object, value: object) -> str:
    """The name that chooses a dataclass as the value of a field.

    Args:
        annotation: of the field.
        value: the dataclass.

    Returns:
        Its kind; of a class from outside the package its place, "module:Class".
    """
    outsider = contract(annotation) is not None and type(value) not in alternatives(annotation)
    return outside.import_path(type(value)) if outsider else kind(value)


def outside_classes(config: DataclassInstance) -> Iterator[type]:
    """The classes from outside that a configuration holds, at any depth."""
    hints = annotations_of(type(config))
    for field in dataclasses.fields(config):
        if is_config(value := getattr(config, field.name)):
            if contract(hints[field.name]) is not None and type(value) not in alternatives(hints[field.name]):
                yield type(value)
            yield from outside_classes(value)


def leaves(config: DataclassInstance, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any]]]:
    """Every leaf, depth first; a dataclass among alternatives first yields its kind.

    Args:
        config: a configuration.
        prefix: what each path begins with.

    Returns:
        (path, value, field) of each.
    """
    return ((path, value, field) for path, value, field, _ in owned_leaves(config, prefix))


def owned_leaves(config: DataclassInstance, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field[Any], str]]:
    """``leaves``, each with the module that carries it out, "agent/update" for example.

    Args:
        config: a configuration.
        prefix: what each path begins with.

    Yields:
        (path, value, field, module): the module that the field names, or that of its dataclass; of a kind, that of the
        dataclass chosen.
    """
    hints = annotations_of(type(config))
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), prefix + field.name
        if inside := field.metadata.get("inside"):
            yield from owned_leaves(value, f"{prefix}{inside}.")
        elif is_config(value):
            if len(alternatives(hints[field.name])) > 1:
                yield path, name_of(hints[field.name], value), field, _module(value)
            yield from owned_leaves(value, path + ".")
        else:
            yield path, value, field, field.metadata.get("at") or _module(config)


def _module(config: DataclassInstance) -> str:
    return type(config).__module__.partition(".")[2].replace(".", "/")


# -- JSON ------------------------------------------------------------------------------------------------------------
def to_json(config: DataclassInstance, *, whole: bool = False) -> dict[str, Any]:
    """Nested plain values; every dataclass carries its kind under "kind".

    Args:
        config: a configuration.
        whole: also fields that came later and have their default, which are left out of a configuration's identity.

    Returns:
        What JSON can hold.
    """
    out: dict[str, Any] = {"kind": kind(config)}
    hints = annotations_of(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.metadata.get("later") and value == field.default and not whole:
            continue
        annotation = hints[field.name]
        if inside := field.metadata.get("inside"):
            out[inside].update({k: v for k, v in to_json(value, whole=whole).items() if k != "kind"})
        elif is_config(value):
            out[field.name] = {**to_json(value, whole=whole), "kind": name_of(annotation, value)}
        else:
            out[field.name] = _plain(annotation, value)
    return out


def _plain(annotation: object, value: object) -> Any:
    """Lists for tuples, and floats where floats are meant: 1 and 1.0 are one configuration and have one hash."""
    members = alternatives(annotation)
    if isinstance(value, tuple):
        inner = next(typing.get_args(m)[0] for m in members if typing.get_origin(m) is tuple)
        return [_plain(inner, v) for v in value]
    return float(cast(float, value)) if float in members and int not in members and value is not None else value


def from_json(cls: type[T], data: Json, path: str = "") -> T:
    """The inverse of ``to_json``.

    Args:
        cls: the dataclass.
        data: plain values.
        path: of the data within the whole, for errors.

    Returns:
        The configuration.

    Raises:
        ConfigError: a field is missing, unknown or of the wrong type; the path is named.
    """
    expect(isinstance(data, dict), f"an object describing {kind(cls)}", path or "config", data)
    hints, values, (data, apart) = annotations_of(cls), {}, _taken_apart(cls, data)
    names = [f.name for f in dataclasses.fields(cls) if f.name not in apart]
    for name in data:
        if name not in (*names, "kind"):
            raise unknown("field", f"{path}{name}", [path + n for n in names])
    later = {f.name for f in dataclasses.fields(cls) if f.metadata.get("later")}
    for name in names:
        if name in later and name not in data:
            continue
        expect(name in data, "a value", path + name, None, "The file is incomplete.")
        values[name] = _value_from_json(hints[name], data[name], path + name)
    for name, (inside, own) in apart.items():
        values[name] = from_json(hints[name], own, f"{path}{inside}.")
    return cls(**values)


def _taken_apart(cls: type[T], data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[str, dict[str, Any]]]]:
    """JSON without the fields that are stored inside others; and of each such field the outer field, and its JSON."""
    apart: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, inside in _inside(cls).items():
        outer = data.get(inside)
        own = {f.name for f in dataclasses.fields(annotations_of(cls)[name])}
        outer = outer if isinstance(outer, dict) else {}
        apart[name] = inside, {k: v for k, v in outer.items() if k in own}
        if own & set(outer):
            data = {**data, inside: {k: v for k, v in outer.items() if k not in own}}
    return data, apart


def completed(cls: type, data: Json) -> Any:
    """JSON of ``to_json`` with the later fields that were left out.

    Args:
        cls: the dataclass.
        data: plain values.

    Returns:
        The JSON; ``data`` itself if it is not JSON of ``cls``.
    """
    try:
        return to_json(from_json(cls, data), whole=True)
    except ConfigError:
        return data


def _value_from_json(annotation: object, value: object, path: str) -> Any:
    if choices(annotation) and isinstance(value, dict):
        value = from_json(_class_of(annotation, str(value.get("kind")), path), value, path + ".")
    elif isinstance(value, list):
        value = tuple(value)
    check_type(annotation, value, path)
    return value


def _class_of(annotation: object, text: str, path: str) -> type:
    """The dataclass that ``text`` chooses for a field: a kind, or, where the field is open, a place."""
    options = choices(annotation)
    if text in options:
        return options[text]
    if contract(annotation) is None or ":" not in text:
        own = "" if contract(annotation) is None else "Or name a class of your own: module:Class."
        raise unknown(path, text, options, own)
    found = outside.import_object(text, path)
    expect(isinstance(found, type) and dataclasses.is_dataclass(found), "a frozen dataclass", path, text)
    return cast(type, found)


# -- values -----------------------------------------------------------------------------------------------------------
def check_types(config: DataclassInstance) -> None:
    """Check every field of a dataclass against its annotation; for ``__post_init__``."""
    for name, annotation in annotations_of(type(config)).items():
        if name in {f.name for f in dataclasses.fields(config)}:
            check_type(annotation, getattr(config, name), name)


def parse(annotation: object, text: str, path: str) -> Any:
    """The value of a field, from its text: 1e-4, 5_000, true, none, 128,128, or a kind.

    Args:
        annotation: of the field.
        text: as it was given.
        path: of the field, for errors.

    Returns:
        A value that fits the annotation.

    Raises:
        ConfigError: the text is not a value of the field.
    """
    if choices(annotation):
        return _with_defaults(_class_of(annotation, text, path), path)
    for member in alternatives(annotation):
        for value in readings(member, text):
            if fits(member, value):
                return value
    raise ConfigError(f"Expected {describe(annotation)} for `{path}`, got {text!r}.")


def _with_defaults(cls: type, path: str) -> Any:
    try:
        return cls()
    except TypeError as error:
        chosen = f"`{path}`={outside.import_path(cls)}"
        raise ConfigError(f"Expected a default for every field of {chosen}: {error}.") from error


def paths(config: DataclassInstance) -> list[str]:
    """Every path that ``with_values`` accepts."""
    return [path for path, _, _ in leaves(config)]


def with_values(config: T, settings: Sequence[tuple[str, str]], root: str = "") -> T:
    """A copy of a configuration with other values.

    All are set at once, kinds before their fields, so settings that belong together may come in any order.

    Args:
        config: a frozen dataclass.
        settings: (path, text) pairs.
        root: path of ``config`` within the whole, for errors.

    Returns:
        The copy.

    Raises:
        ConfigError: a path is unknown (with the nearest ones), or a value has the wrong type or is out of range.
    """
    settings, new = _set_inside(config, settings, root)
    own = {f.name for f in dataclasses.fields(config)} - set(new)
    for path, text in sorted(settings, key=lambda setting: "." in setting[0]):
        name, _, rest = path.partition(".")
        if name not in own or (rest and not dataclasses.is_dataclass(new.get(name, getattr(config, name)))):
            raise unknown("path", root + path, [root + p for p in paths(config)])
        if not rest:
            new[name] = _chosen(config, name, text, root)
    for name in dict.fromkeys(path.partition(".")[0] for path, _ in settings):
        inner = [(path.partition(".")[2], text) for path, text in settings if path.startswith(name + ".")]
        if inner:
            value = new.get(name, getattr(config, name))
            _check_within(config, name, value, inner, root)
            new[name] = with_values(value, inner, f"{root}{name}.")
    return dataclasses.replace(config, **new)


def _set_inside(
    config: DataclassInstance, settings: Sequence[tuple[str, str]], root: str
) -> tuple[Sequence[tuple[str, str]], dict[str, Any]]:
    """The settings of other fields than those inside another one; and the latter fields, with their new values."""
    new = {}
    for name, inside in _inside(config).items():
        part = getattr(config, name)
        within = {f"{inside}.{f.name}" for f in dataclasses.fields(part)}
        own = [(path.partition(".")[2], text) for path, text in settings if path in within]
        new[name] = with_values(part, own, f"{root}{inside}.") if own else part
        settings = [(path, text) for path, text in settings if path not in within]
    return settings, new


def _check_within(
    config: DataclassInstance, name: str, value: DataclassInstance, settings: Sequence[tuple[str, str]], root: str
) -> None:
    """Raises ConfigError for a path into a field that it does not have, nor one that stands inside it."""
    known = [f.name for f in dataclasses.fields(value)]
    known += [f.name for other in _others_inside(config, name) for f in dataclasses.fields(other)]
    for path, _ in settings:
        if path.partition(".")[0] not in known:
            raise unknown("path", f"{root}{name}.{path}", [f"{root}{name}.{field}" for field in known])


def _others_inside(config: DataclassInstance, name: str) -> list[DataclassInstance]:
    return [getattr(config, other) for other, inside in _inside(config).items() if inside == name]


def _chosen(config: DataclassInstance, name: str, text: str, root: str) -> Any:
    """The value of the field ``name`` itself, from its text."""
    value, annotation = getattr(config, name), annotations_of(type(config))[name]
    own_class = contract(annotation) is not None and ":" in text
    if dataclasses.is_dataclass(value) and text not in choices(annotation) and not own_class:
        parts = (*_others_inside(config, name), value)
        inner = ", ".join(f"{root}{name}.{f.name}" for part in parts for f in dataclasses.fields(part))
        raise ConfigError(
            f"Expected {describe(annotation)} for `{root}{name}`, got {text!r}. Its own fields are: {inner}."
        )
    return parse(annotation, text, root + name)


def digest(data: Json) -> str:
    """SHA-256 of the canonical JSON of plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def differences(a: Json, b: Json, path: str = "") -> list[tuple[str, Any, Any]]:
    """Every leaf in which two JSON trees differ.

    Args:
        a, b: the trees.
        path: of both within the whole.

    Returns:
        (path, value in a, value in b) of each; None for a value that is missing.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        out = []
        for key in sorted({*a, *b}):
            out += differences(a.get(key), b.get(key), f"{path}.{key}" if path else key)
        return out
    return [] if a == b else [(path, a, b)]
