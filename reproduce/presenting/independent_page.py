"""docs/independent.md: this project's equations beside those of RLax and Tianshou, on the same random numbers."""

from __future__ import annotations

import json

from reproduce import formatting
from reproduce.checking.library_comparison import FOUND
from reproduce.checking.library_ideas import IDEAS, PRECISIONS, A, B, N


def page() -> str:
    """The page's text."""
    found = json.loads(FOUND.read_text())
    v, rows = found["versions"], []
    for name, idea in IDEAS.items():
        of = [row for row in found["differences"] if row["idea"] == name]
        row = {"idea": idea.title, "compared": ", ".join(dict.fromkeys(r["quantity"] for r in of)).replace("_", " ")}
        row["largest"] = formatting.number(max(r["largest"] for r in of))
        for precision in PRECISIONS:
            differences = [r["largest_difference"] for r in of if r["precision"] == precision]
            row[precision] = f"{max(differences):.1e}" if differences else formatting.NONE
        rows.append({**row, "with": f"{idea.peer}: {idea.theirs}"})
    columns = {"idea": "idea", "compared": "compared", "largest": "largest number"}
    table = formatting.markdown(rows, {**columns, **{p: p for p in PRECISIONS}, "with": "with"})
    return f"""# Compared with independent implementations

Written by `dqn-tf results docs` from `results/independent/differences.json`.

The same random numbers went into this project's functions and into those of two libraries that share no code with it:
RLax {v["rlax"]} (JAX {v["jax"]}) and Tianshou {v["tianshou"]} (PyTorch {v["torch"]}).
Here: TensorFlow {v["tensorflow"]}, on {found["cpu"]}.
Batches of {B}, {A} actions, {N} atoms or quantiles.

Each line has the largest absolute difference over all numbers compared, and the largest such number. In float64 only
rounding is left, so the equations are the same. Training runs in float32, where both sides round. Where a library has
another convention, the last column says which, and how its numbers were converted.

{table}
The answers of both libraries are kept in `tests/independent/`, and the tests compare with them. To compute them again:
`dqn-tf results independent --rlax PYTHON --tianshou PYTHON`, with interpreters of environments that have the libraries.

Rank-based prioritized replay is not compared, as neither library has it.
"""
