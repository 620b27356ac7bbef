"""Classes from outside the package in a configuration: chosen by their place, held to the field's contract."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from dqn_tf import fields, outside
from dqn_tf.checks import ConfigError
from dqn_tf.fields import check_types, setting


class Shape(Protocol):
    @property
    def corners(self) -> int: ...

    def area(self) -> float: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float = setting(1.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    shape: Circle | Shape = setting(Circle())

    def __post_init__(self) -> None:
        check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Square:
    KIND = "circle"  # a kind is for this package's own: it cannot be taken
    corners = 4
    side: float = setting(1.0)

    def area(self) -> float:
        return self.side**2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Needs:
    corners = 3
    side: float

    def area(self) -> float:
        return self.side


@dataclasses.dataclass
class Loose:
    corners = 0

    def area(self) -> float:
        return 0.0


@dataclasses.dataclass(frozen=True)
class Flat:
    corners = 0


def not_a_class() -> None: ...


HERE = __name__


def changed(*settings: tuple[str, str]) -> Scene:
    return fields.with_values(Scene(), settings)


def test_json_and_identity_say_where_the_class_comes_from() -> None:
    scene = Scene(shape=Square(side=2.0))
    data = fields.to_json(scene)
    assert data["shape"] == {"kind": f"{HERE}:Square", "side": 2.0}
    assert fields.from_json(Scene, json.loads(json.dumps(data))) == scene
    assert fields.digest(data) != fields.digest(fields.to_json(Scene(shape=Square(side=3.0))))
    assert fields.to_json(Scene(shape=Circle()))["shape"]["kind"] == "circle"


def test_a_text_chooses_it_by_its_place_and_its_fields_beside_it() -> None:
    assert changed(("shape", f"{HERE}:Square")) == Scene(shape=Square())
    assert changed(("shape.side", "3"), ("shape", f"{HERE}:Square")) == Scene(shape=Square(side=3.0))
    assert fields.with_values(Scene(shape=Square(side=3.0)), [("shape", "circle")]) == Scene()
    assert fields.paths(Scene(shape=Square())) == ["shape", "shape.side"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("square", "Expected circle or a Shape of your own for `shape`, got 'square'. Its own fields are: "),
        ("no_such_module:Square", "Expected module:Name for `shape`, got 'no_such_module:Square': No module named "),
        (f"{HERE}:Nothing", f"Expected module:Name for `shape`, got '{HERE}:Nothing': module "),
        (":Square", "Expected module:Name for `shape`, got ':Square': "),
        (f"{HERE}:not_a_class", f"Expected a frozen dataclass for `shape`, got '{HERE}:not_a_class'."),
        (f"{HERE}:Needs", f"Expected a default for every field of `shape`={HERE}:Needs"),
        (f"{HERE}:Flat", "Expected circle or a Shape of your own for `shape`, got Flat() (Flat). It lacks: area."),
        (
            f"{HERE}:Loose",
            "Expected circle or a Shape of your own for `shape`, got Loose() (Loose). It lacks: to be a "
            "frozen dataclass.",
        ),
    ],
)
def test_what_is_refused(outcome: Callable[..., str], text: str, message: str) -> None:
    assert outcome(changed, ("shape", text)).startswith(message)


def test_json_of_an_unknown_kind(outcome: Callable[..., str]) -> None:
    said = outcome(fields.from_json, Scene, {"kind": "scene", "shape": {"kind": "square"}})
    assert said == "Unknown shape 'square'. Known: circle. Or name a class of your own: module:Class."


def test_what_another_process_could_not_import_is_refused_when_it_is_written(outcome: Callable[..., str]) -> None:
    @dataclasses.dataclass(frozen=True)
    class Local(Square):
        pass

    said = outcome(fields.to_json, Scene(shape=Local()))
    assert said.startswith("Expected what another process can import, got test_what_another_process_could_not")
    assert "Define it at the top of a module" in said


SCRIPT = """
import dataclasses, json, sys
from dqn_tf import fields
import {module} as tests

@dataclasses.dataclass(frozen=True, kw_only=True)
class Mine(tests.Square):
    pass

scene = tests.Scene(shape=Mine(side=2.0))
data = fields.to_json(scene)
assert fields.from_json(tests.Scene, data) == scene
print(data["shape"]["kind"])
"""


def test_the_class_of_a_script_is_named_by_the_scripts_file(tmp_path: Path) -> None:
    """And is the same class, not a second one, where the script reads its own configuration."""
    script = tmp_path / "my_script.py"
    script.write_text(SCRIPT.format(module=HERE))
    environment = {"PYTHONPATH": ":".join(map(str, [*filter(None, sys.path), Path(__file__).parent]))}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "my_script:Mine\n", done.stderr
    typed = subprocess.run(
        [sys.executable, "-"],
        input=SCRIPT.format(module=HERE),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert "Define it in a file" in typed.stderr


def test_a_part_that_lacks_something_is_named() -> None:
    found: dict[str, Any] = {"circle": Circle(), "flat": Flat(), "square": Square()}
    assert {name: outside.missing_members(Shape, value) for name, value in found.items()} == {
        "circle": ["area", "corners"],
        "flat": ["area"],
        "square": [],
    }
    with pytest.raises(ConfigError):
        outside.import_object("pathlib:Nothing", "shape")
