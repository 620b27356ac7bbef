"""``dqn-tf record``: options, and what is said at the end.  Imports nothing that takes time."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dqn_tf import cli_options


def add_record(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf record`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--out", required=True, type=Path, metavar="DIR", help="a new directory, with a folder for each format")
    add("--episodes", type=cli_options.count, metavar="N", help="whole games to play")
    add("--frames", type=cli_options.count, metavar="N", help="or: games are played until N frames are over")
    text = "minari (HDF5, extra: offline, to open it with Minari) or dopamine (replay files); default: both; repeatable"
    add("--format", action="append", dest="formats", metavar="NAME", help=text)
    add("--network", choices=("last", "best"), help="which plays (default: the one of the run's final evaluation)")
    add("--epsilon", type=float, help="probability of a random action (default: the run's evaluation)")
    add("--seed", type=int, help="seed of the games (default: the run's)")


def record(arguments: argparse.Namespace) -> int:
    """Carry out `dqn-tf record`; the exit code."""
    from dqn_tf import lazy_tf
    from dqn_tf.offline import recording

    lazy_tf.LEAN = True
    about = recording.record(
        arguments.run_dir,
        arguments.out.absolute(),
        episodes=arguments.episodes,
        frames=arguments.frames,
        network=arguments.network,
        epsilon=arguments.epsilon,
        seed=arguments.seed,
        formats=arguments.formats or recording.FORMATS,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(f"{arguments.out}: {recording.words(about)}")
    return 0
