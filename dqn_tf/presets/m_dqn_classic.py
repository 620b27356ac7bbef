"""Munchausen DQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.presets.classic import MUNCHAUSEN, classic_preset

PRESET = classic_preset(
    "m_dqn_classic",
    "Munchausen DQN for vector states",
    "Vieillard et al. 2020, arXiv 2007.14430",
    agent={
        "bootstrap": Munchausen(alpha=0.9, tau=0.03, log_policy_min=-1.0),
    },
    own={
        "bootstrap": "the idea: agent/targets/munchausen.py",
        **MUNCHAUSEN,
    },
)
