"""Activation functions, elementwise operations, reductions and normalisations of ONNX."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.network.network import Weight, axes_per_sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.grouping import Operation
    from perfcast.formats.onnx_graph.nodes import Node

    Rule = Callable[[Node], Operation]

_KERAS_NAMES = {
    "": None,
    "Clip": "relu6",
    "HardSigmoid": "hard_sigmoid",
    "HardSwish": "hard_silu",
    "LeakyRelu": "leaky_relu",
}


def keras_name(op: str) -> str | None:
    """Return how Keras calls an activation that is fused into a node, None where there is none."""
    return _KERAS_NAMES.get(op, op.lower())


def _elementwise(type: str) -> Rule:
    return lambda node: node.elementwise(type)


def _with_numbers(type: str, **defaults: float) -> Rule:
    """Return the rule of a function of one tensor that attributes shape; their order is that of the operands."""

    def rule(node: Node) -> Operation:
        numbers = (node.attribute(name, default) for name, default in defaults.items())
        return node.operation(type, operands=(node.needed(0).name, *numbers))

    return rule


def _clip(node: Node) -> Operation:
    bounds = []
    for position, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        value = node.input(position)
        given = node.attribute(name, default) if value is None else value.scalar()
        # A bound that is not known does the same work as any other.
        bounds.append(default if given is None else given)
    return node.operation("Clip", weights=(), operands=(node.needed(0).name, *bounds))


def _activation(name: str) -> Rule:
    return lambda node: node.operation("Activation", activation=name)


def _plain(type: str) -> Rule:
    return lambda node: node.operation(type)


def _reduction(type: str) -> Rule:
    def rule(node: Node) -> Operation:
        shape, axes = node.needed(0).shape, node.axes()
        if axes is None and node.input(1) is not None:
            raise SourceError(f"{node}: its axes are only known at run time")
        counted = {axis % len(shape) for axis in axes or range(len(shape))} if shape else set()
        spatial = counted == set(range(2, len(shape))) and len(shape) > 3
        kept = axes_per_sample(shape, counted)
        return node.operation(type, weights=(), axes=kept, layout="channels_first" if spatial else "same")

    return rule


def _batch_normalisation(node: Node) -> Operation:
    learned = node.learned((1, 2))
    moving = [Weight(weight.name, weight.elements, trainable=False) for weight in node.learned((3, 4))]
    layout = "channels_first" if len(node.needed(0).shape) > 2 else "same"
    first = node.operation("BatchNormalization", weights=(*learned, *moving), layout=layout)
    return _only_first(first)


def _only_first(operation: Operation) -> Operation:
    return replace(operation, outputs=operation.outputs[:1])


def _normalisation(type: str, learned: tuple[int, ...]) -> Rule:
    """Return the rule of a normalisation over the channels, the last axis as a rule."""

    def rule(node: Node) -> Operation:
        rank = len(node.needed(0).shape)
        last = node.attribute("axis", -1) in (-1, rank - 1)
        layout = "channels_last" if last else "same"
        return _only_first(node.operation(type, weights=node.learned(learned), layout=layout))

    return rule


def _channel_normalisation(node: Node) -> Operation:
    layout = "channels_first" if len(node.needed(0).shape) > 2 else "same"
    return node.operation("GroupNormalization", weights=node.learned((1, 2)), layout=layout)


_SAME_NAMES = "Abs Add Erf Exp HardSwish Log Mish Reciprocal Sigmoid Softplus Softsign Sqrt Tanh"
_ELEMENTWISE = {name: name for name in _SAME_NAMES.split()} | {
    "Div": "Divide",
    "Max": "Maximum",
    "Min": "Minimum",
    "Mul": "Multiply",
    "Neg": "Negative",
    "Pow": "Power",
    "Relu": "ReLU",
    "Selu": "SELU",
    "Sub": "Subtract",
    "Sum": "Add",
}

RULES: dict[str, Rule] = {op: _elementwise(type) for op, type in _ELEMENTWISE.items()} | {
    "BatchNormalization": _batch_normalisation,
    "BiasGelu": lambda node: node.operation("GELU"),
    "Celu": _activation("celu"),
    "Clip": _clip,
    "Elu": _with_numbers("ELU", alpha=1.0),
    "FastGelu": lambda node: node.operation("GELU"),
    "Gelu": lambda node: node.operation("GELU"),
    "GroupNormalization": _channel_normalisation,
    "HardSigmoid": _with_numbers("HardSigmoid", alpha=0.2, beta=0.5),
    "InstanceNormalization": _channel_normalisation,
    "LayerNormalization": _normalisation("LayerNormalization", (1, 2)),
    "LeakyRelu": _with_numbers("LeakyReLU", alpha=0.01),
    "LogSoftmax": _activation("log_softmax"),
    "LpNormalization": _plain("UnitNormalization"),
    "Mean": _plain("Average"),
    "MeanVarianceNormalization": _plain("LayerNormalization"),
    "PRelu": _plain("PReLU"),
    "QuickGelu": _activation("silu"),
    "RMSNormalization": _normalisation("RMSNormalization", (1,)),
    "ReduceMax": _reduction("Max"),
    "ReduceMean": _reduction("Mean"),
    "ReduceMin": _reduction("Min"),
    "ReduceSum": _reduction("Sum"),
    "SimplifiedLayerNormalization": _normalisation("RMSNormalization", (1,)),
    "SkipLayerNormalization": _normalisation("LayerNormalization", (2, 3, 4)),
    "SkipSimplifiedLayerNormalization": _normalisation("RMSNormalization", (2, 3)),
    "Softmax": _plain("Softmax"),
    "Swish": _activation("silu"),
    "ThresholdedRelu": _activation("relu"),
}
"""How these operations become layers."""
