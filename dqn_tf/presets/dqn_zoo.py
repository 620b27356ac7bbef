"""DQN as in DQN Zoo, DeepMind's JAX reproduction.

Source: `google-deepmind/dqn_zoo@45061f4:dqn_zoo/dqn/run_atari.py` (the flags' defaults) and `dqn_zoo/dqn/agent.py`.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import NatureCNN
from dqn_tf.agent.optimizers import RMSProp
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.modes import Interleaved
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FLAGS, AGENT, NETWORKS = "dqn/run_atari.py", "dqn/agent.py", "networks.py"

PRESET = Preset(
    name="dqn_zoo",
    summary="DQN as in DeepMind's DQN Zoo (antialiased resize, life loss as discount 0)",
    reference="Quan & Ostrovski 2020, google-deepmind/dqn_zoo@45061f4:dqn_zoo/dqn",
    protocol="dqn_zoo",
    agent=AgentConfig(
        network=NatureCNN(padding="valid", hidden=512, initialization="fan_in_uniform"),
        value=Expected(loss="huber", huber_threshold=1.0),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=1_000_000),
        exploration=EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.1, decay_steps=1_000_000, random_ties=True),
        optimizer=RMSProp(
            learning_rate=2.5e-4, decay=0.95, epsilon=0.01 / 32**2, centered=True, initial_mean_square=0.0
        ),
        n_step=1,
        discount=0.99,
        batch_size=32,
        steps_per_update=4,
        target_update_steps=10_000,
        min_replay_steps=50_000,
        max_grad_norm=None,
        execution=Interleaved(),
    ),
    evaluation=Evaluation(epsilon=0.05, frames=500_000, final_episodes=10, period_iterations=1),
    iteration_frames=1_000_000,
    sources={
        **sources.DQN,
        **sources.RMSPROP,
        "network": f"{NETWORKS}: dqn_torso and dqn_value_head",
        "network.padding": f"{NETWORKS}: padding VALID",
        "network.hidden": f"{NETWORKS}: 512",
        "network.initialization": f"{NETWORKS}: uniform in +-1/sqrt(fan_in), weights and biases",
        "network.latent": sources.CONVOLUTIONS["network.latent"],
        "value.loss": f"{AGENT}: half squared error, gradient of each error clipped",
        "value.huber_threshold": f"{FLAGS}: grad_error_bound = 1/32 on the batch mean, 1 on each error",
        "replay.capacity": f"{FLAGS}: replay_capacity",
        "exploration.initial_epsilon": f"{FLAGS}: exploration_epsilon_begin_value",
        "exploration.final_epsilon": f"{FLAGS}: exploration_epsilon_end_value",
        "exploration.decay_steps": f"{FLAGS}: exploration_epsilon_decay_frame_fraction 0.02 of 200M frames = 4M frames",
        "exploration.random_ties": f"{AGENT}: distrax.EpsilonGreedy, whose argmax draws among equal values",
        "optimizer": f"{FLAGS}: optax.rmsprop(centered=True)",
        "optimizer.learning_rate": f"{FLAGS}: learning_rate",
        "optimizer.decay": f"{FLAGS}: decay",
        "optimizer.epsilon": f"{FLAGS}: optimizer_epsilon = 0.01 / 32^2",
        "optimizer.centered": f"{FLAGS}: centered=True",
        "optimizer.initial_mean_square": "optax.rmsprop starts both averages at zero",
        "n_step": f"{AGENT}: one-step transitions",
        "discount": f"{FLAGS}: additional_discount",
        "batch_size": f"{FLAGS}: batch_size",
        "steps_per_update": f"{FLAGS}: learn_period = 16 frames",
        "target_update_steps": f"{FLAGS}: target_network_update_period = 40,000 frames",
        "min_replay_steps": f"{FLAGS}: min_replay_capacity_fraction 0.05 of 1M",
        "max_grad_norm": f"{AGENT}: gradients are not clipped by norm",
        "execution.xla": "ours: how the same arithmetic is compiled",
        "execution.threads": "ours: how many operations run at a time changes no bit of a result",
        "evaluation.epsilon": f"{FLAGS}: eval_exploration_epsilon",
        "evaluation.episodes": "not used: the phase is counted in frames",
        "evaluation.frames": f"{FLAGS}: num_eval_frames",
        "evaluation.final_episodes": "ours: a score after training, for summary.json",
        "evaluation.noops_max": "as in training: 1 to 30 no-op frames",
        "evaluation.period_iterations": f"{FLAGS}: one phase per iteration",
        "iteration_frames": f"{FLAGS}: num_train_frames",
    },
    deviations=(
        "An evaluation phase plays whole episodes in eight lanes; DQN Zoo plays in sequence and cuts the last off.",
        "Training episodes go on across iterations; DQN Zoo begins a new environment with every iteration.",
        "Frames are those of agent steps; DQN Zoo also counts the first time step of an episode as a frame.",
    ),
)
