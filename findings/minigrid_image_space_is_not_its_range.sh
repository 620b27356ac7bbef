#!/usr/bin/env bash
# MiniGrid: the compact image says that it reaches from 0 to 255, and never gets beyond 10.
#
# The observation of an agent's view (and of the whole grid, FullyObsWrapper) is three small integers a cell: kind of
# object, color, state. Its space is Box(0, 255, uint8), as of a picture. One expects that what divides by the declared
# range, as every network for pictures does, sees inputs that fill 0 to 1. What it sees lies between 0 and 0.04: the
# largest number there can be is the number of kinds of objects less one.
#
# Seen with minigrid 3.2.0 and gymnasium 1.4.0. Makes a temporary folder, installs the pinned packages there, and fails
# if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet minigrid==3.2.0 gymnasium==1.4.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
from importlib.metadata import version

import gymnasium
import minigrid
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX, STATE_TO_IDX
from minigrid.wrappers import FullyObsWrapper, ImgObsWrapper

print("minigrid", version("minigrid"), "gymnasium", gymnasium.__version__)
names = sorted(n for n in gymnasium.registry if n.startswith("MiniGrid-") and "WFC" not in n)
largest, highs = 0, set()
for name in names[:: max(1, len(names) // 12)]:
    for wrapper in (lambda e: e, FullyObsWrapper):
        game = ImgObsWrapper(wrapper(gymnasium.make(name)))
        game.action_space.seed(0)
        image, _ = game.reset(seed=0)
        highs.add(int(game.observation_space.high.max()))
        largest = max(largest, int(image.max()))
        for _ in range(100):
            image, _, over, cut, _ = game.step(game.action_space.sample())
            largest = max(largest, int(image.max()))
            if over or cut:
                game.reset()
possible = max(max(t.values()) for t in (OBJECT_TO_IDX, COLOR_TO_IDX, STATE_TO_IDX))
print("the space says: 0 to", *highs)
print("the tables allow: 0 to", possible)
print("seen: 0 to", largest)
assert highs == {255} and possible == 10 and largest <= possible
PY
