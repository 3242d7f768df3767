"""Functions of TensorFlow that tf.keras kept as layers: `TFOpLambda`, `SlicingOpLambda` and `TensorFlowOpLayer`."""

from __future__ import annotations

import json
import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.call import Outcome, Symbol, tensors_of
from perfcast.formats.keras_json.document import Constant, flattened
from perfcast.formats.keras_json.rules.moves import RULES as MOVES
from perfcast.formats.keras_json.rules.moves import picked
from perfcast.formats.keras_json.rules.operations import RULES as OPERATIONS
from perfcast.formats.keras_json.settings import MAX_SIZE, Settings, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.call import Call

# The operation of Keras 3 that does the same as a function of TensorFlow, by the last part of its name in lower case
# without underscores.
_SAME_NAMES = (
    "Add Argmax Argmin BroadcastTo Cast Ceil Clip Concatenate Cos Cumsum DepthToSpace Divide Einsum Elu Equal Erf "
    "Erfc Exp ExpandDims Floor Gelu Greater GreaterEqual HardSigmoid LeakyRelu Less LessEqual Log Log1p LogSoftmax "
    "LogicalAnd LogicalNot LogicalOr Matmul Max Maximum Mean Min Minimum Mod Moments Multiply Negative Norm NotEqual "
    "OneHot OnesLike Pad Prod RGBToGrayscale Reciprocal Relu Relu6 Repeat Reshape Resize Roll Round Rsqrt Selu "
    "Sigmoid Sign Silu Sin Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Square Squeeze Stack StopGradient "
    "Subtract Sum Tanh Tensordot Tile TopK Transpose Unstack Where ZerosLike"
)
_OTHER_NAMES = {
    "Absolute": "abs",
    "Add": "addv2 addn biasadd",
    "Matmul": "batchmatmulv2",
    "Clip": "clipbyvalue",
    "Concatenate": "concat concatv2",
    "Divide": "div realdiv",
    "FloorDivide": "floordiv",
    "Flip": "flipleftright flipupdown reverse",
    "HardSilu": "hardswish",
    "Copy": "identity",
    "Normalize": "l2normalize",
    "Max": "reducemax",
    "Mean": "reducemean",
    "Min": "reducemin",
    "Multiply": "mul",
    "Negative": "neg",
    "Stack": "pack",
    "Power": "pow",
    "Transpose": "permutedimensions",
    "Prod": "reduceprod",
    "All": "reduceall",
    "Any": "reduceany",
    "Logsumexp": "reducelogsumexp",
    "Std": "reducestd",
    "Sum": "reducesum",
    "Var": "reducevariance",
    "Resize": "resizebicubic resizebilinear resizenearestneighbor",
    "Subtract": "squareddifference sub",
    "Silu": "swish",
    "TrueDivide": "truediv",
}
_OPERATIONS = {name.lower(): name for name in _SAME_NAMES.split()} | {
    name: kind for kind, names in _OTHER_NAMES.items() for name in names.split()
}

# What TensorFlow calls arguments that Keras' operations call otherwise.
_ARGUMENTS = {
    "Reshape": {"shape": "newshape"},
    "Split": {"num_or_size_splits": "indices_or_sections"},
    "Slice": {"begin": "start_indices", "size": "shape"},
    "Transpose": {"perm": "axes", "pattern": "axes"},
    "Tile": {"multiples": "repeats"},
    "Pad": {"paddings": "pad_width"},
    "OneHot": {"depth": "num_classes"},
    "Einsum": {"equation": "subscripts"},
}
# What a node has in a constant and Keras' operations have as an argument.
_TOLD = {
    "BroadcastTo": "shape",
    "Concatenate": "axis",
    "ExpandDims": "axis",
    "Max": "axis",
    "Mean": "axis",
    "Min": "axis",
    "Pad": "pad_width",
    "Prod": "axis",
    "Reshape": "newshape",
    "Resize": "size",
    "Sum": "axis",
    "Tile": "repeats",
    "Transpose": "axes",
}
_ATTRIBUTES = {"keep_dims": "keepdims", "squeeze_dims": "axis", "block_size": "block_size", "axis": "axis"}

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


def _function(call: Call) -> Outcome:
    name, call = call.settings.word("function", ""), spelled_out(call)
    last = name.rpartition(".")[2].lower()
    if last in FUNCTIONS:
        return FUNCTIONS[last](call)
    kind = _OPERATIONS.get(last.replace("_", ""), "")
    if kind not in OPERATIONS:
        raise SourceError(f"layer {call.settings.layer!r} is tf.{name[:80]}, whose output shape is not known")
    renamed = _ARGUMENTS.get(kind, {})
    options = {renamed.get(key, key): value for key, value in call.options.items() if value is not None}
    options.pop("name", None)
    if kind in ("Argmax", "Argmin"):
        options.setdefault("axis", 0)
    return replace(_delegated(call, kind, options), values=computed(kind, replace(call, options=options)))


