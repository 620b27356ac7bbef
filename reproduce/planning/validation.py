"""Whether a protocol makes sense: names that exist, numbers in range, no run twice, claims that can be judged."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from dqn_tf import envs, presets
from dqn_tf.checks import ConfigError, unknown
from dqn_tf.envs import games
from reproduce.places import folder_name
from reproduce.planning import evidence_checks
from reproduce.planning.protocol import AFTER_TRAINING, WINDOWED, Claim, Grid, Protocol, environments

Wrong = Callable[[str, object], ConfigError]  # (key in the file, what is wrong with it) -> the error to raise


def check(p: Protocol, wrong: Wrong) -> None:
    """Refuse a protocol that makes no sense.

    Args:
        p: the protocol, its types right.
        wrong: (key in the file, what is wrong with it) -> the error to raise.

    Raises:
        ConfigError: a name that does not exist, a number out of range, a run that two grids have, a claim that cannot
            be judged.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", p.id):
        raise wrong("id", f"Expected a plain name of small letters, digits and _, got {p.id!r}.")
    for name in p.agents:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise wrong(f"agents.{name}", "Expected a plain name of small letters, digits and _.")
        _preset(p, p.agents[name].preset, f"agents.{name}.preset", wrong)
    for table, grids in (("grid", p.grid), ("smoke", p.smoke)):
        if not grids:
            raise wrong(table, f"Expected at least one table [[{table}]], got none.")
        runs: dict[tuple[str, str], int] = {}
        for i, grid in enumerate(grids, start=1):
            _grid(p, grid, f"{table}[{i}]", wrong)
            for pair in ((a, e) for a in grid.agents for e in environments(grid)):
                if runs.setdefault(pair, i) != i:
                    raise wrong(f"{table}[{i}]", f"{pair[0]} on {pair[1]} is in {table}[{runs[pair]}] too.")
    if (p.score.convention in WINDOWED) != bool(p.score.window_frames):
        expected = f"Expected it for {' and '.join(WINDOWED)}, and for them only; the convention is"
        raise wrong("score.window_frames", f"{expected} {p.score.convention}.")
    _claims(p, wrong)
    evidence_checks.check(p, wrong)


def _preset(p: Protocol, preset: str, key: str, wrong: Wrong) -> None:
    if preset not in presets.PRESETS and preset not in p.awaiting:
        then = "Presets that do not exist yet belong into `awaiting`."
        raise wrong(key, unknown("preset", preset, (*presets.PRESETS, *p.awaiting), then))


def _grid(p: Protocol, grid: Grid, key: str, wrong: Wrong) -> None:
    for name in ("agents", "seeds"):
        values = getattr(grid, name)
        if not values or len(set(values)) < len(values):
            raise wrong(f"{key}.{name}", f"Expected different values, at least one, got {list(values)}.")
    for agent in grid.agents:
        if agent not in p.agents:
            _preset(p, agent, f"{key}.agents", wrong)
    for name in ("budget_frames", "checkpoint_frames"):
        if getattr(grid, name) < 1:
            raise wrong(f"{key}.{name}", f"Expected at least 1 frame, got {getattr(grid, name)}.")
    if min(grid.seeds) < 0:
        raise wrong(f"{key}.seeds", f"Expected seeds of at least 0, got {min(grid.seeds)}.")
    if grid.atari_protocol and grid.atari_protocol not in envs.PROTOCOLS:
        raise wrong(f"{key}.atari_protocol", unknown("protocol", grid.atari_protocol, envs.PROTOCOLS))
    if bool(grid.suite) == bool(grid.environments):
        raise wrong(key, "Expected one of `suite` and `environments`.")
    if grid.suite and grid.suite not in games.SUITES:
        raise wrong(f"{key}.suite", unknown("suite", grid.suite, games.SUITES))
    try:
        environments(grid)
    except ConfigError as error:
        raise wrong(f"{key}.environments", error) from error


def _claims(p: Protocol, wrong: Wrong) -> None:
    seen: set[str] = set()
    for i, claim in enumerate(p.claims, start=1):
        key = f"claims[{i}]"
        if claim.id in seen:
            raise wrong(f"{key}.id", f"Expected an id of its own, got {claim.id!r} again.")
        seen.add(claim.id)
        if claim.agent not in p.named:
            raise wrong(f"{key}.agent", unknown("agent", claim.agent, p.named))
        for name in ("place", "why_tolerance"):
            if not getattr(claim, name).strip():
                raise wrong(f"{key}.{name}", "Expected words, got none.")
        if not 0 <= claim.tolerance < math.inf:
            raise wrong(f"{key}.tolerance", f"Expected at least 0, got {claim.tolerance}.")
        if not math.isfinite(claim.published) or (claim.tolerance and not claim.published):
            why = "a number of which the tolerance can be a share" if claim.published == 0 else "a finite number"
            raise wrong(f"{key}.published", f"Expected {why}, got {claim.published}.")
        _metric(p, claim, key, wrong)
        _when(p, claim, key, wrong)


def _metric(p: Protocol, claim: Claim, key: str, wrong: Wrong) -> None:
    """What is measured, where, and in which unit."""
    raw = claim.metric == "score"
    played = [e for grid in p.grids_of(claim.agent) for e in environments(grid)]
    if raw and folder_name(claim.environment) not in played:
        raise wrong(f"{key}.environment", unknown("environment", claim.environment, played))
    if not raw and claim.environment:
        raise wrong(f"{key}.environment", f"Expected none for a metric over games, got {claim.environment!r}.")
    if raw == bool(claim.normalization):
        raise wrong(f"{key}.normalization", "Expected it for normalized metrics, and for them only.")
    if raw != (claim.unit == "return"):
        raise wrong(f"{key}.unit", f"Expected return for a score, percent or fraction else, got {claim.unit}.")
    if not raw:
        from reproduce.records import published  # pandas takes a second to import

        if claim.normalization not in published.NORMALIZATIONS:
            then = unknown("normalization", claim.normalization, published.NORMALIZATIONS)
            raise wrong(f"{key}.normalization", then)
        if claim.metric == "mean_normalized" and published.available():
            try:
                published.check_means(claim.normalization)
            except ConfigError as error:
                raise wrong(f"{key}.normalization", error) from error


def _when(p: Protocol, claim: Claim, key: str, wrong: Wrong) -> None:
    """Whether ``claim.frames`` lies within training, and the convention has a score there."""
    budget = max(grid.budget_frames for grid in p.grids_of(claim.agent))
    if claim.frames is None:
        return
    if p.score.convention in AFTER_TRAINING:
        raise wrong(f"{key}.frames", f"Expected none: {p.score.convention} is of episodes after training.")
    if not (p.score.window_frames or 1) <= claim.frames <= budget:
        raise wrong(f"{key}.frames", f"Expected a place within {budget:,} frames, got {claim.frames:,}.")
