"""Overtrained Rainbow for 100,000 steps, as in Dopamine's Atari-100k laboratory.

Source: `google/dopamine@5873f54`: `dopamine/labs/atari_100k/configs/OTRainbow.gin`, `atari_100k_rainbow_agent.py`,
`dopamine/jax/networks.py` (FullRainbowNetwork).
Paper: Kielak 2020, "Do recent advancements in model-based deep reinforcement learning really improve data efficiency?"
(arXiv 2003.10181); the settings as in Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import dopamine, zoo

GIN, NETWORKS = "OTRainbow.gin", "jax/networks.py"

PRESET = dopamine.preset(
    name="otrainbow",
    summary="Overtrained Rainbow (Atari 100k): eight updates per step; not Double, dueling or noisy",
    reference="Kielak 2020, arXiv 2003.10181; google/dopamine@5873f54:dopamine/labs/atari_100k",
    gin=GIN,
    protocol="atari100k",
    shared_deviations=dopamine.LABORATORY,
    agent={
        "network": NatureCNN(padding="same", hidden=512, initialization="glorot_uniform"),
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "replay": dopamine.PRIORITIZED,
        "exploration": EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.01, decay_steps=50_000, random_ties=False),
        "optimizer": zoo.adam(6.25e-5, 1.5e-4),
        "n_step": 3,
        "steps_per_update": 1,
        "updates_at_once": 8,
        "target_update_steps": 500,
        "min_replay_steps": 20_000,
    },
    own={
        **zoo.OPTAX,
        **dopamine.PRIORITIZED_SOURCES,
        "network.initialization": f"{NETWORKS}: xavier_uniform, zero biases",
        "head": f"{GIN}: dueling = False",
        "layers": f"{GIN}: noisy = False",
        "value": "full_rainbow_agent.py: project_distribution and cross-entropy",
        "value.atoms": f"{GIN}: num_atoms",
        "value.v_min": "full_rainbow_agent.py: -vmax",
        "value.v_max": f"{GIN}: vmax",
        "bootstrap": f"{GIN}: double_dqn = False",
        "optimizer": f"{GIN}: optimizer = 'adam'",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.0000625",
        "optimizer.epsilon": f"{GIN}: eps = 0.00015",
        "updates_at_once": f"{GIN}: num_updates_per_train_step = 8",
        "evaluation.episodes": f"{GIN}: MaxEpisodeEvalRunner.num_eval_episodes",
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": f"{GIN}: num_eval_episodes",
        "evaluation.period_iterations": "ours: one phase, at the end of the 100,000 steps",
        "iteration_frames": f"{GIN}: Runner.training_steps = 10,000 agent steps",
    },
    episodes=None,
    frames=None,
    final_episodes=100,
    period_iterations=0,
)
PRESET = dataclasses.replace(PRESET, iteration_frames=40_000)
