"""SPR for 100,000 steps, as in Dopamine's Atari-100k laboratory, whose 100 runs per game are published.

Source: `google/dopamine@5873f54`: `dopamine/labs/atari_100k/configs/SPR.gin`, `spr_agent.py`, `spr_networks.py`,
`replay_memory/subsequence_replay_buffer.py`.
Paper: Schwarzer et al. 2021, "Data-Efficient Reinforcement Learning with Self-Predictive Representations" (arXiv
2007.05929); the settings as in Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.augmentation import PadAndCrop
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.spr import SPR
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.presets import dopamine, drq, zoo

GIN, AGENT, NETWORKS, REPLAY = "SPR.gin", "spr_agent.py", "spr_networks.py", "subsequence_replay_buffer.py"

PRESET = dopamine.preset(
    name="spr_dopamine",
    summary="SPR in Dopamine (Atari 100k): noisy dueling C51 with self-prediction, two updates per step, 10 steps",
    reference="Schwarzer et al. 2021, arXiv 2007.05929; google/dopamine@5873f54:dopamine/labs/atari_100k",
    gin=GIN,
    protocol="atari100k",
    shared_deviations=dopamine.LABORATORY,
    agent={
        "network": NatureCNN(padding="same", hidden=512, initialization="glorot_uniform", latent="min_max"),
        "head": Dueling(hidden="shared"),
        "layers": Noisy(sigma_0=0.5, scoring="mean"),
        "value": Categorical(atoms=51, v_min=-10.0, v_max=10.0),
        "bootstrap": Double(),
        "replay": dopamine.PRIORITIZED,
        "exploration": EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.0, decay_steps=2_001, random_ties=False),
        "optimizer": zoo.adam(1e-4, 1.5e-4),
        "n_step": 10,
        "augmentation": PadAndCrop(pad=4, intensity=0.05),
        "auxiliary": SPR(steps=5, weight=5.0, norm_floor=1e-12),
        "steps_per_update": 1,
        "updates_at_once": 2,
        "target_update_steps": 1,
        "min_replay_steps": 2_000,
    },
    own={
        **zoo.OPTAX,
        **dopamine.PRIORITIZED_SOURCES,
        **drq.augmentation_sources(GIN),
        "network": f"{NETWORKS}: RainbowCNN",
        "network.padding": f"{NETWORKS}: padding = 'SAME' (7744 features)",
        "network.hidden": f"{NETWORKS}: projection, 512 units",
        "network.initialization": f"{NETWORKS}: xavier_uniform (the noisy layers have their own)",
        "network.latent": f"{NETWORKS}: renormalize = True",
        "head": f"{GIN}: dueling = True",
        "head.hidden": f"{NETWORKS}: one hidden layer of 512, the projection, before both streams",
        "head.torso_gradient": f"{NETWORKS}: no scaling",
        "layers": f"{GIN}: noisy = True",
        "layers.sigma_0": f"{NETWORKS}: sigma_init, 0.5 (the laboratory's other agents: 0.1)",
        "layers.distribution": f"{NETWORKS}: random.normal",
        "layers.scoring": f"{NETWORKS}: eval_mode turns the noise off",
        "value": f"{AGENT}: target_output and losses.softmax_cross_entropy_loss_with_logits",
        "value.atoms": f"{GIN}: num_atoms",
        "value.v_min": "full_rainbow_agent.py: -vmax",
        "value.v_max": "full_rainbow_agent.py: default vmax = 10",
        "bootstrap": f"{GIN}: double_dqn = True",
        "replay": f"{GIN}: replay_scheme = 'prioritized'",
        "replay.alpha": f"{AGENT}: priorities are sqrt(dqn_loss + 1e-10), without the auxiliary loss",
        "replay.importance.beta": f"{AGENT}: weights are 1 / sqrt(probability)",
        "replay.capacity": f"{GIN}: replay_capacity = 1,000,000",
        "exploration.initial_epsilon": f"{AGENT}: linearly_decaying_epsilon, not overwritten where noisy",
        "exploration.final_epsilon": f"{GIN}: epsilon_train",
        "exploration.decay_steps": f"{GIN}: epsilon_decay_period = 2,001 (agent steps, after min_replay_history)",
        "exploration.random_ties": "atari_100k_rainbow_agent.py: jnp.argmax takes the first of equal values",
        "optimizer": f"{GIN}: optimizer = 'adam'",
        "optimizer.learning_rate": f"{GIN}: learning_rate = 0.0001",
        "optimizer.epsilon": f"{GIN}: eps = 0.00015",
        "n_step": f"{GIN}: update_horizon = 10",
        "auxiliary": f"{GIN}: SPRAgent",
        "auxiliary.steps": f"{GIN}: jumps = 5",
        "auxiliary.weight": f"{GIN}: spr_weight = 5",
        "auxiliary.batch_norm": f"{NETWORKS}: ConvTMCell makes a NoStatsBatchNorm and does not call it",
        "auxiliary.norm_floor": f"ours: {AGENT} divides by the length itself",
        "auxiliary.clip_apart": "not used: gradients are not clipped",
        "updates_at_once": f"{GIN}: num_updates_per_train_step = 2",
        "target_update_steps": f"{GIN}: target_update_period = 1: a copy after each step's two updates",
        "target_tracking": "full_rainbow_agent.py: _sync_weights copies",
        "evaluation.episodes": f"{GIN}: MaxEpisodeEvalRunner.num_eval_episodes",
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": f"{GIN}: num_eval_episodes",
        "evaluation.period_iterations": "ours: one phase, at the end of the 100,000 steps",
        "iteration_frames": f"{GIN}: Runner.training_steps = 10,000 agent steps",
    },
    deviations=(
        "The target sums n rewards and bootstraps from the state n steps ahead. At this commit the laboratory's, of "
        "this agent alone, has the first reward (its replay's 'reward', beside which 'return' is the sum), gamma^n, "
        "and the state n - 1 steps ahead, and does not see an end in the last of the n steps (spr_agent.py, "
        "subsequence_replay_buffer.py). Whether the published runs had that is not known.",
        "The mask of what followed ends with the episode's last observation, and where n-step returns are not "
        "complete yet. The laboratory's ends two states earlier, is 1 for the whole first row of each batch, and it "
        "draws no transition whose K steps are not complete.",
        "Each layer and each pass has its own noise, one for a batch; Dopamine's layers share a key.",
        "The predictor's initial weights are uniform as the other layers'; Dopamine's have Flax's default there, a "
        "normal distribution of the same variance.",
        "Intensities multiply bytes, which are divided by 255 afterwards; Dopamine divides first.",
    ),
    episodes=None,
    frames=None,
    final_episodes=100,
    period_iterations=0,
)
PRESET = dataclasses.replace(PRESET, iteration_frames=40_000)
