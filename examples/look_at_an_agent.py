"""What a trained agent did not expect: the steps of an episode with the largest TD errors, and a page to look at them.

python examples/look_at_an_agent.py runs/cartpole_1 --out page.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dqn_tf
from dqn_tf.watching import played


def surprises(agent: dqn_tf.TrainedAgent, number: int = 5) -> list[str]:
    """One line for each of the steps with the largest absolute TD errors, the largest first."""
    episode = played.play(agent, episodes=1, epsilon=0.0, most_steps=2_000).episodes[0]
    steps = [(step, moment) for step, moment in enumerate(episode.moments) if moment.td_error is not None]
    steps.sort(key=lambda pair: -abs(pair[1].td_error or 0.0))
    names = agent.spec.action_names
    return [
        f"step {step}: {names[moment.action or 0]} was worth {moment.q[moment.action or 0]:.2f}, "
        f"the TD error was {moment.td_error:.2f}"
        for step, moment in steps[:number]
        if moment.q is not None
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--out", type=Path, default=Path("page.html"))
    given = parser.parse_args()
    print("\n".join(surprises(dqn_tf.load(given.run_dir))))
    print(dqn_tf.watch(given.run_dir, given.out, epsilon=0.0))
