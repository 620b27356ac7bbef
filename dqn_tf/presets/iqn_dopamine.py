"""IQN with the settings behind Dopamine's published curves.

Source: `google/dopamine@5873f54`: `dopamine/tf/agents/implicit_quantile/configs/implicit_quantile.gin`,
`implicit_quantile_agent.py`, `dopamine/discrete_domains/legacy_networks.py`.
Paper: Castro et al. 2018, "Dopamine" (arXiv 1812.06110); the agent after Dabney et al. 2018 (arXiv 1806.06923).
"""

from __future__ import annotations

from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.presets import dopamine

GIN, AGENT, NETWORKS = "implicit_quantile.gin", "implicit_quantile_agent.py", "legacy_networks.py"

PRESET = dopamine.preset(
    name="iqn_dopamine",
    summary="IQN as in Dopamine's published curves (sticky actions, 3 steps, training returns)",
    reference="Castro et al. 2018, arXiv 1812.06110; google/dopamine@5873f54:dopamine/tf/agents/implicit_quantile",
    gin=GIN,
    agent={
        "network": dopamine.CNN,
        "value": ImplicitQuantile(
            samples=64, target_samples=64, policy_samples=32, cosines=64, first_cosine=1, kappa=1.0
        ),
        "optimizer": dopamine.adam(5e-5, 3.125e-4),
        "n_step": 3,
    },
    own={
        **dopamine.TF_ADAM,
        "replay": f"{GIN}: replay_scheme = 'uniform'",
        "network.initialization": dopamine.INITIALIZATION,
        "value": f"{AGENT}: quantile regression at sampled fractions",
        "value.samples": f"{GIN}: num_tau_samples",
        "value.target_samples": f"{GIN}: num_tau_prime_samples",
        "value.policy_samples": f"{GIN}: num_quantile_samples",
        "value.cosines": f"{AGENT}: quantile_embedding_dim = 64",
        "value.first_cosine": f"{NETWORKS}: cos(pi i tau) for i = 1 .. 64 (the paper: from 0)",
        "value.kappa": f"{GIN}: kappa",
        "optimizer": f"{GIN}: @tf.train.AdamOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.00005",
        "optimizer.epsilon": f"{GIN}: epsilon = 0.0003125",
        "n_step": f"{GIN}: update_horizon = 3",
    },
)
