"""The options of the commands of ``dqn-tf``, and how their words are read.  Imports nothing that takes time."""

from __future__ import annotations

import argparse
import contextlib
import re
from pathlib import Path
from typing import Any

from dqn_tf.checks import unknown


class Parser(argparse.ArgumentParser):
    """argparse, with the nearest option or part named for an unknown one."""

    def parts(self) -> dict[str, argparse.ArgumentParser]:
        """The commands of `dqn-tf`, the parts of one of its commands."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return dict(groups[0].choices) if groups else {}

    def options(self) -> dict[str, None]:
        """Every option, those of the parts included."""
        own = {option: None for action in self._actions for option in action.option_strings}
        return own | {o: None for part in self.parts().values() if isinstance(part, Parser) for o in part.options()}

    def error(self, message: str) -> Any:
        """Print the message, with the nearest option or part, and exit with 2."""
        known = self.options()
        if part := re.match(r"argument PART: invalid choice: '([^']*)'", message):
            message = str(unknown("part", part[1], self.parts()))
        for word in message.removeprefix("unrecognized arguments: ").split():
            if message.startswith("unrecognized") and word.startswith("--"):
                message = str(unknown("option", word.split("=")[0], known))
                break
        self.exit(2, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


# -- one function per command ------------------------------------------------------------------------------------------
def add_train(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf train`."""
    add = parser.add_argument
    _add_run(parser)
    add("--run-dir", required=True, type=Path, help="where the run lives")
    add("--checkpoint-frames", type=count, default=200_000, metavar="N", help="frames between checkpoints")
    text = "minutes between checkpoints, where that is sooner (default 10; no byte of a result depends on it)"
    add("--checkpoint-minutes", type=_positive, default=10.0, metavar="M", help=text)
    text = "begin with the finished run in DIR, whose budget was smaller, as if it had been this one"
    add("--extend", type=Path, metavar="DIR", help=text)
    text = "learn from recorded experience alone (Minari, Dopamine's replay files); no step is made; repeatable"
    add("--offline", type=Path, action="append", default=[], metavar="DATA", help=text)
    text = "MiB of memory for the frames of --offline; more of them stay on the disk (default 1024; changes no byte)"
    add("--offline-memory", type=count, default=1024, metavar="MIB", help=text)
    text = "write what the agent sees while it is trained as a data set, in a new directory; changes no byte"
    add("--record", type=Path, metavar="DIR", help=text)
    add("--tensorboard", action="store_true", help="also write TensorBoard files (extra: tensorboard)")
    add(
        "--profile",
        type=Path,
        metavar="FILE",
        help="write a trace of where the time goes, for Perfetto (docs/speed.md)",
    )
    text = "record only frames A to B of the run (default: the last 200,000 events)"
    add("--profile-frames", type=_window, metavar="A:B", help=text)
    add("--outside-scope", action="store_true", help="resume although versions or hardware changed")
    text = "inexact: an episode that cannot be restored exactly begins again, noted in manifest.json"
    add("--resume", choices=("exact", "inexact"), default="exact", help=text)
    text = "do not try an environment of your own before training (check-env)"
    add("--no-trial", action="store_true", help=text)
    add("--quiet", action="store_true", help="no progress")


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf evaluate`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--episodes", required=True, type=count, metavar="N", help="episodes to play")
    add("--epsilon", type=float, help="probability of a random action (default: the run's evaluation)")
    add("--seed", type=int, help="seed of the evaluation's environments (default: the run's)")
    text = "whose score (default: the one that the run's final evaluation is of)"
    add("--network", choices=("last", "best"), help=text)
    add("--video", type=Path, metavar="FILE.gif", help="also record the first episode (extra: video)")


def add_watch(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf watch`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--out", type=Path, metavar="FILE", help="the page (default: watch.html in the run's directory)")
    add("--mp4", type=Path, metavar="FILE.mp4", help="also write a video (extra: video)")
    add("--episodes", type=count, default=1, metavar="N", help="episodes to play (default 1)")
    text = "steps of an episode after which it is cut (default 2000)"
    add("--steps", type=count, default=2000, metavar="N", help=text)
    _add_player(parser)


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf pictures`."""
    add = parser.add_argument
    add("run_dir", type=Path)
    add("--out", type=Path, metavar="DIR", help="where to write (default: pictures/ in the run's directory)")
    add("--states", type=count, default=1000, metavar="N", help="states that are put into the plane (default 1000)")
    _add_player(parser)


def add_digest(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf digest`."""
    parser.add_argument("run_dir", type=Path)


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf explain`."""
    parser.add_argument("preset", help="see `dqn-tf presets`")
    text = "where a preset's values differ between environments: which"
    parser.add_argument("--environment", metavar="ENV", help=text)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one line of JSON")
    form.add_argument("--csv", action="store_true", help="one row per field")


def add_nothing(parser: argparse.ArgumentParser) -> None:
    """For commands without options."""


def add_games(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf games`."""
    parser.add_argument("game", nargs="?", metavar="GAME", help="whose modes and difficulties to show")


def add_check_env(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf check-env`."""
    parser.add_argument("environment", metavar="ENV", help="as for train")
    _add_environment(parser)
    parser.add_argument("--protocol", help="of images, as for train (default: image)")
    text = "set a field of the images' protocol; repeatable"
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="protocol.FIELD=VALUE", help=text
    )


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf verify`."""
    text = "a file of `dqn-tf pack`: check its bytes, and play its final evaluation again"
    parser.add_argument("archive", nargs="?", type=Path, metavar="ARCHIVE", help=text)
    parser.add_argument("--episodes", type=count, metavar="N", help="of an archive: play only N episodes (at least 8)")
    parser.add_argument("--work-dir", type=Path, help="where to run (default: a temporary directory)")


def add_bench(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf bench`."""
    add = parser.add_argument
    add("--preset", default="dqn_nature")
    add("--environment", default="breakout", metavar="ENV")
    add("--seconds", type=float, default=20.0, help="seconds of end-to-end training to measure")
    add("--json", action="store_true", help="the numbers as one line of JSON")
    add("--profile", type=Path, metavar="FILE", help="also write a trace of a few seconds of training, for Perfetto")
    add("--set", dest="settings", action="append", default=[], metavar="path=value")


def add_report(parser: argparse.ArgumentParser) -> None:
    """Options of `dqn-tf report`."""
    text = "a run directory, or a folder that contains some"
    parser.add_argument("folder", type=Path, metavar="DIR", help=text)
    text = "where to write it (default: DIR/report.html)"
    parser.add_argument("--out", type=Path, metavar="FILE", help=text)
    text = "runs of other programs beside ours (dqn-tf results import)"
    parser.add_argument("--beside", nargs="+", type=Path, default=[], metavar="FILE", help=text)


# -- what several of them have -----------------------------------------------------------------------------------------
def _add_player(parser: argparse.ArgumentParser) -> None:
    """Which network plays, and how."""
    add = parser.add_argument
    add("--epsilon", type=float, help="probability of a random action (default: the run's evaluation)")
    add("--seed", type=int, help="seed of the episodes (default: the run's)")
    add("--network", choices=("last", "best"), help="which plays (default: the one of the run's final evaluation)")
    text = "play with the checkpoint that was written at N frames (default: the newest)"
    add("--checkpoint", type=count, metavar="N", help=text)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", help="see `dqn-tf presets`")
    parser.add_argument(
        "environment", metavar="ENV", help="breakout, ALE/Breakout-v5, a Gymnasium id, module:Name-v0, module:factory"
    )
    _add_environment(parser)
    one_or_more = parser.add_mutually_exclusive_group()
    one_or_more.add_argument("--seed", type=int, default=0, metavar="S", help="the one seed of the run (default 0)")
    text = "several runs in this process, 1-8 or 1,2,5-7, each with a directory of its own: --run-dir DIR/seed_{seed}"
    one_or_more.add_argument("--seeds", type=seeds, metavar="A-B", help=text)
    text = "how many of --seeds step together (default: all; no byte of a result depends on it; execution=fused)"
    parser.add_argument("--seeds-together", type=count, metavar="K", help=text)
    parser.add_argument("--frames", type=count, required=True, metavar="N", help="training budget in frames")
    parser.add_argument("--protocol", help="protocol of an Atari game or of images, if not the preset's")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="path=value",
        help="set a field of the agent, evaluation.*, protocol.*, iteration_frames or heldout_states; repeatable",
    )


def _add_environment(parser: argparse.ArgumentParser) -> None:
    text = "a keyword argument of the environment, as JSON or a text; part of the run's identity; repeatable"
    parser.add_argument("--env-args", action="append", default=[], metavar="name=value", help=text)


def seeds(text: str) -> list[int]:
    """Whole numbers and ranges of them, each once: 1-8, or 1,2,5-7.

    Raises:
        ArgumentTypeError: it is something else.

    >>> seeds("3,5-7")
    [3, 5, 6, 7]
    """
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if ends is None or int(ends[2] or ends[1]) < int(ends[1]):
            raise argparse.ArgumentTypeError(f"expected seeds such as 1-8 or 1,2,5-7, got {text!r}")
        found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"expected every seed once, got {text!r}")
    return found


def count(text: str) -> int:
    """A positive whole number: 2000000, 2_000_000 or 2e6.

    Raises:
        ArgumentTypeError: the text is none.
    """
    try:
        number = float(text)
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")


def _window(text: str) -> tuple[int, int]:
    """Two whole numbers A:B with A < B."""
    first, colon, end = text.partition(":")
    with contextlib.suppress(ValueError):
        if colon and 0 <= (window := (int(float(first)), int(float(end))))[0] < window[1]:
            return window
    raise argparse.ArgumentTypeError(f"expected frames A:B with A < B, as 0:20000, got {text!r}")


def _positive(text: str) -> float:
    """A number above 0: 10, 0.5 or 1e9."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
