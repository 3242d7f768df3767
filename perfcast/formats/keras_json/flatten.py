"""Nested models flattened into one list of layers, each call inferred from the tensors it reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.call import Call, Outcome, Part, Symbol, tensors_of, written
from perfcast.formats.keras_json.document import LayerText, Reference, flattened
from perfcast.formats.keras_json.graph import MAX_LAYERS, model_of
from perfcast.formats.keras_json.rules import (
    elementwise,
    moves,
    operations,
    preprocessing,
    products,
    recurrent,
    tensorflow,
    windows,
    wrappers,
)
from perfcast.formats.keras_json.settings import MAX_SIZE, dtype_of, quantised
from perfcast.network.descriptor import MAX_COUNT
from perfcast.network.layer_types import layout_of
from perfcast.network.network import Geometry, Layer, Tensor, Weight
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from perfcast.formats.keras_json.document import ModelText
    from perfcast.formats.keras_json.settings import Settings
    from perfcast.network.network import Shape

    Ask = Callable[[str, Call], Outcome]
    Rule = Callable[[Call], Outcome]

_DEEPEST = 20
_MAX_AXES = 8
_SHOWN = 200

_ROOMS = (elementwise, moves, preprocessing, products, recurrent, tensorflow, windows, wrappers)
_LAYERS: Mapping[str, Rule] = {kind: rule for room in _ROOMS for kind, rule in room.RULES.items()}
_ROOTS = ("", "keras", "tf_keras", "tensorflow")


@dataclass
class _Budget:
    """What is left of the layers and of their arguments that a network may have, however a text nests them."""

    layers: int = MAX_LAYERS
    arguments: int = 10 * MAX_LAYERS

    def spend(self, arguments: int = 1) -> None:
        self.layers -= 1
        self.arguments -= arguments
        if min(self.layers, self.arguments) < 0:
            raise SourceError(f"the network has more than {MAX_LAYERS:,} layers, or as many tensors as ten times that")


@dataclass
class Flattener:
    """Collects the layers of a network in the order that Keras runs them.

    Attributes:
        layers: those found so far.
        ask: tells, where the model is at hand, what the text leaves open: the outcome of a call by the layer's path.
    """

    layers: list[Layer] = field(default_factory=list)
    ask: Ask | None = None
    _depth: int = 0
    _budget: _Budget = field(default_factory=_Budget)
    _models: dict[int, ModelText] = field(default_factory=dict)

    def add_input(self, layer: LayerText, shape: Shape) -> Symbol:
        """Add an input layer of the top-level model; return its tensor, whose shape has the batch first."""
        settings = layer.settings()
        outcome = Outcome((shape,), dtype=dtype_of(settings))
        _check(outcome, settings.owner)
        return self._append(layer, layer.name, (), outcome)[0]

    def walk(self, model: ModelText, inputs: Sequence[Symbol], prefix: str) -> list[Symbol]:
        """Add the layers of a model that is called on `inputs`; return its outputs.

        Raises:
            SourceError: a layer cannot be inferred, or there are too many.
        """
        found: dict[tuple[str, int, int], Symbol] = {}

        def tensor(reference: Reference) -> Symbol:
            key = (*model.step(reference), reference.output)
            if key not in found:
                raise SourceError(f"layer {prefix[:80]}{reference.layer[:80]} has no output {reference.output}")
            return found[key]

        for reference, symbol in zip(model.inputs, inputs, strict=True):
            found[(*model.step(reference), reference.output)] = symbol
        for step in model.steps:
            text, layer = model.call(step), model.layers[step[0]]
            arguments, options = _filled(list(text.arguments), tensor), _filled(text.options, tensor)
            leaves = flattened([arguments, options])
            self._budget.spend(len(leaves))
            read = tuple(item for item in leaves if isinstance(item, Symbol))
            path = f"{prefix}{layer.name}"
            if layer.is_model:
                returned = self._enter(layer, read, path)
            else:
                inputs = tensors_of([arguments, options])
                call = Call(
                    layer.kind, layer.settings(path), tuple(arguments), options, inputs, layer.is_old, self._infer_inner
                )
                returned = self._append(layer, path, read, self._inferred(layer, path, call))
            found |= {(*step, index): symbol for index, symbol in enumerate(returned)}
        return [tensor(reference) for reference in model.outputs]

    def _enter(self, layer: LayerText, read: tuple[Symbol, ...], path: str) -> list[Symbol]:
        """Add the layers of a nested model; each of its calls is walked, its text is understood once."""
        if self._depth >= _DEEPEST:
            raise SourceError(f"model {path[:80]!r} is nested more than {_DEEPEST} deep")
        # The text outlives this object, so no other configuration can get the id of one that is gone.
        if id(layer.values) not in self._models:
            self._models[id(layer.values)] = model_of(layer)
        model = self._models[id(layer.values)]
        if len(read) < len(model.inputs):
            raise SourceError(f"model {path[:80]!r} takes {len(model.inputs)} tensors, not {len(read)}")
        self._depth += 1
        # What follows the inner inputs are masks and the like.
        returned = self.walk(model, read[: len(model.inputs)], f"{path}/")
        self._depth -= 1
        return returned

    def _infer_inner(self, layer: LayerText, read: tuple[Symbol, ...]) -> Outcome:
        """Infer a call of a layer that another one wraps; a wrapped model counts as one layer."""
        self._budget.spend()
        if not layer.is_model:
            call = Call(layer.kind, layer.settings(), read, {}, read, layer.is_old, self._infer_inner)
            return self._inferred(layer, layer.name, call)
        inner = Flattener(ask=self.ask, _depth=self._depth + 1, _budget=self._budget)
        returned = inner._enter(layer, read, layer.name)
        weights = {weight.name: weight for item in inner.layers for weight in item.weights}
        return Outcome(
            tuple(symbol.shape for symbol in returned),
            tuple(Part(weight.name, weight.elements, weight.trainable) for weight in weights.values()),
            macs=sum(item.macs for item in inner.layers),
        )

    def _append(self, layer: LayerText, path: str, read: tuple[Symbol, ...], outcome: Outcome) -> list[Symbol]:
        settings = layer.settings(path)
        kind = outcome.kind or layer.kind
        dtype = outcome.dtype or dtype_of(settings)
        symbols = [Symbol(f"{len(self.layers)}:{at}", shape, dtype) for at, shape in enumerate(outcome.shapes)]
        symbols[:1] = [replace(symbol, values=outcome.values) for symbol in symbols[:1]]
        self._budget.arguments -= len(symbols)
        geometry = {field.name: getattr(outcome, field.name) for field in fields(Geometry)}
        if outcome.activation is not None:
            geometry["activation"] = escape_control(outcome.activation)[:_SHOWN]
        owner = path if layer.identity is None else f"#{layer.identity}/{layer.name}"
        self.layers.append(
            Layer(
                name=path,
                type=escape_control(kind)[:_SHOWN],
                inputs=tuple(symbol.name for symbol in read),
                outputs=tuple(Tensor(symbol.name, symbol.shape[1:], symbol.dtype) for symbol in symbols),
                weights=tuple(
                    Weight(f"{owner}/{part.name}", part.elements, part.trainable) for part in outcome.weights
                ),
                layout=layout_of(kind, settings.get("data_format")),
                **geometry,
            )
        )
        return symbols

    def _inferred(self, layer: LayerText, path: str, call: Call) -> Outcome:
        mode, settings = quantised(call.settings), call.settings
        if mode is not None and self.ask is None:
            raise SourceError(
                f"{settings.owner} is quantised to {escape_control(mode)}, whose weights the text does not describe"
            )
        try:
            outcome = _ruled(layer, call)
        except SourceError:
            if self.ask is None:
                raise
            outcome = self.ask(path, call)
        if mode is not None and self.ask is not None:
            outcome = replace(outcome, weights=self.ask(path, call).weights)
        _check(outcome, settings.owner)
        if settings.flag("trainable", True):
            return outcome
        return replace(outcome, weights=tuple(replace(part, trainable=False) for part in outcome.weights))


def _filled(value: Any, tensor: Callable[[Reference], Symbol]) -> Any:
    """Return arguments with the tensors that stand for references."""
    if isinstance(value, Reference):
        return tensor(value)
    if isinstance(value, list):
        return [_filled(item, tensor) for item in value]
    return {key: _filled(item, tensor) for key, item in value.items()} if isinstance(value, dict) else value


def _ruled(layer: LayerText, call: Call) -> Outcome:
    rule = find_rule(layer, call.settings)
    try:
        return rule(call)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Settings are checked where they are read; this is for what does not fit each other in a crafted text.
        shapes = ", ".join(written(symbol.shape) for symbol in call.inputs[:4])
        raise SourceError(f"{call.settings.owner} does not fit what it reads: {shapes}") from error


def _check(outcome: Outcome, owner: str) -> None:
    for shape in outcome.shapes:
        if len(shape) > _MAX_AXES + 1 or not all(0 <= size <= MAX_SIZE for size in shape):
            raise SourceError(f"{owner} would return a tensor of shape {written(shape)[:80]}")
        if math.prod(shape) > MAX_COUNT:
            raise SourceError(f"{owner} would return a tensor that is too large: {written(shape)[:80]}")
    if max((outcome.macs, *(part.elements for part in outcome.weights))) > MAX_COUNT:
        raise SourceError(f"{owner} is too large for any device")


def find_rule(layer: LayerText, settings: Settings) -> Rule:
    """Return the rule that infers the calls of a layer.

    Operations of Keras 3 that are no layers share names with layers; their module distinguishes them. Classes
    of others' are known by name where their name is unmistakable.

    Args:
        layer: the layer.
        settings: its configuration, for messages.

    Raises:
        SourceError: none is known.
    """
    if ".ops." in layer.origin and layer.kind in operations.RULES:
        return operations.RULES[layer.kind]
    if ".ops." not in layer.origin and layer.origin.split(".")[0] in _ROOTS and layer.kind in _LAYERS:
        return _LAYERS[layer.kind]
    if layer.kind in elementwise.OF_OTHERS:
        return elementwise.OF_OTHERS[layer.kind]
    raise SourceError(f"layer {settings.layer!r} is a {settings.kind}, a type whose output shape is not known")
