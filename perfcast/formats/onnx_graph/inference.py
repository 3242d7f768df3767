"""Shapes of what one ONNX node returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.onnx_graph.initializers import checked_shape, numpy_name
from perfcast.formats.onnx_graph.loading import first_line
from perfcast.formats.onnx_graph.nodes import Value, described

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

# ONNX does not infer their outputs; the first output is like the first input.
_LIKE_FIRST = frozenset(
    (
        "Attention",
        "BiasGelu",
        "FastGelu",
        "Gelu",
        "GroupNormalization",
        "MeanVarianceNormalization",
        "MultiHeadAttention",
        "QuickGelu",
        "SimplifiedLayerNormalization",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
    )
)


def infer(
    node: onnx.NodeProto, inputs: Sequence[Value | None], versions: Mapping[str, int], declared: Mapping[str, Value]
) -> dict[str, Value]:
    """Return what a node returns by the outputs' names, without what cannot be inferred.

    Args:
        node: its inputs may be named otherwise than `inputs`.
        inputs: what it reads, None where an optional input is left out.
        versions: of the sets of operations by domain.
        declared: what the file itself says of its tensors' shapes.

    Raises:
        SourceError: the node contradicts what it reads.
    """
    found = _by_schema(node, inputs, versions)
    first = inputs[0] if inputs else None
    wanted = [name for name in node.output if name]
    if wanted and wanted[0] not in found and node.op_type in _LIKE_FIRST and first is not None:
        found[wanted[0]] = Value(wanted[0], first.shape, first.element_type, first.dtype)
    return {name: found.get(name, declared.get(name)) for name in wanted if name in found or name in declared}  # type: ignore[misc]


def _by_schema(node: onnx.NodeProto, inputs: Sequence[Value | None], versions: Mapping[str, int]) -> dict[str, Value]:
    import onnx

    version = versions.get(node.domain)
    if version is None or not onnx.defs.has(node.op_type, version, node.domain):
        return {}
    schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    placed = onnx.NodeProto()
    placed.CopyFrom(node)
    del placed.input[:]
    placed.input.extend("" if value is None else f"input_{i}" for i, value in enumerate(inputs))
    read = {f"input_{i}": value for i, value in enumerate(inputs) if value is not None}
    types = {name: _type_of(value) for name, value in read.items()}
    data = {
        name: onnx.numpy_helper.from_array(value.data, name) for name, value in read.items() if value.data is not None
    }
    imports = [onnx.helper.make_opsetid(domain, number) for domain, number in versions.items()]
    # Errors of C++ are of several classes that share none but Exception.
    try:
        outputs = onnx.shape_inference.infer_node_outputs(schema, placed, types, data, opset_imports=imports)
    except Exception as error:
        raise SourceError(f"{described(node.name, node.op_type)}: {first_line(error)}") from error
    values = (_value_of(name, proto) for name, proto in outputs.items())
    return {value.name: value for value in values if value is not None}


def _type_of(value: Value) -> onnx.TypeProto:
    from onnx import helper

    return helper.make_tensor_type_proto(value.element_type, value.shape)


def _value_of(name: str, proto: onnx.TypeProto) -> Value | None:
    """Return a tensor with its type; None where it is not a tensor, or a size stays open."""
    if not proto.tensor_type.elem_type or not proto.tensor_type.HasField("shape"):
        return None
    dims = proto.tensor_type.shape.dim
    if not all(dim.HasField("dim_value") for dim in dims):
        return None
    shape = checked_shape(name, (dim.dim_value for dim in dims))
    element_type = proto.tensor_type.elem_type
    return Value(name, shape, element_type, numpy_name(name, element_type))


def declared_values(graph: onnx.GraphProto) -> dict[str, Value]:
    """Return what a graph says of its tensors where it leaves no size open."""
    found = {}
    for port in (*graph.value_info, *graph.output):
        if all(dim.dim_value > 0 for dim in port.type.tensor_type.shape.dim):
            value = _value_of(port.name, port.type)
            if value is not None:
                found[port.name] = value
    return found
