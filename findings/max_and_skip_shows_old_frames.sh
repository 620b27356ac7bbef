#!/usr/bin/env bash
# Gymnasium's MaxAndSkipObservation: an episode can end with frames of the episode before.
#
# The wrapper repeats an action skip times and shows the maximum of the last two frames. It writes down frames skip - 1
# and skip of a step only. Where the episode ends sooner, one expects the frames that there were; shown is what was
# written down earlier: the observation before once more, in an episode's first step the last picture of another
# episode, and in a new environment's first step a picture of zeros, which it never drew. reset() does not clear it.
# The reward and the end are those of the frames that are not shown.
#
# Each frame here is its own number, so that the maximum of the last two frames is the last one.
#
# Seen with gymnasium 1.4.0. Makes a temporary folder, installs the pinned packages there, and fails if the behavior
# changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet gymnasium==1.4.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import gymnasium
import numpy as np
from gymnasium.wrappers import MaxAndSkipObservation


class Counter(gymnasium.Env):
    """Shows first, first + 1, ..., one a frame; an episode is given as (first, frames)."""

    observation_space = gymnasium.spaces.Box(0, 255, (1,), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, *episodes: tuple[int, int]) -> None:
        self.episodes = iter(episodes)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.now, frames = next(self.episodes)
        self.end = self.now + frames
        return np.array([self.now], np.uint8), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.now += 1
        return np.array([self.now], np.uint8), 1.0, self.now == self.end, False, {}


def last_of(*episodes: tuple[int, int]) -> tuple[int, int]:
    """The last frame there was in these episodes of one environment, and the one shown."""
    environment = MaxAndSkipObservation(Counter(*episodes), skip=4)
    for _ in episodes:
        environment.reset()
        over = False
        while not over:
            shown, _, over, _, _ = environment.step(0)
    return environment.unwrapped.end, int(shown[0])


print("gymnasium", gymnasium.__version__)
print("expected: the last frame of the episode, also where it ends within a step; got:")
seen = {
    "ends with a step": last_of((0, 8)),
    "ends one frame after a step": last_of((0, 9)),
    "ends two frames after a step": last_of((0, 10)),
    "ends within its first step, after an episode of frames 100 to 108": last_of((100, 8), (0, 2)),
    "ends within the first step of a new environment": last_of((50, 2)),
}
for case, (real, shown) in seen.items():
    print(f"  {case}: frame {real}, shown {shown}")
assert list(seen.values()) == [(8, 8), (9, 8), (10, 8), (2, 108), (52, 0)]
PY
