"""The fifteen agents of "Revisiting Rainbow" on classic control and MinAtar.

Paper: Obando-Ceron & Castro 2021, "Revisiting Rainbow" (arXiv 2011.14826); its text was not read.
Source: `JohanSamir/revisiting_rainbow@7cd2bc6`: `Configs/*.gin` (values, a file for each agent class and environment),
`Agents/dqn_agent_new.py`, `Agents/rainbow_agent_new.py`, `networks_new.py`; `google/dopamine@ba26834` (3.1.8, November
2020, when the figures appeared): `run_experiment.py`, `jax/agents/dqn/dqn_agent.py`, `prioritized_replay_buffer.py`.

The agents are DQN, DQN and one idea, Rainbow, and Rainbow without one.  The files hold DQN (`dqn_*.gin`) and Rainbow
(`rainbow_*.gin`) whole, and a switch for each idea.  Which file the agents between the two were run from is not told:
here it is that of the agent class that has the idea.  C51 exists in the Rainbow class alone, so DQN and C51 has the
Rainbow file's learning rate and periods, and Rainbow without C51 the DQN file's.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Literal, NamedTuple

from dqn_tf.agent.exploration import EpsilonGreedy
from dqn_tf.agent.networks.dense import Dense
from dqn_tf.agent.networks.dueling import Dueling
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.single import Single
from dqn_tf.agent.networks.torsos import CNN, MLP
from dqn_tf.agent.optimizers import Adam
from dqn_tf.agent.targets.double import Double
from dqn_tf.agent.targets.greedy import Greedy
from dqn_tf.agent.targets.munchausen import Munchausen
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.expected import Expected
from dqn_tf.config import AgentConfig, Evaluation
from dqn_tf.envs.simple_protocols import GymnasiumProtocol, MinAtarProtocol
from dqn_tf.modes import Fused
from dqn_tf.presets import Preset, sources
from dqn_tf.presets.dopamine import PRIORITIZED_SOURCES
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform

RAINBOW = frozenset({"double", "prioritized", "dueling", "multi_step", "distributional", "noisy"})
IDEAS: dict[str, frozenset[str]] = {
    "rr_dqn": frozenset(),
    **{f"rr_dqn_{idea}": frozenset({idea}) for idea in (*sorted(RAINBOW), "munchausen")},
    "rr_rainbow": RAINBOW,
    **{f"rr_rainbow_no_{idea}": RAINBOW - {idea} for idea in sorted(RAINBOW)},
}


class Values(NamedTuple):
    """The values that differ between the files of the environments.

    Attributes:
        file: the environment's name in the files' names.
        low, high: bounds of the inputs [D]; () for none.
        target_update_steps: agent steps between two copies to the target network.
        dqn_rate: learning rate of the DQN file.
        rainbow_rate: learning rate of the Rainbow file.
        rainbow_steps_per_update: of the Rainbow file, in agent steps.
        v_max: of C51; v_min is its negative.
        iteration_steps: agent steps of an iteration.
        most_steps: agent steps after which an episode is cut off.
    """

    file: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    target_update_steps: int
    dqn_rate: float
    rainbow_rate: float
    rainbow_steps_per_update: int
    v_max: float
    iteration_steps: int
    most_steps: int


CARTPOLE = (2.4, 5.0, math.pi / 12, 2 * math.pi)
ACROBOT = (1.0, 1.0, 1.0, 1.0, 5.0, 5.0)
ENVIRONMENTS = {
    "gym:CartPole-v0": Values("cartpole", tuple(-x for x in CARTPOLE), CARTPOLE, 100, 1e-3, 1e-4, 2, 200.0, 1_000, 200),
    "gym:Acrobot-v1": Values("acrobot", tuple(-x for x in ACROBOT), ACROBOT, 100, 1e-3, 1e-4, 2, 200.0, 1_000, 500),
    "gym:LunarLander-v3": Values("lunarlander", (), (), 300, 1e-3, 1e-3, 4, 300.0, 4_000, 1_000),
    "gym:MountainCar-v0": Values("mountaincar", (-1.2, -0.07), (0.6, 0.07), 100, 1e-2, 1e-4, 2, 100.0, 1_000, 600),
}
MINATAR = {  # file of each game
    "minatar:asterix": "asterix",
    "minatar:breakout": "breakout",
    "minatar:freeway": "freeway",
    "minatar:seaquest": "seaquest",
    "minatar:space_invaders": "invaders",
}
HUBER = "minatar:asterix"  # the one file of DQN with mse_inf = False
NETWORK, RUNNER, AGENT = "networks_new.py", "Dopamine's run_experiment.py", "Dopamine's dqn_agent.py"
BUFFER = "Dopamine's prioritized_replay_buffer.py"
LUNAR = (
    "LunarLander-v3 stands for LunarLander-v2, which Gymnasium has no more: v3 resets the wind with each episode, and "
    "there is no wind here.",
)
DEVIATIONS = (
    "Noise is the same for a layer's inputs of every layer of that size in the original, drawn once for all (see "
    "layers.redraw); here each layer has its own.",
    "Uniform draws are one from each of 128 equal parts in the original (a sum tree of equal priorities); here "
    "independent.",
    "An iteration ends after exactly 1,000 (4,000) steps; the original finishes the episode that is under way, so it "
    "trains longer: on MountainCar by up to a fifth while episodes last 600 steps.",
    "Training starts with the first step after 500; the original asks for more than 500 transitions.",
    "Time limits end the value, as in Dopamine up to 3.1.8. From 3.1.9 on they do not, and the observation after the "
    "cut is that of the next episode; the repository asks for 3.1.10, which came after the figures.",
)


@functools.cache
def preset(name: str) -> Preset:
    """One of ``IDEAS``, with the values of CartPole and, under ``environments``, of each environment."""
    found = {environment: _preset(name, environment) for environment in ENVIRONMENTS}
    found |= {game: _minatar(name, game) for game in MINATAR}
    return dataclasses.replace(found["gym:CartPole-v0"], environments=found)


def _preset(name: str, environment: str) -> Preset:
    values, ideas = ENVIRONMENTS[environment], IDEAS[name]
    kind: Literal["dqn", "rainbow"] = "rainbow" if "distributional" in ideas else "dqn"
    gin = f"{kind}_{values.file}.gin"
    agent = _agent(values, ideas)
    evaluation = Evaluation(epsilon=0.001, final_episodes=10, period_iterations=0)
    return Preset(
        name=name,
        summary=f'"Revisiting Rainbow": {_words(name)}',
        reference=f"Obando-Ceron & Castro 2021, arXiv 2011.14826; JohanSamir/revisiting_rainbow@7cd2bc6:Configs/{gin}",
        protocol=None,
        agent=agent,
        evaluation=evaluation,
        iteration_frames=values.iteration_steps,
        sources=sources.complete(agent, evaluation, sources.DQN, _sources(gin, kind, ideas)),
        deviations=DEVIATIONS + (LUNAR if values.file == "lunarlander" else ()),
        rules=GymnasiumProtocol(
            max_steps_per_episode=values.most_steps, time_limit="terminal", reward_clip=(-1.0, 1.0)
        ),
        rules_sources={
            "max_steps_per_episode": f"{gin}: Runner.max_steps_per_episode (gym_lib.py takes Gym's own limit away)",
            "time_limit": f"{RUNNER}, _end_episode, and {AGENT}, end_episode: terminal, up to Dopamine 3.1.8",
            "reward_clip": f"{RUNNER}: clip_rewards = True by default; scores are of raw rewards",
        },
    )


def _minatar(name: str, game: str) -> Preset:
    """The values of one MinAtar game."""
    ideas = IDEAS[name]
    kind = "rainbow" if "distributional" in ideas else "dqn"
    gin = f"{kind}_{MINATAR[game]}.gin"
    classic = _preset(name, "gym:CartPole-v0")
    agent = _minatar_agent(classic.agent, ideas, huber=game == HUBER)
    said = {**_sources(gin, kind, ideas), **_minatar_sources(gin, kind, ideas)}
    game_file = "minatar/environment.py, which minatar_env.py takes as it is"
    return dataclasses.replace(
        classic,
        reference=f"Obando-Ceron & Castro 2021, arXiv 2011.14826; JohanSamir/revisiting_rainbow@7cd2bc6:Configs/{gin}",
        agent=agent,
        iteration_frames=1_000_000,
        sources=sources.complete(agent, classic.evaluation, sources.DQN, said),
        rules=MinAtarProtocol(reward_clip=(-1.0, 1.0)),
        rules_sources={
            "action_set": "minatar_env.py: num_actions(), six in every game",
            "sticky_probability": f"{game_file}: 0.1 by default",
            "difficulty_ramping": f"{game_file}: on by default",
            "max_steps_per_episode": f"{gin}: Runner.max_steps_per_episode, 100 million, is never reached",
            "reward_clip": f"{RUNNER}: clip_rewards = True by default (of Seaquest's rewards some are above 1)",
        },
    )


def _minatar_agent(classic: AgentConfig, ideas: frozenset[str], huber: bool) -> AgentConfig:
    """What the files of MinAtar change: network, replay, clocks, epsilon, loss."""
    noisy, distributional = "noisy" in ideas, "distributional" in ideas
    value = Categorical(atoms=51, v_min=-100.0, v_max=100.0)
    expected = Expected(loss="huber" if huber else "squared", priority="loss")
    return dataclasses.replace(
        classic,
        network=CNN(
            channels=(16,), kernels=(3,), strides=(1,), padding="same", hidden=None, initialization="glorot_uniform"
        ),
        head=Dueling(hidden="separate") if "dueling" in ideas else Single(),
        value=value if distributional else expected,
        bootstrap=Munchausen(alpha=0.9, tau=0.03, log_policy_min=-1.0) if "munchausen" in ideas else classic.bootstrap,
        storage=Storage(capacity=100_000),
        exploration=EpsilonGreedy(
            initial_epsilon=0.01 if noisy else 1.0,
            final_epsilon=0.01,
            decay_steps=1 if noisy else 250_000,
            random_ties=False,
        ),
        optimizer=_adam(1e-4 if distributional else 2.5e-4),
        batch_size=32,
        steps_per_update=4,
        target_update_steps=1_000,
        min_replay_steps=1_000,
        execution=Fused(xla="update", threads=1),
    )


def _minatar_sources(gin: str, kind: str, ideas: frozenset[str]) -> dict[str, str]:
    """Of what is not as on classic control."""
    file = f"{kind}_agent_new.py"
    linear = f"{gin}: epsilon_fn = linearly_decaying_epsilon"
    constant = f"{file}: identity_epsilon where noisy, whatever the gin file says"
    epsilon = constant if "noisy" in ideas else linear
    return {
        "network": f"{gin}: net_conf = 'minatar'",
        "network.channels": f"{NETWORK}: 16 filters",
        "network.kernels": f"{NETWORK}: 3 x 3",
        "network.strides": f"{NETWORK}: 1",
        "network.padding": f"{NETWORK}: flax's default, SAME (1600 features)",
        "network.hidden": f"{gin}: hidden_layer = 0",
        "head.hidden": f"{NETWORK}: no hidden layer in either stream",
        "value.loss": f"{gin}: mse_inf; {file}: mse_loss (no factor 1/2) or huber_loss",
        "value.huber_threshold": f"{AGENT}: huber_loss, delta = 1",
        "bootstrap.alpha": f"{gin}: alpha = 0.9",
        "bootstrap.tau": f"{gin}: tau = 0.03",
        "bootstrap.log_policy_min": f"{gin}: clip_value_min = -1",
        "exploration.initial_epsilon": epsilon,
        "exploration.final_epsilon": f"{epsilon}; {AGENT}: epsilon_train = 0.01",
        "exploration.decay_steps": f"{AGENT}: epsilon_decay_period = 250,000 (not used where noisy)",
        "exploration.decay_from": f"{AGENT}: linearly_decaying_epsilon, after the warm-up",
        "execution.xla": "ours: how the same arithmetic is compiled",
    }


def _words(name: str) -> str:
    base, _, idea = name.removeprefix("rr_").partition("_")
    word = {"multi_step": "multi-step", "distributional": "distributional (C51)"}.get(idea.removeprefix("no_"))
    word = word or idea.removeprefix("no_")
    base = {"dqn": "DQN", "rainbow": "Rainbow"}[base]
    return f"{base} - {word}" if idea.startswith("no_") else f"{base} + {word}" if idea else base


def _agent(values: Values, ideas: frozenset[str]) -> AgentConfig:
    distributional = "distributional" in ideas
    weights = Importance(beta=0.5, beta_final=0.5, divided_by="batch_max")
    prioritized = Prioritized(alpha=0.5, importance=weights, epsilon=1e-10, stratified=True)
    c51 = Categorical(atoms=51, v_min=-values.v_max, v_max=values.v_max)
    return AgentConfig(
        network=MLP(
            hidden=(512, 512),
            initialization="glorot_uniform",
            in_head="all",
            input_low=values.low,
            input_high=values.high,
        ),
        head=Dueling(hidden="shared") if "dueling" in ideas else Single(),
        layers=Noisy(sigma_0=0.1, scoring="noisy", redraw="never") if "noisy" in ideas else Dense(),
        value=c51 if distributional else Expected(loss="squared", priority="loss"),
        bootstrap=_bootstrap(ideas),
        replay=prioritized if "prioritized" in ideas else Uniform(),
        storage=Storage(capacity=50_000),
        exploration=EpsilonGreedy(initial_epsilon=0.01, final_epsilon=0.01, decay_steps=1, random_ties=False),
        optimizer=_adam(values.rainbow_rate if distributional else values.dqn_rate),
        n_step=3 if "multi_step" in ideas else 1,
        discount=0.99,
        batch_size=128,
        steps_per_update=values.rainbow_steps_per_update if distributional else 4,
        target_update_steps=values.target_update_steps,
        min_replay_steps=500,
        max_grad_norm=None,
        execution=Fused(xla="update", threads=1),
    )


def _adam(learning_rate: float) -> Adam:
    return Adam(learning_rate=learning_rate, beta_1=0.9, beta_2=0.999, epsilon=3.125e-4, epsilon_form="corrected")


def _bootstrap(ideas: frozenset[str]) -> Greedy | Double | Munchausen:
    if "munchausen" in ideas:
        return Munchausen(alpha=1.0, tau=100.0, log_policy_min=-1e3)
    return Double() if "double" in ideas else Greedy()


def _sources(gin: str, kind: str, ideas: frozenset[str]) -> dict[str, str]:
    """Of every field that some of the agents have."""
    file = f"{kind}_agent_new.py"
    return {
        **sources.adam("create_optimizer", "flax.optim.Adam adds epsilon after the bias correction"),
        **{path: text.replace("rainbow_agent.py", file) for path, text in PRIORITIZED_SOURCES.items()},
        "replay": f"{gin}: replay_scheme (switched for this agent)",
        "replay.capacity": f"{gin}: OutOfGraphPrioritizedReplayBuffer.replay_capacity",
        "replay.stratified": f"{BUFFER}: stratified_sample",
        "replay.uniform_share": f"{BUFFER}: no uniform draws",
        **_network_sources(gin),
        "value": f"{file}: {'cross-entropy of a projected distribution' if kind == 'rainbow' else 'mse_loss'}",
        "value.loss": f"{gin}: mse_inf = True; {file}: mse_loss (no factor 1/2)",
        "value.huber_threshold": "not used by the squared error",
        "value.priority": f"{file}: sqrt(loss + 1e-10)",
        "value.atoms": f"{gin}: num_atoms = 51",
        "value.v_min": f"{file}: -vmax",
        "value.v_max": f"{gin}: vmax",
        "bootstrap": f"{gin}: {'double_dqn' if kind == 'rainbow' else 'target_opt'} (switched for this agent)",
        "bootstrap.alpha": f"{gin}: alpha = 1",
        "bootstrap.tau": f"{gin}: tau = 100",
        "bootstrap.log_policy_min": f"{gin}: clip_value_min = -1e3",
        **_schedule_sources(gin, file),
    }


def _network_sources(gin: str) -> dict[str, str]:
    return {
        "network": f"{gin}: net_conf = 'classic'",
        "network.hidden": f"{gin}: hidden_layer = 2, neurons = 512",
        "network.initialization": f"{gin}: variance_scaling, scale 1, fan_avg, uniform; biases of 0",
        "network.in_head": f"{NETWORK}: every layer may be noisy",
        "network.input_low": f"{NETWORK}: env_inf, MIN_VALS, where it has the environment",
        "network.input_high": f"{NETWORK}: env_inf, MAX_VALS, where it has the environment",
        "head": f"{gin}: dueling (switched for this agent)",
        "head.hidden": f"{NETWORK}: both streams follow the shared hidden layers",
        "head.torso_gradient": f"{NETWORK}: no scaling",
        "layers": f"{gin}: noisy (switched for this agent)",
        "layers.sigma_0": f"{NETWORK}: sigma_init, 0.1",
        "layers.distribution": f"{NETWORK}: jax.random.normal, factorized",
        "layers.scoring": f"{NETWORK}: nothing turns the noise off",
        "layers.redraw": f"{NETWORK}: prn_inf keeps the keys of the first call, so the noise is drawn once",
    }


def _schedule_sources(gin: str, file: str) -> dict[str, str]:
    """Of exploration, optimizer, clocks, execution and evaluation."""
    return {
        "exploration.initial_epsilon": f"{gin}: epsilon_fn = identity_epsilon; {AGENT}: epsilon_train = 0.01",
        "exploration.final_epsilon": f"{gin}: epsilon_fn = identity_epsilon; {AGENT}: epsilon_train = 0.01",
        "exploration.decay_steps": "not used: epsilon is constant",
        "exploration.decay_from": "not used: epsilon is constant",
        "exploration.random_ties": f"{file}: jnp.argmax takes the first of equal values",
        "optimizer": f"{gin}: optimizer = 'adam'",
        "optimizer.learning_rate": f"{gin}: create_optimizer.learning_rate",
        "optimizer.epsilon": f"{gin}: create_optimizer.eps",
        "n_step": f"{gin}: update_horizon (switched for this agent: 3 with multi-step, 1 without)",
        "discount": f"{gin}: gamma",
        "batch_size": f"{gin}: OutOfGraphPrioritizedReplayBuffer.batch_size",
        "steps_per_update": f"{gin}: update_period",
        "target_update_steps": f"{gin}: target_update_period (agent steps)",
        "min_replay_steps": f"{gin}: min_replay_history",
        "max_grad_norm": f"{file}: gradients are not clipped",
        "execution.xla": "ours: one kernel for a whole small update",
        "execution.threads": "ours: how many operations run at a time changes no bit of a result",
        "evaluation.epsilon": f"{AGENT}: epsilon_eval = 0.001",
        "evaluation.episodes": "not used: TrainRunner does not evaluate",
        "evaluation.frames": "not used: TrainRunner does not evaluate",
        "evaluation.final_episodes": "ours: a score after training, for summary.json",
        "evaluation.max_steps_per_episode": "not reached: the protocol cuts episodes off before",
        "evaluation.noops_max": "not used: no no-ops in Gymnasium environments",
        "evaluation.period_iterations": f"{RUNNER}: TrainRunner has no evaluation phase",
        "iteration_frames": f"{gin}: Runner.training_steps",
    }
