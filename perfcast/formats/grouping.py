"""From the operations of an op graph to layers as Keras would have them.

What readers must deliver, so that operations can be distinguished:

- One `Operation` (or plain `Layer`) an operation, in execution order, input layers (`InputLayer`) too. Its
  `name` is the file's path of it, scopes parted by `/`, as `block1/conv/Relu`.
- Constants, and what is computed from constants alone, are no operations: they are `weights` of the operation
  that reads them; several learned tensors behind one operand are several weights. Constants of one element that
  elementwise operations read are scalars (floats) in `operands` and no weights.
- `type` of convolutions, dense layers, poolings and all else that is a layer by itself: the Keras class
  (`Conv2D`, `DepthwiseConv2D`, `Conv2DTranspose`, `Dense`, `BatchNormalization`, `MaxPooling2D`, `ZeroPadding2D`,
  `Concatenate`, …), with `filters`, `units`, `macs` and so on. `activation` may stay None.
- `type` of elementwise operations: the keys of `activations.FUNCTIONS` (`Add`, `Subtract`, `Multiply`, `Divide`,
  `Maximum`, `Minimum`, `Power`, `SquaredDifference`, `Abs`, `Negative`, `Square`, `Sqrt`, `Rsqrt`, `Reciprocal`,
  `Exp`, `Log`, `Erf`, `Erfc`, `Clip`, `Tanh`, `Sigmoid`, `ReLU`, `ReLU6`, `LeakyReLU`, `ELU`, `SELU`, `Softplus`,
  `Softsign`, `GELU`, `Silu`, `Mish`, `HardSigmoid`, `HardSwish`), with `operands`: `Clip` reads (x, low, high),
  `LeakyReLU` and `ELU` (x, slope), `HardSigmoid` (x, factor, summand) or (x) where it is relu6(x + 3) / 6.
  An `Activation` with its name in `activation` is taken as it is. Softmax over an axis is `Softmax`.
- `type` of reductions: `Mean`, `Sum`, `Max`, with `axes`. A mean over all spatial axes may come as `Mean`.
- What only renames: `Identity` (also dropout at inference and gradient stops), `Reshape`, `Flatten`.
- A matrix product of a tensor of which the leading axes were reshaped into one comes as `Dense` between two
  `Reshape`; its tensors' shapes are then whole, as no axis is the batch.
- `layout` where the operation defines it (convolutions, poolings), `free` where shapes change freely, else `same`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfcast.formats.operations import Operand, Operation, OperationGraph, weights_of
from perfcast.formats.regions import merge_activations, merge_learned_slopes, merge_normalisations, merge_softmax
from perfcast.network.macs import rescaled_macs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from perfcast.network.network import Layer, Shape

__all__ = ["Operand", "Operation", "group"]

_RENAMING = frozenset(("Identity", "Reshape", "Flatten"))
_CHANGING_AXES = frozenset(("Reshape", "ExpandDims", "Squeeze"))
_MAX_SPATIAL_AXES = 3
_ALONG_ONE = {
    "Conv2D": "Conv1D",
    "Conv2DTranspose": "Conv1DTranspose",
    "DepthwiseConv2D": "DepthwiseConv1D",
    "SeparableConv2D": "SeparableConv1D",
    "MaxPooling2D": "MaxPooling1D",
    "AveragePooling2D": "AveragePooling1D",
}


def group(layers: Sequence[Layer], outputs: Collection[str]) -> tuple[Layer, ...]:
    """Return the layers that `layers`, one an operation, make up: see the module's text for what they hold.

    Bias additions and activations of the same scope join the convolution or dense layer before them, a
    depthwise convolution the pointwise one behind it; multiplication and addition by channel become a
    `BatchNormalization`; activations, softmax and normalisations that are spelt out in several operations
    become one layer; what only renames vanishes.

    Args:
        layers: in execution order.
        outputs: names of the network's output tensors, which stay.
    """
    graph = OperationGraph(layers, outputs)
    for step in _STEPS:
        step(graph)
    return graph.layers()


def _drop_renaming(graph: OperationGraph) -> None:
    for returned in [operation.returned.name for operation in graph if operation.outputs]:
        # As it is now: what it reads may have been renamed.
        operation = graph.producer(returned)
        if operation is None or operation.type not in _RENAMING or len(operation.inputs) != 1 or operation.weights:
            continue
        before = graph.tensor(operation.inputs[0])
        if before is not None and before.shape == operation.returned.shape:
            graph.vanish(operation)


def _channels(operation: Operation) -> int | None:
    return operation.filters or operation.units


def _join_biases(graph: OperationGraph) -> None:
    for before, operation in graph.chains(None, None):
        if _is_bias(operation, before):
            merged = replace(before, outputs=operation.outputs, weights=weights_of((before, operation)))
            graph.merge((before, operation), operation, merged)


def _join_biases_of_heads(graph: OperationGraph) -> None:
    """Let biases join dense layers of which the columns were shared out to heads before."""
    for dense, heads, operation in graph.chains(("Dense",), ("Reshape",), None):
        if _is_bias(operation, dense):
            merged = replace(dense, outputs=operation.outputs, weights=weights_of((dense, operation)))
            graph.merge((dense, heads, operation), operation, merged)


def _is_bias(operation: Operation, layer: Operation) -> bool:
    """Tell whether an operation adds a weight for each channel that a layer returns, and the layer has none yet."""
    channels = _channels(layer)
    biased = len(layer.weights) > 1 and any(weight.elements == channels for weight in layer.weights)
    return operation.type == "Add" and [weight.elements for weight in operation.weights] == [channels] and not biased


def _join_reshapes(graph: OperationGraph) -> None:
    """Make one dense layer of a reshape to a matrix, a matrix product and a reshape back."""
    for before, dense, operation in graph.chains(_RENAMING, ("Dense",), ("Reshape",)):
        source, returned = graph.tensor(before.inputs[0]), operation.returned.shape
        if source is None or len(returned) < 2 or not _keeps_rows(source.shape, returned, dense):
            continue
        merged = replace(dense, name=operation.name, inputs=before.inputs, operands=(), outputs=operation.outputs)
        graph.merge((before, dense, operation), operation, merged)


def _keeps_rows(read: Shape, returned: Shape, dense: Operation) -> bool:
    """Tell whether a reshape gives back the axes that a matrix has as rows; heads may share its columns."""
    rows = len(read) - 1
    return returned[:rows] == read[:rows] and math.prod(returned[rows:]) == dense.units


def _join_dilations(graph: OperationGraph) -> None:
    """Make a dilated convolution of one on the pieces that every other pixel was parted into."""
    for before, layer, operation in graph.chains(("SpaceToBatchND",), None, ("BatchToSpaceND",)):
        if not layer.filters:
            continue
        macs = rescaled_macs(layer.macs, layer.returned.shape, operation.returned.shape)
        dilated = replace(layer, inputs=before.inputs, outputs=operation.outputs, dilation=before.dilation, macs=macs)
        graph.merge((before, layer, operation), operation, dilated)


def _join_added_axes(graph: OperationGraph) -> None:
    """Make a layer along one axis of one along two of which one was added before, and taken away after it."""
    for before, layer, operation in graph.chains(_CHANGING_AXES, _ALONG_ONE, _CHANGING_AXES):
        source = graph.tensor(before.inputs[0])
        if source is None:
            continue
        # Where the batch holds pieces of a sample, it is an axis too.
        pieces = len(source.shape) - 2
        sizes = before.returned.shape[pieces:]
        spatial = sizes[1:] if layer.layout == "channels_first" else sizes[:-1]
        pairs = list(zip(spatial, layer.kernel or (), strict=False))
        whole = pieces in (0, 1) and len(operation.returned.shape) == len(source.shape)
        if whole and len(pairs) == 2 and len(sizes) == 3 and (1, 1) in pairs:
            merged = _without_axis(layer, pairs.index((1, 1)))
            merged = replace(merged, inputs=before.inputs, operands=(), outputs=operation.outputs)
            graph.merge((before, layer, operation), operation, merged)


def _without_axis(layer: Operation, axis: int) -> Operation:
    def shorter(values: tuple[int, ...] | None) -> tuple[int, ...] | None:
        return None if values is None else values[:axis] + values[axis + 1 :]

    return replace(
        layer,
        type=_ALONG_ONE[layer.type],
        kernel=shorter(layer.kernel),
        strides=shorter(layer.strides),
        dilation=shorter(layer.dilation),
    )


def _join_causal_paddings(graph: OperationGraph) -> None:
    """Make one layer of a convolution along one axis and a padding in its own scope, as causal ones have."""
    for before, operation in graph.chains(("ZeroPadding1D",), ("Conv1D",)):
        if not before.weights and before.scope and before.scope == operation.scope:
            graph.merge((before, operation), operation, replace(operation, inputs=before.inputs))


def _join_separable(graph: OperationGraph) -> None:
    for before, operation in graph.chains(("DepthwiseConv2D",), ("Conv2D",)):
        together = before.name.startswith(f"{operation.name}/") or (before.scope and before.scope == operation.scope)
        if together and set(operation.kernel or ()) == {1} and operation.groups == 1 and len(before.weights) == 1:
            merged = replace(
                operation,
                type="SeparableConv2D",
                inputs=before.inputs,
                weights=weights_of((before, operation)),
                kernel=before.kernel,
                strides=before.strides,
                dilation=before.dilation,
                groups=before.groups,
                macs=before.macs + operation.macs,
            )
            graph.merge((before, operation), operation, merged)


@dataclass(frozen=True)
class _Affine:
    """Steps that scale (`*`) or shift (`+`) by channel (`c`) or by a number (`1`), and the layer they are."""

    steps: tuple[str, ...]
    type: str
    needs_scope: bool


_AFFINE = (
    _Affine(("+c", "*c", "+c"), "BatchNormalization", needs_scope=True),
    _Affine(("*c", "+c"), "BatchNormalization", needs_scope=False),
    _Affine(("+c", "*c"), "Normalization", needs_scope=True),
    _Affine(("*c", "+1"), "Rescaling", needs_scope=True),
    _Affine(("*1", "+c"), "Rescaling", needs_scope=True),
    _Affine(("*1", "+1"), "Rescaling", needs_scope=True),
    _Affine(("*c",), "LayerScale", needs_scope=False),
    _Affine(("*1",), "Rescaling", needs_scope=False),
)
# Where constants scale or shift that were not learned, it is none of these.
_LEARNED = frozenset(("BatchNormalization", "LayerScale"))
_SIGNS = {"Add": "+", "Subtract": "+", "Multiply": "*", "Divide": "*"}


def _join_affine(graph: OperationGraph) -> None:
    """Name what scales and shifts; the last operation of a layer is met before the others."""
    gone: set[str] = set()
    for operation in reversed(list(graph)):
        if operation.returned.name in gone or not _affine_step(operation):
            continue
        for pattern in _AFFINE:
            found = _match(graph, operation, pattern)
            if found:
                gone |= {part.returned.name for part in found}
                kind = pattern.type if pattern.type not in _LEARNED or weights_of(found) else "Rescaling"
                first = found[0]
                merged = replace(operation, type=kind, inputs=first.inputs, operands=(), weights=weights_of(found))
                graph.merge(found, operation, merged)
                break


def _affine_step(operation: Operation) -> str:
    """Return `*c`, `+c`, `*1`, `+1`, empty where an operation is none of them."""
    sign = _SIGNS.get(operation.type, "")
    others = [operand for operand in operation.operands if operand not in operation.inputs]
    if not sign or len(operation.inputs) != 1 or len(others) != 1 or len(operation.operands) != 2:
        return ""
    if isinstance(others[0], float):
        return f"{sign}1"
    shape = operation.returned.shape
    ends = {shape[0], shape[-1]} if shape else set()
    return f"{sign}c" if all(weight.elements in {1, *ends} for weight in operation.weights) else ""


def _match(graph: OperationGraph, last: Operation, pattern: _Affine) -> list[Operation]:
    """Return the operations, the first one first, that a pattern ending in `last` is made of; none if it is not."""
    found = [last]
    while len(found) < len(pattern.steps):
        before = graph.only_before(found[0])
        if before is None:
            return []
        found.insert(0, before)
    if tuple(map(_affine_step, found)) != pattern.steps:
        return []
    together = len({part.scope for part in found}) == 1
    return found if together or not pattern.needs_scope else []


def _join_activations(graph: OperationGraph) -> None:
    for before, operation in graph.chains(None, ("Activation",)):
        if _channels(before) and before.activation in (None, "linear") and _in_scope_of(before, operation):
            merged = replace(before, outputs=operation.outputs, activation=operation.activation)
            graph.merge((before, operation), operation, merged)


def _join_scaled_sums(graph: OperationGraph) -> None:
    """Make one layer of a sum and the scaling, by one number, of what it adds, if one layer's scope holds both."""
    for operation in graph:
        if operation.type != "Add" or len(operation.inputs) != 2:
            continue
        for name in operation.inputs:
            scaled = graph.producer(name)
            if scaled is None or scaled.type != "Rescaling" or not graph.is_private(scaled, readers=1):
                continue
            if scaled.scope and scaled.scope == operation.scope:
                inputs = tuple(scaled.inputs[0] if read == name else read for read in operation.inputs)
                graph.merge((scaled, operation), operation, replace(operation, inputs=inputs, operands=()))
                break


