"""DQN with rank-based prioritized replay for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.presets.classic import CHOSEN, PRIORITIZED, classic_preset
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.storage import Storage

PRESET = classic_preset(
    "prioritized_rank_classic",
    "DQN with rank-based prioritized replay for vector states",
    "Schaul et al. 2016, arXiv 1511.05952",
    agent={
        "replay": PrioritizedRank(alpha=0.7, importance=Importance(beta=0.5, end=12_500), sort_updates=1_000),
        "storage": Storage(capacity=100_000),
    },
    own={
        "replay": "the idea: replay/prioritized_rank.py",
        **PRIORITIZED,
        "replay.sort_updates": CHOSEN,
    },
)
