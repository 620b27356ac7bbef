"""A sweep: the runs of one protocol in one folder, carried out until all are complete.

    DIR/<protocol>/sweep.json     what the runs are (so that another version is refused), and who worked on them
    DIR/<protocol>/protocol.toml  the protocol, as it was
    DIR/<protocol>/plan.csv       every run asked for so far, one a line
    DIR/<protocol>/manifest.csv   every complete run: configuration, code, final state, and its files' hashes
    DIR/<protocol>/<agent>/<environment>/seed_<k>/   the run directories, logs beside them

The folder may be shared: shards on several machines write the same lists under a lock, and only one process at a time
works in a run directory.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import hashlib
import importlib
import io
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dqn_tf import determinism, fields
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.training.run_dir import read_json, write_bytes, write_json
from reproduce import formatting
from reproduce.executing import executors, sweep_progress
from reproduce.executing.executors import Options
from reproduce.executing.jobs import STATES, Outcome, StopAll
from reproduce.places import PROTOCOLS
from reproduce.planning import cost, plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Plan, Selection

SCHEMA = 1
REPORTS = {"quickstart": "reproduce.presenting.quickstart_report"}  # by protocol; matplotlib takes a second
PLAN_COLUMNS = ("agent", "environment", "seed", "frames")
HASHED = ("config.json", "episodes.csv", "iterations.csv", "summary.json")
MANIFEST_COLUMNS = (*PLAN_COLUMNS[:3], "config_hash", "code_sha256", "state_digest", *(f"sha256 {n}" for n in HASHED))


def reproduce(arguments: argparse.Namespace) -> int:
    """Carry out ``dqn-tf reproduce``.

    Args:
        arguments: as options.py describes them.

    Returns:
        Exit code: 0 if every run asked for is complete, 1 if not, 128 + signal if stopped.

    Raises:
        ConfigError: a request that makes no sense, before anything is started.
        RunError: a list of the sweep is damaged.
    """
    protocol = reading.load(arguments.protocol)
    protocol = protocol.smoke_version() if arguments.smoke else protocol
    protocol = protocol.with_frames(arguments.frames) if arguments.frames else protocol
    selection = Selection(
        agents=arguments.agents,
        environments=arguments.games,
        seeds=arguments.seeds,
        shard=plan.parse_shard(arguments.shard) if arguments.shard else None,
    )
    folder = arguments.runs.absolute()  # an executor may start runs elsewhere
    planned = plan.make(protocol, folder, selection)
    home = folder / protocol.id
    options = Options(
        parallel=arguments.jobs, retries=arguments.retries, folder=home, seeds_together=arguments.seeds_together
    )
    if arguments.dry_run:
        check(home, planned)
        print(cost.describe(planned, folder, arguments.jobs, arguments.frames_per_second))
        return 0
    if not planned.total:
        raise ConfigError(f"Expected runs, got none. {cost.waiting(planned)}.")
    executor = executors.make(arguments.executor, options)
    begin(home, planned)
    print(f"{protocol.title}: {formatting.runs(len(planned.jobs), planned.total)} in {home}", flush=True)
    if planned.awaiting:
        print(cost.waiting(planned), flush=True)
    try:
        outcomes = executor.carry_out(planned.jobs, sweep_progress.Board().show)
    except StopAll as stop:
        record(home, planned.jobs)
        print("Stopped; the runs are saved and the same command continues them.", file=sys.stderr, flush=True)
        return stop.exit_code
    record(home, planned.jobs)
    return max(tell(outcomes), _report(planned, home))


def _report(planned: Plan, home: Path) -> int:
    """Write the report of a protocol that has one of its own; returns the exit code."""
    module = REPORTS.get(planned.protocol.path.stem)
    if module is None or planned.protocol.path.parent != PROTOCOLS:
        return 0
    code: int = importlib.import_module(module).after_sweep(planned.jobs, home)
    return code


def tell(outcomes: Sequence[Outcome]) -> int:
    """Print the failures and the counts; returns the exit code."""
    for outcome in outcomes:
        if outcome.state in ("failed", "elsewhere"):
            tried = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
            name = "in use elsewhere" if outcome.state == "elsewhere" else f"failed{tried}"
            print(f"\n{outcome.job.label} {name}: {outcome.message}", file=sys.stderr, flush=True)
    counts = Counter(o.state for o in outcomes)
    before = sum(o.already for o in outcomes)
    states = ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])
    print(
        f"\n{formatting.runs(len(outcomes))}: {states}{f' ({before:,} of them before)' if before else ''}.", flush=True
    )
    if counts["complete"] == len(outcomes):
        return 0
    print("The same command does what is missing, from the last checkpoints.", file=sys.stderr, flush=True)
    return 1


# -- the folder --------------------------------------------------------------------------------------------------------
def check(home: Path, planned: Plan) -> None:
    """Refuse a folder that holds runs of another protocol, or of another version of it or of dqn_tf.

    Args:
        home: the sweep's folder; it need not exist.
        planned: the runs asked for now.

    Raises:
        ConfigError: it holds runs of something else; the message has the differences.
        RunError: sweep.json is damaged.
    """
    if not (home / "sweep.json").exists():
        return
    found = read_json(home / "sweep.json")
    identity = planned.protocol.identity()
    try:
        differing = fields.differences(found["identity"], identity)
        version = found["version"]
    except (KeyError, TypeError) as error:
        raise RunError(
            f"Expected the record of a sweep in {home / 'sweep.json'}, got something else: {error!r}."
        ) from error
    if differing:
        lines = "\n".join(f"  {name}: {old!r} there, {new!r} asked for" for name, old, new in differing[:10])
        raise ConfigError(
            f"{home} holds runs of another version of the protocol {planned.protocol.id}:\n{lines}\n"
            "Name another folder with --runs, or ask for what was asked there."
        )
    if version != determinism.package_version():
        raise ConfigError(
            f"{home} holds runs of dqn_tf {version}; this is {determinism.package_version()}, whose runs may have "
            "other bytes. Name another folder with --runs, or continue with that version."
        )


def begin(home: Path, planned: Plan) -> None:
    """Make the sweep's folder, or add to it: which runs are asked for, and who works on them.

    Args:
        home: the folder.
        planned: the runs asked for; they are added to plan.csv.

    Raises:
        ConfigError: as ``check``.
        RunError: as ``check``, or plan.csv is damaged.
        OSError: the folder cannot be written.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _lock(home):
        check(home, planned)
        path = home / "sweep.json"
        known = read_json(path) if path.exists() else {"sessions": []}
        write_json(
            path,
            {
                "schema": SCHEMA,
                "protocol": planned.protocol.id,
                "protocol_hash": fields.digest(planned.protocol.identity()),
                "version": determinism.package_version(),
                "identity": planned.protocol.identity(),
                "sessions": [*known["sessions"], _session()],
            },
        )
        _write(home / "protocol.toml", planned.protocol.path.read_bytes())
        _merge(home / "plan.csv", PLAN_COLUMNS, [(*_key(job), str(job.frames)) for job in planned.jobs])


