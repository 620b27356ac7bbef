"""docs/classic_results.md: every preset for vector states on CartPole-v1, one run for each of five seeds.

Which agents, seeds and budget: reproduce/protocols/classic.toml.  results/classic/cartpole.csv has a row for each
complete run, and the page is a function of it.  Rows of other runs stay while the protocol asks for the same settings,
so the runs may be spread over machines.  Rows measured before the presets became fused stay until runs of today's
settings take their places; the page counts them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reproduce import formatting
from reproduce.places import RESULTS, checkout
from reproduce.planning import plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection
from reproduce.planning.protocol import Protocol, environments
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
# What the presets set when their runs were made before they became fused.  Nothing else differs: the hashes say so.
BEFORE_FUSED = ("execution=interleaved", "execution.xla=update", "execution.threads=1")
HEX = ("config_hash", "state_digest", "code_sha256")  # may look like numbers


def jobs(protocol: Protocol, folder: Path) -> tuple[Job, ...]:
    """The protocol's runs on CartPole-v1.

    Args:
        protocol: the protocol, or its smoke version.
        folder: what ``--runs`` named.

    Returns:
        Jobs in the order of the protocol, below ``folder``; nothing is started.
    """
    return plan.make(protocol, folder, Selection(environments=(ENVIRONMENT,))).jobs


def collect(planned: Sequence[Job], csv: Path) -> pd.DataFrame:
    """One row for each run that is complete: read here, or else taken from the table ``csv``.

    Args:
        planned: the runs asked for.
        csv: an earlier table of ``COLUMNS``; it need not exist.

    Returns:
        Rows of ``COLUMNS``, by agent (in the order of ``planned``) and seed.

    Raises:
        RunError: a damaged run.
        ConfigError: a run whose settings are not those that the protocol asks for now.
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
    """Rows of ``csv`` that are of the runs asked for, or of the same before they became fused, by agent and seed."""
    if not csv.exists():
        return {}
    hashes = {(job.preset, job.seed): (job.config.hash, hash_before_fused(job)) for job in planned}
    table = pd.read_csv(csv, dtype=dict.fromkeys(HEX, str), na_filter=False).reindex(columns=list(COLUMNS))
    found = {(row["agent"], row["seed"]): dict(row) for _, row in table.iterrows()}
    return {key: row for key, row in found.items() if row["config_hash"] in hashes.get(key, ())}


def hash_before_fused(job: Job) -> str:
    """The configuration's hash with BEFORE_FUSED."""
    return job.config.with_settings(list(BEFORE_FUSED)).hash


def of_today(planned: Sequence[Job], found: pd.DataFrame) -> pd.Series[bool]:
    """For each row, whether its run had the settings that the protocol asks for now.

    Args:
        planned: the runs asked for.
        found: rows of ``COLUMNS``.

    Returns:
        bool, with the index of ``found``.
    """
    hashes = {(job.preset, job.seed): job.config.hash for job in planned}
    keys = zip(found["agent"], found["seed"], found["config_hash"], strict=True)
    return pd.Series([hashes.get((agent, seed)) == has for agent, seed, has in keys], found.index, dtype=bool)


def missing(planned: Sequence[Job], found: pd.DataFrame) -> tuple[str, ...]:
    """The agents of which runs with today's settings are missing.

    Args:
        planned: the runs asked for.
        found: rows of ``COLUMNS``.

    Returns:
        Names, in the order of the protocol.
    """
    found = found[of_today(planned, found)]
    there = set(zip(found["agent"], found["seed"], strict=True))
    return tuple(dict.fromkeys(job.preset for job in planned if (job.preset, job.seed) not in there))


def missing_now(folder: Path) -> tuple[str, ...]:
    """The agents of which runs are missing, both below ``folder`` and in results/classic/cartpole.csv."""
    planned = jobs(reading.load("classic"), folder.absolute())
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


