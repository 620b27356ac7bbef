"""docs/classic_results.md: every preset for vector states on CartPole-v1, one run for each of five seeds.

Which agents, seeds and budget: reproduce/protocols/classic.toml.  results/classic/cartpole.csv has a row for each
complete run, and the page is a function of it.  Rows of earlier runs stay while the protocol asks for the same
settings, so the runs may be spread over machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reproduce import formatting
from reproduce.places import RESULTS, checkout
from reproduce.planning import plan, protocol, protocol_files
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection
from reproduce.planning.protocol import Protocol
from reproduce.records import runs

ENVIRONMENT = "CartPole-v1"
SOLVED_RETURN = 475.0  # Gymnasium: reward_threshold of CartPole-v1
FOUND = RESULTS / "classic" / "cartpole.csv"
PAGE = "classic_results.md"
# score: mean of the final evaluation's greedy episodes; last_network: that of the last network, where the score is
# that of the best one; network_frames: when the network that was scored was trained so far.
COLUMNS = tuple(
    """
    agent seed score score_std score_episodes last_network network_frames frames config_hash
    state_digest code_sha256
    """.split()
)
HEX = ("config_hash", "state_digest", "code_sha256")  # may look like numbers


def jobs(asked: Protocol, folder: Path) -> tuple[Job, ...]:
    """The protocol's runs on CartPole-v1, below ``folder``."""
    return plan.make(asked, folder, Selection(environments=(ENVIRONMENT,))).jobs


def collect(planned: Sequence[Job], csv: Path) -> pd.DataFrame:
    """A row of COLUMNS for each run that is complete, by agent and seed: here, or else in the table ``csv``.

    Raises RunError: a damaged run.  ConfigError: one whose settings are not those that the protocol asks for now.
    """
    earlier = _earlier(planned, csv)
    rows = [
        _row(job, runs.load(job.run_dir)) if job.is_complete() else earlier[job.preset, job.seed]
        for job in planned
        if job.is_complete() or (job.preset, job.seed) in earlier
    ]
    order = list(dict.fromkeys(job.preset for job in planned))
    rows.sort(key=lambda row: (order.index(row["agent"]), row["seed"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _earlier(planned: Sequence[Job], csv: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Rows of ``csv`` that are of the runs asked for, by agent and seed."""
    if not csv.exists():
        return {}
    hashes = {(job.preset, job.seed): job.config.hash for job in planned}
    table = pd.read_csv(csv, dtype=dict.fromkeys(HEX, str), na_filter=False).reindex(columns=list(COLUMNS))
    found = {(row["agent"], row["seed"]): dict(row) for _, row in table.iterrows()}
    return {key: row for key, row in found.items() if row["config_hash"] == hashes.get(key)}


def missing(planned: Sequence[Job], found: pd.DataFrame) -> tuple[str, ...]:
    """The agents of which runs are missing, in the protocol's order."""
    there = set(zip(found["agent"], found["seed"], strict=True))
    return tuple(dict.fromkeys(job.preset for job in planned if (job.preset, job.seed) not in there))


def missing_now(folder: Path) -> tuple[str, ...]:
    """The agents of which runs are missing, both below ``folder`` and in results/classic/cartpole.csv."""
    planned = jobs(protocol_files.load("classic"), folder.absolute())
    return missing(planned, collect(planned, FOUND))


def _row(job: Job, run: runs.Run) -> dict[str, Any]:
    summary = run.summary or {}
    final = summary["final_evaluation"]
    return {
        "agent": job.preset,
        "seed": job.seed,
        "score": final["return_mean"],
        "score_std": final["return_std"],
        "score_episodes": final["episodes"],
        "last_network": summary.get("last_network_evaluation", final)["return_mean"],
        "network_frames": final.get("network_frames", run.frames),
        "frames": run.frames,
        "config_hash": summary["config_hash"],
        "state_digest": summary["state_digest"],
        "code_sha256": run.manifest["sessions"][-1].get("code_sha256", ""),
    }


def page(asked: Protocol, found: pd.DataFrame) -> str:
    """The page's text.  found: COLUMNS, as from ``collect``; agents without runs are listed as not run."""
    (grid,) = (g for g in asked.grid if ENVIRONMENT in protocol.environments(g))
    whole = len(grid.agents) * len(grid.seeds)
    done = f"{len(found)} of {whole} runs are complete." if len(found) else f"**Not run yet**: none of {whole} runs."
    codes = found["code_sha256"].nunique()
    several = f" {codes} versions of the code ran them (`code_sha256` in the CSV)." if codes > 1 else ""
    rows = [_line(agent, grid.seeds, found[found["agent"] == agent]) for agent in grid.agents]
    return f"""# The classic presets on {ENVIRONMENT}

Written by `dqn-tf results classic` from `results/classic/{FOUND.name}`, the runs of `dqn-tf reproduce {asked.id}`.
{done}{several}

Every preset for vector states, {grid.budget_frames:,} frames on each of {len(grid.seeds)} seeds. The number of a seed
is its score: {asked.score.note}
Solved means at least {SOLVED_RETURN:g}, Gymnasium's threshold. "last network" counts the seeds whose last network is
solved too.

Each preset is `dqn_classic` with one idea changed. None was tuned, except that one setting of `fqf_classic` and one of
`rainbow_classic` were chosen on other seeds ([classic.md](classic.md)). The table shows whether an idea learns; it
does not show which is better.

{formatting.markdown(rows)}"""


def _line(agent: str, seeds: Sequence[int], found: pd.DataFrame) -> dict[str, Any]:
    scores = dict(zip(found["seed"], found["score"], strict=True))
    solved, last = ((found[name] >= SOLVED_RETURN).sum() for name in ("score", "last_network"))
    count = f"of {len(found)}" if len(found) else ""
    return {
        "agent": f"`{agent}`",
        "solved": f"{solved} {count}" if count else "not run",
        "last network": f"{last} {count}" if count else formatting.NONE,
        "mean": float(found["score"].mean()) if count else None,
        **{f"seed {seed}": scores.get(seed) for seed in seeds},
    }


def page_of_results() -> str:
    """The page, from the rows that results/classic/cartpole.csv has now."""
    return page(protocol_files.load("classic"), pd.read_csv(FOUND).reindex(columns=list(COLUMNS)))


def update(folder: Path, smoke: bool = False) -> str:
    """Add the complete runs below ``folder`` to results/classic/ and docs/classic_results.md; returns the page.

    smoke: of the protocol with tiny budgets; both files are then written to its folder.  Raises as ``collect``.
    """
    asked = protocol_files.load("classic")
    asked = asked.smoke_version() if smoke else asked
    home = folder.absolute() / asked.id
    csv, text = (home / FOUND.name, home / PAGE) if smoke else (FOUND, checkout("docs/") / "docs" / PAGE)
    return write(asked, folder.absolute(), csv, text)


def write(asked: Protocol, folder: Path, csv: Path, text: Path) -> str:
    """Write the table and the page of the runs below ``folder``; returns the page."""
    found = collect(jobs(asked, folder), csv)
    formatting.write_csv(found, csv)
    formatting.write_text(page(asked, found), text)
    return page(asked, found)
