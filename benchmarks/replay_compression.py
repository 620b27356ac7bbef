#!/usr/bin/env python3
"""What compressing the replay saves and costs: bytes per frame, microseconds per frame and per batch.

    python benchmarks/replay_compression.py [GAME ...] [--frames 1500] [--run-dir DIR] [--out FILE]

Frames come from a random policy in each GAME (default: all 57, protocol dopamine), or from the newest checkpoint of a
run: what its learning policy saw.  Measured: `dqn_tf/replay/frame_store.py` against the raw ring, and, frame by frame,
zlib and, where they are installed, lz4 and zstandard.  Times are of this thread's processor time, so that other work on
the machine counts as little as it can; a batch is 32 transitions, 160 frames, as one update of DQN reads them.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dqn_tf import envs, plain_json
from dqn_tf.config import RunConfig
from dqn_tf.envs import games
from dqn_tf.envs.protocols import PROTOCOLS
from dqn_tf.replay.frame_store import STORES
from dqn_tf.replay.ring import Ring
from dqn_tf.training.checkpoint import Store
from dqn_tf.training.run_dir import read_json
from dqn_tf.types import ObservationSpec, StepType

BATCH = 32
Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def main() -> None:
    """Measure, print a line per source of frames and the quantiles over them; with --out also as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("games", nargs="*", metavar="GAME")
    parser.add_argument("--frames", type=int, default=1500, help="frames of each game")
    parser.add_argument("--run-dir", type=Path, help="measure the frames of this run instead")
    parser.add_argument("--codecs", action="store_true", help="also general compressors, frame by frame")
    parser.add_argument("--out", type=Path, help="write the results there as JSON")
    options = parser.parse_args()
    results: dict[str, dict[str, float]] = {}
    if options.run_dir:
        results[options.run_dir.name] = measure(frames_of_run(options.run_dir, options.frames), options.codecs)
    for game in () if options.run_dir else options.games or games.ATARI57:
        results[game] = measure(frames_of_game(games.resolve(game), options.frames), options.codecs)
        print(line(game, results[game]), flush=True)
    if options.run_dir:
        print(*(line(name, numbers) for name, numbers in results.items()), sep="\n")
    sizes = [r["delta_bytes_per_frame"] for r in results.values()]
    if len(sizes) > 1:
        cuts = {f"{q} %": float(np.quantile(sizes, q / 100)) for q in (50, 75, 90, 100)}
        print("bytes per frame over games: " + ", ".join(f"{name} {value:.0f}" for name, value in cuts.items()))
    if options.out:
        options.out.write_text(plain_json.dumps({"frames": options.frames, "results": results}, indent=1) + "\n")


def line(name: str, r: dict[str, float]) -> str:
    """One source of frames as a line of text.

    Args:
        name: of the source.
        r: its numbers, as ``measure`` gives them.

    Returns:
        Names and rounded numbers, with units.
    """
    parts = [f"{kind} " + ", ".join(f"{key} {r[f'{kind}_{key}']:.1f}" for key in KEYS) for kind in STORES]
    codecs = sorted({key.rpartition("_us")[0].rpartition("_")[0] for key in r if key.startswith("codec_")} - {""})
    parts += [f"{c[6:]} {r[f'{c}_bytes']:.0f} B, {r[f'{c}_pack_us']:.1f}/{r[f'{c}_unpack_us']:.1f} us" for c in codecs]
    return f"{name:20} " + " | ".join(parts)


KEYS = ("bytes_per_frame", "put_us", "batch_us")


def frames_of_game(game: str, number: int) -> np.ndarray:
    """Frames of a uniformly random policy, in order.

    Args:
        game: its id.
        number: how many frames.

    Returns:
        uint8 [number, 84, 84].
    """
    environment = envs.make(f"ale:{game}", PROTOCOLS["dopamine"], seed=0)
    random = np.random.default_rng(0)
    out: list[np.ndarray] = []
    timestep = environment.reset()
    while len(out) < number:
        out.append(timestep.frame)
        last = timestep.step_type == StepType.LAST
        timestep = environment.reset() if last else environment.step(int(random.integers(environment.spec.num_actions)))
    environment.close()
    return np.stack(out)


