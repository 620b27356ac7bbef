"""Prioritized replay, proportional and by rank: chances, weights, what enters and leaves, foresight, saving."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqn_tf.checks import RunError
from dqn_tf.determinism import digest
from dqn_tf.execution import prediction
from dqn_tf.replay.importance import Importance
from dqn_tf.replay.prioritized import Prioritized
from dqn_tf.replay.prioritized_rank import PrioritizedRank
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.types import ObservationSpec, StepType, TimeStep

VECTOR = ObservationSpec((1,), "float32")
IMAGE = ObservationSpec((4,), "uint8", 4)
NO_WEIGHTS = Importance(beta=1.0, divided_by="nothing")
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)


class Player:
    """Feeds a replay random episodes, step by step."""

    def __init__(self, replay: Replay, seed: int = 0, mean_length: int = 6) -> None:
        self.replay, self.random, self.mean = replay, np.random.default_rng(seed), mean_length
        self.left = 0

    def _timestep(self, kind: StepType) -> TimeStep:
        spec = self.replay.ring.spec
        frame = self.random.integers(0, 255, spec.frame_shape).astype(spec.dtype)
        return TimeStep(
            frame, frame, 0.0, 0.0 if kind == StepType.LAST else 1.0, kind, kind == StepType.LAST, False, 1, 1
        )

    def step(self) -> bool:
        """One step, with a reset before it if need be; returns whether the episode ended."""
        if self.left == 0:
            self.replay.add_first(self._timestep(StepType.FIRST))
            self.left = int(self.random.integers(1, 2 * self.mean))
        self.left -= 1
        self.replay.add(
            int(self.random.integers(3)), 1.0, self._timestep(StepType.LAST if self.left == 0 else StepType.MID)
        )
        return self.left == 0

    def play(self, steps: int) -> Replay:
        for _ in range(steps):
            self.step()
        return self.replay


def replay(sampler: Any, spec: ObservationSpec = VECTOR, n: int = 1, steps: int = 30, seed: int = 0) -> Replay:
    return Player(Replay(sampler, Storage(capacity=40), spec, n, 0.9, seed=0), seed).play(steps)


def usable(one: Replay) -> np.ndarray:
    rows = np.arange(one.ring.oldest, one.ring.head)
    return rows[one.ring.usable(rows)]


def give(one: Replay, seed: int = 1) -> np.ndarray:
    """Random priorities for all usable rows; returns them."""
    priorities = np.random.default_rng(seed).gamma(1.0, size=len(usable(one)))
    one.update_priorities(usable(one), priorities)
    return priorities


SAMPLERS = [Prioritized(), PrioritizedRank()]


# -- what can be drawn -------------------------------------------------------------------------------------------------
@PATIENT
@given(
    sampler=st.sampled_from(SAMPLERS),
    spec=st.sampled_from([VECTOR, IMAGE]),
    n=st.sampled_from([1, 3]),
    steps=st.integers(0, 150),
    seed=st.integers(0, 99),
)
def test_exactly_the_usable_rows_can_be_drawn(sampler: Any, spec: Any, n: int, steps: int, seed: int) -> None:
    """After many wraps of the ring, ends of episodes, open n-step returns and stacks that lost a frame."""
    one = replay(sampler, spec, n, steps, seed)
    own = one.sampler
    present = own.present if isinstance(sampler, Prioritized) else own.place >= 0
    assert np.flatnonzero(present).tolist() == sorted(usable(one) % 40)
    assert own.number == len(usable(one)) == present.sum()
    if own.number:
        rows, weights = one.sample_indices(16, update=0)
        assert one.ring.usable(rows).all() and np.isfinite(weights).all() and (weights > 0).all()


@PATIENT
@given(steps=st.integers(30, 150), seed=st.integers(0, 99))
def test_the_heap_is_a_heap(steps: int, seed: int) -> None:
    """No parent is smaller than its child, and places and slots are inverse, with priorities coming back between."""
    player = Player(Replay(PrioritizedRank(sort_updates=7), Storage(capacity=40), VECTOR, 1, 0.9, seed=0), seed)
    for i in range(steps):
        player.step()
        own = player.replay.sampler
        if own.number > 4 and i % 2:
            rows, _ = player.replay.sample_indices(4, i)
            player.replay.update_priorities(rows, player.random.gamma(1.0, size=4))
        order = own.priority[own.heap[: own.number]]
        assert all(order[(k - 1) // 2] >= order[k] for k in range(1, own.number))
        assert own.place[own.heap[: own.number]].tolist() == list(range(own.number))
    own.sort()
    assert (np.diff(own.priority[own.heap[: own.number]]) <= 0).all()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_empty_replay_has_nothing_to_draw(sampler: Any) -> None:
    with pytest.raises(RunError, match="Expected transitions in the replay"):
        replay(sampler, steps=0).sample_indices(4, 0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_new_transition_enters_with_the_largest_priority_seen(sampler: Any) -> None:
    """1 at first; afterwards the largest ever found, also when it is no longer there."""
    one = replay(sampler, steps=4)
    own = one.sampler
    first = usable(one)
    one.update_priorities(first, np.array([7.0, *[0.5] * (len(first) - 1)]))
    one.update_priorities(first, np.full(len(first), 0.25))
    Player(one, seed=5).step()
    newest = int(usable(one)[-1])
    one.sample_indices(2, 0)
    found = own.tree.leaves[newest % 40] if isinstance(sampler, Prioritized) else own.priority[newest % 40]
    assert found == (7.0**0.6 if isinstance(sampler, Prioritized) else 7.0)


# -- chances and weights -----------------------------------------------------------------------------------------------
def chances(one: Replay, batches: int = 2000) -> np.ndarray:
    """How often each usable row is drawn, as a share."""
    drawn = np.concatenate([one.sample_indices(16, update)[0] for update in range(batches)])
    return np.array([(drawn == row).mean() for row in usable(one)])


@pytest.mark.parametrize("stratified", [True, False])
def test_proportional_chances_and_weights(stratified: bool) -> None:
    """P(i) = p_i^alpha / sum, w_i = 1 / (N P(i)) at beta = 1 without scaling.  Tolerance: five standard deviations."""
    one = replay(Prioritized(alpha=0.7, stratified=stratified, importance=NO_WEIGHTS), steps=20)
    p = give(one) ** 0.7
    want = p / p.sum()
    np.testing.assert_allclose(chances(one), want, atol=5 * np.sqrt(want.max() / 32_000))
    rows, weights = one.sample_indices(16, 0)
    order = {int(row): i for i, row in enumerate(usable(one))}
    np.testing.assert_allclose(weights, [1 / (len(p) * want[order[int(r)]]) for r in rows], rtol=1e-6)


def test_rank_chances_and_weights() -> None:
    """P(i) = rank^-alpha / sum over a sorted heap."""
    one = replay(PrioritizedRank(alpha=0.7, importance=NO_WEIGHTS), steps=20)
    p = give(one)
    one.sampler.sort()
    ranks = np.argsort(np.argsort(-p)) + 1.0
    want = ranks**-0.7 / (ranks**-0.7).sum()
    np.testing.assert_allclose(chances(one), want, atol=5 * np.sqrt(want.max() / 32_000))
    rows, weights = one.sample_indices(16, 0)
    order = {int(row): i for i, row in enumerate(usable(one))}
    np.testing.assert_allclose(weights, [1 / (len(p) * want[order[int(r)]]) for r in rows], rtol=1e-6)


@pytest.mark.parametrize("sampler", [Prioritized(alpha=0.0), PrioritizedRank(alpha=0.0)])
def test_with_alpha_zero_it_is_uniform(sampler: Any) -> None:
    one = replay(sampler, steps=20)
    give(one)
    np.testing.assert_allclose(chances(one), np.full(len(usable(one)), 1 / len(usable(one))), atol=0.01)
    assert one.sample_indices(16, 0)[1].tolist() == [1.0] * 16


def test_stratified_draws_come_from_every_part() -> None:
    """With 20 equal priorities and a batch of 20, each is drawn exactly once."""
    one = replay(Prioritized(), steps=20, seed=3)
    rows, _ = one.sample_indices(len(usable(one)), 0)
    assert sorted(rows) == usable(one).tolist()
    one = replay(PrioritizedRank(alpha=0.0), steps=20, seed=3)
    assert sorted(one.sample_indices(len(usable(one)), 0)[0]) == usable(one).tolist()


def test_a_share_of_uniform_draws() -> None:
    """P = (1 - 1/4) p / sum + 1/4 / N: a transition of priority zero is drawn, too."""
    one = replay(Prioritized(alpha=1.0, uniform_share=0.25, importance=NO_WEIGHTS), steps=20)
    p = give(one)
    p[0] = 0.0
    one.update_priorities(usable(one), p)
    want = 0.75 * p / p.sum() + 0.25 / len(p)
    np.testing.assert_allclose(chances(one), want, atol=5 * np.sqrt(want.max() / 32_000))
    one.update_priorities(usable(one), np.zeros(len(p)))  # nothing is left to prefer
    np.testing.assert_allclose(chances(one), np.full(len(p), 1 / len(p)), atol=0.01)
    np.testing.assert_allclose(one.sample_indices(16, 0)[1], np.ones(16), rtol=1e-6)


@pytest.mark.parametrize("kind", [Prioritized, PrioritizedRank])
@pytest.mark.parametrize("divided_by", ["batch_max", "replay_max", "nothing"])
def test_what_the_weights_are_divided_by(kind: Any, divided_by: str) -> None:
    """All three agree up to a factor; the largest of a batch is 1, or that of the replay's least likely transition."""
    raw_one, one = (
        replay(kind(importance=Importance(beta=0.5, divided_by=d)), steps=20) for d in ("nothing", divided_by)
    )
    p = give(raw_one), give(one)
    (rows, raw), (again, weights) = raw_one.sample_indices(16, 0), one.sample_indices(16, 0)
    assert np.array_equal(rows, again)
    np.testing.assert_allclose(weights / weights[0], raw / raw[0], rtol=1e-5)
    if divided_by == "batch_max":
        assert weights.max() == 1.0
    elif divided_by == "replay_max":
        shares = p[0] ** 0.6 if kind is Prioritized else np.arange(1.0, len(p[0]) + 1) ** -0.7
        largest = (len(shares) * shares.min() / shares.sum()) ** -0.5
        np.testing.assert_allclose(weights, raw / largest, rtol=1e-5)


