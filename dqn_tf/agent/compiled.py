"""Compiled functions of one signature, which are called without a search for the right trace."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from dqn_tf import lazy_tf as tf
from dqn_tf.types import TensorLike


class Compiled:
    """A TensorFlow function with one signature: traced at its first call, and then called through that trace.

    ``tf.function`` compares, in Python, the arguments of every call with all its traces.  That takes longer than the
    forward pass of one observation.  With one trace there is nothing to compare.
    """

    def __init__(self, function: Callable[..., Any], signature: Sequence[Any], xla: bool = False) -> None:
        """
        Args:
            function: graph code without default arguments.
            signature: nested ``tf.TensorSpec``, one entry for each argument.
            xla: whether XLA compiles all of it.

        Raises:
            ValueError: an argument has a default.  TensorFlow would call the trace with all arguments, fail, and call
                it again: a third of a millisecond, every time.
        """
        if any(p.default is not p.empty for p in inspect.signature(function).parameters.values()):
            raise ValueError("Expected a function without default arguments, got some; bind such values outside.")
        self._function = tf.function(function, autograph=False, input_signature=signature, jit_compile=xla or None)
        self._trace: Any = None
        self._call: Callable[..., list[Any]] | None = None

    @property
    def trace(self) -> Any:
        """The traced function: to be read, or called with tensors."""
        if self._trace is None:
            self._trace = self._function.get_concrete_function()
        return self._trace

    @property
    def traces(self) -> int:
        """How often the function has been traced: 0 or 1."""
        return int(self._function.experimental_get_tracing_count())

    def __call__(self, *arguments: TensorLike | tuple[TensorLike, ...]) -> Any:
        """Call it, with tensors or arrays of the signature's shapes and dtypes; anything else raises."""
        return self.trace(*tf.nest.map_structure(tf.convert_to_tensor, arguments))

    def direct(self, *tensors: Any) -> list[Any]:
        """Call it by its name, without what TensorFlow does in Python for a call.

        Args:
            tensors: of the signature's shapes and dtypes, which is not checked; the signature must not be nested.

        Returns:
            What a call returns, as a flat list.
        """
        if self._call is None:
            self._call = _direct(self.trace)
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

    def __call__(self, *tensors: Any) -> list[Any]:
        """Call the compiled function, without tf.function's handling of arguments where TensorFlow allows it."""
        return self._compiled.direct(*tensors)


def _direct(trace: Any) -> Callable[..., list[Any]]:
    outputs, captured = len(tf.nest.flatten(trace.structured_outputs)), list(trace.captured_inputs)
    try:
        from tensorflow.python.eager import context

        call, name = context.context().call_function, trace._inference_function.name
    except (ImportError, AttributeError):
        return lambda *tensors: tf.nest.flatten(trace(*tensors))
    return lambda *tensors: call(name, [*tensors, *captured], outputs)
