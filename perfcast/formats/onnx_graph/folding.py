"""Compute small constants of an ONNX graph, such as the shapes that PyTorch's exports put together.

ONNX's reference evaluator computes them. It has no limits of its own, so what it is given is chosen here: operations
that take no more memory than what they read and return, and of which the result is known to be small beforehand.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

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
