"""Layers that wrap others, and those that hold code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.call import Outcome, Part, Symbol
from perfcast.formats.keras_json.document import layer_of
from perfcast.network.macs import repeated_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.formats.keras_json.document import LayerText
    from perfcast.network.network import Shape


def _wrapped(call: Call, key: str = "layer") -> LayerText:
    return layer_of(call.settings.get(key), call.settings.owner)


def _named(prefix: str, parts: tuple[Part, ...]) -> tuple[Part, ...]:
    return tuple(replace(part, name=f"{prefix}/{part.name}") for part in parts)


def _time_distributed(call: Call) -> Outcome:
    if len(call.shape) < 3:
        call.refuse("takes a tensor of three axes or more")
    first = call.inputs[0]
    batch, steps = call.shape[:2]
    inner = call.infer(_wrapped(call), (Symbol(first.name, (batch, *call.shape[2:]), first.dtype),))
    shapes = tuple((shape[0], steps, *shape[1:]) for shape in inner.shapes)
    return Outcome(shapes, _named("layer", inner.weights), macs=repeated_macs(steps, inner.macs))


def _bidirectional(call: Call) -> Outcome:
    forward = _wrapped(call)
    backward = _wrapped(call, "backward_layer") if call.settings.get("backward_layer") is not None else forward
    reads = call.inputs[:1]
    ahead, back = call.infer(forward, reads), call.infer(backward, reads)
    shape = ahead.shapes[0]
    merge = call.settings.values.get("merge_mode", "concat")
    if merge not in ("concat", "sum", "mul", "ave", None):
        call.settings.refuse("merge_mode")
    merged = ((*shape[:-1], shape[-1] + back.shapes[0][-1]),) if merge == "concat" else (shape,)
    shapes = merged if merge is not None else (shape, back.shapes[0])
    weights = (*_named("forward", ahead.weights), *_named("backward", back.weights))
    return Outcome((*shapes, *ahead.shapes[1:], *back.shapes[1:]), weights, macs=ahead.macs + back.macs)


def _spectral(call: Call) -> Outcome:
    """Return the outcome of `SpectralNormalization`, which keeps a vector as wide as the kernel's last axis."""
    inner = call.infer(_wrapped(call), call.inputs)
    width = inner.filters or inner.units or inner.shapes[0][-1]
    weights = (*_named("layer", inner.weights), Part("vector_u", width, trainable=False))
    return replace(inner, weights=weights, kind=None)


def _lambda(call: Call) -> Outcome:
    told = call.settings.get("output_shape")
    shapes = _told_shapes(told)
    if shapes is None:
        raise SourceError(f"layer {call.settings.layer!r} is a Lambda whose output shape the text does not give")
    return Outcome(tuple((call.shape[0], *shape) for shape in shapes))


def _told_shapes(value: Any) -> list[Shape] | None:
    """Return the shapes that a text gives for a Lambda's outputs; None where it gives none, or leaves sizes open."""
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in value):
        return [tuple(value)]
    inner = [_told_shapes(item) for item in value]
    shapes = [shapes[0] for shapes in inner if shapes is not None and len(shapes) == 1]
    return shapes if len(shapes) == len(value) else None


def _pipeline(call: Call) -> Outcome:
    """Return the outcome of a `Pipeline` of preprocessing layers."""
    listed = call.settings.get("layers")
    if not isinstance(listed, list) or not listed:
        call.settings.refuse("layers")
    symbol, macs = call.inputs[0], 0
    parts: list[Part] = []
    for index, value in enumerate(listed):
        outcome = call.infer(layer_of(value, call.settings.owner), (symbol,))
        symbol = Symbol(symbol.name, outcome.shapes[0], outcome.dtype or symbol.dtype)
        parts += _named(str(index), outcome.weights)
        macs += outcome.macs
    return Outcome((symbol.shape,), tuple(parts), macs=macs)


RULES = {
    "Bidirectional": _bidirectional,
    "Lambda": _lambda,
    "Pipeline": _pipeline,
    "SpectralNormalization": _spectral,
    "TimeDistributed": _time_distributed,
}
"""Rules by class."""
