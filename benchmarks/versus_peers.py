#!/usr/bin/env python3
"""dqn_tf and other people's DQNs on the same work, alternating in one run.

    python benchmarks/versus_peers.py --environments DIR --checkouts DIR [--work dqn,cartpole,...] [--rounds 12]
                                      [--seconds 4] [--only NAME,...] [--before DIR] [--out results/speed/FILE.json]

DIR/NAME is a virtual environment, or a checkout, of each peer (docs/speed.md says what to install); a peer without them
is left out, and said to be.  The work: Breakout, 84 x 84 x 4, batch 32, frame skip 4, one update for each 4 steps,
learning under way; ``cartpole`` and ``cartpole_512``: CartPole-v1, two hidden layers of 128 or 512, batch 128, one
update for each 4 steps, epsilon 0.1, frames are steps; ``minatar``: MinAtar's Breakout, batch 32, one update for each
step, epsilon 0.1, frames are steps; ``der``: data-efficient Rainbow of Atari 100k on Breakout, batch 32, one update for
each step of four frames.  DIR of --before is a checkout of an earlier dqn_tf with its
environment in .venv, which does the work too, in the first of the modes or interleaved.

All programs of one kind of work are started, one after the other, brought to learning, and stopped (SIGSTOP).  Then, in
each round, each of them goes on for a few seconds, alone.  What a shared machine does meanwhile so meets all of them
alike, and a ratio is of neighbors in time.  "others" is what the rest of the machine used, in cores: keep it idle.
All of them are in memory at once, 7 GB for ``dqn``.

    frames/s    16 (CartPole and ``der``: 4, MinAtar: 1) for each update in those seconds, all rounds together; lowest
                and highest round
    steps       for each update, from the first round to the last: 4 (MinAtar and ``der``: 1), if the work was the same
    cores       that were busy with it
    peak        memory, workers included, pages that are shared counted once
    of floor    frames/s beside what this machine's matrix-product and emulation rates would allow dqn_tf's update
    x 1, ...    how many times as fast dqn_tf's modes are, and the bootstrap's 95 % interval of that over rounds
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import processes

from dqn_tf import plain_json
from dqn_tf.determinism import cpu_model

HERE = Path(__file__).resolve().parent
# Eight environments, as fast-dqn's eight workers.  Periods of 2,000 steps, so that the seconds timed hold several.
CONCURRENT = "execution=concurrent execution.environments=8 target_update_steps=2000".split()
ON_DEVICE = [*CONCURRENT, "replay.placement=device", "execution.updates_per_call=10"]
WIDE = ["network.hidden=512,512"]
ONE_BY_ONE = [
    "execution=interleaved",
    "execution.xla=update",
    "execution.threads=1",
]  # what dqn_classic was until 0.1.0
BEFORE = "dqn_tf before"  # the checkout of --before
OURS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "dqn": {
        "dqn_tf": ("dqn_nature", []),
        "dqn_tf concurrent": ("dqn_nature", CONCURRENT),
        "dqn_tf concurrent, device replay, 10 updates per call": ("dqn_nature", ON_DEVICE),
    },
    "c51": {"dqn_tf": ("c51", [])},
    "rainbow": {"dqn_tf rainbow": ("rainbow", []), "dqn_tf rainbow_dopamine": ("rainbow_dopamine", [])},
    "cartpole": {
        "dqn_tf": ("dqn_classic", ["execution=fused"]),
        "dqn_tf, 8 seeds together": ("dqn_classic", ["execution=fused", "seeds_together=8"]),
        "dqn_tf interleaved": ("dqn_classic", ONE_BY_ONE),
    },
    "cartpole_512": {
        "dqn_tf": ("dqn_classic", [*WIDE, "execution=fused"]),
        "dqn_tf, two threads": ("dqn_classic", [*WIDE, "execution=fused", "execution.xla=none", "execution.threads=2"]),
        "dqn_tf interleaved": ("dqn_classic", [*WIDE, *ONE_BY_ONE]),
    },
    "minatar": {
        "dqn_tf": ("dqn_minatar", []),
        "dqn_tf, no XLA": ("dqn_minatar", ["execution.xla=none"]),
        "dqn_tf interleaved": ("dqn_minatar", ONE_BY_ONE),
    },
    "der": {
        "dqn_tf der": ("der", []),
        "dqn_tf der_paper": ("der_paper", []),
        "dqn_tf der_paper, fused": ("der_paper", ["execution=fused", "execution.xla=none", "execution.threads=2"]),
    },
    "replay": {
        "dqn_tf": ("dqn_nature", []),
        "dqn_tf, compressed replay": ("dqn_nature", ["replay.compression=delta"]),
        "dqn_tf, device replay": ("dqn_nature", ["replay.placement=device"]),
    },
}
PEERS = {
    "dqn": ["cleanrl-dqn", "sb3-dqn", "dopamine-dqn", "dqn_zoo-dqn", "fast_dqn-dqn", "fast_dqn-8-workers"],
    "c51": ["cleanrl-c51"],
    "rainbow": ["cleanrl-rainbow", "dopamine-rainbow", "dopamine-full_rainbow", "dqn_zoo-rainbow"],
    "cartpole": ["cleanrl_jax-cartpole", "cleanrl-cartpole", "sb3-cartpole"],
    "cartpole_512": ["cleanrl_jax-cartpole_512", "cleanrl-cartpole_512", "sb3-cartpole_512"],
    "minatar": ["minatar-one_thread", "minatar-default", "dopamine-minatar", "dopamine-minatar_128"],
    "der": ["dopamine-der"],
    "replay": [],
}
CHECKOUTS = {"cleanrl_jax": "cleanrl"}  # of programs that share one
WARM_UP_SECONDS, SETTLE_SECONDS = 10.0, 0.3
PER_ROUND = ("frames_per_s", "cores", "others")


class Reading(NamedTuple):
    """Where a program is.

    Attributes:
        seconds: by the clock.
        steps: agent steps made.
        updates: updates made.
        cpu: core seconds that it used.
        busy: core seconds that the machine was busy.
    """

    seconds: float
    steps: float
    updates: float
    cpu: float
    busy: float


class Failed(Exception):
    """A program that ended, or does not learn."""


class Program:
    """One program that trains, in a process group of its own."""

    def __init__(self, work: str, name: str, options: argparse.Namespace) -> None:
        """Start the program.

        Args:
            work: what it trains on, a key of ``OURS``.
            name: the program.
            options: where the peers' environments and checkouts are.
        """
        self.work, self.name = work, name
        self._folder = tempfile.TemporaryDirectory(prefix="versus_peers")
        counter = Path(self._folder.name) / "counter"
        counter.write_bytes(bytes(16))
        with counter.open("rb") as file:
            self._counts = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("d")
        command, environment = _command(work, name, str(counter), options)
        self._says = Path(self._folder.name) / "says"
        with self._says.open("wb") as says:
            self._process = subprocess.Popen(
                command, env=environment, stdout=says, stderr=says, cwd=self._folder.name, start_new_session=True
            )
        self.peak, self._ended = 0, False

    def warm_up(self, limit: float) -> dict[str, Any]:
        """Wait until it learns, and some seconds more; what it says of itself."""
        begun = time.perf_counter()
        while self._counts[1] < 1:
            if self._process.poll() is not None or time.perf_counter() - begun > limit:
                raise self._failed(f"no update after {limit:.0f} s (--limit)")
            time.sleep(0.1)
        time.sleep(WARM_UP_SECONDS)
        self.stop()
        lines = [line for line in self._says.read_text(errors="replace").splitlines() if line.startswith('{"versions"')]
        return dict(json.loads(lines[0]))

    def go_on(self) -> None:
        """Let it run."""
        os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Halt it where it is."""
        if self._process.poll() is not None:
            raise self._failed("")
        os.killpg(self._process.pid, signal.SIGSTOP)
        self.peak = max(self.peak, sum(map(processes.memory, processes.family(self._process.pid))))

    def read(self) -> Reading:
        """Where it is now."""
        cpu = sum(map(processes.cpu_seconds, processes.family(self._process.pid)))
        return Reading(time.perf_counter(), self._counts[0], self._counts[1], cpu, processes.busy_seconds())

    def _failed(self, otherwise: str) -> Failed:
        code = self._process.poll()
        text = self._says.read_text(errors="replace")[-2000:]
        return Failed(f"{otherwise if code is None else f'ended with exit code {code}'}\n{text}")

    def end(self) -> None:
        """Kill it, and what it started."""
        if not self._ended:
            self._ended = True
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._folder.cleanup()


