"""C51: support, projection, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.values.categorical import Categorical, cross_entropy, project
from dqn_tf.types import ValueOutputs

FIVE = Categorical(atoms=5, v_min=-2.0, v_max=2.0)


def naive_projection(atoms: np.ndarray, p: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Algorithm 1 of the paper for one transition, in float64: atoms, p [M]; z [N]."""
    m, dz = np.zeros(len(z)), z[1] - z[0]
    for j in range(len(atoms)):
        b = (min(max(float(atoms[j]), z[0]), z[-1]) - z[0]) / dz
        low, high = int(np.floor(b)), int(np.ceil(b))
        if low == high:
            m[low] += p[j]
        else:
            m[low] += p[j] * (high - b)
            m[high] += p[j] * (b - low)
    return m


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max())
    return e / e.sum()


# -- the projection ----------------------------------------------------------------------------------------------------
def test_projection_by_hand() -> None:
    """Support -2 .. 2.  r = 0.5, gamma = 0.5: the atoms -1, 0, 1 of mass 1/4, 1/2, 1/4 move to 0, 0.5, 1."""
    m = project(tf.constant([[0.0, 0.5, 1.0]]), tf.constant([[0.25, 0.5, 0.25]]), FIVE.support)
    np.testing.assert_allclose(m, [[0, 0, 0.25 + 0.25, 0.25 + 0.25, 0]], atol=1e-7)


def test_what_lies_outside_goes_to_the_ends() -> None:
    m = project(tf.constant([[-9.0, 1e30]]), tf.constant([[0.25, 0.75]]), FIVE.support)
    assert m.numpy().tolist() == [[0.25, 0, 0, 0, 0.75]]


def test_projection_equals_algorithm_1() -> None:
    random = np.random.default_rng(0)
    atoms = (3 * random.normal(size=(50, 7))).astype(np.float32)
    p = random.dirichlet(np.ones(7), 50).astype(np.float32)
    want = [naive_projection(atoms[b], p[b], FIVE.support.astype(np.float64)) for b in range(50)]
    np.testing.assert_allclose(project(tf.constant(atoms), tf.constant(p), FIVE.support), want, atol=2e-6)


def test_projection_keeps_mass_and_inside_the_support_the_mean() -> None:
    """Tolerance: float32 sums of 51 terms."""
    random, z = np.random.default_rng(1), Categorical().support
    p = tf.constant(random.dirichlet(np.ones(51), 40).astype(np.float32))
    for spread in (0.9, 30.0):
        atoms = tf.constant((z * np.float32(spread) * random.random((40, 1))).astype(np.float32))
        m = project(atoms, p, z)
        assert (m.numpy() >= 0).all()
        np.testing.assert_allclose(tf.reduce_sum(m, axis=1), np.ones(40), atol=2e-5)
        if spread < 1:
            np.testing.assert_allclose(m @ z[:, None], tf.reduce_sum(atoms * p, 1, keepdims=True), atol=1e-4)


def test_projection_of_the_support_on_itself_is_no_change() -> None:
    p = np.random.default_rng(2).dirichlet(np.ones(5), 3).astype(np.float32)
    np.testing.assert_allclose(
        project(tf.constant(np.tile(FIVE.support, (3, 1))), tf.constant(p), FIVE.support), p, rtol=1e-6
    )


# -- the loss ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("soft", [False, True])
def test_losses_equal_the_naive_twin(made_up: Callable[..., Any], tensors: Callable[..., Any], soft: bool) -> None:
    batch, z = made_up(outputs=5, soft=soft), FIVE.support.astype(np.float64)
    t = batch.transitions
    loss, error = [], []
    for b in range(len(t.a_tm1)):
        p = sum(batch.terms.policy[b, a] * softmax(batch.next_dist[b, a]) for a in range(3))
        shift = sum(float(batch.terms.policy[b, a] * batch.terms.value_bonus[b, a]) for a in range(3))
        atoms = t.r_t[b] + batch.terms.reward_bonus[b] + float(t.discount_t[b]) * (z + shift)
        m, predicted = naive_projection(atoms, p, z), softmax(batch.dist[b, t.a_tm1[b]])
        loss.append(-sum(m * np.log(predicted)))
        error.append(sum(z * (m - predicted)))
    out = FIVE.losses(
        ValueOutputs(None, tf.constant(batch.dist)),
        tensors(t),
        ValueOutputs(None, tf.constant(batch.next_dist)),
        tensors(batch.terms),
    )
    np.testing.assert_allclose(out.loss, loss, rtol=1e-5)
    np.testing.assert_allclose(out.td_error, error, atol=1e-5)
    assert np.array_equal(out.priority, out.loss)


