"""How a run is carried out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from dqn_tf.checks import expect


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is carried out; nothing here changes a byte of its results.

    A checkpoint is written when so many frames or so many minutes by the clock have passed since the last one.
    command: the command line that started the run, for those who are to continue it.
    resume: "inexact" continues also where an environment of the user's own cannot be restored exactly: its next episode
    begins instead, and manifest.json says where.  try_environment: whether such environments are tried before training.
    extend: the directory of a run with fewer frames and else the same configuration, with which this one begins.
    profile: a file to which the session writes a trace of where its time went (profile.py).  profile_frames: [A, B),
    what is recorded of it.
    """

    checkpoint_frames: int = 200_000
    checkpoint_minutes: float = 10.0
    command: str = ""
    extend: Path | None = None
    tensorboard: bool = False
    profile: Path | None = None
    profile_frames: tuple[int, int] | None = None
    progress: bool = True
    outside_scope: bool = False
    resume: Literal["exact", "inexact"] = "exact"
    try_environment: bool = True

    def __post_init__(self) -> None:
        expect(self.resume in ("exact", "inexact"), "exact or inexact", "resume", self.resume)
