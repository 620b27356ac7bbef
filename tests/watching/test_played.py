"""What is kept of an episode is what the agent did, and what its predictions say."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf import envs
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.values.categorical import Categorical
from dqn_tf.agent.values.fqf import FQF
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.agent.values.quantile import Quantile
from dqn_tf.config import RunConfig
from dqn_tf.trained import TrainedAgent
from dqn_tf.training import evaluation
from dqn_tf.types import StepType
from dqn_tf.watching import played
from dqn_tf.watching.distributions import MOST_QUANTILES

pytestmark = pytest.mark.usefixtures("threads_left_alone")
ATOMS = Categorical(atoms=5, v_min=-1.0, v_max=3.0)
IQN = ImplicitQuantile(samples=4, target_samples=4, policy_samples=4, cosines=4)


@pytest.fixture(autouse=True)
def _nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time; test_watch_page.py has it."""
    monkeypatch.setattr(played._Player, "_screen", lambda self, answer: None)


@pytest.mark.parametrize("ideas", [{}, {"layers": Noisy(), "value": ATOMS}], ids=["plain", "noisy"])
def test_the_first_episode_is_that_of_evaluate(untrained: Callable[..., TrainedAgent], ideas: dict[str, Any]) -> None:
    agent, again = untrained(**ideas), untrained(**ideas)
    found = played.play(agent, 2, 0.3, most_steps=100)
    (score,) = evaluation.play(agent.config, again.q_values, "evaluate", episodes=1, epsilon=0.3)
    first, second = found.episodes
    assert (first.return_raw, len(first.moments) - 1, first.ending) == (
        score.return_raw,
        score.length_steps,
        "terminated",
    )
    assert [m.screen for m in first.moments] == [None] * len(first.moments)
    assert not np.array_equal(first.moments[0].vector, second.moments[0].vector)
    taken = [m for m in first.moments if m.action is not None]
    assert first.moments[-1].action is first.moments[-1].q is None and len(taken) == len(first.moments) - 1
    assert any(m.random for m in taken) and all(m.q.argmax() == m.action for m in taken if not m.random)


def test_td_errors_by_hand(untrained: Callable[..., TrainedAgent]) -> None:
    """The last one looks at no value beyond the end; a cut episode ends with a state that still has values."""
    agent = untrained(discount=0.9)
    moments = played.play(agent, 1, 0.5, most_steps=500).episodes[0].moments
    for now, after in itertools.pairwise(moments):
        best = 0.0 if after.q is None else 0.9 * float(after.q.max())
        assert now.td_error == pytest.approx(1.0 + best - float(now.q[now.action]), abs=1e-6)
    assert moments[-2].td_error == pytest.approx(1.0 - moments[-2].q[moments[-2].action], abs=1e-6)
    cut = played.play(agent, 1, 0.0, most_steps=3).episodes[0]
    assert (len(cut.moments), cut.ending) == (4, "cut") and cut.moments[-1].q is not None


def test_rewards_are_clipped_as_the_learner_gets_them(
    cartpole: Callable[..., RunConfig], agent_of: Callable[..., TrainedAgent]
) -> None:
    protocol = envs.GymnasiumProtocol(reward_clip=(-0.25, 0.25))
    moments = played.play(agent_of(cartpole(protocol=protocol)), 1, 1.0, most_steps=200).episodes[0].moments
    assert moments[-2].reward == 1.0
    assert moments[-2].td_error == pytest.approx(0.25 - moments[-2].q[moments[-2].action], abs=1e-6)


def test_only_legal_actions_count(
    monkeypatch: pytest.MonkeyPatch, cartpole: Callable[..., RunConfig], agent_of: Callable[..., TrainedAgent]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "envs")
    config = cartpole(environment=envs.identify("masked:Doors", {"steps": 30}))
    for episode in played.play(agent_of(config), 3, 0.0, most_steps=50).episodes:
        for now, after in zip(episode.moments[:-1], episode.moments[1:], strict=True):
            assert now.legal[now.action] and now.q[now.action] == now.q[now.legal].max()
            best = 0.0 if after.q is None else 0.99 * float(after.q[after.legal].max())
            assert now.td_error == pytest.approx(now.reward + best - now.q[now.action], abs=1e-5)


