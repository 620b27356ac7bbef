"""The locks in requirements/ are whole, name no place, and give what pyproject.toml asks for."""

from __future__ import annotations

import itertools
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PYTHONS = ("3.11", "3.12", "3.13")
EXTRAS = {"": (), "-dev": ("dev",), "-gpu": ("gpu",), "-cluster": ("cluster",)}
LOCKS = [(python, suffix) for python in PYTHONS for suffix in EXTRAS]

PIN = re.compile(r"([a-z0-9][a-z0-9-]*)==([0-9][0-9A-Za-z.+!]*) \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
COMMENT = re.compile(r"\s*#.*")
PLACE = re.compile(r"://|@|\b(index|find|host)\b|(^|[\s'\"=])[/~]\w|\.(com|dev|io|net|org)\b", re.IGNORECASE)


def lock_path(python: str, suffix: str) -> Path:
    return ROOT / "requirements" / f"py{python.replace('.', '')}{suffix}.txt"


@cache
def pins(python: str, suffix: str) -> dict[str, Version]:
    found = (PIN.fullmatch(line) for line in lock_path(python, suffix).read_text().splitlines())
    return {match[1]: Version(match[2]) for match in found if match}


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked(extras: tuple[str, ...]) -> list[Requirement]:
    """What the project and its ``extras`` ask for, the project's own extras among them followed."""
    optional = project()["project"]["optional-dependencies"]
    found = [Requirement(r) for r in project()["project"]["dependencies"] + project()["build-system"]["requires"]]
    left = list(extras)
    while left:
        for requirement in map(Requirement, optional[left.pop()]):
            if canonicalize_name(requirement.name) == "dqn-tf":
                left.extend(requirement.extras)
            else:
                found.append(requirement)
    return found


def test_every_supported_python_has_its_locks() -> None:
    supported = SpecifierSet(project()["project"]["requires-python"])
    assert [f"3.{minor}" for minor in range(30) if f"3.{minor}" in supported] == list(PYTHONS)
    there = {path.name for path in (ROOT / "requirements").glob("*.txt")}
    assert there == {lock_path(*lock).name for lock in LOCKS}


@pytest.mark.parametrize(("python", "suffix"), LOCKS)
def test_every_line_is_a_pin_with_hashes_or_a_comment(python: str, suffix: str) -> None:
    pinned, hashes = "", {}
    for number, line in enumerate(lock_path(python, suffix).read_text().splitlines(), start=1):
        if match := PIN.fullmatch(line):
            pinned = match[1]
            assert pinned not in hashes, f"line {number} pins {pinned} a second time"
            hashes[pinned] = 0
        elif HASH.fullmatch(line):
            hashes[pinned] += 1
        else:
            assert COMMENT.fullmatch(line), f"line {number} is no pin, hash or comment: {line}"
    assert hashes
    assert not [name for name, count in hashes.items() if not count]


@pytest.mark.parametrize(("python", "suffix"), LOCKS)
def test_no_place_is_named(python: str, suffix: str) -> None:
    lines = lock_path(python, suffix).read_text().splitlines()
    assert not [line for line in lines if PLACE.search(line)]


@pytest.mark.parametrize(
    "line",
    ["--index-url scheme://some.example/simple", "# via -r /home/me/a.in", "a @ file.whl", "# packages.example.org"],
)
def test_a_place_would_be_seen(line: str) -> None:
    assert PLACE.search(line)


@pytest.mark.parametrize(("python", "suffix"), LOCKS)
def test_the_pins_are_what_the_project_asks_for(python: str, suffix: str) -> None:
    pinned = pins(python, suffix)
    for requirement in asked(EXTRAS[suffix]):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is not pinned"
            assert version in requirement.specifier, f"{version} is pinned, {requirement} is asked for"


@pytest.mark.parametrize("python", PYTHONS)
def test_the_locks_of_one_python_agree(python: str) -> None:
    """So that one environment can take one lock after another, and any of them can stand in for the base one."""
    for suffix, other in itertools.product(EXTRAS, repeat=2):
        assert pins(python, "").items() <= pins(python, suffix).items()
        these, those = pins(python, suffix), pins(python, other)
        assert {name for name in these.keys() & those.keys() if these[name] != those[name]} == set()


def test_what_builds_the_project_is_locked_as_it_asks() -> None:
    lines = (ROOT / "requirements" / "build.in").read_text().split()
    assert lines == project()["build-system"]["requires"]
