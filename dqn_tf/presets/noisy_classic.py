"""NoisyNet-DQN for vector states: the idea, on dqn_classic's small network and settings."""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.presets.classic import CHOSEN, classic_preset

PRESET = classic_preset(
    "noisy_classic",
    "NoisyNet-DQN for vector states",
    "Fortunato et al. 2018, arXiv 1706.10295",
    agent={
        "layers": Noisy(sigma_0=0.5, scoring="mean"),
        "exploration": EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0, decay_steps=1, random_ties=False),
    },
    own={
        "layers": "the idea: agent/networks/noisy.py",
        "layers.sigma_0": "Fortunato et al. 2018, section 3.2: 0.5, read where others quote it",
        "layers.distribution": CHOSEN,
        "layers.scoring": CHOSEN,
        "exploration.initial_epsilon": "the noise explores",
        "exploration.final_epsilon": "the noise explores",
        "exploration.decay_steps": "not used: epsilon is 0",
    },
)
