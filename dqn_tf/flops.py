"""The multiplications and additions of a compiled function: those of its matrix products and convolutions.

They are counted in the traced graph, so the work that an idea adds is included: a third forward pass, the matrices of
noise, a head that computes many quantiles.  Elementwise work (activations, losses, random numbers, the optimizer) is
left out.  A multiply-add counts as two operations.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

from dqn_tf.checks import RunError
from dqn_tf.types import ConcreteFunction, Tensor

Operation: TypeAlias = Any
"A node of a graph."

# Refused, because they would be missed: calls of other graphs, and products that are not counted below.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile")
_UNCOUNTED = ("Einsum", "Conv3D", "DepthwiseConv2dNative", "FusedConv2D", "SparseMatMul")


def count(function: ConcreteFunction) -> float:
    """The operations of one call.

    Args:
        function: a ``tf.types.experimental.ConcreteFunction``.

    Returns:
        Floating-point operations that the outputs depend on.

    Raises:
        RunError: the graph has an operation or a shape whose arithmetic is not known.
    """
    graph, seen = function.graph, set[Operation]()
    waiting = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    while waiting:  # only what an output depends on runs; the gradient with respect to the pixels does not
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            waiting += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
    return sum(map(_count, seen))


def _count(op: Operation) -> float:
    kind = op.type
    if kind in _CALLS or kind in _UNCOUNTED:
        raise RunError(f"Expected an operation whose arithmetic is known, got {kind} ({op.name}).")
    if kind == "MatMul":
        inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
        return 2.0 * _size(op, op.outputs[0]) * inner
    if kind in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
        inner = op.inputs[0].shape[-2 if op.get_attr("adj_x") else -1]
        return 2.0 * _size(op, op.outputs[0]) * inner
    if kind == "Conv2D":
        return 2.0 * _size(op, op.outputs[0]) * prod(op.inputs[1].shape[:3])
    if kind == "Conv2DBackpropInput":
        return 2.0 * _size(op, op.inputs[2]) * prod(op.inputs[1].shape[:3])
    if kind == "Conv2DBackpropFilter":
        return 2.0 * _size(op, op.inputs[2]) * prod(op.outputs[0].shape[:3])
    return 0.0


def _size(op: Operation, tensor: Tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise RunError(f"Expected fully known shapes, got {tensor.shape} in {op.type} ({op.name}).")
    return prod(tensor.shape)
