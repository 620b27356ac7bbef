"""Data-efficient Rainbow for 100,000 steps, as in Dopamine's Atari-100k laboratory.

Source: `google/dopamine@5873f54`: `dopamine/labs/atari_100k/configs/DER.gin`, `atari_100k_rainbow_agent.py`,
`dopamine/jax/networks.py` (FullRainbowNetwork).
Paper: van Hasselt, Hessel & Aslanides 2019, "When to use parametric models in reinforcement learning?" (arXiv
1906.05243); the settings as in Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import dopamine, zoo

GIN, NETWORKS, RAINBOW = "DER.gin", "jax/networks.py", "full_rainbow_agent.py"

PRESET = dopamine.preset(
    name="der",
    summary="Data-efficient Rainbow (Atari 100k): one update per step, 10 steps",
    reference="van Hasselt et al. 2019, arXiv 1906.05243; google/dopamine@5873f54:dopamine/labs/atari_100k",
    gin=GIN,
    protocol="atari100k",
    shared_deviations=dopamine.LABORATORY,
    agent={
        "network": NatureCNN(padding="same", hidden=512, initialization="glorot_uniform"),
        "head": Dueling(hidden="shared"),
        "layers": Noisy(sigma_0=0.1, scoring="mean"),
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "bootstrap": Double(),
        "replay": dopamine.PRIORITIZED,
        "exploration": EpsilonGreedy(initial_epsilon=0.0, final_epsilon=0.0, decay_steps=2_000, random_ties=False),
        "optimizer": zoo.adam(1e-4, 1.5e-4),
        "n_step": 10,
        "steps_per_update": 1,
        "target_update_steps": 2_000,
        "min_replay_steps": 1_600,
    },
    own={
        **zoo.OPTAX,
        **dopamine.PRIORITIZED_SOURCES,
        "network.initialization": f"{NETWORKS}: xavier_uniform (the noisy layers have their own)",
        "head": f"{GIN}: dueling = True",
        "head.hidden": f"{NETWORKS}: a single hidden layer of 512 before both streams",
        "head.torso_gradient": f"{NETWORKS}: no scaling",
        "layers": f"{GIN}: noisy = True",
        "layers.sigma_0": f"{NETWORKS}: sigma_init, 0.1 (the paper: 0.5)",
        "layers.distribution": f"{NETWORKS}: jax.random.normal",
        "layers.scoring": f"{NETWORKS}: eval_mode turns the noise off",
        "value": "full_rainbow_agent.py: project_distribution and cross-entropy",
        "value.atoms": f"{GIN}: num_atoms",
        "value.v_min": "full_rainbow_agent.py: -vmax",
        "value.v_max": f"{GIN}: vmax",
        "bootstrap": f"{GIN}: double_dqn = True",
        "exploration.initial_epsilon": f"{RAINBOW}: zero_epsilon where noisy, whatever the gin file says",
        "exploration.final_epsilon": f"{RAINBOW}: zero_epsilon where noisy, whatever epsilon_train says",
        "exploration.decay_steps": f"{GIN}: epsilon_decay_period; not used, epsilon is 0",
        "exploration.decay_from": "not used: epsilon is 0",
        "optimizer": f"{GIN}: optimizer = 'adam'",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.0001",
        "optimizer.epsilon": f"{GIN}: eps = 0.00015",
        "n_step": f"{GIN}: update_horizon = 10 (the paper: 20)",
        "target_update_steps": f"{GIN}: target_update_period = 2,000 (one update per step)",
        "evaluation.episodes": f"{GIN}: MaxEpisodeEvalRunner.num_eval_episodes",
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": f"{GIN}: num_eval_episodes",
        "evaluation.period_iterations": "ours: one phase, at the end of the 100,000 steps",
        "iteration_frames": f"{GIN}: Runner.training_steps = 10,000 agent steps",
    },
    deviations=(
        "Each layer and each pass has its own noise, one for a batch; Dopamine's layers share a key, each example has "
        "its own.",
        "The paper's data-efficient network (hidden layer of 256, larger strides) is not Dopamine's, nor this one, but "
        "that of der_paper.",
        "When rliable's runs were published (August 2021) the same file had a constant epsilon of 0.01 "
        "(google/dopamine@ffb4f36, identity_epsilon) and DER.gin a target period of 8,000 steps, corrected in November "
        "(c67e2c3); which of them those runs had is not known. `der_2021` of the protocol atari100k has the epsilon.",
    ),
    episodes=None,
    frames=None,
    final_episodes=100,
    period_iterations=0,
)
PRESET = dataclasses.replace(PRESET, iteration_frames=40_000)
