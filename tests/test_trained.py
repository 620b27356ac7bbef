"""``load``: the trained agent of a run answers as the run's evaluations do, and says clearly why it cannot be had."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import dqn_tf
from dqn_tf import determinism, envs
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.parameters import Parameters, build_network
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.config import AgentConfig, Evaluation, RunConfig
from dqn_tf.envs import registered
from dqn_tf.execution.learner import Learner
from dqn_tf.replay.replay import Replay
from dqn_tf.trained import TrainedAgent
from dqn_tf.training import evaluation
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.run import Options, train
from dqn_tf.training.stop import Interrupted

QUIET = Options(checkpoint_frames=30, progress=False)
BEST = Evaluation(epsilon=0.0, episodes=3, final_episodes=4, final_network="best")
IQN = ImplicitQuantile(samples=4, target_samples=4, policy_samples=4, cosines=4)


@pytest.fixture(autouse=True)
def _switches_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(determinism, "enable", lambda threads, required=True: None)


@pytest.fixture
def config(cartpole: Callable[..., RunConfig]) -> RunConfig:
    return cartpole(evaluation=BEST, frames=300, iteration_frames=30)


@pytest.fixture
def run_dir(tmp_path: Path, config: RunConfig) -> Path:
    train(config, tmp_path / "run", QUIET)
    return tmp_path / "run"


def states(number: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=(number, 4)).astype(np.float32)


@pytest.mark.parametrize("network", ["last", "best"])
@pytest.mark.parametrize(
    "idea",
    [{}, {"layers": Noisy()}, {"layers": Noisy(scoring="mean")}, {"value": IQN}],
    ids=["plain", "noisy", "noisy, scored by its means", "fractions"],
)
def test_the_agent_says_what_evaluation_computes(
    tmp_path: Path, config: RunConfig, tiny_agent: Callable[..., AgentConfig], idea: dict[str, object], network: str
) -> None:
    """The same bits as the learner's own scorer, call by call, and so the same scores as ``evaluate``."""
    config = dataclasses.replace(config, agent=tiny_agent(**idea))
    train(config, tmp_path / "run", QUIET)
    agent = dqn_tf.load(tmp_path / "run", network)
    loaded = Store(tmp_path / "run" / "checkpoints", config.hash).load(print)
    assert loaded is not None
    learner = Learner(config.agent, agent.spec, config.seed)
    learner.parameters.restore(loaded[1]["run"]["learner"])
    learner.parameters.set_theta(loaded[1]["run"]["best"]["theta"] if network == "best" else {})
    scorer = learner.scorer("evaluate")
    for _ in range(3):
        np.testing.assert_array_equal(agent.q_values(states(8)), scorer(states(8)).numpy())

    scores = evaluation.play(config, dqn_tf.load(tmp_path / "run", network).q_values, "evaluate", episodes=3)
    found = dqn_tf.evaluate(tmp_path / "run", 3, network=network)
    assert {**evaluation.summary(scores), "network": network}.items() <= found.items()


def test_the_best_network_is_another_one_and_the_default_where_the_run_keeps_it(run_dir: Path) -> None:
    last, best = dqn_tf.load(run_dir, "last"), dqn_tf.load(run_dir, "best")
    assert (last.network, last.frames, best.network) == ("last", 300, "best") and best.frames < 300
    assert (last.q_values(states(2)) != best.q_values(states(2))).any()
    assert dqn_tf.load(run_dir).network == "best"


def test_what_the_agent_knows_of_itself(run_dir: Path, config: RunConfig) -> None:
    agent = dqn_tf.load(run_dir, "last")
    assert agent.config == config and agent.spec.observation.shape == (4,) and agent.spec.action_names == ("0", "1")
    assert repr(agent) == "TrainedAgent(dqn_classic on gym:CartPole-v1, last network, 300 frames, noise: none)"
    q_values = agent.q_values(states(5))
    assert (q_values.shape, q_values.dtype, q_values.flags.writeable) == ((5, 2), np.float32, True)


