"""The column of masks: what was legal where, against a naive record; rings, feeds, both placements, saved pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dqn_tf.replay import ring as ring_module
from dqn_tf.replay.device_ring import DEVICE_COLUMN_BYTES, device_column_bytes
from dqn_tf.replay.feed import Feed
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.ring import COLUMN_BYTES, Ring, row_bytes
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.types import Masks, ObservationSpec, Sample, StepType, TimeStep

SPEC = ObservationSpec((1,), "float32", mask_size=5)
N = 3


class Game:
    """Shows numbers, and remembers which actions were legal where."""

    def __init__(self, first: int) -> None:
        self.random, self.shown, self.over = np.random.default_rng(first), first, True
        self.legal: dict[float, bytes] = {}

    def answer(self) -> TimeStep:
        kind = StepType.FIRST if self.over else StepType.LAST if self.random.random() < 0.1 else StepType.MID
        self.over, self.shown = kind == StepType.LAST, self.shown + 1
        mask = self.random.random(5) < 0.5
        mask[int(self.random.integers(5))] = True
        frame = np.float32([self.shown])
        self.legal[float(self.shown)] = mask.tobytes()
        return TimeStep(frame, frame, 1.0, 1.0 - self.over, kind, self.over, False, 1, 1, mask)


def replay(placement: str = "host", capacity: int = 40) -> Replay:
    return Replay(Uniform(), Storage(capacity=capacity, placement=placement), SPEC, N, 0.9, seed=0)  # type: ignore[arg-type]


def feed_in(one: Any, game: Game, steps: int) -> None:
    for _ in range(steps):
        answer = game.answer()
        one.add_first(answer) if answer.step_type == StepType.FIRST else one.add(1, 1.0, answer)
        assert answer.mask is not None
        answer.mask[...] = False  # the caller's memory is his own again


def check(sample: Sample, legal: dict[float, bytes]) -> None:
    """The masks of both states are those that were shown with them."""
    for states, masks in ((sample.transitions.s_tm1, sample.masks.s_tm1), (sample.transitions.s_t, sample.masks.s_t)):  # type: ignore[union-attr]
        assert np.asarray(masks).dtype == bool
        for state, mask in zip(np.asarray(states), np.asarray(masks), strict=True):
            assert mask.tobytes() == legal[float(state[0])]


@pytest.mark.parametrize("placement", ["host", "device"])
def test_both_states_of_a_sample_have_their_masks(placement: str) -> None:
    """n = 3, over several laps of the ring, with ends of episodes."""
    one, game = replay(placement), Game(0)
    for update in range(12):
        feed_in(one, game, 17)
        sample = one.sample(16, update)
        check(sample if one.gather_in_graph is None else one.gather_in_graph(sample), game.legal)  # type: ignore[arg-type]


def test_without_masks_there_is_nothing() -> None:
    plain = ObservationSpec((1,), "float32")
    assert "mask" not in Ring(plain, 4).columns and Ring(plain, 4).masks(np.arange(2)) == ()
    assert row_bytes(plain) == 4 + COLUMN_BYTES and row_bytes(SPEC) == row_bytes(plain) + 5
    assert device_column_bytes(plain) == DEVICE_COLUMN_BYTES == device_column_bytes(SPEC) - 5


def test_masks_are_part_of_the_pieces_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ring_module, "SEGMENT_BYTES", 7 * row_bytes(SPEC))
    one, game = replay(), Game(0)
    feed_in(one, game, 57)
    state, again = one.state(), replay()
    for index in range(len(state["segments"])):
        again.ring.restore_segment(index, {k: v.copy() for k, v in one.ring.segment(index).items()})
    again.restore(state)
    assert again.state() == state
    check(again.sample(32, 3), game.legal)  # type: ignore[arg-type]
    one.ring.columns["mask"][11] ^= True
    one.ring._digests.clear()
    assert one.state()["segments"] != state["segments"]
    columns = {k: v for k, v in one.ring.segment(0).items() if k != "mask"}
    with pytest.raises(ValueError, match=r"Expected column mask of a replay segment"):
        again.ring.restore_segment(0, columns)


@pytest.mark.parametrize("restored", [False, True])
def test_a_feed_keeps_the_masks_of_its_blocks(restored: bool) -> None:
    """Two environments, blocks in mid-episode, the feeds saved and restored in between."""
    one, games = replay(capacity=500), [Game(0), Game(10_000)]
    feeds = [Feed(SPEC) for _ in games]
    for block in range(9):
        for game, feed in zip(games, feeds, strict=True):
            feed_in(feed, game, 4 + block % 5)
        if restored:
            states = [feed.state() for feed in feeds]
            assert all(state["masks"].dtype == bool and state["masks"].shape[1] == 5 for state in states)
            feeds = [Feed(SPEC) for _ in games]
            for feed, state in zip(feeds, states, strict=True):
                feed.restore(state)
        for feed in feeds:
            feed.flush(one)
    sample = one.sample(200, 0)
    assert isinstance(sample, Sample) and isinstance(sample.masks, Masks)
    check(sample, games[0].legal | games[1].legal)
    assert "masks" not in Feed(ObservationSpec((1,), "float32")).state()
