"""Munchausen IQN with the settings of its paper's code.

Source: `google-research/google-research`: `munchausen_rl/configs/atari.gin` (72d82b6), `munchausen_rl/agents/m_iqn.py`,
`munchausen_rl/train.py` (0c1bbe5), a Dopamine agent; what these leave out is as in Dopamine's DQN.
Paper: Vieillard, Pietquin & Geist 2020, "Munchausen Reinforcement Learning" (arXiv 2007.14430).
"""

from __future__ import annotations

from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.presets import dopamine

GIN, AGENT, NETWORKS = "munchausen_rl/configs/atari.gin", "m_iqn.py", "legacy_networks.py"
TRAIN = "munchausen_rl/train.py"  # its flags overrule the agent's defaults; interact = 'greedy' among them

PRESET = dopamine.preset(
    name="m_iqn",
    summary="Munchausen IQN: Munchausen's target for the quantile function",
    reference="Vieillard et al. 2020, arXiv 2007.14430; google-research/google-research:munchausen_rl",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": ImplicitQuantile(
            samples=64, target_samples=64, policy_samples=32, cosines=64, first_cosine=1, kappa=1.0
        ),
        "bootstrap": Munchausen(alpha=0.9, tau=0.03, log_policy_min=-1.0),
        "optimizer": dopamine.adam(5e-5, 3.125e-4),
    },
    own={
        **dopamine.TF_ADAM,
        "network.initialization": dopamine.INITIALIZATION,
        "value": f"{AGENT}: quantile regression at sampled fractions",
        "value.samples": f"{GIN}: num_tau_samples",
        "value.target_samples": f"{GIN}: num_tau_prime_samples",
        "value.policy_samples": f"{GIN}: num_quantile_samples",
        "value.cosines": f"{AGENT}: quantile_embedding_dim=64",
        "value.first_cosine": f"{NETWORKS}: cos(pi i tau) for i = 1 .. 64 (the paper of IQN: from 0)",
        "value.kappa": f"{GIN}: kappa",
        "bootstrap": f"{AGENT}: log-policy of the target network",
        "bootstrap.alpha": f"{TRAIN}: flag alpha = 0.9",
        "bootstrap.tau": f"{TRAIN}: flag tau = 0.03",
        "bootstrap.log_policy_min": f"{TRAIN}: flag clip_value_min = -1",
        "optimizer": f"{GIN}: @iqn/tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: iqn learning_rate = 0.00005",
        "optimizer.epsilon": f"{GIN}: iqn epsilon = 0.0003125",
    },
)
