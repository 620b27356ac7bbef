"""``dqn-tf export``: options, and what is said at the end.  Imports nothing that takes time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_export(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf export`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--format", required=True, metavar="NAME", help="saved_model, keras, onnx or litert (extra: export)")
    add("--out", required=True, type=Path, metavar="DIR", help="a new directory, for the file and its contract.json")
    add("--network", choices=("last", "best"), help="which (default: the one that the run's final evaluation is of)")
    text = "largest difference of a Q-value on recorded states, as a share of the largest (default 1e-5)"
    add("--tolerance", type=float, default=1e-5, metavar="X", help=text)


def export(arguments: argparse.Namespace) -> int:
    """Carry out `dqn-tf export`; the exit code."""
    from dqn_tf.interop.export import export as write

    found = write(
        arguments.run_dir,
        arguments.format,
        arguments.out,
        arguments.network,
        tolerance=arguments.tolerance,
        say=_say,
    )
    parity, agent = found["parity"], found["agent"]
    print(
        f"{arguments.out / found['file']}: the {agent['network']} network, {agent['frames']:,} frames. On "
        f"{parity['states']} recorded states Q-values differ by {parity['largest_difference']:.2g} at most "
        f"(largest {parity['largest_q']:.4g}), {parity['equal_actions']:.1%} of the greedy actions are equal. "
        f"Randomness: {found['randomness']}."
    )
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
