"""Nodes of a graph of which all shapes are known, as the readers of ONNX and LiteRT files have them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from perfcast.errors import SourceError
from perfcast.formats.operations import Operation, weights_of
from perfcast.network.network import Tensor, per_sample
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import numpy as np

    from perfcast.formats.operations import Operand
    from perfcast.network.network import Shape, Weight


@dataclass(frozen=True)
class Value:
    """A tensor of the graph.

    Attributes:
        name: unique in the graph.
        shape: whole, the batch included.
        dtype: as NumPy names it.
        weights: of a constant, the file's stored tensors that it is computed from; None for all others.
        data: of a constant, its elements where they are few and known.
    """

    name: str
    shape: Shape
    dtype: str
    weights: tuple[Weight, ...] | None = None
    data: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def constant(self) -> bool:
        """Whether it is the same for all inputs of the network."""
        return self.weights is not None

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether its elements are floating-point numbers."""
        return "float" in self.dtype

    @property
    def is_learned(self) -> bool:
        """Whether it is a constant that counts as weights, unless the node that reads it decides otherwise."""
        return self.constant and self.is_float and self.elements > 1

    @property
    def tensor(self) -> Tensor:
        """The tensor as networks have it, per sample."""
        return Tensor(self.name, per_sample(self.shape), self.dtype)

    def scalar(self) -> float | None:
        """Return the only element; None where there are more, or where it is not known."""
        known = self.data is not None and self.data.size == 1 and "complex" not in self.dtype
        return float(self.data.reshape(-1)[0]) if self.data is not None and known else None

    def operand(self) -> Operand:
        """Return what stands for it in an elementwise operation."""
        scalar = self.scalar() if self.constant else None
        if scalar is not None:
            return scalar
        return self.weights[0].name if self.weights else self.name


V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class Node(Generic[V]):
    """One node of the graph that depends on the network's inputs.

    Attributes:
        name: for messages and layers; never empty, without characters that harm.
        op: the format's word for what it does.
        inputs: what it reads, None where an optional input is left out.
        outputs: what it returns and something may read.
        attributes: by name, as Python values.
    """

    word: ClassVar[str] = "node"

    name: str
    op: str
    inputs: tuple[V | None, ...]
    outputs: tuple[V, ...]
    attributes: Mapping[str, Any]

    def input(self, position: int) -> V | None:
        """Return what it reads at a position, None where that is left out."""
        return self.inputs[position] if position < len(self.inputs) else None

    def needed(self, position: int) -> V:
        """Return what it reads at a position.

        Raises:
            SourceError: that is left out.
        """
        value = self.input(position)
        if value is None:
            raise SourceError(f"{self}: its input {position} is missing")
        return value

    def learned(self, positions: Iterable[int]) -> tuple[Weight, ...]:
        """Return the weights behind the constants that it reads at these positions."""
        return weights_of(value for value in map(self.input, positions) if value is not None)

    def operation(self, type: str, weights: tuple[Weight, ...] | None = None, **fields: Any) -> Operation:
        """Return the operation that it is, in the terms of `perfcast.formats.grouping`.

        Args:
            type: the operation's type.
            weights: what it learned; by default all constants that count as weights.
            fields: further attributes of `Operation`.
        """
        values = [value for value in self.inputs if value is not None]
        if weights is None:
            weights = weights_of(value for value in values if value.is_learned)
        inputs = tuple(value.name for value in values if not value.constant)
        outputs = tuple(value.tensor for value in self.outputs)
        return Operation(name=self.name, type=type, inputs=inputs, outputs=outputs, weights=weights, **fields)

    def elementwise(self, type: str, *numbers: float) -> Operation:
        """Return an operation on elements of all that it reads, and of numbers that it implies."""
        read = (value.operand() for value in self.inputs if value is not None)
        return self.operation(type, operands=(*read, *numbers))

    def __str__(self) -> str:
        return described(self.name, self.op, self.word)


def described(name: str, op: str, word: str = "node") -> str:
    """Return how messages call a node."""
    return f"{word} {escape_control(name)[:120]!r} ({escape_control(op)[:100]})"


def sources(
    op: str, inputs: Sequence[Value | None], about_shapes: Collection[str], stored_otherwise: Collection[str]
) -> tuple[Weight, ...]:
    """Return the weights that a constant is computed from.

    Args:
        op: what computes it.
        inputs: what that reads.
        about_shapes: operations that read no elements.
        stored_otherwise: those of which the first input was learned, and the others say how it is stored.
    """
    read = (
        inputs[:1] if op in stored_otherwise else [value for value in inputs if value is not None and value.is_learned]
    )
    return () if op in about_shapes else weights_of(value for value in read if value is not None)


def names_of_outputs(outputs: Iterable[tuple[Any, str]], values: Mapping[Any, Value]) -> tuple[str, ...]:
    """Return the names of the tensors that a network returns, those that are the same for all inputs left out.

    Args:
        outputs: keys of `values`, with what the file calls them.
        values: all tensors that something returns.

    Raises:
        SourceError: nothing returns one of them, or none depends on the inputs.
    """
    found: dict[str, None] = {}
    for key, name in outputs:
        if key not in values:
            raise SourceError(f"nothing returns the network's output {name[:80]!r}")
        if not values[key].constant:
            found[values[key].name] = None
    if not found:
        raise SourceError("the network's outputs do not depend on its inputs")
    return tuple(found)
