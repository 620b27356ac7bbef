"""docs/evidence/README.md: the scoreboard, from results/tables/scoreboard.csv; and its summary in README.md."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from dqn_tf.checks import ConfigError
from reproduce import formatting
from reproduce.analysis import scoreboard
from reproduce.analysis.verdicts import CANNOT_TELL, NOT_JUDGED, NOT_REPRODUCED, NOT_RUN, REPRODUCED
from reproduce.formatting import number
from reproduce.places import RESULTS, ROOT
from reproduce.planning import reading
from reproduce.presenting.tables_folder import SCOREBOARD

PAGE = "evidence/README.md"
BEGIN, END = "<!-- evidence: written by `dqn-tf results docs` -->", "<!-- end of evidence -->"  # in README.md
BOLD = (REPRODUCED, NOT_REPRODUCED, scoreboard.REFUSED)
CURVES = "Dopamine's curves"
_LEGEND = """\
Ours is the mean over the runs. The interval is the 95 % interval of *ours - published*; of a statement of order it is
that of the probability that a run of the first agent is the better one. The rules were written before the runs, except
for Dopamine's curves: [What counts as reproduced](plan.md). Runs: those that there are, of those that the protocol asks
for where some are missing. Hours: of all runs of a row, by their own clocks, on a machine that did other work too. One
run alone is made anew, and compared, by `dqn-tf rerun`."""


def board(results: Path = RESULTS) -> pd.DataFrame:
    """The rows of the scoreboard as they stand in results/tables/; none where nothing was attempted."""
    path = results / "tables" / SCOREBOARD
    if not path.is_file():
        return pd.DataFrame(columns=list(scoreboard.COLUMNS))
    texts = ["set", "kind", "id", "agent", "beside", "environment", "published_spread", "notes"]
    return pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=True).fillna(dict.fromkeys(texts, ""))


def page(results: Path = RESULTS) -> str:
    """The scoreboard's page."""
    rows = board(results)
    if rows.empty:
        return f"# Evidence\n\n{_by()}\n\nNothing was attempted yet.\n"
    return f"""# Evidence

{_by()}

{summary(rows)}

{formatting.markdown([_shown(row, results) for row in formatting.records(rows)])}
{_LEGEND}

## Tables and figures

{_more(rows)}
## Why each verdict

{_reasons(rows)}
"""


def _by() -> str:
    return "Written by `dqn-tf results` from `results/tables/scoreboard.csv`; do not edit."


def summary(rows: pd.DataFrame) -> str:
    """How many of how many, in one sentence."""
    found = scoreboard.counts(rows)
    shown = found.pop(NOT_JUDGED, 0)
    total = sum(found.values())
    words = {
        CANNOT_TELL: "{} cannot be decided with the runs so far",
        NOT_RUN: "{} not run yet",
        scoreboard.REFUSED: "{} refused",
    }
    rest = [words.get(status, "{} " + status).format(n) for status, n in found.items() if status != REPRODUCED]
    more = f" {shown} more, of low confidence, are shown without being judged." if shown else ""
    return (
        f"**{found.get(REPRODUCED, 0)} of {total} published numbers and statements that were attempted are "
        f"reproduced**{'; ' if rest else ''}{', '.join(rest)}.{more}"
    )


def _shown(row: dict[str, Any], results: Path) -> dict[str, Any]:
    """A row as people read it."""
    order, rank = row["kind"] == "order", row["kind"] == "rank"
    names = f"`{row['agent']}`" + (f" over `{row['beside']}`" if row["beside"] else "")
    place = f", {row['environment']}" if row["environment"] else ", all games"
    sign = "+" if order else ""
    missing = row["runs"] < row["asked"]
    verdict = f"**{row['verdict']}**" if row["verdict"] in BOLD else row["verdict"]
    if row["verdict"] == CANNOT_TELL:
        verdict += f" with {_runs(row['runs'])}"
    doubtful = " (low confidence)" if "of low confidence" in row["notes"] else ""
    return {
        "agent, environment": names + place,
        "what": row["what"],
        "published": "" if rank else f"{sign}{number(row['published'])} {row['published_spread']}".strip() + doubtful,
        "ours": _ours(row["ours"], order, row["runs"]),
        "interval": formatting.interval(row["low"], row["high"]) + (" (probability)" if order else ""),
        "verdict": verdict,
        "runs": _link(f"{row['runs']} of {row['asked']}" if missing else f"{row['runs']}", row, results),
        "hours": _hours(row["seconds"]),
        "repeat": f"`{row['repeat']}`",
    }


