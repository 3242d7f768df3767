"""Matrix products of ONNX: dense layers, attention, recurrence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.onnx_graph.activations import keras_name
from perfcast.network.macs import attention_macs, dense_macs, einsum_macs, product_macs, recurrent_macs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perfcast.formats.grouping import Operation
    from perfcast.formats.onnx_graph.nodes import Node

    Rule = Callable[[Node], Operation]


def _gemm(node: Node) -> Operation:
    matrix = node.needed(1)
    if len(matrix.shape) != 2 or not matrix.constant:
        return _product(node)
    units = matrix.shape[0 if node.attribute("transB", 0) else 1]
    return _dense(node, units, (1, 2), keras_name(node.activation))


def _dense(node: Node, units: int, learned: Sequence[int], activation: str | None = None) -> Operation:
    return node.operation(
        "Dense",
        weights=node.learned(learned),
        units=units,
        activation=activation,
        macs=dense_macs(node.outputs[0].shape[:-1], node.needed(1).shape),
        layout="free",
    )


def _matmul(node: Node) -> Operation:
    matrix = node.needed(1)
    if matrix.constant and len(matrix.shape) == 2:
        return _dense(node, matrix.shape[1], (1,))
    return _product(node)


def _product(node: Node) -> Operation:
    """Return the product of two tensors, or of one with a constant that no dense layer has."""
    first = node.needed(0)
    transposed = node.op == "Gemm" and node.attribute("transA", 0)
    summed = first.shape[0 if transposed else -1] if first.shape else 1
    return node.operation(_kind(node), macs=product_macs(node.outputs[0].shape, summed), layout="free")


def _kind(node: Node) -> str:
    return "EinsumDense" if any(value is not None and value.constant for value in node.inputs) else "Matmul"


def _einsum(node: Node) -> Operation:
    terms = node.attribute("equation", "").partition("->")[0]
    shapes = [value.shape for value in node.inputs if value is not None]
    if len(terms.split(",")) != len(shapes):
        raise SourceError(f"{node}: its equation has another number of terms than it has inputs")
    return node.operation(_kind(node), macs=einsum_macs(terms, shapes), layout="free")


def _recurrent(type: str) -> Rule:
    def rule(node: Node) -> Operation:
        inner, outer = node.needed(1), node.needed(2)
        steps = node.needed(0).elements // max(1, node.needed(0).shape[-1])
        both = node.attribute("direction", "forward") == "bidirectional"
        return node.operation(
            f"Bidirectional{type}" if both else type,
            weights=node.learned((1, 2, 3, 7)),
            macs=recurrent_macs(steps, inner.elements + outer.elements),
            layout="free",
        )

    return rule


def _attention(node: Node) -> Operation:
    """Return attention of projected queries, keys and values, with heads as an axis or within the channels."""
    query, key, value = (node.needed(position).shape for position in range(3))
    heads = query[1] if len(query) == 4 else 1
    keys = key[-2] if len(key) > 1 else 1
    widths = query[-1], value[-1] if len(value) == 4 else node.outputs[0].shape[-1]
    macs = attention_macs(query[-2], keys, widths, heads)
    return node.operation("MultiHeadAttention", weights=(), macs=macs, layout="free")


def _attention_with_projections(node: Node) -> Operation:
    read, matrix = node.needed(0).shape, node.needed(1)
    if node.attribute("q_num_heads", 0) or len(matrix.shape) != 2 or not matrix.constant:
        return _attention(node)
    steps, width = math.prod(read[:-1]), node.outputs[0].shape[-1]
    macs = dense_macs(read[:-1], matrix.shape) + attention_macs(steps, read[-2], (width, width))
    return node.operation("MultiHeadAttention", weights=node.learned((1, 2)), macs=macs, layout="free")


def _gather(node: Node) -> Operation:
    table, indices = node.needed(0), node.needed(1)
    if table.constant and not indices.constant and table.is_float:
        return node.operation("Embedding", weights=node.learned((0,)), layout="free")
    return node.operation("Take", weights=(), layout="free")


RULES: dict[str, Rule] = {
    "Attention": _attention_with_projections,
    "Einsum": _einsum,
    "GRU": _recurrent("GRU"),
    "Gather": _gather,
    "Gemm": _gemm,
    "LSTM": _recurrent("LSTM"),
    "MatMul": _matmul,
    "MultiHeadAttention": _attention,
    "RNN": _recurrent("SimpleRNN"),
}
"""How matrix products become layers."""
