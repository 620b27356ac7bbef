"""How many multiplications and additions a compiled function asks for: those of its matrix products and convolutions.

They are read off the traced graph, so that every idea counts as what it does: a third forward pass, the noise's own
matrices, a head that is asked for many quantiles at once.  What is proportional to the numbers alone (activations,
losses, random numbers, the optimizer) is left out; a multiply-add is two.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

from dqn_tf.checks import RunError
from dqn_tf.types import ConcreteFunction, Tensor

Operation: TypeAlias = Any
"A node of a graph."

# Operations that do no such work, by what their names say of others: a call may hide a graph of its own.
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While", "StatelessWhile")
_UNCOUNTED = ("Einsum", "Conv3D", "DepthwiseConv2dNative", "FusedConv2D", "SparseMatMul")


def count(function: ConcreteFunction) -> float:
    """Operations of one call of a concrete function.  Raises RunError for a graph that it cannot read."""
    graph, seen = function.graph, set[Operation]()
    waiting = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    while waiting:  # what no result needs is not carried out: the gradient to the pixels, for example
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
        raise RunError(f"Expected shapes that are known beforehand, got {tensor.shape} in {op.type} ({op.name}).")
    return prod(tensor.shape)
