"""Our training returns beside the published curves, as a page of Markdown per preset."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dqn_tf.envs import games
from reproduce import formatting
from reproduce.analysis.curve_comparison import COUNTERPARTS, TOO_SHORT, beside_published, deviations, pooled_seeds
from reproduce.formatting import number
from reproduce.records import peer_reruns, published
from reproduce.records.peer_reruns import Rerun
from reproduce.records.published import DOPAMINE_ITERATION_FRAMES
from reproduce.records.runs import Run

COLUMNS = {
    "environment": "game",
    "seed": "seed",
    "iteration": "iteration",
    "span": "frames (M)",
    "episodes": "episodes",
    "return_mean": "our mean return",
    "published_mean": "published mean",
    "published_std": "std",
    "published_min": "min",
    "published_max": "max",
    "published_n_runs": "runs",
    "prediction": "95 % prediction interval",
    "verdict": "verdict",
}


def markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, and under it one sentence per row."""
    rows = [
        {
            **row,
            "span": f"{row['begin_frames'] / 1e6:g} to {row['end_frames'] / 1e6:g}",
            "prediction": f"{number(row['prediction_low'])} to {number(row['prediction_high'])}",
        }
        for row in formatting.records(table)
    ]
    sentences = [
        f"- {games.camel_case(r['environment'])}, seed {r['seed']}, iteration {r['iteration']}: {r['explanation']}"
        for r in rows
    ]
    return formatting.markdown(rows, COLUMNS) + "\n" + "\n".join(sentences) + "\n"


def rerun_section(found: Sequence[Rerun], table: pd.DataFrame) -> str:
    """The section on runs of the published project's own code on this machine: a table, and a sentence on each.

    Args:
        found: the reruns.
        table: rows of ``curve_comparison.compare`` for our runs of the same preset.

    Returns:
        Markdown; "" without reruns.
    """
    if not found:
        return ""
    sentences = []
    for rerun in found:
        curve = published.dopamine_curve(rerun.game, *COUNTERPARTS[rerun.agent])
        first = formatting.records(curve)[0]
        row = beside_published(rerun.row["return_mean"], first, 0, True, DOPAMINE_ITERATION_FRAMES)
        same = (table["environment"] == rerun.game) & (table["iteration"] == 0) & (table["verdict"] != TOO_SHORT)
        ours = ", ".join(map(number, table[same].drop_duplicates("seed")["return_mean"])) or "none"
        name = f"{games.camel_case(rerun.game)}, {rerun.row['code']}, seed {rerun.row['seed']}"
        sentences.append(f"- {name}: {row['explanation']} Ours: {ours}.")
    return f"""
The published project's own code, run on this kind of machine for one iteration (tests/independent/dopamine_rerun.py;
results/reruns/):

{peer_reruns.markdown(found)}
{chr(10).join(sentences)}
"""


def page(group: Sequence[Run], table: pd.DataFrame, found: Sequence[Rerun] = ()) -> str:
    """The page of one preset beside the published curves.

    Args:
        group: its runs.
        table: their rows of ``curve_comparison.compare``.
        found: runs of the published project's own code.

    Returns:
        Markdown.
    """
    agent, variant = COUNTERPARTS[group[0].agent]
    judged = table[table["verdict"] != TOO_SHORT]
    counts = ", ".join(f"{n} {verdict}" for verdict, n in judged["verdict"].value_counts(sort=False).items())
    notes = [f"- {r.environment}, seed {r.seed}: " + ("; ".join(deviations(r)) or "none") for r in group]
    several = pooled_seeds(table)
    chance = f" ({len(several)} intervals; of 20, one misses by chance)" if len(several) > 1 else ""
    more = f"\nAll seeds of a game as one sample{chance}:\n\n" + "\n".join(several) + "\n" if several else ""
    return f"""# {group[0].agent} beside Dopamine's published {agent} curves

Written by `dqn-tf results tables` from results/runs/, results/published/ and results/reruns/; do not edit.

Our numbers are mean raw returns of the training episodes that ended in an iteration of 1M frames (250,000 agent
steps). The published ones are of the same kind (agent "{agent}", variant "{variant}"; results/published/PROVENANCE.md
says where they come from and why they are training returns). Verdicts, over all runs and finished iterations:
{counts or "none yet"}.

The verdicts, the strictest first. *Within the published runs*: between the lowest and the highest of them, where one
more such run falls 2 times in 3 (of five). *Within the prediction interval*: mean ± t × std × √(1 + 1/n), t for n - 1
degrees of freedom at 95 %, where one more such run falls 19 times in 20. *Outside*: in neither. With one seed and a
few iterations this can show a gross error; it cannot show that two implementations are equal.

{markdown(table)}{more}{rerun_section(found, table)}
Settings that differ from the preset's:

{chr(10).join(notes)}
"""
