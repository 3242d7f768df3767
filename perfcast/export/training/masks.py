"""What is trained: the weights whose gradients a program computes, in each step or where they are drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.text import escape_control

if TYPE_CHECKING:
    import keras

_BIASES = ("bias", "beta")
_DRAWN = re.compile(r"(layers|filters)_([1-9][0-9]?)")
_ONLY = "only_"


@dataclass(frozen=True)
class Layer:
    """A layer that has weights to train, and those."""

    layer: Any
    weights: list[Any]


@dataclass(frozen=True)
class Mask:
    """What a program trains.

    Attributes:
        layers: those with weights that some step trains.
        drawn: of what each step draws its share: `layers`, `filters` of each layer, or nothing: it trains all.
        share: of them that a step trains.
    """

    layers: list[Layer]
    drawn: str = ""
    share: float = 1.0

    @property
    def weights(self) -> list[Any]:
        """All weights that some step trains, in the layers' order."""
        return [weight for layer in self.layers for weight in layer.weights]


def mask_of(model: keras.Model, trained: str) -> Mask:
    """Return what is trained, as the factor `trained` names it.

    Args:
        model: any Keras model.
        trained: `all`; `biases`; `last_<k>`: the last k layers that have weights to train; `only_<layer>+<layer>`;
            `layers_<percent>` or `filters_<percent>`, of which 100 is `all`.

    Raises:
        SourceError: the model has none.
    """
    drawn = _DRAWN.fullmatch(trained)
    if drawn:
        mask = Mask(_layers_of(model), drawn[1], int(drawn[2]) / 100)
    elif trained == "biases":
        mask = Mask([Layer(None, [weight for weight in model.trainable_variables if weight.name in _BIASES])])
    elif trained in ("all", "layers_100", "filters_100"):
        mask = Mask([Layer(None, model.trainable_variables)])
    elif trained.startswith(_ONLY):
        mask = Mask([Layer(None, _of_named_layers(model, trained.removeprefix(_ONLY).split("+")))])
    else:
        mask = Mask(_last_layers(model, int(trained.removeprefix("last_"))))
    if not mask.weights:
        raise SourceError(f"it cannot be trained: it has no weights to train ({trained})")
    return mask


def _layers_of(model: keras.Model) -> list[Layer]:
    """Return the layers that have weights to train of their own."""
    trainable = {id(weight) for weight in model.trainable_variables}
    found = []
    for layer in model._flatten_layers():
        own = [weight for weight in layer._trainable_variables if id(weight) in trainable]
        trainable -= {id(weight) for weight in own}
        found.append(Layer(layer, own))
    return [layer for layer in found if layer.weights]


def _last_layers(model: keras.Model, count: int) -> list[Layer]:
    layers = _layers_of(model)
    if count > len(layers):
        raise SourceError(f"it cannot be trained so: it has {len(layers)} layers with weights, not {count}")
    return layers[-count:]


def _of_named_layers(model: keras.Model, names: list[str]) -> list[Any]:
    """Return the weights of layers, of those inside them, too, in the model's order."""
    inside: dict[str, set[int]] = {}
    for layer in model._flatten_layers(include_self=False):
        if weights := {id(weight) for weight in layer.trainable_variables}:
            inside[layer.name] = inside.get(layer.name, set()) | weights
    for name in names:
        if name not in inside:
            nearest = get_close_matches(name, list(inside), 1, 0) if inside else []
            advice = "".join(f"; the nearest is {escape_control(each)}" for each in nearest)
            raise SourceError(f"it cannot be trained so: it has no layer {escape_control(name)} with weights{advice}")
    chosen = set().union(*(inside[name] for name in names))
    return [weight for weight in model.trainable_variables if id(weight) in chosen]