def test_beta_grows_with_the_clock_of_its_choice() -> None:
    rule = Importance(beta=0.4, beta_final=1.0, start=10, end=20)
    assert [rule.beta_at(t, 0) for t in (0, 10, 20, 99)] == [0.4, 0.4, 1.0, 1.0]
    assert rule.beta_at(15, 0) == pytest.approx(0.7)
    by_transitions = Importance(beta=0.4, beta_final=1.0, start=10, end=20, clock="transitions")
    assert by_transitions.beta_at(99, 0) == 0.4 and by_transitions.beta_at(0, 99) == 1.0
    one = replay(Prioritized(), steps=25)
    assert one.sampler.transitions == 25


def test_epsilon_and_the_largest_priority() -> None:
    one = replay(Prioritized(alpha=1.0, epsilon=0.5, largest=3.0), steps=3)
    rows = usable(one)
    one.update_priorities(rows, np.array([0.0, 1.0, 100.0]))
    one.sample_indices(2, 0)
    assert one.sampler.tree.leaves[rows % 40].tolist() == [0.5, 1.5, 3.0]
    assert one.sampler.largest == 3.0


# -- what must not enter -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_priority_that_is_none_is_refused_before_it_enters(sampler: Any, bad: float) -> None:
    one = replay(sampler)
    before = digest(one.sampler.state())
    with pytest.raises(RunError, match=r"Expected finite priorities >= 0, got .* the network has diverged"):
        one.update_priorities(usable(one)[:3], np.array([1.0, bad, 2.0]))
    assert digest(one.sampler.state()) == before


