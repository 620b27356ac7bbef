"""IQN as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/iqn/run_atari.py` (the flags' defaults), `iqn/agent.py`, `networks.py`.
Paper: Dabney et al. 2018, "Implicit Quantile Networks for Distributional Reinforcement Learning" (arXiv 1806.06923).
"""

from __future__ import annotations

from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.presets import zoo

FLAGS, AGENT, NETWORKS = "iqn/run_atari.py", "iqn/agent.py", "networks.py"

PRESET = zoo.preset(
    name="iqn",
    folder="iqn",
    summary="IQN: the quantile function of the return, asked at sampled fractions",
    paper="Dabney et al. 2018, arXiv 1806.06923",
    agent={
        "value": ImplicitQuantile(
            samples=64, target_samples=64, policy_samples=64, cosines=64, first_cosine=1, kappa=1.0
        ),
        "optimizer": zoo.adam(5e-5, 0.01 / 32),
        "min_replay_steps": 20_000,
    },
    own={
        **zoo.OPTAX,
        "value": f"{AGENT}: quantile regression at sampled fractions",
        "value.samples": f"{FLAGS}: tau_samples_s_tm1",
        "value.target_samples": f"{FLAGS}: tau_samples_s_t",
        "value.policy_samples": f"{FLAGS}: tau_samples_policy",
        "value.cosines": f"{FLAGS}: tau_latent_dim",
        "value.first_cosine": f"{NETWORKS}: cos(pi i tau) for i = 1 .. 64 (the paper: from 0)",
        "value.kappa": f"{FLAGS}: huber_param",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "optimizer": f"{FLAGS}: optax.adam",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.01 / 32",
        "min_replay_steps": f"{FLAGS}: min_replay_capacity_fraction 0.02 of 1M",
    },
    evaluation_epsilon=0.001,
)
