"""DQN as in the Nature paper.

Paper: Mnih et al. 2015, "Human-level control through deep reinforcement learning" (doi 10.1038/nature14236), Methods
and Extended Data Table 1.  Where the paper is silent or at odds with its released code (`deepmind/dqn`: `run_gpu`,
`dqn/NeuralQLearner.lua`, `dqn/train_agent.lua`), the source below says which was followed.
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

TABLE, METHODS, LUA, RUN = "Extended Data Table 1", "Methods", "NeuralQLearner.lua", "run_gpu"

PRESET = Preset(
    name="dqn_nature",
    summary="DQN of the Nature paper: 200M frames, no-op starts, life loss ends training episodes",
    reference="Mnih et al. 2015, doi 10.1038/nature14236; code: deepmind/dqn",
    protocol="nature2015",
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
    evaluation=Evaluation(epsilon=0.05, frames=540_000, final_episodes=30, final_network="best", period_iterations=1),
    iteration_frames=1_000_000,
    sources={
        **sources.DQN,
        **sources.RMSPROP,
        "network": f'{METHODS}, "Model architecture"',
        "network.padding": f'{METHODS}, "Model architecture": 3136 features (the code pads its first layer)',
        "network.hidden": f'{METHODS}, "Model architecture": 512 rectifier units',
        "network.initialization": "Torch 7 default of the layers in dqn/convnet.lua: U(+-1/sqrt(fan_in)), biases too",
        "network.latent": sources.CONVOLUTIONS["network.latent"],
        "value.loss": f'{METHODS}, "Training details": error term clipped to [-1, 1], the gradient of the Huber loss',
        "value.huber_threshold": f"{RUN}: clip_delta=1",
        "replay.capacity": f"{TABLE}: replay memory size (experiences = agent steps)",
        "exploration.initial_epsilon": f"{TABLE}: initial exploration",
        "exploration.final_epsilon": f"{TABLE}: final exploration",
        "exploration.decay_steps": f"{RUN}: eps_endt=replay_memory=1e6 agent steps; {TABLE} says frames (of the agent)",
        "exploration.random_ties": f"{LUA}: greedy() draws among equal values",
        "optimizer": f"{TABLE}: RMSProp with gradient and squared gradient momentum; {LUA}: centered",
        "optimizer.learning_rate": f"{TABLE}: learning rate",
        "optimizer.decay": f"{TABLE}: gradient momentum = squared gradient momentum = 0.95, the two averages of {LUA}",
        "optimizer.epsilon": f"{TABLE}: min squared gradient 0.01 on the batch sum; / 32^2 for our batch mean",
        "optimizer.centered": f"{LUA}: sqrt(g2 - g^2 + 0.01)",
        "optimizer.initial_mean_square": f"{LUA}: both averages start at zero",
        "n_step": f'{METHODS}, "Training algorithm for deep Q-networks": one-step targets',
        "discount": f"{TABLE}: discount factor",
        "batch_size": f"{TABLE}: minibatch size",
        "steps_per_update": f"{TABLE}: update frequency",
        "target_update_steps": f"{LUA}: every 10,000 agent steps ({TABLE}: 'parameter updates', four times as long)",
        "min_replay_steps": f"{TABLE}: replay start size",
        "max_grad_norm": f"{LUA}: gradients are not clipped",
        "execution.xla": "ours: how the same arithmetic is compiled",
        "execution.threads": "ours: how many operations run at a time changes no bit of a result",
        "evaluation.epsilon": f'{METHODS}, "Evaluation procedure": 0.05',
        "evaluation.episodes": "not used: the phase is counted in frames",
        "evaluation.frames": f"{METHODS}: 135,000 agent steps of evaluation; {RUN} has eval_steps=125000",
        "evaluation.final_episodes": f'{METHODS}, "Evaluation procedure": 30 episodes of up to 5 minutes',
        "evaluation.final_network": "the paper scores the best network of training",
        "evaluation.noops_max": "as in training: up to 30 no-ops",
        "evaluation.period_iterations": f"{RUN}: eval_freq=250000 agent steps, one phase per iteration",
        "iteration_frames": f"{RUN}: eval_freq=250000 agent steps",
    },
    deviations=(
        "The network's first convolution is not padded (see network.padding).",
        "Learning begins at step 50,000; the released code's first update is at 50,004.",
        "Evaluation has its own environment and whole episodes; the released code cuts off the training episode.",
        "The released code draws 512 transitions at once and serves batches from them; here each batch is drawn fresh.",
    ),
)
