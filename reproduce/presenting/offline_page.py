"""docs/offline_results.md: agents that learned from recorded data alone, beside the one whose data they are.

The page is a function of packed runs, which reproduce/offline.sh makes: the set ``ONLINE`` (agents that play, and are
recorded), and a set for each seed, ``OFFLINE`` (agents that learn from the data of the online agent of that seed).
"""

from __future__ import annotations

from typing import Any

from reproduce import formatting
from reproduce.places import RESULTS
from reproduce.records import runs
from reproduce.records.runs import Run

PAGE = "offline_results.md"
ONLINE, OFFLINE = "offline_classic_online", "offline_classic_{seed}"
SEEDS = (1, 2, 3)
AGENTS = {
    "dqn_classic": "DQN",
    "cql_classic": "CQL",
    "rem_classic": "REM",
    "cloning_classic": "behavior cloning",
}


def found(name: str) -> dict[tuple[str, int], Run]:
    """The runs of a set that are there, by agent and seed."""
    loaded = map(runs.load, runs.find(RESULTS / "runs" / name))
    return {(run.agent, run.seed): run for run in loaded if run.complete}


def page() -> str:
    """The text of the page; runs that are not there are shown as not run."""
    online, offline = found(ONLINE), dict[tuple[str, int], Run]()
    for seed in SEEDS:
        offline |= found(OFFLINE.format(seed=seed))
    rows = [_line("DQN, online", {s: _last(online.get(("dqn_classic", s))) for s in SEEDS})]
    rows += [_line(name, {s: _last(offline.get((agent, s))) for s in SEEDS}) for agent, name in AGENTS.items()]
    rows.append(_line("mean return in the data", {s: _in_data(online.get(("dqn_classic", s))) for s in SEEDS}))
    whole = len(SEEDS) * len(AGENTS)
    return f"""# Learning from recorded data: CartPole-v1

Written by `dqn-tf results docs` from `results/runs/{ONLINE}` and, for each seed, `results/runs/{OFFLINE}`, which
`reproduce/offline.sh` makes. {len(offline)} of {whole} offline runs are complete.

The data of a seed are all transitions that the online agent of that seed saw while it learned (`train --record`):
{_sizes(online)}. Each offline agent learned from them alone{_updates(offline)}, without tuning: the settings are those
of `dqn_classic` with one idea changed, and CQL's `auxiliary.alpha` is the first one that was tried.

A number is the mean return of greedy episodes of the **last** network{_episodes(offline)}. No network was chosen by its
evaluations, as an agent that cannot play could not choose so.

{formatting.markdown(rows)}

Three seeds say which of these differences are large, and nothing finer. The largest return of CartPole-v1 is 500."""


def _last(run: Run | None) -> float | None:
    """The last network's mean return."""
    if run is None or run.summary is None:
        return None
    score: dict[str, Any] = run.summary.get("last_network_evaluation", run.summary["final_evaluation"])
    return float(score["return_mean"])


def _in_data(run: Run | None) -> float | None:
    return None if run is None else float(run.episodes["return_raw"].mean())


def _line(name: str, numbers: dict[int, float | None]) -> dict[str, Any]:
    there = [number for number in numbers.values() if number is not None]
    shown = {f"seed {seed}": "not run" if number is None else number for seed, number in numbers.items()}
    return {"agent": name, "mean": sum(there) / len(there) if len(there) == len(numbers) else "not run", **shown}


def _sizes(online: dict[tuple[str, int], Run]) -> str:
    frames = {run.frames for run in online.values()}
    return f"{formatting.number(max(frames))} each" if frames else "not run"


def _updates(offline: dict[tuple[str, int], Run]) -> str:
    updates = {int((run.summary or {})["updates"]) for run in offline.values()}
    return f", in {' or '.join(f'{number:,}' for number in sorted(updates))} updates" if updates else ""


def _episodes(offline: dict[tuple[str, int], Run]) -> str:
    episodes = {int((run.summary or {})["final_evaluation"]["episodes"]) for run in offline.values()}
    words = " or ".join(map(str, sorted(episodes)))
    return f" ({words} of the offline agents, 100 of the online one)" if episodes else ""
