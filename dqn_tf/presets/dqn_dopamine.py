"""The settings behind Dopamine's published TensorFlow DQN curves.

Source: `google/dopamine@5873f54`: `dopamine/tf/agents/dqn/configs/dqn.gin` (the values),
`dopamine/tf/agents/dqn/dqn_agent.py` (loss, schedule), `dopamine/discrete_domains/legacy_networks.py` (network).
Paper: Castro et al. 2018, "Dopamine" (arXiv 1812.06110); sticky actions after Machado et al. 2018 (arXiv 1709.06009).
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

GIN, AGENT, NETWORK = "dqn.gin", "dqn_agent.py", "legacy_networks.py"

PRESET = Preset(
    name="dqn_dopamine",
    summary="DQN as in Dopamine's published TensorFlow curves (sticky actions, training returns)",
    reference="Castro et al. 2018, arXiv 1812.06110; google/dopamine@5873f54:dopamine/tf/agents/dqn/configs/dqn.gin",
    protocol="dopamine",
    agent=AgentConfig(
        network=NatureCNN(padding="same", hidden=512, initialization="glorot_uniform"),
        value=Expected(loss="huber", huber_threshold=1.0),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=1_000_000),
        exploration=EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.01, decay_steps=250_000, random_ties=False),
        optimizer=RMSProp(learning_rate=2.5e-4, decay=0.95, epsilon=1e-5, centered=True, initial_mean_square=1.0),
        n_step=1,
        discount=0.99,
        batch_size=32,
        steps_per_update=4,
        target_update_steps=8_000,
        min_replay_steps=20_000,
        max_grad_norm=None,
        execution=Interleaved(),
    ),
    evaluation=Evaluation(epsilon=0.001, frames=500_000, final_episodes=10, period_iterations=1),
    iteration_frames=1_000_000,
    sources={
        **sources.DQN,
        **sources.RMSPROP,
        "network": f"{NETWORK}: NatureDQNNetwork",
        "network.padding": f"{NETWORK}: padding='same' in all three convolutions (7744 features)",
        "network.hidden": f"{NETWORK}: dense1, 512 units",
        "network.initialization": f"{NETWORK}: no initializer given, so Keras's Glorot uniform and zero biases",
        "network.latent": sources.CONVOLUTIONS["network.latent"],
        "value.loss": f"{AGENT}: huber_loss, then the mean over the batch",
        "value.huber_threshold": f"{AGENT}: default delta of tf.compat.v1.losses.huber_loss",
        "replay.capacity": f"{GIN}: WrappedReplayBuffer.replay_capacity",
        "exploration.initial_epsilon": f"{AGENT}: linearly_decaying_epsilon begins at 1",
        "exploration.final_epsilon": f"{GIN}: epsilon_train",
        "exploration.decay_steps": f"{GIN}: epsilon_decay_period (agent steps, after min_replay_history)",
        "exploration.random_ties": f"{AGENT}: tf.argmax takes the first of equal values",
        "optimizer": f"{GIN}: @tf.train.RMSPropOptimizer()",
        "optimizer.learning_rate": f"{GIN}: learning_rate",
        "optimizer.decay": f"{GIN}: decay",
        "optimizer.epsilon": f"{GIN}: epsilon, inside the root in TensorFlow 1's centered kernel",
        "optimizer.centered": f"{GIN}: centered = True, momentum = 0",
        "optimizer.initial_mean_square": "TensorFlow 1's RMSPropOptimizer starts its mean-square slot at ones",
        "n_step": f"{GIN}: update_horizon",
        "discount": f"{GIN}: gamma",
        "batch_size": f"{GIN}: WrappedReplayBuffer.batch_size",
        "steps_per_update": f"{GIN}: update_period",
        "target_update_steps": f"{GIN}: target_update_period (agent steps)",
        "min_replay_steps": f"{GIN}: min_replay_history (agent steps)",
        "max_grad_norm": f"{AGENT}: gradients are not clipped",
        "execution.xla": "ours: how the same arithmetic is compiled",
        "execution.threads": "ours: how many operations run at a time changes no bit of a result",
        "evaluation.epsilon": f"{GIN}: epsilon_eval",
        "evaluation.episodes": "not used: the phase is counted in frames",
        "evaluation.frames": f"{GIN}: Runner.evaluation_steps = 125,000 agent steps",
        "evaluation.final_episodes": "ours: a score after training, for summary.json",
        "evaluation.noops_max": "as in training: Dopamine has no random no-ops",
        "evaluation.period_iterations": f"{GIN}: one phase per iteration",
        "iteration_frames": f"{GIN}: Runner.training_steps = 250,000 agent steps",
    },
    deviations=(
        "An iteration here ends after exactly 250,000 steps; Dopamine finishes the episode that is under way.",
        "A transition is learned from as soon as it is stored; Dopamine's buffer offers it one step later.",
        "Where the frame cap cuts an episode off, the target bootstraps; Dopamine's replay marks it terminal.",
        "An epsilon-greedy draw is random if u < epsilon; Dopamine writes u <= epsilon.",
        "Epsilon at step t is the schedule's value at t; Dopamine has advanced its counter by one.",
        "Both networks start equal; Dopamine draws them separately and first syncs them at step 24,000.",
        "min_replay_steps counts steps; Dopamine also counts three padding rows per episode, so it learns a few "
        "hundred steps earlier.",
        "An evaluation phase plays whole episodes in eight lanes that share its frames; Dopamine plays in sequence.",
    ),
)
