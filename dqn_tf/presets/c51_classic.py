"""C51 for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets.classic import classic_preset

PRESET = classic_preset(
    "c51_classic",
    "C51 for vector states",
    "Bellemare et al. 2017, arXiv 1707.06887",
    agent={
        "value": Categorical(atoms=51, v_min=0.0, v_max=100.0),
    },
    own={
        "value": "the idea: agent/values/categorical.py",
        "value.atoms": "as in c51",
        "value.v_min": "ours: no reward of CartPole-v1 is negative",
        "value.v_max": "ours: 1 / (1 - 0.99), what rewards of 1 add up to",
    },
)
