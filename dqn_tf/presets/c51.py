"""C51 as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/c51/run_atari.py` (the flags' defaults), `c51/agent.py`, `networks.py`.
Paper: Bellemare, Dabney & Munos 2017, "A Distributional Perspective on Reinforcement Learning" (arXiv 1707.06887).
"""

from __future__ import annotations

from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import zoo

FLAGS, AGENT = "c51/run_atari.py", "c51/agent.py"

PRESET = zoo.preset(
    name="c51",
    folder="c51",
    summary="C51: the distribution of the return on 51 atoms",
    paper="Bellemare et al. 2017, arXiv 1707.06887",
    agent={
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "optimizer": zoo.adam(2.5e-4, 0.01 / 32),
        "max_grad_norm": 10.0,
    },
    own={
        **zoo.OPTAX,
        "value": f"{AGENT}: rlax.categorical_q_learning",
        "value.atoms": f"{FLAGS}: num_atoms",
        "value.v_min": f"{FLAGS}: -vmax",
        "value.v_max": f"{FLAGS}: vmax",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "optimizer": f"{FLAGS}: optax.adam",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.01 / 32",
        "max_grad_norm": f"{FLAGS}: max_global_grad_norm",
    },
    evaluation_epsilon=0.001,
)
