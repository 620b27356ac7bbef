"""K seeds of one configuration in one process: a session for each, and steps that are made for all of them together.

Every run keeps its directory, tables, checkpoints, digests and errors: a session works as it does alone (run.py), but
where its loop would make a step it awaits one (``Awaiting``).  When all of them await one, steps are made for those
that are furthest behind: in array form (in_step.py) where the agent allows it, one run after the other where not.  So
runs that were stopped at different frames catch up first, and a run that fails or ends leaves the others as they are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dqn_tf import fields
from dqn_tf.checks import ConfigError, RunError, expect
from dqn_tf.config import RunConfig
from dqn_tf.execution.fused import FusedLearner
from dqn_tf.modes import Fused
from dqn_tf.training import exactness, extension, in_step, iterations
from dqn_tf.training.callbacks import Callbacks
from dqn_tf.training.in_step import Happened, InStep
from dqn_tf.training.interleaved_loop import InterleavedLoop
from dqn_tf.training.options import Options
from dqn_tf.training.records import Awaiting, EpisodeRecord, IterationRecord
from dqn_tf.training.request import check_request
from dqn_tf.training.run import _Session
from dqn_tf.training.run_dir import RunDir, read_summary
from dqn_tf.training.stop import Interrupted, StopRequests

AT_ONCE = 64  # steps after which a session checks again whether it is to stop or to save


class Member(InterleavedLoop):
    """A loop whose steps are made from outside; ``happened`` is then what the step ended, or what it raised."""

    happened: EpisodeRecord | Exception | None = None

    def records(self, each_step: Callable[[], None]) -> Iterator[EpisodeRecord | IterationRecord | Awaiting | None]:
        """See ``Loop.records``; ``Awaiting`` wherever a step is due."""
        while True:
            if iterations.is_over(self.run):
                yield iterations.close(self.run, each_step, self.digest)
            if self.run.counters.steps >= self.run.config.steps:
                return
            each_step()
            yield Awaiting()
            happened, self.happened = self.happened, None
            if isinstance(happened, Exception):
                raise happened
            yield happened

    def make_step(self) -> EpisodeRecord | None:
        """Make one step here, as a loop that trains alone does."""
        return next(self.steps())

    def next_end(self, now: int) -> int:
        """The first step after ``now`` at which an iteration or the budget ends, so that the session has work to do."""
        config = self.run.config
        ends = (self.run.counters.iterations + 1) * config.iteration_steps, extension.last_step(config)
        return min([config.steps, *(end for end in ends if end > now)])


class InTurn:
    """As ``InStep``, for any agent: one run makes its step after the other."""

    def __init__(self, loops: Sequence[Member]) -> None:
        """loops: K, after the same number of steps."""
        self._loops = loops
        self.steps = loops[0].run.counters.steps
        for loop in loops[1:]:
            if isinstance(loop.run.learner, FusedLearner) and isinstance(loops[0].run.learner, FusedLearner):
                loop.run.learner.share(loops[0].run.learner)

    def adopt(self, k: int) -> None:
        """See ``InStep.adopt``: there are no copies."""

    def settle_all(self) -> None:
        """See ``InStep.settle_all``: there are no copies."""

    def advance(self, most: int) -> Happened:
        """See ``InStep.advance``."""
        happened, end = Happened({}, {}), self.steps + most
        while self.steps < end and not happened.records and not happened.errors:
            for k, loop in enumerate(self._loops):
                try:
                    if (record := loop.make_step()) is not None:
                        happened.records[k] = record
                except Exception as error:
                    happened.errors[k] = error
            self.steps += 1
        return happened


def check(configs: Sequence[RunConfig], run_dirs: Sequence[Path], options: Options) -> None:
    """Check that these runs can be carried out together.

    Args:
        configs: of the runs.
        run_dirs: where each of them lives.
        options: for all of them.

    Raises:
        ConfigError: there are none; they differ in more than the seed; two have the same seed or directory; their mode
            of execution is another than ``fused``; or the options are for one run.
    """
    expect(len(configs) > 0, "at least one run", "configs", len(configs))
    expect(len(configs) == len(run_dirs), f"{len(configs)} directories", "run_dirs", len(run_dirs), "One for each run.")
    first = configs[0].to_json()
    for config in configs[1:]:
        for name, one, other in fields.differences(first, config.to_json()):
            expect(name == "seed", f"runs that differ in their seeds only, {one!r}", name.removeprefix("agent."), other)
    seeds, places = [str(config.seed) for config in configs], [os.path.abspath(path) for path in run_dirs]
    for name, values in (("seed", seeds), ("run_dir", places)):
        twice = next((value for value in values if values.count(value) > 1), None)
        expect(twice is None, "another one for each run", name, twice)
    expect(
        isinstance(configs[0].agent.execution, Fused),
        "fused",
        "execution",
        configs[0].agent.execution.KIND,
        "Set execution=fused, or carry the seeds out one by one.",
    )
    for name in ("extend", "profile", "record", "offline"):
        value = getattr(options, name) or None
        expect(value is None, "a single run", name, str(value), "Carry the seeds out one by one.")


def train_together(
    configs: Sequence[RunConfig], run_dirs: Sequence[str | Path], options: Options | None = None
) -> list[dict[str, Any] | Exception]:
    """Train runs that differ in their seeds only, together, in one process; each writes the bytes of a run alone.

    A run that is finished is left as it is.  One that fails stops alone.

    Args:
        configs: the runs.
        run_dirs: where each of them lives, as for ``train``.
        options: how they are carried out.

    Returns:
        For each run its summary, or what it raised.

    Raises:
        ConfigError: the request is wrong (see ``check``), for any of them; nothing was touched.
        Interrupted: after SIGTERM or Ctrl-C, when all of them have been saved.
    """
    options, places = options or Options(), [Path(path).absolute() for path in run_dirs]
    check(configs, places, options)
    for config, place in zip(configs, places, strict=True):
        if not os.path.exists(place / "summary.json"):
            check_request(config, place, options)
    with StopRequests() as stop, contextlib.ExitStack() as at_end:
        seeds = [_Seed(config, options) for config in configs]
        for seed, place in zip(seeds, places, strict=True):
            at_end.callback(seed.close)
            try:
                seed.open(place, stop)
            except ConfigError:
                for opened in seeds:
                    opened.withdraw()
                raise
        _Rounds(seeds, stop).carry_out()
    for seed in seeds:
        if isinstance(seed.result, Interrupted):
            raise seed.result
    return [seed.result for seed in seeds]


class _Seed:
    """One of the runs.

    Attributes:
        result: its summary, or the error that it raised; None until it has ended.
    """

    result: Any = None

    def __init__(self, config: RunConfig, options: Options) -> None:
        self._config, self._options = config, options
        self._run_dir: RunDir | None = None
        self._session: _Session | None = None
        self._work: Iterator[None] = iter(())

    def open(self, place: Path, stop: StopRequests) -> None:
        """Open the directory; what is finished has its result.  Raises ConfigError: it cannot be this run's."""
        config, options = self._config, self._options
        is_new = not os.path.exists(place / "config.json")
        trial = exactness.trial_of(config) if options.try_environment and is_new else None
        try:
            self._run_dir = RunDir(place, config)
            if (place / "summary.json").exists():
                self.result = read_summary(place / "summary.json")
                return
        except (RunError, OSError) as error:
            self.result = error
            return
        self._session = _Session(self._run_dir, config, options, Callbacks(None, None), Member)
        self._work = self._session.work(trial, stop)

    def go_on(self) -> None:
        """Let the session work until it awaits a step, or ends."""
        try:
            next(self._work)
        except StopIteration:
            assert self._session is not None
            self.result = self._session.summary
        except Exception as error:
            self.result = error
        if self.result is not None and self._run_dir is not None:
            self._run_dir.close()

    @property
    def loop(self) -> Member:
        """Its loop, once it awaits a step."""
        assert self._session is not None and isinstance(self._session.loop, Member)
        return self._session.loop

    def withdraw(self) -> None:
        """Remove the directory, if it was made here."""
        if self._run_dir is not None and self._run_dir.new:
            self._run_dir.withdraw()

    def close(self) -> None:
        """Let go of everything."""
        close = getattr(self._work, "close", None)
        if close is not None:
            close()
        if self._run_dir is not None:
            self._run_dir.close()


