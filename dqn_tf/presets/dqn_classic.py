"""DQN for vector states: small enough to solve CartPole-v1 on a laptop in a minute or two.

No paper prints these settings.  The values marked "issue" are this project's definition of the preset; the others
were chosen by experiment (docs/classic.md) and are marked so.
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

DEFINITION, CHOSEN = "this project's definition of dqn_classic", "ours, by experiment: docs/classic.md"
KINGMA = "Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1"

PRESET = Preset(
    name="dqn_classic",
    summary="DQN for vector states (CartPole-v1 and other Gymnasium environments)",
    reference="Mnih et al. 2015's algorithm on a small network; settings of this project",
    protocol=None,
    agent=AgentConfig(
        network=MLP(hidden=(128, 128), initialization="fan_in_uniform"),
        value=Expected(loss="squared"),
        bootstrap=Greedy(),
        replay=Uniform(),
        storage=Storage(capacity=100_000),
        exploration=EpsilonGreedy(initial_epsilon=1.0, final_epsilon=0.1, decay_steps=10_000, random_ties=False),
        optimizer=Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
        n_step=1,
        discount=0.99,
        batch_size=128,
        steps_per_update=4,
        target_update_steps=200,
        min_replay_steps=1_000,
        max_grad_norm=10.0,
        execution=Fused(xla="update", threads=1),
    ),
    evaluation=Evaluation(epsilon=0.0, episodes=10, final_episodes=100, final_network="best", period_iterations=1),
    iteration_frames=5_000,
    sources={
        **sources.DQN,
        **sources.VECTORS,
        "network": DEFINITION,
        "network.hidden": f"{DEFINITION}: 128-128 ReLU",
        "network.initialization": "as in dqn_nature",
        "value.loss": f"{DEFINITION}: squared error",
        "value.huber_threshold": "not used by the squared error",
        "replay.capacity": f"{DEFINITION}: 100k",
        "exploration.initial_epsilon": CHOSEN,
        "exploration.final_epsilon": CHOSEN,
        "exploration.decay_steps": CHOSEN,
        "exploration.random_ties": CHOSEN,
        "optimizer": f"{DEFINITION}: Adam",
        "optimizer.learning_rate": f"{DEFINITION}: 1e-3",
        "optimizer.beta_1": KINGMA,
        "optimizer.beta_2": KINGMA,
        "optimizer.epsilon": KINGMA,
        "optimizer.epsilon_form": f"{KINGMA}; section 2, the more efficient order of computation",
        "n_step": "one-step targets",
        "discount": f"{DEFINITION}: 0.99",
        "batch_size": CHOSEN,
        "steps_per_update": CHOSEN,
        "target_update_steps": CHOSEN,
        "min_replay_steps": CHOSEN,
        "max_grad_norm": f"{DEFINITION}: global-norm clip 10",
        "execution.xla": "ours: one call for a whole small update (docs/speed.md)",
        "execution.threads": "ours: a network this small gains nothing from more",
        "evaluation.epsilon": "greedy",
        "evaluation.episodes": CHOSEN,
        "evaluation.frames": "not used: the phase is counted in episodes",
        "evaluation.final_episodes": "Gymnasium's definition of solved averages 100 episodes",
        "evaluation.final_network": "as in dqn_nature: DQN does not stay at a solution (docs/classic.md)",
        "evaluation.noops_max": "not used: no no-ops in Gymnasium environments",
        "evaluation.period_iterations": CHOSEN,
        "iteration_frames": CHOSEN,
    },
)
