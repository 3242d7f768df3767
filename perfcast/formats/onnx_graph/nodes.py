"""Nodes of an ONNX graph with the shapes of all that they read and return."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from perfcast.errors import SourceError
from perfcast.formats.grouping import Operation
from perfcast.network.network import Tensor, per_sample
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from perfcast.network.network import Shape, Weight

    Default = TypeVar("Default")


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: unique in the graph.
        shape: whole, the batch included.
        element_type: ONNX's number of the type of its elements.
        dtype: the same as NumPy names it.
        constant: whether it is the same for all inputs of the network.
        weights: of a constant, the initializers that it is computed from.
        data: of a constant, its elements where they are few and known.
    """

    name: str
    shape: Shape
    element_type: int
    dtype: str
    constant: bool = False
    weights: tuple[Weight, ...] = ()
    data: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def tensor_type(self) -> tuple[Shape, int]:
        """Its shape and the type of its elements."""
        return self.shape, self.element_type

    @property
    def is_float(self) -> bool:
        """Whether its elements are floating-point numbers."""
        return "float" in self.dtype

    @property
    def tensor(self) -> Tensor:
        """The tensor as networks have it, per sample."""
        return Tensor(self.name, per_sample(self.shape), self.dtype)

    def scalar(self) -> float | None:
        """Return the only element; None where there are more, or where it is not known."""
        known = self.data is not None and self.data.size == 1 and "complex" not in self.dtype
        return float(self.data.reshape(-1)[0]) if self.data is not None and known else None

    def whole_numbers(self) -> tuple[int, ...] | None:
        """Return the elements of a constant, None where they are not known or no whole numbers."""
        known = self.data is not None and self.data.dtype.kind in "iu"
        return tuple(self.data.reshape(-1).tolist()) if self.data is not None and known else None


@dataclass(frozen=True)
class Node:
    """One node of the graph that depends on the network's inputs.

    Attributes:
        name: for messages and layers; unlike an ONNX name never empty, without characters that harm.
        op: ONNX's word for what it does.
        inputs: what it reads, None where an optional input is left out.
        outputs: what it returns and something may read.
        attributes: by name, as Python values.
        activation: what a fused node does last, as ONNX calls it; empty where nothing.
    """

    name: str
    op: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    attributes: Mapping[str, Any]
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

    def input(self, position: int) -> Value | None:
        """Return what it reads at a position, None where that is left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def needed(self, position: int) -> Value:
        """Return what it reads at a position.

        Raises:
            SourceError: that is left out.
        """
        value = self.input(position)
        if value is None:
            raise SourceError(f"{self}: its input {position} is missing")
        return value

    def axes(self) -> tuple[int, ...] | None:
        """Return the axes that it works on, an attribute or its second input; None where they are not given."""
        given = self.input(1)
        if given is not None:
            return given.whole_numbers()
        return self.sizes("axes") if "axes" in self.attributes else None

    def learned(self, positions: Iterable[int]) -> tuple[Weight, ...]:
        """Return the weights behind the constants that it reads at these positions."""
        found = [value for value in map(self.input, positions) if value is not None and value.constant]
        return tuple({weight.name: weight for value in found for weight in value.weights}.values())

    def operation(self, type: str, weights: tuple[Weight, ...] | None = None, **fields: Any) -> Operation:
        """Return the operation that it is, in the terms of `perfcast.formats.grouping`.

        Args:
            type: the operation's type.
            weights: what it learned; by default all constants of floating-point numbers with more than one.
            fields: further attributes of `Operation`.
        """
        if weights is None:
            weights = self.learned(i for i, value in enumerate(self.inputs) if is_learned(value))
        return Operation(
            name=self.name,
            type=type,
            inputs=tuple(value.name for value in self.inputs if value is not None and not value.constant),
            outputs=tuple(value.tensor for value in self.outputs),
            weights=weights,
            **fields,
        )

    def __str__(self) -> str:
        return described(self.name, self.op)


def is_learned(value: Value | None) -> bool:
    """Say whether a tensor that a node reads counts as weights, unless the node's type decides otherwise."""
    return value is not None and value.constant and value.is_float and value.elements > 1


def described(name: str, op: str) -> str:
    """Return how messages call a node."""
    return f"node {escape_control(name)[:120]!r} ({escape_control(op)[:60]})"
