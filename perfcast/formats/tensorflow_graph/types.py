"""TensorFlow's operations in the words of Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TYPES: Mapping[str, str] = {
    "Add": "Add",
    "AddV2": "Add",
    "AddN": "Add",
    "BiasAdd": "Add",
    "BiasAddV1": "Add",
    "Sub": "Subtract",
    "Mul": "Multiply",
    "RealDiv": "Divide",
    "Div": "Divide",
    "Maximum": "Maximum",
    "Minimum": "Minimum",
    "Pow": "Power",
    "SquaredDifference": "SquaredDifference",
    "Abs": "Abs",
    "Neg": "Negative",
    "Square": "Square",
    "Sqrt": "Sqrt",
    "Rsqrt": "Rsqrt",
    "Reciprocal": "Reciprocal",
    "Inv": "Reciprocal",
    "Exp": "Exp",
    "Log": "Log",
    "Erf": "Erf",
    "Erfc": "Erfc",
    "Tanh": "Tanh",
    "Sigmoid": "Sigmoid",
    "Relu": "ReLU",
    "Relu6": "ReLU6",
    "LeakyRelu": "LeakyReLU",
    "Elu": "ELU",
    "Selu": "SELU",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Softmax": "Softmax",
    "ClipByValue": "Clip",
    "Identity": "Identity",
    "IdentityN": "Identity",
    "Snapshot": "Identity",
    "StopGradient": "Identity",
    "PreventGradient": "Identity",
    "CheckNumerics": "Identity",
    "CheckNumericsV2": "Identity",
    "EnsureShape": "Identity",
    "PlaceholderWithDefault": "Identity",
    "Mean": "Mean",
    "Sum": "Sum",
    "Max": "Max",
    "ConcatV2": "Concatenate",
    "Concat": "Concatenate",
    "Pack": "Stack",
    "Unpack": "Unstack",
    "StridedSlice": "GetItem",
    "Slice": "GetItem",
    "SplitV": "Split",
    "BroadcastTo": "BroadcastTo",
    "Tile": "Tile",
    "LogSoftmax": "LogSoftmax",
    "ArgMax": "Argmax",
    "SelectV2": "Where",
}
"""The type of a layer, or of an operation that `perfcast.formats.grouping` knows, by that in a GraphDef."""

SAME_LAYOUT = frozenset(("Concatenate", "Softmax", "LogSoftmax", "Where", "Tile", "Cast"))
"""Types, besides the elementwise ones, of which all tensors have their channels in the same place."""
