"""``dqn-tf results``: the tables, figures and pages of this repository, written again, checked, or added to.

One function per part; what each does is in the module that it imports.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dqn_tf.checks import ConfigError
from reproduce import places


def results(arguments: argparse.Namespace) -> int:
    """Carry out ``dqn-tf results``; returns the exit code: 0 done, 1 something differs, is damaged or left out."""
    parts = {
        "tables": _tables,
        "figures": _figures,
        "docs": _docs,
        "export": _export,
        "import": _import,
        "classic": _classic,
        "quickstart": _quickstart,
        "independent": _independent,
        "programs": _programs,
        "env-restore": _env_restore,
        None: _everything,
    }
    return parts[arguments.part](arguments)


# -- written from the records ------------------------------------------------------------------------------------------
def _everything(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import results_folder

    folder = _folder(arguments)
    places.checkout("the pages of docs/")  # before anything is written
    if arguments.check:
        return _check(folder, results_folder.PARTS)
    records = results_folder.read(folder)
    _print_paths(results_folder.write(records, folder))
    return _left_out(records.found.problems)


def _tables(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import results_folder

    settings = results_folder.Settings(
        **{name: value for name in ("window", "normalization", "resamples") if (value := getattr(arguments, name))}
    )
    folder = _folder(arguments)
    if arguments.check:
        return _check(folder, ["tables"])
    records = results_folder.read(folder, _runs(arguments), settings.window)
    _print_paths(results_folder.tables(records, (arguments.out or folder) / "tables", settings))
    if records.found.scores.empty:
        print("No run that can be counted: published numbers only.")
    return _left_out(records.found.problems)


def _figures(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import plots_folder, results_folder

    folder = _folder(arguments)
    if arguments.check:
        return _check(folder, ["figures"])
    plots = (arguments.out or folder) / "plots"
    if arguments.names:
        return _print_paths(plots_folder.published(plots / "published", arguments.names))
    records = results_folder.read(folder, _runs(arguments))
    _print_paths(results_folder.figures(records, plots))
    return _left_out(records.found.problems)


def _docs(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import docs_pages

    folder = places.checkout("the pages of docs/") / "docs"
    return _check(_folder(arguments), ["docs"]) if arguments.check else _print_paths(docs_pages.write(folder))


def _check(folder: Path, parts: list[str] | tuple[str, ...]) -> int:
    from reproduce.presenting import results_folder

    return 1 if results_folder.check(folder, lambda text: print(text, flush=True), parts) else 0


def _folder(arguments: argparse.Namespace) -> Path:
    return arguments.results or places.RESULTS


def _runs(arguments: argparse.Namespace) -> list[Path]:
    """The folders of --runs.  Raises ConfigError if one of them is not there."""
    folders: list[Path] = arguments.runs or []
    if missing := [str(folder) for folder in folders if not folder.is_dir()]:
        raise ConfigError(f"Expected folders with runs for --runs, found none at {', '.join(missing)}.")
    if folders and arguments.out is None:
        raise ConfigError("Expected --out with --runs: what is made of other runs does not belong in results/.")
    return folders


def _print_paths(paths: object) -> int:
    """Print each path once it is written."""
    for path in paths:  # type: ignore[attr-defined]
        print(path, flush=True)
    return 0


def _left_out(problems: list[str]) -> int:
    if problems:
        print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


# -- added to results/ -------------------------------------------------------------------------------------------------
def _export(arguments: argparse.Namespace) -> int:
    from reproduce.records import run_export, runs

    paths = runs.find(*arguments.folders)
    if not paths:
        raise ConfigError(f"Expected run directories in {', '.join(map(str, arguments.folders))}, found none.")
    if arguments.packed:
        complete = [path for path in paths if (path / "summary.json").exists()]
        if unfinished := [str(path) for path in paths if path not in complete]:
            print(f"Not packed, as they are not complete: {', '.join(unfinished)}.", file=sys.stderr)
        return _print_paths(run_export.pack(complete, arguments.name, _folder(arguments)))
    return _print_paths(run_export.export(path, arguments.name, _folder(arguments)) for path in paths)


def _import(arguments: argparse.Namespace) -> int:
    from dqn_tf import cli_options
    from reproduce.records import imported_curves
    from reproduce.records.other_logs import Asked

    if arguments.unit == "steps" and arguments.frames_per_step is None:
        raise ConfigError("Expected --frames-per-step N with --unit steps: 4 for most Atari games, else 1.")
    try:
        seeds = cli_options.seeds(arguments.seeds)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"--seeds: {error}.") from error
    meaning = imported_curves.Meaning(
        program=arguments.program,
        agent=arguments.agent,
        environment=arguments.environment,
        measure=arguments.measure,
        rewards=arguments.rewards,
        unit=arguments.unit,
        frames_per_step=arguments.frames_per_step or 1,
        bin_frames=arguments.bin_frames or 0,
    )
    single = None if arguments.points is None else arguments.points == "episodes"
    asked = Asked(arguments.measure, arguments.column, arguments.across, single)
    table = imported_curves.rows(meaning, arguments.files, seeds, asked)
    runs = imported_curves.add(table, arguments.out)
    print(f"{arguments.out}: {len(table):,} points of {len(arguments.files)} runs added, {runs} runs in all")
    return 0


def _classic(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import classic_page

    if arguments.missing:
        print(",".join(classic_page.missing_now(arguments.runs)))
    else:
        print(classic_page.update(arguments.runs, arguments.smoke))
    return 0


def _quickstart(arguments: argparse.Namespace) -> int:
    from reproduce.presenting import quickstart_report

    return quickstart_report.of_runs(arguments.runs, arguments.out, arguments.smoke)


def _independent(arguments: argparse.Namespace) -> int:
    from reproduce.checking import library_comparison
    from reproduce.presenting import docs_pages

    places.checkout("tests/independent/, the scripts that ask both libraries,")
    library_comparison.measure(arguments.rlax.absolute(), arguments.tianshou.absolute())
    return _print_paths(docs_pages.write(places.ROOT / "docs"))


def _programs(arguments: argparse.Namespace) -> int:
    from reproduce.checking import program_comparison
    from reproduce.presenting import docs_pages

    places.checkout("tests/independent/, the programs' answers,")
    program_comparison.measure()
    return _print_paths(docs_pages.write(places.ROOT / "docs"))


def _env_restore(arguments: argparse.Namespace) -> int:
    from dqn_tf.envs import games
    from reproduce.checking import env_restore

    names = games.ALL if arguments.all else [games.resolve(name) for name in arguments.games or games.ATARI57]
    return 0 if env_restore.prove(names, arguments.processes, arguments.markdown) else 1
