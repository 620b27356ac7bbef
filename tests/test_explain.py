"""`dqn-tf explain`: nothing is left out, nothing dangles, and what is only remembered says so."""

from __future__ import annotations

import csv
import functools
import importlib
import io
import json
import re
from pathlib import Path

import pytest

from dqn_tf import cli, equations, explain, presets
from dqn_tf.explain import Row, rows
from dqn_tf.presets.sources import MEMORY

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", params=presets.PRESETS)
def table(request: pytest.FixtureRequest) -> tuple[str, list[Row]]:
    """A preset's name and its rows."""
    return request.param, rows(request.param)


def test_every_field_has_all_of_it(table: tuple[str, list[Row]]) -> None:
    for row in table[1]:
        assert all((row.field, row.value, row.meaning, row.source, row.file, row.test)), row
    assert len({row.field for row in table[1]}) == len(table[1])


def test_every_source_of_the_preset_is_there(table: tuple[str, list[Row]]) -> None:
    name, found = table
    shown = {row.field: row.source for row in found}
    assert presets.load(name).sources.items() <= shown.items()


def test_the_file_knows_the_field_and_the_test_knows_the_file(table: tuple[str, list[Row]]) -> None:
    """The field's own name stands in the file, or (of a kind) its class; and the test imports the file."""
    for row in table[1]:
        text, test = text_of(row.file), text_of(row.test)
        name = row.field.rpartition(".")[2]
        assert re.search(rf"\b{name}\b", text) or f'KIND = "{row.value}"' in text or row.value in KINDS, row
        module = row.file.removesuffix(".py").replace("/", ".")
        package, _, last = module.rpartition(".")
        assert f"from {module} import" in test or re.search(rf"from {package} import .*\b{last}\b", test), row


KINDS = {"epsilon_greedy", "rmsprop", "adam"}  # the name of the class in snake case


@functools.cache
def text_of(file: str) -> str:
    return (ROOT / file).read_text()


def test_the_equation_is_that_of_the_page(table: tuple[str, list[Row]]) -> None:
    """One text for docs/equations.md and for explain; a file that names no paper has none."""
    page = (ROOT / "docs" / "equations.md").read_text()
    of_page = {entry.file for entry in equations.entries()}
    for row in table[1]:
        docstring = importlib.import_module(row.file.removesuffix(".py").replace("/", ".")).__doc__ or ""
        assert bool(row.equation) == ("\nPaper:" in docstring), row.file
        assert row.equation in " ".join(docstring.split())
        assert row.file not in of_page or row.equation in page


@pytest.mark.parametrize("width", [80, 110, 140])
def test_the_page_says_it_all_and_fits(table: tuple[str, list[Row]], width: int) -> None:
    page = explain.explain(table[0], width)
    words = " ".join(page.split())
    for row in table[1]:
        shown = row.value if row.value == "none" or not row.unit else f"{row.value} {row.unit}"
        assert f" {row.field} {shown} {' '.join(row.source.split())}" in words, row
        assert f"{row.file} " in words and f"test: {row.test}" in words
        assert not row.equation or f"{row.file} equation: {row.equation} test: {row.test}" in words
    long = [line for line in page.splitlines() if len(line) > width]
    assert all(len(line.split()) == 1 for line in long), long  # one word that is longer than a line


def test_what_is_only_remembered_is_listed() -> None:
    name = "dueling_double"
    found = [row.field for row in rows(name) if row.remembered]
    assert {"optimizer.learning_rate", "evaluation.epsilon"} <= set(found)
    page = " ".join(explain.explain(name).split())
    assert f" {len(found)} of {len(rows(name))} values, {MEMORY}: " in page
    listed = page.partition(f"values, {MEMORY}: ")[2].partition(". Known")[0].split(", ")
    assert sorted(listed) == sorted(found)
    assert MEMORY not in explain.explain("rainbow_dopamine").partition("values,")[2]


def test_the_protocols_mark_of_memory_is_spelled_out() -> None:
    """In envs/protocol_sources.py it is short; a reader of explain does not know the short form."""
    (row,) = (row for row in rows("dqn_nature") if row.field == "protocol.max_frames_per_evaluation_episode")
    assert row.remembered and MEMORY in row.source and "[mem]" not in row.source


def test_a_value_with_its_unit_source_file_equation_and_test() -> None:
    (row,) = (row for row in rows("c51_dopamine") if row.field == "value.atoms")
    assert (row.value, row.unit, row.meaning) == ("51", "atoms", "N: atoms of the distribution")
    assert row.source.endswith("num_atoms") and not row.remembered
    assert (row.file, row.test) == ("dqn_tf/agent/values/categorical.py", "tests/agent/values/test_categorical.py")
    assert "arXiv 1707.06887" in row.equation


def test_json_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "rainbow", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["preset"] == "rainbow" and said["deviations"]
    assert [Row(**field) for field in said["fields"]] == rows("rainbow")
    assert cli.main(["explain", "rainbow", "--csv"]) == 0
    header, *lines = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == list(Row._fields)
    assert lines == [[str(cell) for cell in row] for row in rows("rainbow")]


def test_the_command_prints_the_page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert cli.main(["explain", "iqn"]) == 0
    assert capsys.readouterr().out == explain.explain("iqn", 100) + "\n"
