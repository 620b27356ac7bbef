"""One planned training run: the arguments of ``dqn-tf train``, its directory, and its progress."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dqn_tf import memory
from dqn_tf.api import make_config
from dqn_tf.checks import ConfigError, RunError
from dqn_tf.config import RunConfig
from dqn_tf.training.run_dir import read_json

WARM_UP_COST = 0.2  # of a frame before learning starts, in frames after; only for the time left


@dataclass(frozen=True, kw_only=True)
class Job:
    """One planned run: the arguments of ``dqn-tf train`` and its directory.

    python_path: a folder in which its process finds the module of its environment; "": it needs none.
    """

    label: str
    preset: str
    environment: str
    seed: int
    frames: int
    run_dir: Path
    protocol: str | None = None
    settings: tuple[str, ...] = ()
    checkpoint_frames: int = 200_000
    python_path: str = ""

    @cached_property
    def config(self) -> RunConfig:
        return make_config(
            self.preset,
            self.environment,
            seed=self.seed,
            frames=self.frames,
            protocol=self.protocol,
            settings=self.settings,
        )

    @property
    def arguments(self) -> list[str]:
        """The words of its command after ``dqn-tf``."""
        given = ["train", self.preset, self.environment, "--seed", str(self.seed), "--frames", str(self.frames)]
        given += ["--run-dir", str(self.run_dir), "--checkpoint-frames", str(self.checkpoint_frames)]
        given += ["--protocol", self.protocol] if self.protocol else []
        return [*given, *(word for setting in self.settings for word in ("--set", setting))]

    @property
    def log(self) -> Path:
        return log_of(self.run_dir)

    @cached_property
    def memory_bytes(self) -> int:
        """Memory of the run when its replay is full."""
        return memory.replay_bytes(self.config) + memory.HEADROOM

    @property
    def threads(self) -> int:
        """Cores that the run keeps busy."""
        return self.config.agent.execution.cores

    def is_complete(self) -> bool:
        """Whether this very run is done.

        Returns:
            False also where the run has not begun.

        Raises:
            ConfigError: its directory holds a run of other settings.
            RunError: what the directory holds is damaged.
        """
        try:
            found = read_json(self.run_dir / "config.json")
        except RunError:
            return False
        if found != self.config.to_json():
            raise ConfigError(
                f"{self.run_dir} holds a run of other settings (made by an older version?). "
                "Remove it, or name another folder with --runs."
            )
        summary = self.run_dir / "summary.json"
        if not summary.exists():
            return False
        read_json(summary)
        return True

    def owner(self) -> str | None:
        """The process that holds the run's lock; None if it is free."""
        return owner(self.run_dir)

    def frames_done(self) -> int:
        """Frames trained so far; reads a few hundred bytes."""
        return frames_done(self.run_dir)

    def work(self, frames: int) -> float:
        """Cost of the first ``frames`` frames, in frames with learning."""
        warm_up = min(frames, self.config.agent.min_replay_steps * self.config.frame_skip)
        return frames - (1.0 - WARM_UP_COST) * warm_up


def log_of(run_dir: Path) -> Path:
    """The log of a run: the output of all its attempts."""
    return run_dir.with_name(f"{run_dir.name}.log")


def owner(run_dir: Path) -> str | None:
    """The process that holds the lock of a run directory; None if it is free."""
    try:
        with open(run_dir / ".lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return lock.read().strip() or "another process"
    except OSError:
        pass
    return None


def frames_done(run_dir: Path) -> int:
    """Frames trained so far, by the last row of episodes.csv."""
    try:
        with open(run_dir / "episodes.csv", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 400))
            lines = file.read().split(b"\n")
        return int(lines[-2].split(b",")[0])
    except (OSError, ValueError, IndexError):
        return 0