def frames_of_run(run_dir: Path, number: int) -> np.ndarray:
    """Frames that a run wrote last to its replay, from its newest checkpoint, in order.

    Args:
        run_dir: the run directory.
        number: how many frames at most.

    Returns:
        [number, ...], shape and dtype as the run's observations.

    Raises:
        SystemExit: there is no checkpoint.
    """
    config = RunConfig.from_json(read_json(run_dir / "config.json"))
    loaded = Store(run_dir / "checkpoints", config.hash).load(print)
    if loaded is None:
        raise SystemExit(f"{run_dir} has no checkpoint.")
    _, state, read_piece = loaded
    ring = Ring(envs.observation_spec(config.environment, config.protocol), config.agent.storage.capacity)
    for index, name in enumerate(state["run"]["replay"]["segments"]):
        ring.restore_segment(index, read_piece(name))
    ring.restore_head(int(state["run"]["replay"]["head"]), [])
    stop = ring.head % ring.capacity or ring.capacity
    return ring.frames.read_range(max(0, stop - number), stop)


def measure(frames: np.ndarray, codecs: bool) -> dict[str, float]:
    """Size and speed of each kind of store.

    Args:
        frames: [number, ...], in order.
        codecs: also general compressors, frame by frame.

    Returns:
        Bytes per frame, microseconds to keep a frame, microseconds to build a batch; keys "<kind>_...".

    Raises:
        SystemExit: other frames came out than went in.
    """
    out: dict[str, float] = {}
    spec = ObservationSpec(frames.shape[1:], str(frames.dtype), 4)
    for kind in STORES:
        ring, begun = Ring(spec, len(frames), kind), time.thread_time()
        for i, frame in enumerate(frames):
            ring.append(frame, first=i == 0)
        out[f"{kind}_put_us"] = 1e6 * (time.thread_time() - begun) / len(frames)
        out[f"{kind}_bytes_per_frame"] = ring.frames.bytes_per_frame
        if not np.array_equal(ring.frames.read_range(0, len(frames)), frames):
            raise SystemExit(f"{kind}: other frames came out than went in.")
        random, taken = np.random.default_rng(0), []
        ring.columns["ahead"][:-1] = 1
        for _ in range(100):
            rows = random.integers(4, len(frames) - 1, BATCH)
            begun = time.thread_time()
            ring.transitions(rows)
            taken.append(time.thread_time() - begun)
        out[f"{kind}_batch_us"] = 1e6 * statistics.median(taken)
    return {**out, **(frame_by_frame(frames) if codecs else {})}


def frame_by_frame(frames: np.ndarray) -> dict[str, float]:
    """General compressors, frame by frame.

    Args:
        frames: [number, ...], in order.

    Returns:
        Bytes and microseconds per frame; keys "codec_<name>_...".

    Raises:
        SystemExit: other frames came out than went in.
    """
    out: dict[str, float] = {}
    whole = [frame.tobytes() for frame in frames[:: max(1, len(frames) // 500)]]
    for name, (pack, unpack) in available(len(whole[0])).items():
        begun = time.thread_time()
        packed = [pack(frame) for frame in whole]
        middle = time.thread_time()
        if [unpack(data) for data in packed] != whole:
            raise SystemExit(f"{name}: other frames came out than went in.")
        out[f"codec_{name}_unpack_us"] = 1e6 * (time.thread_time() - middle) / len(whole)
        out[f"codec_{name}_pack_us"] = 1e6 * (middle - begun) / len(whole)
        out[f"codec_{name}_bytes"] = statistics.fmean(map(len, packed))
    return out


def available(size: int) -> dict[str, Codec]:
    """General compressors that this environment has, at their fastest useful settings."""
    out: dict[str, Codec] = {"zlib-1": (lambda data: zlib.compress(data, 1), zlib.decompress)}
    if lz4 := _module("lz4.block"):
        out["lz4"] = (
            lambda data: lz4.compress(data, store_size=False),
            lambda data: lz4.decompress(data, uncompressed_size=size),
        )
    if zstandard := _module("zstandard"):
        out["zstd-1"] = (zstandard.ZstdCompressor(level=1).compress, zstandard.ZstdDecompressor().decompress)
    return out


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


if __name__ == "__main__":
    main()
