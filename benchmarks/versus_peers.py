#!/usr/bin/env python3
"""dqn_tf and other people's DQNs on the same work, alternating in one run.

    python benchmarks/versus_peers.py --environments DIR --checkouts DIR [--work dqn,c51,rainbow] [--rounds 3]
                                      [--seconds 20] [--only NAME,...] [--out results/speed/versus_peers.json]

DIR/NAME is a virtual environment, or a checkout, of each peer (docs/speed.md says what to install); a peer without them
is left out, and said to be.  The work: Breakout, 84 x 84 x 4, batch 32, frame skip 4, one update for each 4 steps,
learning under way.  Each round runs everything once, one after the other, dqn_tf's modes between the peers; the ratios
are of medians over rounds.  Run it on an idle machine: "others" is what the rest used meanwhile, in cores.

    frames/s    in the learning phase: median over rounds, lowest and highest
    cores       that were busy with it in that phase
    peak        memory, workers included, pages that are shared counted once
    of floor    frames/s beside what this machine's matrix-product and emulation rates would allow dqn_tf's update
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dqn_tf.determinism import cpu_model

HERE = Path(__file__).resolve().parent
# Eight environments, as fast-dqn's eight workers.  Periods of 2,000 steps, so that the seconds timed hold many.
CONCURRENT = "execution=concurrent execution.environments=8 target_update_steps=2000".split()
ON_DEVICE = [*CONCURRENT, "replay.placement=device", "execution.updates_per_call=10"]
OURS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "dqn": {
        "dqn_tf": ("dqn_nature", []),
        "dqn_tf concurrent": ("dqn_nature", CONCURRENT),
        "dqn_tf concurrent, device replay, 10 updates per call": ("dqn_nature", ON_DEVICE),
    },
    "c51": {"dqn_tf": ("c51", [])},
    "rainbow": {"dqn_tf rainbow": ("rainbow", []), "dqn_tf rainbow_dopamine": ("rainbow_dopamine", [])},
}
PEERS = {
    "dqn": ["cleanrl-dqn", "sb3-dqn", "dopamine-dqn", "dqn_zoo-dqn", "fast_dqn-dqn", "fast_dqn-8-workers"],
    "c51": ["cleanrl-c51"],
    "rainbow": ["cleanrl-rainbow", "dopamine-rainbow", "dqn_zoo-rainbow"],
}


def main() -> int:
    """Alternate, print each result as it comes and a table at the end; with --out also JSON.  0: all ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", required=True, type=Path, help="folder of virtual environments")
    parser.add_argument("--checkouts", required=True, type=Path, help="folder of checkouts")
    parser.add_argument("--work", default=",".join(PEERS), help="which of dqn, c51, rainbow (default: all)")
    parser.add_argument("--only", default="", help="only peers and modes whose names contain one of these texts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="timed seconds of each run")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds after which a peer is given up")
    parser.add_argument("--out", type=Path, help="write everything there as JSON")
    options = parser.parse_args()
    if unknown := [work for work in options.work.split(",") if work not in PEERS]:
        parser.error(f"Expected --work to be of {', '.join(PEERS)}, got {', '.join(unknown)}.")
    runs = _chosen(options)
    if not runs:
        parser.error("Expected something to run: no peer or mode is left. See --only, --environments and --checkouts.")
    results: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in runs}
    failed, begun, done = False, time.perf_counter(), 0
    for number in range(options.rounds):
        for work, name in runs:
            found = _measure(work, name, options)
            done += 1
            left = (time.perf_counter() - begun) / done * (len(runs) * options.rounds - done)
            if "error" in found:
                failed = True
                print(f"round {number + 1}  {work:8} {name}: {found['error']}", flush=True)
                continue
            results[work, name].append(found)
            print(
                f"round {number + 1}  {work:8} {name:54} {found['frames_per_s']:7.1f} frames/s, others "
                f"{found['others']:.2f} cores; {left / 60:.0f} min left",
                flush=True,
            )
        if options.out:  # so that nothing is lost when it is stopped
            _write(options, results)
    print("\n" + table(results))
    return 1 if failed else 0


def _chosen(options: argparse.Namespace) -> list[tuple[str, str]]:
    """What to run, (work, name), in the order of a round: dqn_tf's modes between the peers."""
    out: list[tuple[str, str]] = []
    texts = options.only.split(",")
    for work in options.work.split(","):
        columns = []
        for names in (list(OURS[work]), PEERS[work]):
            wanted = [n for n in names if any(text in n for text in texts)]
            columns.append([n for n in wanted if n in OURS[work] or _is_there(n, options)])
        longest = max(map(len, columns))
        out += [(work, c[i]) for i in range(longest) for c in columns if i < len(c)]
    return out


def _is_there(name: str, options: argparse.Namespace) -> bool:
    project = name.split("-")[0]
    missing = [str(p) for p in (_python(project, options), options.checkouts / project) if not p.exists()]
    if missing:
        print(f"{name} is left out: there is no {' and no '.join(missing)}.")
    return not missing


