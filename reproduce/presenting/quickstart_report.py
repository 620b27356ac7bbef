"""The report of the quick start: a table, plots, and in words what they show and what they cannot show.

A pure function of the finished runs and of results/published/: no clock, no path of this machine.  Only times.csv is
different each time.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from reproduce import formatting
from reproduce.analysis import curve_comparison
from reproduce.places import OUTPUT
from reproduce.planning import plan, reading
from reproduce.planning.job import Job
from reproduce.planning.plan import Selection
from reproduce.presenting import plots
from reproduce.records import published, runs
from reproduce.records.runs import Run

SOLVED_RETURN = 475.0  # Gymnasium's reward_threshold of CartPole-v1, over 100 episodes
SOLVED_SHARE = 0.8  # of the seeds: 4 of 5

COLUMNS = {
    "environment": "environment",
    "agent": "agent",
    "seed": "seed",
    "frames": "frames",
    "updates": "updates",
    "score": "mean return",
    "score_std": "std",
    "score_episodes": "episodes",
    "score_kind": "of",
    "last_network": "last network",
    "reference": "beside",
    "reference_kind": "which is",
    "verdict": "verdict",
}


class Report(NamedTuple):
    """text: for the terminal.  ok: every run complete and CartPole solved."""

    text: str
    ok: bool


def of_runs(folder: Path, out: Path | None = None, smoke: bool = False) -> int:
    """Report on the runs of the protocol ``quickstart``, and print the report.

    Args:
        folder: what ``--runs`` named.
        out: where to write; by default results/quickstart, and for ``smoke`` the folder of the runs.
        smoke: the runs of the smoke version, whose budgets are too small to judge.

    Returns:
        Exit code: 0 if every run is complete and CartPole is solved, otherwise 1.

    Raises:
        ConfigError: a run directory holds a run of other settings.
        RunError: a damaged run.
    """
    protocol = reading.load("quickstart")
    protocol = protocol.smoke_version() if smoke else protocol
    planned = plan.make(protocol, folder.absolute(), Selection()).jobs
    out = out or (folder.absolute() / protocol.id if smoke else OUTPUT / "results" / "quickstart")
    return _report(planned, out, judged=not smoke)


def after_sweep(planned: Sequence[Job], home: Path) -> int:
    """Report on the runs that ``dqn-tf reproduce quickstart`` was asked for.

    All of the protocol's runs are reported in results/quickstart. Fewer of them, or other budgets, are not judged and
    are reported in ``home``.

    Args:
        planned: the runs asked for.
        home: the sweep's folder.

    Returns:
        Exit code, as ``of_runs``.

    Raises:
        ConfigError: as ``of_runs``.
        RunError: as ``of_runs``.
    """
    usual = plan.make(reading.load("quickstart"), home.parent, Selection()).jobs
    whole = tuple(planned) == usual
    return _report(planned, OUTPUT / "results" / "quickstart" if whole else home, judged=whole)


def _report(planned: Sequence[Job], out: Path, judged: bool) -> int:
    complete = [runs.load(job.run_dir) for job in planned if job.is_complete()]
    report = write(planned, complete, out, judged)
    print(f"\n{report.text}\nTable and plots: {out}", flush=True)
    return 0 if report.ok else 1


def write(planned: Sequence[Job], complete: Sequence[Run], folder: Path, judged: bool = True) -> Report:
    """Write summary.csv, summary.md, times.csv and the plots.

    Args:
        planned: the runs asked for; one without a complete run is reported as failed.
        complete: the finished runs among them.
        folder: where to write.
        judged: False for runs that are not those of the protocol.

    Returns:
        The report for the terminal.
    """
    by_seed = {(r.agent, r.environment, r.seed): r for r in complete}
    rows = [_row(job, by_seed.get((job.preset, job.environment, job.seed)), judged) for job in planned]
    frame = pd.DataFrame(rows)
    formatting.write_csv(frame, folder / "summary.csv")
    times = [(r.environment, r.seed, r.frames, r.wall_seconds) for r in complete]
    formatting.write_csv(
        pd.DataFrame(times, columns=["environment", "seed", "frames", "wall_seconds"]), folder / "times.csv"
    )

    cartpole, atari = [r for r in complete if r.game is None], [r for r in complete if r.game]
    names = []
    if cartpole:
        names += plots.save(plots.evaluations(cartpole, SOLVED_RETURN), folder / cartpole[0].environment.lower())
    for run in atari:
        names += plots.save(
            plots.beginning_beside_published(run, curve_comparison.compare(run)), folder / run.environment
        )
    headline, ok = _headline(rows, judged)
    sentences = [headline, *(_atari_words(run) for run in atari)]
    images = "\n\n".join(f"![{p.stem}]({p.name})" for p in names if p.suffix == ".svg")
    formatting.write_text(_page(rows, sentences, images, atari), folder / "summary.md")
    return Report(_terminal(rows, sentences), ok)


def _row(job: Job, run: Run | None, judged: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"environment": job.environment, "agent": job.preset, "seed": job.seed}
    if run is None or run.summary is None:
        blank = dict.fromkeys(("frames", "steps", "updates", "episodes", "score", "score_std", "score_episodes"))
        return {
            **row,
            **blank,
            "score_kind": "",
            "last_network": None,
            "reference": None,
            "reference_kind": "",
            "verdict": "run failed",
            "config_hash": job.config.hash,
            "state_digest": "",
        }
    counted = {name: run.summary[name] for name in ("frames", "steps", "updates", "episodes")}
    judge = _atari_score if run.game else _cartpole_score
    return {
        **row,
        **counted,
        **judge(run, judged),
        "config_hash": run.summary["config_hash"],
        "state_digest": run.summary["state_digest"],
    }


def _cartpole_score(run: Run, judged: bool) -> dict[str, Any]:
    summary = run.summary or {}
    final, last = summary["final_evaluation"], summary.get("last_network_evaluation", summary["final_evaluation"])
    frames, network = final.get("network_frames", run.frames), final.get("network", "last")
    solved = final["return_mean"] >= SOLVED_RETURN
    return {
        "score": final["return_mean"],
        "score_std": final["return_std"],
        "score_episodes": final["episodes"],
        "score_kind": f"greedy episodes of the {network} network, from {plots.amount(frames)} frames",
        "last_network": last["return_mean"],
        "reference": SOLVED_RETURN,
        "reference_kind": "solved",
        "verdict": ("solved" if solved else "not solved") if judged else "not judged",
    }


def _atari_score(run: Run, judged: bool) -> dict[str, Any]:
    returns = run.episodes["return_raw"]
    point = published.dopamine_curve(run.environment).iloc[0]
    whole = run.frames >= published.DOPAMINE_ITERATION_FRAMES
    return {
        "score": float(returns.mean()) if len(returns) else math.nan,
        "score_std": float(returns.std()) if len(returns) > 1 else math.nan,
        "score_episodes": len(returns),
        "score_kind": f"training episodes in {plots.amount(run.frames)} frames",
        "last_network": None,
        "reference": float(point["mean_return"]),
        "reference_kind": f"published, mean of the first 1M frames of {int(point['n_runs'])} runs",
        "verdict": "see results/tables" if whole else f"not comparable ({plots.amount(run.frames)} of 1M frames)",
    }


def _headline(rows: Sequence[dict[str, Any]], judged: bool) -> tuple[str, bool]:
    """The sentence on CartPole and on failures, and whether all is well."""
    cartpole = [r for r in rows if r["reference_kind"] != "" and r["reference"] == SOLVED_RETURN]
    failed = [f"{r['environment']} seed {r['seed']}" for r in rows if r["verdict"] == "run failed"]
    trouble = f" Failed: {', '.join(failed)}; the logs are beside the run directories." if failed else ""
    if not judged:
        return f"Tiny budgets: this shows that the commands work, and is not judged.{trouble}", not failed
    wanted = sum(r["agent"] == "dqn_classic" for r in rows)
    needed, solved = math.ceil(SOLVED_SHARE * wanted), sum(r["verdict"] == "solved" for r in cartpole)
    lasting = sum(r["verdict"] != "run failed" and r["last_network"] >= SOLVED_RETURN for r in cartpole)
    ok = solved >= needed
    return (
        f"CartPole-v1 is {'solved' if ok else 'NOT SOLVED'}: {solved} of {wanted} seeds reach a mean of "
        f"{SOLVED_RETURN:g} over 100 new greedy episodes with the best-scored network of training (needed: {needed}); "
        f"with the last network of training {lasting} of {wanted}.{trouble}"
    ), ok and not failed


def _atari_words(run: Run) -> str:
    """What the Atari run measured, and the published number that it is compared with."""
    first = curve_comparison.compare(run).iloc[0] if len(run.episodes) else None
    if first is None:
        return f"{run.environment.capitalize()}: no episode ended within {run.frames:,} frames."
    random_play = published.human_random(run.environment).random
    learning = run.config.agent.min_replay_steps * run.config.frame_skip
    before = run.episodes[run.episodes["frames"] <= learning]["return_raw"]
    error = f" ± {before.std() / math.sqrt(len(before)):.2f} (standard error)" if len(before) > 1 else ""
    return (
        f"{run.environment.capitalize()}: {first['explanation']} Before learning starts (at {learning:,} frames) the "
        f"agent plays at random: mean {before.mean():.2f}{error} over {len(before)} episodes. Published random play, "
        f"without sticky actions: {random_play:g}."
    )


def _terminal(rows: Sequence[dict[str, Any]], sentences: Sequence[str]) -> str:
    lines = [("run", "frames", "mean return", "of episodes", "beside", "verdict")]
    for r in rows:
        name = f"{r['environment']} ({r['agent']}), seed {r['seed']}"
        score = f"{formatting.number(r['score'])} ± {formatting.number(r['score_std'], 3)}"
        kind = r["reference_kind"].split(",")[0]
        reference = f"{formatting.number(r['reference'])} ({kind})" if kind else ""
        counts = formatting.number(r["frames"]), score, formatting.number(r["score_episodes"])
        lines.append((name, *counts, reference, r["verdict"]))
    words = [*sentences, "What this can and cannot show, and where to look next: summary.md."]
    return "\n".join([formatting.plain(lines), "", *(textwrap.fill(s, 110) for s in words)])


def _page(rows: Sequence[dict[str, Any]], sentences: Sequence[str], images: str, atari: Sequence[Run]) -> str:
    return f"""# The quick start: CartPole-v1 and Breakout

