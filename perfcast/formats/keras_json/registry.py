"""Which rule infers which class of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import SourceError
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perfcast.formats.keras_json.call import Call, Outcome
    from perfcast.formats.keras_json.document import LayerText
    from perfcast.formats.keras_json.settings import Settings

    Rule = Callable[[Call], Outcome]

_ROOMS = (elementwise, moves, preprocessing, products, recurrent, tensorflow, windows, wrappers)
_LAYERS: Mapping[str, Rule] = {kind: rule for room in _ROOMS for kind, rule in room.RULES.items()}
_ROOTS = ("", "keras", "tf_keras", "tensorflow")


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