class _Rounds:
    """Makes the steps that are due, until no run needs another."""

    def __init__(self, seeds: Sequence[_Seed], stop: StopRequests) -> None:
        self._seeds, self._stop = [seed for seed in seeds if seed.result is None], stop
        self._turn: list[_Seed] = []  # those that are furthest behind
        self._steps: InStep | InTurn | None = None  # makes their steps

    def carry_out(self) -> None:
        """To the end."""
        for seed in self._seeds:
            seed.go_on()
        while waiting := [seed for seed in self._seeds if seed.result is None]:
            turn, steps = self._those_behind(waiting)
            end = self._end(waiting, steps.steps)
            happened = steps.advance(end - steps.steps)
            ended = {*happened.records, *happened.errors}
            if self._stop.number is not None or steps.steps >= end:
                steps.settle_all()
                ended = set(range(len(turn)))
            for k in sorted(ended):
                turn[k].loop.happened = happened.errors.get(k) or happened.records.get(k)
                turn[k].go_on()
                if turn[k].result is None:
                    steps.adopt(k)
            if self._stop.number is not None:
                for seed in waiting:
                    if seed not in turn:
                        seed.go_on()

    def _those_behind(self, waiting: Sequence[_Seed]) -> tuple[list[_Seed], InStep | InTurn]:
        """The runs with the fewest steps, and what makes their steps."""
        first = min(map(self._at, waiting))
        turn = [seed for seed in waiting if self._at(seed) == first]
        if self._steps is None or turn != self._turn:
            if self._steps is not None:
                self._steps.settle_all()
            loops = [seed.loop for seed in turn]
            self._turn, self._steps = turn, InStep(loops) if all(map(in_step.suits, loops)) else InTurn(loops)
        return turn, self._steps

    def _at(self, seed: _Seed) -> int:
        """Steps that a run has made; its own counter may be behind."""
        in_turn = self._steps is not None and seed in self._turn
        return self._steps.steps if self._steps is not None and in_turn else seed.loop.run.counters.steps

    def _end(self, waiting: Sequence[_Seed], now: int) -> int:
        """The step up to which these runs are stepped now: an iteration ends, other runs are no longer ahead, or
        ``AT_ONCE`` steps are made."""
        ends = [seed.loop.next_end(now) for seed in self._turn]
        return min([now + AT_ONCE, *ends, *(self._at(seed) for seed in waiting if seed not in self._turn)])
