"""The command ``dqn-tf``: parses words, calls the library, turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 the run failed and its last good checkpoint is kept; 2 the request was wrong and nothing was
touched; 130 and 143 stopped by Ctrl-C and SIGTERM, with a checkpoint, or a line that says why there is no new one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dqn_tf.checks import ConfigError, RunError, unknown

COMMANDS = (
    "train",
    "evaluate",
    "digest",
    "explain",
    "presets",
    "games",
    "check-env",
    "verify",
    "bench",
    "reproduce",
    "status",
    "report",
    "results",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            raise unknown("command", argv[0], COMMANDS, "`dqn-tf --help` explains each.")
        arguments = _parser().parse_args(argv)
        arguments.command = f"{_program()} {shlex.join(argv)}"
        code: int = arguments.call(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has seen enough (`dqn-tf explain rainbow | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ConfigError as error:
        return _fail(error, 2)
    except RunError as error:
        return _fail(error, 1)
    except OSError as error:
        return _fail(error, 1)
    except MemoryError as error:
        words = (
            f"Out of memory: {error}. Take a smaller replay (--set replay.capacity=N), network or batch; what was "
            "saved is kept."
        )
        return _fail(words, 1, _notes(error))
    except KeyboardInterrupt:
        return _fail("Stopped.", 130)
    except Exception as error:
        from dqn_tf.training.stop import Interrupted

        if type(error).__name__ == "ResourceExhaustedError":  # TensorFlow's, of a device
            words = "The device's memory is used up. Take a smaller batch or network, or a replay on the host"
            return _fail(f"{words} (--set replay.placement=host). {str(error).splitlines()[0]}", 1, _notes(error))
        if isinstance(error, Interrupted):
            return _fail(
                f"{error} A checkpoint was written; the same command continues.", error.exit_code, _notes(error)
            )
        raise


def _fail(message: object, code: int, more: str = "") -> int:
    text = f"{message}{more}"
    if (notes := _notes(message)) and not text.endswith((".", "!", "?")):
        text += "."
    print(f"dqn-tf: {text}{notes}", file=sys.stderr, flush=True)
    return code


def _notes(error: object) -> str:
    """What was added to an error on its way: what is kept, and how to go on."""
    return "".join(f" {note}" for note in getattr(error, "__notes__", []))


def _program() -> str:
    """How this program was called, as words of a command line."""
    name = os.path.basename(sys.argv[0])
    return f"{os.path.basename(sys.executable)} -m dqn_tf" if name == "__main__.py" else "dqn-tf"


class _Parser(argparse.ArgumentParser):
    """argparse, with the nearest option or part named for an unknown one."""

    def parts(self) -> dict[str, argparse.ArgumentParser]:
        """The commands of `dqn-tf`, the parts of one of its commands."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return dict(groups[0].choices) if groups else {}

    def options(self) -> dict[str, None]:
        """Every option, those of the parts included."""
        own = {option: None for action in self._actions for option in action.option_strings}
        return own | {o: None for part in self.parts().values() if isinstance(part, _Parser) for o in part.options()}

    def error(self, message: str) -> Any:
        known = self.options()
        if part := re.match(r"argument PART: invalid choice: '([^']*)'", message):
            message = str(unknown("part", part[1], self.parts()))
        for word in message.removeprefix("unrecognized arguments: ").split():
            if message.startswith("unrecognized") and word.startswith("--"):
                message = str(unknown("option", word.split("=")[0], known))
                break
        self.exit(2, f"{self.prog}: {message}\nTry: {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dqn-tf", description="DQN and its family, reproducible to the byte.", allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, call: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(call=call)
        return sub

    train = command(
        "train", _train, "Train a preset on an environment; the same command on the same directory continues."
    )
    _add_run_arguments(train)
    train.add_argument("--run-dir", required=True, type=Path, help="where the run lives")
    train.add_argument(
        "--checkpoint-frames", type=_count, default=200_000, metavar="N", help="frames between checkpoints"
    )
    train.add_argument(
        "--checkpoint-minutes",
        type=_positive,
        default=10.0,
        metavar="M",
        help="minutes between checkpoints, where that is sooner (default 10; no byte of a result depends on it)",
    )
    train.add_argument(
        "--extend",
        type=Path,
        metavar="DIR",
        help="begin with the finished run in DIR, whose budget was smaller, as if it had been this one",
    )
    train.add_argument("--tensorboard", action="store_true", help="also write TensorBoard files (extra: tensorboard)")
    train.add_argument("--outside-scope", action="store_true", help="resume although versions or hardware changed")
    train.add_argument(
        "--resume",
        choices=("exact", "inexact"),
        default="exact",
        help="inexact: an episode that cannot be restored exactly begins anew, noted in manifest.json",
    )
    train.add_argument(
        "--no-trial", action="store_true", help="do not try an environment of your own before training (check-env)"
    )
    train.add_argument("--quiet", action="store_true", help="no progress")

    evaluate = command("evaluate", _evaluate, "Score the last or the best network in a run's newest checkpoint.")
    evaluate.add_argument("run_dir", type=Path)
    evaluate.add_argument("--episodes", required=True, type=_count, metavar="N", help="episodes to play")
    evaluate.add_argument(
        "--epsilon", type=float, help="probability of a random action (default: the run's evaluation)"
    )
    evaluate.add_argument("--seed", type=int, help="seed of the evaluation's environments (default: the run's)")
    evaluate.add_argument(
        "--network",
        choices=("last", "best"),
        help="whose score (default: the one that the run's final evaluation is of)",
    )
    evaluate.add_argument("--video", type=Path, metavar="FILE.gif", help="also record the first episode (extra: video)")

    digest = command("digest", _digest, "SHA-256 of the state in the newest checkpoint of a run.")
    digest.add_argument("run_dir", type=Path)

    explain = command(
        "explain", _explain, "Every field of a preset: value, unit, source, and the file, equation and test behind it."
    )
    explain.add_argument("preset", help="see `dqn-tf presets`")
    explain.add_argument(
        "--environment", metavar="ENV", help="where a preset's values differ between environments: which"
    )
    form = explain.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one line of JSON")
    form.add_argument("--csv", action="store_true", help="one row per field")
    command("presets", _presets, "The presets and where they come from.")
    command("games", _games, "The Atari games and their names.")
    text = "Try an environment: what it shows, whether runs of it can be exact, and what is odd about it."
    check = command("check-env", _check_env, text)
    check.add_argument("environment", metavar="ENV", help="as for train")
    _add_environment_arguments(check)
    verify = command("verify", _verify, "Prove on this machine: same seed, same bytes; killed and resumed, same bytes.")
    verify.add_argument("--work-dir", type=Path, help="where to run (default: a temporary directory)")
    bench = command("bench", _bench, "Speed and memory of an agent here, beside the floor that this machine sets.")
    bench.add_argument("--preset", default="dqn_nature")
    bench.add_argument("--environment", default="breakout", metavar="ENV")
    bench.add_argument("--seconds", type=float, default=20.0, help="seconds of end-to-end training to measure")
    bench.add_argument("--json", action="store_true", help="the numbers as one line of JSON")
    bench.add_argument("--set", dest="settings", action="append", default=[], metavar="path=value")

    from reproduce import options

    text = "Carry out a protocol: all its runs, or what is missing of them (docs/reproduce.md)."
    options.add_reproduce(command("reproduce", _reproduce, text), _count)
    options.add_status(command("status", _status, "How far the runs of a sweep are; from another terminal too."))

    text = "Write the tables, figures and pages of this repository again, or check them (docs/figures.md)."
    options.add_results(command("results", _results, text), _count)
    report = command("report", _report, "One HTML page about a folder of runs: scores, plots, claims, manifests.")
    report.add_argument("folder", type=Path, metavar="DIR", help="a run directory, or a folder that contains some")
    report.add_argument("--out", type=Path, metavar="FILE", help="where to write it (default: DIR/report.html)")
    return parser


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("preset", help="see `dqn-tf presets`")
    parser.add_argument(
        "environment", metavar="ENV", help="breakout, ALE/Breakout-v5, a Gymnasium id, module:Name-v0, module:factory"
    )
    _add_environment_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the one seed of the run (default 0)")
    parser.add_argument("--frames", type=_count, required=True, metavar="N", help="training budget in frames")
    parser.add_argument("--protocol", help="Atari protocol, if not the preset's")
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="path=value",
        help="set a field of the agent, evaluation.*, protocol.*, iteration_frames or heldout_states; repeatable",
    )


