"""This project's functions and those of RLax and Tianshou on the same random numbers: the differences.

The scripts tests/independent/*_answers.py run in environments of those libraries (docs/independent.md names the
versions); their answers are kept beside them, so that the suite compares with them without either library.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import determinism, plain_json
from dqn_tf import lazy_tf as tf
from reproduce.checking.library_ideas import IDEAS, inputs
from reproduce.places import RESULTS, ROOT

ANSWERS = ROOT / "tests" / "independent"
FOUND = RESULTS / "independent" / "differences.json"


def ours(idea: str, precision: str, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """This project's outputs for an idea.

    Args:
        idea: a key of ``library_ideas.IDEAS``.
        precision: "float32" or "float64".
        given: the inputs, name -> array.

    Returns:
        Quantity -> array.
    """
    x = {
        name: tf.constant(v.astype(precision) if v.dtype.kind == "f" else v.astype(np.int32))
        for name, v in given.items()
        if name != "versions"
    }
    return {quantity: np.asarray(value) for quantity, value in IDEAS[idea].ours(x).items()}


def theirs(idea: str, precision: str, answers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The other library's outputs for an idea.

    Args:
        idea: a key of ``library_ideas.IDEAS``.
        precision: "float32" or "float64".
        answers: all answers of that library, "idea/precision/quantity" -> array.

    Returns:
        Quantity -> array.
    """
    start = f"{idea}/{precision}/"
    return {key.removeprefix(start): value for key, value in answers.items() if key.startswith(start)}


def load(name: str) -> dict[str, np.ndarray]:
    """The inputs ("inputs") or a library's answers ("rlax", "tianshou")."""
    with np.load(ANSWERS / f"{name}.npz") as archive:
        return dict(archive)


# -- comparing ---------------------------------------------------------------------------------------------------------
def compare() -> list[dict[str, Any]]:
    """The largest difference per idea, quantity and precision, beside the largest number compared.

    Returns:
        A row each, plain values.

    Raises:
        ValueError: outputs of different shapes.
    """
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
    """Compute a library's outputs for the inputs, and keep them in tests/independent/.

    Args:
        peer: "rlax" or "tianshou".
        python: interpreter of an environment with that library.

    Raises:
        subprocess.CalledProcessError: its script failed.
    """
    script = ANSWERS / f"{peer}_answers.py"
    subprocess.run(
        [python, script, ANSWERS / "inputs.npz", ANSWERS / f"{peer}.npz"], check=True, cwd=tempfile.gettempdir()
    )


def measure(rlax: Path, tianshou: Path) -> None:
    """Draw the inputs, compute both libraries' outputs, and write the differences to results/independent/.

    Args:
        rlax: interpreter of an environment with RLax.
        tianshou: interpreter of an environment with Tianshou.

    Raises:
        subprocess.CalledProcessError: a library's script failed.
        ValueError: outputs of different shapes.
    """
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
