"""Layers that read several tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome
from perfcast.formats.keras_json.rules.broadcasting import broadcast, concatenated
from perfcast.network.macs import contraction_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call


def _elementwise(call: Call) -> Outcome:
    return Outcome((_merged(call),))


def _merged(call: Call) -> tuple[int, ...]:
    """Return the shape of tensors that are merged element by element; those of fewer axes get them behind.

    Keras' merging layers align tensors at the batch: of `(?, 3)` and `(?, 5, 3)` the first is read as `(?, 1, 3)`.
    """
    shape: tuple[int, ...] = call.inputs[0].shape[1:]
    for symbol in call.inputs[1:]:
        shape = broadcast(call, shape, symbol.shape[1:])
    return (call.shape[0], *shape)


def _concatenate(call: Call) -> Outcome:
    axis = call.settings.axes("axis", len(call.shape), -1)[0]
    return Outcome((concatenated(call, [symbol.shape for symbol in call.inputs], axis),))


def _dot(call: Call) -> Outcome:
    if len(call.inputs) != 2:
        call.refuse("takes two tensors")
    first, second = (list(symbol.shape) for symbol in call.inputs)
    told = call.settings.get("axes", -1)
    axes = told if isinstance(told, list) else [told, told]
    if len(axes) != 2 or not all(type(axis) is int for axis in axes):
        call.settings.refuse("axes")
    macs = contraction_macs(tuple(first), tuple(second), axes)
    if first.pop(axes[0]) != second.pop(axes[1]):
        call.refuse("multiplies along axes of different sizes")
    shape = (*first, *second[1:])
    return Outcome((shape if len(shape) > 1 else (*shape, 1),), macs=macs)


def _merge(call: Call) -> Outcome:
    """Return the outcome of the `Merge` layer of the first versions of Keras 2."""
    mode = call.settings.word("mode", "sum")
    kinds = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}
    if mode == "concat":
        axis = call.settings.axes("concat_axis", len(call.shape), -1)[0]
        return Outcome((concatenated(call, [symbol.shape for symbol in call.inputs], axis),), kind="Concatenate")
    if mode not in kinds:
        call.settings.refuse("mode")
    return Outcome((_merged(call),), kind=kinds[mode])


RULES = dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"), _elementwise) | {
    "Concatenate": _concatenate,
    "Dot": _dot,
    "Merge": _merge,
}
"""Rules by class."""
