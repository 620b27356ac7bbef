"""What benchmarks/gpu.py asks processes of their own: ``python gpu_children.py NAME ARGUMENT ...`` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any


def learner_and_batch(preset: str, where: str = "host") -> tuple[Any, Any]:
    """A learner on Breakout and a batch for it.

    Args:
        preset: its settings.
        where: "host": a batch of random numbers; "device": a draw from a replay on the device.

    Returns:
        The learner and the sample.
    """
    import numpy as np

    from dqn_tf import determinism, envs, make_config
    from dqn_tf.execution.learner import Learner
    from dqn_tf.types import Sample, Transition

    config = make_config(preset, "breakout", frames=1_000_000)
    determinism.enable(config.agent.execution.threads)
    environment = envs.make(config.environment, config.protocol, 0)
    if where == "device":
        from dqn_tf.replay.replay import Replay
        from dqn_tf.replay.storage import Storage
        from dqn_tf.replay.uniform import Uniform

        replay = Replay(
            Uniform(), Storage(capacity=1_000, placement="device"), environment.spec.observation, 1, 0.99, 0
        )
        replay.add_first(environment.reset())
        for _ in range(50):
            replay.add(0, 0.0, environment.step(0))
        learner = Learner(config.agent, environment.spec, 0, replay.gather_in_graph)
        return learner, replay.sample(config.agent.batch_size, 0)
    spec, size, random = environment.spec, config.agent.batch_size, np.random.default_rng(0)
    environment.close()
    s_tm1, s_t = random.integers(0, 256, (2, size, *spec.observation.shape), dtype=np.uint8)
    a, ones = random.integers(0, spec.num_actions, size, dtype=np.int32), np.ones(size, np.float32)
    r = random.normal(size=size).astype(np.float32)
    return Learner(config.agent, spec, 0), Sample(Transition(s_tm1, a, r, 0.99 * ones, s_t), np.arange(size), ones)


def device() -> dict[str, Any]:
    from importlib.metadata import version

    from dqn_tf import lazy_tf as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(g) for g in gpus]
    build = tf.sysconfig.get_build_info()
    return {
        "tensorflow": version("tensorflow"),
        "devices": [str(d.get("device_name", "GPU")) for d in details],
        "compute_capability": [list(d.get("compute_capability", ())) for d in details],
        "cuda": build.get("cuda_version"),
        "cudnn": build.get("cudnn_version"),
    }


def numbers(preset: str, path: str) -> dict[str, Any]:
    """Compute losses, TD errors, priorities, Q-values and gradients of one batch.

    Args:
        preset: its settings.
        path: the .npz file to write.

    Returns:
        How many arrays were written.
    """
    import numpy as np

    learner, sample = learner_and_batch(preset)
    found = learner.gradients(sample)
    arrays = {f"gradient_{i:02d}": g.numpy() for i, g in enumerate(found.values)}
    arrays |= {name: getattr(found, name).numpy() for name in ("loss", "td_error", "priority", "q_values")}
    np.savez(path, **arrays)
    return {"arrays": len(arrays)}


def placement(preset: str, where: str) -> dict[str, Any]:
    """One update and one action, their operations' devices logged to stderr (read by the parent).

    Args:
        preset: its settings.
        where: where the replay is, "host" or "device".

    Returns:
        Nothing but {}.
    """
    from dqn_tf import lazy_tf as tf

    tf.debugging.set_log_device_placement(True)
    import numpy as np

    learner, sample = learner_and_batch(preset, where)
    learner.update(sample)
    learner.act(np.zeros(learner.spec.observation.shape, learner.spec.observation.dtype))
    return {}


def profile(preset: str, folder: str) -> dict[str, Any]:
    """Profile 50 updates with TensorFlow's own profiler.

    Args:
        preset: its settings.
        folder: for the profiler's files.

    Returns:
        update_ms and gpu_busy_ms per update, and kernels_ms: the twelve kernels that take longest.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    from dqn_tf import lazy_tf as tf

    learner, sample = learner_and_batch(preset)
    for _ in range(5):
        learner.update(sample)
    updates = 50
    tf.profiler.experimental.start(folder)
    begun = time.perf_counter()
    for update in range(updates):
        learner.update(sample, update).loss.numpy()
    wall = time.perf_counter() - begun
    tf.profiler.experimental.stop()
    taken: Counter[str] = Counter()
    for file in Path(folder).rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
        for plane in space.planes:
            if "GPU" in plane.name:
                for line in plane.lines:
                    for event in line.events:
                        taken[plane.event_metadata[event.metadata_id].name] += event.duration_ps
    kernels = {name: round(ps / 1e9 / updates, 4) for name, ps in taken.most_common(12)}
    return {
        "update_ms": 1e3 * wall / updates,
        "gpu_busy_ms": sum(taken.values()) / 1e9 / updates,
        "kernels_ms": kernels,
    }


CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    "device": device,
    "numbers": numbers,
    "placement": placement,
    "profile": profile,
}

if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]](*sys.argv[2:])))
