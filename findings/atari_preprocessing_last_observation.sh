#!/usr/bin/env bash
# Gymnasium's AtariPreprocessing: the last observation of an episode is often the one before it, shown again.
#
# The observation that comes with terminated should show the screen on which the game ended. AtariPreprocessing leaves
# its  frame-skip loop at the end of the game before it reads the screen, so the observation before is returned once
# more  although the screen has changed. At a time limit that is what a bootstrapping agent takes for the next state.
#
# Seen with gymnasium 1.4.0, ale-py 0.12.1. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet gymnasium==1.4.0 ale-py==0.12.1 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import ale_py
import gymnasium
import numpy as np
from gymnasium.wrappers import AtariPreprocessing

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
gymnasium.register_envs(ale_py)
game = gymnasium.make("ALE/Qbert-v5", frameskip=1, repeat_action_probability=0.0)
environment, screen = AtariPreprocessing(game, noop_max=0), game.unwrapped.ale.getScreenRGB
repeated = 0
for episode in range(12):
    observation, _ = environment.reset(seed=episode)
    random, over = np.random.default_rng(episode), False
    while not over:
        before, screen_before = observation.copy(), screen().copy()
        observation, _, terminated, truncated, _ = environment.step(int(random.integers(game.action_space.n)))
        over = terminated or truncated
    repeated += np.array_equal(observation, before) and not np.array_equal(screen(), screen_before)
print("gymnasium", gymnasium.__version__, "ale-py", importlib.metadata.version("ale-py"))
print(f"expected: 0 of 12 episodes end with an old observation while the screen has changed; got: {repeated}")
assert repeated > 0
PY
