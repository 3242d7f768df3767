"""What one ONNX node returns: shapes, and small constants such as the shapes that PyTorch's exports put together.

ONNX's reference evaluator computes constants. It has no limits of its own, so what it is given is chosen here:
operations that take no more memory than what they read and return, of which the result is known to be small.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from perfcast.errors import SourceError
from perfcast.formats.nodes import described
from perfcast.formats.onnx_graph.loading import first_line
from perfcast.formats.onnx_graph.nodes import Value, checked_shape, numpy_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import onnx

# ONNX does not infer their outputs; the first output is like the first input.
_LIKE_FIRST = frozenset(
    (
        *("Attention", "BiasGelu", "FastGelu", "Gelu", "GroupNormalization", "MeanVarianceNormalization"),
        *("MultiHeadAttention", "QuickGelu", "SimplifiedLayerNormalization", "SkipLayerNormalization"),
        "SkipSimplifiedLayerNormalization",
    )
)

OF_DATA_SHAPES = frozenset(("NonZero", "Shape", "Size"))
"""Operations of which the result's shape follows from elements; others are computed only where it is known small."""

_COMPUTED = frozenset(
    (
        *("Abs", "Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Floor"),
        *("Gather", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "NonZero"),
        *("Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "Reshape"),
        *("Round", "Slice", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where", "Xor"),
    )
)
_RESULT = "result"


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
        found[wanted[0]] = replace(first, name=wanted[0], weights=None, data=None)
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
    return Value(name, shape, numpy_name(name, element_type), element_type=element_type)


def declared_values(graph: onnx.GraphProto) -> dict[str, Value]:
    """Return what a graph says of its tensors where it leaves no size open."""
    found = {}
    for port in (*graph.value_info, *graph.output):
        if all(dim.dim_value > 0 for dim in port.type.tensor_type.shape.dim):
            value = _value_of(port.name, port.type)
            if value is not None:
                found[port.name] = value
    return found


def fold(node: onnx.NodeProto, inputs: Sequence[np.ndarray | None], version: int) -> np.ndarray | None:
    """Return what a node gives of constants, None where it is not computed.

    Args:
        node: of ONNX's own operations; its inputs may be named otherwise than `inputs`.
        inputs: the constants, None where an optional one is left out.
        version: the opset.
    """
    if node.op_type not in _COMPUTED or _divides_by_zero(node, inputs):
        return None
    import onnx
    from onnx.reference import ReferenceEvaluator

    read = {f"input_{position}": value for position, value in enumerate(inputs) if value is not None}
    names = ["" if value is None else f"input_{position}" for position, value in enumerate(inputs)]
    placed = onnx.NodeProto(op_type=node.op_type, input=names, output=[_RESULT], attribute=node.attribute)
    ports = [onnx.ValueInfoProto(name=name) for name in (*read, _RESULT)]
    graph = onnx.GraphProto(name="node", node=[placed], input=ports[:-1], output=ports[-1:])
    # What is wrong with it shows where its result is needed.
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        (result,) = ReferenceEvaluator(graph, opsets={"": version}).run(None, read)
        # Strings come back as NumPy's own, which are no type of ONNX.
        return np.asarray(result) if np.asarray(result).dtype.kind not in "OSU" else None
    return None


def _divides_by_zero(node: onnx.NodeProto, inputs: Sequence[np.ndarray | None]) -> bool:
    # Of whole numbers the evaluator gives 0, which would pass for a size.
    divisor = inputs[-1] if node.op_type in ("Div", "Mod") else None
    return divisor is not None and divisor.dtype.kind in "iu" and not divisor.all()
