"""Protocols as data: what a paper ran, in a TOML file that is checked before anything is started.

A file says which agents play which games on which seeds for how long (``[[grid]]``), what differs from the paper
(``[[deviations]]``), what the paper's numbers are (``[[claims]]``), and how to see in minutes that all of it works
(``[[smoke]]``, grids of their own).  docs/reproduce.md explains every key.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

from dqn_tf import envs, fields, presets
from dqn_tf.checks import ConfigError, nearest
from dqn_tf.envs import games
from reproduce.places import folder_name

SCHEMA = 1

Convention = Literal["training_return", "final_window", "best_checkpoint", "best_phase", "final_evaluation"]
AFTER_TRAINING = ("best_checkpoint", "final_evaluation")  # conventions of episodes that were played then
WINDOWED = ("training_return", "final_window")  # conventions that are means over the last ``window_frames``


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paper:
    """Where the protocol stands.  reference: "arXiv 1812.06110" or "doi 10...".  place: table or figure."""

    title: str
    reference: str
    place: str
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agent:
    """A preset, changed where ``settings`` ("path=value") say so."""

    preset: str
    settings: tuple[str, ...] = ()
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Every agent on every environment with every seed.

    agents: names in ``[agents.*]`` or presets.  suite: a key of ``games.SUITES``, or environments: their names.
    atari_protocol: a key of ``envs.PROTOCOLS``; "" is each preset's own.
    """

    agents: tuple[str, ...]
    suite: str = ""
    environments: tuple[str, ...] = ()
    seeds: tuple[int, ...]
    budget_frames: int
    checkpoint_frames: int = 1_000_000
    atari_protocol: str = ""
    settings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score:
    """Which number of a run is its score (conventions are never mixed).

    window_frames: how much of training it is a mean over, where the convention has a window (``WINDOWED``).
    """

    convention: Convention
    window_frames: int | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deviation:
    what: str
    why: str
    expected_effect: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """A published number, where it stands, and when ours agrees with it (``reproduce.analysis.claims`` judges).

    metric: over all games of the agent's grids, human-normalized by ``normalization`` (a key of
    ``published.NORMALIZATIONS``), or "score" in ``environment``, raw.  frames: where in training, by the convention of
    ``[score]``; none: at the end.  published: in ``unit``.  rule: "within": ours lies in published +- allowed;
    "at_least": not below published - allowed; allowed = tolerance * |published|.  why_tolerance: who chose it, and by
    what.  data: file, column and the cells that name the row of results/published that the number was read from.
    remembered: the number was not read in a source.

    For the verdict (``reproduce.analysis.verdicts``), in ``unit``: margin: how far the 95 % interval of the difference
    may reach to either side (none: as far as ours may be off).  std, std_runs: the published standard deviation over
    that many runs, with n or n - 1 in its denominator (std_divisor).  run_std: the standard deviation of this number
    over single runs, from elsewhere, where one run of ours has to do.  low_confidence: the published number is marked
    so, and is shown without being judged.
    """

    id: str
    agent: str
    metric: Literal["score", "median_normalized", "mean_normalized", "iqm_normalized"]
    environment: str = ""
    normalization: str = ""
    frames: int | None = None
    published: float
    unit: Literal["percent", "fraction", "return"]
    place: str
    rule: Literal["within", "at_least"]
    tolerance: float
    why_tolerance: str
    data: dict = dataclasses.field(default_factory=dict)
    remembered: bool = False
    note: str = ""
    margin: float | None = None
    std: float | None = None
    std_runs: int | None = None
    std_divisor: Literal["n", "n - 1"] = "n - 1"
    run_std: float | None = None
    low_confidence: bool = False

    @property
    def allowed(self) -> float:
        """How far ours may be off, in ``unit``."""
        return self.tolerance * abs(self.published)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Order:
    """A published statement of order: one agent scores more than another.

    published: by how much, there.  family: statements that share an error of 5 % (``verdicts.ERROR``).
    """

    id: str
    statement: str
    better: str
    worse: str
    environment: str
    family: str
    published: float
    place: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rank:
    """The place of our runs among published single runs (``published.runs_100k``), after some agent steps.

    published: their agent.  steps: where it is shown; the last one is judged, at ``error``.
    """

    id: str
    agent: str
    environment: str
    published: str
    steps: tuple[int, ...]
    error: float
    place: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried:
    """Seeds that were run while an agent was written.  tuned: a setting was chosen by them; they do not count then."""

    agents: tuple[str, ...]
    environments: tuple[str, ...]
    seeds: tuple[int, ...]
    what: str
    tuned: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol file, read and checked; ``awaiting``: presets that this version of dqn_tf does not have yet."""

    schema: int
    id: str
    title: str
    any_agent: bool = False
    awaiting: tuple[str, ...] = ()
    paper: Paper
    score: Score
    agents: dict[str, Agent]
    grid: tuple[Grid, ...]
    smoke: tuple[Grid, ...]
    deviations: tuple[Deviation, ...] = ()
    claims: tuple[Claim, ...] = ()
    orders: tuple[Order, ...] = ()
    ranks: tuple[Rank, ...] = ()
    tried: tuple[Tried, ...] = ()
    path: Path

    def agent(self, name: str) -> Agent:
        """The agent called ``name``: one of the file, or a preset without further settings."""
        return self.agents.get(name) or Agent(preset=name)

    def waits(self, name: str) -> bool:
        """Whether this version of dqn_tf lacks the agent's preset."""
        return self.agent(name).preset not in presets.PRESETS

    @property
    def named(self) -> tuple[str, ...]:
        """Every agent of the grids."""
        return tuple(dict.fromkeys(a for grid in self.grid for a in grid.agents))

    def grids_of(self, agent: str) -> tuple[Grid, ...]:
        """The grids that contain ``agent``."""
        return tuple(grid for grid in self.grid if agent in grid.agents)

    def smoke_version(self) -> Protocol:
        """The protocol that runs the smoke grids, under a name of its own."""
        return dataclasses.replace(self, id=f"{self.id}-smoke", grid=self.smoke, claims=(), orders=(), ranks=())

    def with_frames(self, frames: int) -> Protocol:
        """The same protocol with another budget for every grid."""
        return dataclasses.replace(self, grid=tuple(dataclasses.replace(g, budget_frames=frames) for g in self.grid))

    def identity(self) -> dict[str, Any]:
        """The fields that decide which runs are made; texts and claims are not among them and may be corrected."""
        agents = {name: fields.to_json(self.agents[name]) for name in sorted(self.agents)}
        for agent in agents.values():
            agent.pop("note")
        grids = {f"grid {i}": fields.to_json(grid) for i, grid in enumerate(self.grid, start=1)}
        return {"schema": self.schema, "id": self.id, "agents": agents, **grids}


