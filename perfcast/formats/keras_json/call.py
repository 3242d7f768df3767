"""A call of a layer with what it reads, and what is inferred of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from perfcast.errors import SourceError
from perfcast.formats.keras_json.document import Constant, flattened
from perfcast.network.network import Geometry

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.document import LayerText
    from perfcast.formats.keras_json.settings import Settings
    from perfcast.network.network import Shape


@dataclass(frozen=True)
class Symbol:
    """A tensor on its way through the network.

    Attributes:
        name: unique in the network.
        shape: with the batch of 1 as first axis.
        dtype: as NumPy names it.
        values: nested lists of its numbers where they are known, as those of a shape are.
    """

    name: str
    shape: Shape
    dtype: str
    values: Any = None


@dataclass(frozen=True)
class Part:
    """One of a layer's weights: its name in the layer, how many numbers it holds, and whether they are trained."""

    name: str
    elements: int
    trainable: bool = True


@dataclass(frozen=True)
class Outcome(Geometry):
    """What a rule infers of a call.

    Attributes:
        shapes: of what the layer returns, with the batch as first axis.
        weights: the layer's.
        dtype: of what it returns, None where that follows from its configuration.
        kind: the Keras class that does the same, where the text calls it otherwise.
        values: of what it returns first, where they are known.
    """

    shapes: tuple[Shape, ...]
    weights: tuple[Part, ...] = ()
    dtype: str | None = None
    kind: str | None = None
    values: Any = None


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        kind: the layer's class, by which rules that serve several classes distinguish them.
        settings: its configuration.
        arguments, options: what stands in the brackets.
        inputs: all tensors among those, in Keras' order; those that the text spells out have no name.
        is_old: whether Keras 2 wrote the text.
        infer: infers a call of another layer, for those that wrap one; the tensors come second.
    """

    kind: str
    settings: Settings
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    inputs: tuple[Symbol, ...]
    is_old: bool
    infer: Callable[[LayerText, tuple[Symbol, ...]], Outcome] = field(repr=False)

    @property
    def shape(self) -> Shape:
        """The shape of the first tensor it reads, with the batch as first axis."""
        return self.inputs[0].shape

    def argument(self, key: str, position: int | None = None, default: Any = None) -> Any:
        """Return an argument, given by position, by name or in the layer's configuration."""
        if position is not None and position < len(self.arguments):
            return self.arguments[position]
        value = self.options.get(key)
        return self.settings.get(key, default) if value is None else value

    def rank(self) -> int:
        """Return how many spatial axes the layer's class names, as `Conv2D` does."""
        return next(int(letter) for letter in self.kind if letter.isdigit())

    def operands(self) -> list[Symbol | Constant]:
        """Return all tensors in the brackets in Keras' order, those that the text spells out as constants."""
        listed = flattened([list(self.arguments), self.options])
        return [item for item in listed if isinstance(item, Symbol | Constant)]

    def same(self, **fields: Any) -> Outcome:
        """Return that it gives the shape and type that it reads first."""
        return Outcome((self.shape,), dtype=self.inputs[0].dtype, **fields)

    def refuse(self, reason: str) -> NoReturn:
        """Refuse the call.

        Raises:
            SourceError: always; the layer and the `reason`.
        """
        raise SourceError(f"{self.settings.owner} {reason}")

    def need_rank(self, rank: int) -> None:
        """Refuse a first tensor of another rank, the batch included.

        Raises:
            SourceError: it has another one.
        """
        if len(self.shape) != rank:
            self.refuse(f"takes tensors of {rank} axes, not {written(self.shape)}")


def tensors_of(arguments: Any) -> tuple[Symbol, ...]:
    """Return the tensors among arguments, in Keras' order, those that the text spells out too."""
    return tuple(
        Symbol("", item.shape, item.dtype, item.values) if isinstance(item, Constant) else item
        for item in flattened(arguments)
        if isinstance(item, Symbol | Constant)
    )


def written(shape: Shape) -> str:
    """Return a shape for a message, `?` for the batch."""
    return f"({', '.join(('?', *map(str, shape[1:])))})"
