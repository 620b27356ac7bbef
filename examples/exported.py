"""A network that was exported to ONNX plays an episode, without TensorFlow: ONNX Runtime, NumPy and Gymnasium are all.

dqn-tf export runs/cartpole_1 --format onnx --out exported
python examples/exported.py exported
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gymnasium
import numpy as np
import onnxruntime

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0, help="of the episode")
    given = parser.parse_args()
    contract = json.loads((given.folder / "contract.json").read_text())
    session = onnxruntime.InferenceSession(given.folder / contract["file"])
    wanted = contract["inputs"]["observations"]["dtype"]

    environment = gymnasium.make(contract["agent"]["environment"].removeprefix("gym:"))
    observation, _ = environment.reset(seed=given.seed)
    total, over = 0.0, False
    while not over:
        batch = np.asarray(observation, wanted)[None]
        action, q_values = session.run(["action", "q_values"], {"observations": batch})
        observation, reward, terminated, truncated, _ = environment.step(int(action[0]))
        total, over = total + float(reward), terminated or truncated
    print(f"return {total:g}; Q of the last state {q_values[0].round(2).tolist()}")
