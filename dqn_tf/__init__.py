"""DQN and its family in TensorFlow and Keras, reproducible to the byte.

    from dqn_tf import make_config, train
    summary = train(make_config("dqn_classic", "CartPole-v1", seed=1, frames=50_000), "runs/cartpole_1")

Importing this imports neither TensorFlow nor an emulator; using it does.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dqn_tf.api import make_config
    from dqn_tf.checks import ConfigError, RunError
    from dqn_tf.config import AgentConfig, Evaluation, RunConfig
    from dqn_tf.envs import PROTOCOLS
    from dqn_tf.fields import setting
    from dqn_tf.interop.export import export
    from dqn_tf.interop.importing import import_network
    from dqn_tf.interop.packing import pack, verify_archive
    from dqn_tf.presets import PRESETS
    from dqn_tf.trained import TrainedAgent, load
    from dqn_tf.training.options import Options
    from dqn_tf.training.records import EpisodeRecord, IterationRecord
    from dqn_tf.training.rescore import digest_of, evaluate
    from dqn_tf.training.run import train
    from dqn_tf.training.together import train_together
    from dqn_tf.watching.watch_command import watch

_HOMES = {
    "AgentConfig": "config",
    "ConfigError": "checks",
    "EpisodeRecord": "training.records",
    "Evaluation": "config",
    "IterationRecord": "training.records",
    "Options": "training.options",
    "PRESETS": "presets",
    "PROTOCOLS": "envs",
    "RunConfig": "config",
    "RunError": "checks",
    "TrainedAgent": "trained",
    "digest_of": "training.rescore",
    "evaluate": "training.rescore",
    "export": "interop.export",
    "import_network": "interop.importing",
    "load": "trained",
    "pack": "interop.packing",
    "make_config": "api",
    "setting": "fields",
    "train": "training.run",
    "train_together": "training.together",
    "verify_archive": "interop.packing",
    "watch": "watching.watch_command",
}

__all__ = [
    "PRESETS",
    "PROTOCOLS",
    "AgentConfig",
    "ConfigError",
    "EpisodeRecord",
    "Evaluation",
    "IterationRecord",
    "Options",
    "RunConfig",
    "RunError",
    "TrainedAgent",
    "digest_of",
    "evaluate",
    "export",
    "import_network",
    "load",
    "make_config",
    "pack",
    "setting",
    "train",
    "train_together",
    "verify_archive",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dqn_tf' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(importlib.import_module(f"dqn_tf.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
