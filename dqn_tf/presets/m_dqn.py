"""Munchausen DQN with the settings of its paper's code.

Source: `google-research/google-research`: `munchausen_rl/configs/atari.gin` (72d82b6), `munchausen_rl/agents/m_dqn.py`,
`munchausen_rl/train.py` (0c1bbe5), a Dopamine agent; what these leave out is as in Dopamine's DQN.
Paper: Vieillard, Pietquin & Geist 2020, "Munchausen Reinforcement Learning" (arXiv 2007.14430).
"""

from __future__ import annotations

from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.presets import dopamine

GIN, AGENT = "munchausen_rl/configs/atari.gin", "m_dqn.py"
TRAIN = "munchausen_rl/train.py"  # its flags overrule the agent's defaults

PRESET = dopamine.preset(
    name="m_dqn",
    summary="Munchausen DQN: the log-policy is added to the reward, the target is soft",
    reference="Vieillard et al. 2020, arXiv 2007.14430; google-research/google-research:munchausen_rl",
    gin=GIN,
    agent={
        "bootstrap": Munchausen(alpha=0.9, tau=0.03, log_policy_min=-1.0),
        "optimizer": dopamine.adam(5e-5, 3.125e-4),
    },
    own={
        **dopamine.TF_ADAM,
        "bootstrap": f"{AGENT}: log-policy of the target network",
        "bootstrap.alpha": f"{TRAIN}: flag alpha = 0.9",
        "bootstrap.tau": f"{TRAIN}: flag tau = 0.03",
        "bootstrap.log_policy_min": f"{TRAIN}: flag clip_value_min = -1",
        "optimizer": f"{AGENT}: optimizer_type = 'adam'",
        "optimizer.learning_rate": f"{AGENT}: optimizer_lr = 0.00005",
        "optimizer.epsilon": f"{AGENT}: _build_optimizer, epsilon = 0.0003125",
    },
)
