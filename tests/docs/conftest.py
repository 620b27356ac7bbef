"""What README.md, CONTRIBUTING.md, results/README.md and docs/ name: code spans, command lines and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


class Named(NamedTuple):
    """Something that a page names.  text: a code span, a command line or a link's target."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.text}"


def pages() -> list[Path]:
    single = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
    return [*single, *sorted((ROOT / "docs").rglob("*.md"))]


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def _prose(page: Path) -> str:
    """The page without fenced blocks; its lines keep their numbers."""
    return FENCE.sub(_blank, page.read_text())


def _line(text: str, start: int) -> int:
    return text.count("\n", 0, start) + 1


@pytest.fixture(scope="session")
def spans() -> list[Named]:
    """Every code span, as one line."""
    found = []
    for page in pages():
        text = _prose(page)
        found += [Named(page, _line(text, m.start()), " ".join(m[2].split())) for m in SPAN.finditer(text)]
    return found


@pytest.fixture(scope="session")
def links() -> list[Named]:
    """The target of every link and picture."""
    found = []
    for page in pages():
        text = _prose(page)
        found += [Named(page, _line(text, m.start()), m[1] or m[2]) for m in LINK.finditer(text)]
    return found


@pytest.fixture(scope="session")
def command_lines() -> list[Named]:
    """Every line of a block marked `sh`: continued lines are joined, comments left out."""
    found = []
    for page in pages():
        text = page.read_text()
        for block in FENCE.finditer(text):
            if block[1] == "sh":
                first = _line(text, block.start(2))
                joined = re.sub(r"\\\n", lambda m: " ", block[2])
                for number, line in enumerate(joined.splitlines()):
                    if command := re.sub(r"(^|\s)#.*$", "", line).strip():
                        found.append(Named(page, first + number, command))
    return found


@pytest.fixture(scope="session")
def unmarked() -> list[Named]:
    """Every other line that looks like code: of an indented block, or of a fenced block with another mark.

    But not of Python, where commands stand in docstrings.
    """
    found = []
    for page in pages():
        text = page.read_text()
        found += [
            Named(page, number, line.strip())
            for number, line in enumerate(_prose(page).splitlines(), start=1)
            if line.startswith("    ")
        ]
        for block in FENCE.finditer(text):
            if block[1] not in ("sh", "python"):
                first = _line(text, block.start(2))
                found += [Named(page, first + i, line.strip()) for i, line in enumerate(block[2].splitlines())]
    return found