def _ours(value: float, order: bool, runs: int) -> str:
    if math.isnan(value):
        return formatting.NONE
    return f"better with {number(value, 2)}" if order else number(value)


def _runs(count: int) -> str:
    return f"{count} run" + "s" * (count != 1)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2g}" if 0 < seconds < 36_000 else f"{round(seconds / 3600):,}" if seconds else ""


def _link(text: str, row: dict[str, Any], results: Path) -> str:
    """A link to the runs of a row: to the index of packed ones, or to the manifest of the first."""
    files = (file for folder in _folders(row, results) for file in _indexes(folder) if file.is_file())
    first = next(files, None)
    return text if first is None else f"[{text}](../../results/{first.relative_to(results).as_posix()})"


def _folders(row: dict[str, Any], results: Path) -> list[Path]:
    """Where the runs of a row may be."""
    if not row["environment"]:
        return []
    if row["kind"] == "curve":
        return sorted((results / "runs").glob(f"*/{row['agent']}/{row['environment']}"))
    return [results / "runs" / row["set"] / row["agent"] / row["environment"]]


def _indexes(folder: Path) -> list[Path]:
    return [folder / "runs.json", *sorted(folder.glob("seed_*/manifest.json"))]


def _more(rows: pd.DataFrame) -> str:
    """Where the table of each set is."""
    return "\n".join(_tables(str(name), rows[rows["set"] == name]) for name in rows["set"].unique()) + "\n"


def _tables(name: str, rows: pd.DataFrame) -> str:
    if name != CURVES:
        return f"- [{reading.load(name).title}](../../results/tables/evidence_{name}.md)"
    presets = [f"[{preset}](../../results/tables/{preset}.md)" for preset in rows["agent"].unique()]
    return f"- {name}: {', '.join(presets)}"


def _reasons(rows: pd.DataFrame) -> str:
    return "\n".join(_reason(row) for row in formatting.records(rows))


def _reason(row: dict[str, Any]) -> str:
    where = f"{row['agent']}, {row['environment']}" if row["environment"] else row["agent"]
    notes = f" {row['notes']}" if row["notes"] else ""
    return f"- {where}, {row['what']} ({row['id']}): {row['sentence']}{notes}"


# -- README.md ---------------------------------------------------------------------------------------------------------
def readme(text: str, results: Path = RESULTS) -> str:
    """README.md with the summary of the scoreboard between its two marks.

    Args:
        text: README.md.
        results: the results folder.

    Returns:
        The same with today's summary.

    Raises:
        ConfigError: the marks are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"Expected the lines {BEGIN} and {END} in README.md, to write between them.")
    rows = board(results)
    words = f"{whole(rows)}{summary(rows)}" if len(rows) else "Nothing was attempted yet."
    where = "[The scoreboard](docs/evidence/README.md): every number, ours, its interval and its runs."
    return f"{before}{BEGIN}\n{words}\n{where}\n{END}{after}"


def whole(rows: pd.DataFrame) -> str:
    """The claims that have all their runs, as a table: "" where none has."""
    claims = [row for row in formatting.records(rows) if row["kind"] == "claim" and row["runs"] >= row["asked"] > 0]
    if not claims:
        return ""
    shown = [
        {
            "agent, environment": f"`{row['agent']}`, {row['environment'] or 'all games'}",
            "ours": f"{number(row['ours'])} ({_runs(row['runs'])})",
            "published": f"{number(row['published'])} {row['published_spread']}".strip(),
            "ours - published": formatting.interval(row["low"], row["high"]),
            "verdict": f"**{row['verdict']}**" if row["verdict"] in BOLD else row["verdict"],
        }
        for row in claims
    ]
    return f"{formatting.markdown(shown)}\n"


def readme_now() -> str:
    """README.md of the checkout, with today's summary."""
    return readme((ROOT / "README.md").read_text(encoding="utf-8"))
