"""Collects the steps of one of several environments, and stores them in the replay block by block.

The ring rebuilds stacks and n-step transitions from rows that follow one another, so each environment's steps are
collected here and stored together, as a *block*.  Where a block begins in mid-episode, the frames that its first stacks
need, and the steps whose n-step returns are still open, are stored once more before it: stack - 1 + n rows at most.
Such rows start no transition; every transition is stored once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dqn_tf.replay.replay import Replay
from dqn_tf.types import ObservationSpec, StepType, TimeStep


class Feed:
    """The steps of one environment since its last block, and the steps of that block that the next block repeats."""

    def __init__(self, spec: ObservationSpec) -> None:
        self._before = (spec.stack or 1) - 1  # frames that a stack needs beside its newest
        self._spec = spec
        self._steps: list[tuple[int, float, TimeStep]] = []  # action (-1: none), the learner's reward, the answer
        self._context = 0  # how many of them were in the last block too
        self._open = 0  # of those, steps whose returns were open at the end of it: stored as steps again

    def __len__(self) -> int:
        """Steps since the last block."""
        return len(self._steps) - self._context

    def add_first(self, timestep: TimeStep) -> None:
        """The first observation of an episode of the agent."""
        self._keep(-1, 0.0, timestep)

    def add(self, action: int, reward: float, timestep: TimeStep) -> None:
        """Keep a step.

        Args:
            action: the action.
            reward: the learner's (clipped) reward.
            timestep: the environment's answer.
        """
        self._keep(action, reward, timestep)

    def cut(self) -> None:
        """The episode under way was cut off at its newest answer."""
        if self._steps:
            action, reward, timestep = self._steps[-1]
            self._steps[-1] = (action, reward, timestep._replace(step_type=StepType.LAST))

    def _keep(self, action: int, reward: float, timestep: TimeStep) -> None:
        frame = np.array(timestep.frame)  # the answer may be a view of memory that will be written again
        mask = None if timestep.mask is None else np.array(timestep.mask)
        self._steps.append((action, reward, _bare(frame, timestep.discount, timestep.step_type, mask)))

    def flush(self, replay: Replay) -> None:
        """Store a block: the repeated rows, and all steps since the last block."""
        steps, row_only = self._steps, self._rows_only
        for place, (action, reward, timestep) in enumerate(steps):
            if place < row_only:
                replay.add_context(timestep, first=place == 0)
            elif action < 0:
                replay.add_first(timestep)
            else:
                replay.add(action, reward, timestep)
        still_open = replay.end_block()
        over = not steps or steps[-1][2].step_type == StepType.LAST
        episode = next((k for k, (action, _, _) in enumerate(reversed(steps), 1) if action < 0), len(steps))
        keep = 0 if over else min(self._before + 1 + still_open, episode)
        self._steps = steps[len(steps) - keep :]
        self._context, self._open = keep, still_open if keep else 0

    @property
    def _rows_only(self) -> int:
        return self._context - self._open

    def state(self) -> dict[str, Any]:
        """Frames [k, *frame], and k lists of numbers; masks [k, A] where there are such."""
        frames = [timestep.frame for _, _, timestep in self._steps]
        numbers = [[a, r, t.discount, int(t.step_type)] for a, r, t in self._steps]
        shape = (len(frames), *self._spec.frame_shape)
        masks = [timestep.mask for _, _, timestep in self._steps]
        size = self._spec.mask_size
        return {
            **({"masks": np.array(masks, bool).reshape(len(masks), size)} if size else {}),
            "frames": np.array(frames, self._spec.dtype).reshape(shape),
            "numbers": numbers,
            "context": self._context,
            "open": self._open,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``.

        Raises:
            ValueError: frames and numbers do not fit.
        """
        frames, numbers = np.asarray(state["frames"]), state["numbers"]
        if frames.shape != (len(numbers), *self._spec.frame_shape) or frames.dtype != np.dtype(self._spec.dtype):
            raise ValueError(f"Expected {len(numbers)} frames of {self._spec.frame_shape}, got {frames.shape}.")
        masks = np.array(state["masks"], bool) if self._spec.mask_size else [None] * len(numbers)
        self._steps = [
            (int(a), float(r), _bare(frame, float(d), StepType(int(s)), mask))
            for frame, mask, (a, r, d, s) in zip(frames, masks, numbers, strict=True)
        ]
        self._context, self._open = int(state["context"]), int(state["open"])


def _bare(frame: np.ndarray, discount: float, step_type: StepType, mask: np.ndarray | None) -> TimeStep:
    """The parts of a time step that the replay stores."""
    return TimeStep(
        observation=frame,
        frame=frame,
        reward=0.0,
        discount=discount,
        step_type=step_type,
        episode_over=False,
        truncated=False,
        lives=0,
        frames=0,
        mask=mask,
    )
