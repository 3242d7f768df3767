"""From a parsed text to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.inputs import resolve_shapes
from perfcast.formats.keras_json.document import layer_of
from perfcast.formats.keras_json.flatten import Flattener
from perfcast.formats.keras_json.graph import model_of
from perfcast.formats.keras_json.settings import whole_number
from perfcast.network.network import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.formats.keras_json.document import LayerText, ModelText
    from perfcast.formats.keras_json.flatten import Ask
    from perfcast.network.network import Shape


def looks_like_keras(document: Any) -> bool:
    """Tell whether a parsed text is what `model.to_json()` wrote, and no descriptor of perfcast."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("class_name"), str)
        and isinstance(document.get("config"), dict | list)
    )


def network_of(document: Any, shapes: Mapping[str, Shape], ask: Ask | None = None) -> Network:
    """Return the network that a parsed text of Keras 2 or 3 describes.

    Args:
        document: what `model.to_json()` wrote, or a saved model's configuration.
        shapes: of inputs that it leaves open, see `perfcast.formats.inputs.parse_input_shapes`.
        ask: see `Flattener`.

    Raises:
        SourceError: it is not such a text, or does not determine a layer's output shape; one line that names the
            layer but not the file.
        UsageError: `shapes` do not fit its inputs, or an input stays open.
    """
    try:
        return _network_of(document, shapes, ask)
    except RecursionError as error:
        raise SourceError("the text is nested too deeply") from error


def _network_of(document: Any, shapes: Mapping[str, Shape], ask: Ask | None) -> Network:
    if not looks_like_keras(document):
        raise SourceError("is not a text of a Keras model: it has no class_name and config")
    whole = layer_of(document, "the text")
    if not whole.is_model:
        raise SourceError(f"the model {whole.kind[:80]!r} lists no layers; only functional and sequential ones do")
    model = model_of(whole)
    entries = _entries(model)
    settled = resolve_shapes({layer.name: _declared(layer) for layer in entries}, shapes)
    flattener = Flattener(ask=ask)
    inputs = [flattener.add_input(layer, settled[layer.name]) for layer in entries]
    outputs = flattener.walk(model, inputs, "")
    entered, left = (tuple(symbol.name for symbol in symbols) for symbols in (inputs, outputs))
    return Network(entered, left, tuple(flattener.layers))


def _entries(model: ModelText) -> list[LayerText]:
    named = [model.layers.get(reference.layer) for reference in model.inputs]
    entries = [layer for layer in named if layer is not None and layer.is_input]
    if len(entries) != len(named) or len({layer.name for layer in entries}) != len(entries):
        raise SourceError("'input_layers' must name each of the model's input layers once")
    return entries


def _declared(layer: LayerText) -> list[int | None] | None:
    """Return the shape that an input layer declares, the batch as first axis."""
    settings = layer.settings()
    key = next((key for key in ("batch_shape", "batch_input_shape") if settings.get(key) is not None), None)
    if key is None:
        return None
    shape = settings.get(key)
    sizes = [whole_number(size, 1) for size in shape] if isinstance(shape, list) else []
    if not sizes or any(size is None and told is not None for size, told in zip(sizes[1:], shape[1:], strict=True)):
        settings.refuse(key)
    return sizes
