"""The update, through the real learner: target, gradient, step, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dqn_tf import lazy_tf as tf
from dqn_tf.agent.networks.noisy import Noisy
from dqn_tf.agent.networks.torsos import MLP, NatureCNN
from dqn_tf.agent.optimizers import Adam, RMSProp
from dqn_tf.agent.values.expected import Expected
from dqn_tf.agent.values.implicit_quantile import ImplicitQuantile
from dqn_tf.execution.learner import Learner
from dqn_tf.execution.update_scan import UpdateScan
from dqn_tf.modes import Interleaved
from dqn_tf.replay.replay import Replay
from dqn_tf.replay.storage import Storage
from dqn_tf.replay.uniform import Uniform
from dqn_tf.rng import Stream
from dqn_tf.types import EnvironmentSpec, ObservationSpec, Sample, SampleIndices, StepType, TimeStep, Transition


@pytest.fixture
def learner(tiny_agent: Callable[..., Any], vectors: Callable[..., Any]) -> Callable[..., Learner]:
    """A function (field=value, ...) -> a learner of the tiny agent; two actions, states of size 3."""
    return lambda **changes: Learner(tiny_agent(**changes), vectors(), seed=0)


def batch(seed: int = 0, size: int = 4, weights: Any = None) -> Sample:
    """Random transitions, some of them terminal."""
    random = np.random.default_rng(seed)
    s_tm1, s_t = random.normal(size=(2, size, 3)).astype(np.float32)
    discount = np.where(random.random(size) < 0.3, 0, 0.9).astype(np.float32)
    transitions = Transition(
        s_tm1,
        random.integers(0, 2, size).astype(np.int32),
        2 * random.normal(size=size).astype(np.float32),
        discount,
        s_t,
    )
    weights = np.ones(size) if weights is None else weights
    return Sample(transitions, np.arange(size, dtype=np.int64), np.asarray(weights, np.float32))


def gradient_of(learner: Learner, sample: Sample) -> np.ndarray:
    """The gradient that the update hands to its optimizer, flat [number of weights]; nothing is changed."""
    return flat(learner.gradients(sample).gradients)


def flat(variables: list[Any]) -> np.ndarray:
    return np.concatenate([v.numpy().ravel() for v in variables])


def move_apart(learner: Learner) -> None:
    """Give the online network other weights than the target network's."""
    random = np.random.default_rng(1)
    for v in learner.online.variables:
        v.assign(v.numpy() + random.normal(size=v.shape).astype(np.float32) / 5)


def example(learner: Callable[..., Learner], loss: str, discount: float = 0.9) -> tuple[Learner, Sample]:
    """docs/worked_example.md: r = 2, gamma = 0.9, max target Q = 5, Q(s, a) = 4.

    The networks have no hidden layer and the state is zero, so that the biases of the last layer are the Q-values.
    """
    step = Adam(learning_rate=0.1)
    one = learner(batch_size=1, network=MLP(hidden=()), value=Expected(loss=loss), optimizer=step)
    one.online.variables[1].assign([4.0, 1.0])
    one.target.variables[1].assign([3.0, 5.0])
    state = np.zeros((1, 3), np.float32)
    transition = Transition(state, np.int32([0]), np.float32([2.0]), np.float32([discount]), state)
    return one, Sample(transition, np.int64([0]), np.float32([1.0]))


def test_worked_example(learner: Callable[..., Learner]) -> None:
    """Target 6.5, TD error 2.5, loss 6.25; one gradient step raises Q(s, a) and nothing else."""
    one, sample = example(learner, "squared")
    out = one.update(sample)
    assert out.q_values.numpy().tolist() == [[4.0, 1.0]]
    assert float(out.td_error[0]) == 2.5  # 6.5 - 4
    assert float(out.loss) == 6.25
    assert float(out.grad_norm) == 5.0  # |-2 delta|
    after = one.act(np.zeros(3, np.float32))
    assert after[0] == pytest.approx(4.1) and after[1] == 1.0
    assert one.target.variables[1].numpy().tolist() == [3.0, 5.0]


@pytest.mark.parametrize(("loss", "value", "slope"), [("squared", 6.25, -5.0), ("huber", 2.0, -1.0)])
def test_worked_example_loss_and_gradient(
    learner: Callable[..., Learner], loss: str, value: float, slope: float
) -> None:
    """-2 delta, or -delta clipped to [-1, 1], at the output of the action taken; nothing at the other."""
    one, sample = example(learner, loss)
    gradient = gradient_of(one, sample)
    assert gradient[-2:].tolist() == [slope, 0.0] and not gradient[:-2].any()
    assert float(one.update(sample).loss) == value