# -- foresight ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "sampler",
    [
        SAMPLERS[0],
        Prioritized(uniform_share=0.1, importance=Importance(divided_by="replay_max", clock="transitions", end=100)),
    ],
)
@pytest.mark.parametrize("spec", [VECTOR, IMAGE])
@pytest.mark.parametrize("n", [1, 3])
def test_what_is_foreseen_is_what_comes(sampler: Any, spec: Any, n: int) -> None:
    """Rows and weights, to the last bit, unless an episode ended meanwhile; and to look ahead changes nothing."""
    player = Player(Replay(sampler, Storage(capacity=40), spec, n, 0.9, seed=0), seed=2, mean_length=15)
    one, foreseen, right = player.play(20), 0, 0
    for update in range(300):
        rows, _ = one.sample_indices(4, update)
        one.update_priorities(rows, player.random.gamma(1.0, size=4))
        over = player.left == 0
        before = digest(one.sampler.state())
        nodes = one.sampler.tree.nodes.copy()
        ahead = prediction.predict_indices(one, 4, update + 1, 2 + over)
        assert digest(one.sampler.state()) == before and np.array_equal(one.sampler.tree.nodes, nodes)
        batch = None if ahead is None else one.gather(ahead, 0)
        ended = player.step()
        ended |= player.step()  # which completes the n-step returns that were open
        if ahead is not None:
            foreseen += 1
            now = one.sample_indices(4, update + 1)
            same = all(np.array_equal(a, b) for a, b in zip(ahead, now, strict=True))
            assert same or ended
            if same:
                right += 1
                assert digest(list(one.gather(now, 0).transitions)) == digest(list(batch.transitions))
    assert foreseen > 50 and right > 0.6 * foreseen  # in a ring this small many draws fall on rows to come


