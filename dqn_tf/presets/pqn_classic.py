"""CleanRL's PQN for classic control, to the letter.

Source: `vwxyzjn/cleanrl@fe8d8a03`: `cleanrl/pqn.py` (all values and the update), `docs/rl-algorithms/pqn.md` (the
scores), `benchmark/pqn.sh` (environments and seeds).  The authors' own settings for CartPole are others:
docs/agents/pqn.md.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.lambda_returns import LambdaReturns
from dqn_tf.agent.networks.layer_norm import LayerNorm
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.radam import RAdam
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.envs.simple_protocols import GymnasiumProtocol
from dqn_tf.modes import Rollouts
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FILE, TORCH = "pqn.py", "torch.optim.RAdam"
ROLLOUT = 4 * 128  # environments, steps of each

PRESET = Preset(
    name="pqn_classic",
    summary="CleanRL's PQN for vector states (CartPole-v1, Acrobot-v1, MountainCar-v0; 500,000 steps)",
    reference="Gallici et al. 2024, arXiv 2407.04811; vwxyzjn/cleanrl@fe8d8a03:cleanrl/pqn.py",
    protocol=None,
    agent=AgentConfig(
        network=MLP(hidden=(120, 84), in_head="all", initialization="orthogonal"),
        layers=LayerNorm(epsilon=1e-5),
        value=Expected(loss="squared"),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=ROLLOUT),
        exploration=EpsilonGreedy(
            initial_epsilon=1.0, final_epsilon=0.05, decay_steps=250_000, decay_from="first_step", random_ties=False
        ),
        optimizer=RAdam(
            learning_rate=2.5e-4, epsilon=1e-8, epsilon_form="hat", decay_updates=976 * 16, decay_period_updates=16
        ),
        returns=LambdaReturns(trace_decay=0.65),
        n_step=1,
        discount=0.99,
        batch_size=128,
        steps_per_update=ROLLOUT,
        updates_at_once=16,
        target_update_steps=ROLLOUT,
        min_replay_steps=ROLLOUT,
        max_grad_norm=10.0,
        execution=Rollouts(xla="update", threads=1, environments=4, workers=0, shards=1),
    ),
    evaluation=Evaluation(epsilon=0.05, final_episodes=10, period_iterations=0),
    iteration_frames=10_000,
    sources={
        **sources.DQN,
        **sources.VECTORS,
        **sources.ROLLOUTS,
        "network": f"{FILE}: QNetwork, fully connected",
        "network.hidden": f"{FILE}: QNetwork, 120 and 84 units",
        "network.initialization": f"{FILE}: layer_init, orthogonal with sqrt(2), zero biases, the output layer too",
        "network.in_head": f"{FILE}: QNetwork, LayerNorm after both hidden layers",
        "layers.epsilon": "default of torch.nn.LayerNorm",
        "value.loss": f"{FILE}: F.mse_loss (no factor 1/2)",
        "value.huber_threshold": "not used by the squared error",
        "exploration.initial_epsilon": f"{FILE}: start_e = 1",
        "exploration.final_epsilon": f"{FILE}: end_e = 0.05",
        "exploration.decay_steps": f"{FILE}: exploration_fraction = 0.5 of total_timesteps = 500,000",
        "exploration.random_ties": f"{FILE}: torch.argmax takes the first of equal values",
        "optimizer": f"{FILE}: optim.RAdam",
        "optimizer.learning_rate": f"{FILE}: learning_rate = 2.5e-4",
        "optimizer.beta_1": f"default of {TORCH}",
        "optimizer.beta_2": f"default of {TORCH}",
        "optimizer.epsilon": f"default of {TORCH}",
        "optimizer.epsilon_form": f"{TORCH} adds epsilon to sqrt(v)",
        "optimizer.decay_updates": f"{FILE}: anneal_lr, over num_iterations = 976 rollouts of 16 updates",
        "optimizer.decay_period_updates": f"{FILE}: the rate is set once for each rollout",
        "returns.trace_decay": f"{FILE}: q_lambda = 0.65",
        "discount": f"{FILE}: gamma = 0.99",
        "batch_size": f"{FILE}: num_minibatches = 4 of 512 transitions",
        "steps_per_update": f"{FILE}: num_envs = 4 times num_steps = 128",
        "updates_at_once": f"{FILE}: update_epochs = 4 times num_minibatches = 4",
        "max_grad_norm": f"{FILE}: max_grad_norm = 10",
        "execution.xla": "ours: one kernel for all updates of a rollout",
        "execution.environments": f"{FILE}: num_envs = 4",
        "execution.shards": "ours: a network this small gains nothing from more",
        "evaluation.epsilon": f"{FILE}: none but training's own, end_e",
        "evaluation.episodes": "not used: no evaluation during training",
        "evaluation.frames": "not used: no evaluation during training",
        "evaluation.final_episodes": "ours: a score after training, for summary.json",
        "evaluation.noops_max": "not used: no no-ops in Gymnasium environments",
        "evaluation.period_iterations": f"{FILE}: none; the scores are training returns",
        "iteration_frames": "ours: rows of iterations.csv",
    },
    deviations=(
        "epsilon is that of each step, from step 0 on; CleanRL's that of the round's end, up to 4 steps of 250,000 "
        "further on.",
        "decay_steps and decay_updates are those of 500,000 steps; with another budget, set exploration.decay_steps "
        "and optimizer.decay_updates.",
        "An episode's start is drawn from a seed of its own; CleanRL seeds each environment once.",
    ),
    rules=GymnasiumProtocol(time_limit="terminal"),
    rules_sources={
        "max_steps_per_episode": f"{FILE}: gym.make, the environment's own limit",
        "time_limit": f"{FILE}: next_done = logical_or(terminations, truncations): the limit is an end",
        "reward_clip": f"{FILE}: rewards as they are",
    },
)
