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


def add_pack(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf pack`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--out", required=True, type=Path, metavar="FILE.zip", help="a new file")
    add("--network", choices=("last", "best"), help="which (default: the one that the run's final evaluation is of)")
    add("--no-curves", action="store_true", help="leave out iterations.csv and episodes.csv")


def pack(arguments: argparse.Namespace) -> int:
    """Carry out `dqn-tf pack`; the exit code."""
    from dqn_tf.interop.packing import pack as write

    about = write(arguments.run_dir, arguments.out, arguments.network, curves=not arguments.no_curves, say=_say)
    print(
        f"{arguments.out}: the {about['network']} network, {about['frames']:,} frames, "
        f"{arguments.out.stat().st_size:,} bytes. To check it: dqn-tf verify {arguments.out}"
    )
    return 0


def add_import(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf import`."""
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="what the other program saved; nothing in it is executed")
    add("environment", metavar="ENV", help="as for train")
    text = "sb3 (zip), cleanrl (PyTorch), cleanrl_jax or dopamine_jax (Flax; extra: import)"
    add("--source", required=True, metavar="NAME", help=text)
    add("--out", required=True, type=Path, metavar="FILE.zip", help="an archive, a new file, for `dqn-tf evaluate`")
    add("--protocol", help="of an Atari game: under which to evaluate it")
    text = "NPZ with observations and the original program's q_values, which must come out"
    add("--answers", type=Path, metavar="FILE.npz", help=text)
    text = "set a field, such as protocol.action_set=full; repeatable"
    add("--set", dest="settings", action="append", default=[], metavar="path=value", help=text)


def import_(arguments: argparse.Namespace) -> int:
    """Carry out `dqn-tf import`; the exit code."""
    from dqn_tf.interop.importing import import_network

    about = import_network(
        arguments.file,
        arguments.source,
        arguments.environment,
        arguments.out,
        protocol=arguments.protocol,
        answers=arguments.answers,
        settings=tuple(arguments.settings),
    )
    checked = about["checked"]
    said = "NOT checked against answers of the original program (--answers)"
    if checked is not None:
        said = (
            f"on {checked['states']} states its Q-values are the original program's within "
            f"{checked['largest_difference']:.2g}, {checked['equal_actions']:.1%} of the greedy actions are equal"
        )
    print(f"{arguments.out}: {about['origin']}; {said}. To score it: dqn-tf evaluate {arguments.out} --episodes 30")
    return 0


def verify(path: Path, episodes: int | None) -> int:
    """Carry out `dqn-tf verify ARCHIVE`.

    Args:
        path: the archive.
        episodes: play only so many; None: all.

    Returns:
        The exit code: 1 if something does not come out.
    """
    from dqn_tf.interop.packing import verify_archive

    found = verify_archive(path, episodes, say=_say)
    print(
        f"{path}: every byte is as it was packed, and the weights are {'' if found.weights else 'NOT '}those it names."
    )
    if not found.episodes:
        print("It has no score to check.")
        return 0 if found.good else 1
    print(
        f"Score: {found.equal} of {found.episodes} episodes have the return that it says; mean {found.found:.2f}, "
        f"said {found.claimed:.2f}."
    )
    if not found.good:
        here = (
            "the same: it does not score what it says" if found.same_scope else "others than the run's: see scope.json"
        )
        print(f"Versions and hardware here are {here}.")
    return 0 if found.good else 1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
