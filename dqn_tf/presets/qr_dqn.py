"""QR-DQN as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/qrdqn/run_atari.py` (the flags' defaults), `qrdqn/agent.py`.
Paper: Dabney et al. 2018, "Distributional Reinforcement Learning with Quantile Regression" (arXiv 1710.10044).
"""

from __future__ import annotations

from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.presets import zoo

FLAGS, AGENT = "qrdqn/run_atari.py", "qrdqn/agent.py"

PRESET = zoo.preset(
    name="qr_dqn",
    folder="qrdqn",
    summary="QR-DQN: the distribution of the return as the values of 201 quantiles",
    paper="Dabney et al. 2018, arXiv 1710.10044",
    agent={
        "value": Quantile(quantiles=201, kappa=1.0),
        "optimizer": zoo.adam(5e-5, 0.01 / 32),
        "max_grad_norm": 10.0,
    },
    own={
        **zoo.OPTAX,
        "value": f"{AGENT}: rlax.quantile_q_learning",
        "value.quantiles": f"{FLAGS}: num_quantiles",
        "value.kappa": f"{FLAGS}: huber_param",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "optimizer": f"{FLAGS}: optax.adam",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.01 / 32",
        "max_grad_norm": f"{FLAGS}: max_global_grad_norm",
    },
    evaluation_epsilon=0.001,
)
