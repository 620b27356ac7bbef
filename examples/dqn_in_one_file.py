"""DQN in one file, to be read from top to bottom, with the paper beside it.

Paper: Mnih et al. 2015, "Human-level control through deep reinforcement learning" (doi 10.1038/nature14236).  `train`
is its algorithm 1; every other function is one line of it.  Nothing of the package dqn_tf is imported, and yet the
package computes the same: tests/oracle compares the two bit by bit.  Where the paper leaves a choice, the choice is
marked CHOICE.

    python examples/dqn_in_one_file.py [--environment CartPole-v1] [--seed 0] [--steps 50000]
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf


@dataclasses.dataclass
class Settings:
    """All that can be chosen.  The names are those of dqn_tf's configuration, the values those of `dqn_classic`."""

    environment: str = "CartPole-v1"
    seed: int = 0
    steps: int = 50_000
    hidden: tuple[int, ...] = (128, 128)
    initialization: str = "fan_in_uniform"  # or "glorot_uniform"
    loss: str = "squared"  # or "huber"
    optimizer: str = "adam"  # or "rmsprop"
    learning_rate: float = 1e-3
    max_grad_norm: float | None = 10.0
    discount: float = 0.99
    capacity: int = 100_000
    batch_size: int = 128
    min_replay_steps: int = 1_000
    steps_per_update: int = 4
    target_update_steps: int = 200
    initial_epsilon: float = 1.0
    final_epsilon: float = 0.1
    decay_steps: int = 10_000
    random_ties: bool = False
    xla: str = "none"  # "optimizer": RMSProp's step of each variable is compiled; "update": the whole update is


# ---- algorithm 1 ----------------------------------------------------------------------------------------------------
def train(s: Settings, environment: Any, report: Callable[[Trace], None] = lambda trace: None) -> Trace:
    """Deep Q-learning with experience replay and a target network.  `report` is called after every episode."""
    memory, trace = Memory(s.capacity), Trace()
    theta = [tf.Variable(w) for w in initial_weights(s, environment.inputs, environment.actions)]
    theta_minus = [tf.Variable(w) for w in theta]  # the target network: theta^- = theta
    optimizer = make_optimizer(s, theta)
    update = make_update(s, theta, theta_minus, optimizer)
    state: np.ndarray | None = None
    for step in range(s.steps):
        if state is None:  # an episode begins; CHOICE: its seed is draw number (episodes so far) of "train/reset"
            state = environment.reset(int(chance(s.seed, "train/reset", len(trace.episodes)).integers(2**31)))
            memory.see(state)
            score = 0.0

        action = act(s, theta, state, environment.actions, step)  # epsilon-greedy
        state, reward, terminated, truncated = environment.step(action)
        memory.see(state)
        memory.did(action, reward, 0.0 if terminated else s.discount)  # CHOICE: a time limit does not end the value
        score += reward
        trace.actions.append(action)
        done = step + 1

        if done >= s.min_replay_steps and done % s.steps_per_update == 0:
            indices = memory.draw(s.batch_size, chance(s.seed, "replay", len(trace.updates)))
            loss, norm = update(*memory.batch(indices))  # a gradient step on (y - Q(s, a; theta))^2
            trace.updates.append((indices, float(loss), float(norm), fingerprint(theta)))

        if done >= s.min_replay_steps and done % s.target_update_steps == 0:  # every C steps: theta^- = theta
            for old, new in zip(theta_minus, theta, strict=True):
                old.assign(new)
            trace.target_updates += 1

        if terminated or truncated:
            trace.episodes.append((done, score, truncated))
            report(trace)
            state = None

    trace.weights = [v.numpy() for v in theta]
    trace.target_weights = [v.numpy() for v in theta_minus]
    trace.slots = [np.asarray(v) for v in optimizer.variables]
    return trace


