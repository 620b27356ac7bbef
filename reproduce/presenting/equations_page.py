"""docs/equations.md: each paper's equations, the file and the functions that compute them, and the test of that file.

Everything comes from the docstrings of the modules (dqn_tf/equations.py).
"""

from __future__ import annotations

from dqn_tf.equations import entries


def page() -> str:
    """The page's text."""
    lines = [
        "# Equations",
        "",
        "Written by `dqn-tf results docs` from the docstrings. Below each: the file and the functions that "
        "compute it, and their test.",
    ]
    for e in entries():
        lines += ["", f"## {e.title}", "", f"{e.paper}", "", "```text", e.equations, "```", ""]
        if e.symbols:
            lines += [f"Symbols: {e.symbols}", ""]
        lines += [f"In `{e.file}`: {', '.join(f'`{f}`' for f in e.functions)}. Test: `{e.test}`."]
    return "\n".join(lines) + "\n"
