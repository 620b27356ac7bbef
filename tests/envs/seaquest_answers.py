"""What the Seaquest of MinAtar's published curves answers: SHA-256 of every episode of a fixed script of actions.

    python seaquest_answers.py SEAQUEST.py ANSWERS.json

SEAQUEST.py is `minatar/environments/seaquest.py` of kenjyoung/MinAtar@2a12fc8, the last commit before the rule was
changed (minatar 1.0.10).  It is used as it is, but for its numbers, which it draws by RandomState.choice where later
versions (1.0.13 on) draw by rand and randint: ``Draws`` gives it the latter, with the same probabilities.

Nothing of dqn_tf and nothing of minatar is imported; test_minatar.py takes ``EPISODES``, ``begin`` and ``actions``
from here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from typing import Any

import numpy as np

EPISODES, STEPS = 60, 260  # steps at most


class Draws:
    """RandomState's choice, by the draws of minatar 1.0.13 and later."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed)

    def choice(self, values: Any, p: Any = None) -> Any:
        if len(values) == 2:
            return bool(self._random.rand() < (1 / 2 if p is None else p[0]))
        return self._random.randint(low=1, high=9)


def begin(env: Any, episode: int) -> None:
    """Put a game where the air ends soon, or there are six divers: random play rarely comes so far."""
    random = np.random.RandomState(1000 + episode)
    env.reset()
    env.oxygen, env.diver_count = int(random.randint(0, random.choice([20, 60, 201]))), int(random.choice([0, 1, 6, 6]))
    env.sub_y, env.surface = int(random.randint(0, 9)), False


def actions(episode: int) -> list[int]:
    """Up in some episodes often (surfacing), in others never (no air)."""
    random = np.random.RandomState(2000 + episode)
    up = random.choice([0.0, 0.1, 0.5])
    return random.choice(6, STEPS, p=[(1 - up) / 5, (1 - up) / 5, up, *[(1 - up) / 5] * 3]).tolist()


def played(env: Any, episode: int) -> dict[str, Any]:
    """An episode: SHA-256 of planes, rewards and ends; steps; return; in how many steps the air was below 0."""
    begin(env, episode)
    sha = hashlib.sha256(np.packbits(env.state()).tobytes())
    total = steps = below = 0
    for action in actions(episode):
        reward, over = env.act(action)
        steps, total, below = steps + 1, total + int(reward), below + (env.oxygen < 0)
        sha.update(np.packbits(env.state()).tobytes() + f"{int(reward)}|{bool(over)}".encode())
        if over:
            break
    return {"sha256": sha.hexdigest(), "steps": steps, "return": total, "without_air": below}


def main(source: str, answers: str) -> None:
    spec = importlib.util.spec_from_file_location("seaquest_before", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = []
    for episode in range(EPISODES):
        env = module.Env()
        env.random = Draws(episode)
        out.append(played(env, episode))
    with open(answers, "w") as file:
        file.write(json.dumps(out, indent=0) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
