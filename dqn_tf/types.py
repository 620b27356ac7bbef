"""The records that pass between the parts.

Axes: B batch, A actions, N atoms or quantiles, H W C image (rows, columns, channels).
Words: a *frame* is one emulator frame, a *step* one agent decision (``frame_skip`` frames), an *update* one
gradient step, an *episode* runs from reset to the end, an *iteration* is one reporting block.
"""

from __future__ import annotations

import enum
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

# Type checkers know nothing of TensorFlow: these names say what is meant, docstrings say its shape and dtype.
Tensor: TypeAlias = Any
"A ``tf.Tensor``, symbolic or eager."
TensorLike: TypeAlias = Any
"A ``Tensor``, a variable or an array: whatever TensorFlow converts by itself."
Variable: TypeAlias = Any
"A ``keras.Variable`` or ``tf.Variable``."
DType: TypeAlias = Any
"A ``tf.DType``."
GraphInput: TypeAlias = Any
"What a compiled function is given: a ``Tensor``, or records of them (``Sample``, ``SampleIndices``)."
ConcreteFunction: TypeAlias = Any
"A traced ``tf.function``."
KerasLayer: TypeAlias = Any
"A ``keras.layers.Layer``."
KerasOptimizer: TypeAlias = Any
"A ``keras.optimizers.Optimizer``."
Tree: TypeAlias = Any
"A state: nested dictionaries by text and lists, of arrays, numbers, texts, true, false, None."
Array: TypeAlias = np.ndarray
"A NumPy array."


class StepType(enum.IntEnum):
    """The place of a time step in the agent's episode (which a lost life may end before the game does)."""

    FIRST = 0
    MID = 1
    LAST = 2


