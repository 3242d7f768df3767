"""Functions of TensorFlow that no operation of Keras does alike, and sizes that are computed while a model runs."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Symbol, tensors_of
from perfcast.formats.keras_json.document import Constant, flattened
from perfcast.formats.keras_json.rules.moves import RULES as MOVES
from perfcast.formats.keras_json.rules.operations import RULES as OPERATIONS
from perfcast.formats.keras_json.settings import MOST, Settings, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.call import Call

# Arguments that hold tensors, which a text spells out where they are constant.
_TENSORS = (
    "a", "b", "bias", "clip_value_max", "clip_value_min", "condition", "filter", "filters", "indices", "params",
    "tensor", "value", "x", "y",
)  # fmt: skip
# Arguments that hold sizes, which may be computed of other tensors' shapes.
_SIZES = (
    "begin", "depth", "dims", "k", "limit", "multiples", "num_or_size_splits", "paddings", "repeats", "shape", "size",
    "start",
)  # fmt: skip
_SHORT = "NHWC NWC NDHWC"
_COMPUTED: dict[str, Callable[[int, int], int]] = {
    "Add": operator.add,
    "FloorDivide": operator.floordiv,
    "Maximum": max,
    "Minimum": min,
    "Mod": operator.mod,
    "Multiply": operator.mul,
    "Subtract": operator.sub,
}


def spelled_out(call: Call) -> Call:
    """Return a call with its constant tensors as such, and with the sizes that are known."""
    options = {key: _tensor(item) if key in _TENSORS else item for key, item in call.options.items()}
    if isinstance(options.get("values"), list):
        options["values"] = [_tensor(item) for item in options["values"]]
    options |= {key: numbers_of(options[key]) for key in _SIZES if key in options}
    return replace(call, options=options, inputs=tensors_of([list(call.arguments), options]))


def _tensor(value: Any) -> Any:
    leaves = flattened(value)
    whole = isinstance(value, list) and leaves and all(isinstance(leaf, int | float) for leaf in leaves)
    return Constant(value) if whole else value


def numbers_of(value: Any) -> Any:
    """Return sizes with the numbers that stand for tensors and constants; what is not known stays."""
    if isinstance(value, list):
        return [numbers_of(item) for item in value]
    known = value.values if isinstance(value, Symbol | Constant) else None
    return value if known is None else known


def computed(kind: str, call: Call) -> Any:
    """Return what an operation makes of known numbers, None where it is not known."""
    operands = [numbers_of(item) for item in flattened([list(call.arguments), call.options])]
    if kind in ("Cast", "Copy"):
        return numbers_of(operands[0]) if isinstance(operands[0], int | list) else None
    if kind == "Stack":
        listed = operands[: len(call.inputs)]
        return listed if all(type(item) is int for item in listed) else None
    numbers = [item for item in operands if item is not None]
    if kind not in _COMPUTED or len(numbers) != 2 or not all(type(item) is int for item in numbers):
        return None
    if numbers[1] == 0 and kind in ("FloorDivide", "Mod"):
        return None
    found = _COMPUTED[kind](numbers[0], numbers[1])
    return found if abs(found) <= MOST else None


def picked_values(values: Any, keys: Any) -> Any:
    """Return `tensor[keys]` of a tensor whose numbers are known, None where they are not."""
    key = keys[0] if isinstance(keys, list) and len(keys) == 1 else keys
    return values[key] if isinstance(values, list) and isinstance(key, int | slice) else None


def _shape(call: Call) -> Outcome:
    return Outcome(((len(call.shape),),), dtype="int32", kind="Shape", values=list(call.shape))


def _filled(call: Call) -> Outcome:
    """Return the outcome of `zeros`, `ones` and `fill`, whose argument is a shape."""
    told = numbers_of(call.argument("dims" if "fill" in call.settings.word("function", "") else "shape", 0))
    sizes = whole_numbers(told if isinstance(told, list) else [told], 0)
    if sizes is None:
        call.refuse("does not give the shape that it fills")
    return Outcome((sizes,), kind="Full")


def _range(call: Call) -> Outcome:
    told = [numbers_of(call.argument(key, at)) for at, key in enumerate(("start", "limit", "delta"))]
    numbers = [item for item in told if type(item) is int]
    if not numbers or any(type(item) is not int and item is not None for item in told) or abs(max(numbers)) > MOST:
        call.refuse("does not give its limit")
    return Outcome(((len(range(*numbers)),),), dtype="int32", kind="Arange")


def _gather(call: Call) -> Outcome:
    params, indices = call.argument("params", 0), call.argument("indices", 1)
    if not isinstance(params, Symbol | Constant):
        call.refuse("does not give what it gathers from")
    picked = indices.shape if isinstance(indices, Symbol | Constant) else ()
    batch, rank = call.argument("batch_dims", None, 0), len(params.shape)
    axis = call.argument("axis", None, batch)
    if whole_numbers([axis, batch], -rank) is None or not max(axis, batch) < rank:
        call.refuse("gathers along an axis that is not there")
    axis, batch = axis % rank, batch % max(len(picked), 1)
    shape = (*params.shape[:axis], *picked[batch:], *params.shape[axis + 1 :])
    return Outcome((shape,), dtype=call.inputs[0].dtype, kind="Take")


def _windowed(kind: str, window: str) -> Callable[[Call], Outcome]:
    """Return the rule of a pooling or a convolution, whose sizes may count the batch and the channels too."""

    def rule(call: Call) -> Outcome:
        told = call.options.get("data_format")
        first = isinstance(told, str) and told not in _SHORT.split()
        spatial = slice(2, None) if first else slice(1, -1)

        def cut(value: Any) -> Any:
            if isinstance(value, list) and len(value) == len(call.shape):
                return value[spatial]
            return value[0] if isinstance(value, list) and len(value) == 1 else value

        values = {
            "data_format": "channels_first" if first else "channels_last",
            "strides": cut(call.options.get("strides", call.options.get("stride"))),
            "dilation_rate": cut(call.options.get("dilations")),
            "padding": call.options.get("padding"),
        }
        options = {}
        if window == "ksize":
            values["pool_size"] = cut(call.argument("ksize", 1))
        else:
            options["kernel"] = call.options.get("filters", call.options.get("filter"))
        inner = replace(call, kind=kind, settings=Settings(call.settings.layer, kind, values), options=options)
        return replace(OPERATIONS[kind](inner), kind=kind)

    return rule


FUNCTIONS: dict[str, Callable[[Call], Outcome]] = {
    "shape": _shape,
    "zeros": _filled,
    "ones": _filled,
    "fill": _filled,
    "range": _range,
    "gather": _gather,
    "batch_flatten": lambda call: replace(MOVES["Flatten"](call), kind="Flatten"),
    **{f"avg_pool{rank}": _windowed("AveragePool", "ksize") for rank in ("", "1d", "2d", "3d")},
    **{f"max_pool{rank}": _windowed("MaxPool", "ksize") for rank in ("", "1d", "2d", "3d")},
    **{f"conv{rank}d": _windowed("Conv", "filters") for rank in (1, 2, 3)},
    "depthwise_conv2d": _windowed("DepthwiseConv", "filters"),
}
"""Rules by the last part of a function's name."""
