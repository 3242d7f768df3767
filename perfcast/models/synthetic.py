"""Random synthetic CNNs: `basic_model_<convLayers>_<filterSize>_<numFilters>_<numStrides>`.

One design, so that four numbers describe a network: `convLayers` blocks of a convolution without bias and
padding, batch normalisation and ReLU, all with `numFilters` square filters of `filterSize`; the convolutions
of the odd blocks (the first, the third, …) move by `numStrides` pixels, the others by one. Global average
pooling and a dense softmax layer of 10 classes end it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import is_too_large, only, refuse_too_large, whole_number
from perfcast.models.spec import ModelSpec
from perfcast.network.macs import convolution_macs, dense_macs
from perfcast.network.records import FLOAT_BYTES
from perfcast.schema import check_values, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    import numpy as np

SOURCE = "synthetic"
"""What model specs of this catalogue carry as `source`."""

BUILDER = "basic_model"
"""The one builder of this catalogue, and the family of all it builds."""

PARAMETERS = ("conv_layers", "filter_size", "filters", "strides")
"""The builder's parameters, in the order in which a network's name holds them."""

_CLASSES = 10
_CHANNELS = 3
_MAX_VALUE = 10_000
_MAX_COMBINATIONS = 2_000_000


def _described() -> dict[str, Any]:
    # Not by way of `perfcast.config`, which knows the toolchains: what they are does not change a model.
    config = load("config.schema.yaml")
    return config["properties"]["models"]["properties"]["synthetic"] | {"$defs": config["$defs"]}


def _default(name: str) -> tuple[int, ...]:
    return tuple(_described()["properties"][name]["default"])


@dataclass(frozen=True)
class SyntheticRequest:
    """How many networks to draw, and from what.

    Attributes:
        count: how many networks.
        conv_layers, filter_sizes, filters, strides: the values that each parameter is drawn from.
        input_sizes: heights (= widths) in pixels that a network's input is drawn from.
        memory_budget_mb: most MB (10^6 bytes) of weights and the two activations largest together.
        macs_budget: most multiply-accumulates of one inference.
        seed: the seed of the draw.

    Raises:
        UsageError: a value is not as the configuration's schema says, or there are too many combinations.
    """

    count: int
    conv_layers: tuple[int, ...] = field(default_factory=partial(_default, "conv_layers"))
    filter_sizes: tuple[int, ...] = field(default_factory=partial(_default, "filter_sizes"))
    filters: tuple[int, ...] = field(default_factory=partial(_default, "filters"))
    strides: tuple[int, ...] = field(default_factory=partial(_default, "strides"))
    input_sizes: tuple[int, ...] = field(default_factory=partial(_default, "input_sizes"))
    memory_budget_mb: float | None = None
    macs_budget: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        given = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        check_values(given, _described(), "random networks")
        if self.combinations > _MAX_COMBINATIONS:
            raise UsageError(
                f"the synthetic networks' ranges have {self.combinations} combinations; "
                f"name fewer values, at most {_MAX_COMBINATIONS} combinations"
            )

    @property
    def combinations(self) -> int:
        """The number of combinations of the four parameters, possible or not."""
        return math.prod(map(len, (self.conv_layers, self.filter_sizes, self.filters, self.strides)))


@dataclass(frozen=True)
class SyntheticDraw:
    """What was drawn.

    Attributes:
        specs: the networks, in the order drawn; no two share all four parameters.
        discarded: combinations that came up and were discarded, as impossible or too large at every size or over
            budget.
    """

    specs: tuple[ModelSpec, ...]
    discarded: int


@dataclass(frozen=True)
class Cost:
    """What a network takes: multiply-accumulates, bytes of weights and largest activations, number of weights."""

    macs: int
    memory_bytes: int
    weights: int


def draw(request: SyntheticRequest) -> SyntheticDraw:
    """Return networks drawn at random, each combination of the four parameters at most once.

    Raises:
        UsageError: fewer than `request.count` are possible; the message says how many are.
    """
    import numpy as np  # Sheets are read where nothing but Snakemake is installed.

    generator = np.random.default_rng(request.seed)
    specs: list[ModelSpec] = []
    discarded = 0
    for parameters in _shuffled(request, generator):
        if len(specs) == request.count:
            break
        sizes = [size for size in request.input_sizes if _fits(parameters, size, request)]
        if sizes:
            size = int(generator.choice(sizes))
            specs.append(make_spec(BUILDER, (size, size, _CHANNELS), parameters))
        else:
            discarded += 1
    if len(specs) < request.count:
        raise UsageError(
            f"{request.count} synthetic networks were asked for, but only {len(specs)} of the "
            f"{request.combinations} combinations are possible; ask for fewer or widen ranges and budgets"
        )
    return SyntheticDraw(tuple(specs), discarded)


def _shuffled(request: SyntheticRequest, generator: np.random.Generator) -> Iterator[dict[str, int]]:
    import numpy as np

    values = (request.conv_layers, request.filter_sizes, request.filters, request.strides)
    lengths = tuple(map(len, values))
    for index in generator.permutation(request.combinations):
        places = np.unravel_index(index, lengths)
        yield {key: some[place] for key, some, place in zip(PARAMETERS, values, places, strict=True)}


def _fits(parameters: dict[str, int], size: int, request: SyntheticRequest) -> bool:
    cost = cost_of(parameters, (size, size, _CHANNELS))
    if cost is None or is_too_large(cost.weights, cost.macs):
        return False
    memory = request.memory_budget_mb
    within_memory = memory is None or cost.memory_bytes <= memory * 1e6
    return within_memory and (request.macs_budget is None or cost.macs <= request.macs_budget)


def cost_of(parameters: dict[str, int], input_shape: tuple[int, ...]) -> Cost | None:
    """Return what a network takes at an input shape, or None where the image shrinks below the filter.

    The memory is that of all weights and of the input and output of the layer where those are largest, as
    32-bit floats.
    """
    filter_size, filters = parameters["filter_size"], parameters["filters"]
    height, width, channels = input_shape
    macs = weights = 0
    activations = 0
    for layer in range(parameters["conv_layers"]):
        if min(height, width) < filter_size:
            return None
        stride = _stride(layer, parameters["strides"])
        before = height * width * channels
        height, width = (height - filter_size) // stride + 1, (width - filter_size) // stride + 1
        kernel = (filter_size, filter_size, channels, filters)
        weights += math.prod(kernel) + 4 * filters
        macs += convolution_macs((height, width), kernel)
        # Batch normalisation and ReLU read and write tensors of the convolution's output size.
        activations = max(activations, before + height * width * filters, 2 * height * width * filters)
        channels = filters
    weights += (channels + 1) * _CLASSES
    macs += dense_macs((), (channels, _CLASSES))
    return Cost(macs, FLOAT_BYTES * (weights + activations), weights)


def _stride(layer: int, strides: int) -> int:
    return strides if layer % 2 == 0 else 1


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one synthetic network.

    Args:
        builder: `basic_model`.
        input_shape: height, width and channels.
        parameters: `conv_layers`, `filter_size`, `filters` and `strides`.

    Raises:
        UsageError: the builder or a parameter is unknown, the image would shrink below the filter, or the network
            would be too large.
    """
    if builder != BUILDER:
        raise UsageError(f"unknown builder {builder!r}; the synthetic networks' builder is {BUILDER!r}")
    only(parameters, PARAMETERS)
    values = {key: whole_number(parameters, key, _MAX_VALUE) for key in PARAMETERS}
    name = "_".join([BUILDER, *map(str, values.values())])
    cost = cost_of(values, input_shape)
    if cost is None:
        raise UsageError(f"{name} is impossible at {min(input_shape[:2])} px: the image shrinks below the filter")
    refuse_too_large(name, cost.weights, cost.macs)
    return ModelSpec(name, BUILDER, SOURCE, BUILDER, input_shape, values)


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`."""
    from keras import Input, Model, layers

    conv_layers, filter_size, filters, strides = (spec.parameters[key] for key in PARAMETERS)
    inputs = tensor = Input(spec.input_shape, name="input")
    for layer in range(conv_layers):
        convolution = layers.Conv2D(filters, filter_size, _stride(layer, strides), use_bias=False, name=f"conv_{layer}")
        tensor = convolution(tensor)
        tensor = layers.BatchNormalization(name=f"bn_{layer}")(tensor)
        tensor = layers.ReLU(name=f"relu_{layer}")(tensor)
    tensor = layers.GlobalAveragePooling2D(name="pool")(tensor)
    outputs = layers.Dense(_CLASSES, activation="softmax", name="classes")(tensor)
    return Model(inputs, outputs, name=spec.name)
