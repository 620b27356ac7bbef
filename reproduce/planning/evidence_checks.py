"""Whether a protocol's verdicts can be given: margins, statements of order, ranks, seeds that were tried."""

from __future__ import annotations

import math
from collections.abc import Callable

from dqn_tf.checks import ConfigError, unknown
from reproduce.places import folder_name
from reproduce.planning.protocol import Claim, Order, Protocol, Rank, Tried, environments

Wrong = Callable[[str, object], ConfigError]  # (key in the file, what is wrong with it) -> the error to raise


def check(p: Protocol, wrong: Wrong) -> None:
    """Refuse a protocol whose verdicts cannot be given.

    Args:
        p: the protocol, its types right.
        wrong: (key in the file, what is wrong with it) -> the error to raise.

    Raises:
        ConfigError: ``wrong`` of the first key that makes no sense.
    """
    for i, claim in enumerate(p.claims, start=1):
        _claim(claim, f"claims[{i}]", wrong)
    seen = {claim.id for claim in p.claims}
    statements = [*((f"orders[{i}]", o) for i, o in enumerate(p.orders, start=1))]
    statements += [*((f"ranks[{i}]", r) for i, r in enumerate(p.ranks, start=1))]  # type: ignore[list-item]
    for key, statement in statements:
        if statement.id in seen:
            raise wrong(f"{key}.id", f"Expected an id of its own, got {statement.id!r} again.")
        seen.add(statement.id)
        if not statement.place.strip():
            raise wrong(f"{key}.place", "Expected words, got none.")
        _order(p, statement, key, wrong) if isinstance(statement, Order) else _rank(p, statement, key, wrong)
    for i, tried in enumerate(p.tried, start=1):
        _tried(p, tried, f"tried[{i}]", wrong)


def _claim(claim: Claim, key: str, wrong: Wrong) -> None:
    """The fields of a claim that its verdict needs."""
    for name in ("margin", "run_std"):
        value = getattr(claim, name)
        if value is not None and not 0 < value < math.inf:
            raise wrong(f"{key}.{name}", f"Expected a number above 0, got {value}.")
    if (claim.std is None) != (claim.std_runs is None):
        there, missing = ("std", "std_runs") if claim.std_runs is None else ("std_runs", "std")
        raise wrong(f"{key}.{there}", f"Expected `{missing}` with it, got none.")
    if claim.std is not None and not (0 <= claim.std < math.inf and (claim.std_runs or 0) >= 2):
        expected = f"Expected a standard deviation of at least 0 over at least 2 runs, got {claim.std} over"
        raise wrong(f"{key}.std", f"{expected} {claim.std_runs}.")
    if claim.data:
        _confidence(claim, key, wrong)
    if claim.std is not None and (claim.run_std is not None or claim.metric != "score"):
        raise wrong(f"{key}.std", "Expected it for a score, and not with `run_std`.")


def _confidence(claim: Claim, key: str, wrong: Wrong) -> None:
    """A published number that is marked as of low confidence may be shown, if the claim says so, and is not judged."""
    from reproduce.records import published  # pandas takes a second to import

    if published.available() and published.low_confidence(claim.data) != claim.low_confidence:
        low = "is marked LOW CONFIDENCE" if not claim.low_confidence else "is not marked LOW CONFIDENCE"
        then = "Say `low_confidence = true`, which shows it without judging it, or leave the claim out."
        raise wrong(f"{key}.low_confidence", f"Expected what the published row says, which {low}. {then}")


def _order(p: Protocol, order: Order, key: str, wrong: Wrong) -> None:
    for name in ("better", "worse"):
        _played(p, getattr(order, name), order.environment, f"{key}.{name}", f"{key}.environment", wrong)
    if order.better == order.worse:
        raise wrong(f"{key}.worse", f"Expected another agent than `better`, got {order.worse!r} again.")
    for name in ("statement", "family"):
        if not getattr(order, name).strip():
            raise wrong(f"{key}.{name}", "Expected words, got none.")
    if not 0 < order.published < math.inf:
        expected = "Expected a difference above 0: where it is below, the agents change places"
        raise wrong(f"{key}.published", f"{expected}; got {order.published}.")


def _rank(p: Protocol, rank: Rank, key: str, wrong: Wrong) -> None:
    _played(p, rank.agent, rank.environment, f"{key}.agent", f"{key}.environment", wrong)
    if not 0 < rank.error < 1:
        raise wrong(f"{key}.error", f"Expected a probability between 0 and 1, got {rank.error}.")
    if not rank.steps or list(rank.steps) != sorted(set(rank.steps)) or rank.steps[0] < 1:
        raise wrong(f"{key}.steps", f"Expected numbers of agent steps that rise, got {list(rank.steps)}.")
    from reproduce.records import published  # pandas takes a second to import

    for steps in rank.steps if published.available() else ():
        try:
            published.runs_100k(rank.published, steps)
        except ConfigError as error:
            raise wrong(f"{key}.published", error) from error


def _tried(p: Protocol, tried: Tried, key: str, wrong: Wrong) -> None:
    if not tried.agents or not tried.environments or not tried.seeds:
        raise wrong(key, "Expected at least one of `agents`, `environments` and `seeds` each.")
    for agent in tried.agents:
        for environment in tried.environments:
            _played(p, agent, environment, f"{key}.agents", f"{key}.environments", wrong)
    if not tried.what.strip():
        raise wrong(f"{key}.what", "Expected words, got none.")


def _played(p: Protocol, agent: str, environment: str, key: str, key_of_it: str, wrong: Wrong) -> None:
    """Raises ``wrong`` unless the protocol has runs of ``agent`` on ``environment``."""
    if agent not in p.named:
        raise wrong(key, unknown("agent", agent, p.named))
    there = [name for grid in p.grids_of(agent) for name in environments(grid)]
    if folder_name(environment) not in there:
        raise wrong(key_of_it, unknown("environment", environment, there))
