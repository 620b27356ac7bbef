"""How a run is carried out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from dqn_tf.checks import expect


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is carried out; nothing here changes a byte of its results.

    Attributes:
        checkpoint_frames: frames after which a checkpoint is written.
        checkpoint_minutes: minutes by the clock after which one is written, if that is sooner.
        command: the command line that started the run, shown to those who are to continue it.
        extend: directory of a run with fewer frames and otherwise the same configuration, with which this one begins.
        tensorboard: whether event files are written, too.
        profile: a file to which the session writes a trace of where its time went (profile.py).
        profile_frames: [A, B), the frames of the run that the trace has; None: all.
        progress: whether progress is shown.
        outside_scope: whether the run may be resumed with other versions or hardware, and other bytes.
        resume: "exact", or "inexact": an environment that cannot be restored exactly begins its next episode, and
            manifest.json says where.
        try_environment: whether environments of the user's own are tried before training.
        offline: where the recorded data lie that a run with ``data=recorded`` learns from, in their order.
        offline_memory: bytes of memory for the frames of these data; larger ones are read from the disk.
        record: a new directory for a data set of what the agent sees while it is trained; None: it is not recorded.
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
    offline: tuple[Path, ...] = ()
    offline_memory: int = 2**30
    record: Path | None = None

    def __post_init__(self) -> None:
        expect(self.resume in ("exact", "inexact"), "exact or inexact", "resume", self.resume)
        expect(self.offline_memory >= 0, "at least 0 bytes", "offline_memory", self.offline_memory)
