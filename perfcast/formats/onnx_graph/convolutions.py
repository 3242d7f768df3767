"""Convolutions, poolings and what else works on the pixels of images, in ONNX's order of axes: channels first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.onnx_graph.activations import keras_name
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


def _convolved(node: Node, type: str, counted: Shape, learned: Sequence[int], **fields: Any) -> Operation:
    """Return a convolution, its `type` with `{}` for the axes, whose whole kernel is used at each position."""
    kernel = _spatial(node, node.needed(1))
    return node.operation(
        type.format(len(kernel)),
        weights=node.learned(learned),
        kernel=kernel,
        strides=_steps(node, "strides", len(kernel)),
        dilation=_steps(node, "dilations", len(kernel)),
        groups=node.attribute("group", 1),
        macs=convolution_macs((counted[0], *counted[2:]), node.needed(1).shape),
        layout=_layout(node.needed(0)),
        **fields,
    )


def _convolution(node: Node) -> Operation:
    kernel = _spatial(node, node.needed(1))
    depthwise = node.attribute("group", 1) == node.needed(0).shape[1] > 1 and len(kernel) < 3
    type, filters = "DepthwiseConv{}D" if depthwise else "Conv{}D", node.needed(1).shape[0]
    activation = keras_name(node.activation)
    return _convolved(node, type, node.outputs[0].shape, (1, 2), filters=filters, activation=activation)


def _deformable(node: Node) -> Operation:
    return _convolved(node, "Conv{}D", node.outputs[0].shape, (1, 3), filters=node.needed(1).shape[0])


def _transposed(node: Node) -> Operation:
    filters = node.needed(1).shape[1] * node.attribute("group", 1)
    return _convolved(node, "Conv{}DTranspose", node.needed(0).shape, (1, 2), filters=filters)


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
