"""CleanRL's DQN for classic control, to the letter.

Source: `vwxyzjn/cleanrl@fe8d8a03`: `cleanrl/dqn.py` (all values and the update), `cleanrl_utils/buffers.py` (sampling),
`docs/rl-algorithms/dqn.md` (the scores), `benchmark/dqn.sh` (environments and seeds).  The page got its scores
by 714e786d, whose `dqn.py` has the same settings.
"""

from __future__ import annotations

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.torsos import MLP
from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.modes import Fused
from dqn_tf.presets import Preset, sources
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

FILE = "dqn.py"
TORCH = "torch.nn.Linear's default: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases"

PRESET = Preset(
    name="dqn_cleanrl",
    summary="CleanRL's DQN for vector states (CartPole-v1, Acrobot-v1, MountainCar-v0; 500,000 steps)",
    reference="Huang et al. 2022, CleanRL (arXiv 2111.08819); vwxyzjn/cleanrl@fe8d8a03:cleanrl/dqn.py",
    protocol=None,
    agent=AgentConfig(
        network=MLP(hidden=(120, 84), initialization="fan_in_uniform"),
        value=Expected(loss="squared"),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=10_000),
        exploration=EpsilonGreedy(
            initial_epsilon=1.0, final_epsilon=0.05, decay_steps=250_000, decay_from="first_step", random_ties=False
        ),
        optimizer=Adam(learning_rate=2.5e-4, beta_1=0.9, beta_2=0.999, epsilon=1e-8, epsilon_form="corrected"),
        n_step=1,
        discount=0.99,
        batch_size=128,
        steps_per_update=10,
        target_update_steps=500,
        min_replay_steps=10_000,
        max_grad_norm=None,
        execution=Fused(xla="update", threads=1),
    ),
    evaluation=Evaluation(epsilon=0.05, final_episodes=10, period_iterations=0),
    iteration_frames=10_000,
    sources={
        **sources.DQN,
        **sources.VECTORS,
        **sources.adam("torch.optim.Adam", "torch.optim.Adam adds epsilon after the bias correction"),
        "network": f"{FILE}: QNetwork, fully connected",
        "network.hidden": f"{FILE}: QNetwork, 120 and 84 units, ReLU",
        "network.initialization": f"{FILE}: {TORCH}",
        "value.loss": f"{FILE}: F.mse_loss (no factor 1/2)",
        "value.huber_threshold": "not used by the squared error",
        "replay.capacity": f"{FILE}: buffer_size = 10,000",
        "exploration.initial_epsilon": f"{FILE}: start_e = 1",
        "exploration.final_epsilon": f"{FILE}: end_e = 0.05",
        "exploration.decay_steps": f"{FILE}: exploration_fraction = 0.5 of total_timesteps = 500,000",
        "exploration.decay_from": f"{FILE}: linear_schedule, from step 0 on",
        "exploration.random_ties": f"{FILE}: torch.argmax takes the first of equal values",
        "optimizer": f"{FILE}: optim.Adam",
        "optimizer.learning_rate": f"{FILE}: learning_rate = 2.5e-4",
        "optimizer.epsilon": "default of torch.optim.Adam",
        "n_step": f"{FILE}: one-step targets",
        "discount": f"{FILE}: gamma = 0.99",
        "batch_size": f"{FILE}: batch_size = 128",
        "steps_per_update": f"{FILE}: train_frequency = 10",
        "target_update_steps": f"{FILE}: target_network_frequency = 500 (agent steps), tau = 1",
        "min_replay_steps": f"{FILE}: learning_starts = 10,000",
        "max_grad_norm": f"{FILE}: gradients are not clipped (removed in 714e786d, with the scores)",
        "execution.xla": "ours: one kernel for a whole small update",
        "execution.threads": "ours: a network this small gains nothing from more",
        "evaluation.epsilon": f"{FILE}: after training, evaluate(..., epsilon = end_e)",
        "evaluation.episodes": "not used: no evaluation during training",
        "evaluation.frames": "not used: no evaluation during training",
        "evaluation.final_episodes": f"{FILE}: eval_episodes = 10",
        "evaluation.noops_max": "not used: no no-ops in Gymnasium environments",
        "evaluation.period_iterations": f"{FILE}: none during training; the scores are training returns",
        "iteration_frames": "ours: rows of iterations.csv",
    },
    deviations=(
        "The replay has 10,000 rows, and the last observation of an episode takes one too; CleanRL's 10,000 are all "
        "transitions (episodes of 20 steps: 5 % fewer here, of 200: 0.5 %).",
        "The first update comes after 10,000 steps and the first copy of the target network with it; CleanRL's first "
        "update after 10,011, its first copy after 10,501: one update of 49,000 more, and one step of phase.",
        "decay_steps is the half of 500,000 steps; with another budget, set exploration.decay_steps.",
        "An episode's start is drawn from a seed of its own; CleanRL seeds the environment once.",
    ),
)
