"""Someone else's agent from one file: is it what it says, and how does it play?

dqn-tf pack runs/cartpole_1 --out cartpole.zip
python examples/packed.py cartpole.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dqn_tf

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    given = parser.parse_args()
    verdict = dqn_tf.verify_archive(given.archive)
    print(f"{verdict.equal} of {verdict.episodes} episodes come out, mean {verdict.found:.2f}; good: {verdict.good}")

    agent = dqn_tf.load(given.archive)
    print(agent)
    environment = agent.make_environment()
    answer, total = environment.reset(), 0.0
    while not answer.episode_over:
        answer = environment.step(agent.act(answer.observation))
        total += answer.reward
    environment.close()
    print(f"A new episode: {total:g}, {agent.q_values(answer.observation[None])[0].round(2).tolist()} at its end")