def _python(project: str, options: argparse.Namespace) -> Path:
    return Path(os.path.abspath(options.environments)) / project / "bin" / "python"


def _measure(work: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """One run: what it says of itself, its peak memory, and how busy the rest of the machine was."""
    if name in OURS[work]:
        preset, settings = OURS[work][name]
        command = [
            sys.executable,
            "-m",
            "dqn_tf",
            "bench",
            "--preset",
            preset,
            "--seconds",
            str(options.seconds),
            "--json",
        ]
        command += [x for setting in (*settings, "replay.capacity=100000") for x in ("--set", setting)]
        environment = {**os.environ}
    else:
        project = name.split("-")[0]
        command = [str(_python(project, options)), str(HERE / "peers.py"), name, str(options.checkouts / project)]
        command.append(str(options.seconds))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "-1"}
        old = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"} if project == "fast_dqn" else {}
        environment = {**os.environ, **quiet, **old, "JAX_PLATFORMS": "cpu"}
        environment.pop("PYTHONPATH", None)
    before, busy, own = time.perf_counter(), _busy_seconds(), _children_seconds()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak, lines = 0, ""
    while True:
        try:
            lines, errors = child.communicate(timeout=1.0)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _memory(child.pid))
            if time.perf_counter() - before > options.limit + options.seconds:
                child.kill()
                child.communicate()
                return {"error": f"no result after {options.limit + options.seconds:.0f} s (--limit)"}
    wall = time.perf_counter() - before
    if child.returncode or not lines.strip():
        return {"error": f"exit {child.returncode}\n{errors[-2000:]}"}
    others = (_busy_seconds() - busy - (_children_seconds() - own)) / wall
    try:
        told = json.loads(lines.splitlines()[-1])
    except ValueError:
        return {"error": f"ended without a result; its last words:\n{lines[-500:]}{errors[-1500:]}"}
    return {**told, "peak_bytes": peak, "others": max(0.0, others)}


def _busy_seconds() -> float:
    """Core-seconds that this machine was busy, or was refused by its host, since it started."""
    jiffies = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = jiffies[:8]
    return (user + nice + system + irq + softirq + steal) / float(os.sysconf("SC_CLK_TCK"))


def _children_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _memory(pid: int) -> int:
    """Resident bytes of a process and its descendants; of shared pages each has its part."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        own = next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
        children = " ".join(p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/children")).split()
    except (OSError, StopIteration):
        return 0
    return own + sum(_memory(int(child)) for child in children)


def table(results: dict[tuple[str, str], list[dict[str, Any]]]) -> str:
    """One table for each kind of work, fastest first; and how often dqn_tf is as fast as each peer."""
    out = []
    for work in dict.fromkeys(work for work, _ in results):
        rows = {name: found for (w, name), found in results.items() if w == work and found}
        medians = {name: statistics.median(f["frames_per_s"] for f in found) for name, found in rows.items()}
        modes = [name for name in OURS[work] if name in medians]
        width = max(map(len, [*medians, work]))
        heads = "".join(f"  {'x ' + str(i + 1):>6}" for i in range(len(modes)))
        out.append(f"{work:{width}}  frames/s  lowest  highest  cores  peak MB  others  of floor{heads}")
        for name in sorted(medians, key=lambda n: -medians[n]):
            found = rows[name]
            rates = [f["frames_per_s"] for f in found]
            cores, peak, others = (statistics.median(f[k] for f in found) for k in ("cores", "peak_bytes", "others"))
            floors = [f["frames_per_s"] / f["floor_frames_per_s"] for f in found if "floor_frames_per_s" in f]
            floor = f"{100 * statistics.median(floors):.0f} %" if floors else ""
            ratios = "".join(f"  {medians[m] / medians[name]:6.2f}" for m in modes)
            out.append(
                f"{name:{width}}  {medians[name]:8.0f}  {min(rates):6.0f}  {max(rates):7.0f}  {cores:5.2f}  "
                f"{peak / 1e6:7.0f}  {others:6.2f}  {floor:>8}{ratios}"
            )
        out += [f"x {i + 1}: how many times as fast {mode} is" for i, mode in enumerate(modes)] + [""]
    return "\n".join(out).rstrip()


def _write(options: argparse.Namespace, results: dict[tuple[str, str], list[dict[str, Any]]]) -> None:
    told: dict[str, Any] = {"machine": cpu_model(), "cores": os.cpu_count(), "seconds": options.seconds, "work": {}}
    for (work, name), found in results.items():
        told["work"].setdefault(work, {})[name] = {
            **({"preset": OURS[work][name][0], "settings": OURS[work][name][1]} if name in OURS[work] else {}),
            **({"versions": found[-1]["versions"]} if found and "versions" in found[-1] else {}),
            **{
                key: [round(f[key], 2) for f in found if key in f]
                for key in ("frames_per_s", "floor_frames_per_s", "cores", "peak_bytes", "others", "steps_per_update")
                if any(key in f for f in found)
            },
        }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
