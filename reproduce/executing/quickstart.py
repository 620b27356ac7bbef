"""The main job: DQN agents trained on fixed seeds, a real Atari game among them, beside published numbers.

    dqn-tf results quickstart      (reproduce/quickstart.sh sets up what it needs and calls this)

CartPole-v1 with `dqn_classic`, five seeds, to the end; Breakout with `dqn_dopamine` for a small budget.  Writes a
table and plots to results/quickstart/.  Run again, it does only what is missing.

Exit codes: 0 all is well; 1 a run failed or CartPole is not solved; 2 the request was wrong; 130, 143 stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dqn_tf.checks import ConfigError, RunError
from reproduce.executing import executors
from reproduce.executing.executors import Options
from reproduce.executing.jobs import Outcome, StopAll
from reproduce.executing.progress import Board, clock
from reproduce.places import OUTPUT
from reproduce.planning.job import Job
from reproduce.records import runs

CARTPOLE, GAME = "CartPole-v1", "breakout"
CARTPOLE_FRAMES = 80_000  # docs/classic.md
ATARI_FRAMES = 160_000
ATARI_WARM_UP_FRAMES = 80_000  # dqn_dopamine learns from 20,000 agent steps on
FIRST_SEED, SEEDS = 1, 5
MINUTES = "about 6 minutes on two idle cores"

# What the preset does not fix, or what costs minutes and memory and changes nothing within this budget.
ATARI_SETTINGS = (
    "execution.threads=1",
    "replay.capacity=100_000",  # not full below 400k frames, so nothing differs from 1,000,000 but 0.7 GB, not 7
    "evaluation.period_iterations=0",
    "evaluation.final_episodes=4",
    "protocol.max_frames_per_evaluation_episode=9_000",  # an untrained greedy agent plays on to the cap
    "iteration_frames=20_000",  # rows of iterations.csv; the agent does not know of them
)
QUICK_CARTPOLE = ("evaluation.final_episodes=4", "evaluation.episodes=2", "iteration_frames=1_000")
QUICK_FRAMES = 2_000


def plan(folder: Path, seeds: int = SEEDS, atari_frames: int = ATARI_FRAMES, quick: bool = False) -> list[Job]:
    """The runs, the longest first.  quick: the same commands with a budget that only shows that they work."""
    atari = Job(
        label=f"{GAME.capitalize()}, dqn_dopamine, seed {FIRST_SEED}",
        preset="dqn_dopamine",
        environment=GAME,
        seed=FIRST_SEED,
        frames=QUICK_FRAMES if quick else atari_frames,
        run_dir=folder / "dqn_dopamine" / GAME / f"seed_{FIRST_SEED}",
        settings=ATARI_SETTINGS,
        checkpoint_frames=40_000,
    )
    return [atari, *(_cartpole(folder, FIRST_SEED + i, quick) for i in range(seeds))]


def _cartpole(folder: Path, seed: int, quick: bool) -> Job:
    return Job(
        label=f"{CARTPOLE}, dqn_classic, seed {seed}",
        preset="dqn_classic",
        environment=CARTPOLE,
        seed=seed,
        frames=QUICK_FRAMES if quick else CARTPOLE_FRAMES,
        run_dir=folder / "dqn_classic" / CARTPOLE / f"seed_{seed}",
        settings=QUICK_CARTPOLE if quick else (),
        checkpoint_frames=20_000,
    )


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    arguments.results = arguments.results or (arguments.runs if arguments.quick else OUTPUT / "results" / "quickstart")
    began = time.monotonic()
    try:
        planned = plan(arguments.runs, arguments.seeds, arguments.frames, arguments.quick)
        _announce(planned, arguments)
        executor = executors.make("local", Options(parallel=arguments.jobs, folder=arguments.runs))
        outcomes = executor.carry_out(planned, Board().show)
        return _finish(outcomes, arguments, time.monotonic() - began)
    except StopAll as stop:
        print("Stopped; the runs are saved and the same command continues them.", file=sys.stderr)
        return stop.exit_code
    except (ConfigError, RunError, OSError) as error:
        print(f"quickstart: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1


def _announce(planned: list[Job], arguments: argparse.Namespace) -> None:
    """What is going to happen.  Raises ConfigError if a directory holds another run, before anything is started."""
    done, seeds = sum(job.is_complete() for job in planned), len(planned) - 1
    print(
        f"{CARTPOLE} with dqn_classic: {seeds} seed{'s' if seeds > 1 else ''} of {planned[-1].frames:,} frames; "
        f"{GAME.capitalize()} with dqn_dopamine: {planned[0].frames:,} frames.\n"
        f"{done} of {len(planned)} runs are done, {arguments.jobs} at a time; {MINUTES} for all of the usual ones.\n"
        f"Runs and their logs: {arguments.runs}",
        flush=True,
    )


def _finish(outcomes: list[Outcome], arguments: argparse.Namespace, seconds: float) -> int:
    """Tell failures, write the report, print it; returns the exit code."""
    from reproduce.presenting import quickstart_report

    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"\n{outcome.job.label} failed: {outcome.message}", file=sys.stderr, flush=True)
    complete = [runs.load(o.job.run_dir) for o in outcomes if o.state == "complete"]
    report = quickstart_report.write([o.job for o in outcomes], complete, arguments.results, judged=not arguments.quick)
    print(f"\n{report.text}\nTook {clock(seconds)} minutes. Table and plots: {arguments.results}", flush=True)
    return 0 if report.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dqn-tf results quickstart", description=(__doc__ or "").split("\n")[0], allow_abbrev=False
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def option(name: str, text: str, default: Any, kind: Any, metavar: str = "N") -> None:
        parser.add_argument(name, type=kind, default=default, metavar=metavar, help=text)

    option("--runs", "where the runs live (default: runs/quickstart)", OUTPUT / "runs" / "quickstart", Path, "DIR")
    option(
        "--results", "where table and plots go (default: results/quickstart; --quick: with the runs)", None, Path, "DIR"
    )
    option("--seeds", f"seeds of CartPole, from {FIRST_SEED} on (default: {SEEDS})", SEEDS, _positive)
    option("--jobs", "runs at a time, one core each (default: 2 where there are two cores)", min(2, cores), _positive)
    option("--frames", f"budget of the Atari run (default: {ATARI_FRAMES:,})", ATARI_FRAMES, _positive)
    parser.add_argument("--quick", action="store_true", help="tiny budgets, to see in a minute that everything works")
    return parser


def _positive(text: str) -> int:
    try:
        number = int(float(text))
        if number >= 1 and number == float(text):
            return number
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