def _add_environment_arguments(parser: argparse.ArgumentParser) -> None:
    text = "a keyword argument of the environment, as JSON or a text; part of the run's identity; repeatable"
    parser.add_argument("--env-args", action="append", default=[], metavar="name=value", help=text)


def _count(text: str) -> int:
    """A positive whole number: 2000000, 2_000_000 or 2e6."""
    try:
        number = float(text)
        if number >= 1 and number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")


def _positive(text: str) -> float:
    """A number above 0: 10, 0.5 or 1e9."""
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < float("inf"):
            return number
    raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")


# -- commands: each imports what it needs, so that a wrong word is answered at once ------------------------------------
def _train(arguments: argparse.Namespace) -> int:
    from dqn_tf import envs
    from dqn_tf.api import make_config

    config = make_config(
        arguments.preset,
        arguments.environment,
        seed=arguments.seed,
        frames=arguments.frames,
        protocol=arguments.protocol,
        settings=arguments.settings,
        environment_arguments=envs.keywords(arguments.env_args),
    )
    from dqn_tf import memory
    from dqn_tf.training.evaluation import words
    from dqn_tf.training.run import Options, train

    for line in envs.notes(arguments.environment, config.protocol):
        print(line, file=sys.stderr, flush=True)
    if not arguments.quiet:
        print(memory.describe(config), file=sys.stderr, flush=True)
    summary = train(
        config,
        arguments.run_dir,
        Options(
            checkpoint_frames=arguments.checkpoint_frames,
            checkpoint_minutes=arguments.checkpoint_minutes,
            command=arguments.command,
            extend=arguments.extend,
            tensorboard=arguments.tensorboard,
            progress=not arguments.quiet,
            outside_scope=arguments.outside_scope,
            resume=arguments.resume,
            try_environment=not arguments.no_trial,
        ),
    )
    print(
        f"{arguments.run_dir}: complete, {summary['frames']:,} frames, {summary['updates']:,} updates, "
        f"{summary['episodes']:,} episodes, {words(summary['final_evaluation'], summary['updates'])}, "
        f"state {summary['state_digest'][:16]}"
    )
    return 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from dqn_tf.training.evaluation import cut_off_words
    from dqn_tf.training.rescore import evaluate

    result = evaluate(
        arguments.run_dir,
        arguments.episodes,
        arguments.epsilon,
        arguments.seed,
        arguments.video,
        arguments.network,
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(
        f"The {result['network']} network, {result['frames']:,} frames of training, epsilon {result['epsilon']}, "
        f"seed {result['seed']}: mean return "
        f"{result['return_mean']:.2f}, standard deviation {result['return_std']:.2f}, lowest "
        f"{result['return_min']:.2f}, highest {result['return_max']:.2f}, {result['episodes']} episodes"
        f"{cut_off_words(result)}"
    )
    return 0


def _digest(arguments: argparse.Namespace) -> int:
    from dqn_tf.training.rescore import digest_of

    print(digest_of(arguments.run_dir, lambda text: print(text, file=sys.stderr)))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from dqn_tf import explain

    if arguments.json or arguments.csv:
        print((explain.as_json if arguments.json else explain.as_csv)(arguments.preset, arguments.environment))
    else:
        width = min(shutil.get_terminal_size((110, 24)).columns, 140)
        print(explain.explain(arguments.preset, width, arguments.environment))
    return 0


def _presets(arguments: argparse.Namespace) -> int:
    from dqn_tf import presets

    for name in presets.PRESETS:
        preset = presets.load(name)
        print(f"{name:14} {preset.summary}\n{'':14} {preset.reference}")
    return 0


def _games(arguments: argparse.Namespace) -> int:
    from dqn_tf.envs import games

    print(f"{len(games.ATARI57)} games of the Atari-57 suite:")
    print(_columns(list(games.ATARI57)))
    others = [g for g in games.ALL if g not in games.ATARI57]
    print(f"\n{len(others)} others of the Arcade Learning Environment:")
    print(_columns(others))
    return 0


def _check_env(arguments: argparse.Namespace) -> int:
    from dqn_tf.envs import trial

    code, text = trial.report(arguments.environment, arguments.env_args)
    print(text)
    return code


def _columns(names: list[str], width: int = 100) -> str:
    size = max(map(len, names)) + 2
    per_line = width // size
    lines = [names[i : i + per_line] for i in range(0, len(names), per_line)]
    return "\n".join("  " + "".join(f"{n:{size}}" for n in line).rstrip() for line in lines)


def _verify(arguments: argparse.Namespace) -> int:
    from dqn_tf.training.verify import verify

    return 0 if verify(arguments.work_dir, lambda text: print(text, flush=True)) else 1


def _bench(arguments: argparse.Namespace) -> int:
    from dqn_tf.api import make_config

    config = make_config(arguments.preset, arguments.environment, seed=0, frames=10**9, settings=arguments.settings)
    from dqn_tf import plain_json
    from dqn_tf.bench import measure, table

    measured = measure(config, arguments.seconds, lambda text: print(text, file=sys.stderr, flush=True))
    print(plain_json.dumps(measured) if arguments.json else table(config, measured))
    return 0


def _reproduce(arguments: argparse.Namespace) -> int:
    from reproduce.executing import sweep

    return sweep.reproduce(arguments)


def _status(arguments: argparse.Namespace) -> int:
    from reproduce.executing import sweep_status

    print(sweep_status.describe(arguments.folder))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from reproduce.presenting.report import writing

    print(writing.write(arguments.folder, arguments.out))
    return 0


def _results(arguments: argparse.Namespace) -> int:
    from reproduce import results

    return results.results(arguments)
