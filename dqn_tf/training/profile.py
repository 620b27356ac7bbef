"""Where the time of a run goes, call by call: a trace that Perfetto (ui.perfetto.dev) and chrome://tracing open.

``POINTS`` names functions of a run.  While a run is recorded, each of them is wrapped, on the objects of this run
alone: the wrapper notes when a call began and ended, and in which thread.  A run that is not recorded has no wrapper
and checks no flag, so it costs nothing.  A wrapper reads the clock and the number of frames and passes everything
on: no byte of a run depends on it (tests/training/test_profile.py).

Format: "Trace Event Format" (Google), the JSON object form: complete events ("ph": "X"), ``ts`` and ``dur`` in
microseconds, and metadata events ("ph": "M") that name process and threads.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dqn_tf.checks import ConfigError
from dqn_tf.training.loop import Loop
from dqn_tf.training.run_dir import write_bytes

LIMIT = 200_000  # events that are kept: the newest; some 25 MB


class Point(NamedTuple):
    """A kind of event.

    Attributes:
        name: of the event.
        phase: the column of timing.csv that its time is part of (timing.py).
        doc: what happens in it.
        places: paths of functions, from "loop" (loop.py) or "store" (checkpoint.py); those that a run does not have are
            left out.
    """

    name: str
    phase: str
    doc: str
    places: tuple[str, ...] = ()


EVALUATION, COLLECTION = "evaluation", "garbage collection"
POINTS = (
    Point("step", "other", "a step of the agent: its action, the answer, its place in the replay", ("loop._step",)),
    Point("round", "other", "a step of every environment, where there are several", ("loop._round",)),
    Point("barrier", "other", "acting waits for the updates that are due (concurrent)", ("loop._pass_barrier",)),
    Point("choose action", "act", "epsilon-greedy, or by a noisy network", ("loop.run.behavior.action",)),
    Point(
        "Q-values",
        "act",
        "the forward pass for an action",
        ("loop.run.learner.act", "loop.run.learner.act_target", "loop.updater.q_values"),
    ),
    Point(
        "environment step",
        "environment",
        "one action",
        ("loop.environment.step", "loop.environments.step", "loop.games.step"),
    ),
    Point("reset", "environment", "an episode begins", ("loop.environment.reset", "loop.games.begin_episodes")),
    Point(
        "insert",
        "replay",
        "the step's frame, action, reward and discount are stored",
        ("loop.run.replay.add", "loop._store", "loop._keep"),
    ),
    Point(
        "update",
        "update",
        "sample, call, priorities",
        ("loop.updater.update", "loop.updater._update"),
    ),
    Point("sample", "update", "the sample indices are drawn", ("loop.run.replay.sample_indices",)),
    Point("gather", "update", "the transitions of these indices are put together", ("loop.run.replay.gather",)),
    Point(
        "update call",
        "update",
        "gradients and the optimizer's step, with the Python code around their call",
        ("loop.run.learner.update", "loop.updater._scan.run"),
    ),
    Point(
        "compiled call",
        "update",
        "the compiled function alone; the first one traces and compiles",
        (
            "loop.run.learner._update",
            "loop.updater._thread.gated.run",
            "loop.updater._scan._compiled",
            "loop.updater._updates",
        ),
    ),
    Point(
        "set priorities", "update", "the update's priorities go to the sampler", ("loop.run.replay.update_priorities",)
    ),
    Point("predict", "update", "the next update's batch, before it is due", ("loop.updater._gather_next",)),
    Point("prefetch", "update", "the next update begins early (two threads)", ("loop.updater.prefetch",)),
    Point("copy to target", "other", "theta^- <- theta", ("loop.run.learner.parameters.sync_target",)),
    Point("statistics", "other", "of losses, TD errors, Q-values", ("loop.run.note_update",)),
    Point(EVALUATION, "evaluate", "an evaluation, all its episodes"),
    Point(
        "monitors",
        "other",
        "the agent's own columns of `iterations.csv`",
        ("loop.run.monitors.measure",),
    ),
    Point("digest", "other", "the hash of the whole state", ("loop.digest",)),
    Point("state", "checkpoint", "the whole state is collected", ("loop.state",)),
    Point("write checkpoint", "checkpoint", "it is written to disk", ("store.save",)),
    Point(COLLECTION, "other", "Python's, within any of the others"),
)


def check(path: Path | None, frames: tuple[int, int] | None, budget: int) -> None:
    """Check that a profile can be recorded.

    Args:
        path: the file; None: nothing is recorded.
        frames: [A, B), the window; None: the whole run.
        budget: of the run, in frames.

    Raises:
        ConfigError: nothing can be written to ``path``, or no frame of the run is in the window.
    """
    if path is None:
        if frames is not None:
            raise ConfigError("Expected a file for the profile of these frames, got none. Add --profile FILE.")
        return
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ConfigError(f"Expected a file in a folder that exists for `profile`, got {path}. Make the folder first.")
    if frames is not None and not 0 <= frames[0] < min(frames[1], budget):
        raise ConfigError(
            f"Expected A:B with 0 <= A < B and A below the budget of {budget:,} frames for `profile_frames`, got "
            f"{frames[0]}:{frames[1]}."
        )


class Profile:
    """Events of one run, the newest ``limit`` of them."""

    def __init__(self, frames: tuple[int, int] | None = None, limit: int = LIMIT) -> None:
        """
        Args:
            frames: [A, B): only what ends while the run's number of frames is in there; None: everything.
            limit: how many events are kept.
        """
        self._first, self._end = frames or (0, sys.maxsize)
        self._events: collections.deque[tuple[str, float, float, int, int]] = collections.deque(maxlen=limit)
        self._number = itertools.count()
        self._threads: dict[int, str] = {}
        self._began, self._collecting = time.perf_counter(), 0.0
        self._frames: Callable[[], int] = lambda: 0

    @contextlib.contextmanager
    def watch(self, loop: Loop, **more: object) -> Iterator[None]:
        """A context in which the calls of the loop and of other objects are recorded.

        Args:
            loop: of the run.
            **more: the other objects, by the names that ``POINTS`` has for them (store=...).

        Yields:
            None.
        """
        roots: dict[str, object] = {"loop": loop, **more}
        run = loop.run
        self._frames = lambda: run.counters.frames
        with contextlib.ExitStack() as undo:
            for point in POINTS:
                for owner, name in _found(roots, point.places):
                    self._put(undo, owner, name, self._timed(point.name, getattr(owner, name)))
            self._put(undo, run, "spend", self._spending(run.spend))
            gc.callbacks.append(self._collected)
            undo.callback(gc.callbacks.remove, self._collected)
            yield

    @staticmethod
    def _put(undo: contextlib.ExitStack, owner: object, name: str, wrapper: Callable[..., object]) -> None:
        if name in vars(owner):
            undo.callback(setattr, owner, name, vars(owner)[name])
        else:
            undo.callback(delattr, owner, name)
        setattr(owner, name, wrapper)

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        clock, note = time.perf_counter, self.note

        def timed(*arguments: object, **named: object) -> Any:
            begun = clock()
            try:
                return function(*arguments, **named)
            finally:
                note(name, begun, clock())

        return timed

    def _spending(self, spend: Callable[[str, float], float]) -> Callable[[str, float], float]:
        """``RunState.spend``, wrapped: it records evaluations."""

        def spending(phase: str, since: float) -> float:
            now = spend(phase, since)
            if phase == "evaluate":
                self.note(EVALUATION, since, now)
            return now

        return spending

    def _collected(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self.note(COLLECTION, self._collecting, time.perf_counter())

    def note(self, name: str, begun: float, ended: float) -> None:
        """Record an event of this thread.

        Args:
            name: of the event.
            begun, ended: readings of ``time.perf_counter``, in seconds.
        """
        frames = self._frames()
        if self._first <= frames < self._end:
            thread = threading.get_ident()
            if thread not in self._threads:
                self._threads[thread] = threading.current_thread().name
            next(self._number)
            self._events.append((name, begun, ended, thread, frames))

    def events(self) -> list[dict[str, Any]]:
        """The trace's events, by thread and time; a call stands before what it calls."""
        phases, process = {point.name: point.phase for point in POINTS}, os.getpid()
        tracks = {thread: number for number, thread in enumerate(self._threads)}
        names = [{"name": "process_name", "tid": 0, "args": {"name": "dqn-tf"}}]
        names += [{"name": "thread_name", "tid": tracks[t], "args": {"name": n}} for t, n in self._threads.items()]
        found: list[dict[str, Any]] = [
            {
                "name": name,
                "cat": phases[name],
                "ph": "X",
                "ts": round(1e6 * (begun - self._began), 3),
                "dur": round(1e6 * (ended - begun), 3),
                "pid": process,
                "tid": tracks[thread],
                "args": {"frames": frames},
            }
            for name, begun, ended, thread, frames in self._events
        ]
        found.sort(key=lambda event: (event["tid"], event["ts"], -event["dur"]))
        return [*({**n, "ph": "M", "pid": process} for n in names), *found]

    def write(self, path: Path, about: Mapping[str, object]) -> str:
        """Write the trace.

        Args:
            path: the file.
            about: of the run; ``otherData`` of the trace.

        Returns:
            A sentence about it.

        Raises:
            OSError: the file cannot be written.
        """
        seen = next(self._number)
        kept = len(self._events)
        other = {**about, "events_not_kept": seen - kept}
        trace = {"traceEvents": self.events(), "displayTimeUnit": "ms", "otherData": other}
        write_bytes(path, json.dumps(trace, separators=(",", ":")).encode())
        older = f", the newest of {seen:,}" if seen > kept else ""
        return f"Profile: {kept:,} events{older} in {path}; open it at ui.perfetto.dev or chrome://tracing."