def main() -> int:
    """Alternate, print each result as it comes and tables at the end; with --out also JSON.  0: all ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", required=True, type=Path, help="folder of virtual environments")
    parser.add_argument("--checkouts", required=True, type=Path, help="folder of checkouts")
    parser.add_argument(
        "--work", default=",".join(PEERS), help=f"which of {', '.join(PEERS)} (replay is dqn_tf's alone); default: all"
    )
    parser.add_argument("--only", default="", help="only peers and modes whose names contain one of these texts")
    parser.add_argument("--before", type=Path, help="an earlier dqn_tf: a checkout with its environment in .venv")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4.0, help="timed seconds of each program in each round")
    parser.add_argument("--limit", type=float, default=240.0, help="seconds in which a program must begin to learn")
    parser.add_argument("--out", type=Path, help="write everything there as JSON")
    options = parser.parse_args()
    if unknown := [work for work in options.work.split(",") if work not in PEERS]:
        parser.error(f"Expected --work to be of {', '.join(PEERS)}, got {', '.join(unknown)}.")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error(f"Expected --rounds and --seconds above 0, got {options.rounds} and {options.seconds}.")
    runs = {work: names for work in options.work.split(",") if (names := _chosen(work, options))}
    if not runs:
        parser.error("Expected something to run: no peer or mode is left. See --only, --environments and --checkouts.")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # what was started is ended on the way out
    told = _kept(options)
    failed: list[str] = []
    for work, names in runs.items():
        for results in _alternate(work, names, options, failed):
            told["work"][work] = results
            if options.out:  # so that nothing is lost when it is stopped
                options.out.parent.mkdir(parents=True, exist_ok=True)
                options.out.write_text(plain_json.dumps(told, indent=1) + "\n")
        print("\n" + table(work, told["work"].get(work, {})) + "\n", flush=True)
    for text in failed:
        print(text, file=sys.stderr)
    return 1 if failed else 0


def _kept(options: argparse.Namespace) -> dict[str, Any]:
    """What is to be written, so far: other kinds of work that --out already tells of this machine are kept."""
    told: dict[str, Any] = {"machine": cpu_model(), "cores": os.cpu_count(), "seconds": options.seconds}
    with suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
        before = json.loads(options.out.read_text())
        if told == {key: before[key] for key in told if key in before}:
            return {**told, "work": before["work"]}
    return {**told, "work": {}}


def _alternate(work: str, names: list[str], options: argparse.Namespace, failed: list[str]) -> Iterator[dict[str, Any]]:
    """The results so far, after each round."""
    results: dict[str, Any] = {}
    with ExitStack() as at_end:
        programs = []
        for name in names:
            print(f"{work}: starting {name} ...", flush=True)
            program = Program(work, name, options)
            at_end.callback(program.end)
            try:
                results[name] = {**_settings(work, name), **program.warm_up(options.limit)}
                results[name].update({key: [] for key in PER_ROUND})
            except Failed as error:
                failed.append(f"{work}: {name}: {error}")
                program.end()
                continue
            programs.append(program)
        first = {p.name: p.read() for p in programs}
        for number in range(options.rounds):
            line = []
            for program in programs[:: -1 if number % 2 else 1]:  # there and back, against drift
                program.go_on()
                time.sleep(SETTLE_SECONDS)
                begin = program.read()
                time.sleep(options.seconds)
                end = program.read()
                try:
                    program.stop()
                except Failed as error:
                    failed.append(f"{work}: {program.name}: {error}")
                    program.end()
                    programs = [p for p in programs if p is not program]
                    continue
                seconds, _, updates, cpu, busy = (b - a for a, b in zip(begin, end, strict=True))
                found = results[program.name]
                rate, others = _frames_per_update(work) * updates / seconds, max(0.0, busy - cpu)
                for key, value in zip(PER_ROUND, (rate, cpu / seconds, others / seconds), strict=True):
                    found[key].append(round(value, 3))
                since = first[program.name]
                found["steps_per_update"] = round((end.steps - since.steps) / max(1, end.updates - since.updates), 3)
                found["peak_bytes"] = program.peak
                line.append(f"{program.name} {rate:.0f}")
            print(f"{work}: round {number + 1} of {options.rounds}, frames/s: {', '.join(line)}", flush=True)
            yield results


def _chosen(work: str, options: argparse.Namespace) -> list[str]:
    """What to run: dqn_tf's modes between the peers."""
    texts, columns = options.only.split(","), []
    ours = [*OURS[work], *([BEFORE] if options.before else [])]
    for names in (ours, PEERS[work]):
        wanted = [n for n in names if any(text in n for text in texts)]
        columns.append([n for n in wanted if n in ours or _is_there(n, options)])
    return [c[i] for i in range(max(map(len, columns))) for c in columns if i < len(c)]


