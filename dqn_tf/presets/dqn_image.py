"""DQN for images of any Gymnasium environment, from boards of a few cells to screens of some 100 x 100 pixels.

No paper prints these settings.  The network halves an image three times, whatever its size, so that nothing is too
small for it; the rest is what the published tables for images have in common, for runs of 100,000 to a few million
frames.  The values are not tuned.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.envs.image_protocol import ImageProtocol
from dqn_tf.modes import Fused
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

OURS, CLEANRL = "ours, not tuned", "as vwxyzjn/cleanrl@04d2c479:cleanrl/dqn_atari.py"
KINGMA = "Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1"

PRESET = Preset(
    name="dqn_image",
    summary="DQN for images of any Gymnasium environment, of any size (MiniGrid, CarRacing, one's own)",
    reference="Mnih et al. 2015's algorithm; settings of this project, not tuned",
    protocol=None,
    agent=AgentConfig(
        network=CNN(channels=(32, 64, 64), kernels=(3, 3, 3), strides=(2, 2, 2), padding="same", hidden=256),
        value=Expected(loss="huber", huber_threshold=1.0),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=100_000),
        exploration=EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.05, decay_steps=50_000, random_ties=False),
        optimizer=Adam(learning_rate=1e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
        n_step=1,
        discount=0.99,
        batch_size=32,
        steps_per_update=4,
        target_update_steps=1_000,
        min_replay_steps=1_000,
        max_grad_norm=10.0,
        execution=Fused(xla="update", threads=1),
    ),
    evaluation=Evaluation(epsilon=0.05, episodes=10, final_episodes=30, final_network="best", period_iterations=1),
    iteration_frames=20_000,
    sources={
        **sources.DQN,
        **sources.CONVOLUTIONS,
        "network": f"{OURS}: convolutions that halve an image, for any size",
        "network.channels": f"{OURS}: as many as in Mnih et al. 2015",
        "network.kernels": f"{OURS}: 3 x 3, the smallest that see all neighbours",
        "network.strides": f"{OURS}: 7 x 7 becomes 1 x 1, 84 x 84 becomes 11 x 11",
        "network.padding": f"{OURS}: no image is too small",
        "network.hidden": OURS,
        "network.initialization": "as in dqn_nature",
        "value.loss": "as in dqn_nature",
        "value.huber_threshold": "as in dqn_nature",
        "replay.capacity": f"{OURS}: a tenth of the Atari papers', for shorter runs",
        "exploration.initial_epsilon": "as in dqn_nature",
        "exploration.final_epsilon": OURS,
        "exploration.decay_steps": OURS,
        "exploration.random_ties": OURS,
        "optimizer": f"{CLEANRL}: Adam",
        "optimizer.learning_rate": f"{CLEANRL}: 1e-4",
        "optimizer.beta_1": KINGMA,
        "optimizer.beta_2": KINGMA,
        "optimizer.epsilon": KINGMA,
        "optimizer.epsilon_form": f"{KINGMA}; section 2, the more efficient order of computation",
        "n_step": "one-step targets",
        "discount": "as in dqn_nature",
        "batch_size": "as in dqn_nature",
        "steps_per_update": "as in dqn_nature",
        "target_update_steps": f"{CLEANRL}: 1,000 steps",
        "min_replay_steps": OURS,
        "max_grad_norm": "as in dqn_classic",
        "execution.xla": "ours: one call for a whole small update (docs/speed.md)",
        "execution.threads": "ours: a small network gains nothing from more",
        "evaluation.epsilon": "as in dqn_nature",
        "evaluation.episodes": OURS,
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": "as in dqn_nature",
        "evaluation.final_network": "as in dqn_nature: DQN does not stay at a solution (docs/classic.md)",
        "evaluation.noops_max": "not used: no no-ops in Gymnasium environments",
        "evaluation.period_iterations": OURS,
        "iteration_frames": OURS,
    },
    rules=ImageProtocol(),
    rules_sources={
        "key": "ours: observations are images",
        "channels": "ours: recognized, or asked for",
        "low": "ours: the observation space says it",
        "high": "ours: the observation space says it",
        "float16": "ours: images are kept exactly",
        "gray": "ours: images as they are",
        "resize": "of no effect without a size",
        "frame_height": "ours: images as they are",
        "frame_width": "ours: images as they are",
        "frame_skip": "ours: a step of the environment is a step",
        "max_frames_pooled": "ours: a step has one frame",
        "stack": "ours: images as they are",
        "stack_padding": "as gymnasium.wrappers.FrameStackObservation, if there is a stack",
        "max_frames_per_episode": "ours: the environment's own limit",
        "time_limit": "a time limit ends no value",
        "reward_clip": "ours: rewards as they are",
    },
)