@pytest.mark.parametrize(("discount", "target"), [(0.0, 2.0), (0.9, 6.5)])
def test_worked_example_at_the_end_of_an_episode(
    learner: Callable[..., Learner], discount: float, target: float
) -> None:
    """Terminated: y = r.  Cut off: the discount stays, and so does y."""
    one, sample = example(learner, "squared", discount)
    assert float(one.update(sample).td_error[0]) == target - 4


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_the_gradient_is_the_error_times_the_gradient_of_q(learner: Callable[..., Learner], loss: str) -> None:
    """dL/dtheta = -E[f(delta) dQ(s, a)/dtheta] with f(delta) = 2 delta (squared) or delta clipped to [-1, 1] (Huber),
    and no part of it comes through the target.  Tolerance: float32 sums in another order."""
    one = learner(value=Expected(loss=loss))
    move_apart(one)
    sample = batch()
    s_tm1, a, r, discount, s_t = sample.transitions
    target = r + discount * np.asarray(one.target(s_t).q_values).max(axis=1)
    with tf.GradientTape() as tape:
        q = tf.gather(one.online(s_tm1).q_values, a, axis=1, batch_dims=1)
    dq = np.concatenate([np.reshape(j, (4, -1)) for j in tape.jacobian(q, one.online.variables)], axis=1)
    delta = target - np.asarray(q)
    assert abs(delta).min() < 1 < abs(delta).max()  # both branches of the Huber loss
    factor = 2 * delta if loss == "squared" else np.clip(delta, -1, 1)
    want = -(factor[:, None] * dq).mean(axis=0)
    np.testing.assert_allclose(gradient_of(one, sample), want, rtol=1e-4, atol=1e-6)


def test_no_gradient_goes_through_the_target_network(learner: Callable[..., Learner]) -> None:
    """Not even where both are asked for, and not through the online network's weights when they were just copied."""
    one = learner()
    transitions = batch().transitions
    with tf.GradientTape() as tape:
        following = one.target(transitions.s_t)
        terms = one.config.bootstrap.terms(following, {}, transitions.a_tm1)
        losses = one.config.value.losses(one.online(transitions.s_tm1), transitions, following, terms)
        loss = tf.reduce_mean(losses.loss)
    gradients = tape.gradient(loss, one.target.variables + one.online.variables)
    half = len(one.target.variables)
    assert gradients[:half] == [None] * half and all(g is not None for g in gradients[half:])


def test_an_update_changes_the_online_network_only(learner: Callable[..., Learner]) -> None:
    one = learner()
    online, target = flat(one.online.variables), flat(one.target.variables)
    for seed in range(3):
        one.update(batch(seed))
    assert np.array_equal(flat(one.target.variables), target)
    assert not np.array_equal(flat(one.online.variables), online)


def test_weights_multiply_the_losses_once(learner: Callable[..., Learner]) -> None:
    """Loss and gradient are linear in the importance weights: the weighted ones are the sum of single ones / B."""
    one = learner()
    move_apart(one)
    weights = [0.5, 0.0, 2.0, 1.0]
    total = gradient_of(one, batch(weights=weights))
    single = [gradient_of(one, batch(weights=np.eye(4)[i])) for i in range(4)]
    np.testing.assert_allclose(total, np.dot(weights, single), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient_of(one, batch(weights=[2.0] * 4)), 2 * gradient_of(one, batch()), rtol=1e-6)


def test_the_loss_is_the_weighted_mean(learner: Callable[..., Learner]) -> None:
    one = learner(value=Expected(loss="squared"))
    out = one.update(batch(weights=[0.5, 0.0, 2.0, 1.0]))
    assert float(out.loss) == pytest.approx(float(np.mean(np.array([0.5, 0, 2, 1]) * out.td_error.numpy() ** 2)))


def test_a_terminal_transition_ignores_its_next_state(learner: Callable[..., Learner]) -> None:
    """However wild that state is."""
    one = learner()
    sample = batch()
    terminal = sample.transitions._replace(discount_t=np.zeros(4, np.float32))
    wild = terminal._replace(s_t=np.full((4, 3), 1e30, np.float32))
    gradients = [gradient_of(one, sample._replace(transitions=t)) for t in (terminal, wild)]
    assert np.array_equal(*gradients) and np.isfinite(gradients[1]).all()


# -- clipping ----------------------------------------------------------------------------------------------------------
def test_the_global_norm_is_reported_before_clipping(learner: Callable[..., Learner]) -> None:
    norm = float(np.linalg.norm(gradient_of(learner(), batch())))
    for limit in (None, norm / 2, norm * 2):
        assert float(learner(max_grad_norm=limit).update(batch()).grad_norm) == pytest.approx(norm, rel=1e-5)


