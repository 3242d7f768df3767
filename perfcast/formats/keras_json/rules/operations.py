"""Operations of Keras 3 that are no layers, by the classes of `keras.src.ops`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Call, Outcome, Symbol
from perfcast.formats.keras_json.document import Constant, flattened
from perfcast.formats.keras_json.rules import images, moves
from perfcast.formats.keras_json.rules.shapes import broadcast
from perfcast.formats.keras_json.settings import is_float, promoted
from perfcast.network.macs import attention_macs, contraction_macs, einsum_macs, matmul_macs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from perfcast.network.network import Shape

    Rule = Callable[[Call], Outcome]


def _type_of(call: Call) -> str:
    """Return the type of what is computed of all tensors, and of numbers with fractions, that a call reads."""
    dtypes = [symbol.dtype for symbol in call.inputs]
    fractions = any(isinstance(item, float) for item in flattened([list(call.arguments), call.options]))
    return "float32" if fractions and not any(map(is_float, dtypes)) else promoted(dtypes)


def _elementwise(call: Call) -> Outcome:
    return Outcome((broadcast(call, *(item.shape for item in call.operands())),), dtype=_type_of(call))


def _fractional(rule: Rule) -> Rule:
    """Return the rule of what gives numbers with fractions, whatever it reads."""

    def fractional(call: Call) -> Outcome:
        outcome = rule(call)
        return outcome if is_float(outcome.dtype or "") else replace(outcome, dtype="float32")

    return fractional


def _typed(rule: Rule, dtype: str) -> Rule:
    return lambda call: replace(rule(call), dtype=dtype)


def _where(call: Call) -> Outcome:
    condition = call.arguments[0] if call.arguments else call.options.get("condition")
    operands = [item for item in flattened([list(call.arguments), call.options]) if item is not condition]
    values = [item.dtype for item in operands if isinstance(item, Symbol | Constant)]
    fallback = "float32" if any(map(_is_fraction, operands)) else call.inputs[0].dtype
    return replace(_elementwise(call), dtype=promoted(values) if any(values) else fallback)


def _is_fraction(item: Any) -> bool:
    while isinstance(item, Constant):
        leaves = flattened(item.values)
        item = leaves[0] if leaves else 0
    return isinstance(item, float)


def _cast(call: Call) -> Outcome:
    return Outcome((call.shape,), dtype=call.settings.word("dtype", call.inputs[0].dtype))


def _reduction(call: Call) -> Outcome:
    """Return the outcome of what sums up, or the like, the axes that a call names, or all."""
    told, kept = call.argument("axis", 1), call.argument("keepdims", 2, False) is True
    rank = len(call.shape)
    listed = range(rank) if told is None else told if isinstance(told, list) else [told]
    axes = {axis % rank for axis in listed}
    if any(not -rank <= axis < rank for axis in listed):
        call.settings.refuse("axis")
    return Outcome((_left(call, axes, kept),), dtype=call.inputs[0].dtype)


def _left(call: Call, axes: Collection[int], kept: bool) -> Shape:
    return tuple(1 if axis in axes else size for axis, size in enumerate(call.shape) if kept or axis not in axes)


def _moments(call: Call) -> Outcome:
    axes, kept = call.settings.axes("axes", len(call.shape)), call.settings.flag("keepdims", False)
    return Outcome((_left(call, axes, kept),) * 2, dtype=call.inputs[0].dtype)


def _matmul(call: Call) -> Outcome:
    first, second = _two(call)
    if len(first) == 1 and len(second) == 1:
        return Outcome(((),), dtype=_type_of(call), macs=contraction_macs(first, second, 1))
    wide = (1, *first) if len(first) == 1 else first
    tall = (*second, 1) if len(second) == 1 else second
    if wide[-1] != tall[-2]:
        call.refuse(f"multiplies matrices that do not fit each other: {first} and {second}")
    rows = wide[-2:-1] if len(first) > 1 else ()
    columns = tall[-1:] if len(second) > 1 else ()
    shape = (*broadcast(call, wide[:-2], tall[:-2]), *rows, *columns)
    return Outcome((shape,), dtype=_type_of(call), macs=matmul_macs(first, second))


def _two(call: Call) -> tuple[Shape, Shape]:
    operands = call.operands()
    if len(operands) != 2 or not all(operand.shape for operand in operands):
        call.refuse("takes two tensors")
    return operands[0].shape, operands[1].shape


def _dot(call: Call) -> Outcome:
    first, second = _two(call)
    shape = (*first[:-1], *second[:-2], *second[-1:]) if len(second) > 1 else first[:-1]
    return Outcome((shape,), dtype=_type_of(call), macs=contraction_macs(first, second, 1))


def _tensordot(call: Call) -> Outcome:
    first, second = _two(call)
    told = call.settings.get("axes", 2)
    macs = contraction_macs(first, second, told)
    if isinstance(told, int):
        return Outcome(((*first[: len(first) - told], *second[told:]),), dtype=_type_of(call), macs=macs)
    kept: list[int] = []
    for shape, axes in zip((first, second), told, strict=True):
        gone = {axis % len(shape) for axis in (axes if isinstance(axes, list) else [axes])}
        kept += [size for axis, size in enumerate(shape) if axis not in gone]
    return Outcome((tuple(kept),), dtype=_type_of(call), macs=macs)


def _einsum(call: Call) -> Outcome:
    subscripts, operands = call.argument("subscripts", None), call.operands()
    read, arrow, result = str(subscripts).replace(" ", "").partition("->")
    if not arrow or len(read.split(",")) != len(operands):
        call.settings.refuse("subscripts")
    sizes: dict[str, int] = {}
    others: list[Shape] = []
    for labels, operand in zip(read.split(","), operands, strict=True):
        before, dots, after = labels.partition("...")
        if len(operand.shape) < len(before) + len(after) or (not dots and len(operand.shape) != len(before)):
            call.settings.refuse("subscripts")
        end = len(operand.shape) - len(after)
        sizes |= dict(zip(before, operand.shape, strict=False)) | dict(zip(after, operand.shape[end:], strict=True))
        others += [operand.shape[len(before) : end]] if dots else []
    head, dots, tail = result.partition("...")
    middle = broadcast(call, *others) if dots else ()
    shape = (*(sizes[label] for label in head), *middle, *(sizes[label] for label in tail))
    macs = einsum_macs(str(subscripts), [operand.shape for operand in operands])
    return Outcome((shape,), dtype=_type_of(call), macs=macs)


def _top(call: Call) -> Outcome:
    shape = (*call.shape[:-1], call.settings.whole("k", 1))
    return Outcome((shape, shape), dtype=call.inputs[0].dtype)


def _product_attention(call: Call) -> Outcome:
    found = [call.argument(name, position) for position, name in enumerate(("query", "key", "value"))]
    query, key, value = (item.shape if isinstance(item, Symbol | Constant) else call.shape for item in found)
    macs = attention_macs(math.prod(query[:-1]), key[1], (key[-1], value[-1]))
    return Outcome((query,), dtype=_type_of(call), macs=macs)


_SAME = (
    "Absolute Abs Ceil Clip Copy Conj Conjugate Cumprod Cumsum Fabs Flip Fliplr Flipud Floor HardShrink HardTanh "
    "NanToNum Negative OnesLike ZerosLike FullLike EmptyLike Real Relu Relu6 Roll Round Sign SoftShrink Sort "
    "Square StopGradient Threshold Tril Triu Trunc RGBToHSV HSVToRGB"
)
_FRACTIONAL = (
    "Arccos Arccosh Arcsin Arcsinh Arctan Arctanh BatchNorm Cbrt Celu Cos Cosh Deg2rad Elu Erf Erfc Erfinv Exp Exp2 "
    "Expm1 Gelu HardSigmoid HardSilu LayerNorm LeakyRelu Log Log10 Log1p Log2 LogSigmoid LogSoftmax Normalize "
    "RMSNorm Rad2deg Reciprocal Rsqrt Selu Sigmoid Silu Sin Sinc Sinh Softmax Softplus Softsign SparsePlus "
    "SparseSigmoid Sparsemax Sqrt Squareplus Tan TanhShrink Tanh"
)
_ELEMENTWISE = (
    "Add BitwiseAnd BitwiseOr BitwiseXor FloorDivide Fmax Fmin Fmod Gcd Lcm Maximum Minimum Mod Multiply Power Subtract"
)
_FRACTIONAL_ELEMENTWISE = "Arctan2 Divide DivideNoNan Heaviside Hypot Logaddexp Logaddexp2 Nextafter TrueDivide"
_COMPARISONS = (
    "Equal Greater GreaterEqual Isclose Isfinite Isinf Isnan Less LessEqual LogicalAnd LogicalNot LogicalOr "
    "LogicalXor NotEqual Signbit"
)
_MEANS = "Logsumexp Mean Median Nanmean Nanstd Nanvar Norm Std Var"

_REDUCTIONS = "Amax Amin Max Min Nanmax Nanmin Nanprod Nansum Prod Ptp Sum"
_COUNTS = "Argmax Argmin CountNonzero Nanargmax Nanargmin"

RULES: dict[str, Rule] = {
    **images.RULES,
    **moves.OPERATIONS,
    **dict.fromkeys(_SAME.split(), Call.same),
    **dict.fromkeys(_FRACTIONAL.split(), _fractional(lambda call: Outcome((call.shape,), dtype=_type_of(call)))),
    **dict.fromkeys(_ELEMENTWISE.split(), _elementwise),
    **dict.fromkeys(_FRACTIONAL_ELEMENTWISE.split(), _fractional(_elementwise)),
    **dict.fromkeys(_COMPARISONS.split(), _typed(_elementwise, "bool")),
    **dict.fromkeys(_REDUCTIONS.split(), _reduction),
    **dict.fromkeys(_MEANS.split(), _fractional(_reduction)),
    **dict.fromkeys(("All", "Any"), _typed(_reduction, "bool")),
    **dict.fromkeys(_COUNTS.split(), _typed(_reduction, "int32")),
    **dict.fromkeys(("Cast", "SaturateCast", "View"), _cast),
    "Argsort": _typed(Call.same, "int32"),
    "Dot": _dot,
    "DotProductAttention": _product_attention,
    "Einsum": _einsum,
    "Matmul": _matmul,
    "Moments": _moments,
    "Ravel": lambda call: Outcome(((math.prod(call.shape),),), dtype=call.inputs[0].dtype),
    "Tensordot": _tensordot,
    "TopK": _top,
    "Where": _where,
}
"""Rules by class."""