def test_the_gradient_is_the_prediction_minus_the_target(made_up: Callable[..., Any], tensors: Any) -> None:
    """d loss / d logits of the action taken = softmax - m; nothing elsewhere, and nothing through the target."""
    batch = made_up()
    dist, following = tf.constant(batch.dist), tf.constant(batch.next_dist)
    with tf.GradientTape() as tape:
        tape.watch([dist, following])
        out = FIVE.losses(
            ValueOutputs(None, dist), tensors(batch.transitions), ValueOutputs(None, following), tensors(batch.terms)
        )
        loss = tf.reduce_sum(out.loss)
    gradient, through = tape.gradient(loss, [dist, following])
    assert through is None
    taken = np.zeros((24, 3), bool)
    taken[np.arange(24), batch.transitions.a_tm1] = True
    assert not gradient.numpy()[~taken].any()
    np.testing.assert_allclose(gradient.numpy()[taken].sum(axis=1), np.zeros(24), atol=1e-6)
    means = gradient.numpy()[taken] @ FIVE.support
    np.testing.assert_allclose(means, -out.td_error.numpy(), atol=1e-5)


def test_q_is_the_mean() -> None:
    logits = tf.math.log(tf.constant([[[0.1, 0.2, 0.3, 0.4, 1e-30]]]))
    q = FIVE.outputs(None, lambda f, d: logits, [], "act", None).q_values
    np.testing.assert_allclose(q, [[-0.2 - 0.2 + 0.4]], atol=1e-6)


def test_a_terminal_transition_ignores_what_comes_next(made_up: Callable[..., Any], tensors: Any) -> None:
    batch = made_up()
    t = tensors(batch.transitions._replace(discount_t=np.zeros(24, np.float32)))
    wild = np.where(np.random.default_rng(0).random((24, 3, 5)) < 0.5, -1e30, 1e30).astype(np.float32)
    results = [
        FIVE.losses(
            ValueOutputs(None, tf.constant(batch.dist)),
            t,
            ValueOutputs(None, tf.constant(following)),
            tensors(batch.terms),
        ).loss
        for following in (batch.next_dist, wild)
    ]
    np.testing.assert_allclose(*results, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"atoms": 1}, "value.atoms"),
        ({"atoms": 0}, "value.atoms"),
        ({"v_min": 10.0}, "value.v_min"),
        ({"v_min": 1.0, "v_max": -1.0}, "value.v_min"),
    ],
)
def test_bad_settings(outcome, settings: dict[str, Any], field: str) -> None:
    assert f"`{field}`" in outcome(Categorical, **settings)


# -- clipped logarithms (CleanRL) --------------------------------------------------------------------------------------
def test_clipped_cross_entropy_by_hand() -> None:
    """p = (0.9, 0.1), clipped to [0.2, 0.8]: loss -(1/4 log 0.8 + 3/4 log 0.2), no gradient: both lie outside."""
    logits, m = tf.Variable([[np.log(9.0), 0.0]], dtype=tf.float32), tf.constant([[0.25, 0.75]])
    with tf.GradientTape() as tape:
        loss = cross_entropy(m, logits, clip=0.2)
    np.testing.assert_allclose(loss, [-(0.25 * np.log(0.8) + 0.75 * np.log(0.2))], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, logits), [[0.0, 0.0]], atol=1e-7)


def test_within_the_bounds_the_clip_changes_nothing() -> None:
    random = np.random.default_rng(3)
    logits, m = tf.Variable(random.normal(size=(20, 5)), dtype=tf.float32), random.dirichlet(np.ones(5), 20)
    found = []
    for clip in (0.0, 1e-5):
        with tf.GradientTape() as tape:
            loss = cross_entropy(tf.constant(m, tf.float32), logits, clip)
        found.append((loss.numpy(), tape.gradient(loss, logits).numpy()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)  # two orders of float32 operations
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-6)


# -- supports beside zero ----------------------------------------------------------------------------------------------
FAR = [(99_990.0, 100_000.0), (-100_000.0, -99_990.0), (0.5, 10.5), (-11.0, -1.0), (1e6, 1e6 + 100.0)]


