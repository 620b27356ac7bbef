"""docs/equations.md: each paper's equations, the file and the functions that say them, and the test of that file.

    python -m reproduce.equations        # writes the page anew

Everything comes from the docstrings of the modules: the line that begins with "Paper:", the indented block after it,
and the paragraph that begins with "Symbols:".  The test of ``dqn_tf/values/expected.py`` is
``tests/values/test_expected.py``.
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "equations.md"
FOLDERS = ("values", "bootstraps", "networks", "replay", "learning")


class Entry(NamedTuple):
    """One file's equations."""

    file: str
    title: str
    paper: str
    equations: str
    symbols: str
    functions: tuple[str, ...]
    test: str


def entries() -> list[Entry]:
    """Every module of the engine whose docstring names a paper and shows an equation, in the order of FOLDERS."""
    out = []
    for folder in FOLDERS:
        for path in sorted((ROOT / "dqn_tf" / folder).glob("*.py")):
            entry = _entry(path, folder)
            if entry is not None:
                out.append(entry)
    return out


def _entry(path: Path, folder: str) -> Entry | None:
    tree = ast.parse(path.read_text())
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")
    paper = next((p for p in paragraphs if p.startswith("Paper:")), None)
    blocks = [p for p in paragraphs if p.startswith("    ") and not p.lstrip().startswith(("python", ">>>"))]
    if paper is None or not blocks:
        return None
    symbols = next((p for p in paragraphs if p.startswith("Symbols:")), "")
    functions = tuple(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    )
    return Entry(
        file=path.relative_to(ROOT).as_posix(),
        title=_line(paragraphs[0]),
        paper=_line(paper.removeprefix("Paper:").rstrip(":")),
        equations=textwrap.dedent("\n\n".join(blocks)),
        symbols=_line(symbols.removeprefix("Symbols:")),
        functions=functions,
        test=_test(folder, path.stem),
    )


def _test(folder: str, name: str) -> str:
    special = {"importance": "prioritized", "prioritized_rank": "prioritized"}
    return f"tests/{folder}/test_{special.get(name, name)}.py"


def _line(paragraph: str) -> str:
    return " ".join(paragraph.split())


def page() -> str:
    """The page's text."""
    lines = [
        "# Equations",
        "",
        "Written by `python -m reproduce.equations` from the docstrings. Each equation stands in one file.",
    ]
    for e in entries():
        lines += ["", f"## {e.title}", "", f"{e.paper}", "", "```text", e.equations, "```", ""]
        if e.symbols:
            lines += [f"Symbols: {e.symbols}", ""]
        lines += [f"In `{e.file}`: {', '.join(f'`{f}`' for f in e.functions)}. Test: `{e.test}`."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
