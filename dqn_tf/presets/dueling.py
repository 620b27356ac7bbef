"""The dueling network with the target of DQN.

Paper: Wang et al. 2016, "Dueling Network Architectures for Deep Reinforcement Learning" (arXiv 1511.06581).  The paper
trains it with Double Q-learning (preset dueling_double); this one isolates the network.
"""

from __future__ import annotations

from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.presets.derived import preset
from dqn_tf.presets.dueling_double import PRESET as DUELING_DOUBLE

PRESET = preset(
    DUELING_DOUBLE,
    name="dueling",
    summary="DQN with value and advantage streams",
    reference="Wang et al. 2016, arXiv 1511.06581",
    agent={"bootstrap": Greedy()},
    own={"bootstrap": "ours: the network alone, with the target of DQN"},
)
