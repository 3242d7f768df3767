"""Quantised and fused operations as the plain ones of ONNX that do the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfcast.formats.onnx_graph.loading import STANDARD_DOMAINS
from perfcast.network.network import Weight

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from perfcast.formats.onnx_graph.nodes import Value

_VENDOR = "com.microsoft"


@dataclass(frozen=True)
class _Rule:
    """What an operation is without its quantisation.

    Attributes:
        op: the plain operation.
        inputs: where its inputs are among those of the operation; what lies between are scales and zero points.
    """

    op: str
    inputs: tuple[int, ...] | slice

    def pick(self, inputs: Sequence[Value | None]) -> list[Value | None]:
        """Return the inputs of the plain operation, without optional ones left out at the end."""
        if isinstance(self.inputs, slice):
            return list(inputs[self.inputs])
        picked = [inputs[position] if position < len(inputs) else None for position in self.inputs]
        while picked and picked[-1] is None:
            picked.pop()
        return picked


_STANDARD_RULES = {
    "ConvInteger": _Rule("Conv", (0, 1)),
    "MatMulInteger": _Rule("MatMul", (0, 1)),
    "QLinearConv": _Rule("Conv", (0, 3, 8)),
    "QLinearMatMul": _Rule("MatMul", (0, 3)),
}
_VENDOR_RULES = {
    "DynamicQuantizeMatMul": _Rule("MatMul", (0, 1)),
    "FusedConv": _Rule("Conv", (0, 1, 2)),
    "FusedGemm": _Rule("Gemm", (0, 1, 2)),
    "FusedMatMul": _Rule("MatMul", (0, 1)),
    "Gelu": _Rule("Gelu", (0,)),
    "MatMulIntegerToFloat": _Rule("MatMul", (0, 1)),
    "MatMulNBits": _Rule("MatMul", (0, 1)),
    "QGemm": _Rule("Gemm", (0, 3, 6)),
    "QLinearAdd": _Rule("Add", (0, 3)),
    "QLinearAveragePool": _Rule("AveragePool", (0,)),
    "QLinearConcat": _Rule("Concat", slice(2, None, 3)),
    "QLinearGlobalAveragePool": _Rule("GlobalAveragePool", (0,)),
    "QLinearLeakyRelu": _Rule("LeakyRelu", (0,)),
    "QLinearMul": _Rule("Mul", (0, 3)),
    "QLinearSigmoid": _Rule("Sigmoid", (0,)),
    "QLinearSoftmax": _Rule("Softmax", (0,)),
}
_RULES = {(domain, op): rule for domain in STANDARD_DOMAINS for op, rule in _STANDARD_RULES.items()} | {
    (_VENDOR, op): rule for op, rule in (_STANDARD_RULES | _VENDOR_RULES).items()
}


@dataclass(frozen=True)
class Plain:
    """A node as a plain one.

    Attributes:
        node: with the plain operation's attributes only.
        inputs: what it reads.
        activation: what it does last, as ONNX calls it; empty where nothing.
    """

    node: onnx.NodeProto
    inputs: list[Value | None]
    activation: str = ""


def plain(node: onnx.NodeProto, inputs: list[Value | None], version: int) -> Plain:
    """Return a node of ONNX's own plain operations that does the same; the node itself where there is none.

    Args:
        node: any node.
        inputs: what it reads.
        version: the opset of ONNX's own operations.
    """
    import onnx

    rule = _RULES.get((node.domain, node.op_type))
    numbers = {attribute.name: attribute.i for attribute in node.attribute}
    if rule is None or numbers.get("channels_last"):
        return Plain(node, inputs)
    if not onnx.defs.has(rule.op, version, ""):
        return Plain(node, inputs)
    known = onnx.defs.get_schema(rule.op, version, "").attributes
    result = onnx.NodeProto(name=node.name, op_type=rule.op, output=node.output[:1])
    result.attribute.extend(attribute for attribute in node.attribute if attribute.name in known)
    activations = [attribute.s for attribute in node.attribute if attribute.name == "activation"]
    picked = [_as_float(value) for value in rule.pick(inputs)]
    _ADJUSTMENTS.get(node.op_type, _nothing)(picked, numbers)
    return Plain(result, picked, activations[0].decode(errors="replace") if activations else "")


def _as_float(value: Value | None) -> Value | None:
    import onnx

    if value is None:
        return None
    # What the numbers stand for; no operation that is rewritten reads its constants' elements.
    return replace(value, element_type=onnx.TensorProto.FLOAT, dtype="float32", data=None)


def _nothing(inputs: list[Value | None], numbers: dict[str, int]) -> None:
    """Leave the inputs as they are."""


def _turn(inputs: list[Value | None], numbers: dict[str, int]) -> None:
    """Turn the matrices that are to be read transposed."""
    for position, name in enumerate(("transA", "transB")):
        value = inputs[position] if position < len(inputs) else None
        if numbers.get(name) and value is not None and len(value.shape) > 1:
            inputs[position] = replace(value, shape=(*value.shape[:-2], value.shape[-1], value.shape[-2]))


def _unpack(inputs: list[Value | None], numbers: dict[str, int]) -> None:
    """Give weights of a few bits each the shape that they have unpacked."""
    packed = inputs[1] if len(inputs) > 1 else None
    if packed is not None:
        shape = (max(0, numbers.get("K", 0)), max(0, numbers.get("N", 0)))
        weights = (Weight(packed.name, shape[0] * shape[1]),)
        inputs[1] = replace(packed, shape=shape, weights=weights)


_ADJUSTMENTS = {"FusedMatMul": _turn, "MatMulNBits": _unpack}