@pytest.mark.parametrize(("share", "factor"), [(0.5, 0.5), (1.0, 1.0), (2.0, 1.0)])
def test_a_larger_gradient_is_scaled_to_the_limit(learner: Callable[..., Learner], share: float, factor: float) -> None:
    """Seen in RMSProp's mean of the gradients: after one step it is 0.05 times the clipped gradient."""
    gradient = gradient_of(learner(), batch())
    limit = share * float(np.linalg.norm(gradient))
    one = learner(optimizer=RMSProp(), max_grad_norm=limit)
    one.update(batch())
    means = [v for v in one.optimizer.variables if v.path.endswith("average_gradient")]
    np.testing.assert_allclose(flat(means), 0.05 * factor * gradient, rtol=1e-5, atol=1e-8)


# -- compilation -------------------------------------------------------------------------------------------------------
def test_one_trace_and_the_same_result_however_it_is_compiled(learner: Callable[..., Learner]) -> None:
    """Twenty updates with a target copy among them, under each choice of ``execution.xla``.  Tolerance: the kernels
    fuse and order their sums differently, which is why the choice belongs to a run's identity."""
    results = {}
    for xla in ("optimizer", "update", "none"):
        one = learner(execution=Interleaved(xla=xla, threads=1), optimizer=RMSProp(), max_grad_norm=1.0)
        losses = []
        for seed in range(20):
            losses.append(float(one.update(batch(seed)).loss))
            if seed == 9:
                one.parameters.sync_target()
                saved = one.parameters.state()
                before = {name: value.tobytes() for name, value in saved.items()}
        assert one.traces == 1
        assert {name: value.tobytes() for name, value in saved.items()} == before  # a state is not a view
        results[xla] = np.concatenate([losses, flat(one.online.variables), flat(one.optimizer.variables)])
    np.testing.assert_allclose(results["optimizer"], results["none"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(results["update"], results["none"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ideas", [{}, {"layers": Noisy()}], ids=["plain", "noisy"])
def test_called_by_name_q_values_are_those_of_the_usual_call(ideas: Any, learner: Callable[..., Learner]) -> None:
    """Bit for bit, of the weights as they are: before updates, after them, after a copy and after a restore."""
    one, observations = learner(**ideas), batch(5).transitions.s_t
    before = one.parameters.state()

    def check() -> None:
        acting, scoring = one.act_seeds(7), one._seeds(Stream(0, "evaluation/0/network"), 0)
        assert np.array_equal(one.act(observations[0], 7), one._act(observations[:1], *acting).numpy()[0])
        assert np.array_equal(one.act_target(observations, 7), one._act_target(observations, *acting).numpy())
        scored = one.scorer("evaluation/0")(observations)
        assert np.array_equal(scored.numpy(), one.q_values(observations, *scoring).numpy())

    check()
    first = one.act(observations[0], 7)
    for seed in range(3):
        one.update(batch(seed), seed)
    check()
    assert not np.array_equal(one.act(observations[0], 7), first)
    one.parameters.sync_target()
    check()
    one.parameters.restore(before)
    check()
    assert np.array_equal(one.act(observations[0], 7), first)


@pytest.mark.parametrize("xla", ["optimizer", "update", "none"])
@pytest.mark.parametrize("case", ["plain", "noise and sampled fractions", "images"])
def test_updates_in_one_call_are_those_of_single_calls(tiny_agent: Callable[..., Any], xla: str, case: str) -> None:
    """Bit for bit, outputs and weights: each reads what the one before wrote, and draws from its own counter."""
    spec = EnvironmentSpec(ObservationSpec((84, 84), "uint8", 4), ("left", "right"), 4)
    spec = spec if case == "images" else EnvironmentSpec(ObservationSpec((3,), "float32"), ("left", "right"), 1)
    ideas: dict[str, Any] = {"network": NatureCNN(hidden=8)} if case == "images" else {}
    if case.startswith("noise"):
        ideas = {"layers": Noisy(), "value": ImplicitQuantile(samples=4, target_samples=4), "max_grad_norm": 0.5}
    optimizer = Adam(learning_rate=1e-3) if case.startswith("noise") else RMSProp()
    agent = tiny_agent(execution=Interleaved(xla=xla, threads=1), optimizer=optimizer, **ideas)
    replay = Replay(Uniform(), Storage(capacity=40, placement="device"), spec.observation, 1, 0.9, seed=0)
    random, shape = np.random.default_rng(0), spec.observation.frame_shape
    for step in range(30):
        frame = (random.normal(size=shape) if case != "images" else random.integers(0, 256, shape)).astype(
            spec.observation.dtype
        )
        kind = StepType.FIRST if step == 0 else StepType.MID
        answer = TimeStep(frame, frame, 1.0, 1.0, kind, False, False, 1, 1)
        replay.add(int(random.integers(2)), float(random.normal()), answer) if step else replay.add_first(answer)
    one, other = (Learner(agent, spec, 0, replay.gather_in_graph) for _ in range(2))
    draws = [replay.gather(replay.sample_indices(4, update), update) for update in range(5, 11)]
    single = [one.update(draw, update) for update, draw in enumerate(draws, 5)]
    block = UpdateScan(other).run(SampleIndices(*map(np.stack, zip(*draws, strict=True))), 5)
    for alone, of_block in zip(single, block, strict=True):
        for name, part in alone._asdict().items():
            assert part.numpy().tobytes() == getattr(of_block, name).tobytes(), name
    assert {n: v.tobytes() for n, v in one.parameters.state().items()} == {
        n: v.tobytes() for n, v in other.parameters.state().items()
    }
    assert one.traces == other.traces == 1


def test_acting_traces_once_for_every_batch_size(learner: Callable[..., Learner]) -> None:
    one = learner()
    for size in (1, 2, 5):
        one.q_values(np.zeros((size, 3), np.float32))
    assert one.q_values.traces == 1


# -- the two networks, saving ------------------------------------------------------------------------------------------
def test_the_networks_start_equal_and_a_copy_makes_them_equal_again(learner: Callable[..., Learner]) -> None:
    one = learner()
    assert np.array_equal(flat(one.online.variables), flat(one.target.variables))
    one.update(batch())
    assert not np.array_equal(flat(one.online.variables), flat(one.target.variables))
    one.parameters.sync_target()
    assert np.array_equal(flat(one.online.variables), flat(one.target.variables))
    one.update(batch())  # the copy is a copy, not the same memory
    assert not np.array_equal(flat(one.online.variables), flat(one.target.variables))


def test_act_is_the_online_network(learner: Callable[..., Learner]) -> None:
    one = learner()
    move_apart(one)
    state = np.float32([1, -2, 0.5])
    assert one.act(state).dtype == np.float32
    np.testing.assert_allclose(one.act(state), one.online(state[None]).q_values[0], rtol=1e-6)


@pytest.mark.parametrize("optimizer", [RMSProp(initial_mean_square=1.0), Adam()])
def test_state_and_restore_give_the_same_future(learner: Callable[..., Learner], optimizer: Any) -> None:
    one, other = (learner(optimizer=optimizer) for _ in range(2))
    for seed in range(3):
        one.update(batch(seed))
    saved = one.parameters.state()
    other.parameters.restore(saved)
    for seed in range(3, 6):
        assert float(one.update(batch(seed)).loss) == float(other.update(batch(seed)).loss)
    assert {n: v.tobytes() for n, v in one.parameters.state().items()} == {
        n: v.tobytes() for n, v in other.parameters.state().items()
    }


def test_a_saved_state_does_not_change_with_the_learner(learner: Callable[..., Learner]) -> None:
    one = learner()
    saved = one.parameters.state()
    before = {name: value.tobytes() for name, value in saved.items()}
    one.update(batch())
    one.parameters.sync_target()
    assert {name: value.tobytes() for name, value in saved.items()} == before


def test_the_state_is_all_of_it(learner: Callable[..., Learner]) -> None:
    """Two networks of four variables; RMSProp's two slots for each, its count of steps and its rate."""
    names = sorted(learner(optimizer=RMSProp()).parameters.state())
    assert [sum(n.startswith(part) for n in names) for part in ("online/", "target/", "optimizer/")] == [4, 4, 10]


@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
def test_a_state_that_does_not_fit_is_refused_before_anything_is_assigned(
    learner: Callable[..., Learner], damage: str
) -> None:
    one = learner()
    before = flat(one.online.variables)
    state = {name: value + 1 for name, value in one.parameters.state().items()}
    if damage == "missing":
        del state["target/03"]
    elif damage == "extra":
        state["online/99"] = np.zeros(1)
    else:
        state["target/03"] = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match="Expected the variables of this network, got others at"):
        one.parameters.restore(state)
    assert np.array_equal(flat(one.online.variables), before)


def test_a_compiled_function_has_no_default_arguments():
    """TensorFlow would call its trace twice, the first time in vain: half a millisecond for every action."""
    from dqn_tf.execution.compiled import Compiled

    with pytest.raises(ValueError, match="without default arguments"):
        Compiled(lambda x, scale=2.0: x * scale, [tf.TensorSpec([], tf.float32)])
    assert float(Compiled(lambda x, *more: 2.0 * x, [tf.TensorSpec([], tf.float32)])(np.float32(3))) == 6.0
