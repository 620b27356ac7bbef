"""QR-DQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.presets.classic import CHOSEN, classic_preset

PRESET = classic_preset(
    "qr_dqn_classic",
    "QR-DQN for vector states",
    "Dabney et al. 2018, arXiv 1710.10044",
    agent={
        "value": Quantile(quantiles=32),
    },
    own={
        "value": "the idea: agent/values/quantile.py",
        "value.quantiles": CHOSEN,
        "value.kappa": "as in qr_dqn",
    },
)
