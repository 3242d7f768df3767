"""From a frozen graph of which all shapes are known to a network's layers; a loop becomes one recurrent layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.activations import FUNCTIONS
from perfcast.formats.grouping import group
from perfcast.formats.operations import Operation, weights_of
from perfcast.formats.tensorflow_graph.geometry import geometry
from perfcast.formats.tensorflow_graph.loops import turns
from perfcast.formats.tensorflow_graph.node import SAME_LAYOUT, TYPES, Node, find_constants
from perfcast.network.macs import repeated_macs
from perfcast.network.network import Layer, Network

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from perfcast.formats.tensorflow_graph.freezing import Frozen
    from perfcast.formats.tensorflow_graph.loops import Loop
    from perfcast.formats.tensorflow_graph.weights import Kind

_STATISTICS = 3
# How many gates a step of each has, by the sigmoids.
_KINDS = {3: "LSTM", 2: "GRU", 0: "SimpleRNN"}


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
        Operation(name=node.name, type="Identity", inputs=(tensor.name,), outputs=(node.tensor(index),))
        for index, tensor in enumerate(node.operation.inputs)
        if node.constant(index) is None
    ]


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


def with_loop(layers: Sequence[Layer], loop: Loop, turns: int, outputs: Collection[str]) -> list[Layer]:
    """Return layers of which one stands for all of a loop, of which they hold one turn.

    Args:
        layers: in execution order, one an operation.
        loop: the loop.
        turns: how often its body runs.
        outputs: names of the network's output tensors.

    Raises:
        SourceError: the loop multiplies no matrices, so what it does is not known.
    """
    given = [tensor.name for layer in layers for tensor in layer.outputs]
    inside = {name for name in given if name.rpartition(":")[0] in loop.nodes}
    parts = [layer for layer in layers if inside.intersection(tensor.name for tensor in layer.outputs)]
    others = [layer for layer in layers if not inside.intersection(tensor.name for tensor in layer.outputs)]
    macs = sum(part.macs for part in parts)
    if not macs:
        raise SourceError(
            f"operation {loop.name[:80]!r} branches or loops: its layers cannot be determined without running it"
        )
    wanted = {name for layer in others for name in layer.inputs} | set(outputs)
    kinds = Counter(part.type for part in parts)
    made = Operation(
        name=loop.name,
        type=_KINDS.get(kinds["Sigmoid"], "RNN") if kinds["Tanh"] else "RNN",
        inputs=tuple(dict.fromkeys(name for part in parts for name in part.inputs if name not in inside)),
        outputs=tuple(tensor for part in parts for tensor in part.outputs if tensor.name in wanted),
        weights=weights_of(parts),
        macs=repeated_macs(turns, macs),
        layout="free",
    )
    return _placed(others, made)


def _placed(layers: Sequence[Layer], made: Layer) -> list[Layer]:
    """Return layers with one more, after what it reads and before what reads it."""
    where = max((i for i, layer in enumerate(layers) if _gives(layer, made.inputs)), default=-1) + 1
    late = {tensor.name for tensor in made.outputs}
    before: list[Layer] = []
    after: list[Layer] = []
    for layer in layers[:where]:
        if late.isdisjoint(layer.inputs):
            before.append(layer)
        else:
            after.append(layer)
            late.update(tensor.name for tensor in layer.outputs)
    return [*before, made, *after, *layers[where:]]


def _gives(layer: Layer, names: Collection[str]) -> bool:
    return any(tensor.name in names for tensor in layer.outputs)
