"""PQN against the programs that were published: CleanRL's in PyTorch, the authors' in JAX (pqn_answers.py).

    python tests/independent/test_pqn.py          # writes results/independent/pqn.json, for docs/independent.md

The same weights, rollouts and minibatches give the same targets, losses and updated weights, to float32 rounding.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqn_tf.agent.lambda_returns import lambda_returns
from dqn_tf.config import AgentConfig
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.rollout_updater import Experience, RolloutUpdater
from dqn_tf.modes import Rollouts
from dqn_tf.presets import load
from dqn_tf.replay.storage import Storage
from dqn_tf.training.rollout import Rollout
from dqn_tf.types import EnvironmentSpec, ObservationSpec

HERE = Path(__file__).parent


def _script() -> Any:
    spec = importlib.util.spec_from_file_location("pqn_answers", HERE / "pqn_answers.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()
ANSWERS = dict(np.load(HERE / "pqn.npz"))
INPUTS = SCRIPT.inputs()


def sized(agent: AgentConfig, rollout: int, updates: int, environments: int, **changes: Any) -> AgentConfig:
    """An agent with rollouts of so many transitions, and as many updates on each; nothing compiled."""
    return dataclasses.replace(
        agent,
        storage=Storage(capacity=rollout),
        steps_per_update=rollout,
        updates_at_once=updates,
        target_update_steps=rollout,
        min_replay_steps=rollout,
        execution=Rollouts(xla="none", threads=1, environments=environments, workers=0),
        **changes,
    )


def made(agent: AgentConfig, spec: EnvironmentSpec, weights: list[np.ndarray]) -> tuple[Learner, RolloutUpdater]:
    learner = Learner(agent, spec, seed=0)
    for variable, values in zip(learner.online.variables, weights, strict=True):
        variable.assign(values)
    return learner, RolloutUpdater(learner, spec, seed=0)


def all_updates(updater: RolloutUpdater, experience: Experience, rollout: int, updates: int) -> list[Any]:
    outputs: list[Any] = []
    while len(outputs) < updates:
        outputs += updater.update(experience, rollout, len(outputs))
    return outputs


def cleanrl() -> dict[str, float]:
    """Differences of 48 updates on three rollouts, of the targets and of the weights' changes."""
    t, e, x = SCRIPT.T, SCRIPT.E, INPUTS
    spec = EnvironmentSpec(ObservationSpec((4,), "float32"), ("left", "right"), 1)
    preset = load("pqn_classic").agent
    constant = dataclasses.replace(preset.optimizer, decay_updates=None)
    updates = SCRIPT.EPOCHS * SCRIPT.MINIBATCHES
    agent = sized(preset, t * e, updates, e, batch_size=t * e // SCRIPT.MINIBATCHES, optimizer=constant)
    learner, updater = made(agent, spec, x["cleanrl"])
    updater.order = lambda r: x["order"][r].reshape(updates, -1).astype(np.int32)  # type: ignore[method-assign]
    worst = 0.0
    for r in range(SCRIPT.ROLLOUTS):
        rollout = Rollout(t, e, spec.observation)
        for k in range(t):
            over = x["dones"][r, k + 1] > 0
            rollout.add(
                observations=x["obs"][r, k],
                actions=x["actions"][r, k],
                r_t=x["rewards"][r, k],
                discount_t=np.where(over, np.float32(0), np.float32(0.99)),
                values=updater.q_values(x["obs"][r, k]).max(axis=1),
                over=over,
            )
        rollout.add_last_values(updater.q_values(x["next_obs"][r]).max(axis=1))
        targets = rollout.targets(0.65)
        worst = max(worst, np.abs(targets.reshape(t, e) - ANSWERS["cleanrl/returns"][r]).max())
        all_updates(updater, Experience(rollout.observations, rollout.actions, targets), r, updates)
    return {"targets": float(worst), "change": changes("cleanrl", learner)}


def changes(name: str, learner: Learner) -> float:
    """The largest difference of a weight's change, as a share of its variable's largest change."""
    shares = []
    for i, (variable, before) in enumerate(zip(learner.online.variables, INPUTS[name], strict=True)):
        theirs, ours = ANSWERS[f"{name}/change/{i}"], SCRIPT.kept(np.asarray(variable) - before)
        shares.append(np.abs(ours - theirs).max() / np.abs(theirs).max())
    return float(max(shares))


def authors(**parts: Any) -> dict[str, float]:
    """Differences of twelve updates of MinAtar's network, and of its values before them."""
    x, updates, batch = INPUTS, SCRIPT.UPDATES, SCRIPT.BATCH
    spec = EnvironmentSpec(ObservationSpec((10, 10, 4), "bool"), ("n", "l", "r"), 1)
    preset = load("pqn_minatar").agent
    rule = dataclasses.replace(preset.optimizer, decay_updates=100, **parts)
    agent = sized(preset, updates * batch, updates, batch, batch_size=batch, optimizer=rule, max_grad_norm=0.05)
    learner, updater = made(agent, spec, x["authors"])
    q = np.abs(updater.q_values(x["bits"][0]) - ANSWERS["authors/q"]).max()
    updater.order = lambda r: np.arange(updates * batch, dtype=np.int32).reshape(  # type: ignore[method-assign]
        updates, batch
    )
    flat = Experience(
        x["bits"].reshape(-1, 10, 10, 4), x["chosen"].reshape(-1).astype(np.int32), x["targets"].reshape(-1)
    )
    losses = [float(outputs.loss) for outputs in all_updates(updater, flat, 0, updates)]
    return {
        "q": float(q),
        "loss": float(np.abs(np.array(losses) / ANSWERS["authors/loss"] - 1).max()),
        "change": changes("authors", learner),
    }


def authors_targets() -> float:
    """The largest difference of the lambda-returns."""
    x = INPUTS
    over, v = x["dones"][0, 1:] > 0, x["q_vals"].max(axis=-1)
    goes_on = ~over
    goes_on[-1] = False
    discount = np.where(over, 0, 0.99).astype(np.float32)
    found = lambda_returns(x["rewards"][0], discount, np.concatenate([v[1:], x["last_q"][None]]), goes_on, 0.65)
    return float(np.abs(found - ANSWERS["authors/targets"]).max())


def test_cleanrl_s_updates() -> None:
    """Their QNetwork, their Q(lambda) targets, their epochs, torch's RAdam: three rollouts of 64 transitions."""
    found = cleanrl()
    assert found["targets"] < 3e-6 and found["change"] < 3e-4


def test_the_authors_targets() -> None:
    assert authors_targets() < 2e-6


def test_the_authors_network_and_updates() -> None:
    found = authors()
    assert found["q"] < 3e-6 and found["loss"] < 2e-6 and found["change"] < 1e-4


def test_another_setting_is_told_apart() -> None:
    """What the tolerances must be able to see: a step size that is 2 % larger."""
    assert authors(learning_rate=5.1e-4)["change"] > 0.01


def test_optax_in_float32_takes_other_steps() -> None:
    """As the authors run it: rho is a difference of two numbers near 2,000 (pqn_answers.py)."""
    share = ANSWERS["authors/loss_float32"] / ANSWERS["authors/loss"] - 1
    assert np.abs(share[:5]).max() < 1e-6 and 1e-5 < np.abs(share[5:]).max() < 1e-2


@pytest.mark.parametrize(
    ("name", "count", "unused"),
    [("cleanrl_classic", 11_342, 0), ("authors_minatar", 132_467, 8), ("authors_atari", 1_687_524, 8)],
)
def test_parameter_counts(name: str, count: int, unused: int) -> None:
    """The authors' networks also normalize the input, and do not use the result: scale and bias of 4 channels."""
    assert int(ANSWERS[f"count/{name}"]) == count + unused


def main() -> None:
    found = {
        "versions": [str(v) for v in ANSWERS["versions"]],
        "cleanrl": cleanrl(),
        "authors": authors(),
        "authors_targets": authors_targets(),
    }
    out = HERE.parents[1] / "results" / "independent" / "pqn.json"
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main()
