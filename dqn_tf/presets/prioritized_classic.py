"""DQN with prioritized replay for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.presets.classic import PRIORITIZED, classic_preset
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage

PRESET = classic_preset(
    "prioritized_classic",
    "DQN with prioritized replay for vector states",
    "Schaul et al. 2016, arXiv 1511.05952",
    agent={
        "replay": Prioritized(alpha=0.6, importance=Importance(beta=0.4, end=12_500), epsilon=1e-3),
        "storage": Storage(capacity=100_000),
    },
    own={
        "replay": "the idea: replay/prioritized.py",
        **PRIORITIZED,
    },
)
