"""A network as readers of model files give it, and the descriptor that it becomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from perfcast.errors import SourceError
from perfcast.storage import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Shape = tuple[int, ...]
Layout = Literal["channels_first", "channels_last", "same", "free"]

_MAX_NAME_LENGTH = 400


@dataclass(frozen=True)
class Tensor:
    """What flows between layers.

    Attributes:
        name: unique in the network.
        shape: of one sample, without the batch axis.
        dtype: as NumPy names it.
    """

    name: str
    shape: Shape
    dtype: str = "float32"


@dataclass(frozen=True)
class Weight:
    """A tensor that a network learned, or keeps besides what it learned.

    Attributes:
        name: unique in the network: what two layers share counts once.
        elements: how many numbers it holds.
        trainable: whether training changes it.
    """

    name: str
    elements: int
    trainable: bool = True


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """What a layer does to its tensors, in the terms of the descriptor (docs/data-model.md).

    Attributes:
        kernel, strides, dilation: of convolutions and poolings.
        groups: of convolutions; the input channels of a depthwise or separable one.
        filters: output channels of a convolution of any kind, None for all other layers.
        units: output channels of a dense layer, None for all other layers.
        activation: the function that the layer ends in, None where it takes none.
        macs: multiply-accumulates of one sample.
    """

    kernel: tuple[int, ...] | None = None
    strides: tuple[int, ...] | None = None
    dilation: tuple[int, ...] | None = None
    groups: int | None = None
    filters: int | None = None
    units: int | None = None
    activation: str | None = None
    macs: int = 0


@dataclass(frozen=True)
class Layer(Geometry):
    """One layer.

    Attributes:
        name: as the file calls it; `Network.descriptor` makes names unique.
        type: the Keras class that does the same, as `Conv2D`; the file's own word where there is none.
        inputs: names of the tensors it reads that depend on the network's inputs.
        outputs: the tensors it returns.
        weights: the weights it reads.
        layout: where its tensors have their channels: `same` where they lie alike in all that it reads and
            returns (activations, sums), `free` where nothing can be said (reshapes, dense layers).
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Weight, ...] = ()
    layout: Layout = "same"


@dataclass(frozen=True)
class Network:
    """A whole network.

    Attributes:
        inputs: names of the tensors that its input layers return, in order.
        outputs: names of the tensors that it returns, in order.
        layers: in execution order, input layers (`InputLayer`) too.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...] = field(repr=False)

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors by name."""
        return {tensor.name: tensor for layer in self.layers for tensor in layer.outputs}

    def descriptor(self) -> dict[str, Any]:
        """Return the descriptor's keys `inputs`, `outputs`, `input_shape` and `layers`, channels last.

        Raises:
            SourceError: a layer reads a tensor that no layer before it returns.
        """
        tensors = channels_last(self.layers)
        producers = _producers(self.layers)
        counted: set[str] = set()
        layers = [
            _record(layer, name, producers, tensors, counted)
            for layer, name in zip(self.layers, _unique_names(self.layers), strict=True)
        ]
        inputs = [_port(producers, tensors, name) for name in self.inputs]
        return {
            "input_shape": inputs[0]["shape"],
            "inputs": inputs,
            "outputs": [_port(producers, tensors, name) for name in self.outputs],
            "layers": layers,
        }


def per_sample(shape: Sequence[int]) -> Shape:
    """Return a shape without its batch axis; whole where the batch of 1 is not an axis of its own."""
    return tuple(shape[1:]) if shape and shape[0] == 1 else tuple(shape)


def axes_per_sample(shape: Sequence[int], axes: Iterable[int]) -> Shape:
    """Return axes of a whole shape, which may count from the last, as sorted axes of `per_sample(shape)`."""
    dropped = len(shape) - len(per_sample(shape))
    return tuple(axis - dropped for axis in sorted({axis % len(shape) for axis in axes}) if axis >= dropped)


