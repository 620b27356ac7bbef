"""Double DQN with proportional prioritized replay, as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/prioritized/run_atari.py` (the flags' defaults),
`prioritized/agent.py`, `replay.py`.
Paper: Schaul et al. 2016, "Prioritized Experience Replay" (arXiv 1511.05952).
"""

from __future__ import annotations

from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.targets.double import Double
from dqn_tf.presets import zoo

FLAGS, AGENT, NETWORKS = "prioritized/run_atari.py", "prioritized/agent.py", "networks.py"

PRESET = zoo.preset(
    name="prioritized",
    folder="prioritized",
    summary="Double DQN with prioritized replay, the proportional variant",
    paper="Schaul et al. 2016, arXiv 1511.05952",
    agent={
        "head": Single(bias="shared"),
        "bootstrap": Double(),
        "replay": zoo.prioritized(alpha=0.6, start=50_000, largest=None),
        "optimizer": RMSProp(learning_rate=2.5e-4 / 4, decay=0.95, epsilon=0.01 / 32**2 / 16, centered=True),
        "target_update_steps": 30_000,
    },
    own={
        **zoo.prioritized_sources(FLAGS, AGENT),
        "bootstrap": f"{AGENT}: rlax.double_q_learning",
        "head": f"{FLAGS}: networks.double_dqn_atari_network, one stream",
        "head.bias": f"{NETWORKS}: linear_with_shared_bias",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "optimizer.learning_rate": f"{FLAGS}: learning_rate = 0.00025 / 4",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.01 / 32^2 / 4^2",
        "target_update_steps": f"{FLAGS}: target_network_update_period = 120,000 frames",
    },
    evaluation_epsilon=0.01,
    deviations=("The error is clipped and then weighted; DQN Zoo weights it and then clips.",),
)