def test_a_draw_that_could_not_be_made_is_not_foreseen() -> None:
    """In a tiny ring no row can be drawn if all the steps to come go on; if one ends the episode, some can."""
    player = Player(Replay(Prioritized(), Storage(capacity=6), IMAGE, 2, 0.9, seed=0), seed=2, mean_length=3)
    one, told = player.play(20), []
    for update in range(200):
        player.step()
        told.append(prediction.predict_indices(one, 3, update, 2))  # raises nothing
    assert None in told


def test_ranks_are_not_foreseen() -> None:
    assert prediction.predict_indices(replay(SAMPLERS[1]), 4, 1, 2) is None


# -- saving ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampler", [*SAMPLERS, Prioritized(importance=Importance(divided_by="replay_max"))])
def test_state_and_restore_give_the_same_future(sampler: Any) -> None:
    player = Player(Replay(sampler, Storage(capacity=40), IMAGE, 3, 0.9, seed=0))
    one = player.play(70)
    for update in range(5):
        one.update_priorities(one.sample_indices(8, update)[0], player.random.gamma(1.0, size=8))
    other = Replay(sampler, Storage(capacity=40), IMAGE, 3, 0.9, seed=0)
    state = copy.deepcopy(one.state())
    for index in range(len(state["segments"])):
        other.ring.restore_segment(index, one.ring.segment(index))
    other.restore(state)
    follower = copy.deepcopy(player)
    follower.replay = other
    for update in range(5, 40):
        for each in (player, follower):
            each.play(3)
        (rows, weights), (rows_too, weights_too) = one.sample_indices(8, update), other.sample_indices(8, update)
        assert np.array_equal(rows, rows_too) and np.array_equal(weights, weights_too)
        found = np.random.default_rng(update).gamma(1.0, size=8)
        one.update_priorities(rows, found)
        other.update_priorities(rows, found)
    assert digest(one.state()) == digest(other.state())


@pytest.mark.parametrize(
    ("sampler", "damage"),
    [
        (SAMPLERS[0], lambda s: s["leaves"].__setitem__(0, np.nan)),
        (SAMPLERS[0], lambda s: s["leaves"].__setitem__(0, -1.0)),
        (SAMPLERS[0], lambda s: s.__setitem__("leaves", np.ones(99))),
        (SAMPLERS[1], lambda s: s["priority"].__setitem__(0, np.inf)),
        (SAMPLERS[1], lambda s: s["heap"].__setitem__(0, 40)),
        (SAMPLERS[1], lambda s: s["heap"].__setitem__(0, s["heap"][1])),
    ],
)
def test_a_damaged_state_is_refused(sampler: Any, damage: Callable[[Any], None]) -> None:
    state = replay(sampler).sampler.state()
    damage(state)
    with pytest.raises(ValueError, match="Expected"):
        sampler.build(40).restore(state)


# -- settings ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Prioritized, "alpha", -0.1),
        (Prioritized, "alpha", 1.1),
        (Prioritized, "epsilon", -1.0),
        (Prioritized, "largest", 0.0),
        (Prioritized, "uniform_share", 1.5),
        (PrioritizedRank, "alpha", -0.1),
        (PrioritizedRank, "sort_updates", 0),
        (Storage, "capacity", 1),
    ],
)
def test_bad_settings(outcome, kind: Any, field: str, value: float) -> None:
    assert f"`replay.{field}`" in outcome(kind, **{field: value})


@pytest.mark.parametrize(("field", "value"), [("beta", -0.1), ("beta_final", 1.5), ("start", -1), ("end", 0)])
def test_bad_schedules(outcome, field: str, value: float) -> None:
    assert f"`replay.importance.{field}`" in outcome(Importance, **{field: value})


