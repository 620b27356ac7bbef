"""What carries out `dqn-tf watch` and `dqn-tf pictures`: words of a command line -> calls."""

from __future__ import annotations

import argparse
import sys

from dqn_tf import lazy_tf


def watch(arguments: argparse.Namespace) -> int:
    """Carry out ``dqn-tf watch``; returns the exit code."""
    from dqn_tf.watching import watch_command

    lazy_tf.LEAN = True
    page = watch_command.watch(
        arguments.run_dir,
        arguments.out,
        episodes=arguments.episodes,
        seed=arguments.seed,
        epsilon=arguments.epsilon,
        network=arguments.network,
        checkpoint=arguments.checkpoint,
        most_steps=arguments.steps,
        mp4=arguments.mp4,
        say=_say,
    )
    print(page)
    return 0


def pictures(arguments: argparse.Namespace) -> int:
    """Carry out ``dqn-tf pictures``; returns the exit code."""
    from reproduce.presenting import state_pictures

    home = arguments.run_dir
    beside = home.with_name(f"{home.stem}_pictures") if home.is_file() else home / "pictures"
    for path in state_pictures.of_run(
        home,
        arguments.out or beside,
        states=arguments.states,
        epsilon=arguments.epsilon,
        seed=arguments.seed,
        network=arguments.network,
        checkpoint=arguments.checkpoint,
        say=_say,
    ):
        print(path, flush=True)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
