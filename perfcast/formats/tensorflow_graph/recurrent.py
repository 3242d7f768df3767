"""Loops of a graph as one recurrent layer each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.grouping import Operation
from perfcast.formats.regions import weights_of
from perfcast.network.macs import repeated_macs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from perfcast.formats.tensorflow_graph.loops import Loop
    from perfcast.network.network import Layer

# How many gates a step of each has, by the sigmoids.
_KINDS = {3: "LSTM", 2: "GRU", 0: "SimpleRNN"}


def with_loop(layers: Sequence[Layer], loop: Loop, turns: int, outputs: Collection[str]) -> list[Layer]:
    """Return layers of which one stands for all of a loop, of which they hold one turn.

    Args:
        layers: in execution order, one an operation.
        loop: the loop.
        turns: how often its body runs.
        outputs: names of the network's output tensors.

    Raises:
        SourceError: the loop multiplies no matrices, so what it does is not known.
    """
    given = [tensor.name for layer in layers for tensor in layer.outputs]
    inside = {name for name in given if name.rpartition(":")[0] in loop.nodes}
    parts = [layer for layer in layers if inside.intersection(tensor.name for tensor in layer.outputs)]
    others = [layer for layer in layers if not inside.intersection(tensor.name for tensor in layer.outputs)]
    macs = sum(part.macs for part in parts)
    if not macs:
        raise SourceError(
            f"operation {loop.name[:80]!r} branches or loops: its layers cannot be determined without running it"
        )
    wanted = {name for layer in others for name in layer.inputs} | set(outputs)
    kinds = Counter(part.type for part in parts)
    made = Operation(
        name=loop.name,
        type=_KINDS.get(kinds["Sigmoid"], "RNN") if kinds["Tanh"] else "RNN",
        inputs=tuple(dict.fromkeys(name for part in parts for name in part.inputs if name not in inside)),
        outputs=tuple(tensor for part in parts for tensor in part.outputs if tensor.name in wanted),
        weights=weights_of(part if isinstance(part, Operation) else Operation(**vars(part)) for part in parts),
        macs=repeated_macs(turns, macs),
        layout="free",
    )
    return _placed(others, made)


def _placed(layers: Sequence[Layer], made: Layer) -> list[Layer]:
    """Return layers with one more, after what it reads and before what reads it."""
    where = max((i for i, layer in enumerate(layers) if _gives(layer, made.inputs)), default=-1) + 1
    late = {tensor.name for tensor in made.outputs}
    before: list[Layer] = []
    after: list[Layer] = []
    for layer in layers[:where]:
        if late.isdisjoint(layer.inputs):
            before.append(layer)
        else:
            after.append(layer)
            late.update(tensor.name for tensor in layer.outputs)
    return [*before, made, *after, *layers[where:]]


def _gives(layer: Layer, names: Collection[str]) -> bool:
    return any(tensor.name in names for tensor in layer.outputs)
