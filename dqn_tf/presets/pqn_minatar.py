"""The authors' PQN for MinAtar.

Source: `mttga/purejaxql@47af6d7`: `purejaxql/pqn_minatar.py` (network and update), `config/alg/pqn_minatar.yaml`
(values).  They play MinAtar's games in another implementation (gymnax), whose differences are among the deviations.
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
from dqn_tf.envs.simple_protocols import MinAtarProtocol
from dqn_tf.modes import Rollouts
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FILE, YAML = "pqn_minatar.py", "pqn_minatar.yaml"
GYMNAX = "gymnax@0e0f688, environments/minatar"
ROLLOUT = 128 * 32  # environments, steps of each

PRESET = Preset(
    name="pqn_minatar",
    summary="the authors' PQN for MinAtar (minimal action sets, no sticky actions; 10M frames)",
    reference="Gallici et al. 2024, arXiv 2407.04811; mttga/purejaxql@47af6d7:purejaxql/pqn_minatar.py",
    protocol=None,
    agent=AgentConfig(
        network=CNN(
            channels=(16,),
            kernels=(3,),
            strides=(1,),
            hidden=128,
            initialization="he_normal",
            layer_norm="channels",
            layer_norm_epsilon=1e-6,
            input_scale=1 / 255,
        ),
        layers=LayerNorm(epsilon=1e-6),
        value=Expected(loss="half_squared"),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=ROLLOUT),
        exploration=EpsilonGreedy(
            initial_epsilon=1.0, final_epsilon=0.05, decay_steps=1_000_000, decay_from="first_step", random_ties=False
        ),
        optimizer=RAdam(learning_rate=5e-4, epsilon=1e-8, epsilon_form="corrected", decay_updates=2_441 * 64),
        returns=LambdaReturns(trace_decay=0.65),
        n_step=1,
        discount=0.99,
        batch_size=128,
        steps_per_update=ROLLOUT,
        updates_at_once=64,
        target_update_steps=ROLLOUT,
        min_replay_steps=ROLLOUT,
        max_grad_norm=10.0,
        execution=Rollouts(xla="update", threads=1, environments=128, workers=0, shards=1),
    ),
    evaluation=Evaluation(epsilon=0.0, final_episodes=128, period_iterations=0),
    iteration_frames=512_000,
    sources={
        **sources.DQN,
        **sources.ROLLOUTS,
        "network": f"{FILE}: CNN",
        "network.channels": f"{FILE}: 16 filters",
        "network.kernels": f"{FILE}: 3 x 3",
        "network.strides": f"{FILE}: 1",
        "network.padding": f"{FILE}: VALID (1024 features)",
        "network.hidden": f"{FILE}: Dense(128)",
        "network.initialization": f"{FILE}: he_normal, Flax's default for the output layer",
        "network.latent": sources.CONVOLUTIONS["network.latent"],
        "network.layer_norm": f"{FILE}: nn.LayerNorm(), over the last axis",
        "network.layer_norm_epsilon": "default of Flax's LayerNorm",
        "network.input_scale": f"{FILE}: x / 255, of zeros and ones too",
        "layers.epsilon": "default of Flax's LayerNorm",
        "value.loss": f"{FILE}: 0.5 * square, the mean over the minibatch",
        "value.huber_threshold": "not used by the squared error",
        "exploration.initial_epsilon": f"{YAML}: EPS_START",
        "exploration.final_epsilon": f"{YAML}: EPS_FINISH",
        "exploration.decay_steps": f"{YAML}: EPS_DECAY = 0.1 of 1e7 steps",
        "exploration.random_ties": f"{FILE}: jnp.argmax takes the first of equal values",
        "optimizer": f"{FILE}: optax.radam",
        "optimizer.learning_rate": f"{YAML}: LR",
        "optimizer.beta_1": "default of optax.radam",
        "optimizer.beta_2": "default of optax.radam",
        "optimizer.epsilon": "default of optax.radam",
        "optimizer.epsilon_form": "optax.radam adds epsilon after the bias correction",
        "optimizer.decay_updates": f"{YAML}: LR_LINEAR_DECAY, over 2,441 rollouts of 64 updates (to 1e-20 there)",
        "optimizer.decay_period_updates": f"{FILE}: optax.linear_schedule, every update",
        "returns.trace_decay": f"{YAML}: LAMBDA",
        "discount": f"{YAML}: GAMMA",
        "batch_size": f"{YAML}: NUM_MINIBATCHES = 32 of 4,096 transitions",
        "steps_per_update": f"{YAML}: NUM_ENVS = 128 times NUM_STEPS = 32",
        "updates_at_once": f"{YAML}: NUM_EPOCHS = 2 times NUM_MINIBATCHES = 32",
        "max_grad_norm": f"{YAML}: MAX_GRAD_NORM",
        "execution.xla": "ours: one kernel for all updates of a rollout",
        "execution.environments": f"{YAML}: NUM_ENVS = 128",
        "execution.shards": "ours: a network this small gains nothing from more",
        "evaluation.epsilon": f"{YAML}: EPS_TEST = 0",
        "evaluation.episodes": "not used: no evaluation during training",
        "evaluation.frames": "not used: no evaluation during training",
        "evaluation.final_episodes": f"{YAML}: TEST_NUM_ENVS = 128, each for one episode and more",
        "evaluation.max_steps_per_episode": "ours: the protocol's limit comes first",
        "evaluation.noops_max": "not used: no no-ops in MinAtar",
        "evaluation.period_iterations": "ours: training returns are compared; theirs is every 5 % (TEST_INTERVAL)",
        "iteration_frames": "ours: 125 rollouts",
    },
    deviations=(
        "MinAtar's own games are played; the authors play gymnax's, which are written anew: no sticky actions and a "
        "limit of 1,000 steps are set here as they are there; what else differs is not known.",
        "A time limit cuts an episode off, and the value of its last state counts; in gymnax it ends the value.",
        "epsilon falls with every step; theirs with every rollout of 4,096 steps.",
        "decay_steps and decay_updates are those of 10M steps.",
        "An episode is played in a game of its own with a seed of its own.",
    ),
    rules=MinAtarProtocol(
        action_set="minimal", sticky_probability=0.0, difficulty_ramping=True, max_steps_per_episode=1_000
    ),
    rules_sources={
        "action_set": f"{GYMNAX}: use_minimal_action_set = True by default (breakout.py)",
        "sticky_probability": f"{GYMNAX}: every action is played as given (breakout.py)",
        "difficulty_ramping": "MinAtar's default; in gymnax a field of each game's parameters, not read",
        "max_steps_per_episode": f"{GYMNAX}: max_steps_in_episode = 1000 (breakout.py)",
        "reward_clip": f"{FILE}: rewards as they are",
    },
)
