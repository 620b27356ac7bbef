"""``train``: one run from its configuration to its summary, stopped and continued anywhere in between."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dqn_tf import determinism, memory
from dqn_tf.checks import ConfigError, Diverged, EnvironmentFault, InexactRestore, RunError
from dqn_tf.config import RunConfig
from dqn_tf.envs import vector
from dqn_tf.training import (
    evaluation,
    exactness,
    extension,
    iterations,
    profile,
    sessions,
    summary,
    tensorboard,
    timing,
    training_data,
)
from dqn_tf.training.callbacks import CallbackError, Callbacks, OnEpisode, OnIteration
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.divergence import advice, check_weights
from dqn_tf.training.loop import Loop, make_loop
from dqn_tf.training.options import Options as Options
from dqn_tf.training.progress import Progress, iteration_line, nothing_learned
from dqn_tf.training.records import EPISODE_COLUMNS, Awaiting, EpisodeRecord, IterationRecord, iteration_columns
from dqn_tf.training.request import check_request, located
from dqn_tf.training.run_dir import RunDir, Table, read_manifest, read_summary, write_json
from dqn_tf.training.stop import Interrupted, StopRequests

WATCH_FRAMES = 20_000  # between two looks at the memory that is left


def train(
    config: RunConfig,
    run_dir: str | Path,
    options: Options | None = None,
    *,
    environment: Callable[..., Any] | None = None,
    on_episode: OnEpisode | None = None,
    on_iteration: OnIteration | None = None,
) -> dict[str, Any]:
    """Train to the end of the budget in ``run_dir``, or continue there.  A finished run returns at once.

    The callbacks cannot change a byte of the run: what they get cannot be written to.  They are called once its row is
    on disk; a run that is continued calls them again for what came after its last checkpoint.

    Args:
        config: the run; its hash is the run's identity.
        run_dir: where it lives: a new or empty directory, or one with this run.
        options: how it is carried out.
        environment: the function or class that makes the environment, where the configuration names one that only this
            program has.
        on_episode: called with the ``EpisodeRecord`` of every finished episode of training.
        on_iteration: called with the ``IterationRecord`` of every finished iteration.

    Returns:
        The summary, as in summary.json.

    Raises:
        ConfigError: the request is wrong; nothing was touched.
        RunError: the run cannot go on, or a callback raised an exception; one clear sentence says why.  An
            EnvironmentFault where the environment failed: what was trained has been saved.
        OSError: the disk fails.
        Interrupted: after SIGTERM or Ctrl-C, when a checkpoint has been written.
    """
    folder, options = Path(run_dir).absolute(), located(options or Options())
    finished = folder / "summary.json"
    if environment is not None:
        exactness.check_environment(environment, config)
    if not os.path.exists(finished):  # os.path says False to a name that is too long; Path.exists raises an OSError
        check_request(config, folder, options)
    is_new = not os.path.exists(folder / "config.json")
    trial = exactness.trial_of(config) if options.try_environment and is_new else None
    directory = RunDir(folder, config)
    try:
        found = read_summary(finished) if finished.exists() else None
        found = found or _Session(directory, config, options, Callbacks(on_episode, on_iteration)).work_alone(trial)
        training_data.finish(config, options.record)
        return found
    finally:
        directory.close()


class _Session:
    """One process working on a run, from opening its directory to closing it.

    ``run_dir`` is the run on disk; ``loop.run`` is the same run in memory (``RunState``).
    """

    def __init__(
        self,
        run_dir: RunDir,
        config: RunConfig,
        options: Options,
        callbacks: Callbacks,
        make: Callable[[RunConfig], Loop] | None = None,
    ) -> None:
        """make: makes the run's loop, whose steps are made elsewhere; None: an ordinary one."""
        self._make = make
        self.loop: Loop | None = None
        self.summary: dict[str, Any] = {}
        self.run_dir, self.config, self.options, self.callbacks = run_dir, config, options, callbacks
        self.store = Store(run_dir.path / "checkpoints", config.hash)
        self.manifest = run_dir.path / "manifest.json"
        self.episodes = Table(run_dir.path / "episodes.csv", EPISODE_COLUMNS)
        self.iterations: Table  # its columns depend on the agent
        self.timing = Table(run_dir.path / "timing.csv", timing.COLUMNS)
        self.label = f"{config.preset} {config.environment} seed {config.seed}"
        self.progress = Progress(config.frames, 0, self.label, options.progress, bar=False)
        self.status = "failed"  # until something better is known
        self._how = ""  # what the same command needs to continue the run
        self._writer: Any = None
        self._saved_before, self._saved_frames, self._saved_at = False, 0, time.monotonic()  # of the newest checkpoint
        self._last_step, self._clock = extension.last_step(config), timing.IterationClock()

    def work_alone(self, trial: dict[str, Any] | None) -> dict[str, Any]:
        """Work to the end, with a loop that makes its own steps; the summary."""
        with StopRequests() as stop:  # a signal while starting waits for the first step
            for _ in self.work(trial, stop):
                raise RunError("Expected a loop that makes its own steps, got one that awaits them.")
        return self.summary

    def work(self, trial: dict[str, Any] | None, stop: StopRequests) -> Iterator[None]:
        """Work to the end; yields where the loop awaits a step (``Awaiting``)."""
        config, options = self.config, self.options
        determinism.enable(config.agent.execution.threads)
        scope = determinism.scope(config.agent.execution.xla)
        try:
            sessions.begin(
                self.manifest,
                config,
                scope,
                extend=options.extend,
                outside_scope=options.outside_scope,
                warn=self.warn,
            )
        except RunError:
            self._withdraw()
            raise
        if trial:
            self._in_manifest(lambda manifest: exactness.note_trial(trial, manifest))
            self._how = " with --resume inexact" if trial["broken"] and self.options.resume == "exact" else ""
        try:
            if text := vector.advice(getattr(config.agent.execution, "workers", 0)):
                self.warn(text)  # before they are started, which may take long
            if not config.updates:
                self.warn(nothing_learned(config))
            loop = self.loop = self._make_loop()
            loop.run.say = self.log
            columns = iteration_columns(loop.run.monitors.columns)
            self.iterations = Table(self.run_dir.path / "iterations.csv", columns)
            try:
                with extension.held(None if self.store.found() else options.extend):
                    self._resume(loop)
                loop.run.recording = training_data.begun(config, options.record, loop.run.counters.steps)
                done, alone = loop.run.counters.frames, self._make is None
                self.progress = Progress(config.frames, done, self.label, options.progress, bar=alone)
                if options.tensorboard:
                    self._writer = tensorboard.Writer(self.run_dir.path / "tensorboard")
                with profile.recorded(options.profile, options.profile_frames, loop, self.log, store=self.store):
                    yield from self._train(loop, stop)
            finally:
                self._close(loop)
        finally:
            # Where the disk is full, an error that says so is being raised: another one must not replace it.
            with contextlib.suppress(OSError) if self.status == "failed" else contextlib.nullcontext():
                if self.status != "withdrawn":
                    sessions.end(self.manifest, self.status)

    def _make_loop(self) -> Loop:
        """Raises ConfigError or MemoryError if environments, replay or networks cannot be made; a new run directory is
        then removed."""
        try:
            offline = training_data.loop_of(self.config, self.options, self.run_dir.path)
            return offline or (self._make or make_loop)(self.config)
        except (ConfigError, MemoryError):
            self._withdraw()
            raise

    def _withdraw(self) -> None:
        if self.run_dir.new:
            self.run_dir.withdraw()
            self.status = "withdrawn"

    def _train(self, loop: Loop, stop: StopRequests) -> Iterator[None]:
        gc.freeze()  # start-up objects need no scanning during the run
        try:
            yield from self._train_to_the_end(loop, stop)
        except (memory.Shortage, CallbackError):
            self._save(loop, stop)
            raise
        except Interrupted as stopped:
            self._save(loop, stop)
            self.status = "interrupted"
            self.log(f"Stopped at {loop.run.counters.frames:,} frames; the same command continues the run{self._how}.")
            if self._how:
                stopped.add_note(f"It needs{self._how.replace(' with', '')}, see {self.run_dir.path / 'log.txt'}.")
            raise
        except Exception as error:
            self._keep(error, loop, stop)
            if isinstance(error, ConfigError):  # of something that failed by now, not of the request
                failure = RunError(str(error))
                failure.__notes__ = error.__notes__
                raise failure from error
            raise
        finally:
            gc.unfreeze()  # or this run's replay would stay in memory for good

    def _train_to_the_end(self, loop: Loop, stop: StopRequests) -> Iterator[None]:
        frames = self._saved_frames = loop.run.counters.frames
        watch = memory.Watch(self.config, self.warn)
        self._saved_at = time.monotonic()
        self._clock.start(frames)
        each_step = functools.partial(self._each_step, loop, stop)
        for record in loop.records(each_step):
            if isinstance(record, Awaiting):
                yield
                continue
            if record is not None:
                self._write(record)
                self.callbacks.notify(record)
            before, frames = frames, loop.run.counters.frames
            if frames // 400 != before // 400:
                self.progress.advance(frames)
            if frames // WATCH_FRAMES != before // WATCH_FRAMES:
                watch.check(loop.run.replay.ring)
            if frames - self._saved_frames >= self.options.checkpoint_frames:
                self._save(loop, stop)
        scores = iterations.final_scores(loop.run, each_step)
        # ``stop.check``, not ``each_step``: the learner holds the best network now, so nothing may be saved.
        best_scores = iterations.best_scores(loop.run, stop.check) if loop.run.best else None
        self._save(loop, stop)
        self.summary = self._finish(loop, scores, best_scores)
        self.status = "complete"

    def _each_step(self, loop: Loop, stop: StopRequests) -> None:
        """Called where the run's state is whole: stops or saves the run if that is due."""
        stop.check()
        if loop.run.counters.steps == self._last_step and loop.run.counters.frames > self._saved_frames:
            self._save(loop, stop)
        if time.monotonic() - self._saved_at >= 60 * self.options.checkpoint_minutes:
            if loop.run.counters.frames > self._saved_frames:
                self._save(loop, stop)
            self._saved_at = time.monotonic()

    def _keep(self, error: Exception, loop: Loop, stop: StopRequests) -> None:
        """Save the run if its state is whole, and add to the error what is kept and how to continue."""
        notes = [advice(loop.run.replay.ring)] if isinstance(error, Diverged) else []
        if isinstance(error, InexactRestore):
            notes.append(exactness.ADVICE)
        if isinstance(error, EnvironmentFault) and loop.run.counters.frames > self._saved_frames:
            try:
                self._save(loop, stop)
            except Exception as failure:
                notes.append(f"The run could not be saved: {failure}.")
        origin = error.__cause__ or error
        if not isinstance(origin, RunError | ConfigError) and (origin is not error or not isinstance(error, OSError)):
            with contextlib.suppress(OSError):
                self._note("".join(traceback.format_exception(origin)).rstrip())
                notes.append(f"The traceback is in {self.run_dir.path / 'log.txt'}.")
        newest = next(iter(self.store.found()), None)
        notes.append(
            f"The last checkpoint is {newest.name} ({int(newest.name.partition('.')[0]):,} frames)."
            if newest
            else "There is no checkpoint yet: it will start from its first step."
        )
        if not isinstance(error, Diverged):
            how = self.options.command or "train() with the same configuration and directory"
            notes.append(f"To continue: {how}")
        error.add_note(" ".join(notes))

    # -- starting and resuming -------------------------------------------------------------------------------------
    def _in_manifest(self, note: Callable[[dict[str, Any]], list[str]]) -> None:
        """Let ``note`` change the manifest, and show the lines that it returns."""
        for line in sessions.change(self.manifest, note):
            self.warn(line)

    def _note_abandoned(self, loop: Loop) -> None:
        if abandoned := loop.run.abandoned:
            self._in_manifest(lambda manifest: exactness.note_abandoned(abandoned, manifest))

    def _resume(self, loop: Loop) -> None:
        loaded = self.store.load(self.warn)
        if loaded is None:
            loaded = self._parent()
        if loaded is None:
            if read_manifest(self.manifest).get("checkpointed"):
                raise RunError(
                    f"{self.run_dir.path} had checkpoints, and {self.store.folder.name}/ holds none now. Restore the "
                    "folder from a copy, or start again in a new directory."
                )
            if (self.run_dir.path / "episodes.csv").exists():
                self.log("No checkpoint was written before the run stopped: it starts from its first step.")
            for table in (self.episodes, self.iterations, self.timing):
                table.begin()
            return
        path, state, read_piece = loaded
        loop.run.inexact = self.options.resume == "inexact"
        try:
            loop.restore(state["run"], read_piece)
            tables = state["tables"]["episodes"], state["tables"]["iterations"]
        except InexactRestore as error:
            raise exactness.refusal(error) from error
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"Checkpoint {path.name} is whole but not of this kind of run: {error!r}.") from error
        self.episodes.resume(tables[0])
        self.iterations.resume(tables[1])
        self.timing.append_free(loop.run.counters.frames)
        self._saved_before = bool(self.store.found())
        self._note_abandoned(loop)
        self.log(f"Continued from checkpoint {path.name} ({loop.run.counters.frames:,} frames).")

    def _parent(self) -> tuple[Path, dict[str, Any], Any] | None:
        """The checkpoint of the run that this one extends, if it does and has none of its own yet."""
        manifest, parent = read_manifest(self.manifest), self.options.extend
        if parent is None or manifest.get("checkpointed"):
            return None
        found = extension.begin(parent, self.run_dir.path, self.config, self.warn)
        exact = "to the bytes of a run that had this budget from the start"
        promise = str(manifest.get("promise", ""))
        unlike = found.difference or (promise if promise.startswith(exactness.BROKEN) else "")
        self.warn(f"Extends {parent}: " + (f"NOT {exact}. {unlike}" if unlike else f"{exact}."))
        parents = manifest.get("parent") or extension.manifest_of(parent, {})["parent"]
        about = {**parents, "checkpoint": found.checkpoint.name, "difference": found.difference or None}
        sessions.note(self.manifest, parent=about)
        return found.checkpoint, found.state, found.read_piece

    # -- records ---------------------------------------------------------------------------------------------------
    def _write(self, record: EpisodeRecord | IterationRecord) -> None:
        if isinstance(record, EpisodeRecord):
            self.episodes.write(record._asdict())
            return
        row = record.row
        self.iterations.write(row)
        seconds = self._clock.row(record)
        self.timing.write(seconds)
        if self._writer:
            self._writer.write(row, seconds, record.histograms)
        self.log(iteration_line(row, seconds["training_frames_per_s"]))

    def warn(self, text: str) -> None:
        """A warning: shown also if progress is switched off."""
        self.log(text, always=True)

    def log(self, text: str, always: bool = False) -> None:
        """A message on the screen and in log.txt."""
        self.progress.say(text, always)
        self._note(text)

    def _note(self, text: str) -> None:
        with contextlib.suppress(OSError), open(self.run_dir.path / "log.txt", "a") as file:  # no result is in there
            file.write(f"{sessions.now()} {text}\n")

    # -- saving ----------------------------------------------------------------------------------------------------
    def _save(self, loop: Loop, stop: StopRequests) -> None:
        clock = time.perf_counter()
        tables = {"episodes": self.episodes.state(), "iterations": self.iterations.state()}
        stop.alive(loop.pause_seconds())
        state = {"run": loop.state(), "tables": tables}
        stop.alive()
        training_data.flush(loop.run.recording)
        check_weights(state["run"]["learner"], loop.run.counters.frames)
        self.store.save(loop.run.counters.frames, state, loop.run.pieces(), stop.alive)
        if not self._saved_before:
            self._saved_before = True
            sessions.note(self.manifest, checkpointed=True)
        self._saved_frames, self._saved_at = loop.run.counters.frames, time.monotonic()
        self._clock.checkpoint_seconds += time.perf_counter() - clock

    def _finish(
        self, loop: Loop, scores: list[evaluation.Score], best_scores: list[evaluation.Score] | None
    ) -> dict[str, Any]:
        found, counters = summary.of_run(loop, scores, best_scores), loop.run.counters
        write_json(self.run_dir.path / "summary.json", found)
        self.log(
            f"Complete: {counters.frames:,} frames, {counters.updates:,} updates, {counters.episodes:,} episodes; "
            f"{evaluation.words(found['final_evaluation'], counters.updates)}. {self.run_dir.path}"
        )
        return found

    def _close(self, loop: Loop) -> None:
        self._note_abandoned(loop)
        self.progress.close()
        loop.close()
        for table in (self.episodes, self.iterations, self.timing):
            table.close()
        if self._writer:
            self._writer.close()
