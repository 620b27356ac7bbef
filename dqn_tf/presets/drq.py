"""DrQ for 100,000 steps with the paper's epsilons, as in Dopamine's Atari-100k laboratory; `drq_eps` has Rainbow's.

Source: `google/dopamine@5873f54`: `dopamine/labs/atari_100k/configs/DrQ.gin` (its comments say what is DrQ's and what
DER's), `atari_100k_rainbow_agent.py`, `dopamine/jax/networks.py` (FullRainbowNetwork).
Paper: Kostrikov, Yarats & Fergus 2021, "Image Augmentation Is All You Need" (arXiv 2004.13649); the settings as in
Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import dataclasses

from dqn_tf.agent.augmentation import PadAndCrop
from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.targets.double import Double
from dqn_tf.presets import Preset, dopamine, zoo

NETWORKS, RAINBOW, LABORATORY = "jax/networks.py", "full_rainbow_agent.py", "atari_100k_rainbow_agent.py"


def preset(name: str, summary: str, reference: str, gin: str, epsilon: float, epsilon_scored: float) -> Preset:
    """DrQ with the epsilons of one of the laboratory's two files, which differ in nothing else.

    Args:
        name: of the preset.
        summary: one line.
        reference: the paper and the code.
        gin: the file's name.
        epsilon: of training, from 5,000 steps after the start of learning on.
        epsilon_scored: of evaluation.

    Returns:
        The preset.
    """
    made = dopamine.preset(
        name=name,
        summary=summary,
        reference=reference,
        gin=gin,
        protocol="atari100k",
        shared_deviations=dopamine.LABORATORY,
        agent={
            "network": NatureCNN(padding="same", hidden=512, initialization="glorot_uniform"),
            "head": Dueling(hidden="shared"),
            "bootstrap": Double(),
            "exploration": EpsilonGreedy(
                initial_epsilon=1.0, final_epsilon=epsilon, decay_steps=5_000, random_ties=False
            ),
            "optimizer": zoo.adam(1e-4, 1.5e-4),
            "n_step": 10,
            "augmentation": PadAndCrop(pad=4, intensity=0.05),
            "steps_per_update": 1,
            "target_update_steps": 1,
            "min_replay_steps": 1_600,
        },
        own=_own(gin),
        deviations=DEVIATIONS,
        epsilon=epsilon_scored,
        episodes=None,
        frames=None,
        final_episodes=100,
        period_iterations=0,
    )
    return dataclasses.replace(made, iteration_frames=40_000)


def augmentation_sources(gin: str) -> dict[str, str]:
    """The sources of the laboratory's augmentation.

    Args:
        gin: the name of the agent's gin file.

    Returns:
        Sources by path.
    """
    return {
        "augmentation": f"{gin}: data_augmentation = True",
        "augmentation.pad": f"{LABORATORY}: drq_image_augmentation, img_pad=4; offsets from 0 to 7, so shifts -4 to 3",
        "augmentation.intensity": f"{LABORATORY}: _intensity_aug, scale=0.05",
    }


def _own(gin: str) -> dict[str, str]:
    return {
        **zoo.OPTAX,
        "network": f"{NETWORKS}: FullRainbowNetwork",
        "network.initialization": f"{NETWORKS}: xavier_uniform, zero biases",
        "head": f"{gin}: dueling = True",
        "head.hidden": f"{NETWORKS}: a single hidden layer of 512 before both streams",
        "head.torso_gradient": f"{NETWORKS}: no scaling",
        "layers": f"{gin}: noisy = False",
        "value": f"{gin}: distributional = False, num_atoms = 1",
        "value.loss": f"{RAINBOW}: huber_loss, as {LABORATORY} has mse_loss=False",
        "value.huber_threshold": f"{RAINBOW}: default delta of losses.huber_loss",
        "bootstrap": f"{gin}: double_dqn = True",
        "replay": f"{gin}: replay_scheme = 'uniform'",
        "exploration.decay_steps": f"{gin}: epsilon_decay_period = 5,000 (agent steps, after min_replay_history)",
        "exploration.random_ties": f"{LABORATORY}: jnp.argmax takes the first of equal values",
        "optimizer": f"{gin}: optimizer = 'adam'",
        "optimizer.learning_rate": f"{gin}: learning_rate = 0.0001, there said to be DER's",
        "optimizer.epsilon": f"{gin}: eps = 0.00015, there said to be DER's",
        "n_step": f"{gin}: update_horizon = 10",
        **augmentation_sources(gin),
        "updates_at_once": f"{gin}: num_updates_per_train_step = 1",
        "target_update_steps": f"{gin}: target_update_period = 1: theta^- is theta before each update",
        "evaluation.episodes": f"{gin}: MaxEpisodeEvalRunner.num_eval_episodes",
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": f"{gin}: num_eval_episodes",
        "evaluation.period_iterations": "ours: one phase, at the end of the 100,000 steps",
        "iteration_frames": f"{gin}: Runner.training_steps = 10,000 agent steps",
    }


DEVIATIONS = (
    "Intensities multiply bytes, which are divided by 255 afterwards; Dopamine divides first. The same to float32 "
    "rounding.",
    "The paper may average targets and losses over several views of a state, and clips gradients to a norm of 10 "
    "(remembered from the paper, not read in a source); Dopamine's laboratory, and this, take one and do not clip.",
)
PRESET = preset(
    name="drq",
    summary="DrQ (Atari 100k): Double dueling DQN with random shifts and intensities, one update per step, 10 steps",
    reference="Kostrikov et al. 2021, arXiv 2004.13649; google/dopamine@5873f54:dopamine/labs/atari_100k",
    gin="DrQ.gin",
    epsilon=0.1,
    epsilon_scored=0.05,
)
