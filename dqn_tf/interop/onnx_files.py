"""ONNX files with the same bytes for the same network, whatever process wrote them.

The converter numbers what it makes as it goes, keeps a function's number in a text, and lets chance decide which of
several equal constants survives.  Here nodes stand in the order in which the outputs need them, names are numbers in
that order, equal constants are one, and texts are gone.
"""

from __future__ import annotations

from typing import Any

from dqn_tf.checks import ConfigError

Proto = Any
"""A message of ``onnx``."""


def canonical(data: bytes) -> bytes:
    """The same model, as bytes that depend on what it computes alone.

    Args:
        data: an ONNX file.

    Returns:
        An ONNX file; names of inputs and outputs are kept.

    Raises:
        ConfigError: it has nested graphs (loops, branches), which are not renamed.
    """
    import onnx

    model = onnx.load_from_string(data)
    onnx.checker.check_model(model)
    ordered = _Ordered(model.graph)
    for output in model.graph.output:
        ordered.need(output.name)
    inputs, outputs = list(model.graph.input), list(model.graph.output)
    for size in (size for value in (*inputs, *outputs) for size in value.type.tensor_type.shape.dim):
        if not size.HasField("dim_value"):
            size.dim_param = "batch"
    graph = onnx.helper.make_graph(ordered.nodes, "policy", inputs, outputs, ordered.constants)
    whole = onnx.helper.make_model(graph, opset_imports=model.opset_import, producer_name="dqn_tf")
    whole.ir_version = model.ir_version
    onnx.checker.check_model(whole)
    return bytes(whole.SerializeToString(deterministic=True))


class _Ordered:
    """Nodes and constants of a graph in the order in which its outputs need them, named by their place in it."""

    def __init__(self, graph: Proto) -> None:
        self._made_by = {name: node for node in graph.node for name in node.output}
        self._values = {constant.name: constant for constant in graph.initializer}
        kept = [*(i.name for i in graph.input), *(o.name for o in graph.output)]
        self._names = {"": "", **{name: name for name in kept if name not in self._values}}
        self._done: set[str] = set()
        self._same: dict[bytes, str] = {}  # what a constant holds -> its name
        self.nodes: list[Proto] = []
        self.constants: list[Proto] = []

    def need(self, name: str) -> str:
        """A value's new name; what computes it stands in ``nodes`` or ``constants`` from now on."""
        if name in self._values:
            self._constant(name)
        elif name in self._made_by and name not in self._done:
            self._node(self._made_by[name])
        return self._names[name]

    def _constant(self, name: str) -> None:
        constant = self._values[name]
        constant.name = constant.doc_string = ""
        content = bytes(constant.SerializeToString(deterministic=True))
        if content not in self._same:
            copy = type(constant)()
            copy.CopyFrom(constant)
            copy.name = self._same[content] = f"constant_{len(self.constants)}"
            self.constants.append(copy)
        self._names[name] = self._same[content]

    def _node(self, node: Proto) -> None:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            raise ConfigError(
                f"Expected a network without loops and branches for ONNX, got the operation {node.op_type}."
            )
        self._done.update(node.output)
        inputs = [self.need(name) for name in node.input]
        place, copy = len(self.nodes), type(node)()
        copy.CopyFrom(node)
        for number, name in enumerate(node.output):
            self._names.setdefault(name, f"value_{place}_{number}")
        copy.name, copy.doc_string = f"node_{place}", ""
        copy.input[:] = inputs
        copy.output[:] = [self._names[name] for name in node.output]
        attributes = sorted(copy.attribute, key=lambda attribute: str(attribute.name))
        del copy.attribute[:]
        copy.attribute.extend(attributes)
        self.nodes.append(copy)
