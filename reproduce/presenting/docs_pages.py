"""The pages of docs/ that are written from the code and from results/: which there are, and what writes each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reproduce import formatting
from reproduce.presenting import (
    agent_pages,
    classic_page,
    combinations_page,
    equations_page,
    evidence_page,
    independent_page,
    offline_page,
)

README = "../README.md"  # its summary of the evidence
INDEPENDENT = "independent.md"


def pages() -> dict[str, str]:
    """The generated pages: path below docs/ -> text."""
    return {
        "equations.md": equations_page.page(),
        "combinations.md": combinations_page.page(),
        INDEPENDENT: independent_page.page(),
        classic_page.PAGE: classic_page.page_of_results(),
        offline_page.PAGE: offline_page.page(),
        evidence_page.PAGE: evidence_page.page(),
        README: evidence_page.readme_now(),
        **agent_pages.pages(),
    }


def write(folder: Path) -> Iterator[Path]:
    """Write all of them below ``folder``; yields each file."""
    for name, text in pages().items():
        formatting.write_text(text, folder / name)
        yield folder / name
