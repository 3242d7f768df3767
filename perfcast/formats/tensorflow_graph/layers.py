"""From a frozen graph of which all shapes are known to a network's layers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.activations import FUNCTIONS
from perfcast.formats.grouping import Operation, group
from perfcast.formats.tensorflow_graph.constants import find_constants
from perfcast.formats.tensorflow_graph.geometry import geometry
from perfcast.formats.tensorflow_graph.loops import turns
from perfcast.formats.tensorflow_graph.node import Node
from perfcast.formats.tensorflow_graph.recurrent import with_loop
from perfcast.formats.tensorflow_graph.types import SAME_LAYOUT, TYPES
from perfcast.network.network import Layer, Network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.formats.tensorflow_graph.freezing import Frozen
    from perfcast.formats.tensorflow_graph.weights import Kind


def network_of(frozen: Frozen, kinds: dict[str, Kind], graph: Any, inputs: Mapping[str, str]) -> Network:
    """Return the network that a graph is.

    Args:
        frozen: the graph without any call.
        kinds: what its variables and float constants are like.
        graph: the same as TensorFlow's graph, where the batch is 1 and all inputs have their shapes.
        inputs: what the inputs are called, by the names of their nodes.

    Raises:
        SourceError: a shape is not known without running the network, or an output does not depend on the inputs.
    """
    constants = find_constants(frozen, kinds)
    nodes = [Node(graph.get_operation_by_name(name), constants) for name in inputs]
    layers: list[Layer] = [
        Layer(name, "InputLayer", (), (node.tensor(0),), layout="free")
        for node, name in zip(nodes, inputs.values(), strict=True)
    ]
    read = {name for node in frozen.nodes for name in node.input} | set(frozen.outputs)
    for definition in frozen.nodes:
        if definition.name not in constants:
            layers += _operations(Node(graph.get_operation_by_name(definition.name), constants), read)
    for loop in frozen.loops:
        layers = with_loop(layers, loop, turns(loop, graph), frozen.outputs)
    _check_outputs(frozen.outputs, layers)
    grouped = group(layers, frozen.outputs)
    return Network(tuple(f"{name}:0" for name in inputs), tuple(dict.fromkeys(frozen.outputs)), grouped)


def _operations(node: Node, read: set[str]) -> list[Operation]:
    if node.operation.type == "IdentityN":
        return _identities(node)
    fields = geometry(node)
    kind = fields.get("type") or TYPES.get(node.operation.type, node.operation.type)
    elementwise = kind in FUNCTIONS
    outputs = node.operation.outputs
    used = [index for index in range(len(outputs)) if outputs[index].name in read]
    operation = Operation(
        name=node.name,
        type=kind,
        inputs=node.inputs(),
        outputs=tuple(node.tensor(index) for index in used),
        weights=_weights(node),
        operands=node.operands() if elementwise else (),
        layout="same" if elementwise or kind in SAME_LAYOUT else "free",
    )
    return [replace(operation, **fields)]


def _identities(node: Node) -> list[Operation]:
    """Return one operation for each tensor that an operation only passes on."""
    return [
        Operation(
            name=node.name,
            type="Identity",
            inputs=(tensor.name,),
            outputs=(node.tensor(index),),
        )
        for index, tensor in enumerate(node.operation.inputs)
        if node.constant(index) is None
    ]


_STATISTICS = 3


def _weights(node: Node) -> tuple[Any, ...]:
    """Return its weights; the last two inputs of a batch normalisation are statistics, which training counts."""
    if not node.operation.type.startswith("FusedBatchNorm"):
        return node.weights()
    last = [constant for index in range(_STATISTICS, len(node.operation.inputs)) if (constant := node.constant(index))]
    statistics = {weight.name for constant in last for weight in constant.weights}
    return tuple(replace(weight, trainable=weight.name not in statistics) for weight in node.weights())


def _check_outputs(outputs: Sequence[str], layers: list[Layer]) -> None:
    returned = {tensor.name for layer in layers for tensor in layer.outputs}
    for name in outputs:
        if name not in returned:
            raise SourceError(f"its output {name[:80]!r} does not depend on its inputs")
