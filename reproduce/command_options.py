"""The options of ``dqn-tf reproduce``, ``status`` and ``results``.  Imports nothing that takes time."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from reproduce.places import OUTPUT, PROTOCOLS

Parser = argparse.ArgumentParser
N = TypeVar("N", int, float)
Count = Callable[[str], int]  # reads a whole number of at least 1


def add_reproduce(parser: Parser, count: Count) -> None:
    """Add the options of ``dqn-tf reproduce``.

    Args:
        parser: of the command.
        count: reads a whole number of at least 1.
    """
    known = ", ".join(sorted(path.stem for path in PROTOCOLS.glob("*.toml")))
    add = parser.add_argument
    add("protocol", metavar="PROTOCOL", help=f"{known}; or a .toml file")
    add("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where runs live (default: ./runs)")
    agents = "only these of its agents; any preset if the protocol is open to all"
    add("--agent", dest="agents", type=_words, default=(), metavar="A,B", help=agents)
    add("--games", type=_words, default=(), metavar="A,B", help="only these of its environments")
    add("--seeds", type=count, metavar="N", help="the first N seeds (default: the protocol's)")
    add("--frames", type=count, metavar="N", help="another budget: no longer what the protocol says")
    add("--jobs", type=count, metavar="N", help="runs at a time (default: what cores and memory hold)")
    text = "up to K runs that differ in the seed only in one process, where execution is fused: faster, the same bytes"
    add("--seeds-together", type=count, default=1, metavar="K", help=text)
    add("--executor", default="local", metavar="NAME", help="local (default), ray or slurm")
    add("--shard", metavar="i/n", help="only the i-th of n parts of the runs, for n machines")
    retries = "how often a failed run is started again, from its checkpoint (default: 2)"
    add("--retries", type=_retries, default=2, metavar="N", help=retries)
    smoke = "the same agents with tiny budgets: see in minutes that everything works"
    add("--smoke", action="store_true", help=smoke)
    add("--dry-run", action="store_true", help="print the grid and its cost, start nothing")
    add("--frames-per-second", type=_positive, metavar="N", help="of one run, for the estimated hours")


def add_status(parser: Parser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="what --runs named, or one protocol's folder in it")


def add_rerun(parser: Parser, count: Count) -> None:
    """Add the options of ``dqn-tf rerun``.

    Args:
        parser: of the command.
        count: reads a whole number of at least 1.
    """
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="a run directory, or a packed run: results/runs/SET/AGENT/ENV/seed_K")
    add("--frames", type=count, metavar="N", help="only its first N frames")
    add("--run-dir", type=Path, metavar="DIR", help="where to make it (default: a temporary directory)")


# -- dqn-tf results ----------------------------------------------------------------------------------------------------
def add_results(parser: Parser, count: Count) -> None:
    """Add the parts of ``dqn-tf results`` and their options.  Without a part: all of tables, figures and docs.

    Args:
        parser: of the command.
        count: reads a whole number of at least 1.
    """
    _add_results(parser, None)
    _add_check(parser, False)
    parts = parser.add_subparsers(dest="part", metavar="PART", parser_class=type(parser))

    def part(name: str, text: str) -> Parser:
        return parts.add_parser(name, help=text, description=text, allow_abbrev=False)

    _tables(part("tables", "Write results/tables/: our scores beside the published ones, and those alone."), count)
    _figures(part("figures", "Draw results/plots/: our runs, ours beside the published curves, published ones alone."))
    _add_check(part("docs", "Write the pages of docs/ that come from the code and from results/."))
    _export(part("export", "Copy the small files of runs, without checkpoints, to results/runs/NAME/."))
    _import(part("import", "Take in runs of other programs, as curves beside ours; what they measure is asked."), count)
    _classic(part("classic", "Add the complete runs of `dqn-tf reproduce classic` to results/classic/ and docs/."))
    _quickstart(part("quickstart", "Report on the runs of `dqn-tf reproduce quickstart`: table, plots, summary."))
    _independent(part("independent", "Compare our equations with RLax's and Tianshou's; write docs/independent.md."))
    part("programs", "Compare updates of presets with what their authors' programs gave; write docs/independent.md.")
    _env_restore(part("env-restore", "Prove that Atari environments save and restore exactly; takes minutes."), count)


def _tables(parser: Parser, count: Count) -> None:
    _add_sources(parser)
    window = "iterations that final_window and training_return are means over (default: 5)"
    parser.add_argument("--window", type=count, metavar="N", help=window)
    normalization = "random and human scores to normalize with (default: dqn_zoo57_vp0)"
    parser.add_argument("--normalization", metavar="NAME", help=normalization)
    parser.add_argument("--resamples", type=count, metavar="N", help="of the bootstrap (default: 2,000)")


def _figures(parser: Parser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these figures of the published numbers")
    _add_sources(parser)


def _export(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the folder below results/runs/")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="run directories, or folders with some")
    text = "the complete runs, all seeds of an agent on an environment in a few compressed files, to the same bytes"
    parser.add_argument("--packed", action="store_true", help=text)
    _add_results(parser)


def _import(parser: Parser, count: Count) -> None:
    add = parser.add_argument
    programs = ("cleanrl", "sb3", "monitor", "rl-zoo", "dopamine", "wandb")
    text = "whose files: TensorBoard of cleanrl or sb3, monitor.csv, rl-zoo's evaluations.npz, dopamine, a CSV of wandb"
    add("program", choices=programs, metavar="PROGRAM", help=text)
    add(
        "files", nargs="+", type=Path, metavar="FILE", help="one for each seed; of dopamine the folder of its logs, too"
    )
    add("--out", required=True, type=Path, metavar="FILE", help="the CSV file that the curves are added to")
    add("--agent", required=True, metavar="NAME", help="what the agent is to be called")
    add("--environment", required=True, metavar="ENV", help="what the environment is to be called, as in our tables")
    add("--seeds", required=True, metavar="A-B", help="of the files, in their order: 1-3 or 1,5,7")
    text = "what the file's returns are of"
    add("--measure", required=True, choices=("training", "evaluation"), help=text)
    add("--rewards", required=True, choices=("raw", "clipped"), help="what the returns are sums of")
    add("--unit", required=True, choices=("frames", "steps"), help="what the file counts, of the emulator or the agent")
    add("--frames-per-step", type=count, metavar="N", help="with --unit steps: 4 for most Atari games, else 1")
    add("--bin-frames", type=count, metavar="N", help="average single episodes over N frames; needed where points are")
    add("--column", default="", metavar="NAME", help="TensorBoard's tag, if not the program's own; the column of a CSV")
    add("--across", default="", metavar="NAME", help="wandb: the column that says where a point is")
    text = "what points are, where the program does not fix it: wandb, or another tag"
    add("--points", choices=("episodes", "means"), help=text)


def _classic(parser: Parser) -> None:
    _add_runs(parser)
    parser.add_argument("--missing", action="store_true", help="only print the agents of which runs are missing")


def _quickstart(parser: Parser) -> None:
    _add_runs(parser)
    out = "where to write (default: results/quickstart; with --smoke: beside the runs)"
    parser.add_argument("--out", type=Path, metavar="DIR", help=out)


def _independent(parser: Parser) -> None:
    for name in ("rlax", "tianshou"):
        text = f"interpreter of an environment with {name}"
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PYTHON", help=text)


def _env_restore(parser: Parser, count: Count) -> None:
    parser.add_argument("--games", nargs="+", metavar="GAME", help="which (default: the 57)")
    parser.add_argument("--all", action="store_true", help="every game that ale-py ships")
    parser.add_argument("--processes", type=count, default=2, metavar="N", help="games at a time (default: 2)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report here")


def _add_sources(parser: Parser) -> None:
    """Which runs, and where to write."""
    _add_results(parser)
    _add_check(parser)
    runs = "run directories, or folders with some (default: runs/ in --results); needs --out"
    parser.add_argument("--runs", nargs="+", type=Path, metavar="DIR", help=runs)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write below this folder (default: --results)")


def _add_check(parser: Parser, default: object = argparse.SUPPRESS) -> None:
    """Before and after a part's name.  SUPPRESS: what was said before the name stays."""
    text = "write nothing; name the files that would be different, and exit with 1 if there are any"
    parser.add_argument("--check", action="store_true", default=default, help=text)


def _add_results(parser: Parser, default: object = argparse.SUPPRESS) -> None:
    text = "the results folder (default: results/ of the checkout)"
    parser.add_argument("--results", type=Path, default=default, metavar="DIR", help=text)


def _add_runs(parser: Parser) -> None:
    parser.add_argument("--runs", type=Path, default=OUTPUT / "runs", metavar="DIR", help="where runs live")
    parser.add_argument("--smoke", action="store_true", help="the runs with tiny budgets; written beside them")


# -- values ------------------------------------------------------------------------------------------------------------
def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _retries(text: str) -> int:
    return _number(text, int, lambda number: number >= 0, "a whole number of at least 0")


def _positive(text: str) -> float:
    return _number(text, float, lambda number: 0 < number < float("inf"), "a number > 0")


def _number(text: str, kind: Callable[[str], N], allowed: Callable[[N], bool], what: str) -> N:
    with contextlib.suppress(ValueError):
        if allowed(number := kind(text)):
            return number
    raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
