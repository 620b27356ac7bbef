"""NoisyNet-DQN.

Paper: Fortunato et al. 2018, "Noisy Networks for Exploration" (arXiv 1706.10295), section 3 and appendix C.  Its code
was not found; what the paper does not change is as in the Nature DQN.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.presets.derived import preset
from dqn_tf.presets.dqn_nature import PRESET as DQN_NATURE
from dqn_tf.presets.sources import MEMORY

PRESET = preset(
    DQN_NATURE,
    name="noisy",
    summary="NoisyNet-DQN: learned noise in the weights explores, no epsilon",
    reference="Fortunato et al. 2018, arXiv 1706.10295",
    agent={
        "layers": Noisy(sigma_0=0.5, distribution="normal", scoring="noisy"),
        "exploration": EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0, decay_steps=1, random_ties=True),
    },
    own={
        "layers": f"Fortunato et al. 2018, section 3.1: all fully connected layers are noisy; {MEMORY}",
        "layers.sigma_0": "section 3.2: 0.5, read where others quote it",
        "layers.distribution": "section 3: Gaussian, factorized",
        "layers.scoring": f"ours: whether the paper's scores were taken with noise is not known; {MEMORY}",
        "exploration.initial_epsilon": f"section 3.1: no epsilon-greedy; {MEMORY}",
        "exploration.final_epsilon": f"section 3.1: no epsilon-greedy; {MEMORY}",
        "exploration.decay_steps": "not used: epsilon is 0",
        "evaluation.epsilon": f"section 3.1: no epsilon-greedy; {MEMORY}",
    },
    evaluation={"epsilon": 0.0},
)