@pytest.mark.parametrize(("v_min", "v_max"), FAR)
def test_mass_is_1_wherever_the_support_lies(v_min: float, v_max: float) -> None:
    """And the projection is algorithm 1 in float64, as well as float32 can tell atoms there; 51 terms of 2^-24 each."""
    rule, random = Categorical(v_min=v_min, v_max=v_max), np.random.default_rng(0)
    z = np.linspace(0.0, v_max - v_min, 51)
    atoms = (random.uniform(v_min - 2, v_max + 2, (40, 51))).astype(np.float32)
    p = random.dirichlet(np.ones(51), 40).astype(np.float32)
    m = project(tf.constant(atoms), tf.constant(p), rule.support).numpy()
    np.testing.assert_allclose(m.astype(np.float64).sum(axis=1), p.astype(np.float64).sum(axis=1), atol=51 * 2**-24)
    want = [naive_projection(atoms[b].astype(np.float64) - v_min, p[b].astype(np.float64), z) for b in range(40)]
    np.testing.assert_allclose(m, want, atol=5e-6)


@pytest.mark.parametrize(("v_min", "v_max"), FAR)
def test_losses_on_such_supports(
    made_up: Callable[..., Any], tensors: Callable[..., Any], v_min: float, v_max: float
) -> None:
    """Against float64: rewards that keep returns there, and discounts that end some of them."""
    batch, rule = made_up(outputs=51), Categorical(v_min=v_min, v_max=v_max)
    z = v_min + np.linspace(0.0, v_max - v_min, 51)
    discount, middle = batch.transitions.discount_t.astype(np.float64), (v_min + v_max) / 2
    r_t = ((1 - discount) * middle + batch.transitions.r_t).astype(np.float32)
    t = batch.transitions._replace(r_t=r_t)
    loss, error = [], []
    for b in range(len(r_t)):
        p = sum(batch.terms.policy[b, a] * softmax(batch.next_dist[b, a]) for a in range(3))
        m, predicted = (
            naive_projection(r_t[b] + discount[b] * z - v_min, p, np.linspace(0.0, v_max - v_min, 51)),
            softmax(batch.dist[b, t.a_tm1[b]]),
        )
        loss.append(-sum(m * np.log(predicted)))
        error.append(sum((z - v_min) * (m - predicted)))
    out = rule.losses(
        ValueOutputs(None, tf.constant(batch.dist)),
        tensors(t),
        ValueOutputs(None, tf.constant(batch.next_dist)),
        tensors(batch.terms),
    )
    rounding = abs(middle) * 2**-23  # of the rewards, which are float32
    np.testing.assert_allclose(out.loss, loss, rtol=1e-4, atol=20 * rounding)
    np.testing.assert_allclose(out.td_error, error, atol=1e-4 + 2 * rounding)
    q = rule.outputs(None, lambda f, d: tf.constant(batch.dist), [], "act", None).q_values
    means = [[sum(z * softmax(batch.dist[b, a])) for a in range(3)] for b in range(len(r_t))]
    np.testing.assert_allclose(q, means, rtol=2**-22, atol=1e-5)


def test_supports_around_zero_keep_their_bits() -> None:
    """The formula of before, to the last bit: published presets have supports like these."""
    random = np.random.default_rng(4)
    for rule in (Categorical(), Categorical(v_min=0.0, v_max=100.0), Categorical(v_min=-1.0, v_max=7.0, atoms=11)):
        z, dz = rule.support, float(rule.support[1] - rule.support[0])
        atoms = tf.constant(random.uniform(rule.v_min - 2, rule.v_max + 2, (40, len(z))).astype(np.float32))
        p = tf.constant(random.dirichlet(np.ones(len(z)), 40).astype(np.float32))
        clipped = tf.clip_by_value(atoms, float(z[0]), float(z[-1]))
        near = tf.clip_by_value(1.0 - tf.abs(clipped[:, None, :] - z[None, :, None]) / dz, 0.0, 1.0)
        assert np.array_equal(project(atoms, p, z), tf.linalg.matvec(near, p))
        assert np.array_equal(rule._distances, z) and rule._origin == 0.0


@pytest.mark.parametrize("ends", [(1e9, 1e9 + 10), (-1e300, 1e300), (16_777_216.0, 16_777_226.0)])
def test_atoms_that_float32_cannot_tell_apart_are_refused(outcome, ends: tuple[float, float]) -> None:
    assert "that float32 can tell apart" in outcome(Categorical, v_min=ends[0], v_max=ends[1])


@pytest.mark.parametrize("value", [-0.1, 0.5])
def test_a_clip_that_leaves_nothing_is_refused(outcome, value: float) -> None:
    assert outcome(Categorical, log_clip=value) == f"Expected a number in [0, 0.5) for `value.log_clip`, got {value}."
