"""REM for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.random_ensemble import RandomEnsemble
from dqn_tf.presets.classic import classic_preset

PRESET = classic_preset(
    "rem_classic",
    "REM for vector states: random mixtures of Q-values, for recorded data",
    "Agarwal et al. 2020, arXiv 1907.04543",
    agent={
        "value": RandomEnsemble(heads=200, loss="squared"),
    },
    own={
        "value": "the idea: agent/values/random_ensemble.py",
        "value.heads": "as in rem",
        "value.loss": "as in dqn_classic: squared error",
        "value.huber_threshold": "not used by the squared error",
    },
)
