"""How long programs take from their start to their first update of CartPole, and how much memory they hold.

    python benchmarks/start.py --environments DIR --checkouts DIR [--only NAME,...] [--rounds 5] [--out FILE.json]

DIR/NAME as for ``versus_peers.py``, which says what the peers are.  dqn_tf is the command ``dqn-tf train`` itself, with
everything that it does before training.  All begin to learn after 2,000 steps.  In each round every program is started
once, alone, and ended ``--after`` seconds after its first update.

    first update  seconds by the clock since the program was started; the median of rounds, and the lowest and highest
    core seconds  what it, and what it started, had used of the cores by then
    resident      MB of memory in which its pages were, ``--after`` seconds later: RSS, code of libraries included
    of its part   the same, pages that several processes have divided by their number (PSS)
    private       MB that are no file's: what it asked for
"""

from __future__ import annotations

import argparse
import mmap
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import processes
import versus_peers

from dqn_tf import plain_json
from dqn_tf.determinism import cpu_model

HERE = Path(__file__).resolve().parent
WORK = "cartpole"
OURS = ("dqn_tf",)
MEASURED = ("seconds", "core_seconds", "resident_mb", "part_mb", "private_mb")


def watched(counter: str, words: list[str]) -> None:
    """Run ``dqn-tf`` with its updates counted; never returns.

    Args:
        counter: the file that they are counted in.
        words: of its command line.
    """
    from peers_meter import Meter

    from dqn_tf import cli
    from dqn_tf.training import run_state

    meter = Meter(counter)
    meter.before(run_state, "check_finite", meter.update)
    sys.exit(cli.main(words))


def command(name: str, counter: str, folder: str, options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """How a program is started.

    Args:
        name: the program.
        counter: the file that its updates are counted in.
        folder: where it may write.
        options: where the peers' environments and checkouts are.

    Returns:
        Its command line and its environment variables.
    """
    if name not in OURS:
        return versus_peers._command(WORK, name, counter, options)
    words = ["train", "dqn_classic", "CartPole-v1", "--frames", "100000000", "--run-dir", f"{folder}/run", "--quiet"]
    words += ["--set", "min_replay_steps=2000"]
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
    return [sys.executable, str(HERE / "start.py"), "--watched", counter, *words], environment


def once(name: str, options: argparse.Namespace) -> dict[str, float]:
    """Start a program, wait for its first update, look at it a few seconds later, and end it.

    Args:
        name: the program.
        options: of the command line.

    Returns:
        A number for each of ``MEASURED``.

    Raises:
        SystemExit: it ended, or made no update in time.
    """
    with tempfile.TemporaryDirectory(prefix="start") as folder:
        counter = Path(folder) / "counter"
        counter.write_bytes(bytes(16))
        with counter.open("rb") as file:
            counts = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("d")
        words, environment = command(name, str(counter), folder, options)
        begun = time.perf_counter()
        with open(Path(folder) / "says", "wb") as says:
            process = subprocess.Popen(
                words, env=environment, stdout=says, stderr=says, cwd=folder, start_new_session=True
            )
        try:
            while counts[1] < 1:
                if process.poll() is not None or time.perf_counter() - begun > options.limit:
                    text = (Path(folder) / "says").read_text(errors="replace")[-2000:]
                    raise SystemExit(f"{name} made no update; it said:\n{text}")
                time.sleep(0.005)
            seconds = time.perf_counter() - begun
            family = processes.family(process.pid)
            used = sum(map(processes.cpu_seconds, family))
            time.sleep(options.after)
            family = processes.family(process.pid)
            kinds = (processes.resident, processes.memory, processes.own_memory)
            sizes = [sum(map(kind, family)) / 1e6 for kind in kinds]
            return dict(zip(MEASURED, (seconds, used, *sizes), strict=True))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """A row for each program, quickest first."""
    width = max(map(len, found))
    out = [f"{'program':{width}}  first update          core seconds  resident  of its part  private"]
    middle = {name: {k: statistics.median(r[k] for r in rounds) for k in MEASURED} for name, rounds in found.items()}
    for name, m in sorted(middle.items(), key=lambda item: item[1]["seconds"]):
        seconds = [r["seconds"] for r in found[name]]
        spread = f"{m['seconds']:5.2f} ({min(seconds):.2f}-{max(seconds):.2f})"
        out.append(
            f"{name:{width}}  {spread:20}  {m['core_seconds']:12.2f}  {m['resident_mb']:8.0f}  {m['part_mb']:11.0f}  "
            f"{m['private_mb']:7.0f}"
        )
    return "\n".join(out)


def main() -> None:
    """Measure, print a table, and write everything with --out."""
    if sys.argv[1:2] == ["--watched"]:
        watched(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", required=True, type=Path, help="folder of virtual environments")
    parser.add_argument("--checkouts", required=True, type=Path, help="folder of checkouts")
    parser.add_argument("--only", default="", help="only programs whose names contain one of these texts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--after", type=float, default=10.0, help="seconds after which memory is looked at")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds in which the first update must come")
    parser.add_argument("--out", type=Path, help="write everything there as JSON")
    options = parser.parse_args()
    peers = [name for name in versus_peers.PEERS[WORK] if versus_peers._is_there(name, options)]
    names = [name for name in (*OURS, *peers) if any(text in name for text in options.only.split(","))]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names[:: -1 if number % 2 else 1]:
            found[name].append(once(name, options))
            print(f"round {number + 1}: {name} {found[name][-1]['seconds']:.2f} s", flush=True)
    print("\n" + table(found))
    if options.out:
        about: dict[str, Any] = {"machine": cpu_model(), "cores": os.cpu_count(), "after_seconds": options.after}
        options.out.write_text(plain_json.dumps({**about, "programs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
