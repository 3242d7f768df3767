"""Read an ONNX file as a network."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats import inputs
from perfcast.formats.grouping import Operation, group
from perfcast.formats.nodes import names_of_outputs
from perfcast.formats.onnx_graph import activations, convolutions, products
from perfcast.formats.onnx_graph.layout import with_channels_last
from perfcast.formats.onnx_graph.loading import STANDARD_DOMAINS, load, opset
from perfcast.formats.onnx_graph.nodes import Value, numpy_name
from perfcast.formats.onnx_graph.walk import Walk
from perfcast.network.network import Network, Tensor, per_sample
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import onnx

    from perfcast.formats.onnx_graph.nodes import Node
    from perfcast.network.network import Shape

_RULES = activations.RULES | convolutions.RULES | products.RULES

# How NumPy calls what ONNX's strings are.
_STRINGS = "object"
_MERGED = "/merged_input:0"

# Operations that work on the last axes of any tensor alike, wherever its channels are, by Keras' names.
_ALIKE = {"Concat": "Concatenate", "Split": "Split", "Slice": "GetItem", "Cast": "Cast", "Where": "Where"}
# Operations on every number by itself that no layer is known for: their tensors' axes lie alike.
_ELEMENTWISE = frozenset(
    (
        *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Ceil", "Floor", "Round", "Sign", "Mod"),
        *("And", "Or", "Not", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN"),
        *("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Cos", "Cosh", "Sin", "Sinh", "Tan", "Shrink"),
        *("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "CastLike", "CumSum", "Hardmax"),
    )
)
_FREE = {
    "Flatten": "Flatten",
    "Reshape": "Reshape",
    "Squeeze": "Squeeze",
    "Unsqueeze": "ExpandDims",
    "Expand": "BroadcastTo",
}


def read_onnx(path: Path, shapes: Mapping[str, Shape]) -> Network:
    """Return the network of an ONNX file. Its weights' values and files of external data are not read.

    Args:
        path: the file.
        shapes: of inputs that the file leaves open, see `perfcast.formats.inputs.parse_input_shapes`.

    Raises:
        UsageError: `shapes` do not fit the file's inputs, or leave a size open.
        SourceError: the file is not an ONNX model, is damaged, or does what is not read; one line without the path.
    """
    model = load(path)
    graph = model.graph
    versions = {entry.domain: entry.version for entry in model.opset_import} | {"": opset(model)}
    walk = Walk(versions | dict.fromkeys(STANDARD_DOMAINS, opset(model)))
    ports = _ports(graph, shapes)
    walk.values |= {port.name: port for port in ports}
    walk.add_graph(graph)
    operations = [_input_layer(port) for port in ports] + [_operation(node) for node in walk.nodes]
    returned = names_of_outputs([(port.name, port.name) for port in graph.output], walk.values)
    turns = {node.outputs[0].name: _turn(node) for node in walk.nodes if node.op == "Transpose"}
    operations, returned = with_channels_last(_needed(operations, returned), turns, returned)
    return Network(tuple(port.name for port in ports), returned, group(operations, returned))


def _ports(graph: onnx.GraphProto, shapes: Mapping[str, Shape]) -> list[Value]:
    """Return the tensors that a network is given."""
    constants = {tensor.name for tensor in graph.initializer}
    ports = [port for port in graph.input if port.name not in constants]
    if not ports:
        raise SourceError("the network has no inputs")
    declared = {escape_control(port.name): _declared(port) for port in ports}
    if len(declared) < len(ports):
        raise SourceError("two of its inputs have the same name")
    settled = inputs.resolve_shapes(declared, shapes)
    found = []
    for port in ports:
        element_type = port.type.tensor_type.elem_type
        dtype = numpy_name(port.name, element_type)
        if dtype == _STRINGS:
            raise SourceError(
                f"its input {escape_control(port.name)[:80]!r} takes strings; only numeric inputs are supported"
            )
        found.append(Value(port.name, settled[escape_control(port.name)], dtype, element_type=element_type))
    return found


def _declared(port: onnx.ValueInfoProto) -> tuple[int | None, ...] | None:
    if not port.type.HasField("tensor_type"):
        raise SourceError(f"its input {port.name[:80]!r} is not a tensor")
    if not port.type.tensor_type.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.dim_value > 0 else None for dim in port.type.tensor_type.shape.dim)


def _moves(node: Node) -> bool:
    """Tell whether a transposition has anything to move: axes of one element have no order."""
    shape = node.needed(0).shape
    long = [axis for axis in _permutation(node) if shape[axis] > 1]
    return long != sorted(long)


def _permutation(node: Node) -> tuple[int, ...]:
    rank = len(node.needed(0).shape)
    axes = node.sizes("perm") or tuple(range(rank))[::-1]
    if sorted(axes) != list(range(rank)):
        raise SourceError(f"{node}: its axes are not a permutation")
    return axes


def _turn(node: Node) -> Shape:
    """Return which axis each axis of a transposition's result was, without the batch; empty where that moves."""
    turn = _permutation(node)
    batched = node.needed(0).shape[:1] == (1,)
    if batched and turn[:1] != (0,):
        return ()
    return tuple(axis - 1 for axis in turn[1:]) if batched else turn


def _input_layer(port: Value) -> Operation:
    return Operation(
        escape_control(port.name), "InputLayer", (), (Tensor(port.name, per_sample(port.shape), port.dtype),)
    )


def _operation(node: Node) -> Operation:
    """Return the operation that a node is.

    Raises:
        SourceError: it contradicts what it reads, which not all of ONNX's own checks find.
    """
    try:
        return _ruled(node)
    except (IndexError, OverflowError, TypeError, ValueError, ZeroDivisionError) as error:
        raise SourceError(f"{node}: its attributes do not fit its inputs") from error


def _ruled(node: Node) -> Operation:
    if node.op in _RULES:
        return _named_by_weights(_RULES[node.op](node))
    if node.op == "Transpose":
        return node.operation("Permute" if _moves(node) else "Reshape", layout="free")
    if node.op in _ALIKE:
        return node.operation(_ALIKE[node.op])
    if node.op in _FREE:
        return node.operation(_FREE[node.op], layout="free")
    if node.op in _ELEMENTWISE:
        return node.operation(node.op)
    return node.operation(node.op, layout="free")


def _named_by_weights(operation: Operation) -> Operation:
    """Give a convolution the name that it had before tf2onnx merged what follows it, which its weights keep."""
    first = next((weight.name for weight in operation.weights), "")
    if operation.filters is None or not first.endswith(_MERGED):
        return operation
    return replace(operation, name=escape_control(first.removesuffix(_MERGED)))


def _needed(operations: Iterable[Operation], returned: Iterable[str]) -> list[Operation]:
    """Return the input layers and what the network's results depend on, without outputs that nothing reads."""
    wanted, kept = set(returned), []
    for operation in reversed(list(operations)):
        read = tuple(tensor for tensor in operation.outputs if tensor.name in wanted)
        if operation.type == "InputLayer":
            kept.append(operation)
        elif read:
            wanted.update(operation.inputs)
            kept.append(replace(operation, outputs=read))
    return kept[::-1]
