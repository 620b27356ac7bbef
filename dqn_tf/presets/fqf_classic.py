"""FQF for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.learning.optimizers import RMSProp
from dqn_tf.presets.classic import CHOSEN, twin
from dqn_tf.values.fqf import FQF

PRESET = twin(
    "fqf_classic",
    "FQF for vector states",
    "Yang et al. 2019, arXiv 1911.02140",
    agent={
        "value": FQF(
            fractions=16,
            first_cosine=0,
            entropy=0.001,
            optimizer=RMSProp(learning_rate=1e-5, decay=0.99, epsilon=1e-8, centered=False),
        ),
    },
    own={
        "value": "the idea: values/fqf.py",
        "value.fractions": CHOSEN,
        "value.cosines": "as in fqf",
        "value.first_cosine": CHOSEN,
        "value.kappa": "as in fqf",
        "value.entropy": CHOSEN,
        "value.optimizer.learning_rate": CHOSEN,
        **{f"value.optimizer.{name}": "as in fqf" for name in ("decay", "epsilon", "centered", "initial_mean_square")},
    },
)