@pytest.mark.parametrize(
    ("ideas", "number"),
    [
        ({"value": ATOMS, "layers": Noisy()}, 5),
        ({"value": Quantile(quantiles=4)}, 4),
        ({"value": Quantile(quantiles=200), "layers": Noisy()}, MOST_QUANTILES),
        ({"value": IQN}, 4),
        ({"value": FQF(fractions=4, cosines=4)}, 4),
    ],
    ids=["noisy atoms", "quantiles", "many noisy quantiles", "implicit", "fractions"],
)
def test_the_mean_of_a_distribution_is_the_q_value(
    untrained: Callable[..., TrainedAgent], ideas: dict[str, Any], number: int
) -> None:
    """Of a noisy agent it is so for every draw only if the distribution has the noise that the agent acted with."""
    found = played.play(untrained(**ideas), 1, 0.0, most_steps=4)
    assert found.kind is not None and found.kind.number == number
    for moment in found.episodes[0].moments[:4]:
        assert moment.dist.shape == (2, number)
        if found.kind.support:
            support = np.linspace(*found.kind.support, number)
            np.testing.assert_allclose(moment.dist @ support, moment.q, atol=1e-5)
            continue
        assert (np.diff(moment.dist) >= 0).all()
        close = 1e-6 if number == ideas["value"].outputs_per_action else 0.15  # other fractions, or fewer of them
        np.testing.assert_allclose(moment.dist.mean(axis=1), moment.q, atol=close)


def test_an_agent_of_expected_values_has_no_distribution(untrained: Callable[..., TrainedAgent]) -> None:
    found = played.play(untrained(), 1, 0.0, most_steps=2)
    assert found.kind is None and found.episodes[0].moments[0].dist is None


def test_a_lost_life_is_no_end_of_the_episode(
    monkeypatch: pytest.MonkeyPatch, untrained: Callable[..., TrainedAgent]
) -> None:
    """The agent's episode begins anew with the game's next state; the return goes on."""
    agent = untrained()
    real = agent.make_environment

    def losing(*words: Any, **more: Any) -> Any:
        environment, steps = real(*words, **more), 0
        step = environment.step

        def once(action: int) -> Any:
            nonlocal steps
            steps += 1
            answer = step(action)
            lost = {"step_type": StepType.LAST, "discount": 0.0}
            return answer._replace(**lost) if steps == 2 else answer

        monkeypatch.setattr(environment, "step", once)
        reset = environment.reset
        monkeypatch.setattr(environment, "reset", lambda: environment.last if steps == 2 else reset())
        return environment

    monkeypatch.setattr(agent, "make_environment", losing)
    episode = played.play(agent, 1, 0.0, most_steps=5).episodes[0]
    assert len(episode.moments) == 6 and episode.ending == "cut"
    lost = episode.moments[1]
    assert lost.td_error == pytest.approx(1.0 - lost.q[lost.action], abs=1e-6)
    assert episode.moments[2].q is not None and episode.moments[2].action is not None


@pytest.mark.parametrize("stack", [1, 2])
def test_panels_are_what_the_network_sees(pictures: Callable[..., TrainedAgent], stack: int) -> None:
    """Colored pictures frame by frame, oldest first; bytes as they are."""
    agent = pictures({}, envs.ImageProtocol(stack=stack))
    found = played.play(agent, 1, 0.0, most_steps=3)
    environment = agent.make_environment(played.STREAM)
    observation = environment.reset().observation
    environment.close()
    panels = played.panels_of(observation, agent.spec.observation)
    assert len(panels) == stack == len(found.episodes[0].moments[0].panels)
    per_frame = observation.reshape(*observation.shape[:2], -1, stack)
    for index, panel in enumerate(panels):
        np.testing.assert_array_equal(panel.reshape(per_frame.shape[:3]), per_frame[..., index])
