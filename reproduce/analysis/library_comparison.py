"""docs/independent.md: this project's equations beside those of RLax and Tianshou, on the same random numbers.

    dqn-tf results independent --rlax PYTHON --tianshou PYTHON     # asks both, compares, writes everything anew
    dqn-tf results independent                                     # the page alone, from what was found

PYTHON: interpreters of environments of their own, with rlax and with tianshou (docs/independent.md names the versions).
The scripts that run there are tests/independent/*_answers.py; their answers are kept beside them, so that the suite
compares with them again and again without either library.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import determinism, plain_json
from dqn_tf import lazy_tf as tf
from reproduce import formatting
from reproduce.analysis.library_ideas import IDEAS, PRECISIONS, A, B, N, inputs
from reproduce.places import ROOT

ANSWERS = ROOT / "tests" / "independent"
FOUND = ROOT / "results" / "independent" / "differences.json"
PAGE = ROOT / "docs" / "independent.md"


def ours(idea: str, precision: str, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What this project says of the inputs ``given``."""
    x = {
        name: tf.constant(v.astype(precision) if v.dtype.kind == "f" else v.astype(np.int32))
        for name, v in given.items()
        if name != "versions"
    }
    return {quantity: np.asarray(value) for quantity, value in IDEAS[idea].ours(x).items()}


def theirs(idea: str, precision: str, answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the other library said: by quantity."""
    start = f"{idea}/{precision}/"
    return {key.removeprefix(start): value for key, value in answers.items() if key.startswith(start)}


def load(name: str) -> dict[str, np.ndarray]:
    """The inputs ("inputs") or a library's answers ("rlax", "tianshou")."""
    with np.load(ANSWERS / f"{name}.npz") as archive:
        return dict(archive)


# -- comparing ---------------------------------------------------------------------------------------------------------
def compare() -> list[dict[str, Any]]:
    """The largest difference per idea, quantity and precision, beside the largest number compared."""
    given, answers = load("inputs"), {peer: load(peer) for peer in ("rlax", "tianshou")}
    rows = []
    for name, idea in IDEAS.items():
        for precision in idea.precisions:
            mine = ours(name, precision, given)
            for quantity, other in theirs(name, precision, answers[idea.peer]).items():
                if mine[quantity].shape != other.shape:
                    raise ValueError(f"{name}: {quantity} is {mine[quantity].shape} here, {other.shape} there.")
                difference = np.abs(mine[quantity].astype(np.float64) - other.astype(np.float64))
                rows.append(
                    {
                        "idea": name,
                        "quantity": quantity,
                        "precision": precision,
                        "numbers": int(other.size),
                        "largest": float(np.abs(other).max()),
                        "largest_difference": float(difference.max()),
                    }
                )
    return rows


def ask(peer: str, python: Path) -> None:
    """Have a library answer the inputs, in its own environment."""
    script = ANSWERS / f"{peer}_answers.py"
    subprocess.run(
        [python, script, ANSWERS / "inputs.npz", ANSWERS / f"{peer}.npz"], check=True, cwd=tempfile.gettempdir()
    )


def measure(rlax: Path, tianshou: Path) -> None:
    """Inputs, answers and differences anew."""
    np.savez_compressed(ANSWERS / "inputs.npz", **inputs())  # type: ignore[arg-type]
    ask("rlax", rlax)
    ask("tianshou", tianshou)
    versions = {"dqn_tf": determinism.package_version(), "tensorflow": importlib.metadata.version("tensorflow")}
    for peer in ("rlax", "tianshou"):
        versions |= json.loads(str(load(peer)["versions"]))
    found = {
        "versions": versions,
        "code_sha256": determinism.code_digest(),
        "cpu": determinism.cpu_model(),
        "differences": compare(),
    }
    FOUND.parent.mkdir(parents=True, exist_ok=True)
    FOUND.write_text(plain_json.dumps(found, indent=1) + "\n")


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

Written by `dqn-tf results independent` from `results/independent/differences.json`.

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


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dqn-tf results independent", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rlax", type=Path, metavar="PYTHON", help="interpreter of an environment with rlax")
    parser.add_argument("--tianshou", type=Path, metavar="PYTHON", help="interpreter of an environment with tianshou")
    options = parser.parse_args(argv)
    if bool(options.rlax) != bool(options.tianshou):
        parser.error("expected --rlax and --tianshou together, or neither")
    if options.rlax:
        measure(options.rlax.absolute(), options.tianshou.absolute())
    PAGE.write_text(page(), encoding="utf-8")
    return 0
