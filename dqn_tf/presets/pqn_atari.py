"""The authors' PQN for Atari games.

Source: `mttga/purejaxql@47af6d7`: `purejaxql/pqn_atari.py` (network and update), `config/alg/pqn_atari.yaml` (values).
CleanRL's PQN for Atari games has other settings: docs/agents/pqn.md.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.torsos import CNN
from dqn_tf.agent.radam import RAdam
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.modes import Rollouts
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FILE, YAML = "pqn_atari.py", "pqn_atari.yaml"
ROLLOUT = 128 * 32  # environments, steps of each

PRESET = Preset(
    name="pqn_atari",
    summary="the authors' PQN for Atari games (128 environments, lives as episodes, no sticky actions)",
    reference="Gallici et al. 2024, arXiv 2407.04811; mttga/purejaxql@47af6d7:purejaxql/pqn_atari.py",
    protocol="envpool",
    agent=AgentConfig(
        network=CNN(
            channels=(32, 64, 64),
            kernels=(8, 4, 3),
            strides=(4, 2, 1),
            hidden=512,
            initialization="he_normal",
            layer_norm="channels",
            layer_norm_epsilon=1e-6,
        ),
        layers=LayerNorm(epsilon=1e-6),
        value=Expected(loss="half_squared"),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=ROLLOUT),
        exploration=EpsilonGreedy(
            initial_epsilon=1.0,
            final_epsilon=0.001,
            decay_steps=5_000_000,
            decay_from="first_step",
            random_ties=False,
        ),
        optimizer=RAdam(learning_rate=2.5e-4, epsilon=1e-8, epsilon_form="corrected"),
        returns=LambdaReturns(trace_decay=0.65),
        n_step=1,
        discount=0.99,
        batch_size=128,
        steps_per_update=ROLLOUT,
        updates_at_once=64,
        target_update_steps=ROLLOUT,
        min_replay_steps=ROLLOUT,
        max_grad_norm=10.0,
        execution=Rollouts(xla="optimizer", threads=2, environments=128, workers=2, shards=2),
    ),
    evaluation=Evaluation(epsilon=0.0, final_episodes=8, period_iterations=0),
    iteration_frames=2_048_000,
    sources={
        **sources.DQN,
        **sources.ROLLOUTS,
        "network": f"{FILE}: CNN",
        "network.channels": f"{FILE}: 32, 64, 64 filters",
        "network.kernels": f"{FILE}: 8, 4, 3",
        "network.strides": f"{FILE}: 4, 2, 1",
        "network.padding": f"{FILE}: VALID (3136 features)",
        "network.hidden": f"{FILE}: Dense(512)",
        "network.initialization": f"{FILE}: he_normal, Flax's default for the output layer",
        "network.latent": sources.CONVOLUTIONS["network.latent"],
        "network.layer_norm": f"{FILE}: nn.LayerNorm(), over the last axis",
        "network.layer_norm_epsilon": "default of Flax's LayerNorm",
        "network.input_scale": f"{FILE}: x / 255",
        "layers.epsilon": "default of Flax's LayerNorm",
        "value.loss": f"{FILE}: 0.5 * square, the mean over the minibatch",
        "value.huber_threshold": "not used by the squared error",
        "exploration.initial_epsilon": f"{YAML}: EPS_START",
        "exploration.final_epsilon": f"{YAML}: EPS_FINISH",
        "exploration.decay_steps": f"{YAML}: EPS_DECAY = 0.1 of 5e7 steps",
        "exploration.random_ties": f"{FILE}: jnp.argmax takes the first of equal values",
        "optimizer": f"{FILE}: optax.radam",
        "optimizer.learning_rate": f"{YAML}: LR",
        "optimizer.beta_1": "default of optax.radam",
        "optimizer.beta_2": "default of optax.radam",
        "optimizer.epsilon": "default of optax.radam",
        "optimizer.epsilon_form": "optax.radam adds epsilon after the bias correction",
        "optimizer.decay_updates": f"{YAML}: LR_LINEAR_DECAY: False",
        "optimizer.decay_period_updates": "not used: the step size is constant",
        "returns.trace_decay": f"{YAML}: LAMBDA",
        "discount": f"{YAML}: GAMMA",
        "batch_size": f"{YAML}: NUM_MINIBATCHES = 32 of 4,096 transitions",
        "steps_per_update": f"{YAML}: NUM_ENVS = 128 times NUM_STEPS = 32",
        "updates_at_once": f"{YAML}: NUM_EPOCHS = 2 times NUM_MINIBATCHES = 32",
        "max_grad_norm": f"{YAML}: MAX_GRAD_NORM",
        "execution.xla": "ours: XLA for what is bound by memory, TensorFlow's own convolutions",
        "execution.environments": f"{YAML}: NUM_ENVS = 128",
        "execution.shards": "ours: two parts of a batch on two threads",
        "evaluation.epsilon": f"{YAML}: EPS_TEST = 0",
        "evaluation.episodes": "not used: no evaluation during training",
        "evaluation.frames": "not used: no evaluation during training",
        "evaluation.final_episodes": f"{YAML}: TEST_ENVS = 8",
        "evaluation.noops_max": "as in training",
        "evaluation.period_iterations": "ours: training returns; theirs are those of 8 environments beside training",
        "iteration_frames": "ours: 125 rollouts",
    },
    deviations=(
        "EnvPool answers the action after an episode's end with the next episode's first observation, and the authors "
        "learn from that as from a step of reward 0; here an episode's first observation costs no step.",
        "After a lost life the stack of frames begins anew, the step stops, and FIRE lasts four frames instead of one "
        "(protocol.stack_padding, protocol.life_loss_training, protocol.fire_on_reset).",
        "The time limit of 108,000 frames cuts an episode off, and the value of its last state counts; theirs ends it.",
        "epsilon falls with every step; theirs with every rollout of 4,096 steps.",
        "decay_steps is that of 50M steps (200M frames).",
    ),
)
