"""DQN in one file, to be read from top to bottom: the program that the package's composed agent must equal bit by bit.

It follows Mnih et al. 2015 (doi 10.1038/nature14236), algorithm 1, with no abstractions, and imports nothing of the
package.  Where the paper leaves a choice, the choice is marked CHOICE; those are what the two programs agree on.

    python tests/oracle/dqn_oracle.py        # trains on the toy grid and prints how the returns grow
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from typing import Any

import numpy as np
import tensorflow as tf


@dataclasses.dataclass
class Settings:
    """Everything that can be chosen.  The names are those of the package where both have one."""

    seed: int = 0
    steps: int = 700
    hidden: tuple[int, ...] = (16, 16)
    initialization: str = "fan_in_uniform"  # or "glorot_uniform"
    loss: str = "huber"  # or "squared"
    optimizer: str = "rmsprop"  # or "adam"
    learning_rate: float = 2.5e-3
    max_grad_norm: float | None = None
    discount: float = 0.9
    capacity: int = 150
    batch_size: int = 16
    min_replay_steps: int = 100
    steps_per_update: int = 1
    target_update_steps: int = 40
    initial_epsilon: float = 1.0
    final_epsilon: float = 0.1
    decay_steps: int = 300
    random_ties: bool = True
    xla: str = "none"  # "optimizer": RMSProp's step of each variable is compiled; "update": everything is


# ---- the world: a grid of 4 x 4 cells -------------------------------------------------------------------------------
SIZE, GOAL, PIT, LIMIT = 4, (3, 3), (1, 2), 12
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right, down, left, up: (row, column)


class Grid:
    """An agent walks from a cell that the seed decides.  The goal (+1) and the pit (-1) terminate the episode, and
    after 12 steps it is truncated.  Every step costs 0.03.  The agent sees four numbers."""

    def reset(self, seed: int) -> np.ndarray:
        cells = [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in (GOAL, PIT)]
        self.cell, self.age = cells[seed % len(cells)], 0
        return self.observation()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        """observation, reward, terminated, truncated"""
        row, column = (x + dx for x, dx in zip(self.cell, MOVES[action], strict=True))
        if 0 <= row < SIZE and 0 <= column < SIZE:
            self.cell = (row, column)
        self.age += 1
        reward = {GOAL: 1.0, PIT: -1.0}.get(self.cell, 0.0) - 0.03
        terminated = self.cell in (GOAL, PIT)
        return self.observation(), reward, terminated, self.age >= LIMIT and not terminated

    def observation(self) -> np.ndarray:
        (row, column), (goal_row, goal_column) = self.cell, GOAL
        return np.array([row / 3, column / 3, (goal_row - row) / 3, (goal_column - column) / 3], np.float32)


# ---- chance ---------------------------------------------------------------------------------------------------------
def chance(seed: int, name: str, counter: int) -> np.random.Generator:
    """CHOICE: draw number `counter` of the stream `name`.  The Philox key is the first half of SHA-256 of
    "dqn_tf|seed|name", as two little-endian words; the counter stands in the third of Philox's four counter words."""
    key = np.frombuffer(hashlib.sha256(f"dqn_tf|{seed}|{name}".encode()).digest()[:16], "<u8")
    bits = np.random.Philox(key=key)
    state = bits.state
    state["state"]["counter"][:] = (0, 0, counter, 0)
    bits.state = state
    return np.random.Generator(bits)


# ---- the network ----------------------------------------------------------------------------------------------------
def initial_weights(s: Settings, inputs: int, outputs: int) -> list[np.ndarray]:
    """CHOICE: weights and biases of each layer in turn; the k-th array is draw k of the stream "weights"."""
    widths, arrays = [inputs, *s.hidden, outputs], []
    for fan_in, fan_out in itertools.pairwise(widths):
        if s.initialization == "fan_in_uniform":  # Torch 7: weights and biases
            limits = (1 / np.sqrt(fan_in), 1 / np.sqrt(fan_in))
        else:  # Glorot and Bengio 2010; biases are zero
            limits = (np.sqrt(6 / (fan_in + fan_out)), 0.0)
        for limit, shape in zip(limits, ((fan_in, fan_out), (fan_out,)), strict=True):
            random = chance(s.seed, "weights", len(arrays))
            arrays.append(random.uniform(-limit, limit, shape).astype(np.float32))
    return arrays


