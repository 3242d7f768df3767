"""Which rule infers which class of layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.keras_json.rules import (
    attention,
    convolutions,
    customs,
    dense,
    merges,
    normalisations,
    operations,
    pointwise,
    poolings,
    preprocessing,
    recurrent,
    reshaping,
    tensorflow,
    wrappers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perfcast.formats.keras_json.call import Call, Outcome
    from perfcast.formats.keras_json.document import LayerText
    from perfcast.formats.keras_json.settings import Settings

    Rule = Callable[[Call], Outcome]

_LAYERS: Mapping[str, Rule] = {
    **attention.RULES,
    **convolutions.RULES,
    **dense.RULES,
    **merges.RULES,
    **normalisations.RULES,
    **pointwise.RULES,
    **poolings.RULES,
    **preprocessing.RULES,
    **recurrent.RULES,
    **reshaping.RULES,
    **tensorflow.RULES,
    **wrappers.RULES,
}
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
    if layer.kind in customs.RULES:
        return customs.RULES[layer.kind]
    raise SourceError(f"layer {settings.layer!r} is a {settings.kind}, a type whose output shape is not known")