def make_update(s: Settings, theta: list[tf.Variable], theta_minus: list[tf.Variable], optimizer: Any) -> Any:
    """One gradient step on (y - Q(s, a; theta))^2, where y = r + gamma max_a' Q(s', a'; theta^-)."""

    def descend(gradients: list[tf.Tensor]) -> tf.Tensor:
        norm = tf.linalg.global_norm(gradients)
        if s.max_grad_norm is not None:  # CHOICE: not in the paper; `dqn_classic` has it
            gradients = [g * (s.max_grad_norm / tf.maximum(norm, s.max_grad_norm)) for g in gradients]
        optimizer.apply_gradients(zip(gradients, theta, strict=True))
        return norm

    def update(states: Any, actions: Any, rewards: Any, discounts: Any, next_states: Any) -> tuple[tf.Tensor, ...]:
        y = rewards + discounts * tf.reduce_max(q_values(theta_minus, next_states), axis=1)
        with tf.GradientTape() as tape:
            delta = y - tf.gather(q_values(theta, states), actions, axis=1, batch_dims=1)
            if s.loss == "squared":
                losses = tf.square(delta)
            else:  # Huber: delta^2 / 2 up to 1, |delta| - 1/2 beyond: its gradient is the error clipped to [-1, 1]
                inside = tf.minimum(tf.abs(delta), 1.0)
                losses = inside * (tf.abs(delta) - 0.5 * inside)
            loss = tf.reduce_mean(losses)
        return loss, descend(tape.gradient(loss, theta))

    return tf.function(update, jit_compile=s.xla == "update")


# ---- acting ---------------------------------------------------------------------------------------------------------
def act(s: Settings, theta: list[tf.Variable], state: np.ndarray, actions: int, step: int) -> int:
    """With probability epsilon a random action, otherwise argmax_a Q(s, a; theta)."""
    random = chance(s.seed, "exploration", step)
    if random.random() < epsilon_at(s, step):
        return int(random.integers(actions))
    q = q_values(theta, state[None]).numpy()[0]
    best = np.flatnonzero(q == q.max())
    ties = s.random_ties and len(best) > 1
    return int(best[random.integers(len(best))] if ties else best[0])


def epsilon_at(s: Settings, step: int) -> float:  # CHOICE: it begins to fall when learning begins (paper: at once)
    left = min(1.0, max(0.0, (s.decay_steps + s.min_replay_steps - step) / s.decay_steps))
    return s.final_epsilon + (s.initial_epsilon - s.final_epsilon) * left


# ---- replay ---------------------------------------------------------------------------------------------------------
class Memory:
    """Experience replay: a plain list of all states ever seen, and what was done there.

    CHOICE: every state takes a place, also the last of an episode, from which no transition starts; the newest
    `capacity` places count.  Place p has the number p % capacity.  Numbers are drawn uniformly, out of as many as the
    next power of two (at most the capacity); one that no place has, or whose place starts no transition, is redrawn.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.states: list[np.ndarray] = []
        self.moves: list[tuple[int, float, float] | None] = []  # action, reward, discount (0 at termination)

    def see(self, state: np.ndarray) -> None:
        self.states.append(state)
        self.moves.append(None)

    def did(self, action: int, reward: float, discount: float) -> None:
        """What was done in the state before the one seen last."""
        self.moves[-2] = (action, reward, discount)

    def draw(self, count: int, random: np.random.Generator) -> list[int]:
        newest, numbers = len(self.states) - 1, min(self.capacity, 2 ** (len(self.states) - 1).bit_length())

        def places_of(n: int) -> np.ndarray:
            return newest - (newest - random.integers(0, numbers, n)) % self.capacity

        places = places_of(count)
        while empty := [i for i, p in enumerate(places) if p < 0 or self.moves[p] is None]:
            places[empty] = places_of(len(empty))
        return [int(p) for p in places]

    def batch(self, indices: list[int]) -> tuple[np.ndarray, ...]:
        """s, a, r, gamma (0 at termination), s'"""
        actions, rewards, discounts = zip(*(self.moves[p] for p in indices), strict=True)  # type: ignore[arg-type]
        return (
            np.stack([self.states[p] for p in indices]),
            np.array(actions, np.int32),
            np.array(rewards, np.float32),
            np.array(discounts, np.float32),
            np.stack([self.states[p + 1] for p in indices]),
        )


# ---- the network ----------------------------------------------------------------------------------------------------
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


def initial_weights(s: Settings, inputs: int, outputs: int) -> list[np.ndarray]:
    """CHOICE: weights and biases of each layer in turn; the k-th array is draw k of the stream "weights"."""
    widths, arrays = [inputs, *s.hidden, outputs], []
    for fan_in, fan_out in itertools.pairwise(widths):
        if s.initialization == "fan_in_uniform":  # Torch 7: weights and biases
            limits = (1 / np.sqrt(fan_in), 1 / np.sqrt(fan_in))
        else:  # Glorot and Bengio 2010; biases are zero
            limits = (np.sqrt(6 / (fan_in + fan_out)), 0.0)
        for limit, shape in zip(limits, ((fan_in, fan_out), (fan_out,)), strict=True):
            uniform = chance(s.seed, "weights", len(arrays)).uniform(-limit, limit, shape)
            arrays.append(uniform.astype(np.float32))
    return arrays


