"""Classics of training on devices: `lenet`, `resnet18` and `lstm`.

- `lenet`: LeNet-5 with tanh and average pooling (Y. LeCun et al., "Gradient-based learning applied to document
  recognition", 1998), its third layer fully connected: 61,706 parameters at 28x28x1 and 10 classes.
- `resnet18`: K. He et al., "Deep residual learning for image recognition", 2015: 11,689,512 trainable parameters at
  1,000 classes.
- `lstm`: a text classifier: embedding, LSTM layers (S. Hochreiter, J. Schmidhuber, "Long short-term memory", 1997), a
  dense softmax layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import only, refuse_too_large, whole_number
from perfcast.models.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

SOURCE = "classic"
"""What model specs of this catalogue carry as `source`."""

_MAX_VALUE = 10_000
_MAX_LAYERS = 100
_MAX_WORDS = 10_000_000
_GATES = 4
_STAGES = (64, 128, 256, 512)
_RESNET_WEIGHTS, _RESNET_MACS_PER_PIXEL = 11_200_000, 37_000
"""Without the last layer: rounded up from the sum of its layers, 1.82 billion multiply-accumulates at 224x224."""


@dataclass(frozen=True)
class Classic:
    """A builder.

    Attributes:
        defaults: its parameters and their values where a sheet names none.
        limits: the largest value of each.
        min_size: the smallest height and width, or length.
        build: from shape of the input and parameters to input and output tensors.
        size: from shape and parameters to the numbers of weights and of multiply-accumulates, roughly.
    """

    defaults: dict[str, int]
    limits: dict[str, int]
    min_size: int
    build: Callable[..., tuple[Any, Any]]
    size: Callable[..., tuple[int, int]]


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one network.

    Args:
        builder: a key of `BUILDERS`.
        input_shape: height and width of an image; length of a text, which may be given twice.
        parameters: those that differ from the builder's defaults: `classes`, `channels` of `lenet` and `resnet18`;
            `layers`, `units`, `embedding`, `vocabulary` and `classes` of `lstm`.

    Raises:
        UsageError: the builder or a parameter is unknown or out of bounds, or the network would be too large.
    """
    if builder not in BUILDERS:
        raise UsageError(f"unknown builder {builder!r}; the classic networks are {', '.join(BUILDERS)}")
    classic = BUILDERS[builder]
    only(parameters, tuple(classic.defaults))
    given = classic.defaults | parameters
    values = {key: whole_number(given, key, most) for key, most in classic.limits.items()}
    differing = [key for key in values if values[key] != classic.defaults[key]]
    name = builder + "".join(f"_{key}{values[key]}" for key in differing)
    if min(input_shape[:2]) < classic.min_size:
        raise UsageError(f"{name} takes inputs of at least {classic.min_size}, not {min(input_shape[:2])}")
    is_text = "vocabulary" in values
    if is_text and len(set(input_shape[:2])) > 1:
        raise UsageError(f"{name}: its input is one row of words; give one length")
    shape = input_shape[:1] if is_text else (*input_shape[:2], values["channels"])
    refuse_too_large(name, *classic.size(shape, **values))
    return ModelSpec(name, builder, SOURCE, builder, shape, values)


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`."""
    from keras import Model

    inputs, outputs = BUILDERS[spec.builder].build(spec.input_shape, **spec.parameters)
    return Model(inputs, outputs, name=spec.name)


def _lenet(shape: tuple[int, ...], channels: int, classes: int) -> tuple[Any, Any]:
    from keras import Input, layers

    inputs = tensor = Input(shape, name="input")
    for filters, padding in ((6, "same"), (16, "valid")):
        tensor = layers.Conv2D(filters, 5, padding=padding, activation="tanh")(tensor)
        tensor = layers.AveragePooling2D(2)(tensor)
    tensor = layers.Flatten()(tensor)
    for units in (120, 84):
        tensor = layers.Dense(units, activation="tanh")(tensor)
    return inputs, layers.Dense(classes, activation="softmax", name="classes")(tensor)


def _size_of_lenet(shape: tuple[int, ...], channels: int, classes: int) -> tuple[int, int]:
    inner = [side // 2 - 4 for side in shape[:2]]
    first, second = 25 * channels * 6, 25 * 6 * 16
    dense = math.prod(side // 2 for side in inner) * 16 * 120 + 120 * 84 + 84 * classes
    return first + second + dense, math.prod(shape[:2]) * first + math.prod(inner) * second + dense


def _resnet18(shape: tuple[int, ...], channels: int, classes: int) -> tuple[Any, Any]:
    from keras import Input, layers

    inputs = Input(shape, name="input")
    tensor = layers.ReLU()(_normalised(inputs, 64, 7, 2))
    tensor = layers.MaxPooling2D(3, 2, padding="same")(tensor)
    for stage, filters in enumerate(_STAGES):
        for block in range(2):
            tensor = _block(tensor, filters, 2 if stage and not block else 1)
    tensor = layers.GlobalAveragePooling2D()(tensor)
    return inputs, layers.Dense(classes, activation="softmax", name="classes")(tensor)


def _normalised(tensor: Any, filters: int, kernel: int, strides: int) -> Any:
    from keras import layers

    convolution = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False)
    return layers.BatchNormalization(epsilon=1e-5)(convolution(tensor))


def _block(tensor: Any, filters: int, strides: int) -> Any:
    from keras import layers

    shortcut = tensor
    if strides > 1 or tensor.shape[-1] != filters:
        shortcut = _normalised(tensor, filters, 1, strides)
    inner = layers.ReLU()(_normalised(tensor, filters, 3, strides))
    return layers.ReLU()(layers.Add()([_normalised(inner, filters, 3, 1), shortcut]))


def _size_of_resnet18(shape: tuple[int, ...], channels: int, classes: int) -> tuple[int, int]:
    stem = 49 * 64 * channels
    head = _STAGES[-1] * classes
    return _RESNET_WEIGHTS + stem + head, shape[0] * shape[1] * (_RESNET_MACS_PER_PIXEL + stem // 4) + head


def _lstm(
    shape: tuple[int, ...], layers: int, units: int, embedding: int, vocabulary: int, classes: int
) -> tuple[Any, Any]:
    from keras import Input
    from keras import layers as keras_layers

    inputs = Input(shape, dtype="int32", name="input")
    tensor = keras_layers.Embedding(vocabulary, embedding)(inputs)
    for layer in range(layers):
        tensor = keras_layers.LSTM(units, return_sequences=layer < layers - 1)(tensor)
    return inputs, keras_layers.Dense(classes, activation="softmax", name="classes")(tensor)


def _size_of_lstm(
    shape: tuple[int, ...], layers: int, units: int, embedding: int, vocabulary: int, classes: int
) -> tuple[int, int]:
    widths = [embedding, *[units] * (layers - 1)]
    recurrent = sum(_GATES * units * (width + units) for width in widths)
    return vocabulary * embedding + recurrent + units * classes, shape[0] * recurrent + units * classes


_IMAGE_LIMITS = {"channels": _MAX_VALUE, "classes": _MAX_VALUE}
BUILDERS = {
    "lenet": Classic({"channels": 1, "classes": 10}, _IMAGE_LIMITS, 12, _lenet, _size_of_lenet),
    "resnet18": Classic({"channels": 3, "classes": 1000}, _IMAGE_LIMITS, 32, _resnet18, _size_of_resnet18),
    "lstm": Classic(
        {"layers": 1, "units": 128, "embedding": 128, "vocabulary": 20_000, "classes": 2},
        {
            "layers": _MAX_LAYERS,
            "units": _MAX_VALUE,
            "embedding": _MAX_VALUE,
            "vocabulary": _MAX_WORDS,
            "classes": _MAX_VALUE,
        },
        1,
        _lstm,
        _size_of_lstm,
    ),
}
"""The catalogue's builders by name, which are its families too."""
