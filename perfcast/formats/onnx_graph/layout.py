"""Turn networks that have their channels first, as ONNX's do, into ones that have them last."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perfcast.network.network import Tensor, channels_last

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.formats.grouping import Operation

    Order = tuple[int, ...]


def with_channels_last(
    operations: Sequence[Operation], turns: Mapping[str, Order], outputs: Iterable[str]
) -> tuple[list[Operation], tuple[str, ...]]:
    """Return the same operations with the channels as last axis of every tensor, and the outputs' names.

    Transpositions that do no more than move the channels vanish, also where the network returns them:
    the layout that a converter chooses is not a property of the network.

    Args:
        operations: in execution order; their axes in the order of the file.
        turns: for transpositions, by the name of what they return: which axis each axis was, without the batch.
        outputs: names of what the network returns.
    """
    orders = _orders(operations)
    names: dict[str, str] = {}
    kept = []
    for operation in operations:
        renamed = _renamed(operation, names)
        if _only_moves_channels(operation, orders, turns):
            names[operation.outputs[0].name] = renamed.inputs[0]
        else:
            kept.append(_turned(renamed, operation, orders))
    return kept, tuple(dict.fromkeys(names.get(name, name) for name in outputs))


def _orders(operations: Iterable[Operation]) -> dict[str, Order]:
    """Return for each tensor which of the file's axes each of its axes was, once the channels are last."""
    numbered = (
        replace(
            operation,
            outputs=tuple(replace(tensor, shape=tuple(range(len(tensor.shape)))) for tensor in operation.outputs),
        )
        for operation in operations
    )
    return {name: tensor.shape for name, tensor in channels_last(numbered).items()}


def _only_moves_channels(operation: Operation, orders: Mapping[str, Order], turns: Mapping[str, Order]) -> bool:
    turn = turns.get(operation.outputs[0].name)
    if turn is None or len(operation.inputs) != 1:
        return False
    before, after = orders[operation.inputs[0]], orders[operation.outputs[0].name]
    return len(turn) == len(after) and tuple(turn[axis] for axis in after) == before


def _renamed(operation: Operation, names: Mapping[str, str]) -> Operation:
    return replace(
        operation,
        inputs=tuple(names.get(name, name) for name in operation.inputs),
        operands=tuple(names.get(item, item) if isinstance(item, str) else item for item in operation.operands),
    )


def _turned(operation: Operation, original: Operation, orders: Mapping[str, Order]) -> Operation:
    order = orders.get(original.inputs[0], ()) if original.inputs else ()
    return replace(
        operation,
        outputs=tuple(_turned_tensor(tensor, orders[tensor.name]) for tensor in operation.outputs),
        axes=tuple(order.index(axis) for axis in operation.axes),
        layout="channels_last" if operation.layout == "channels_first" else operation.layout,
    )


def _turned_tensor(tensor: Tensor, order: Order) -> Tensor:
    return replace(tensor, shape=tuple(tensor.shape[axis] for axis in order))
