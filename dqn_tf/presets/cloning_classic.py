"""Behavior cloning for vector states: the baseline of recorded data, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.cloning import Cloning
from dqn_tf.presets.classic import classic_preset

PRESET = classic_preset(
    "cloning_classic",
    "behavior cloning for vector states: the policy of recorded data",
    "Pomerleau 1991, doi 10.1162/neco.1991.3.1.88",
    agent={
        "value": Cloning(),
    },
    own={
        "value": "the baseline: agent/values/cloning.py",
    },
)
