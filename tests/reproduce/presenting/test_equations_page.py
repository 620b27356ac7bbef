"""docs/equations.md: nothing dangles, nothing is left out."""

from __future__ import annotations

from dqn_tf import equations
from reproduce.places import ROOT


def test_every_entry_has_a_test_that_names_what_it_tests() -> None:
    """The test file exists, and imports from the file of the equation."""
    for entry in equations.entries():
        test = ROOT / entry.test
        assert test.exists(), f"{entry.file} has no {entry.test}"
        module = entry.file.removesuffix(".py").replace("/", ".")
        assert f"from {module} import" in test.read_text(), f"{entry.test} does not import {module}"


def test_every_idea_is_there() -> None:
    """A new value family, bootstrap rule or sampler without an equation is an omission."""
    found = {entry.file for entry in equations.entries()}
    for folder in ("agent/values", "agent/targets"):
        ideas = {
            p.relative_to(ROOT).as_posix() for p in (ROOT / "dqn_tf" / folder).glob("*.py") if p.stem != "__init__"
        }
        # greedy's equation is that of agent/values/expected.py; spread.py only watches
        assert ideas - found <= {"dqn_tf/agent/targets/greedy.py", "dqn_tf/agent/values/spread.py"}
    for name in (
        "agent/networks/dueling",
        "agent/networks/noisy",
        "replay/prioritized",
        "replay/prioritized_rank",
        "replay/importance",
    ):
        assert f"dqn_tf/{name}.py" in found


def test_every_equation_explains_its_symbols() -> None:
    for entry in equations.entries():
        assert entry.symbols, entry.file
        assert entry.functions and len(entry.equations) > 20
