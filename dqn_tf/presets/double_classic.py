"""Double DQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.targets.double import Double
from dqn_tf.presets.classic import classic_preset

PRESET = classic_preset(
    "double_classic",
    "Double DQN for vector states",
    "van Hasselt et al. 2016, arXiv 1509.06461",
    agent={
        "bootstrap": Double(),
    },
    own={
        "bootstrap": "the idea: agent/targets/double.py",
    },
)
