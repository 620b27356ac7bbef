"""NoisyNet-DQN.

Paper: Fortunato et al. 2018, "Noisy Networks for Exploration" (arXiv 1706.10295), section 3 and appendix C.  Its code
was not found; what the paper does not change is as in the Nature DQN.
"""

from __future__ import annotations

from dqn_tf.learning.exploration import EpsilonGreedy
from dqn_tf.networks.noisy import Noisy
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
        "layers": "Fortunato et al. 2018, section 3.1: all fully connected layers are noisy",
        "layers.sigma_0": f"section 3.2: 0.5; {MEMORY}",
        "layers.distribution": "section 3: Gaussian, factorized",
        "layers.scoring": f"ours: whether the paper's scores were taken with noise is not known; {MEMORY}",
        "exploration.initial_epsilon": "section 3.1: no epsilon-greedy",
        "exploration.final_epsilon": "section 3.1: no epsilon-greedy",
        "exploration.decay_steps": "not used: epsilon is 0",
        "evaluation.epsilon": "section 3.1: no epsilon-greedy",
    },
    evaluation={"epsilon": 0.0},
)