@pytest.mark.parametrize(("layers", "noise"), [(Noisy(), "on"), (Noisy(scoring="mean"), "off")])
def test_a_noisy_agent_says_whether_its_noise_is_on(
    tmp_path: Path, config: RunConfig, tiny_agent: Callable[..., AgentConfig], layers: Noisy, noise: str
) -> None:
    train(dataclasses.replace(config, frames=60, agent=tiny_agent(layers=layers)), tmp_path / "run", QUIET)
    agent = dqn_tf.load(tmp_path / "run")
    assert agent.noise == noise
    first, second = agent.q_values(states(1)), agent.q_values(states(1))
    assert (first == second).all() == (noise == "off")


def test_acting(run_dir: Path) -> None:
    """Greedy by default; by chance with epsilon, the same actions for the same seed."""
    agent, observation = dqn_tf.load(run_dir), states(1)[0]
    assert agent.act(observation) == agent.q_values(observation[None]).argmax()
    rows = [[dqn_tf.load(run_dir, seed=seed)] * 20 for seed in (1, 1, 2)]
    one, same, other = ([agent.act(observation, epsilon=1.0) for agent in row] for row in rows)
    assert one == same != other and set(one) == {0, 1}


def test_playing_an_episode_in_the_runs_environment(run_dir: Path) -> None:
    agent = dqn_tf.load(run_dir)
    environment = agent.make_environment()
    timestep, steps = environment.reset(), 0
    while not timestep.episode_over:
        timestep, steps = environment.step(agent.act(timestep.observation)), steps + 1
    environment.close()
    assert 5 < steps <= 500


@pytest.mark.parametrize(
    ("observations", "message"),
    [
        (
            np.zeros(4, np.float32),
            "Expected float32 [B, 4] for `observations`, as gym:CartPole-v1 shows them, got float32 [4].",
        ),
        (np.zeros((2, 3), np.float32), "got float32 [2, 3]."),
        (np.zeros((2, 4), np.complex64), "got complex64 [2, 4]."),
        (np.array([["a"] * 4]), "got <U1 [1, 4]."),
    ],
)
def test_observations_of_another_kind_are_refused(
    run_dir: Path, outcome: Callable[..., str], observations: np.ndarray, message: str
) -> None:
    agent = dqn_tf.load(run_dir)
    assert outcome(agent.q_values, observations).endswith(message)
    assert "for `observation`" in outcome(agent.act, np.zeros((1, 4), np.float32))
    assert outcome(agent.act, np.zeros(4), epsilon=2).startswith("Expected a probability in [0, 1] for `epsilon`")
    assert agent.q_values(np.zeros((2, 4), np.float64)).shape == (2, 2)  # numbers are numbers


def test_an_environment_that_only_this_program_has(
    tmp_path: Path, config: RunConfig, outcome: Callable[..., str]
) -> None:
    """It is given where the run is used, as to ``train``."""

    def make() -> gymnasium.Env:
        return gymnasium.make("CartPole-v1")

    def other() -> gymnasium.Env:
        return make()

    own = dataclasses.replace(config, environment=envs.identify(make))
    train(own, tmp_path / "run", QUIET, environment=make)
    registered._given.clear()  # as in another program
    assert "give it" in outcome(dqn_tf.load, tmp_path / "run")
    agent = dqn_tf.load(tmp_path / "run", environment=make)
    train(config, tmp_path / "plain", QUIET)
    np.testing.assert_array_equal(agent.q_values(states(3)), dqn_tf.load(tmp_path / "plain").q_values(states(3)))
    assert dqn_tf.evaluate(tmp_path / "run", 2, environment=make)["episodes"] == 2
    assert outcome(dqn_tf.load, tmp_path / "run", environment=other).startswith("Expected the environment of the conf")