def _is_there(name: str, options: argparse.Namespace) -> bool:
    project = name.split("-")[0]
    missing = [str(p) for p in (_python(project, options), _checkout(project, options)) if not p.exists()]
    if missing:
        print(f"{name} is left out: there is no {' and no '.join(missing)}.")
    return not missing


def _python(project: str, options: argparse.Namespace) -> Path:
    return Path(os.path.abspath(options.environments)) / project / "bin" / "python"  # a link, not to be followed


def _checkout(project: str, options: argparse.Namespace) -> Path:
    return Path(options.checkouts / CHECKOUTS.get(project, project))


def _environment(work: str) -> str:
    return {"minatar": "minatar:breakout", "cartpole": "CartPole-v1"}.get(work.partition("_")[0], "breakout")


def _frames_per_update(work: str) -> int:
    return {"minatar": 1, "cartpole": 4, "der": 4}.get(work.partition("_")[0], 16)


def _settings(work: str, name: str) -> dict[str, Any]:
    return {"preset": OURS[work][name][0], "settings": OURS[work][name][1]} if name in OURS[work] else {}


def _command(work: str, name: str, counter: str, options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    if name in OURS[work] or name == BEFORE:
        known = OURS[work]
        as_before = "dqn_tf interleaved" if "dqn_tf interleaved" in known else next(iter(known))
        preset, settings = known[as_before if name == BEFORE else name]
        root = options.before.resolve() if name == BEFORE else HERE.parent
        python = str(root / ".venv" / "bin" / "python") if name == BEFORE else sys.executable
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        words = [python, str(HERE / "ours.py"), preset, _environment(work), counter, *settings]
        return words, {**os.environ, "PYTHONPATH": path}
    project = name.split("-")[0]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "-1"}
    old = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"} if project == "fast_dqn" else {}
    environment = {**os.environ, **quiet, **old, "JAX_PLATFORMS": "cpu"}
    environment.pop("PYTHONPATH", None)
    checkout = _checkout(project, options).resolve()
    return [str(_python(project, options)), str(HERE / "peers.py"), name, str(checkout), counter], environment


