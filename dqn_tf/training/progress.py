"""Progress of a run: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from tqdm import tqdm

from dqn_tf.config import RunConfig

PLAIN_SECONDS = 60.0


class Progress:
    """Shows progress in frames, and messages.  On a terminal a bar; elsewhere a line per minute.

    If the terminal is closed or the reader of the output ends, nothing more is written; the run goes on.
    """

    def __init__(
        self, total: int, start: int, label: str, enabled: bool = True, stream: TextIO | None = None, bar: bool = True
    ) -> None:
        """
        Args:
            total: the budget, in frames.
            start: frames made before this session.
            label: what each line begins with.
            enabled: whether progress and messages are shown; warnings always are.
            stream: where to; None: sys.stderr.
            bar: whether there is a bar on a terminal; False: messages only.
        """
        self.stream = stream or sys.stderr
        self.total, self.label, self.enabled = total, label, enabled
        self._bar: Any = None
        self._gone = False
        if enabled and bar and self.stream.isatty():
            self._bar = tqdm(
                total=total,
                initial=start,
                unit="frame",
                unit_scale=True,
                desc=label,
                file=self.stream,
                mininterval=0.5,
                dynamic_ncols=True,
            )
        self._frames = self._start = start
        self._began = self._said = time.monotonic()

    def advance(self, frames: int) -> None:
        """Show that ``frames`` frames have been made in all."""
        if self._bar is not None:
            with self._perhaps_gone():
                self._bar.update(frames - self._frames)
        self._frames = frames
        now = time.monotonic()
        if self.enabled and self._bar is None and now - self._said >= PLAIN_SECONDS:
            self._said = now
            rate = (frames - self._start) / max(1e-9, now - self._began)
            left = (self.total - frames) / max(1e-9, rate)
            self._print(
                f"{frames:,} of {self.total:,} frames ({100 * frames / self.total:.1f} %), {rate:,.0f} frames/s, "
                f"{_clock(left)} left"
            )

    def say(self, text: str, always: bool = False) -> None:
        """Write a line above the bar.

        Args:
            text: the line.
            always: also where progress is switched off, for warnings.
        """
        if not (self.enabled or always):
            return
        if self._bar is not None:
            with self._perhaps_gone():
                self._bar.write(text, file=self.stream)
        else:
            self._print(text)

    def _print(self, text: str) -> None:
        if not self._gone:
            with self._perhaps_gone():
                print(f"{self.label}: {text}", file=self.stream, flush=True)

    @contextlib.contextmanager
    def _perhaps_gone(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # ValueError: a stream that was closed in this process
            if self._bar is not None:
                self._bar.disable = True  # or it would write once more when it is collected
            self._gone, self._bar = True, None

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            with self._perhaps_gone():
                self._bar.close()


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def iteration_line(row: Mapping[str, Any], frames_per_s: float) -> str:
    """An iteration in a line.

    Args:
        row: of iterations.csv.
        frames_per_s: speed of its training.

    Returns:
        The line.
    """
    returns = "no episode ended" if not row["train_episodes"] else f"mean return {row['train_return_mean']:.2f}"
    evaluated = f", evaluation {row['eval_return_mean']:.2f}" if row["eval_episodes"] else ""
    return (
        f"Iteration {row['iteration']}: {row['frames']:,} frames, {row['train_episodes']} episodes, {returns}"
        f"{evaluated}, epsilon {row['epsilon']:.3f}, {frames_per_s:,.0f} frames/s"
    )


def nothing_learned(config: RunConfig) -> str:
    """A warning about a budget without an update."""
    return (
        f"Nothing will be learned: the budget of {config.steps:,} steps is over before the first update, which is due "
        f"after {config.agent.min_replay_steps:,} (`min_replay_steps`). The score will be that of an untrained network."
    )
