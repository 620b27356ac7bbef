"""What an agent sees, appended to two files while it plays.  Nothing that was written is changed, so that a recording
can be cut back to any step and continued, as its run is.

    frames.bin    each frame, one after the other
    rows.bin      of each frame how it was reached: the action before it, the reward, how the episode stood, the step
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from dqn_tf.checks import RunError
from dqn_tf.offline.rows import GOES_ON, NO_ACTION, TERMINATED, TRUNCATED, Rows
from dqn_tf.types import ObservationSpec, StepType, TimeStep

ROW = np.dtype([("step", "<i8"), ("action", "<i4"), ("end", "u1"), ("first", "u1"), ("reward", "<f8")])


class Log:
    """A recording that is being made."""

    def __init__(self, folder: Path, spec: ObservationSpec, step: int = 0) -> None:
        """Begin, or continue after an agent step.

        Args:
            folder: of the two files.
            spec: of the observations.
            step: agent steps made so far; what was recorded of later ones is cut off.

        Raises:
            RunError: the recording does not reach that step.
        """
        folder.mkdir(parents=True, exist_ok=True)
        shape, dtype = spec.frame_shape, np.dtype(spec.dtype)
        self._dtype, self._bytes = dtype, int(np.prod(shape)) * dtype.itemsize
        self._frames, self._rows = (
            io.BufferedWriter(io.FileIO(folder / name, "ab")) for name in ("frames.bin", "rows.bin")
        )
        self._step = step
        try:
            self._cut(folder, step)
        except BaseException:
            self.close()
            raise

    def _cut(self, folder: Path, step: int) -> None:
        whole = min(os.path.getsize(folder / "rows.bin") // ROW.itemsize, self._whole_frames(folder))
        steps = np.fromfile(folder / "rows.bin", ROW, count=whole)["step"]
        keep = int(np.searchsorted(steps, step, side="right"))
        if step and (not keep or int(steps[keep - 1]) != step):
            reached = int(steps[keep - 1]) if keep else 0
            raise RunError(
                f"Expected a recording of all {step:,} steps of the run in {folder}, got one of {reached:,}. "
                "A recording begins with its run: train anew with --record, or continue without it."
            )
        self._rows.truncate(keep * ROW.itemsize)
        self._frames.truncate(keep * self._bytes)

    def _whole_frames(self, folder: Path) -> int:
        return os.path.getsize(folder / "frames.bin") // self._bytes

    def begin(self, timestep: TimeStep) -> None:
        """An episode of the agent has begun."""
        self._put(timestep.frame, NO_ACTION, 0.0, GOES_ON, first=True, step=self._step + 1)

    def add(self, action: int, timestep: TimeStep) -> None:
        """A step; the reward as it is, not clipped.

        Args:
            action: the action.
            timestep: the environment's answer.
        """
        self._step += 1
        last = timestep.step_type == StepType.LAST
        end = GOES_ON if not last else TERMINATED if timestep.discount == 0 else TRUNCATED
        self._put(timestep.frame, action, timestep.reward, end, first=False, step=self._step)

    def _put(self, frame: np.ndarray, action: int, reward: float, end: int, first: bool, step: int) -> None:
        self._frames.write(np.ascontiguousarray(frame, self._dtype).tobytes())
        self._rows.write(np.array([(step, action, end, first, reward)], ROW).tobytes())

    def flush(self) -> None:
        """Bring everything to the disk."""
        for file in (self._frames, self._rows):
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Close the files."""
        self._frames.close()
        self._rows.close()


def read(folder: Path, spec: ObservationSpec) -> Rows:
    """A recording as rows; an episode that is not over is cut off at its newest frame.

    Args:
        folder: of the two files.
        spec: of the observations.

    Returns:
        All rows; the frames lie in the file, mapped into memory: to be read in blocks.
    """
    reached = np.fromfile(folder / "rows.bin", ROW)
    if len(reached) and reached["first"][-1]:  # an episode of one frame has no transition
        reached = reached[:-1]
    first = reached["first"].astype(bool)
    mapped = np.zeros((0, *spec.frame_shape), spec.dtype)
    if len(reached):
        shape = (len(reached), *spec.frame_shape)
        mapped = np.memmap(folder / "frames.bin", spec.dtype, "r", shape=shape)
    last = np.append(first[1:], True)[: len(first)]
    actions = np.append(reached["action"][1:], NO_ACTION)[: len(first)].astype(np.int64)
    rewards = np.append(reached["reward"][1:], 0.0)[: len(first)]
    ends = np.append(reached["end"][1:], GOES_ON)[: len(first)].astype(np.uint8)
    actions[last], rewards[last], ends[last] = NO_ACTION, 0.0, GOES_ON
    before = np.flatnonzero(last) - 1
    ends[before] = np.where(ends[before] == GOES_ON, TRUNCATED, ends[before])
    return Rows(mapped, first, actions, rewards, ends)
