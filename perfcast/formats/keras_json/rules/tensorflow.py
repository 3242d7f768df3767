"""Functions of TensorFlow that tf.keras kept as layers: `TFOpLambda`, `SlicingOpLambda` and `TensorFlowOpLayer`."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.call import Outcome, Symbol, tensors_of
from perfcast.formats.keras_json.document import Constant
from perfcast.formats.keras_json.rules.moves import picked
from perfcast.formats.keras_json.rules.operations import RULES as OPERATIONS
from perfcast.formats.keras_json.rules.tensorflow_functions import FUNCTIONS, computed, picked_values, spelled_out
from perfcast.formats.keras_json.settings import Settings

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call

# The operation of Keras 3 that does the same as a function of TensorFlow, by the last part of its name.
_SAME_NAMES = (
    "Add Cast Ceil Clip Concatenate Cos Equal Erf Exp Floor Greater GreaterEqual Less LessEqual Log Log1p LogicalAnd "
    "LogicalNot LogicalOr Maximum Minimum Mod Moments Multiply NotEqual Pad Relu Relu6 Repeat Reshape Round Rsqrt "
    "Sigmoid Sign Silu Sin Softmax Softplus Softsign Split Sqrt Square Squeeze Stack StopGradient Subtract Tanh "
    "Tile Transpose Unstack Where Elu Selu Gelu Einsum Argmax Argmin Cumsum Reciprocal Roll Slice Tensordot TopK"
)
_OTHER_NAMES = {
    "abs": "Absolute",
    "addv2": "Add",
    "add_v2": "Add",
    "addn": "Add",
    "add_n": "Add",
    "batchmatmulv2": "Matmul",
    "biasadd": "Add",
    "bias_add": "Add",
    "broadcast_to": "BroadcastTo",
    "clip_by_value": "Clip",
    "concat": "Concatenate",
    "concatv2": "Concatenate",
    "depth_to_space": "DepthToSpace",
    "depthtospace": "DepthToSpace",
    "div": "Divide",
    "divide": "Divide",
    "erfc": "Erfc",
    "expand_dims": "ExpandDims",
    "expanddims": "ExpandDims",
    "floordiv": "FloorDivide",
    "flip_left_right": "Flip",
    "flip_up_down": "Flip",
    "hard_sigmoid": "HardSigmoid",
    "hard_swish": "HardSilu",
    "identity": "Copy",
    "l2_normalize": "Normalize",
    "leaky_relu": "LeakyRelu",
    "leakyrelu": "LeakyRelu",
    "log_softmax": "LogSoftmax",
    "matmul": "Matmul",
    "max": "Max",
    "mean": "Mean",
    "min": "Min",
    "mul": "Multiply",
    "neg": "Negative",
    "norm": "Norm",
    "negative": "Negative",
    "one_hot": "OneHot",
    "pack": "Stack",
    "pow": "Power",
    "permute_dimensions": "Transpose",
    "prod": "Prod",
    "realdiv": "Divide",
    "reduce_all": "All",
    "reduce_any": "Any",
    "reduce_logsumexp": "Logsumexp",
    "reduce_max": "Max",
    "reduce_mean": "Mean",
    "reduce_min": "Min",
    "reduce_prod": "Prod",
    "reduce_std": "Std",
    "reduce_sum": "Sum",
    "reduce_variance": "Var",
    "resize": "Resize",
    "resize_bicubic": "Resize",
    "resize_bilinear": "Resize",
    "resize_nearest_neighbor": "Resize",
    "resizebicubic": "Resize",
    "resizebilinear": "Resize",
    "resizenearestneighbor": "Resize",
    "reverse": "Flip",
    "rgb_to_grayscale": "RGBToGrayscale",
    "space_to_depth": "SpaceToDepth",
    "spacetodepth": "SpaceToDepth",
    "squared_difference": "Subtract",
    "squareddifference": "Subtract",
    "sub": "Subtract",
    "sum": "Sum",
    "swish": "Silu",
    "truediv": "TrueDivide",
    "zeros_like": "ZerosLike",
    "ones_like": "OnesLike",
}
_OPERATIONS = {name.lower(): name for name in _SAME_NAMES.split()} | _OTHER_NAMES

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


def _function(call: Call) -> Outcome:
    name, call = call.settings.word("function", ""), spelled_out(call)
    last = name.rpartition(".")[2].lower()
    if last in FUNCTIONS:
        return FUNCTIONS[last](call)
    kind = _OPERATIONS.get(last) or _OPERATIONS.get(last.replace("_", ""), "")
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


RULES = {"SlicingOpLambda": _slicing, "TFOpLambda": _function, "TensorFlowOpLayer": _node}
"""Rules by class."""
