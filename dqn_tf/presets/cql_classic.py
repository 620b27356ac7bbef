"""CQL for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.conservative import Conservative
from dqn_tf.presets.classic import CHOSEN, classic_preset

PRESET = classic_preset(
    "cql_classic",
    "CQL for vector states: DQN with a conservative term, for recorded data",
    "Kumar et al. 2020, arXiv 2006.04779",
    agent={
        "auxiliary": Conservative(alpha=1.0),
    },
    own={
        "auxiliary": "the idea: agent/conservative.py",
        "auxiliary.alpha": CHOSEN,
    },
)
