"""Double DQN with the tuned settings of van Hasselt et al. 2016, as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/double_q/run_atari.py` (the flags' defaults), `double_q/agent.py`.
Paper: van Hasselt, Guez & Silver 2016, "Deep Reinforcement Learning with Double Q-learning" (arXiv 1509.06461).
"""

from __future__ import annotations

from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.targets.double import Double
from dqn_tf.presets.zoo import preset

FLAGS, AGENT, NETWORKS = "double_q/run_atari.py", "double_q/agent.py", "networks.py"

PRESET = preset(
    name="double_dqn",
    folder="double_q",
    summary="Double DQN (tuned): the online network chooses, the target network evaluates",
    paper="van Hasselt et al. 2016, arXiv 1509.06461",
    agent={"head": Single(bias="shared"), "bootstrap": Double(), "target_update_steps": 30_000},
    own={
        "bootstrap": f"{AGENT}: rlax.double_q_learning",
        "head": f"{NETWORKS}: double_dqn_atari_network, one stream",
        "head.bias": f"{NETWORKS}: linear_with_shared_bias",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "target_update_steps": f"{FLAGS}: target_network_update_period = 120,000 frames",
    },
    evaluation_epsilon=0.01,
)
