"""A model's graph: its layers by name, and the calls that lead from its inputs to its outputs, in Keras' order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.document import (
    CallText,
    LayerText,
    ModelText,
    Reference,
    call_of,
    layer_of,
    references_of,
)
from perfcast.formats.keras_json.settings import shown
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perfcast.formats.keras_json.document import Step

MAX_LAYERS = 100_000
"""Layers that a network may have; the largest published ones have some thousands."""


def model_of(layer: LayerText) -> ModelText:
    """Return the model that a layer is.

    Raises:
        SourceError: its text is not as Keras writes it, or its calls lead nowhere or in circles.
    """
    listed = layer.values["layers"]
    if not isinstance(listed, list) or not listed or len(listed) > MAX_LAYERS:
        raise SourceError(f"model {layer.name[:80]!r} must have between 1 and {MAX_LAYERS:,} layers")
    if "input_layers" in layer.values or "output_layers" in layer.values:
        return _functional(layer, listed)
    return _sequential(layer, listed)


def _functional(model: LayerText, listed: list[Any]) -> ModelText:
    owner = f"model {model.name[:80]!r}"
    pairs = [(layer_of(value, owner), value) for value in listed]
    names = frozenset(layer.name for layer, _ in pairs)
    if len(names) != len(pairs):
        raise SourceError(f"{owner}: two layers have the same name")
    layers = {layer.name: replace(layer, calls=_calls(layer, value, names)) for layer, value in pairs}
    inputs, outputs = (references_of(model.values.get(key), key) for key in ("input_layers", "output_layers"))
    graph = ModelText(layers, inputs, outputs, (), _skipped_calls(layers, outputs))
    return replace(graph, steps=ordered_steps(graph, owner))


def _skipped_calls(layers: dict[str, LayerText], outputs: tuple[Reference, ...]) -> dict[str, int]:
    """Return how many calls the text counts of each nested model before those that it lists.

    Keras counts the call that made a nested model by itself as its first, and lists it nowhere: all generations do
    so for functional models, Keras 2 for sequential ones too unless they were built late.
    """
    used: dict[str, set[int]] = {layer.name: set() for layer in layers.values() if layer.is_model}
    read = [reference for layer in layers.values() for call in layer.calls for reference in call.references()]
    for reference in (*read, *outputs):
        if reference.layer in used:
            used[reference.layer].add(reference.call)
    return {name: int(_skips_one(layers[name], calls)) for name, calls in used.items()}


def _skips_one(layer: LayerText, used: set[int]) -> bool:
    if 0 in used:
        return False
    return len(layer.calls) in used or layer.is_old or layer.kind != "Sequential"


def _calls(layer: LayerText, value: dict[str, Any], names: frozenset[str]) -> tuple[CallText, ...]:
    owner = layer.settings().owner
    nodes = value.get("inbound_nodes", [])
    if not isinstance(nodes, list):
        raise SourceError(f"{owner}: 'inbound_nodes' cannot be {shown(nodes)}")
    if nodes and isinstance(nodes[0], str):
        # tf.keras writes the one call of an operation without a list around it.
        nodes = [nodes]
    return tuple(call_of(node, names, owner) for node in nodes)


def _sequential(model: LayerText, listed: list[Any]) -> ModelText:
    """Return the chain of a sequential model's layers; an input layer is added where it has none."""
    owner = f"model {model.name[:80]!r}"
    chain = [layer_of(value, owner) for value in listed]
    if not chain[0].is_input:
        shape = chain[0].values.get("batch_input_shape") or chain[0].values.get("batch_shape")
        shape = shape or _built_shape(model) or _inner_shape(chain[0])
        values = {"batch_shape": shape, "dtype": chain[0].values.get("dtype")}
        chain.insert(0, LayerText(f"{chain[0].name}_input", "InputLayer", chain[0].origin, values, ()))
    layers = {chain[0].name: chain[0]}
    for before, layer in itertools.pairwise(chain):
        if layer.name in layers or layer.is_input:
            raise SourceError(f"{owner}: two layers are named {layer.name[:80]!r}, or one is a second input")
        layers[layer.name] = replace(layer, calls=(CallText((Reference(before.name, 0, 0),), {}),))
    steps = tuple((layer.name, 0) for layer in chain[1:])
    return ModelText(layers, (Reference(chain[0].name, 0, 0),), (Reference(chain[-1].name, 0, 0),), steps, {})


