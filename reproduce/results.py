"""``dqn-tf results``: what is in results/, made again, checked, or added to."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from dqn_tf.checks import unknown

PARTS = {
    "tables": "presenting.table_files",
    "comparison": "analysis.curve_comparison",
    "figures": "presenting.published_figures",
    "classic": "presenting.classic_page",
    "docs": "presenting.docs_pages",
    "independent": "analysis.library_comparison",
    "quickstart": "executing.quickstart",
    "export": "records.export",
    "env-restore": "analysis.env_restore",
}


def main(words: Sequence[str]) -> int:
    """``dqn-tf results [PART] ...``; returns the exit code."""
    if not words or words[0].startswith("-"):
        module, rest = "presenting.results_folder", list(words)
    elif words[0] in PARTS:
        module, rest = PARTS[words[0]], list(words[1:])
    else:
        raise unknown("part of results", words[0], PARTS)
    code: int = importlib.import_module(f"reproduce.{module}").main(rest)
    return code
