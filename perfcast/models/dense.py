"""Fully connected networks: `mlp_<layers>_<units>`."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import only, refuse_too_large, whole_number
from perfcast.models.spec import ModelSpec
from perfcast.network.macs import dense_macs

if TYPE_CHECKING:
    import keras

SOURCE = "dense"
"""What model specs of this catalogue carry as `source`."""

BUILDER = "mlp"
"""The one builder of this catalogue, and the family of all it builds."""

_PARAMETERS = ("layers", "units")
_CLASSES = 10
_MAX_LAYERS = 1_000
_MAX_UNITS = 100_000


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one fully connected network.

    Args:
        builder: `mlp`.
        input_shape: height, width and channels of the image that is flattened.
        parameters: `layers`, the hidden ones, and `units` of each.

    Raises:
        UsageError: the builder or a parameter is unknown or out of bounds, or the network would be too large.
    """
    if builder != BUILDER:
        raise UsageError(f"unknown builder {builder!r}; the fully connected networks' builder is {BUILDER!r}")
    only(parameters, _PARAMETERS)
    layers = whole_number(parameters, "layers", _MAX_LAYERS)
    units = whole_number(parameters, "units", _MAX_UNITS)
    values = {"layers": layers, "units": units}
    name = f"{BUILDER}_{layers}_{units}"
    widths = [math.prod(input_shape), *[units] * layers, _CLASSES]
    macs = sum(dense_macs((), matrix) for matrix in itertools.pairwise(widths))
    refuse_too_large(name, macs + layers * units + _CLASSES, macs)
    return ModelSpec(name, BUILDER, SOURCE, BUILDER, input_shape, values)


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`: image flattened, dense ReLU layers, softmax layer of 10 classes."""
    from keras import Input, Model, layers

    inputs = Input(spec.input_shape, name="input")
    tensor = layers.Flatten(name="flatten")(inputs)
    for layer in range(spec.parameters["layers"]):
        tensor = layers.Dense(spec.parameters["units"], activation="relu", name=f"dense_{layer}")(tensor)
    outputs = layers.Dense(_CLASSES, activation="softmax", name="classes")(tensor)
    return Model(inputs, outputs, name=spec.name)
