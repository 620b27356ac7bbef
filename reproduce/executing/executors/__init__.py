"""Where runs are carried out.  An executor is loaded when it is chosen, so that none needs another's packages.

Every executor ends in ``jobs.start`` or ``jobs.run_one``: the same command in the same run directory.  So the bytes do
not depend on the executor, and a sweep may continue with another one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from dqn_tf.checks import ConfigError, unknown
from reproduce.executing.jobs import RETRIES, Outcome
from reproduce.planning.job import Job


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every executor understands.

    parallel: processes at a time, None for as many as there is room for.  seeds_together: runs that differ in the seed
    only in one process, at most (only the executor ``local``).  retries: how often a failed run is started again.
    folder: of the sweep, for files of the executor (its own logs go below folder / ".<its name>").
    """

    parallel: int | None = None
    retries: int = RETRIES
    seeds_together: int = 1
    folder: Path = Path()


class Executor(Protocol):
    """Carries out jobs."""

    name: ClassVar[str]

    def carry_out(self, jobs: Sequence[Job], watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """Start each job that is not complete, start again what fails, from its checkpoint, and report on every job.

        One failure never stops the others.

        Args:
            jobs: what to run, the most urgent first.
            watch: called a few times a second and after every change with all outcomes, in the order of ``jobs``.

        Returns:
            The outcomes, in the order of ``jobs``.

        Raises:
            StopAll: on SIGTERM or Ctrl-C, after the runs have saved and stopped.
        """
        ...


# name: (module and class, what it needs, how to get it)
EXECUTORS = {
    "local": ("reproduce.executing.executors.local:Local", "", ""),
    "ray": ("reproduce.executing.executors.ray:Ray", "ray", "pip install 'dqn_tf[cluster]'"),
    "slurm": ("reproduce.executing.executors.slurm:Slurm", "submitit", "pip install 'dqn_tf[cluster]'"),
}


def make(name: str, options: Options) -> Executor:
    """The executor called ``name``.

    Args:
        name: a key of ``EXECUTORS``.
        options: given to it.

    Returns:
        A new one; nothing is started.

    Raises:
        ConfigError: an unknown name, or the package that it needs is not installed.
    """
    if name not in EXECUTORS:
        raise unknown("executor", name, EXECUTORS)
    if options.seeds_together > 1 and name != "local":
        raise ConfigError(
            f"Expected --executor local for --seeds-together {options.seeds_together}, got {name!r}, which starts "
            "every run by itself. Leave one of the two out."
        )
    place, needs, how = EXECUTORS[name]
    module, _, cls = place.partition(":")
    try:
        if needs:
            importlib.import_module(needs)
        executor: Executor = getattr(importlib.import_module(module), cls)(options)
    except ModuleNotFoundError as error:
        if not needs or error.name is None or error.name.partition(".")[0] != needs:
            raise
        raise ConfigError(
            f"Expected the package {needs} for --executor {name}, found none. Install it: {how}"
        ) from error
    return executor