# ---- optimizers -----------------------------------------------------------------------------------------------------
def make_optimizer(s: Settings, theta: list[tf.Variable]) -> Any:
    """Adam, or the paper's RMSProp: centered, epsilon inside the root, for the mean of a batch of 32."""
    if s.optimizer == "adam":
        return Adam(s.learning_rate, theta)
    rmsprop = CompiledRMSprop if s.xla == "optimizer" else tf.keras.optimizers.RMSprop
    optimizer = rmsprop(s.learning_rate, rho=0.95, epsilon=0.01 / 32**2, centered=True)
    optimizer.build(theta)
    return optimizer


class Adam:
    def __init__(self, rate: float, theta: list[tf.Variable]) -> None:
        self.count, self.rate = tf.Variable(0, dtype=tf.int64), tf.Variable(rate)
        self.moments = [tf.Variable(tf.zeros(w.shape)) for w in theta for _ in range(2)]
        self.variables = [self.count, self.rate, *self.moments]

    def apply_gradients(self, pairs: Any) -> None:  # CHOICE: by TensorFlow's kernel
        t, moments = tf.cast(self.count.assign_add(1), tf.float32), (m.handle for m in self.moments)
        known = {"lr": self.rate, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
        known |= {"beta1_power": 0.9**t, "beta2_power": 0.999**t}
        for g, w in pairs:
            tf.raw_ops.ResourceApplyAdam(var=w.handle, m=next(moments), v=next(moments), grad=g, **known)


class CompiledRMSprop(tf.keras.optimizers.RMSprop):
    def update_step(self, g: tf.Tensor, w: tf.Variable, rate: Any) -> None:  # CHOICE: each variable's by itself
        tf.function(lambda: super(CompiledRMSprop, self).update_step(g, w, rate), jit_compile=True)()


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


# ---- the environment ------------------------------------------------------------------------------------------------
class GymnasiumTask:
    """A Gymnasium environment with vector observations and a fixed number of actions."""

    def __init__(self, name: str) -> None:
        self.environment = gymnasium.make(name)
        self.inputs, self.actions = self.environment.observation_space.shape[0], int(self.environment.action_space.n)

    def reset(self, seed: int) -> np.ndarray:
        return np.array(self.environment.reset(seed=seed)[0], np.float32)

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        """observation, reward, terminated, truncated"""
        observation, reward, terminated, truncated, _ = self.environment.step(action)
        return np.array(observation, np.float32), float(reward), terminated, truncated


# ---- what happened --------------------------------------------------------------------------------------------------
@dataclasses.dataclass
class Trace:
    """Everything that tests/oracle compares with the package."""

    actions: list[int] = dataclasses.field(default_factory=list)
    updates: list[tuple[list[int], float, float, str]] = dataclasses.field(default_factory=list)
    """Of each update: sample indices, loss, gradient norm, and SHA-256 of theta after it."""
    episodes: list[tuple[int, float, bool]] = dataclasses.field(default_factory=list)
    """Of each episode: the step at which it ended, its return, whether it was truncated."""
    target_updates: int = 0
    weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    target_weights: list[np.ndarray] = dataclasses.field(default_factory=list)
    slots: list[np.ndarray] = dataclasses.field(default_factory=list)


def fingerprint(theta: list[tf.Variable]) -> str:
    return hashlib.sha256(b"".join(v.numpy().tobytes() for v in theta)).hexdigest()


def tell(trace: Trace) -> None:
    if len(trace.episodes) % 20 == 0:
        step, returns = trace.episodes[-1][0], [score for _, score, _ in trace.episodes[-20:]]
        print(f"step {step:6,}   mean return of the last 20 episodes {np.mean(returns):6.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train DQN, and print how the returns grow.")
    for name, default in (("environment", "CartPole-v1"), ("seed", 0), ("steps", 50_000)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    settings = Settings(**vars(parser.parse_args()))
    train(settings, GymnasiumTask(settings.environment), tell)
