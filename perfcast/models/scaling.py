"""The complexity-scaling document's classifiers: `fashion_mnist_<layers>_<filterSize>`, `text_<layers>_<filterSize>`.

With 4 layers they are what it prints: a convolution as wide as its input, pooling over all that is left, and two dense
layers. It says that 6, 8 and 10 layers add a convolution and a pooling layer each time, not which. Here each such pair
stands before the printed one: a convolution of `filter_size` x `filter_size` that keeps the size, then pooling that
halves the width, rounded up, and leaves the height, so that filters of any size fit at any depth. docs/scaling.md says
what speaks for that.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import only, refuse_too_large, whole_number
from perfcast.models.spec import ModelSpec
from perfcast.network.macs import convolution_macs, dense_macs

if TYPE_CHECKING:
    import keras

SOURCE = "scaling"
"""What model specs of this catalogue carry as `source`."""

DROPOUT = 0.75
"""Share of the units that training drops, as in the document; inference drops none."""

_UNITS = 64
_MIN_LAYERS, _MAX_LAYERS = 4, 200
_MAX_VALUE = 10_000
_MAX_WORDS = 10_000_000


@dataclass(frozen=True)
class Classifier:
    """One of the two networks.

    Attributes:
        size: height and width in pixels, or number of positions, in the document.
        classes: what it tells apart.
        defaults: the parameters that the document does not vary, and their values.
        limits: the largest value of each of these.
    """

    size: int
    classes: int
    defaults: dict[str, int]
    limits: dict[str, int]


CLASSIFIERS = {
    "fashion_mnist": Classifier(
        28, 10, {"filters": 64, "channels": 1}, {"filters": _MAX_VALUE, "channels": _MAX_VALUE}
    ),
    "text": Classifier(
        56,
        2,
        {"filters": 64, "embedding": 256, "vocabulary": 20_000},
        {"filters": _MAX_VALUE, "embedding": _MAX_VALUE, "vocabulary": _MAX_WORDS},
    ),
}
"""The catalogue's builders by name, which are its families too."""


