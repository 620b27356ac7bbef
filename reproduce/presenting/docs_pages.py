"""The pages of docs/ that are written from code and data, made again or checked.

dqn-tf results docs             write them
dqn-tf results docs --check     write nothing; say which would be different, and exit with 1
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from reproduce.analysis import library_comparison
from reproduce.places import ROOT
from reproduce.presenting import agent_pages, combinations_page, equations_page


def pages() -> dict[Path, str]:
    """Every such page and its text."""
    return {
        equations_page.PAGE: equations_page.page(),
        combinations_page.PAGE: combinations_page.page(),
        library_comparison.PAGE: library_comparison.page(),
        **agent_pages.pages(),
    }


def stale() -> list[str]:
    """What is wrong with docs/ as it is: pages that would be different, and pages of agents that are no more."""
    made = pages()
    different = [path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    left = [path for path in sorted(agent_pages.FOLDER.glob("*.md")) if path not in made]
    return [
        *(f"{path.relative_to(ROOT)} is not what the code says" for path in different),
        *(f"{path.relative_to(ROOT)} is written by nothing; remove it" for path in left),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dqn-tf results docs", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page would be different")
    if parser.parse_args(argv).check:
        wrong = stale()
        print(
            "\n".join([*wrong, "Run: dqn-tf results docs"]) if wrong else f"{len(pages())} pages of docs/ are the same."
        )
        return 1 if wrong else 0
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path, flush=True)
    return 0
