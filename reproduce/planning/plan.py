"""From a protocol to the runs that it asks for."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

from dqn_tf.checks import ConfigError, unknown
from dqn_tf.envs import games
from reproduce.planning.job import Job
from reproduce.planning.protocol import Grid, Protocol, environment_ids, environments, find_environment

# One TensorFlow thread per run: a run then keeps one core busy, and cores are filled with runs.
SETTINGS = ("execution.threads=1",)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which part of a protocol to run; empty fields: all of it.

    seeds: how many, from its first on.  shard: (i, n), the i-th of n parts, from 1.
    """

    agents: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    seeds: int | None = None
    shard: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """jobs: this part's runs, in order.  total: runs of all parts.  awaiting: agents whose presets do not exist yet."""

    protocol: Protocol
    jobs: tuple[Job, ...]
    total: int
    awaiting: tuple[str, ...]


def make(protocol: Protocol, folder: Path, selection: Selection) -> Plan:
    """The runs that ``protocol`` asks for, in ``folder``/<id>/<agent>/<environment>/seed_<k>.

    They come seed by seed, so that the first results are one run of everything. Parts (``selection.shard``) take every
    n-th run of that order: together they are the whole, and no two share a run.

    Args:
        protocol: the protocol, or its smoke version.
        folder: what ``--runs`` named.
        selection: which agents, environments, seeds and part of it; empty fields: all.

    Returns:
        The runs of the part, and how many all parts have.

    Raises:
        ConfigError: an agent or environment that the protocol does not have, or settings that an agent refuses.
    """
    chosen = [_chosen(protocol, grid, selection) for grid in protocol.grid]
    if not any(agents and names for agents, names, _ in chosen):
        raise ConfigError(f"Expected runs of {protocol.id}, got none: no grid has both these agents and environments.")
    awaiting = tuple(dict.fromkeys(a for agents, names, _ in chosen if names for a in agents if protocol.waits(a)))
    most = max(len(seeds) for _, _, seeds in chosen)
    jobs = [
        job
        for i in range(most)
        for grid, (agents, names, seeds) in zip(protocol.grid, chosen, strict=True)
        if i < len(seeds)
        for agent in agents
        if not protocol.waits(agent)
        for job in _jobs(protocol, grid, agent, names, seeds[i], folder)
    ]
    _check(jobs)
    first, step = selection.shard or (1, 1)
    return Plan(protocol=protocol, jobs=tuple(jobs[first - 1 :: step]), total=len(jobs), awaiting=awaiting)


def _chosen(
    protocol: Protocol, grid: Grid, selection: Selection
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]:
    """Agents, environments and seeds of one grid."""
    from dqn_tf import presets

    agents, names, seeds = grid.agents, environments(grid), grid.seeds
    if selection.agents:
        known = dict.fromkeys((*protocol.named, *protocol.agents, *(presets.PRESETS if protocol.any_agent else ())))
        for agent in selection.agents:
            if agent not in known:
                then = "" if protocol.any_agent else f"{protocol.id} is about these agents only."
                raise unknown("agent", agent, known, then)
        welcome = protocol.any_agent and grid in _open(protocol)
        agents = tuple(a for a in selection.agents if a in grid.agents or (welcome and a not in protocol.named))
    if selection.environments:
        all_names = tuple(dict.fromkeys(n for g in protocol.grid for n in environments(g)))
        wanted = {find_environment(name, all_names, protocol.id) for name in selection.environments}
        names = tuple(name for name in names if name in wanted)
    if selection.seeds:
        more = range(max(seeds) + 1, max(seeds) + 1 + selection.seeds)
        seeds = (*seeds, *more)[: selection.seeds]
    return agents, names, seeds


def _open(protocol: Protocol) -> list[Grid]:
    """The grids for agents that none names: the largest, and others whose environments it does not have."""
    found: list[Grid] = []
    for grid in sorted(protocol.grid, key=lambda g: -len(environments(g)) * len(g.seeds)):
        if not any(set(environments(grid)) & set(environments(other)) for other in found):
            found.append(grid)
    return found


def _jobs(protocol: Protocol, grid: Grid, name: str, names: tuple[str, ...], seed: int, folder: Path) -> list[Job]:
    agent, ids = protocol.agent(name), environment_ids(grid)
    base = Job(
        label="",
        preset=agent.preset,
        environment="",
        seed=seed,
        frames=grid.budget_frames,
        run_dir=folder,
        protocol=grid.atari_protocol or None,
        settings=(*SETTINGS, *agent.settings, *grid.settings),
        checkpoint_frames=grid.checkpoint_frames,
    )
    return [
        replace(
            base,
            label=f"{name} {environment} seed {seed}",
            environment=ids[environment],
            run_dir=folder / protocol.id / name / environment / f"seed_{seed}",
            python_path=module_folder(ids[environment]),
        )
        for environment in names
    ]


def module_folder(env_id: str) -> str:
    """Where processes find the module of "module:Name-v0", which this one has imported; "" if it is installed, or none
    is needed."""
    top = env_id.rpartition(":")[0].partition(".")[0]
    spec = importlib.util.find_spec(top) if top else None
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        return ""
    package = spec.submodule_search_locations
    at = Path(next(iter(package)) if package else str(spec.origin)).resolve().parent
    return "" if at.name in ("site-packages", "dist-packages") else str(at)


def _check(jobs: list[Job]) -> None:
    """Make the configuration of one run of each kind, so that settings are refused before anything is started."""
    checked = set()
    for job in jobs:
        environment = "" if job.environment in games.ALL else job.environment
        kind = (job.preset, environment, job.protocol, job.settings)
        if kind not in checked:
            checked.add(kind)
            try:
                _ = job.config
            except ConfigError as error:
                raise ConfigError(f"{job.label}: {error}") from error


def parse_shard(text: str) -> tuple[int, int]:
    """Read ``--shard``: "2/8" -> (2, 8).

    Args:
        text: what was given.

    Returns:
        i and n, 1 <= i <= n.

    Raises:
        ConfigError: not of this form, or not 1 <= i <= n.
    """
    first, _, of = text.partition("/")
    try:
        i, n = int(first), int(of)
    except ValueError:
        raise ConfigError(f"Expected --shard i/n, got {text!r}. For example: --shard 1/4 to --shard 4/4.") from None
    if not 1 <= i <= n:
        raise ConfigError(f"Expected --shard i/n with 1 <= i <= n, got {text!r}. Parts are counted from 1.")
    return i, n