@dataclass(frozen=True)
class Pair:
    """A convolution and the pooling after it.

    Attributes:
        kernel: of the convolution, whole shape as Keras stores it.
        output: height and width of what the convolution returns.
        pool: height and width of what is pooled into one.
        is_last: whether the convolution is as wide as its input and unpadded; else it keeps the size.
    """

    kernel: tuple[int, int, int, int]
    output: tuple[int, int]
    pool: tuple[int, int]
    is_last: bool


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one classifier.

    Args:
        builder: a key of `CLASSIFIERS`.
        input_shape: height and width of an image, its channels being a parameter; or the number of positions of a
            text, which may be given twice.
        parameters: `layers` (convolutions, poolings and two dense layers: even), `filter_size`, and those of the
            classifier that differ from its defaults.

    Raises:
        UsageError: the builder or a parameter is unknown or out of bounds, the filter is larger than the input, or the
            network would be too large.
    """
    if builder not in CLASSIFIERS:
        raise UsageError(f"unknown builder {builder!r}; the scaling families are {', '.join(CLASSIFIERS)}")
    values = _values(CLASSIFIERS[builder], parameters)
    name = _name(builder, values)
    shape = _input_shape(builder, input_shape, values)
    if values["filter_size"] > shape[0]:
        raise UsageError(f"{name} is impossible: filter_size {values['filter_size']} exceeds its input of {shape[0]}")
    spec = ModelSpec(name, builder, SOURCE, builder, shape, values)
    refuse_too_large(name, *_size(spec))
    return spec


def _values(classifier: Classifier, parameters: dict[str, Any]) -> dict[str, int]:
    only(parameters, ("layers", "filter_size", *classifier.defaults))
    layers = whole_number(parameters, "layers", _MAX_LAYERS)
    if layers < _MIN_LAYERS or layers % 2:
        raise UsageError(f"parameter 'layers' must be an even number from {_MIN_LAYERS}, not {layers}")
    values = {"layers": layers, "filter_size": whole_number(parameters, "filter_size", _MAX_VALUE)}
    given = classifier.defaults | parameters
    return values | {key: whole_number(given, key, most) for key, most in classifier.limits.items()}


def _name(builder: str, values: dict[str, int]) -> str:
    defaults = CLASSIFIERS[builder].defaults
    variant = "".join(f"_{key}{values[key]}" for key in defaults if values[key] != defaults[key])
    return f"{builder}_{values['layers']}_{values['filter_size']}{variant}"


def _input_shape(builder: str, given: tuple[int, ...], values: dict[str, int]) -> tuple[int, ...]:
    if "channels" in values:
        return (*given[:2], values["channels"])
    if len(set(given[:2])) > 1:
        raise UsageError(f"{builder}: its input is one row of positions; give one length, not {given[0]}x{given[1]}")
    return given[:1]


def pairs_of(spec: ModelSpec) -> list[Pair]:
    """Return the convolutions of a classifier with the poolings after them, in order."""
    values = spec.parameters
    image = spec.input_shape if len(spec.input_shape) > 1 else (*spec.input_shape, values["embedding"], 1)
    height, width, channels = image
    size, filters = values["filter_size"], values["filters"]
    pairs = []
    for _ in range(values["layers"] // 2 - 2):
        pairs.append(Pair((size, size, channels, filters), (height, width), (1, 2), False))
        width, channels = math.ceil(width / 2), filters
    left = height - size + 1
    return [*pairs, Pair((size, width, channels, filters), (left, 1), (left, 1), True)]


def _size(spec: ModelSpec) -> tuple[int, int]:
    """Return the number of weights and of multiply-accumulates of an inference."""
    pairs, values = pairs_of(spec), spec.parameters
    widths = (values["filters"], _UNITS, CLASSIFIERS[spec.builder].classes)
    dense = [*itertools.pairwise(widths)]
    weights = values.get("vocabulary", 0) * values.get("embedding", 0)
    weights += sum(math.prod(pair.kernel) + values["filters"] for pair in pairs)
    weights += sum(math.prod(matrix) + matrix[-1] for matrix in dense)
    macs = sum(convolution_macs(pair.output, pair.kernel) for pair in pairs)
    return weights, macs + sum(dense_macs((), matrix) for matrix in dense)


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`."""
    return build_to_train(spec, DROPOUT)


def build_to_train(spec: ModelSpec, dropout: float) -> keras.Model:
    """Return the network of `spec` with another share of dropped units; its layers are named as the document's."""
    from keras import Input, Model, layers

    values = spec.parameters
    is_text = "embedding" in values
    inputs = tensor = Input(spec.input_shape, dtype="int32" if is_text else "float32", name="input_1")
    if is_text:
        tensor = layers.Embedding(values["vocabulary"], values["embedding"], name="embedding_1")(tensor)
        tensor = layers.Reshape((*spec.input_shape, values["embedding"], 1), name="reshape_1")(tensor)
    for number, pair in enumerate(pairs_of(spec), 1):
        padding = "valid" if pair.is_last else "same"
        filters, kernel = values["filters"], pair.kernel[:2]
        convolution = layers.Conv2D(filters, kernel, padding=padding, activation="relu", name=f"conv2d_{number}")
        tensor = layers.MaxPooling2D(pair.pool, padding=padding, name=f"max_pooling2d_{number}")(convolution(tensor))
    tensor = layers.Flatten(name="flatten_1")(tensor)
    tensor = layers.Dense(_UNITS, activation="relu", name="dense_1")(tensor)
    tensor = layers.Dropout(dropout, name="dropout_1")(tensor)
    classes = CLASSIFIERS[spec.builder].classes
    outputs = layers.Dense(classes, activation="softmax", name="dense_2")(tensor)
    return Model(inputs, outputs, name=spec.name)