class ObservationSpec(NamedTuple):
    """The form of an environment's observations, and of the frames that the replay stores.

    Attributes:
        frame_shape: of one stored frame: (84, 84) for Atari, (D,) for vector states.
        dtype: of a frame: "uint8" for Atari, "float32" for vector states.
        stack: frames of one observation, newest last, on a new last axis (of frames with channels [H, W, C],
            each channel has its frames beside one another: [H, W, C * stack]); None: a frame is an observation.
        padding: how a stack that is not yet full is completed: "zeros_before", "zeros_after" or "repeat_first".
        mask_size: A where each observation comes with a mask [A] of legal actions; 0: every action is always legal.
        low: the number of an image that networks see as 0; None: 0.
        high: the number that they see as 1; None: 255 of bytes, else 1.
    """

    frame_shape: tuple[int, ...]
    dtype: str
    stack: int | None = None
    padding: str = "zeros_before"
    mask_size: int = 0
    low: float | None = None
    high: float | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation: (84, 84, 4), or (D,)."""
        if self.stack is None:
            return self.frame_shape
        if len(self.frame_shape) == 3:
            return (*self.frame_shape[:2], self.frame_shape[2] * self.stack)
        return (*self.frame_shape, self.stack)

    @property
    def scaling(self) -> tuple[float, float]:
        """(scale, offset): networks for images see scale x + offset, which is 0 at ``low`` and 1 at ``high``."""
        if self.low is None or self.high is None:
            return (1.0 / 255.0 if self.dtype == "uint8" else 1.0), 0.0
        return 1.0 / (self.high - self.low), -self.low / (self.high - self.low)


class EnvironmentSpec(NamedTuple):
    """The agent's side of an environment.

    Attributes:
        observation: form of its observations.
        action_names: one for each action.
        frame_skip: emulator frames per agent step.
    """

    observation: ObservationSpec
    action_names: tuple[str, ...]
    frame_skip: int

    @property
    def num_actions(self) -> int:
        """A."""
        return len(self.action_names)

    @property
    def masked(self) -> bool:
        """Whether each of its answers has a mask of legal actions."""
        return self.observation.mask_size > 0


class TimeStep(NamedTuple):
    """One answer of an environment.

    Attributes:
        observation: what the network sees, of ``ObservationSpec.shape``.
        frame: the newest frame alone, of ``frame_shape``.
        reward: raw, undiscounted, summed over the frames of the step.
        discount: 0.0 at termination (for some Atari protocols at a lost life, too), else 1.0; at a
            truncation 1.0, or 0.0 where ``protocol.time_limit`` is "terminal".
        step_type: of the agent's episode.
        episode_over: whether the game itself has ended or was cut off, so that its score is final.
        truncated: whether it was cut off.
        lives: that are left.
        frames: emulator frames of this answer, no-ops at the start included.
        mask: [A] bool, the legal actions, at least one (all of them at termination); None where every action always is.
    """

    observation: np.ndarray
    frame: np.ndarray
    reward: float
    discount: float
    step_type: StepType
    episode_over: bool
    truncated: bool
    lives: int
    frames: int
    mask: np.ndarray | None = None


class Transition(NamedTuple):
    """n-step transitions.

    Attributes:
        s_tm1: s [B, ...].
        a_tm1: a [B] int32.
        r_t: the discounted sum of k <= n (clipped) rewards, [B] float32.
        discount_t: gamma^k, or 0 at termination, [B] float32.
        s_t: s' [B, ...].
    """

    s_tm1: TensorLike
    a_tm1: TensorLike
    r_t: TensorLike
    discount_t: TensorLike
    s_t: TensorLike


class Masks(NamedTuple):
    """Which actions are legal in the two states of n-step transitions: [B, A] bool each."""

    s_tm1: TensorLike
    s_t: TensorLike


class Future(NamedTuple):
    """What followed the first states of a batch, as it was played: K steps of the same episode, or fewer.

    Attributes:
        states: s_{t+1} to s_{t+K} [B, K, ...]; after the last state of the episode that one again.
        actions: a_t to a_{t+K-1} [B, K] int32; the action at place k leads to the state at place k.
        mask: [B, K] float32: 1 where the state at place k belongs to the same episode, and the step to it is complete;
            0 from the first place on where it does not.
    """

    states: TensorLike
    actions: TensorLike
    mask: TensorLike


NoFuture: TypeAlias = tuple[()]
"In the place of ``Future`` where no part of the agent asks for one."
NoMasks: TypeAlias = tuple[()]
"In the place of ``Masks`` where every action is legal: an empty structure, which no compiled function has to be given."


class Sample(NamedTuple):
    """A batch from the replay.

    Attributes:
        transitions: [B, ...].
        indices: their rows [B] int64.
        weights: importance weights [B] float32; ones for uniform sampling.
        masks: legal actions, where the environment gives masks; else ().
        future: what followed s_tm1, where a part of the agent predicts it; else ().
    """

    transitions: Transition
    indices: TensorLike
    weights: TensorLike
    masks: Masks | NoMasks = ()
    future: Future | NoFuture = ()


class SampleIndices(NamedTuple):
    """What a sampler draws: rows of the replay [B] int64 and their importance weights [B] float32.  A replay on the
    device makes the ``Sample`` of them itself."""

    indices: TensorLike
    weights: TensorLike


# What a network's outputs are for: to choose an action ("act": only q_values are needed), to be trained ("predict",
# s_tm1 by the online network), or to compute the target ("target", s_t by the target network).
Role = Literal["act", "predict", "target"]


class ValueOutputs(NamedTuple):
    """The outputs of a network for B states.

    Attributes:
        q_values: [B, A].
        dist: [B, A, N], logits of atoms, or values of quantiles; None for expected values.
        taus: fractions of the quantiles, [B, N] or [1, N]; None where there are none.
        proposal: of fractions (agent/values/fqf.py), or None.
    """

    q_values: TensorLike
    dist: Tensor = None
    taus: Tensor = None
    proposal: Any = None


class TargetTerms(NamedTuple):
    """What a target rule contributes to the target: y = r + b_r + gamma sum_a' pi(a') (Q(s', a') + b_v(a')).

    Attributes:
        policy: pi over the next actions, [B, A].
        value_bonus: b_v [B, A].
        reward_bonus: b_r [B].
    """

    policy: TensorLike
    value_bonus: TensorLike
    reward_bonus: TensorLike


class LossOutputs(NamedTuple):
    """The losses of a batch.

    Attributes:
        loss: [B], unweighted.
        td_error: delta [B], target minus prediction.
        priority: [B] >= 0, for prioritized replay.
    """

    loss: TensorLike
    td_error: TensorLike
    priority: TensorLike


class Gradients(NamedTuple):
    """The first half of an update.

    Attributes:
        gradients: d loss / d theta, one tensor for each variable.
        loss: [], weighted mean over the batch.
        td_error: delta [B].
        priority: [B] >= 0, of the batch's transitions.
        q_values: Q(s_tm1, .) [B, A] of the online network.
    """

    gradients: list[Tensor]
    loss: Tensor
    td_error: Tensor
    priority: Tensor
    q_values: Tensor


class UpdateOutputs(NamedTuple):
    """What one update reports.

    Attributes:
        loss: [], weighted mean over the batch.
        td_error: delta [B].
        priority: [B] >= 0, of the batch's transitions.
        grad_norm: [], the global norm of the gradients before clipping.
        q_values: Q(s_tm1, .) [B, A] of the online network, before the update.
    """

    loss: TensorLike
    td_error: TensorLike
    priority: TensorLike
    grad_norm: TensorLike
    q_values: TensorLike


class Monitored(NamedTuple):
    """What a part of the agent reports once per iteration, for the monitors.

    numbers: by the names that the idea lists as ``monitored``; of a value family one number per state [B].
    histograms: name -> (values, weights), two arrays of one shape.
    """

    numbers: dict[str, TensorLike]
    histograms: dict[str, tuple[TensorLike, TensorLike]]


class Counters(NamedTuple):
    """The only clocks of a run: numbers so far.

    Attributes:
        frames: of the emulator.
        steps: of the agent.
        updates: gradient steps.
        episodes: of training, finished ones.
        iterations: reporting blocks, finished ones.
    """

    frames: int = 0
    steps: int = 0
    updates: int = 0
    episodes: int = 0
    iterations: int = 0
