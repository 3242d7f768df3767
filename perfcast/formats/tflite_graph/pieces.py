"""What LiteRT files leave open of convolutions on tensors that are parted into pieces along the batch.

Dilated convolutions come as `SPACE_TO_BATCH_ND`, a plain convolution of every other pixel, and
`BATCH_TO_SPACE_ND`. Files with an open batch have 1 there in between too, though it is the number of pieces.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.formats.tflite_graph.parsing import Graph, OperatorRecord
    from perfcast.network.network import Shape

PARTING, JOINING = "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"
_RENAMING = frozenset(("EXPAND_DIMS", "RESHAPE", "SQUEEZE"))
_CONVOLUTIONS = frozenset(("CONV_2D", "DEPTHWISE_CONV_2D"))
_BIAS = 2


def with_pieces(graph: Graph) -> Graph:
    """Return the graph with the number of pieces as batch of what is parted, and without the converter's biases.

    Raises:
        SourceError: into how many pieces is decided at run time.
    """
    if all(operator.code != PARTING for operator in graph.operators):
        return graph
    shapes = _shapes(graph)
    tensors = tuple(replace(record, shape=shapes.get(i, record.shape)) for i, record in enumerate(graph.tensors))
    return _without_empty_biases(replace(graph, tensors=tensors))


def _shapes(graph: Graph) -> dict[int, Shape]:
    """Return the shapes of the tensors that are parted, by their indices."""
    pieces: dict[int, int] = {}
    shapes: dict[int, Shape] = {}
    for operator in graph.operators:
        count = max((pieces.get(index, 1) for index in operator.inputs), default=1)
        if operator.code == PARTING:
            count *= math.prod(block(graph, operator))
        elif operator.code == JOINING:
            count //= math.prod(block(graph, operator))
        for index in operator.outputs if count > 1 else ():
            record = graph.tensors[index]
            if record.shape[:1] == (1,) and record.signature[:1] == (None,):
                pieces[index], shapes[index] = count, (count, *record.shape[1:])
    return shapes


def block(graph: Graph, operator: OperatorRecord) -> tuple[int, ...]:
    """Return into how many pieces an operator parts, or from how many it joins, each spatial axis.

    Raises:
        SourceError: that is not a constant of the file.
    """
    data = graph.tensors[operator.inputs[1]].data if len(operator.inputs) > 1 and operator.inputs[1] >= 0 else None
    sizes = () if data is None else tuple(int(size) for size in data.reshape(-1))
    if not sizes or min(sizes) < 1:
        name = graph.tensors[operator.outputs[0]].name if operator.outputs else operator.code
        raise SourceError(f"operator {name[:120]!r} ({operator.code}): the file does not define its block shape")
    return sizes


def _without_empty_biases(graph: Graph) -> Graph:
    """Return the graph without biases of zeros in convolutions of pieces that get their bias once joined."""
    makers = {index: operator for operator in graph.operators for index in operator.outputs}
    emptied: dict[int, OperatorRecord] = {}
    for operator in graph.operators:
        convolution = _biased_once_joined(graph, operator, makers)
        if convolution is not None:
            inputs = (*convolution.inputs[:_BIAS], -1, *convolution.inputs[_BIAS + 1 :])
            emptied[id(convolution)] = replace(convolution, inputs=inputs)
    return replace(graph, operators=tuple(emptied.get(id(operator), operator) for operator in graph.operators))


def _biased_once_joined(
    graph: Graph, operator: OperatorRecord, makers: Mapping[int, OperatorRecord]
) -> OperatorRecord | None:
    """Return the convolution that an operator adds a bias to after its pieces were joined, if its own is zeros."""
    joined = makers.get(operator.inputs[0]) if operator.code == "ADD" and operator.inputs else None
    if joined is None or joined.code != JOINING or not joined.inputs:
        return None
    convolution = makers.get(joined.inputs[0])
    if convolution is not None and convolution.code in _RENAMING and convolution.inputs:
        convolution = makers.get(convolution.inputs[0])
    if convolution is None or convolution.code not in _CONVOLUTIONS or len(convolution.inputs) <= _BIAS:
        return None
    bias, added = graph.tensors[convolution.inputs[_BIAS]], graph.tensors[operator.inputs[-1]]
    empty = convolution.inputs[_BIAS] >= 0 and bias.data is not None and not bias.data.any()
    return convolution if empty and added.stored and math.prod(added.shape) == math.prod(bias.shape) else None
