"""What a trained network does in a MinAtar game: an episode of its own, board by board, as a picture.

python examples/watch_minatar.py runs/minatar/dqn_minatar/minatar_breakout/seed_1 --out boards.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import dqn_tf
from dqn_tf import envs


def episode(agent: dqn_tf.TrainedAgent, seed: int, most_steps: int = 500) -> tuple[list[np.ndarray], float]:
    """The boards of one greedy episode, [160, 160, 3] uint8 each, and its return."""
    game = envs.make(agent.config.environment, agent.config.protocol, seed, training=False)
    answer, boards, total = game.reset(), [game.render()], 0.0
    while not answer.episode_over and len(boards) <= most_steps:
        answer = game.step(agent.act(answer.observation))
        boards.append(game.render())
        total += answer.reward
    return boards, total


def picture(boards: list[np.ndarray], title: str, file: Path, columns: int = 8, rows: int = 2) -> None:
    """As many boards as there are places, evenly out of the episode."""
    chosen = np.unique(np.linspace(0, len(boards) - 1, rows * columns).round().astype(int)).tolist()
    figure, axes = plt.subplots(rows, columns, figsize=(1.6 * columns, 1.8 * rows), squeeze=False)
    for place, axis in enumerate(axes.flat):
        axis.set_axis_off()
        if place < len(chosen):
            axis.imshow(boards[chosen[place]])
            axis.set_title(f"step {chosen[place]}", fontsize=8)
    figure.suptitle(title)
    figure.savefig(file, dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the episode")
    parser.add_argument("--out", type=Path, default=Path("boards.png"))
    given = parser.parse_args()
    agent = dqn_tf.load(given.run_dir)
    boards, total = episode(agent, given.seed)
    title = f"{agent.config.environment}: {total:g} in {len(boards) - 1} steps"
    picture(boards, title, given.out)
    print(f"{title}; {given.out}: drawn")
