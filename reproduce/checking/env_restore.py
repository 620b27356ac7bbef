"""Prove that Atari environments save and restore exactly, and that every episode begins in a state of its own.

Restore: random play under two protocols (dopamine: sticky actions; nature2015: no-ops, lives as episodes), snapshots
at random moments, each restored in a fresh object or in one that has played something else.  From there 60 further
answers (observation, frame, raw reward, discount, flags, lives, frames), the emulator's RAM after each of them and the
RGB screen at the end must be the same bytes.

Begin: three ways of beginning a game again after other play, each compared with a fresh emulator over 600 frames of
random actions, after three different pasts: RAM, lives and reward of every frame, RGB screen of every fifth.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import ale_py
import numpy as np

from dqn_tf.envs import PROTOCOLS, games
from dqn_tf.envs.atari import AtariEnvironment
from dqn_tf.envs.emulator import CLONE_IS_EXACT, Emulator
from dqn_tf.types import StepType
from reproduce import formatting

RESTORE_PROTOCOLS = ("dopamine", "nature2015")
BEGINNINGS = ("reset", "clone", "reload")
SNAPSHOTS, STEPS, AHEAD = 6, 700, 60
BEGIN_FRAMES, PASTS = 600, 3


class Restored(NamedTuple):
    """What was found on one game under one protocol.

    Attributes:
        exact: snapshots after which everything was the same.
        total: snapshots taken.
        episodes: episodes played.
        lives_lost: lives lost.
    """

    exact: int
    total: int
    episodes: int
    lives_lost: int


def _play(env: AtariEnvironment, actions: np.random.Generator, answers: int) -> tuple[str, int]:
    """Random play: SHA-256 of all that was seen, and how many of the agent's episodes a life loss ended."""
    sha, lost = hashlib.sha256(), 0
    for _ in range(answers):
        if env.state()["awaiting"]:
            answer = env.reset()
        else:
            answer = env.step(int(actions.integers(env.spec.num_actions)))
        lost += answer.step_type == StepType.LAST and not answer.episode_over
        sha.update(answer.observation.tobytes() + answer.frame.tobytes())
        sha.update(repr((answer.reward, answer.discount, [int(x) for x in answer[4:9]])).encode())
        sha.update(env._emulator.ale.getRAM().tobytes())
    return hashlib.sha256(sha.digest() + env.render().tobytes()).hexdigest(), lost