def test_screens_are_bytes(outcome: Callable[..., str]) -> None:
    """Floats between 0 and 1 would be read as black: they are refused."""
    config = dqn_tf.make_config("dqn_nature", "pong", frames=400_000, settings=["network.hidden=8"])
    environment = envs.make(config.environment, config.protocol, 0)
    seen, spec = environment.reset().observation, environment.spec
    environment.close()
    weights = build_network(config.agent, spec, 3).variables
    agent = TrainedAgent(config, "last", 0, {f"online/{i:02d}": np.asarray(v) for i, v in enumerate(weights)}, 0)
    assert agent.act(seen) in range(6) and agent.q_values(seen[None]).shape == (1, 6)
    assert outcome(agent.act, seen / 255) == (
        "Expected uint8 [84, 84, 4] for `observation`, as ale:pong shows them, got float64 [84, 84, 4]."
    )
    assert outcome(agent.act, seen.astype(np.int64)).endswith("got int64 [84, 84, 4].")


def test_tensorflow_may_be_running_already(run_dir: Path) -> None:
    """With threads of its own; a score that is to be compared asks for more, and says so."""
    script = f"""
import tensorflow, numpy, dqn_tf
tensorflow.config.threading.set_intra_op_parallelism_threads(2)
tensorflow.zeros(2) + 1
print(dqn_tf.load({str(run_dir)!r}).q_values(numpy.zeros((1, 4))).shape)
try:
    dqn_tf.evaluate({str(run_dir)!r}, episodes=1)
except dqn_tf.RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("(1, 2)\nExpected to pin TensorFlow to 1 "), done.stdout + done.stderr


def test_an_unfinished_run_and_a_damaged_replay_do(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are all that is read: neither is a replay allocated nor its pieces opened."""

    def stop(self: Parameters) -> None:
        raise Interrupted(15)

    monkeypatch.setattr(Parameters, "sync_target", stop)
    with pytest.raises(Interrupted):
        train(config, tmp_path / "run", QUIET)
    for piece in (tmp_path / "run" / "checkpoints" / "pieces").iterdir():
        piece.write_bytes(b"")
    monkeypatch.setattr(Replay, "__init__", None)
    agent = dqn_tf.load(tmp_path / "run", say=pytest.fail)
    assert (agent.network, agent.frames) == ("last", 20)


def test_what_is_refused(run_dir: Path, config: RunConfig, tmp_path: Path, outcome: Callable[..., str]) -> None:
    load, elsewhere = dqn_tf.load, tmp_path / "elsewhere"
    assert outcome(load, elsewhere) == f"Expected a run directory, got {elsewhere}: there is nothing of this name."
    assert outcome(load, tmp_path) == f"Expected a run directory, got {tmp_path}: it has no config.json."
    assert outcome(load, run_dir, "worst").startswith("Expected last or best for `network`, got 'worst'.")
    with pytest.raises(TypeError):
        load(run_dir, "last", 7)  # type: ignore[misc]  # a seed is named

    newest = max((run_dir / "checkpoints").glob("0*"))
    (newest / "arrays.npz").write_bytes(b"damaged")
    skipped: list[str] = []
    assert load(run_dir, "last", say=skipped.append).frames < 300 and newest.name in skipped[0]
    for path in (run_dir / "checkpoints").glob("0*"):
        (path / "arrays.npz").write_bytes(b"damaged")
    assert outcome(load, run_dir, say=skipped.append).startswith("None of the 2 checkpoints in ")

    data = config.to_json()
    (elsewhere / "checkpoints").mkdir(parents=True)
    (elsewhere / "config.json").write_text(json.dumps(data))
    assert "found none: the run has not saved anything yet." in outcome(load, elsewhere)
    (elsewhere / "config.json").write_text(json.dumps({**data, "schema": 99}))
    assert "It was written by another version of dqn_tf." in outcome(load, elsewhere)


def test_a_run_that_keeps_no_best_network(tmp_path: Path, cartpole: Callable[..., RunConfig]) -> None:
    train(cartpole(), tmp_path / "run", QUIET)
    assert dqn_tf.load(tmp_path / "run").network == "last"
    with pytest.raises(dqn_tf.ConfigError, match="keeps no best network"):
        dqn_tf.load(tmp_path / "run", "best")
