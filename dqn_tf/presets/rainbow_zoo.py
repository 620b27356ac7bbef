"""Rainbow as in DQN Zoo.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/rainbow/run_atari.py` (the flags' defaults), `rainbow/agent.py`,
`networks.py`, `replay.py`.
Paper: Hessel et al. 2018, "Rainbow: Combining Improvements in Deep Reinforcement Learning" (arXiv 1710.02298).
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import zoo

FLAGS, AGENT, NETWORKS = "rainbow/run_atari.py", "rainbow/agent.py", "networks.py"

PRESET = zoo.preset(
    name="rainbow_zoo",
    folder="rainbow",
    summary="Rainbow as in DQN Zoo: C51, Double, dueling, noisy layers, prioritized replay, 3 steps",
    paper="Hessel et al. 2018, arXiv 1710.02298",
    agent={
        "head": Dueling(hidden="separate"),
        "layers": Noisy(sigma_0=0.1, distribution="truncated_normal", scoring="noisy"),
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "bootstrap": Double(),
        "replay": zoo.prioritized(alpha=0.5, start=20_000, largest=100.0),
        "exploration": EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0, decay_steps=1, random_ties=True),
        "optimizer": zoo.adam(2.5e-4 / 4, 0.005 / 32),
        "n_step": 3,
        "target_update_steps": 8_000,
        "min_replay_steps": 20_000,
        "max_grad_norm": 10.0,
    },
    own={
        **zoo.OPTAX,
        **zoo.prioritized_sources(FLAGS, AGENT),
        "head": f"{NETWORKS}: rainbow_atari_network, value and advantage",
        "head.hidden": f"{NETWORKS}: each stream has 512 units of its own",
        "head.torso_gradient": f"{NETWORKS}: no scaling",
        "layers": f"{NETWORKS}: noisy_linear",
        "layers.sigma_0": f"{FLAGS}: noisy_weight_init (the paper: 0.5)",
        "layers.distribution": f"{NETWORKS}: truncated_normal, cut at 2",
        "layers.scoring": f"{FLAGS}: the evaluation acts with noise",
        "value": f"{AGENT}: rlax.categorical_double_q_learning",
        "value.atoms": f"{FLAGS}: num_atoms",
        "value.v_min": f"{FLAGS}: -vmax",
        "value.v_max": f"{FLAGS}: vmax",
        "bootstrap": f"{AGENT}: the online network's q_t selects",
        "exploration.initial_epsilon": f"{AGENT}: no epsilon, the noise explores",
        "exploration.final_epsilon": f"{AGENT}: no epsilon, the noise explores",
        "exploration.decay_steps": "not used: epsilon is 0",
        "exploration.random_ties": f"{AGENT}: rlax.greedy draws among equal values",
        "optimizer": f"{FLAGS}: optax.adam",
        "optimizer.learning_rate": f"{FLAGS}: learning_rate = 0.00025 / 4",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.005 / 32",
        "n_step": f"{FLAGS}: n_steps",
        "target_update_steps": f"{FLAGS}: target_network_update_period = 32,000 frames",
        "min_replay_steps": f"{FLAGS}: min_replay_capacity_fraction 0.02 of 1M",
        "max_grad_norm": f"{FLAGS}: max_global_grad_norm",
    },
    evaluation_epsilon=0.0,
    deviations=("The output layers have a mean bias; DQN Zoo's have noise in their bias but no mean.",),
)
