#!/usr/bin/env bash
# The Arcade Learning Environment: a cloned state, random generator included, does not continue as the original did.
#
# A saved state with its random generator should continue to the same screens and rewards. With sticky actions it need
# not: the action  that is being repeated is not part of the state, so that the first frames after the restore may
# repeat another one. Without  sticky actions all restores are exact.
#
# Seen with ale-py 0.12.1. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet ale-py==0.12.1 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import numpy as np
from ale_py import ALEInterface, LoggerMode, roms

ALEInterface.setLoggerMode(LoggerMode.Error)


def differing(sticky: float, snapshots: int = 40) -> int:
    """How many of the restored games of Breakout do not play on as they did before."""
    count = 0
    for snapshot in range(snapshots):
        ale = ALEInterface()
        ale.setInt("random_seed", 1)
        ale.setFloat("repeat_action_probability", sticky)
        ale.loadROM(roms.get_rom_path("breakout"))
        actions, random = ale.getMinimalActionSet(), np.random.default_rng(snapshot)
        for _ in range(100 + snapshot):  # another random number comes next in each
            ale.act(actions[random.integers(len(actions))])
        plan = [actions[random.integers(len(actions))] for _ in range(60)]
        saved = ale.cloneState(include_rng=True)
        before = [(ale.act(action), ale.getRAM().tobytes()) for action in plan]
        ale.restoreState(saved)
        count += before != [(ale.act(action), ale.getRAM().tobytes()) for action in plan]
    return count


print("ale-py", importlib.metadata.version("ale-py"))
without, with_sticky = differing(0.0), differing(0.25)
print(f"expected: 0 of 40 restored games differ; got: {without} without sticky actions, {with_sticky} with them (0.25)")
assert without == 0 and with_sticky > 0
PY
