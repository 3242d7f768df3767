"""Constants of an ONNX graph: shapes of all, elements of the small ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.formats.onnx_graph.nodes import Value
from perfcast.network.network import Weight
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import onnx

MOST_KNOWN = 4096
"""Constants of more elements are known by their shape alone."""

_MOST = 1_000_000_000
_MOST_AXES = 9


def checked_shape(name: str, dims: Iterable[int]) -> tuple[int, ...]:
    """Return a tensor's shape, the batch included.

    Raises:
        SourceError: a size is negative or huge, or there are too many.
    """
    shape = tuple(dims)
    if len(shape) > _MOST_AXES or not all(0 <= size <= _MOST for size in shape):
        raise SourceError(f"tensor {escape_control(name)[:80]!r} has the shape {list(shape[: _MOST_AXES + 1])}")
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
    return Value(name, shape, tensor.data_type, dtype, True, (weight,), _elements(tensor, name, weight.elements))


def _elements(tensor: onnx.TensorProto, name: str, elements: int) -> np.ndarray | None:
    import onnx

    external = tensor.data_location == onnx.TensorProto.EXTERNAL
    if external or elements > MOST_KNOWN or tensor.data_type == onnx.TensorProto.STRING:
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
    return Value(name, shape, tensor.values.data_type, dtype, True, (Weight(name, stored),))


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
    kept = data if data.size <= MOST_KNOWN else None
    return Value(name, checked_shape(name, data.shape), element_type, str(data.dtype), True, weights, kept)