def _delegated(call: Call, kind: str, options: dict[str, Any]) -> Outcome:
    if kind == "Split" and isinstance(options.get("indices_or_sections"), list):
        options["indices_or_sections"] = _ends(options["indices_or_sections"])
    transposed = [key for key in ("transpose_a", "transpose_b", "adj_x", "adj_y") if options.pop(key, False) is True]
    values = {key: value for key, value in options.items() if not isinstance(value, Symbol | Constant)}
    inner = replace(
        call,
        kind=kind,
        settings=Settings(call.settings.layer, kind, values | {"dtype": values.get("dtype", "float32")}),
        options=options,
        inputs=tensors_of([list(call.arguments), options]),
    )
    if kind == "Matmul" and transposed:
        inner = _with_transposed(inner, transposed)
    return replace(OPERATIONS[kind](inner), kind="Identity" if kind == "Copy" else kind)


def _ends(sizes: list[Any]) -> list[Any]:
    """Return where parts of these sizes end, but the last one; TensorFlow gives sizes, Keras ends."""
    return [sum(sizes[: index + 1]) for index in range(len(sizes) - 1)]


def _with_transposed(call: Call, keys: list[str]) -> Call:
    symbols = list(call.inputs)
    for key in keys:
        at = 0 if key in ("transpose_a", "adj_x") else 1
        shape = symbols[at].shape
        symbols[at] = replace(symbols[at], shape=(*shape[:-2], shape[-1], shape[-2]))
    return replace(call, arguments=tuple(symbols), options={}, inputs=tuple(symbols))


def _slicing(call: Call) -> Outcome:
    keys = call.argument("slice_spec", 1)
    shape = picked(call, call.shape, keys if isinstance(keys, list) else [keys])
    values = picked_values(call.inputs[0].values, keys)
    return Outcome((shape,), dtype=call.inputs[0].dtype, kind="GetItem", values=values)


def _node(call: Call) -> Outcome:
    """Return the outcome of a node of a graph, whose definition stands in the text; its constants come separately."""
    definition = call.settings.get("node_def")
    if isinstance(definition, str):
        try:
            definition = json.loads(definition)
        except ValueError:
            call.settings.refuse("node_def")
    name = definition.get("op") if isinstance(definition, dict) else None
    kind = _OPERATIONS.get(str(name).lower(), "")
    if kind not in OPERATIONS:
        raise SourceError(f"layer {call.settings.layer!r} is the node {str(name)[:80]!r}, whose shape is not known")
    options = dict(_attributes(definition.get("attr")))
    constants = call.settings.get("constants", {})
    if not isinstance(constants, dict):
        call.settings.refuse("constants")
    ordered = [value for _, value in sorted(constants.items())]
    if kind in _TOLD and ordered:
        value = ordered[0]
        if _TOLD[kind] == "axis" and isinstance(value, list) and len(value) == 1:
            value = value[0]
        return _delegated(call, kind, options | {_TOLD[kind]: value})
    options |= {f"constant{index}": Constant(value) for index, value in enumerate(ordered)}
    return _delegated(call, kind, options)


def _attributes(attributes: Any) -> list[tuple[str, Any]]:
    """Return the attributes of a node that change its shape, under the names that Keras' operations use."""
    found = []
    for name, value in attributes.items() if isinstance(attributes, dict) else ():
        if name not in _ATTRIBUTES or not isinstance(value, dict):
            continue
        if "b" in value:
            found.append((_ATTRIBUTES[name], value["b"]))
        elif str(value.get("i", "")).lstrip("-").isdigit():
            found.append((_ATTRIBUTES[name], int(str(value["i"])[:10])))
        elif isinstance(value.get("list"), dict) and value["list"].get("i"):
            found.append((_ATTRIBUTES[name], [int(str(item)[:10]) for item in value["list"]["i"]]))
    return found


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
    return found if abs(found) <= MAX_SIZE else None


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
    if not numbers or any(type(item) is not int and item is not None for item in told) or abs(max(numbers)) > MAX_SIZE:
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

RULES = {"SlicingOpLambda": _slicing, "TFOpLambda": _function, "TensorFlowOpLayer": _node}
"""Rules by class."""