def restored(game: str, protocol: str) -> Restored:
    """Play a game, take snapshots, restore each of them and compare what follows.

    Args:
        game: its id.
        protocol: a key of ``dqn_tf.envs.PROTOCOLS``.

    Returns:
        How many snapshots were restored exactly, and what was played.
    """
    seed = games.ALL.index(game)
    source, used = (AtariEnvironment(game, PROTOCOLS[protocol], seed) for _ in range(2))
    actions, other = np.random.default_rng(seed), np.random.default_rng(seed + 1000)
    _play(used, other, 80)
    exact = lost = 0
    for i, gap in enumerate(other.integers(1, 2 * (STEPS // SNAPSHOTS - AHEAD), SNAPSHOTS).tolist()):
        lost += _play(source, actions, gap)[1]
        state, position = source.state(), actions.bit_generator.state
        want, more = _play(source, actions, AHEAD)
        copy = used if i % 2 else AtariEnvironment(game, PROTOCOLS[protocol], seed)
        copy.restore(state)
        again = np.random.default_rng()
        again.bit_generator.state = position
        exact += _play(copy, again, AHEAD)[0] == want
        lost += more
    return Restored(exact, SNAPSHOTS, int(source.state()["episode"]) + 1, lost)


def _wander(ale: ale_py.ALEInterface, seed: int, frames: int) -> None:
    """Random play before the comparison; a game that ends begins again."""
    actions, generator = ale.getMinimalActionSet(), np.random.default_rng(seed)
    for index in generator.integers(len(actions), size=frames).tolist():
        if ale.game_over():
            ale.reset_game()
        ale.act(actions[index])


def _trace(ale: ale_py.ALEInterface, frames: int) -> str:
    """SHA-256 of RAM and reward of every frame under random actions, and of the screen of every fifth."""
    actions, generator, sha = ale.getMinimalActionSet(), np.random.default_rng(0), hashlib.sha256()
    for i, index in enumerate(generator.integers(len(actions), size=frames).tolist()):
        reward = ale.act(actions[index])
        sha.update(ale.getRAM().tobytes() + str((reward, ale.lives())).encode())
        if i < 10 or i % 5 == 0:
            sha.update(ale.getScreenRGB().tobytes())
    return sha.hexdigest()


def _begin_again(emulator: Emulator, start: Any, way: str) -> None:
    if way == "reset":
        emulator.ale.reset_game()
    elif way == "clone":
        emulator.ale.restoreState(start)
    else:
        emulator._load()


def begins(game: str) -> dict[str, bool]:
    """For each way of beginning again: was it like a fresh emulator after every past?"""
    want = _trace(Emulator(game).ale, BEGIN_FRAMES)
    exact = dict.fromkeys(BEGINNINGS, True)
    for way in BEGINNINGS:
        emulator = Emulator(game)
        start = emulator.ale.cloneState()
        for past in range(1, PASTS + 1):
            _wander(emulator.ale, past, 400 * past)
            _begin_again(emulator, start, way)
            exact[way] &= _trace(emulator.ale, BEGIN_FRAMES) == want
    return exact


class Row(NamedTuple):
    """The findings about one game.

    Attributes:
        game: its id.
        begins: way of beginning a game again -> whether it is exact.
        restored: Atari protocol -> what was found about snapshots.
    """

    game: str
    begins: dict[str, bool]
    restored: dict[str, Restored]

    @property
    def holds(self) -> bool:
        ours = "clone" if self.game in CLONE_IS_EXACT else "reload"
        return self.begins[ours] and all(r.exact == r.total for r in self.restored.values())


def examine(game: str) -> Row:
    """Both proofs for one game."""
    return Row(game, begins(game), {name: restored(game, name) for name in RESTORE_PROTOCOLS})


HEADER = ["game", *(f"begin by {b}" for b in BEGINNINGS), "begun here by"] + [
    f"{name}: {column}" for name in RESTORE_PROTOCOLS for column in ("exact", "games", "lives lost")
]


def _cells(row: Row) -> list[str]:
    cells = [row.game, *("exact" if row.begins[b] else "differs" for b in BEGINNINGS)]
    cells.append("clone" if row.game in CLONE_IS_EXACT else "reload")
    for found in row.restored.values():
        cells += [f"{found.exact}/{found.total}", str(found.episodes), str(found.lives_lost)]
    return cells


def report(rows: list[Row]) -> str:
    """The findings as Markdown."""
    exact = sum(r.exact for row in rows for r in row.restored.values())
    total = sum(r.total for row in rows for r in row.restored.values())
    lines = [
        "# Exact save and restore of Atari environments",
        "",
        "Written by `dqn-tf results env-restore --markdown docs/evidence/env_restore.md`; what is compared "
        "stands at the top of reproduce/checking/env_restore.py.",
        "",
        f"ale-py {ale_py.__version__}, {len(rows)} games: {exact} of {total} snapshots restored exactly; "
        + ", ".join(f"beginning by {b} exact in {sum(r.begins[b] for r in rows)}" for b in BEGINNINGS)
        + f". Claims held for {sum(row.holds for row in rows)} of {len(rows)} games.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + "---|" * len(HEADER),
        *("| " + " | ".join(_cells(row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _examined(names: Iterable[str], processes: int) -> list[Row]:
    rows = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for row in pool.imap(examine, names):
            print(*_cells(row), "" if row.holds else "  FAILED", sep="\t", flush=True)
            rows.append(row)
    return rows


def prove(names: Iterable[str], processes: int, markdown: Path | None = None) -> bool:
    """Print a line per game as it is examined.

    Args:
        names: ids of games.
        processes: games at a time.
        markdown: the file for the report; None: none.

    Returns:
        Whether all is exact.
    """
    print(*HEADER, sep="\t", flush=True)
    rows = _examined(names, processes)
    if markdown:
        formatting.write_text(report(rows), markdown)
    failed = [row.game for row in rows if not row.holds]
    print(f"{len(rows) - len(failed)} of {len(rows)} games hold." + (f" Failed: {failed}" if failed else ""))
    return not failed
