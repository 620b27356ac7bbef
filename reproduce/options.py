"""The options of ``dqn-tf reproduce`` and ``dqn-tf status``.  Imports nothing that takes time."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from reproduce.places import PROTOCOLS


def add_reproduce(parser: argparse.ArgumentParser, count: Callable[[str], int]) -> None:
    """count: reads a whole number of at least 1."""
    known = ", ".join(sorted(path.stem for path in PROTOCOLS.glob("*.toml")))
    parser.add_argument("protocol", metavar="PROTOCOL", help=f"{known}; or a .toml file")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs live (default: ./runs)"
    )
    parser.add_argument(
        "--agent", dest="agents", type=_words, default=(), metavar="A,B", help="only these of its agents; any preset "
        "where the protocol is open to all"
    )  # fmt: skip
    parser.add_argument("--games", type=_words, default=(), metavar="A,B", help="only these of its environments")
    parser.add_argument("--seeds", type=count, metavar="N", help="the first N seeds (default: the protocol's)")
    parser.add_argument("--frames", type=count, metavar="N", help="another budget: no longer what the protocol says")
    parser.add_argument("--jobs", type=count, metavar="N", help="runs at a time (default: what cores and memory hold)")
    parser.add_argument("--executor", default="local", metavar="NAME", help="local (default), ray or slurm")
    parser.add_argument("--shard", metavar="i/n", help="only the i-th of n parts of the runs, for n machines")
    parser.add_argument("--retries", type=_retries, default=2, metavar="N", help="how often a failed run is started "
                        "again, from its checkpoint (default: 2)")  # fmt: skip
    parser.add_argument("--smoke", action="store_true", help="its smoke twin: see in minutes that everything works")
    parser.add_argument("--dry-run", action="store_true", help="print the grid and its cost, start nothing")
    parser.add_argument("--frames-per-second", type=_positive, metavar="N", help="of one run, for the estimated hours")


def add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what --runs named, or one protocol's folder in it")


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _retries(text: str) -> int:
    try:
        if (number := int(text)) >= 0:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")


def _positive(text: str) -> float:
    try:
        if 0 < (number := float(text)) < float("inf"):
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number > 0, got {text!r}")