def q_values(theta: list[tf.Variable], states: Any) -> Any:
    """Q(s, .; theta) of a batch of states: matrix, bias, ReLU, and so on; no ReLU at the end.

    CHOICE: bias_add rather than +.  They are equal, but the gradient of bias_add sums the batch in another order.
    """
    x = tf.convert_to_tensor(states)
    for i in range(0, len(theta), 2):
        x = tf.nn.bias_add(x @ theta[i], theta[i + 1])
        if i < len(theta) - 2:
            x = tf.nn.relu(x)
    return x


# ---- acting ---------------------------------------------------------------------------------------------------------
def epsilon_at(s: Settings, step: int) -> float:
    """CHOICE: epsilon falls linearly, beginning when learning begins (the paper: at once)."""
    left = min(1.0, max(0.0, (s.decay_steps + s.min_replay_steps - step) / s.decay_steps))
    return s.final_epsilon + (s.initial_epsilon - s.final_epsilon) * left


def act(s: Settings, theta: list[tf.Variable], state: np.ndarray, step: int) -> int:
    """Algorithm 1: "With probability epsilon select a random action a_t, otherwise argmax_a Q(s_t, a; theta)"."""
    random = chance(s.seed, "exploration", step)
    if random.random() < epsilon_at(s, step):
        return int(random.integers(len(MOVES)))
    q = q_values(theta, state[None]).numpy()[0]
    best = [a for a in range(len(q)) if q[a] == max(q)]
    if not s.random_ties or len(best) == 1:
        return best[0]
    return best[random.integers(len(best))]


# ---- remembering ----------------------------------------------------------------------------------------------------
class Memory:
    """The replay: a plain list of all states ever seen, and what was done there.

    CHOICE: every state takes a place, also the last of an episode, from which no transition starts; the newest
    `capacity` places count.  Place p has the number p % capacity; numbers are drawn, as many as the next power of two
    (at most the capacity).  A draw of a number that no place has, or of one without a transition, is repeated.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.states: list[np.ndarray] = []
        self.moves: list[tuple[int, float, float] | None] = []  # action, reward, discount (0 where the value ends)

    def see(self, state: np.ndarray) -> None:
        self.states.append(state)
        self.moves.append(None)

    def did(self, action: int, reward: float, discount: float) -> None:
        """What was done in the state before the one seen last."""
        self.moves[-2] = (action, reward, discount)

    def draw(self, count: int, random: np.random.Generator) -> list[int]:
        newest, numbers = len(self.states) - 1, min(self.capacity, 2 ** (len(self.states) - 1).bit_length())
        one_each = lambda n: newest - (newest - random.integers(0, numbers, n)) % self.capacity  # noqa: E731
        places = one_each(count)
        while empty := [i for i, p in enumerate(places) if p < 0 or self.moves[p] is None]:
            places[empty] = one_each(len(empty))
        return [int(p) for p in places]

    def batch(self, places: list[int]) -> tuple[np.ndarray, ...]:
        """s, a, r, gamma (0 where the value ends), s'"""
        actions, rewards, discounts = zip(*(self.moves[p] for p in places), strict=True)  # type: ignore[arg-type]
        return (
            np.stack([self.states[p] for p in places]),
            np.array(actions, np.int32),
            np.array(rewards, np.float32),
            np.array(discounts, np.float32),
            np.stack([self.states[p + 1] for p in places]),
        )


# ---- learning -------------------------------------------------------------------------------------------------------
class Adam:
    def __init__(self, rate: float, theta: list[tf.Variable]) -> None:
        self.count, self.rate = tf.Variable(0, dtype=tf.int64), tf.Variable(rate)
        self.moments = [tf.Variable(tf.zeros(w.shape)) for w in theta for _ in range(2)]
        self.variables = [self.count, self.rate, *self.moments]

    def apply_gradients(self, pairs: Any) -> None:  # CHOICE: by TensorFlow's kernel
        t, moments = tf.cast(self.count.assign_add(1), tf.float32), (m.handle for m in self.moments)
        for g, w in pairs:
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=next(moments), v=next(moments), beta1_power=0.9**t, beta2_power=0.999**t,
                lr=self.rate, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g)  # fmt: skip


class CompiledRMSprop(tf.keras.optimizers.RMSprop):
    def update_step(self, g: tf.Tensor, w: tf.Variable, rate: Any) -> None:  # CHOICE: each variable's by itself
        tf.function(lambda: super(CompiledRMSprop, self).update_step(g, w, rate), jit_compile=True)()


def make_optimizer(s: Settings, theta: list[tf.Variable]) -> Any:
    if s.optimizer == "adam":
        return Adam(s.learning_rate, theta)
    rmsprop = CompiledRMSprop if s.xla == "optimizer" else tf.keras.optimizers.RMSprop
    optimizer = rmsprop(s.learning_rate, rho=0.95, epsilon=0.01 / 32**2, centered=True)
    optimizer.build(theta)
    return optimizer