def _session() -> dict[str, Any]:
    """Who works on the sweep from now on."""
    return {
        "command": sys.argv,
        "code_sha256": determinism.code_digest(),
        "host": socket.gethostname(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def record(home: Path, jobs: Iterable[Job]) -> None:
    """Add the runs that are complete by now to manifest.csv.

    Args:
        home: the sweep's folder.
        jobs: the runs to look at.

    Raises:
        RunError: manifest.csv, or a file of a run, is damaged.
    """
    path = home / "manifest.csv"
    known = {tuple(row[:3]) for row in _rows(path, MANIFEST_COLUMNS)}
    new = [_evidence(job) for job in jobs if _key(job) not in known and (job.run_dir / "summary.json").exists()]
    if new:
        with _lock(home):
            _merge(path, MANIFEST_COLUMNS, new)


def _evidence(job: Job) -> tuple[str, ...]:
    summary, manifest = read_json(job.run_dir / "summary.json"), read_json(job.run_dir / "manifest.json")
    hashes = [hashlib.sha256((job.run_dir / name).read_bytes()).hexdigest() for name in HASHED]
    try:
        identity = summary["config_hash"], manifest["sessions"][-1]["code_sha256"], summary["state_digest"]
    except (KeyError, IndexError, TypeError) as error:
        raise RunError(
            f"Expected summary.json and manifest.json as training writes them in {job.run_dir}: {error!r}. A summary "
            "that is removed is written again, from the last checkpoint."
        ) from error
    return (*_key(job), *map(str, identity), *hashes)


def _key(job: Job) -> tuple[str, str, str]:
    """Agent, environment and seed, as the run directory spells them."""
    agent, environment, _ = job.run_dir.parts[-3:]
    return agent, environment, str(job.seed)


def planned_runs(home: Path) -> list[tuple[str, str, int, int]]:
    """Every run asked for so far.

    Args:
        home: the sweep's folder.

    Returns:
        Agent, environment (both as the folders are called), seed, frames of each; none if there is no plan.csv.

    Raises:
        RunError: plan.csv is damaged.
    """
    rows = _rows(home / "plan.csv", PLAN_COLUMNS)
    try:
        return [(agent, environment, int(seed), int(frames)) for agent, environment, seed, frames in rows]
    except ValueError as error:
        raise RunError(f"Expected whole numbers in {home / 'plan.csv'}: {error}.") from error


def _rows(path: Path, columns: Sequence[str]) -> list[list[str]]:
    """The rows of one of the lists; none if there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if header != list(columns) or any(len(row) != len(columns) for row in rows):
        raise RunError(
            f"Expected the columns {', '.join(columns)} in {path}. The file is damaged: remove it, and the same "
            "command writes it again."
        )
    return rows


def _merge(path: Path, columns: Sequence[str], new: Iterable[Sequence[str]]) -> None:
    """Add rows whose first three cells are new."""
    rows = {tuple(row[:3]): tuple(row) for row in [*_rows(path, columns)]}
    before = len(rows)
    for row in new:
        rows.setdefault(tuple(row[:3]), tuple(row))
    if len(rows) > before or not path.exists():
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([columns, *rows.values()])
        _write(path, out.getvalue().encode())


def _write(path: Path, data: bytes) -> None:
    """Durably and atomically, and only if the content differs."""
    if path.exists() and path.read_bytes() == data:
        return
    write_bytes(path, data)


@contextmanager
def _lock(home: Path) -> Iterator[None]:
    """Exclusive access to the folder's lists, for a moment."""
    with open(home / ".lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
