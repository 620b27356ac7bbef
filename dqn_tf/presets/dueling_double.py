"""Dueling Double DQN.

Paper: Wang et al. 2016, "Dueling Network Architectures for Deep Reinforcement Learning" (arXiv 1511.06581), section
4.2.  Its code was not found; what the paper does not change is as in the tuned Double DQN that it builds on.
"""

from __future__ import annotations

import math

from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.presets.derived import preset
from dqn_tf.presets.double_dqn import PRESET as DOUBLE_DQN
from dqn_tf.presets.sources import MEMORY

QUOTED = "read where others quote the paper's Atari experiments word for word"
AGENT = {
    "head": Dueling(hidden="separate", torso_gradient=1 / math.sqrt(2)),
    "optimizer": RMSProp(learning_rate=6.25e-5, decay=0.95, epsilon=0.01 / 32**2, centered=True),
    "max_grad_norm": 10.0,
}
SOURCES = {
    "head": "Wang et al. 2016, equation (9)",
    "head.hidden": f"section 4.2: each stream has a hidden layer of 512; {MEMORY}",
    "head.torso_gradient": f"1/sqrt(2), {QUOTED}",
    "optimizer.learning_rate": f"section 4.2: 6.25e-5; {MEMORY}",
    "optimizer.epsilon": f"as in double_dqn; whether the paper changed it is not known; {MEMORY}",
    "max_grad_norm": f"norm of at most 10, {QUOTED}",
    "evaluation.epsilon": f"0.001; {MEMORY}",
}

PRESET = preset(
    DOUBLE_DQN,
    name="dueling_double",
    summary="Dueling Double DQN: value and advantage streams",
    reference="Wang et al. 2016, arXiv 1511.06581",
    agent=AGENT,
    own=SOURCES,
    evaluation={"epsilon": 0.001},
)
