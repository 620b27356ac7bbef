"""Dueling DQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.presets.classic import CHOSEN, classic_preset

PRESET = classic_preset(
    "dueling_classic",
    "Dueling DQN for vector states",
    "Wang et al. 2016, arXiv 1511.06581",
    agent={
        "head": Dueling(),
    },
    own={
        "head": "the idea: agent/networks/dueling.py",
        "head.hidden": CHOSEN,
        "head.torso_gradient": CHOSEN,
    },
)