def table(work: str, results: dict[str, Any]) -> str:
    """The results as text, fastest first, with how often dqn_tf is as fast as each peer.

    Args:
        work: what was trained on, a key of ``OURS``.
        results: program -> its numbers.

    Returns:
        Several lines.
    """
    rates = {name: found["frames_per_s"] for name, found in results.items() if found["frames_per_s"]}
    modes = [name for name in OURS[work] if name in rates]
    width = max(map(len, [*rates, work]))
    heads = "".join(f"  {'x ' + str(i + 1):>17}" for i in range(len(modes)))
    out = [f"{work:{width}}  frames/s  lowest  highest  steps  cores  peak MB  others  of floor{heads}"]
    for name, own in sorted(rates.items(), key=lambda item: -statistics.mean(item[1])):
        found = results[name]
        steps, peak = found["steps_per_update"], found["peak_bytes"] / 1e6
        cores, others = (statistics.mean(found[key]) for key in ("cores", "others"))
        rate = statistics.mean(own)
        floor = f"{100 * rate / found['floor_frames_per_s']:.0f} %" if "floor_frames_per_s" in found else ""
        ratios = "".join(f"  {_ratio(rates[mode], own) if mode != name else '':>17}" for mode in modes)
        out.append(
            f"{name:{width}}  {rate:8.0f}  {min(own):6.0f}  {max(own):7.0f}  {steps:5.2f}  {cores:5.2f}  {peak:7.0f}  "
            f"{others:6.2f}  {floor:>8}{ratios}"
        )
    return "\n".join([*out, *(f"x {i + 1}: how many times as fast {mode} is" for i, mode in enumerate(modes))])


def _ratio(mode: list[float], peer: list[float]) -> str:
    """The ratio of means and its percentile-bootstrap interval, rounds resampled (both of a pair together)."""
    pairs = np.array(list(zip(mode, peer, strict=False)))
    drawn = pairs[np.random.default_rng(0).integers(len(pairs), size=(10_000, len(pairs)))].mean(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return f"{pairs[:, 0].mean() / pairs[:, 1].mean():.2f} ({low:.2f}-{high:.2f})"


if __name__ == "__main__":
    sys.exit(main())
