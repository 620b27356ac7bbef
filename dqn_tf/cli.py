"""The command ``dqn-tf``: parses words, calls the library, turns errors into one sentence and an exit code.

Exit codes: 0 done; 1 the run failed and its last good checkpoint is kept; 2 the request was wrong and nothing was
touched; 130 and 143 stopped by Ctrl-C and SIGTERM, with a checkpoint, or a line that says why there is no new one.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn_tf import cli_options
from dqn_tf.checks import ConfigError, RunError, unknown

if TYPE_CHECKING:
    from dqn_tf.config import RunConfig
    from dqn_tf.training.options import Options

COMMANDS = {
    "train": "Train a preset on an environment; the same command on the same directory continues.",
    "evaluate": "Score the last or the best network in a run's newest checkpoint.",
    "watch": "Play an agent and write one HTML page: screen, what it sees, values, actions, TD errors, step by step.",
    "pictures": "Draw what a run's agent sees and values: its states in the plane, a value trace, filters, saliency.",
    "digest": "SHA-256 of the state in the newest checkpoint of a run.",
    "export": "Write a trained network for other programs: SavedModel, Keras, ONNX or LiteRT.",
    "pack": "One file of a finished run: weights, settings, scores, curves and a card; `dqn-tf verify FILE` checks it.",
    "record": "Write what a trained agent sees as a data set (Minari, Dopamine's files), for `train --offline`.",
    "import": "Read a Q-network of Stable-Baselines3, CleanRL or Dopamine, to evaluate it under any protocol.",
    "explain": "Every field of a preset: value, unit, source, and the file, equation and test behind it.",
    "presets": "The presets and where they come from.",
    "games": "The Atari games and their names; of one game, its modes and difficulties.",
    "check-env": "Try an environment: what it shows, whether runs of it can be exact, and what is odd about it.",
    "verify": "Prove on this machine: same seed, same bytes; killed and resumed, same bytes. Or check an archive.",
    "bench": "Speed and memory of an agent here, beside the floor that this machine sets.",
    "reproduce": "Carry out a protocol: all its runs, or what is missing of them (docs/reproduce.md).",
    "rerun": "Carry out a run of results/ again, from its manifest, and compare byte by byte.",
    "status": "How far the runs of a sweep are; from another terminal too.",
    "results": "Write the tables, figures and pages of this repository again, or check them (docs/figures.md).",
    "report": "One HTML page about a folder of runs: scores, plots, claims, manifests.",
}

Call = Callable[[argparse.Namespace], int]  # carries a command out; its exit code
Add = Callable[[argparse.ArgumentParser], None]  # adds its options


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
    """The notes of an error: what is kept, and how to continue."""
    return "".join(f" {note}" for note in getattr(error, "__notes__", []))


def _program() -> str:
    """How this program was called, as words of a command line."""
    name = os.path.basename(sys.argv[0])
    return f"{os.path.basename(sys.executable)} -m dqn_tf" if name == "__main__.py" else "dqn-tf"


def _parser() -> argparse.ArgumentParser:
    parser = cli_options.Parser(
        prog="dqn-tf", description="DQN and its family, reproducible to the byte.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=cli_options.Parser)
    parts = _commands()
    for name, text in COMMANDS.items():
        call, add = parts[name]
        sub = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        sub.set_defaults(call=call)
        add(sub)
    return parser


def _commands() -> dict[str, tuple[Call, Add]]:
    """What carries each command out, and what adds its options."""
    from dqn_tf.interop import interop_commands
    from dqn_tf.offline import offline_commands
    from reproduce import command_options

    return {
        "train": (_train, cli_options.add_train),
        "evaluate": (_evaluate, cli_options.add_evaluate),
        "watch": (_from("dqn_tf.watching.watching_commands", "watch"), cli_options.add_watch),
        "pictures": (_from("dqn_tf.watching.watching_commands", "pictures"), cli_options.add_pictures),
        "digest": (_digest, cli_options.add_digest),
        "export": (interop_commands.export, interop_commands.add_export),
        "pack": (interop_commands.pack, interop_commands.add_pack),
        "record": (offline_commands.record, offline_commands.add_record),
        "import": (interop_commands.import_, interop_commands.add_import),
        "explain": (_explain, cli_options.add_explain),
        "presets": (_presets, cli_options.add_nothing),
        "games": (_games, cli_options.add_games),
        "check-env": (_check_env, cli_options.add_check_env),
        "verify": (_verify, cli_options.add_verify),
        "bench": (_bench, cli_options.add_bench),
        "reproduce": (_reproduce, lambda parser: command_options.add_reproduce(parser, cli_options.count)),
        "rerun": (_rerun, lambda parser: command_options.add_rerun(parser, cli_options.count)),
        "status": (_status, command_options.add_status),
        "results": (_results, lambda parser: command_options.add_results(parser, cli_options.count)),
        "report": (_report, cli_options.add_report),
    }


def _from(module: str, name: str) -> Call:
    """What carries a command out, imported when it is called."""
    return lambda arguments: int(getattr(importlib.import_module(module), name)(arguments))


# -- commands: each imports what it needs, so that a wrong word is answered at once ------------------------------------
def _train(arguments: argparse.Namespace) -> int:
    from dqn_tf import envs, lazy_tf
    from dqn_tf.api import make_config

    lazy_tf.LEAN = True

    config = make_config(
        arguments.preset,
        arguments.environment,
        seed=arguments.seeds[0] if arguments.seeds else arguments.seed,
        frames=arguments.frames,
        protocol=arguments.protocol,
        settings=arguments.settings,
        environment_arguments=envs.keywords(arguments.env_args),
    )
    places = _places(arguments)
    from dqn_tf import memory
    from dqn_tf.training import training_data
    from dqn_tf.training.options import Options

    for line in envs.notes(arguments.environment, config.protocol):
        print(line, file=sys.stderr, flush=True)
    if arguments.offline:
        config = training_data.learning_from(config, arguments.offline)
    options = Options(
        checkpoint_frames=arguments.checkpoint_frames,
        checkpoint_minutes=arguments.checkpoint_minutes,
        command=arguments.command,
        extend=arguments.extend,
        tensorboard=arguments.tensorboard,
        profile=arguments.profile,
        profile_frames=arguments.profile_frames,
        progress=not arguments.quiet,
        outside_scope=arguments.outside_scope,
        resume=arguments.resume,
        try_environment=not arguments.no_trial,
        offline=tuple(arguments.offline),
        offline_memory=2**20 * arguments.offline_memory,
        record=arguments.record,
    )
    if not arguments.quiet:
        about = training_data.describe(config, options) if arguments.offline else memory.describe(config)
        print(about, file=sys.stderr, flush=True)
    if arguments.seeds:
        return _train_together(config, places, options, arguments.seeds_together or len(places))
    from dqn_tf.training.run import train

    _tell_complete(arguments.run_dir, train(config, arguments.run_dir, options))
    return 0


def _places(arguments: argparse.Namespace) -> dict[int, Path]:
    """The run directory of each of several seeds; none of a single run.  Raises ConfigError: the words do not fit."""
    seeds, together, place = arguments.seeds, arguments.seeds_together, str(arguments.run_dir)
    if seeds is None:
        if together is not None:
            raise ConfigError(f"Expected --seeds A-B for --seeds-together {together}, got one seed. Name the seeds.")
        return {}
    if "{seed}" not in place:
        raise ConfigError(
            f"Expected {{seed}} in --run-dir, for a directory for each of --seeds, got {place!r}. For example: "
            f"{place}/seed_{{seed}}"
        )
    if together is not None and together > len(seeds):
        raise ConfigError(f"Expected at most {len(seeds)}, the number of seeds, for --seeds-together, got {together}.")
    return {seed: Path(place.replace("{seed}", str(seed))) for seed in seeds}


def _train_together(config: RunConfig, places: dict[int, Path], options: Options, most: int) -> int:
    """Runs of all seeds, ``most`` of them at a time; 1 if one failed."""
    from dqn_tf.training.together import train_together

    code, seeds = 0, list(places)
    for first in range(0, len(seeds), most):
        turn = seeds[first : first + most]
        configs = [dataclasses.replace(config, seed=seed) for seed in turn]
        found = train_together(configs, [places[seed] for seed in turn], options)
        for seed, result in zip(turn, found, strict=True):
            if isinstance(result, Exception):
                print(f"Seed {seed} failed.", file=sys.stderr)
                code = _fail(result, 1)
            else:
                _tell_complete(places[seed], result)
    return code


def _tell_complete(place: Path, summary: dict[str, Any]) -> None:
    from dqn_tf.training.evaluation import words

    print(
        f"{place}: complete, {summary['frames']:,} frames, {summary['updates']:,} updates, "
        f"{summary['episodes']:,} episodes, {words(summary['final_evaluation'], summary['updates'])}, "
        f"state {summary['state_digest'][:16]}",
        flush=True,
    )


def _evaluate(arguments: argparse.Namespace) -> int:
    from dqn_tf import lazy_tf
    from dqn_tf.training.evaluation import cut_off_words
    from dqn_tf.training.rescore import evaluate

    lazy_tf.LEAN = True
    result = evaluate(
        arguments.run_dir,
        arguments.episodes,
        epsilon=arguments.epsilon,
        seed=arguments.seed,
        video=arguments.video,
        network=arguments.network,
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
    from dqn_tf.envs import games, variants

    if arguments.game is not None:
        print(variants.describe(games.resolve(arguments.game)))
        return 0
    print(f"{len(games.ATARI57)} games of the Atari-57 suite:")
    print(_columns(list(games.ATARI57)))
    others = [g for g in games.ALL if g not in games.ATARI57]
    print(f"\n{len(others)} others of the Arcade Learning Environment:")
    print(_columns(others))
    return 0


def _check_env(arguments: argparse.Namespace) -> int:
    from dqn_tf.envs import trial

    code, text = trial.report(arguments.environment, arguments.env_args, arguments.protocol, arguments.settings)
    print(text)
    return code


def _columns(names: list[str], width: int = 100) -> str:
    size = max(map(len, names)) + 2
    per_line = width // size
    lines = [names[i : i + per_line] for i in range(0, len(names), per_line)]
    return "\n".join("  " + "".join(f"{n:{size}}" for n in line).rstrip() for line in lines)


def _verify(arguments: argparse.Namespace) -> int:
    if arguments.archive is not None:
        from dqn_tf.interop import interop_commands

        return interop_commands.verify(arguments.archive, arguments.episodes)
    from dqn_tf.training.verify import verify

    return 0 if verify(arguments.work_dir, lambda text: print(text, flush=True)) else 1


def _bench(arguments: argparse.Namespace) -> int:
    from dqn_tf import lazy_tf
    from dqn_tf.api import make_config

    lazy_tf.LEAN = True
    config = make_config(arguments.preset, arguments.environment, seed=0, frames=10**9, settings=arguments.settings)
    from dqn_tf import plain_json
    from dqn_tf.bench import measure, table

    measured = measure(
        config, arguments.seconds, lambda text: print(text, file=sys.stderr, flush=True), arguments.profile
    )
    print(plain_json.dumps(measured) if arguments.json else table(config, measured))
    return 0


def _reproduce(arguments: argparse.Namespace) -> int:
    from reproduce.executing import sweep

    return sweep.reproduce(arguments)


def _rerun(arguments: argparse.Namespace) -> int:
    from reproduce.checking import rerun

    equal = rerun.rerun(arguments.run, arguments.frames, arguments.run_dir, lambda text: print(text, flush=True))
    return 0 if equal else 1


def _status(arguments: argparse.Namespace) -> int:
    from reproduce.executing import sweep_status

    print(sweep_status.describe(arguments.folder))
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from reproduce.presenting.report import writing

    print(writing.write(arguments.folder, arguments.out, beside=arguments.beside))
    return 0


def _results(arguments: argparse.Namespace) -> int:
    from reproduce import results_command

    return results_command.results(arguments)
