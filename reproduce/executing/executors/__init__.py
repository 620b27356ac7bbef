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

    parallel: runs at a time, None for as many as there is room for.  retries: how often a failed run is started again.
    folder: of the sweep, for files of the executor (its own logs go below folder / ".<its name>").
    """

    parallel: int | None = None
    retries: int = RETRIES
    folder: Path = Path()


class Executor(Protocol):
    """Carries out jobs."""

    name: ClassVar[str]

    def carry_out(self, jobs: Sequence[Job], watch: Callable[[list[Outcome]], None]) -> list[Outcome]:
        """Start what is not complete, start what fails again from its checkpoint, and say what became of each job.

        One failure never stops the others.  watch: called a few times a second and after every change, with all
        outcomes in the order of ``jobs``, which is the order of the returned list too.  On SIGTERM or Ctrl-C the runs
        save and stop, and StopAll is raised when they have.
        """
        ...


# name: (module and class, what it needs, how to get it)
EXECUTORS = {
    "local": ("reproduce.executing.executors.local:Local", "", ""),
    "ray": ("reproduce.executing.executors.ray:Ray", "ray", "pip install 'dqn_tf[cluster]'"),
    "slurm": ("reproduce.executing.executors.slurm:Slurm", "submitit", "pip install 'dqn_tf[cluster]'"),
}


def make(name: str, options: Options) -> Executor:
    """The executor called ``name``.  Raises ConfigError: unknown, or what it needs is not installed."""
    if name not in EXECUTORS:
        raise unknown("executor", name, EXECUTORS)
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
