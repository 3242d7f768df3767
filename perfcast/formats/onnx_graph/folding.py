"""Compute small constants of an ONNX graph, such as the shapes that PyTorch's exports put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Arrays = Sequence[np.ndarray | None]
    Attributes = Mapping[str, Any]
    Rule = Callable[[Arrays, Attributes], np.ndarray]

OF_DATA_SHAPES = frozenset(("NonZero", "Shape", "Size"))
"""Operations of which the result's shape follows from elements; others are computed only where it is known small."""

_FAILURES = (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError, KeyError, MemoryError)


def fold(op: str, inputs: Arrays, attributes: Attributes) -> np.ndarray | None:
    """Return what an operation gives of constants, None where that is not known to this module.

    Args:
        op: ONNX's word for the operation.
        inputs: the constants, None where an optional one is left out.
        attributes: by name, as Python values.
    """
    rule = _RULES.get(op)
    if rule is None:
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(rule(inputs, attributes))
    except _FAILURES:
        # What is wrong with it shows where its result is needed.
        return None


def _given(inputs: Arrays, position: int = 0) -> np.ndarray:
    value = inputs[position]
    if value is None:
        raise ValueError(position)
    return value


def _numbers(inputs: Arrays, position: int, attributes: Attributes, name: str) -> list[int] | None:
    """Return whole numbers that older opsets have as an attribute and newer ones as an input."""
    if position < len(inputs) and inputs[position] is not None:
        return [int(number) for number in _given(inputs, position).reshape(-1)]
    return list(attributes[name]) if name in attributes else None


def _elementwise(function: Callable[..., Any]) -> Rule:
    return lambda inputs, _: function(*(_given(inputs, position) for position in range(len(inputs))))


def _many(function: Callable[[Any, Any], Any]) -> Rule:
    def rule(inputs: Arrays, _: Attributes) -> np.ndarray:
        result = _given(inputs)
        for position in range(1, len(inputs)):
            result = function(result, _given(inputs, position))
        return result

    return rule


def _divide(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if not np.issubdtype(left.dtype, np.integer):
        return left / right
    # ONNX divides whole numbers towards zero, NumPy downwards.
    if not right.all():
        raise ZeroDivisionError
    return (np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right))).astype(left.dtype)


def _modulo(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    function = np.fmod if attributes.get("fmod", 0) else np.mod
    return function(_given(inputs), _given(inputs, 1))


def _power(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.power(left.astype(np.float64), right.astype(np.float64)).astype(left.dtype)


def _cast(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    from onnx import helper

    return _given(inputs).astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))


def _gather(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    return np.take(_given(inputs), _given(inputs, 1), axis=attributes.get("axis", 0), mode="raise")


def _concat(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    return np.concatenate([_given(inputs, position) for position in range(len(inputs))], axis=attributes["axis"])


def _squeeze(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    axes = _numbers(inputs, 1, attributes, "axes")
    return np.squeeze(_given(inputs), axis=None if axes is None else tuple(axes))


def _unsqueeze(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    return np.expand_dims(_given(inputs), tuple(_numbers(inputs, 1, attributes, "axes") or ()))


def _slice(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    data = _given(inputs)
    starts, ends = _numbers(inputs, 1, attributes, "starts") or [], _numbers(inputs, 2, attributes, "ends") or []
    axes = _numbers(inputs, 3, attributes, "axes") or list(range(len(starts)))
    steps = _numbers(inputs, 4, attributes, "steps") or [1] * len(starts)
    cuts = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # Going down, an end far below zero means past the first element.
        cuts[axis] = slice(start, None if step < 0 and end < -data.shape[axis] else end, step)
    return data[tuple(cuts)]


def _reshape(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    data, wanted = _given(inputs), _numbers(inputs, 1, attributes, "shape") or []
    copied = not attributes.get("allowzero", 0)
    return data.reshape([data.shape[i] if copied and size == 0 else size for i, size in enumerate(wanted)])


def _expand(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    data, wanted = _given(inputs), _numbers(inputs, 1, attributes, "shape") or []
    return np.broadcast_to(data, np.broadcast_shapes(data.shape, tuple(wanted))).copy()


def _filled(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    from onnx import numpy_helper

    value = numpy_helper.to_array(attributes["value"]) if "value" in attributes else np.zeros(1, np.float32)
    return np.full(tuple(_numbers(inputs, 0, attributes, "") or ()), value.reshape(-1)[0])


def _range(inputs: Arrays, _: Attributes) -> np.ndarray:
    start, limit, step = (_given(inputs, position).reshape(-1)[0] for position in range(3))
    return np.arange(start, limit, step, dtype=start.dtype)


def _transpose(inputs: Arrays, attributes: Attributes) -> np.ndarray:
    return np.transpose(_given(inputs), attributes.get("perm"))


def _reduce(function: Callable[..., Any]) -> Rule:
    def rule(inputs: Arrays, attributes: Attributes) -> np.ndarray:
        data, axes = _given(inputs), _numbers(inputs, 1, attributes, "axes")
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return data
        keep = bool(attributes.get("keepdims", 1))
        return np.asarray(function(data, axis=tuple(axes) if axes else None, keepdims=keep)).astype(data.dtype)

    return rule


_RULES: dict[str, Rule] = {
    "Abs": _elementwise(np.abs),
    "Add": _elementwise(np.add),
    "And": _elementwise(np.logical_and),
    "Cast": _cast,
    "Ceil": _elementwise(np.ceil),
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Div": _elementwise(_divide),
    "Equal": _elementwise(np.equal),
    "Expand": _expand,
    "Floor": _elementwise(np.floor),
    "Gather": _gather,
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Mod": _modulo,
    "Mul": _elementwise(np.multiply),
    "Neg": _elementwise(np.negative),
    "NonZero": lambda inputs, _: np.array(np.nonzero(_given(inputs)), dtype=np.int64),
    "Not": _elementwise(np.logical_not),
    "Or": _elementwise(np.logical_or),
    "Pow": _elementwise(_power),
    "Range": _range,
    "Reciprocal": _elementwise(np.reciprocal),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Round": _elementwise(np.round),
    "Slice": _slice,
    "Sqrt": _elementwise(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _elementwise(np.subtract),
    "Tile": lambda inputs, attributes: np.tile(_given(inputs), _numbers(inputs, 1, attributes, "") or []),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _elementwise(np.where),
    "Xor": _elementwise(np.logical_xor),
}
