"""The equations of the package, read from the docstrings of its modules: for docs/equations.md and `dqn-tf explain`.

A module names its paper in the paragraph that begins with "Paper:", shows equations in the indented block after it, and
explains them in the paragraph that begins with "Symbols:".  The test of ``dqn_tf/agent/values/expected.py`` is
``tests/agent/values/test_expected.py``.
"""

from __future__ import annotations

import ast
import functools
import textwrap
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parent
FOLDERS = ("agent/values", "agent/targets", "agent/networks", "agent", "replay")
_TESTED_IN = {  # modules that are tested together with another one
    "agent/networks/single": "agent/networks/noisy",
    "agent/networks/dense": "agent/networks/noisy",
    "agent/no_auxiliary": "agent/spr",
    "agent/unaugmented": "agent/augmentation",
    "replay/importance": "replay/prioritized",
    "replay/prioritized_rank": "replay/prioritized",
    "replay/uniform": "replay/replay",
}


class Entry(NamedTuple):
    """One module: what its docstring says, and its test.

    Attributes:
        file: "dqn_tf/agent/update.py".
        title: first paragraph.
        paper: and the place in it; "" if it names none.
        equations: indented lines; may be empty.
        symbols: may be empty.
        functions: names of its public functions and classes.
        test: its file.
    """

    file: str
    title: str
    paper: str
    equations: str
    symbols: str
    functions: tuple[str, ...]
    test: str


def entries() -> list[Entry]:
    """Every module whose docstring names a paper and shows an equation, in the order of FOLDERS."""
    names = [f"{folder}/{path.stem}" for folder in FOLDERS for path in sorted((PACKAGE / folder).glob("*.py"))]
    return [e for e in map(entry, names) if e.paper and e.equations]


@functools.cache
def entry(module: str) -> Entry:
    """What the docstring of a module says ("agent/values/expected"); ``paper`` is empty if it names none."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    paper = next((p for p in paragraphs if p.startswith("Paper:")), "")
    blocks = [p for p in paragraphs if p.startswith("    ") and not p.lstrip().startswith(("python", ">>>"))]
    symbols = next((p for p in paragraphs if p.startswith("Symbols:")), "")
    functions = tuple(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    )
    return Entry(
        file=f"dqn_tf/{module}.py",
        title=_line(paragraphs[0]),
        paper=_line(paper.removeprefix("Paper:")).rstrip(":").rstrip("."),
        equations=textwrap.dedent("\n\n".join(blocks)) if paper else "",
        symbols=_line(symbols.removeprefix("Symbols:")),
        functions=functions,
        test=test_of(module),
    )


def test_of(module: str) -> str:
    """The test file of a module ("agent/values/expected", "config")."""
    folder, _, name = _TESTED_IN.get(module, module).rpartition("/")
    return f"tests/{folder}{'/' if folder else ''}test_{name}.py"


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())