def _in_scope_of(layer: Operation, activation: Operation) -> bool:
    """Tell whether an activation is in a layer's scope, or in one of its own in there: `dense/Gelu/mul_1`."""
    inside, own = activation.scope.removeprefix(layer.scope), activation.activation or ""
    within = activation.scope.startswith(layer.scope) and inside.lower().startswith(f"/{own}")
    return bool(layer.scope) and (activation.scope == layer.scope or within)


def _name_poolings(graph: OperationGraph) -> None:
    for operation in graph:
        kind = {"Mean": "Average", "Max": "Max"}.get(operation.type)
        source = graph.tensor(operation.inputs[0]) if kind and operation.inputs else None
        rank = len(source.shape) if source else 0
        if not 2 <= rank <= _MAX_SPATIAL_AXES + 1:
            continue
        name = f"Global{kind}Pooling{rank - 1}D"
        if set(operation.axes) == set(range(rank - 1)):
            graph.replace(operation, replace(operation, type=name, layout="channels_last"))
        elif rank > 2 and set(operation.axes) == set(range(1, rank)):
            graph.replace(operation, replace(operation, type=name, layout="channels_first"))


def _say_linear(graph: OperationGraph) -> None:
    for operation in graph:
        if _channels(operation) and operation.activation is None:
            graph.replace(operation, replace(operation, activation="linear"))


_STEPS = (
    _drop_renaming,
    merge_softmax,
    merge_normalisations,
    merge_learned_slopes,
    merge_activations,
    _join_added_axes,
    _join_dilations,
    _join_separable,
    _join_added_axes,
    _join_causal_paddings,
    _join_biases,
    _join_reshapes,
    _join_biases,
    _join_biases_of_heads,
    _join_affine,
    _join_scaled_sums,
    _join_activations,
    _name_poolings,
    _say_linear,
)