def channels_last(layers: Iterable[Layer]) -> dict[str, Tensor]:
    """Return the tensors of `layers` by name, all shapes with the channels as last axis.

    Layouts spread from the layers that define theirs over those that keep the layout.
    """
    layers = tuple(layers)
    tensors = {tensor.name: tensor for layer in layers for tensor in layer.outputs}
    first = _spread(layers, tensors)
    return {
        name: replace(tensor, shape=(*tensor.shape[1:], tensor.shape[0])) if name in first else tensor
        for name, tensor in tensors.items()
    }


def _spread(layers: tuple[Layer, ...], tensors: dict[str, Tensor]) -> set[str]:
    """Return the names of the tensors that have their channels first."""
    known: dict[str, Layout] = {}
    alike: dict[str, set[str]] = {name: set() for name in tensors}
    for layer in layers:
        touched = [name for name in (*layer.inputs, *(tensor.name for tensor in layer.outputs)) if name in tensors]
        ranks = {len(tensors[name].shape) for name in touched}
        spatial = [name for name in touched if len(tensors[name].shape) > 1]
        if layer.layout in ("channels_first", "channels_last"):
            known |= {name: layer.layout for name in spatial if name not in known}
        elif layer.layout == "same":
            for rank in ranks - {0, 1}:
                group = [name for name in spatial if len(tensors[name].shape) == rank]
                for name in group[1:]:
                    alike[name].add(group[0])
                    alike[group[0]].add(name)
    pending = list(known)
    while pending:
        name = pending.pop()
        for other in alike[name] - known.keys():
            known[other] = known[name]
            pending.append(other)
    return {name for name, layout in known.items() if layout == "channels_first"}


def _producers(layers: tuple[Layer, ...]) -> dict[str, str]:
    names = _unique_names(layers)
    return {tensor.name: name for layer, name in zip(layers, names, strict=True) for tensor in layer.outputs}


def _unique_names(layers: tuple[Layer, ...]) -> list[str]:
    """Return the layers' names, the second one of `x` as `x@2`, and those too long shortened."""
    counts: Counter[str] = Counter()
    taken: set[str] = set()
    names = []
    for layer in layers:
        short = layer.name
        if len(short) > _MAX_NAME_LENGTH:
            short = f"{short[:_MAX_NAME_LENGTH]}…{digest_of(short.encode())[:8]}"
        counts[short] += 1
        name = short if counts[short] == 1 else f"{short}@{counts[short]}"
        while name in taken:
            counts[short] += 1
            name = f"{short}@{counts[short]}"
        taken.add(name)
        names.append(name)
    return names


def _port(producers: dict[str, str], tensors: dict[str, Tensor], name: str) -> dict[str, Any]:
    if name not in producers:
        raise SourceError(f"no layer returns the tensor {name[:80]!r}")
    return {"name": producers[name], "shape": list(tensors[name].shape), "dtype": tensors[name].dtype}


def _record(
    layer: Layer, name: str, producers: dict[str, str], tensors: dict[str, Tensor], counted: set[str]
) -> dict[str, Any]:
    missing = [tensor for tensor in layer.inputs if tensor not in producers]
    if missing:
        raise SourceError(f"layer {name[:80]!r} reads {missing[0][:80]!r}, which no layer returns")
    fresh = {weight.name: weight for weight in layer.weights if weight.name not in counted}
    counted.update(fresh)
    return {
        "name": name,
        "type": layer.type,
        "inputs": [producers[tensor] for tensor in layer.inputs],
        "input_shapes": [list(tensors[tensor].shape) for tensor in layer.inputs],
        "output_shapes": [list(tensors[tensor.name].shape) for tensor in layer.outputs],
        **{key: _listed(getattr(layer, key)) for key in ("kernel", "strides", "dilation")},
        **{key: getattr(layer, key) for key in ("groups", "filters", "units", "activation")},
        "parameters": sum(weight.elements for weight in fresh.values()),
        "trainable_parameters": sum(weight.elements for weight in fresh.values() if weight.trainable),
        "macs": layer.macs,
    }


def _listed(values: tuple[int, ...] | None) -> list[int] | None:
    return None if values is None else list(values)
