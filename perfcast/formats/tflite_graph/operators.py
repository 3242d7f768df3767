"""Operators of TensorFlow Lite as operations of `perfcast.formats.grouping`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats import nodes
from perfcast.network.macs import convolution_macs, product_macs, recurrent_macs
from perfcast.network.network import axes_per_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perfcast.formats.operations import Operation
    from perfcast.network.network import Shape

    Rule = Callable[["Operator"], Operation]

_LEARNED_TYPES = frozenset(("float16", "float32", "float64", "bfloat16", "int4", "int8", "uint8", "int16"))


@dataclass(frozen=True)
class Value(nodes.Value):
    """A tensor that an operator reads or returns; quantised ones may be learned too."""

    @property
    def is_learned(self) -> bool:
        """Whether it is a constant that counts as weights, unless the operator that reads it decides otherwise."""
        return self.constant and self.dtype in _LEARNED_TYPES and self.elements > 1


@dataclass(frozen=True)
class Operator(nodes.Node[Value]):
    """An operator with what it reads and returns; `op` is the schema's word, as are the names of its attributes."""

    word = "operator"

    def option(self, name: str, default: Any) -> Any:
        """Return an option; `default` where the file does not say it."""
        return self.attributes.get(name, default)

    def sizes(self, *names: str) -> tuple[int, ...]:
        """Return options that are sizes, such as strides."""
        return tuple(int(self.option(name, 1)) for name in names)


def _checked_rank(operator: Operator, *ranked: tuple[int, int]) -> None:
    for position, rank in ranked:
        if len(operator.needed(position).shape) != rank:
            raise SourceError(f"{operator}: its input {position} must have {rank} axes")
    if not operator.outputs or not operator.outputs[0].shape:
        raise SourceError(f"{operator}: returns no tensor with axes")


def _positions(value: Value) -> Shape:
    return value.shape[:-1]


def _convolved(
    operator: Operator, type: str, kernel: Sequence[int], counted: Value, learned: Sequence[int], **fields: Any
) -> Operation:
    """Return a convolution whose whole kernel is used at each position of `counted`."""
    axes = "DHW"[-len(kernel) :]
    return operator.operation(
        type,
        weights=operator.learned(learned),
        kernel=tuple(kernel),
        strides=operator.sizes(*(f"Stride{axis}" for axis in axes)),
        dilation=operator.sizes(*(f"Dilation{axis}Factor" for axis in axes)),
        macs=convolution_macs(_positions(counted), operator.needed(1).shape),
        layout="channels_last",
        **fields,
    )


