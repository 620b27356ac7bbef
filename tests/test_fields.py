"""Frozen dataclasses as configuration: kinds, paths, parsing, types, JSON, identity."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import pytest

from dqn_tf import fields
from dqn_tf.checks import expect
from dqn_tf.fields import check_types, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class Circle:
    radius: float = setting(1.0, unit="m", doc="how wide")

    def __post_init__(self) -> None:
        check_types(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HalfPlane:
    KIND = "plane"
    normal: tuple[float, float] = setting((1.0, 0.0))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    shape: Circle | HalfPlane = setting(Circle())
    inner: Circle = setting(Circle())
    extra: Circle | None = setting(None)
    count: int = setting(3)
    limit: float | None = setting(None)
    visible: bool = setting(True)
    mode: Literal["fast", "slow"] = setting("fast")
    sizes: tuple[int, ...] = setting((1, 2))
    low: int = setting(0)
    high: int = setting(10)

    def __post_init__(self) -> None:
        check_types(self)
        expect(self.low < self.high, f"less than high={self.high}", "low", self.low)


def changed(*settings: tuple[str, str]) -> Scene:
    return fields.with_values(Scene(), settings)


# -- kinds and paths ---------------------------------------------------------------------------------------------------
def test_a_dataclass_is_chosen_by_its_name_in_snake_case_or_its_kind() -> None:
    assert (fields.kind(Circle), fields.kind(HalfPlane), fields.kind(Scene())) == ("circle", "plane", "scene")
    assert fields.choices(Circle | HalfPlane) == {"circle": Circle, "plane": HalfPlane}
    assert fields.choices(int | None) == {}


def test_the_paths_of_all_leaves() -> None:
    """A field with alternatives is a leaf itself (its kind); one without is only its own leaves."""
    assert fields.paths(Scene()) == (
        "shape shape.radius inner.radius extra count limit visible mode sizes low high".split()
    )
    _, value, field = next(leaf for leaf in fields.leaves(Scene()) if leaf[0] == "inner.radius")
    assert (value, field.metadata["unit"], field.metadata["doc"]) == (1.0, "m", "how wide")


# -- setting values ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("count", "7", 7),
        ("count", " 7 ", 7),
        ("count", "1e6", 1_000_000),
        ("count", "5_000", 5000),
        ("count", "-3", -3),
        ("limit", "1e-4", 1e-4),
        ("limit", "0", 0.0),
        ("limit", "none", None),
        ("limit", "None", None),
        ("visible", "false", False),
        ("visible", "True", True),
        ("mode", "slow", "slow"),
        ("sizes", "128,64", (128, 64)),
        ("sizes", "(128, 64)", (128, 64)),
        ("sizes", "5", (5,)),
        ("sizes", "", ()),
    ],
)
def test_what_a_text_spells(path: str, text: str, value: Any) -> None:
    got = getattr(changed((path, text)), path)
    assert got == value and (value is None or type(got) is type(value) or path == "limit")


def test_a_kind_is_chosen_with_its_defaults_and_its_fields_beside_it() -> None:
    assert changed(("shape", "plane")).shape == HalfPlane()
    assert changed(("shape", "plane"), ("shape.normal", "0,2")).shape == HalfPlane(normal=(0.0, 2.0))
    assert changed(("shape", "circle")).shape == Circle()
    assert changed(("extra.radius", "2"), ("extra", "circle")).extra == Circle(radius=2.0)


def test_order_does_not_matter() -> None:
    """Kinds come before their fields, and values that exclude each other one by one are set together."""
    for settings in (
        [("shape.normal", "0,2"), ("shape", "plane"), ("low", "20"), ("high", "30")],
        [("high", "30"), ("low", "20"), ("shape", "plane"), ("shape.normal", "0,2")],
        [("low", "20"), ("high", "5"), ("shape", "plane"), ("shape.normal", "0,2"), ("high", "30")],
    ):
        assert changed(*settings) == Scene(shape=HalfPlane(normal=(0.0, 2.0)), low=20, high=30)


def test_the_original_is_left_alone() -> None:
    scene = Scene()
    assert fields.with_values(scene, [("inner.radius", "2")]) != scene == Scene()


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("cuont", "1", "Unknown path 'cuont'. Did you mean 'count'?"),
        ("inner.raduis", "1", "Unknown path 'inner.raduis'. Did you mean 'inner.radius'?"),
        ("count.x", "1", "Unknown path 'count.x'"),
        ("count", "1.5", "Expected a whole number for `count`, got '1.5'."),
        ("count", "true", "Expected a whole number for `count`, got 'true'."),
        ("count", "", "Expected a whole number for `count`, got ''."),
        ("limit", "nan", "Expected a finite number or none for `limit`, got 'nan'."),
        ("limit", "inf", "Expected a finite number or none for `limit`, got 'inf'."),
        ("limit", "1" + "0" * 400, "Expected a finite number or none for `limit`"),
        ("visible", "1", "Expected true or false for `visible`, got '1'."),
        ("mode", "medium", "Expected one of fast, slow for `mode`, got 'medium'."),
        ("sizes", "1,x", "Expected numbers separated by commas for `sizes`, got '1,x'."),
        ("shape", "square", "Expected circle or plane for `shape`, got 'square'. Its own fields are: shape.radius."),
        ("inner", "3", "Expected circle for `inner`, got '3'. Its own fields are: inner.radius."),
        ("low", "11", "Expected less than high=10 for `low`, got 11."),
    ],
)
def test_what_is_refused(outcome, path: str, text: str, message: str) -> None:
    assert outcome(changed, (path, text)).startswith(message)


# -- types -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 1.0, "Expected a whole number for `count`, got 1.0 (float)."),
        ("count", True, "Expected a whole number for `count`, got True (bool)."),
        ("limit", "1", "Expected a finite number or none for `limit`, got '1' (str)."),
        ("limit", True, "Expected a finite number or none for `limit`, got True (bool)."),
        ("limit", float("nan"), "Expected a finite number or none for `limit`, got nan (float)."),
        ("visible", 1, "Expected true or false for `visible`, got 1 (int)."),
        ("sizes", [1, 2], "Expected numbers separated by commas for `sizes`, got [1, 2] (list)."),
        ("inner", HalfPlane(), "Expected circle for `inner`"),
    ],
)
def test_wrong_types_are_refused(outcome, field: str, value: Any, message: str) -> None:
    assert outcome(Scene, **{field: value}).startswith(message)


# -- JSON and identity -------------------------------------------------------------------------------------------------
def test_json_and_back() -> None:
    scene = Scene(shape=HalfPlane(normal=(0.5, -1.0)), limit=1e-17, sizes=(), mode="slow")
    data = fields.to_json(scene)
    assert data["shape"] == {"kind": "plane", "normal": [0.5, -1.0]}
    assert fields.from_json(Scene, json.loads(json.dumps(data))) == scene


def test_the_digest_does_not_depend_on_the_order_of_fields() -> None:
    data = fields.to_json(Scene())
    assert fields.digest(dict(reversed(data.items()))) == fields.digest(data)
    assert fields.digest(fields.to_json(Scene(count=4))) != fields.digest(data)


def test_equal_configurations_have_equal_digests() -> None:
    """1 and 1.0 are equal in Python; where a number is meant, they must be so in JSON."""
    one, other = Scene(limit=1, shape=HalfPlane(normal=(2, 0))), Scene(limit=1.0, shape=HalfPlane(normal=(2.0, 0.0)))
    assert one == other and fields.digest(fields.to_json(one)) == fields.digest(fields.to_json(other))
    assert type(fields.to_json(Scene())["count"]) is int


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("count"), "Expected a value for `count`, got None. The file is incomplete."),
        (lambda d: d.update(cuont=1), "Unknown field 'cuont'. Did you mean 'count'?"),
        (lambda d: d.update(count="3"), "Expected a whole number for `count`, got '3' (str)."),
        (lambda d: d["shape"].update(kind="square"), "Unknown shape 'square'. Known: circle, plane."),
        (lambda d: d["inner"].pop("radius"), "Expected a value for `inner.radius`"),
        (lambda d: d.update(inner=[]), "Expected circle for `inner`, got ()"),
    ],
)
def test_json_that_does_not_fit(outcome, change: Any, message: str) -> None:
    data = fields.to_json(Scene())
    change(data)
    assert outcome(fields.from_json, Scene, data).startswith(message)


def test_differences_name_the_paths() -> None:
    one, other = fields.to_json(Scene()), fields.to_json(Scene(shape=Circle(radius=2.0), sizes=(1, 3)))
    assert fields.differences(one, other) == [("shape.radius", 1.0, 2.0), ("sizes", [1, 2], [1, 3])]
    assert fields.differences(one, one) == []


# -- fields that came later --------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, kw_only=True)
class Grown:
    old: int = fields.setting(1, doc="there from the start")
    new: int = fields.setting(2, doc="came later", later=True)


def test_a_field_that_came_later_leaves_older_runs_their_identity() -> None:
    """Left out of JSON at its default, read as its default where it is missing, and kept where it is not."""
    assert fields.to_json(Grown()) == {"kind": "grown", "old": 1}
    assert fields.from_json(Grown, {"kind": "grown", "old": 1}) == Grown()
    changed = Grown(new=3)
    assert fields.to_json(changed) == {"kind": "grown", "old": 1, "new": 3}
    assert fields.from_json(Grown, fields.to_json(changed)) == changed
    assert fields.digest(fields.to_json(Grown())) != fields.digest(fields.to_json(changed))


def test_a_field_that_was_always_there_must_be_there(outcome) -> None:
    assert "`old`" in outcome(fields.from_json, Grown, {"kind": "grown", "new": 3})
