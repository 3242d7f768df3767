"""Nodes of an ONNX graph with the shapes of all that they read and return; elements of small constants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from perfcast.errors import SourceError
from perfcast.formats import nodes
from perfcast.network.network import Weight
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import onnx

    from perfcast.network.network import Shape

    Default = TypeVar("Default")

MAX_KNOWN_ELEMENTS = 4096
"""Constants of more elements are known by their shape alone."""

_MAX_SIZE = 1_000_000_000
_MAX_AXES = 9


@dataclass(frozen=True)
class Value(nodes.Value):
    """A tensor of the graph; `element_type` is ONNX's number of the type of its elements."""

    element_type: int = 0

    @property
    def tensor_type(self) -> tuple[Shape, int]:
        """Its shape and the type of its elements."""
        return self.shape, self.element_type

    def whole_numbers(self) -> tuple[int, ...] | None:
        """Return the elements of a constant, None where they are not known or no whole numbers."""
        known = self.data is not None and self.data.dtype.kind in "iu"
        return tuple(self.data.reshape(-1).tolist()) if self.data is not None and known else None


@dataclass(frozen=True)
class Node(nodes.Node[Value]):
    """One node of the graph; `activation` is what a fused one does last, as ONNX calls it, empty where nothing."""

    activation: str = ""

    def attribute(self, name: str, default: Default) -> Default:
        """Return an attribute; `default` where it is absent.

        Raises:
            SourceError: it is of another type than `default`.
        """
        value = self.attributes.get(name, default)
        if type(value) is not type(default):
            raise SourceError(f"{self}: its attribute {name!r} is of the wrong type")
        return value

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return an attribute of whole numbers, empty where it is absent.

        Raises:
            SourceError: it is of another type.
        """
        numbers: list[int] = self.attribute(name, [])
        if not all(isinstance(number, int) for number in numbers):
            raise SourceError(f"{self}: its attribute {name!r} is of the wrong type")
        return tuple(numbers)

    def axes(self) -> tuple[int, ...] | None:
        """Return the axes that it works on, an attribute or its second input; None where they are not given."""
        given = self.input(1)
        if given is not None:
            return given.whole_numbers()
        return self.sizes("axes") if "axes" in self.attributes else None


def checked_shape(name: str, dims: Iterable[int]) -> tuple[int, ...]:
    """Return a tensor's shape, the batch included.

    Raises:
        SourceError: a size is negative or huge, or there are too many.
    """
    shape = tuple(dims)
    if len(shape) > _MAX_AXES or not all(0 <= size <= _MAX_SIZE for size in shape):
        raise SourceError(f"tensor {escape_control(name)[:80]!r} has the shape {list(shape[: _MAX_AXES + 1])}")
    return shape


def numpy_name(name: str, element_type: int) -> str:
    """Return how NumPy calls a type of elements.

    Raises:
        SourceError: there is no such type.
    """
    from onnx import helper

    try:
        return str(helper.tensor_dtype_to_np_dtype(element_type))
    except (KeyError, ValueError, TypeError) as error:
        raise SourceError(f"tensor {escape_control(name)[:80]!r} is of an unknown type ({element_type})") from error


def constant_of(tensor: onnx.TensorProto, name: str) -> Value:
    """Return an initializer or the tensor of a `Constant`; external data is not opened.

    Raises:
        SourceError: it is damaged.
    """
    shape = checked_shape(name, tensor.dims)
    dtype = numpy_name(name, tensor.data_type)
    weight = Weight(name, math.prod(shape))
    data = _elements(tensor, name, weight.elements)
    return Value(name, shape, dtype, (weight,), data, tensor.data_type)


def _elements(tensor: onnx.TensorProto, name: str, elements: int) -> np.ndarray | None:
    import onnx

    external = tensor.data_location == onnx.TensorProto.EXTERNAL
    if external or elements > MAX_KNOWN_ELEMENTS or tensor.data_type == onnx.TensorProto.STRING:
        return None
    try:
        return onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise SourceError(f"the constant {escape_control(name)[:80]!r} is damaged") from error


def sparse_constant_of(tensor: onnx.SparseTensorProto) -> Value:
    """Return a sparse initializer, which has as many weights as it stores.

    Raises:
        SourceError: it is damaged.
    """
    name = tensor.values.name
    stored = math.prod(checked_shape(name, tensor.values.dims))
    shape = checked_shape(name, tensor.dims)
    dtype = numpy_name(name, tensor.values.data_type)
    return Value(name, shape, dtype, (Weight(name, stored),), element_type=tensor.values.data_type)


def known(name: str, data: np.ndarray, weights: tuple[Weight, ...]) -> Value:
    """Return a constant of which the elements are known.

    Raises:
        SourceError: it is of a type that ONNX has not.
    """
    from onnx import helper

    try:
        element_type = helper.np_dtype_to_tensor_dtype(data.dtype)
    except (KeyError, ValueError, TypeError) as error:
        raise SourceError(f"the constant {escape_control(name)[:80]!r} is of an unknown type") from error
    kept = data if data.size <= MAX_KNOWN_ELEMENTS else None
    return Value(name, checked_shape(name, data.shape), str(data.dtype), weights, kept, element_type)