def environments(grid: Grid) -> tuple[str, ...]:
    """The environments of a grid by the names of their folders: "breakout", "CartPole-v1".

    Raises ConfigError: unknown, with the nearest names.
    """
    return tuple(environment_ids(grid))


def environment_ids(grid: Grid) -> dict[str, str]:
    """The environments of a grid.

    Args:
        grid: with a suite, or names in any spelling.

    Returns:
        Name of the folder ("breakout", "CartPole-v1") -> what ``dqn-tf train`` calls it.

    Raises:
        ConfigError: an unknown name (with the nearest ones), or two environments of one folder.
    """
    if grid.suite:
        return {name: name for name in games.SUITES[grid.suite]}
    ids = [envs.short_name(envs.check_environment(name)) for name in grid.environments]
    found = {folder_name(env_id): env_id for env_id in ids}
    if len(found) < len(ids):
        raise ConfigError(f"Expected each environment once, and under a name of its own as a folder, got {ids}.")
    return found


def plain_environment(name: str) -> str:
    """The name of an environment's folder, from any of its spellings.  Raises ConfigError if there is none."""
    return folder_name(envs.short_name(envs.check_environment(name)))


def find_environment(name: str, known: tuple[str, ...], where: str) -> str:
    """The environment of a protocol that ``name`` spells.

    Args:
        name: any spelling.
        known: the protocol's environments, as folders are called.
        where: what to call the protocol in an error.

    Returns:
        One of ``known``.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    if name in known:
        return name
    try:
        found = plain_environment(name)
    except ConfigError:
        if close := nearest(name, known):
            raise ConfigError(f"Unknown environment {name!r}. Did you mean {' or '.join(map(repr, close))}?") from None
        raise
    if found not in known:
        raise ConfigError(f"Expected environments of {where}, got {found!r}. It has: {', '.join(known)}.")
    return found
