"""Operators of TensorFlow Lite as operations of `perfcast.formats.grouping`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.grouping import Operation
from perfcast.network.macs import convolution_macs, product_macs, recurrent_macs
from perfcast.network.network import Tensor, Weight, axes_per_sample, per_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from perfcast.formats.grouping import Operand
    from perfcast.network.network import Shape

    Rule = Callable[["Operator"], Operation]

_LEARNED_TYPES = frozenset(("float16", "float32", "float64", "bfloat16", "int4", "int8", "uint8", "int16"))


@dataclass(frozen=True)
class Value:
    """A tensor that an operator reads or returns.

    Attributes:
        name: unique in the graph.
        shape: whole, the batch included.
        dtype: as NumPy names it.
        weights: of a constant, what of the file's stored tensors it is computed from; None for all others.
        data: of a constant, its elements where they are few and known.
    """

    name: str
    shape: Shape
    dtype: str
    weights: tuple[Weight, ...] | None = None
    data: np.ndarray | None = None

    @property
    def is_learned(self) -> bool:
        """Whether it is a constant that counts as weights where nothing else is said."""
        return self.weights is not None and self.dtype in _LEARNED_TYPES and math.prod(self.shape) > 1

    @property
    def tensor(self) -> Tensor:
        """The tensor as networks have it, per sample."""
        return Tensor(self.name, per_sample(self.shape), self.dtype)


@dataclass(frozen=True)
class Operator:
    """An operator with what it reads and returns.

    Attributes:
        name: for messages and layers.
        code: what it does, as the schema calls it.
        inputs: what it reads, None where an optional input is left out.
        outputs: what it returns.
        options: by the schema's names.
    """

    name: str
    code: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    options: Mapping[str, Any]

    def needed(self, position: int) -> Value:
        """Return what it reads at a position.

        Raises:
            SourceError: nothing.
        """
        value = self.inputs[position] if position < len(self.inputs) else None
        if value is None:
            raise SourceError(f"{self}: its input {position} is missing")
        return value

    def option(self, name: str, default: Any) -> Any:
        """Return an option; `default` where the file does not say it."""
        return self.options.get(name, default)

    def sizes(self, *names: str) -> tuple[int, ...]:
        """Return options that are sizes, such as strides."""
        return tuple(int(self.option(name, 1)) for name in names)

    def learned(self, positions: Iterable[int]) -> tuple[Weight, ...]:
        """Return the weights behind the constants that it reads at these positions."""
        read = (self.inputs[position] for position in positions if position < len(self.inputs))
        found = (weight for value in read if value is not None for weight in value.weights or ())
        return tuple({weight.name: weight for weight in found}.values())

    def operation(self, type: str, weights: tuple[Weight, ...] | None = None, **fields: Any) -> Operation:
        """Return the operation that it is.

        Args:
            type: the operation's type.
            weights: what it learned; by default all constants of more than one element of a type for weights.
            fields: further attributes of `Operation`.
        """
        if weights is None:
            weights = self.learned(i for i, value in enumerate(self.inputs) if value is not None and value.is_learned)
        return Operation(
            name=self.name,
            type=type,
            inputs=tuple(value.name for value in self.inputs if value is not None and value.weights is None),
            outputs=tuple(value.tensor for value in self.outputs),
            weights=weights,
            **fields,
        )

    def __str__(self) -> str:
        return f"operator {self.name[:120]!r} ({self.code})"


def _checked_rank(operator: Operator, *ranked: tuple[int, int]) -> None:
    for position, rank in ranked:
        if len(operator.needed(position).shape) != rank:
            raise SourceError(f"{operator}: its input {position} must have {rank} axes")
    if not operator.outputs or not operator.outputs[0].shape:
        raise SourceError(f"{operator}: returns no tensor with axes")


def _convolution(operator: Operator) -> Operation:
    _checked_rank(operator, (0, 4), (1, 4))
    filters, *kernel, channels = operator.needed(1).shape
    return operator.operation(
        "Conv2D",
        weights=operator.learned((1, 2)),
        kernel=tuple(kernel),
        strides=operator.sizes("StrideH", "StrideW"),
        dilation=operator.sizes("DilationHFactor", "DilationWFactor"),
        groups=max(1, operator.needed(0).shape[-1] // max(1, channels)),
        filters=filters,
        macs=convolution_macs(_positions(operator.outputs[0]), operator.needed(1).shape),
        layout="channels_last",
    )


def _positions(value: Value) -> Shape:
    return value.shape[:-1]


def _depthwise(operator: Operator) -> Operation:
    _checked_rank(operator, (0, 4), (1, 4))
    _, *kernel, filters = operator.needed(1).shape
    bias = operator.inputs[2] if len(operator.inputs) > 2 else None
    # Every operator has a bias. Where there was none, as within a separable convolution, it is all zeros.
    absent = bias is not None and bias.data is not None and not bias.data.any()
    return operator.operation(
        "DepthwiseConv2D",
        weights=operator.learned((1,) if absent else (1, 2)),
        kernel=tuple(kernel),
        strides=operator.sizes("StrideH", "StrideW"),
        dilation=operator.sizes("DilationHFactor", "DilationWFactor"),
        groups=operator.needed(0).shape[-1],
        filters=filters,
        macs=convolution_macs(_positions(operator.outputs[0]), operator.needed(1).shape),
        layout="channels_last",
    )


def _transposed(operator: Operator) -> Operation:
    _checked_rank(operator, (1, 4), (2, 4))
    filters, *kernel, _ = operator.needed(1).shape
    return operator.operation(
        "Conv2DTranspose",
        weights=operator.learned((1, 3)),
        kernel=tuple(kernel),
        strides=operator.sizes("StrideH", "StrideW"),
        dilation=(1, 1),
        groups=1,
        filters=filters,
        macs=convolution_macs(_positions(operator.needed(2)), operator.needed(1).shape),
        layout="channels_last",
    )


def _volume(operator: Operator) -> Operation:
    transposed = operator.code == "CONV_3D_TRANSPOSE"
    read = 2 if transposed else 0
    _checked_rank(operator, (read, 5), (1, 5))
    *kernel, first, last = operator.needed(1).shape
    counted = operator.needed(read) if transposed else operator.outputs[0]
    channels = operator.needed(read).shape[-1]
    return operator.operation(
        "Conv3DTranspose" if transposed else "Conv3D",
        weights=operator.learned((1, read + 1 if transposed else 2)),
        kernel=tuple(kernel),
        strides=operator.sizes("StrideD", "StrideH", "StrideW"),
        dilation=operator.sizes("DilationDFactor", "DilationHFactor", "DilationWFactor"),
        groups=1 if transposed else max(1, channels // max(1, first)),
        filters=first if transposed else last,
        macs=convolution_macs(_positions(counted), operator.needed(1).shape),
        layout="channels_last",
    )


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
    """Return the rule of an operator that works on elements; `numbers` are what it does not read but implies."""

    def rule(operator: Operator) -> Operation:
        values = [value for value in operator.inputs if value is not None]
        return operator.operation(type, operands=(*map(_operand, values), *numbers))

    return rule


def _operand(value: Value) -> Operand:
    if value.weights is None:
        return value.name
    if value.data is not None and value.data.size == 1:
        return float(value.data.reshape(-1)[0])
    return value.weights[0].name if value.weights else value.name


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
    rule = _RULES.get(operator.code)
    if rule is not None:
        try:
            return rule(operator)
        except (IndexError, OverflowError, TypeError, ValueError, ZeroDivisionError) as error:
            raise SourceError(f"{operator}: its options do not fit its inputs") from error
    words = operator.code.split("_")
    own = "".join(word.capitalize() for word in words) if operator.code.isupper() else operator.code
    return operator.operation(own, layout="free")


_RULES: dict[str, Rule] = {
    "ABS": _elementwise("Abs"),
    "ADD": _elementwise("Add"),
    "ADD_N": _elementwise("Add"),
    "AVERAGE_POOL_2D": _pooling("Average"),
    "BATCH_MATMUL": _product,
    "BATCH_TO_SPACE_ND": _plain("BatchToSpaceND", weights=(), layout="free"),
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent("BidirectionalLSTM"),
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent("BidirectionalSimpleRNN"),
    "BROADCAST_TO": _plain("BroadcastTo", weights=(), layout="free"),
    "CAST": _plain("Cast"),
    "CONCATENATION": _plain("Concatenate"),
    "CONV_2D": _convolution,
    "CONV_3D": _volume,
    "CONV_3D_TRANSPOSE": _volume,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DIV": _elementwise("Divide"),
    "ELU": _elementwise("ELU", 1.0),
    "EMBEDDING_LOOKUP": _lookup(1),
    "EXP": _elementwise("Exp"),
    "EXPAND_DIMS": _plain("ExpandDims", weights=(), layout="free"),
    "FULLY_CONNECTED": _dense,
    "GATHER": _lookup(0),
    "GELU": _elementwise("GELU"),
    "HARD_SWISH": _elementwise("HardSwish"),
    "L2_NORMALIZATION": _plain("UnitNormalization"),
    "L2_POOL_2D": _pooling("Lp"),
    "LEAKY_RELU": _leaky,
    "LOG": _elementwise("Log"),
    "LOGISTIC": _elementwise("Sigmoid"),
    "LOG_SOFTMAX": _plain("Activation", activation="log_softmax"),
    "LSTM": _recurrent("LSTM"),
    "MAXIMUM": _elementwise("Maximum"),
    "MAX_POOL_2D": _pooling("Max"),
    "MEAN": _reduction("Mean"),
    "MINIMUM": _elementwise("Minimum"),
    "MUL": _elementwise("Multiply"),
    "NEG": _elementwise("Negative"),
    "PAD": _padding,
    "PADV2": _padding,
    "POW": _elementwise("Power"),
    "PRELU": _plain("PReLU"),
    "REDUCE_MAX": _reduction("Max"),
    "REDUCE_MIN": _reduction("Min"),
    "RELU": _elementwise("ReLU"),
    "RELU6": _elementwise("ReLU6"),
    "RELU_0_TO_1": _elementwise("Clip", 0.0, 1.0),
    "RELU_N1_TO_1": _elementwise("Clip", -1.0, 1.0),
    "RESHAPE": _plain("Reshape", weights=(), layout="free"),
    "RESIZE_BILINEAR": _plain("UpSampling2D", weights=()),
    "RESIZE_NEAREST_NEIGHBOR": _plain("UpSampling2D", weights=()),
    "RNN": _recurrent("SimpleRNN"),
    "RSQRT": _elementwise("Rsqrt"),
    "SLICE": _plain("GetItem", weights=()),
    "SOFTMAX": _plain("Softmax"),
    "SPACE_TO_BATCH_ND": _parting,
    "SPLIT": _plain("Split", weights=()),
    "SPLIT_V": _plain("Split", weights=()),
    "SQRT": _elementwise("Sqrt"),
    "SQUARE": _elementwise("Square"),
    "SQUARED_DIFFERENCE": _elementwise("SquaredDifference"),
    "SQUEEZE": _plain("Squeeze", weights=(), layout="free"),
    "STRIDED_SLICE": _plain("GetItem", weights=()),
    "SUB": _elementwise("Subtract"),
    "SUM": _reduction("Sum"),
    "SVDF": _recurrent("SVDF"),
    "TANH": _elementwise("Tanh"),
    "TRANSPOSE": _plain("Permute", weights=(), layout="free"),
    "TRANSPOSE_CONV": _transposed,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent("LSTM"),
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent("SimpleRNN"),
}