# -- priorities at the ends of what there is ---------------------------------------------------------------------------
DIVIDED_BY = ["batch_max", "replay_max", "nothing"]


@pytest.mark.parametrize("kind", [Prioritized, PrioritizedRank])
@pytest.mark.parametrize("divided_by", DIVIDED_BY)
@pytest.mark.parametrize("share", [0.0, 0.25])
@PATIENT
@given(
    chosen=st.lists(st.sampled_from([0.0, 1e-45, 1e-20, 0.5, 1.0, 3e38]), min_size=1, max_size=8),
    alpha=st.sampled_from([0.0, 0.6, 1.0]),
    beta=st.sampled_from([0.0, 0.4, 1.0]),
    batch=st.sampled_from([1, 16]),
)
def test_weights_are_finite_and_above_zero_whatever_was_learned(
    kind: Any, divided_by: str, share: float, chosen: list[float], alpha: float, beta: float, batch: int
) -> None:
    """Zeros among others, zeros alone, and the smallest and largest numbers of float32; w <= 1 where it is divided."""
    own = {"uniform_share": share} if kind is Prioritized else {}
    rule = Importance(beta=beta, beta_final=beta, divided_by=divided_by)
    one = replay(kind(alpha=alpha, importance=rule, **own), steps=20)
    one.update_priorities(usable(one), np.resize(np.array(chosen), len(usable(one))))
    for update in range(5):
        rows, weights = one.sample_indices(batch, update)
        assert one.ring.usable(rows).all() and weights.dtype == np.float32
        assert np.isfinite(weights).all() and (weights > 0).all()
        assert divided_by == "nothing" or (weights <= 1 + 1e-6).all()


def test_a_priority_of_zero_is_no_measure_of_weights() -> None:
    """By hand: p = 0, 1, 3 with alpha = beta = 1: N P = 0, 3/4, 9/4.  The largest weight that can come is 4/3, not 1/0,
    so that w = 1 and 1/3; where a quarter of the draws is uniform, N P = 1/4, 13/16, 31/16, and 1/4 counts, too."""
    rule = Importance(beta=1.0, divided_by="replay_max")
    for share, want in ((0.0, {1: 1.0, 2: 1 / 3}), (0.25, {0: 1.0, 1: 4 / 13, 2: 4 / 31})):
        one = replay(Prioritized(alpha=1.0, importance=rule, uniform_share=share), steps=3)
        rows = usable(one)
        one.update_priorities(rows, np.array([0.0, 1.0, 3.0]))
        drawn: dict[int, float] = {}
        for update in range(40):
            found, weights = one.sample_indices(4, update)
            drawn.update(zip((found - rows[0]).tolist(), weights.tolist(), strict=True))
        assert drawn == pytest.approx(want, rel=1e-6)


def test_zeros_alone_are_drawn_uniformly_with_weights_of_one() -> None:
    for divided_by in DIVIDED_BY:
        one = replay(Prioritized(importance=Importance(beta=1.0, divided_by=divided_by)), steps=20)
        one.update_priorities(usable(one), np.zeros(len(usable(one))))
        np.testing.assert_allclose(chances(one, 500), np.full(len(usable(one)), 1 / len(usable(one))), atol=0.02)
        assert one.sample_indices(16, 0)[1].tolist() == [1.0] * 16


def test_zeros_are_still_none_after_saving_and_in_foresight() -> None:
    rule = Prioritized(importance=Importance(beta=1.0, divided_by="replay_max"))
    one = replay(rule, steps=30)
    one.update_priorities(usable(one), np.resize([0.0, 2.0, 1.0], len(usable(one))))
    other = rule.build(40)
    other.restore(copy.deepcopy(one.sampler.state()))
    one.sample_indices(4, 0)
    assert other.smallest.root == one.sampler.smallest.root == 1.0
    nodes = one.sampler.smallest.nodes.copy()
    prediction.predict_indices(one, 4, 1, 2)
    assert np.array_equal(one.sampler.smallest.nodes, nodes)


@pytest.mark.parametrize("field", [{"epsilon": 1e308}, {"largest": 1e-320}, {"largest": 1e308}])
def test_numbers_that_sums_cannot_hold_are_refused(outcome: Any, field: dict[str, float]) -> None:
    assert "1e30]" in outcome(Prioritized, **field)
