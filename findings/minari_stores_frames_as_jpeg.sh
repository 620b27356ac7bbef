#!/usr/bin/env bash
# Minari: frames come back from a dataset with other pixels, because they are stored as JPEG unless told otherwise.
#
# An offline dataset should return the arrays it was given. Frames of bytes of 32 x 32 pixels and more are  stored as
# JPEG by default, which changes them; jpeg_encoding=False keeps them.
#
# Seen with minari 0.5.4. Makes a temporary folder, installs the pinned packages there, and fails if the behavior changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet 'minari[hdf5,create]==0.5.4' pillow==13.0.0 gymnasium==1.4.0 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore "$folder/venv/bin/python" - <<'PY'
import os
import tempfile

os.environ["MINARI_DATASETS_PATH"] = tempfile.mkdtemp()
import gymnasium
import minari
import numpy as np
from minari.data_collector import EpisodeBuffer

frames = np.zeros((11, 84, 84), np.uint8)  # a ball and a paddle
for t in range(11):
    frames[t, 20 + t : 24 + t, 30:34] = 236
    frames[t, 70:73, 10 + 3 * t : 26 + 3 * t] = 200
ends = np.arange(10) == 9
episode = EpisodeBuffer(
    id=0, observations=frames, actions=np.zeros(10, np.int64), rewards=np.zeros(10), terminations=ends,
    truncations=np.zeros(10, bool), infos={},
)


def stored(name: str, **options: bool) -> np.ndarray:
    dataset = minari.create_dataset_from_buffers(
        name, [episode], observation_space=gymnasium.spaces.Box(0, 255, (84, 84), np.uint8),
        action_space=gymnasium.spaces.Discrete(2), **options,
    )
    return next(iter(dataset)).observations


print("minari", minari.__version__)
default, exact = stored("test/frames-v0"), stored("test/frames-v1", jpeg_encoding=False)
changed, largest = (default != frames).mean(), np.abs(default.astype(int) - frames).max()
print(f"expected: the same pixels; got: {100 * changed:.1f} % of them changed, by up to {largest}")
print("with jpeg_encoding=False the same:", np.array_equal(exact, frames))
assert changed > 0 and np.array_equal(exact, frames)
PY