def _built_shape(model: LayerText) -> list[Any] | None:
    """Return the shape that a model without an input layer was first called at; others may have another batch."""
    shape = model.values.get("build_input_shape")
    return [None, *shape[1:]] if isinstance(shape, list) and shape else None


def _inner_shape(layer: LayerText) -> Any:
    """Return the shape that the input layer of a nested model, or of one nested in that, tells."""
    while layer.is_model and layer.values["layers"]:
        if _built_shape(layer):
            return _built_shape(layer)
        layer = layer_of(layer.values["layers"][0], f"model {layer.name[:80]!r}")
    return layer.values.get("batch_input_shape") or layer.values.get("batch_shape")


def ordered_steps(model: ModelText, owner: str) -> tuple[Step, ...]:
    """Return the calls that lead from a model's inputs to its outputs, input layers left out.

    Args:
        model: its layers, inputs and outputs; its own `steps` are not read.
        owner: the model in words, for messages.

    Raises:
        SourceError: a call reads what no call returns, or what depends on itself.
    """
    entries = {model.step(reference) for reference in model.inputs}
    parents: dict[Step, list[Step]] = {}
    finished = _depth_first(model, entries, parents, owner)
    by_depth: dict[int, list[Step]] = {}
    for step, depth in _depths(finished, parents).items():
        by_depth.setdefault(depth, []).append(step)
    steps = (step for _, steps in sorted(by_depth.items(), reverse=True) for step in steps)
    return tuple(step for step in steps if step not in entries)


def _depth_first(model: ModelText, entries: set[Step], parents: dict[Step, list[Step]], owner: str) -> list[Step]:
    """Return the calls that outputs depend on, each after all that it reads; note what each reads in `parents`."""
    finished: dict[Step, None] = {}
    for reference in model.outputs:
        stack = [_entered(model, _step(model, reference, owner), entries, parents, owner)]
        while stack:
            step, following = stack[-1]
            parent = next(following, None)
            if parent is None:
                finished[step] = None
                stack.pop()
            elif parent not in parents:
                stack.append(_entered(model, parent, entries, parents, owner))
            elif parent not in finished:
                raise SourceError(f"{owner}: layer {parent[0][:80]!r} depends on its own output")
    return list(finished)


def _entered(
    model: ModelText, step: Step, entries: set[Step], parents: dict[Step, list[Step]], owner: str
) -> tuple[Step, Iterator[Step]]:
    if step not in parents:
        parents[step] = [] if step in entries else _read(model, step, owner)
        return step, iter(parents[step])
    return step, iter(())


def _read(model: ModelText, step: Step, owner: str) -> list[Step]:
    references = model.call(step).references() if not model.layers[step[0]].is_input else []
    layer = model.layers[step[0]]
    if not references and layer.kind == "TFOpLambda":
        function = escape_control(str(layer.values.get("function")))[:80]
        raise SourceError(f"{owner}: the text does not record what layer {step[0][:80]!r} (tf.{function}) reads")
    if not references:
        raise SourceError(f"{owner}: layer {step[0][:80]!r} does not depend on the model's inputs")
    return [_step(model, reference, owner) for reference in references]


def _step(model: ModelText, reference: Reference, owner: str) -> Step:
    layer = model.layers.get(reference.layer)
    if layer is None:
        raise SourceError(f"{owner}: there is no layer {reference.layer[:80]!r}, which another one reads")
    step = model.step(reference)
    if not 0 <= step[1] < (1 if layer.is_input else len(layer.calls)):
        raise SourceError(f"{owner}: layer {layer.name[:80]!r} is not called as often as its readers say")
    return step


def _depths(finished: list[Step], parents: dict[Step, list[Step]]) -> dict[Step, int]:
    """Return how far each call is from the outputs, in the order that `keras.Function` notes it."""
    depths: dict[Step, int] = {}
    of_layers: dict[str, int] = {}
    for step in reversed(finished):
        # All calls of a shared layer count as deep as the deepest one that was met.
        depth = max(depths.setdefault(step, 0), of_layers.get(step[0], 0))
        of_layers[step[0]] = depths[step] = depth
        for parent in parents[step]:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    return depths
