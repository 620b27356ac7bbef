"""FQF for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.values.fqf import FQF
from dqn_tf.presets.classic import CHOSEN, classic_preset
from dqn_tf.presets.fqf import PRESET as FULL

PRESET = classic_preset(
    "fqf_classic",
    "FQF for vector states",
    "Yang et al. 2019, arXiv 1911.02140",
    agent={
        "value": FQF(fractions=16, first_cosine=0),
    },
    own={
        "value": "the idea: agent/values/fqf.py",
        "value.fractions": CHOSEN,
        "value.cosines": "as in fqf",
        "value.first_cosine": CHOSEN,
        "value.kappa": "as in fqf",
        "value.entropy": "as in fqf",
        **{path: "as in fqf" for path in FULL.sources if path.startswith("value.optimizer.")},
        "value.optimizer.learning_rate": "as in fqf; 1.5e-6 and more diverge, see docs/classic.md",
    },
)
