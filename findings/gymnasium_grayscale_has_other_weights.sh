#!/usr/bin/env bash
# Gymnasium: its GrayscaleObservation gives a game other grays than the game's own obs_type="grayscale".
#
# Both are asked for the luminance of one screen, and one expects the same picture, up to a rounding. The emulator's
# grays, which AtariPreprocessing takes too, and OpenCV's are 0.299 R + 0.587 G + 0.114 B, rounded. The wrapper takes
# 0.2125, 0.7154 and 0.0721, and truncates: pure red is darker by 29 %, pure green brighter by 21 %. Its sum is float64
# and not exact, so that some pure grays lose one as well. A network trained with the one sees other screens with the
# other.
#
# Seen with gymnasium 1.4.0, ale-py 0.12.1, opencv-python-headless 5.0.0.93. Makes a temporary folder, installs the
# pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet gymnasium==1.4.0 ale-py==0.12.1 opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import importlib.metadata

import ale_py
import cv2
import gymnasium
import numpy as np
from gymnasium.wrappers import GrayscaleObservation

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
gymnasium.register_envs(ale_py)
PURE = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]] + [[v, v, v] for v in range(256)]], np.uint8)


class Picture(gymnasium.Env):
    """Shows one row of pixels: red, green, blue and all grays."""

    observation_space = gymnasium.spaces.Box(0, 255, PURE.shape, np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        return PURE.copy(), {}


def first_screen(kind: str) -> gymnasium.Env:
    return gymnasium.make("ALE/Breakout-v5", obs_type=kind, frameskip=1, repeat_action_probability=0.0)


wrapped, opencv = GrayscaleObservation(Picture()).reset()[0][0], cv2.cvtColor(PURE, cv2.COLOR_RGB2GRAY)[0]
darker = int(np.sum(wrapped[3:] != PURE[0, 3:, 0]))
of_wrapper = GrayscaleObservation(first_screen("rgb")).reset(seed=0)[0].astype(int)
of_game = first_screen("grayscale").reset(seed=0)[0].astype(int)
of_opencv = cv2.cvtColor(first_screen("rgb").reset(seed=0)[0], cv2.COLOR_RGB2GRAY).astype(int)
off = np.abs(of_wrapper - of_game)
print(*(f"{name} {importlib.metadata.version(name)}" for name in ("gymnasium", "ale-py", "opencv-python-headless")))
print(f"expected: red, green, blue {opencv[:3].tolist()} as by OpenCV; got: {wrapped[:3].tolist()}")
print(f"expected: 0 of 256 pure grays change; got: {darker} (with OpenCV {np.sum(opencv[3:] != PURE[0, 3:, 0])})")
print("expected: no pixel of Breakout's first screen differs by more than 1 from the game's own gray;")
print(f"     got: {np.mean(off > 1):.1%} do, by up to {off.max()} (with OpenCV's grays {np.abs(of_opencv - of_game).max()})")
assert opencv[:3].tolist() == [76, 150, 29] and wrapped[:3].tolist() == [54, 182, 18]
assert darker > 0 and off.max() > 10 and np.abs(of_opencv - of_game).max() <= 1
PY
