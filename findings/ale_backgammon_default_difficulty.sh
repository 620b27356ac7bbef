#!/usr/bin/env bash
# Arcade Learning Environment: Backgammon is played at a difficulty that it does not have.
#
# Gymnasium's ALE/Backgammon-v5 leaves the difficulty alone unless one is named. One expects that it then plays at one
# of the game's own. Its only one is 3; left alone, the console's switches stand as for difficulty 0, which the emulator
# refuses when it is asked for by name. The two show different screens under the same actions: a score at "the default
# difficulty" and one at "the only difficulty" are of different games.
#
# Seen with ale-py 0.12.1 and gymnasium 1.4.0. Makes a temporary folder, installs the pinned packages there, and fails if
# the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet ale-py==0.12.1 gymnasium==1.4.0 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import hashlib

import ale_py
import gymnasium

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
gymnasium.register_envs(ale_py)


def screens(**arguments: int) -> str:
    """A hash of 300 screens under fixed actions."""
    game = gymnasium.make("ALE/Backgammon-v5", repeat_action_probability=0.0, **arguments)
    screen, _ = game.reset(seed=0)
    digest = hashlib.sha256(screen.tobytes())
    for step in range(300):
        screen, *_ = game.step(step % game.action_space.n)
        digest.update(screen.tobytes())
    return digest.hexdigest()[:12]


emulator = gymnasium.make("ALE/Backgammon-v5").unwrapped.ale
difficulties = [int(each) for each in emulator.getAvailableDifficulties()]
try:
    asked_for_0 = screens(difficulty=0)
except RuntimeError as error:
    asked_for_0 = repr(error)
print("ale-py", ale_py.__version__, "gymnasium", gymnasium.__version__)
print("difficulties of Backgammon:", difficulties)
print("screens without a difficulty:", screens(), "expected: those of difficulty", *difficulties)
print("screens with difficulty=3:   ", screens(difficulty=3))
print("with difficulty=0:           ", asked_for_0)
assert difficulties == [3]
assert screens() == screens(), "the game itself is repeatable"
assert screens() != screens(difficulty=3)
assert asked_for_0 == "RuntimeError('Invalid difficulty requested')"
PY