Written by `dqn-tf reproduce quickstart`; do not edit. Same seeds, same machine, same software: same bytes
(times.csv excepted).

{formatting.markdown(rows, COLUMNS)}
{chr(10).join(f"- {s}" for s in sentences)}

{images}

## What this can and cannot show

- **CartPole-v1** is trained to the end on every seed, so it shows that the algorithm as a whole learns: replay,
  targets, target network, exploration, evaluation. The seeds were fixed before they were run and were not used to
  choose the preset's values (docs/classic.md). It says nothing about images or about Atari. The score is that of the
  best network among the evaluations of training, as in Mnih et al. 2015, over episodes that had no part in choosing it:
  DQN reaches a solution and loses it again, as the lines of the plot and the column of the last network show.
{chr(10).join(_limits(run) for run in atari)}
- One seed is one draw: differences of the size of the published spread mean nothing.

## Where to look next

- docs/evidence/README.md: whole published tables, from the first frame to the last, with verdicts and the runs behind
  them; results/tables/ and results/plots/: longer runs beside the published numbers.
- `dqn-tf train dqn_dopamine breakout --seed 1 --frames 2_000_000 --run-dir runs/breakout` trains for two published
  points (an hour or more on a CPU); then `dqn-tf results export mine runs/breakout` and
  `dqn-tf results` put it beside them.
- `dqn-tf explain dqn_dopamine`: every setting and where it was read. docs/: what the columns of the tables mean, what
  is promised about equal bytes, how `dqn_classic` was chosen.
"""


def _limits(run: Run) -> str:
    share = run.frames / (200 * published.DOPAMINE_ITERATION_FRAMES)
    learning = run.config.agent.min_replay_steps * run.config.frame_skip
    epsilon = run.iterations["epsilon"].iloc[-1]
    settings = "; ".join(curve_comparison.deviations(run)) or "none"
    return (
        f"- **{run.environment.capitalize()}** gets {run.frames:,} frames, {100 * share:.2g} % of the published 200M. "
        f"Learning starts at {learning:,} frames and at the end {epsilon:.0%} of the actions are still random, so the "
        "returns are those of nearly random play: they show that emulator, preprocessing, scoring and the training "
        "loop run together. They do not show that the agent learns, nor that it would follow the published curve: the "
        "first published point is an average over 1M frames, in most of which that agent was already learning and its "
        "epsilon falling, so a run that ends this early is expected to lie elsewhere. The published score of random "
        f"play was measured without sticky actions, this run has them. Settings other than the preset's: {settings}."
    )
