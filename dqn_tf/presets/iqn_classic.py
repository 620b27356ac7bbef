"""IQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.presets.classic import IMPLICIT, classic_preset

PRESET = classic_preset(
    "iqn_classic",
    "IQN for vector states",
    "Dabney et al. 2018, arXiv 1806.06923",
    agent={
        "value": ImplicitQuantile(samples=16, target_samples=16, policy_samples=16),
    },
    own={
        "value": "the idea: agent/values/implicit_quantile.py",
        **IMPLICIT,
    },
)