def page(protocol: Protocol, found: pd.DataFrame) -> str:
    """The text of the page; agents without runs are listed as not run.

    Args:
        protocol: the protocol.
        found: rows of ``COLUMNS``.

    Returns:
        Markdown.
    """
    (grid,) = (g for g in protocol.grid if ENVIRONMENT in environments(g))
    today = of_today(jobs(protocol, Path()), found)
    rows = [_line(agent, grid.seeds, found[found["agent"] == agent], today) for agent in grid.agents]
    return f"""# The classic presets on {ENVIRONMENT}

Written by `dqn-tf results classic` from `results/classic/{FOUND.name}`, the runs of `dqn-tf reproduce {protocol.id}`.
{_state(len(grid.agents) * len(grid.seeds), found, today)}

Every preset for vector states, {grid.budget_frames:,} frames on each of {len(grid.seeds)} seeds. The number of a seed
is its score: {protocol.score.note}
Solved means at least {SOLVED_RETURN:g}, Gymnasium's threshold. "best network" and "last network" count the seeds in
which that network is solved; "of today's preset" counts the runs that had the settings that the preset has now.

Each preset is `dqn_classic` with one idea changed. None was tuned, except that one setting of `fqf_classic` and one of
`rainbow_classic` were chosen on other seeds ([classic.md](classic.md)). The table shows whether an idea learns; it
does not show which is better.

{formatting.markdown(rows)}"""


def _state(whole: int, found: pd.DataFrame, today: pd.Series[bool]) -> str:
    """How many of the runs there are, with which settings and how many versions of the code."""
    if not len(found):
        return f"**Not run yet**: none of {whole} runs."
    earlier = len(found) - int(today.sum())
    before = (
        f"\n\n**{earlier} of them were measured before the presets became `fused`**, "
        f"with `{', '.join(BEFORE_FUSED)}`.\n"
        "Fused execution is the same algorithm with other rounding, so its runs are others, and not measured yet."
        if earlier
        else ""
    )
    codes = found["code_sha256"].nunique()
    several = f" {codes} versions of the code ran them (`code_sha256` in the CSV)." if codes > 1 else ""
    return f"{len(found)} of {whole} runs are complete.{before}{several}"


def _line(agent: str, seeds: Sequence[int], found: pd.DataFrame, today: pd.Series[bool]) -> dict[str, Any]:
    scores = dict(zip(found["seed"], found["score"], strict=True))
    solved, last = ((found[name] >= SOLVED_RETURN).sum() for name in ("score", "last_network"))
    count = f"of {len(found)}" if len(found) else ""
    return {
        "agent": f"`{agent}`",
        "best network": f"{solved} {count}" if count else "not run",
        "last network": f"{last} {count}" if count else formatting.NONE,
        "of today's preset": f"{today[found.index].sum()} {count}" if count else formatting.NONE,
        "mean": float(found["score"].mean()) if count else None,
        **{f"seed {seed}": scores.get(seed) for seed in seeds},
    }


def found_now(planned: Sequence[Job]) -> pd.DataFrame:
    """The rows of results/classic/cartpole.csv that are of the runs ``planned``; run directories are not looked at."""
    return pd.DataFrame(list(_earlier(planned, FOUND).values()), columns=list(COLUMNS))


def page_of_results() -> str:
    """The page, from the rows that results/classic/cartpole.csv has now."""
    protocol = reading.load("classic")
    return page(protocol, found_now(jobs(protocol, Path())))


def update(folder: Path, smoke: bool = False) -> str:
    """Add the complete runs below ``folder`` to results/classic/ and docs/classic_results.md.

    Args:
        folder: what ``--runs`` named.
        smoke: the runs of the smoke version; both files are then written to its folder.

    Returns:
        The text of the page.

    Raises:
        RunError: as ``collect``.
        ConfigError: as ``collect``, or there is no checkout to write to.
    """
    protocol = reading.load("classic")
    protocol = protocol.smoke_version() if smoke else protocol
    home = folder.absolute() / protocol.id
    csv, text = (home / FOUND.name, home / PAGE) if smoke else (FOUND, checkout("docs/") / "docs" / PAGE)
    return write(protocol, folder.absolute(), csv, text)


def write(protocol: Protocol, folder: Path, csv: Path, text: Path) -> str:
    """Write the table and the page of the runs below ``folder``.

    Args:
        protocol: the protocol, or its smoke version.
        folder: what ``--runs`` named.
        csv: the table; rows in it are kept as ``collect`` says.
        text: the page.

    Returns:
        The text of the page.

    Raises:
        RunError: as ``collect``.
        ConfigError: as ``collect``.
    """
    found = collect(jobs(protocol, folder), csv)
    formatting.write_csv(found, csv)
    formatting.write_text(page(protocol, found), text)
    return page(protocol, found)