@contextlib.contextmanager
def recorded(
    path: Path | None,
    frames: tuple[int, int] | None,
    loop: Loop,
    say: Callable[[str], None],
    **more: object,
) -> Iterator[None]:
    """Record a run and write its trace in the end, however it ends.

    A trace that cannot be written is reported, and raises nothing: the run matters more.

    Args:
        path: the file; None: nothing is recorded.
        frames: [A, B), the window; None: the whole run.
        loop: of the run.
        say: called with a sentence about the trace.
        **more: as for ``Profile.watch``.

    Yields:
        None.
    """
    if path is None:
        yield
        return
    profile, config = Profile(frames), loop.run.config
    about = {
        "preset": config.preset,
        "environment": config.environment,
        "seed": config.seed,
        "config_hash": config.hash,
    }
    try:
        with profile.watch(loop, **more):
            yield
    finally:
        try:
            say(profile.write(path, about))
        except OSError as error:
            say(f"The profile could not be written: {error}")


def _found(roots: Mapping[str, object], places: Iterable[str]) -> Iterator[tuple[object, str]]:
    """The objects that have these functions, and the functions' names."""
    for place in places:
        first, *path, name = place.split(".")
        owner = roots.get(first)
        for part in path:
            owner = getattr(owner, part, None)
        if owner is not None and hasattr(owner, name):
            yield owner, name
