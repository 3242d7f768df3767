"""What the descriptor says of TensorFlow's operations: kernels, products, poolings and the like."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.network.macs import convolution_macs, einsum_macs, label_sizes, product_macs
from perfcast.network.network import axes_per_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perfcast.formats.tensorflow_graph.node import Node
    from perfcast.network.network import Layout, Shape

    Fields = dict[str, Any]

_MAX_SPATIAL_AXES = 3
_TENSORDOT = re.compile(r"/(Tensordot(?:_\d+)?)/MatMul$")


def _layout(node: Node) -> Layout:
    return "channels_first" if node.channels_first() else "channels_last"


def _positions(node: Node, shape: Shape) -> Shape:
    """Return a shape without its channels; where pieces of a sample are in the batch, they count."""
    return (shape[0], *shape[2:]) if node.channels_first() else shape[:-1]


def _convolved(node: Node, type: str, kernel: Shape, counted: Shape, groups: int, filters: int) -> Fields:
    """Return a convolution whose whole kernel is used at each position of `counted`."""
    return {
        "type": type,
        "kernel": kernel,
        "strides": node.spatial(node.attribute("strides")),
        "dilation": node.spatial(node.attribute("dilations")),
        "groups": groups,
        "filters": filters,
        "macs": convolution_macs(_positions(node, counted), node.shape(1)),
        "layout": _layout(node),
    }


def _convolution(node: Node) -> Fields:
    *kernel, read, filters = node.shape(1)
    channels = node.shape(0)[1] if node.channels_first() else node.shape(0)[-1]
    return _convolved(node, f"Conv{len(kernel)}D", tuple(kernel), node.output(), channels // read, filters)


def _depthwise(node: Node) -> Fields:
    *kernel, channels, multiplier = node.shape(1)
    return _convolved(node, "DepthwiseConv2D", tuple(kernel), node.output(), channels, channels * multiplier)


def _transposed(node: Node) -> Fields:
    *kernel, filters, _ = node.shape(1)
    return _convolved(node, f"Conv{len(kernel)}DTranspose", tuple(kernel), node.shape(2), 1, filters)


def _product(first: str, second: str) -> Callable[[Node], Fields]:
    """Return the description of a matrix product; the arguments name the attributes that say what is transposed."""

    def fields(node: Node) -> Fields:
        left, right = node.shape(0), node.shape(1)
        summed = left[-2] if node.attribute(first) else left[-1]
        units = None
        if _is_weight(node, 1):
            units = right[-2] if node.attribute(second) else right[-1]
        elif _is_weight(node, 0):
            units = left[-1] if node.attribute(first) else left[-2]
        macs = product_macs(node.output(), summed)
        kind = "Dense" if units else "Matmul"
        # What Keras spells out as `dense/Tensordot/MatMul` is in the scope of `dense`.
        name = _TENSORDOT.sub(r"/\1", node.name)
        return {"name": name, "type": kind, "units": units, "macs": macs, "layout": "free"}

    return fields


def _is_weight(node: Node, index: int) -> bool:
    constant = node.constant(index)
    return constant is not None and bool(constant.weights)


def _einsum(node: Node) -> Fields:
    terms, _, result = node.attribute("equation").replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    shapes = [node.shape(index) for index, _ in enumerate(terms.split(","))]
    for labels, shape in zip(terms.split(","), shapes, strict=True):
        sizes |= label_sizes(labels, shape)
    learned = [labels for index, labels in enumerate(terms.split(",")) if _is_weight(node, index)]
    others = "".join(labels for index, labels in enumerate(terms.split(",")) if not _is_weight(node, index))
    own = [sizes[label] for label in sizes if learned and label in learned[0] and label in result]
    units = math.prod(own) if len(learned) == 1 and others else None
    return {
        "type": "Dense" if units else "Einsum",
        "units": units,
        "macs": einsum_macs(terms, shapes),
        "layout": "free",
    }


def _pooling(kind: str) -> Callable[[Node], Fields]:
    def fields(node: Node) -> Fields:
        kernel = node.spatial(node.attribute("ksize"))
        strides = node.spatial(node.attribute("strides"))
        name = f"{kind}Pooling{len(kernel)}D"
        return {"type": name, "kernel": kernel, "strides": strides, "layout": _layout(node)}

    return fields


def _batch_normalisation(node: Node) -> Fields:
    return {"type": "BatchNormalization", "layout": _layout(node)}


def _gathering(node: Node) -> Fields:
    return {"type": "Embedding" if _is_weight(node, 0) else "Take", "layout": "free"}


def _bias(node: Node) -> Fields:
    spatial = len(node.output()) > 2
    return {"layout": _layout(node) if spatial else "same"}


def _reduction(node: Node) -> Fields:
    shape = node.shape(0)
    return {"axes": axes_per_sample(shape, node.numbers(1) if shape else ()), "layout": "free"}


def _padding(node: Node) -> Fields:
    spatial = len(node.output()) - 2
    return {"type": f"ZeroPadding{spatial}D" if 1 <= spatial <= _MAX_SPATIAL_AXES else "Pad"}


def _resizing(node: Node) -> Fields:
    read, returned = node.shape(0)[1:3], node.output()[1:3]
    whole = all(new % old == 0 for old, new in zip(read, returned, strict=True))
    return {"type": "UpSampling2D" if whole else "Resizing", "layout": "channels_last"}


def _reshaping(node: Node) -> Fields:
    flat = len(node.shape(0)) > 2 and len(node.output()) == 2 and node.output()[0] == 1
    return {"type": "Flatten" if flat else "Reshape", "layout": "free"}


def _transposition(node: Node) -> Fields:
    order = node.numbers(1)
    return {"type": "Identity" if order == tuple(range(len(order))) else "Permute", "layout": "free"}


def _cast(node: Node) -> Fields:
    same = node.operation.inputs[0].dtype == node.operation.outputs[0].dtype
    return {"type": "Identity" if same else "Cast"}


GEOMETRY: Mapping[str, Callable[[Node], Fields]] = {
    **dict.fromkeys(("Conv2D", "Conv3D"), _convolution),
    "DepthwiseConv2dNative": _depthwise,
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), _transposed),
    "MatMul": _product("transpose_a", "transpose_b"),
    **dict.fromkeys(("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product("adj_x", "adj_y")),
    "Einsum": _einsum,
    **dict.fromkeys(("MaxPool", "MaxPool3D"), _pooling("Max")),
    **dict.fromkeys(("AvgPool", "AvgPool3D"), _pooling("Average")),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _batch_normalisation),
    "BiasAdd": _bias,
    **dict.fromkeys(("Mean", "Sum", "Max"), _reduction),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _padding),
    **dict.fromkeys(("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"), _resizing),
    **dict.fromkeys(("GatherV2", "Gather"), _gathering),
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), _reshaping),
    "Transpose": _transposition,
    "Cast": _cast,
    "SpaceToBatchND": lambda node: {"dilation": node.numbers(1)},
    "LeakyRelu": lambda node: {"operands": (node.operation.inputs[0].name, float(node.attribute("alpha")))},
}
"""What the operations that have a geometry add to a layer's fields."""


def geometry(node: Node) -> Fields:
    """Return what an operation adds to a layer's fields.

    Raises:
        SourceError: its shapes and attributes do not fit each other.
    """
    try:
        describe = GEOMETRY.get(node.operation.type)
        return {} if describe is None else describe(node)
    except (ArithmeticError, IndexError, KeyError, ValueError) as error:
        place = f"operation {node.name[:80]!r} ({node.operation.type})"
        raise SourceError(f"{place} has shapes or attributes that do not fit each other") from error