def _convolution(operator: Operator) -> Operation:
    _checked_rank(operator, (0, 4), (1, 4))
    filters, *kernel, channels = operator.needed(1).shape
    groups = max(1, operator.needed(0).shape[-1] // max(1, channels))
    return _convolved(operator, "Conv2D", kernel, operator.outputs[0], (1, 2), groups=groups, filters=filters)


def _depthwise(operator: Operator) -> Operation:
    _checked_rank(operator, (0, 4), (1, 4))
    _, *kernel, filters = operator.needed(1).shape
    bias = operator.input(2)
    # Every operator has a bias. Where there was none, as within a separable convolution, it is all zeros.
    learned = (1,) if bias is not None and bias.data is not None and not bias.data.any() else (1, 2)
    groups = operator.needed(0).shape[-1]
    return _convolved(operator, "DepthwiseConv2D", kernel, operator.outputs[0], learned, groups=groups, filters=filters)


def _transposed(operator: Operator) -> Operation:
    _checked_rank(operator, (1, 4), (2, 4))
    filters, *kernel, _ = operator.needed(1).shape
    return _convolved(operator, "Conv2DTranspose", kernel, operator.needed(2), (1, 3), groups=1, filters=filters)


def _volume(operator: Operator) -> Operation:
    transposed = operator.op == "CONV_3D_TRANSPOSE"
    read = 2 if transposed else 0
    _checked_rank(operator, (read, 5), (1, 5))
    *kernel, first, last = operator.needed(1).shape
    if transposed:
        fields, counted, learned = {"groups": 1, "filters": first}, operator.needed(read), (1, 3)
    else:
        groups = max(1, operator.needed(read).shape[-1] // max(1, first))
        fields, counted, learned = {"groups": groups, "filters": last}, operator.outputs[0], (1, 2)
    return _convolved(operator, f"Conv3D{'Transpose' * transposed}", kernel, counted, learned, **fields)


def _dense(operator: Operator) -> Operation:
    _checked_rank(operator, (1, 2))
    matrix = operator.needed(1)
    units, width = matrix.shape
    macs = product_macs(operator.outputs[0].shape, width)
    if matrix.weights is None:
        return operator.operation("Matmul", macs=macs, layout="free")
    return operator.operation("Dense", weights=operator.learned((1, 2)), units=units, macs=macs, layout="free")


def _product(operator: Operator) -> Operation:
    first, second = operator.needed(0), operator.needed(1)
    if min(len(first.shape), len(second.shape)) < 2 or not operator.outputs:
        raise SourceError(f"{operator}: multiplies tensors that are not matrices")
    macs = product_macs(operator.outputs[0].shape, first.shape[-2 if operator.option("AdjX", False) else -1])
    if second.weights is not None and len(second.shape) == 2:
        units = operator.outputs[0].shape[-1]
        return operator.operation("Dense", weights=operator.learned((1,)), units=units, macs=macs, layout="free")
    constant = first.weights is not None or second.weights is not None
    return operator.operation("EinsumDense" if constant else "Matmul", macs=macs, layout="free")


def _recurrent(type: str) -> Rule:
    """Return the rule of a recurrent operator: each of its matrices is multiplied once a step."""

    def rule(operator: Operator) -> Operation:
        constants = [value for value in operator.inputs if value is not None and value.weights is not None]
        matrices = sum(math.prod(value.shape) for value in constants if len(value.shape) == 2)
        macs = recurrent_macs(math.prod(_positions(operator.needed(0))), matrices)
        return operator.operation(type, macs=macs, layout="free")

    return rule


def _pooling(kind: str) -> Rule:
    return lambda operator: operator.operation(
        f"{kind}Pooling2D",
        kernel=operator.sizes("FilterHeight", "FilterWidth"),
        strides=operator.sizes("StrideH", "StrideW"),
        layout="channels_last",
    )


def _elementwise(type: str, *numbers: float) -> Rule:
    return lambda operator: operator.elementwise(type, *numbers)


def _leaky(operator: Operator) -> Operation:
    return operator.operation("LeakyReLU", operands=(operator.needed(0).name, float(operator.option("Alpha", 0.0))))


def _reduction(type: str) -> Rule:
    def rule(operator: Operator) -> Operation:
        shape, axes = operator.needed(0).shape, operator.needed(1)
        known = map(int, axes.data.reshape(-1).tolist()) if axes.data is not None else range(len(shape))
        return operator.operation(type, weights=(), axes=axes_per_sample(shape, known if shape else ()))

    return rule


def _padding(operator: Operator) -> Operation:
    axes = len(operator.needed(0).shape) - 2
    return operator.operation(f"ZeroPadding{axes}D" if 1 <= axes <= 3 else "Pad", weights=())


def _lookup(table: int) -> Rule:
    def rule(operator: Operator) -> Operation:
        if operator.needed(table).is_learned:
            return operator.operation("Embedding", weights=operator.learned((table,)), layout="free")
        return operator.operation("Take", weights=(), layout="free")

    return rule


def _parting(operator: Operator) -> Operation:
    known = operator.needed(1).data
    block = None if known is None else tuple(int(size) for size in known.reshape(-1))
    return operator.operation("SpaceToBatchND", weights=(), dilation=block, layout="free")


def _plain(type: str, **fields: Any) -> Rule:
    return lambda operator: operator.operation(type, **fields)


def operation_of(operator: Operator) -> Operation:
    """Return the operation that an operator is; one of its own name where nothing more is known of it.

    Raises:
        SourceError: it reads other shapes than such an operator can.
    """
    rule = _RULES.get(operator.op)
    if rule is not None:
        try:
            return rule(operator)
        except (IndexError, OverflowError, TypeError, ValueError, ZeroDivisionError) as error:
            raise SourceError(f"{operator}: its options do not fit its inputs") from error
    words = operator.op.split("_")
    own = "".join(word.capitalize() for word in words) if operator.op.isupper() else operator.op
    return operator.operation(own, layout="free")


_ELEMENTWISE = {
    **{name.upper(): name for name in "Abs Add Exp Log Maximum Minimum Rsqrt Sqrt Square Tanh".split()},  # noqa: SIM905
    "ADD_N": "Add",
    "DIV": "Divide",
    "GELU": "GELU",
    "HARD_SWISH": "HardSwish",
    "LOGISTIC": "Sigmoid",
    "MUL": "Multiply",
    "NEG": "Negative",
    "POW": "Power",
    "RELU": "ReLU",
    "RELU6": "ReLU6",
    "SQUARED_DIFFERENCE": "SquaredDifference",
    "SUB": "Subtract",
}
# Without weights: their constants are shapes and axes.
_MOVING = {
    "BATCH_TO_SPACE_ND": "BatchToSpaceND",
    "BROADCAST_TO": "BroadcastTo",
    "EXPAND_DIMS": "ExpandDims",
    "RESHAPE": "Reshape",
    "SQUEEZE": "Squeeze",
    "TRANSPOSE": "Permute",
}
_ALIKE = {
    "RESIZE_BILINEAR": "UpSampling2D",
    "RESIZE_NEAREST_NEIGHBOR": "UpSampling2D",
    "SLICE": "GetItem",
    "SPLIT": "Split",
    "SPLIT_V": "Split",
    "STRIDED_SLICE": "GetItem",
}
_PLAIN = {
    "CAST": "Cast",
    "CONCATENATION": "Concatenate",
    "L2_NORMALIZATION": "UnitNormalization",
    "PRELU": "PReLU",
    "SOFTMAX": "Softmax",
}
_REDUCTIONS = {"MEAN": "Mean", "REDUCE_MAX": "Max", "REDUCE_MIN": "Min", "SUM": "Sum"}
_RECURRENT = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": "BidirectionalLSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN": "BidirectionalSimpleRNN",
    "LSTM": "LSTM",
    "RNN": "SimpleRNN",
    "SVDF": "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "SimpleRNN",
}

_RULES: dict[str, Rule] = {
    **{code: _elementwise(type) for code, type in _ELEMENTWISE.items()},
    **{code: _plain(type, weights=(), layout="free") for code, type in _MOVING.items()},
    **{code: _plain(type, weights=()) for code, type in _ALIKE.items()},
    **{code: _plain(type) for code, type in _PLAIN.items()},
    **{code: _reduction(type) for code, type in _REDUCTIONS.items()},
    **{code: _recurrent(type) for code, type in _RECURRENT.items()},
    **dict.fromkeys(("CONV_3D", "CONV_3D_TRANSPOSE"), _volume),
    **dict.fromkeys(("PAD", "PADV2"), _padding),
    "AVERAGE_POOL_2D": _pooling("Average"),
    "BATCH_MATMUL": _product,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "ELU": _elementwise("ELU", 1.0),
    "EMBEDDING_LOOKUP": _lookup(1),
    "FULLY_CONNECTED": _dense,
    "GATHER": _lookup(0),
    "L2_POOL_2D": _pooling("Lp"),
    "LEAKY_RELU": _leaky,
    "LOG_SOFTMAX": _plain("Activation", activation="log_softmax"),
    "MAX_POOL_2D": _pooling("Max"),
    "RELU_0_TO_1": _elementwise("Clip", 0.0, 1.0),
    "RELU_N1_TO_1": _elementwise("Clip", -1.0, 1.0),
    "SPACE_TO_BATCH_ND": _parting,
    "TRANSPOSE_CONV": _transposed,
}