def make_update(s: Settings, theta: list[tf.Variable], theta_minus: list[tf.Variable], optimizer: Any) -> Any:
    """One gradient step on (y - Q(s, a; theta))^2, where y = r + gamma max_a' Q(s', a'; theta^-)."""

    def descend(gradients: list[tf.Tensor]) -> tf.Tensor:
        norm = tf.linalg.global_norm(gradients)
        if s.max_grad_norm is not None:
            gradients = [g * (s.max_grad_norm / tf.maximum(norm, s.max_grad_norm)) for g in gradients]
        optimizer.apply_gradients(zip(gradients, theta, strict=True))
        return norm

    def update(states: Any, actions: Any, rewards: Any, discounts: Any, next_states: Any) -> tuple[tf.Tensor, ...]:
        y = rewards + discounts * tf.reduce_max(q_values(theta_minus, next_states), axis=1)
        with tf.GradientTape() as tape:
            delta = y - tf.gather(q_values(theta, states), actions, axis=1, batch_dims=1)
            if s.loss == "squared":
                losses = tf.square(delta)
            else:  # Huber: delta^2 / 2 up to 1, |delta| - 1/2 beyond: "clipping the error term to be between -1 and 1"
                inside = tf.minimum(tf.abs(delta), 1.0)
                losses = inside * (tf.abs(delta) - 0.5 * inside)
            loss = tf.reduce_mean(losses)
        return loss, descend(tape.gradient(loss, theta))

    return tf.function(update, jit_compile=s.xla == "update")


# ---- algorithm 1 ----------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Trace:
    """What happened, and where it ended."""

    actions: list[int] = dataclasses.field(default_factory=list)
    rows: list[list[int]] = dataclasses.field(default_factory=list)  # the places sampled by each update
    losses: list[float] = dataclasses.field(default_factory=list)
    grad_norms: list[float] = dataclasses.field(default_factory=list)
    weights_after: list[str] = dataclasses.field(default_factory=list)  # SHA-256 of theta after each update
    episodes: list[tuple[int, float, bool]] = dataclasses.field(default_factory=list)  # step, return, truncated
    syncs: int = 0
    weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    target_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    slots: list[np.ndarray] = dataclasses.field(default_factory=list)


def fingerprint(arrays: list[np.ndarray]) -> str:
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()


def train(s: Settings) -> Trace:
    initial = initial_weights(s, inputs=4, outputs=len(MOVES))
    theta = [tf.Variable(w) for w in initial]
    theta_minus = [tf.Variable(w) for w in initial]
    optimizer = make_optimizer(s, theta)
    update = make_update(s, theta, theta_minus, optimizer)
    memory, grid, trace = Memory(s.capacity), Grid(), Trace()
    state: np.ndarray | None = None
    score = 0.0
    for step in range(s.steps):
        if state is None:  # an episode begins; CHOICE: its seed is draw number (episodes so far) of "train/reset"
            state = grid.reset(int(chance(s.seed, "train/reset", len(trace.episodes)).integers(2**31)))
            memory.see(state)
            score = 0.0

        action = act(s, theta, state, step)
        state, reward, terminated, truncated = grid.step(action)
        memory.see(state)
        memory.did(action, reward, 0.0 if terminated else s.discount)  # a truncation bootstraps
        score += reward
        trace.actions.append(action)
        done = step + 1

        if done >= s.min_replay_steps and done % s.steps_per_update == 0:
            places = memory.draw(s.batch_size, chance(s.seed, "replay", len(trace.rows)))
            loss, norm = update(*memory.batch(places))
            trace.rows.append(places)
            trace.losses.append(float(loss))
            trace.grad_norms.append(float(norm))
            trace.weights_after.append(fingerprint([v.numpy() for v in theta]))

        if done >= s.min_replay_steps and done % s.target_update_steps == 0:
            for old, new in zip(theta_minus, theta, strict=True):
                old.assign(new)
            trace.syncs += 1

        if terminated or truncated:
            trace.episodes.append((done, score, truncated))
            state = None

    trace.weights = [v.numpy() for v in theta]
    trace.target_weights = [v.numpy() for v in theta_minus]
    trace.slots = [np.asarray(v) for v in optimizer.variables]
    return trace


if __name__ == "__main__":
    result = train(Settings(steps=3000, capacity=2000, decay_steps=1500))
    returns = [episode[1] for episode in result.episodes]
    for start in range(0, len(returns) - 49, 50):
        print(f"episodes {start:4d} to {start + 49:4d}: mean return {np.mean(returns[start : start + 50]):6.3f}")
