"""The DQN of MinAtar's authors, as in their published curves.

Source: `kenjyoung/MinAtar@4241f24`: `examples/dqn.py`.  The published curves are of this agent; whether of this very
file is not written.
Paper: Young & Tian 2019, "MinAtar: An Atari-Inspired Testbed for Thorough and Reproducible Reinforcement Learning
Experiments" (arXiv 1903.03176).
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.envs.simple_protocols import MinAtarProtocol
from dqn_tf.modes import Fused
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FILE, GAME = "examples/dqn.py", "minatar/environment.py"

PRESET = Preset(
    name="dqn_minatar",
    summary="DQN of MinAtar's authors (five games, six actions, sticky actions; 5M frames)",
    reference="Young & Tian 2019, arXiv 1903.03176; kenjyoung/MinAtar@4241f24:examples/dqn.py",
    protocol=None,
    agent=AgentConfig(
        network=CNN(channels=(16,), kernels=(3,), strides=(1,), hidden=128, initialization="fan_in_uniform"),
        value=Expected(loss="huber", huber_threshold=1.0),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=100_000),
        exploration=EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.1, decay_steps=100_000, random_ties=False),
        optimizer=RMSProp(learning_rate=2.5e-4, decay=0.95, epsilon=0.01, centered=True, epsilon_place="outside"),
        n_step=1,
        discount=0.99,
        batch_size=32,
        steps_per_update=1,
        target_update_steps=1_000,
        min_replay_steps=5_000,
        max_grad_norm=None,
        execution=Fused(xla="update", threads=1),
    ),
    evaluation=Evaluation(epsilon=0.1, final_episodes=10, period_iterations=0),
    iteration_frames=250_000,
    sources={
        **sources.DQN,
        **sources.CONVOLUTIONS,
        "network": f"{FILE}: QNetwork",
        "network.channels": f"{FILE}: 16 filters",
        "network.kernels": f"{FILE}: 3 x 3",
        "network.strides": f"{FILE}: 1",
        "network.padding": f"{FILE}: nn.Conv2d's default, none (1024 features)",
        "network.hidden": f"{FILE}: fc_hidden, 128 units",
        "network.initialization": f"{FILE}: the default of torch's layers, U(+-1/sqrt(fan_in)), biases too",
        "value.loss": f"{FILE}: f.smooth_l1_loss, the mean over the batch",
        "value.huber_threshold": "default beta of torch's smooth_l1_loss",
        "replay.capacity": f"{FILE}: REPLAY_BUFFER_SIZE",
        "exploration.initial_epsilon": f"{FILE}: EPSILON, and random actions before learning starts",
        "exploration.final_epsilon": f"{FILE}: END_EPSILON",
        "exploration.decay_steps": f"{FILE}: FIRST_N_FRAMES, after REPLAY_START_SIZE",
        "exploration.decay_from": f"{FILE}: world_dynamics, t - replay_start_size",
        "exploration.random_ties": f"{FILE}: max takes one of equal values, the first on the CPU",
        "optimizer": f"{FILE}: optim.RMSprop(centered=True)",
        "optimizer.learning_rate": f"{FILE}: STEP_SIZE",
        "optimizer.decay": f"{FILE}: SQUARED_GRAD_MOMENTUM",
        "optimizer.epsilon": f"{FILE}: MIN_SQUARED_GRAD, with the mean over the batch",
        "optimizer.centered": f"{FILE}: centered=True",
        "optimizer.initial_mean_square": "torch.optim.RMSprop starts at zeros",
        "optimizer.epsilon_place": "torch.optim.RMSprop adds epsilon after the root",
        "n_step": f"{FILE}: one-step targets",
        "discount": f"{FILE}: GAMMA",
        "batch_size": f"{FILE}: BATCH_SIZE",
        "steps_per_update": f"{FILE}: TRAINING_FREQ",
        "target_update_steps": f"{FILE}: TARGET_NETWORK_UPDATE_FREQ updates, one each step",
        "min_replay_steps": f"{FILE}: REPLAY_START_SIZE",
        "max_grad_norm": f"{FILE}: gradients are not clipped",
        "execution.xla": "ours: how the same arithmetic is compiled",
        "execution.threads": "ours: how many operations run at a time changes no bit of a result",
        "evaluation.epsilon": f"{FILE}: none but training's own, END_EPSILON",
        "evaluation.episodes": "not used: no evaluation during training",
        "evaluation.frames": "not used: no evaluation during training",
        "evaluation.final_episodes": "ours: a score after training, for summary.json",
        "evaluation.max_steps_per_episode": "ours: the games end by themselves",
        "evaluation.noops_max": "not used: no no-ops in MinAtar",
        "evaluation.period_iterations": f"{FILE}: none; the curves are of training returns",
        "iteration_frames": "ours: the last of 20 is what was read off the published curves (4.75M to 5M frames)",
    },
    deviations=(
        "The first update comes after 5,000 steps, the original's after 5,002, and so do the target network's copies.",
        "The replay has 100,000 rows, and the last observation of an episode takes one too.",
        "The 32 transitions of a batch are drawn with replacement; the original draws them without.",
        "An episode is played in a game of its own with a seed of its own; the original seeds nothing, and an "
        "episode's first sticky action may be the last one of the episode before.",
    ),
    rules=MinAtarProtocol(),
    rules_sources={
        "action_set": f"{FILE}: env.num_actions(), six in every game (v0)",
        "sticky_probability": f"{GAME}: sticky_action_prob = 0.1 by default",
        "difficulty_ramping": f"{GAME}: difficulty_ramping = True by default",
        "max_steps_per_episode": f"{FILE}: episodes end when the game says so",
        "reward_clip": f"{FILE}: rewards as they are",
    },
)
