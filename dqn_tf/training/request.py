"""The checks of a request to train, before any file is written."""

from __future__ import annotations

import dataclasses
import gc
from pathlib import Path

from dqn_tf import memory
from dqn_tf.config import RunConfig
from dqn_tf.offline.source import Recorded
from dqn_tf.training import extension, profile, tensorboard, training_data
from dqn_tf.training.options import Options


def check_request(config: RunConfig, run_dir: Path, options: Options) -> None:
    """Check a request, with nothing but readings.

    Args:
        config: of the run.
        run_dir: where it is to live.
        options: how it is to be carried out.

    Raises:
        ConfigError: this machine or the options do not allow it.
    """
    gc.collect()  # what an earlier run in this process has left
    if isinstance(config.data, Recorded) or options.offline:
        training_data.check_offline(config, options)
    else:
        memory.check_replay(config)
    if options.record:
        training_data.check_recording(config, run_dir, options.record)
    profile.check(options.profile, options.profile_frames, config.frames)
    if options.tensorboard:
        tensorboard.require()
    if options.extend and not (run_dir / "checkpoints").exists():
        extension.check(options.extend, config)


def located(options: Options) -> Options:
    """With absolute paths: an environment may change the working directory."""
    return dataclasses.replace(
        options,
        extend=options.extend and options.extend.absolute(),
        offline=tuple(path.absolute() for path in options.offline),
        record=options.record and options.record.absolute(),
    )
