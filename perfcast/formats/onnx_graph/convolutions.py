"""Convolutions, poolings and what else works on the pixels of images, in ONNX's order of axes: channels first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.onnx_graph.activations import keras_name
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.grouping import Operation
    from perfcast.formats.onnx_graph.nodes import Node, Value
    from perfcast.network.network import Layout, Shape

    Rule = Callable[[Node], Operation]


def _spatial(node: Node, value: Value) -> Shape:
    if len(value.shape) < 3:
        raise SourceError(f"{node}: has no spatial axes")
    return value.shape[2:]


def _layout(value: Value) -> Layout:
    # More samples than one are frames or windows, which no layer of Keras has in front of the channels.
    return "channels_first" if value.shape[0] == 1 else "free"


def _steps(node: Node, name: str, axes: int) -> tuple[int, ...]:
    return node.sizes(name) or (1,) * axes


def _convolution(node: Node) -> Operation:
    kernel = _spatial(node, node.needed(1))
    weights, read, returned = node.needed(1).shape, node.needed(0).shape, node.outputs[0].shape
    groups, axes = node.attribute("group", 1), len(kernel)
    depthwise = groups == read[1] > 1 and axes < 3
    return node.operation(
        f"DepthwiseConv{axes}D" if depthwise else f"Conv{axes}D",
        weights=node.learned((1, 2)),
        kernel=kernel,
        strides=_steps(node, "strides", axes),
        dilation=_steps(node, "dilations", axes),
        groups=groups,
        filters=weights[0],
        activation=keras_name(node.activation),
        macs=convolution_macs((returned[0], *returned[2:]), weights),
        layout=_layout(node.needed(0)),
    )


def _deformable(node: Node) -> Operation:
    kernel = _spatial(node, node.needed(1))
    weights, returned = node.needed(1).shape, node.outputs[0].shape
    return node.operation(
        f"Conv{len(kernel)}D",
        weights=node.learned((1, 3)),
        kernel=kernel,
        strides=_steps(node, "strides", len(kernel)),
        dilation=_steps(node, "dilations", len(kernel)),
        groups=node.attribute("group", 1),
        filters=weights[0],
        macs=convolution_macs((returned[0], *returned[2:]), weights),
        layout=_layout(node.needed(0)),
    )


def _transposed(node: Node) -> Operation:
    kernel = _spatial(node, node.needed(1))
    weights, read, groups = node.needed(1).shape, node.needed(0).shape, node.attribute("group", 1)
    return node.operation(
        f"Conv{len(kernel)}DTranspose",
        weights=node.learned((1, 2)),
        kernel=kernel,
        strides=_steps(node, "strides", len(kernel)),
        dilation=_steps(node, "dilations", len(kernel)),
        groups=groups,
        filters=weights[1] * groups,
        macs=convolution_macs((read[0], *read[2:]), weights),
        layout=_layout(node.needed(0)),
    )


def _pooling(kind: str) -> Rule:
    def rule(node: Node) -> Operation:
        axes = len(_spatial(node, node.needed(0)))
        return node.operation(
            f"{kind}Pooling{axes}D",
            kernel=node.sizes("kernel_shape"),
            strides=_steps(node, "strides", axes),
            layout=_layout(node.needed(0)),
        )

    return rule


def _global_pooling(kind: str) -> Rule:
    def rule(node: Node) -> Operation:
        axes = len(_spatial(node, node.needed(0)))
        return node.operation(f"Global{kind}Pooling{axes}D", layout=_layout(node.needed(0)))

    return rule


def _padding(node: Node) -> Operation:
    axes = len(node.needed(0).shape) - 2
    zeros = node.attribute("mode", "constant") == "constant" and 1 <= axes <= 3
    # The padding value is not a weight.
    return node.operation(f"ZeroPadding{axes}D" if zeros else "Pad", weights=())


def _resizing(node: Node) -> Operation:
    axes = len(node.needed(0).shape) - 2
    return node.operation(f"UpSampling{axes}D" if 1 <= axes <= 3 else "Resize", weights=())


def _rearranging(node: Node) -> Operation:
    return node.operation(node.op, layout=_layout(node.needed(0)))


RULES: dict[str, Rule] = {
    "AveragePool": _pooling("Average"),
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "DeformConv": _deformable,
    "DepthToSpace": _rearranging,
    "GlobalAveragePool": _global_pooling("Average"),
    "GlobalLpPool": _global_pooling("Lp"),
    "GlobalMaxPool": _global_pooling("Max"),
    "LpPool": _pooling("Lp"),
    "MaxPool": _pooling("Max"),
    "Pad": _padding,
    "Resize": _resizing,
    "SpaceToDepth": _rearranging,
    "Upsample": _resizing,
}
"""How operations on pixels become layers."""
