#!/usr/bin/env bash
# MinAtar: an episode depends on what was played before it, though the environment was seeded and reset.
#
# After seed() and reset() an environment should play as a new one with that seed. With sticky actions (0.1, the
# default) the last action of the episode before is still there, and is repeated by one first step in ten.
#
# Seen with MinAtar 1.0.15. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet MinAtar==1.0.15 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import importlib.metadata

from minatar import Environment


def episode(environment: Environment, seed: int) -> list[bytes]:
    environment.seed(seed)
    environment.reset()
    screens, over = [], False
    while not over and len(screens) < 30:
        _, over = environment.act(0)
        screens.append(environment.state().tobytes())
    return screens


def differing(sticky: float) -> int:
    count = 0
    for seed in range(100):
        new, used = (Environment("breakout", sticky_action_prob=sticky) for _ in range(2))
        episode(used, 12345)
        used.act(3)  # the last action before the seed
        count += episode(new, seed) != episode(used, seed)
    return count


print("MinAtar", importlib.metadata.version("MinAtar"))
sticky, plain = differing(0.1), differing(0.0)
print(f"expected: 0 of 100 seeds play differently in a used environment; got: {sticky} (without sticky actions {plain})")
assert sticky > 0 and plain == 0
PY
