"""Compiled functions of one signature, which are called without a search for the right trace."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dqn_tf import lazy_tf as tf
from dqn_tf.types import TensorLike


class Compiled:
    """A TensorFlow function with one signature: traced at its first call, and then called through that trace.

    ``tf.function`` compares, in Python, the arguments of every call with all its traces.  That takes longer than the
    forward pass of one observation.  With one trace there is nothing to compare.
    """

    def __init__(
        self, function: Callable[..., Any], signature: Sequence[Any], xla: bool = False, one_thread: bool = False
    ) -> None:
        """
        Args:
            function: graph code without default arguments.
            signature: nested ``tf.TensorSpec``, one entry for each argument.
            xla: whether XLA compiles all of it.
            one_thread: whether ``direct`` carries its operations out in the thread that calls: the same bits, without
                the way to another thread and back.

        Raises:
            ValueError: an argument has a default.  TensorFlow would call the trace with all arguments, fail, and call
                it again: a third of a millisecond, every time.
        """
        if any(p.default is not p.empty for p in inspect.signature(function).parameters.values()):
            raise ValueError("Expected a function without default arguments, got some; bind such values outside.")
        # What it is traced from; graph code calls this, as a part of its own graph.
        self.function = tf.function(function, autograph=False, input_signature=signature, jit_compile=xla or None)
        self._trace: Any = None
        self._one_thread = one_thread
        self._call: Callable[..., list[Any]] | None = None

    @property
    def trace(self) -> Any:
        """The traced function: to be read, or called with tensors."""
        if self._trace is None:
            self._trace = self.function.get_concrete_function()
        return self._trace

    @property
    def traces(self) -> int:
        """How often the function has been traced: 0 or 1."""
        return int(self.function.experimental_get_tracing_count())

    def __call__(self, *arguments: TensorLike | tuple[TensorLike, ...]) -> Any:
        """Call it, with tensors or arrays of the signature's shapes and dtypes; anything else raises."""
        if self._trace is None:
            self._trace = self.function.get_concrete_function()
        return self._trace(*tf.nest.map_structure(tf.convert_to_tensor, arguments))

    def direct(self, *tensors: Any) -> list[Any]:
        """Call it by its name, without what TensorFlow does in Python for a call; see ``one_thread``.

        Args:
            tensors: of the signature's shapes and dtypes, which is not checked; the signature must not be nested.

        Returns:
            What a call returns, as a flat list.
        """
        if self._call is None:
            self._call = _direct(self.trace, one_thread=self._one_thread)
        return self._call(*tensors)


class DirectCall:
    """A graph function that is called by its name, without what TensorFlow does in Python for a call: 9 us instead of
    31.

    Arguments are tensors of the signature's shapes and dtypes; it returns a list of tensors.  If this version of
    TensorFlow offers no such call, the trace is called as usual: the same graph, the same bits.
    """

    def __init__(self, function: Callable[..., list[Any]], signature: Sequence[Any], xla: bool) -> None:
        """
        Args:
            function: graph code without default arguments, which returns a list of tensors.
            signature: one ``tf.TensorSpec`` for each argument, not nested.
            xla: whether XLA compiles all of it.

        Raises:
            ValueError: an argument has a default.
        """
        self._compiled = Compiled(function, signature, xla)
        self._call: Callable[..., Any] | None = None
        self._instead: dict[int, Any] = {}  # of variables that the trace uses, by their handles' ids: others

    def __call__(self, *tensors: Any) -> list[Any]:
        """Call the compiled function, without tf.function's handling of arguments where TensorFlow allows it."""
        if self._call is None:
            self._call = _direct(self._compiled.function.get_concrete_function(), self._captured)
        return self._call(*tensors)

    def in_graph(self, *tensors: Any) -> list[Any]:
        """Graph code: call it as a part of another graph, with the kernels that it has alone."""
        trace = self._compiled.trace
        if self._instead or hasattr(trace, "_inference_function"):
            return list(trace._inference_function.call_flat(*tensors, *self._captured))
        return list(tf.nest.flatten(trace(*tensors)))

    def on(self, variables: Sequence[Any], others: Sequence[Any]) -> DirectCall | None:
        """The same function on other variables of the same shapes: traced once and compiled once for all of them.

        Args:
            variables: resource handles of those that the trace reads and writes.
            others: what each of them is to be instead, in the same order.

        Returns:
            That function; None where it cannot be had: this TensorFlow has no such way, or the trace uses a variable
            that is not among them.
        """
        trace = self._compiled.trace
        instead = {id(handle): other for handle, other in zip(variables, others, strict=True)}
        now = list(zip(trace.captured_inputs, self._captured, strict=True))
        if any(id(t) not in instead for _, t in now if t.dtype == tf.resource):
            return None
        if _by_name(trace, 0, ()) is None:
            return None
        same = copy.copy(self)
        same._call, same._instead = None, {id(first): instead.get(id(t), t) for first, t in now}
        return same

    @property
    def _captured(self) -> list[Any]:
        return [self._instead.get(id(t), t) for t in self._compiled.trace.captured_inputs]


def as_tensor(array: np.ndarray) -> Any:
    """An array as the argument of a call that is made at once.

    Args:
        array: must not be written to before the call's results have been read: the tensor may share its memory.

    Returns:
        A tensor of the array's type, on the host; made without ``tf.constant``'s checks where this TensorFlow has
        such a way: 3 us instead of 9.
    """
    make = _maker_of_tensors()
    return tf.convert_to_tensor(array) if make is None else make(array)


@functools.cache
def _maker_of_tensors() -> Callable[[np.ndarray], Any] | None:
    """None with a GPU, whose copies may be under way after a call, and where there is no such way."""
    try:
        from tensorflow.python.eager import context
        from tensorflow.python.framework import ops

        device, make = context.context().device_name, ops.EagerTensor
    except (ImportError, AttributeError):
        return None
    return None if tf.config.list_physical_devices("GPU") else lambda array: make(array, device, None)


def _direct(trace: Any, captured: Sequence[Any] | None = None, one_thread: bool = False) -> Callable[..., list[Any]]:
    outputs = len(tf.nest.flatten(trace.structured_outputs))
    captured = trace.captured_inputs if captured is None else captured
    call = _by_name(trace, outputs, captured, one_thread)
    return (lambda *tensors: tf.nest.flatten(trace(*tensors))) if call is None else call


def _by_name(
    trace: Any, outputs: int, captured: Sequence[Any], one_thread: bool = False
) -> Callable[..., list[Any]] | None:
    """What calls a compiled function by its name; None: there is no such way.

    ``one_thread``: operations are carried out in the thread that calls, one after the other, not handed to another.
    """
    try:
        from tensorflow.python.eager import context, execute

        there, name = context.context(), trace._inference_function.name.decode()
        options = dict(there.function_call_options.as_attrs())
    except (ImportError, AttributeError):
        return None
    if one_thread:
        options["executor_type"] = "SINGLE_THREADED_EXECUTOR"
    attributes = tuple(itertools.chain(*options.items()))
    return lambda *tensors: execute.execute(name, outputs, [*tensors, *captured], attributes, there)
