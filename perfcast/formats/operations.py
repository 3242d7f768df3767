"""Operations of an op graph, as readers of model files deliver them to `perfcast.formats.grouping`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from perfcast.network.network import Layer, Tensor

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from perfcast.network.network import Weight

Operand = str | float
"""What an elementwise operation reads: the name of a tensor, weight or constant, or a scalar constant's value."""


@dataclass(frozen=True)
class Operation(Layer):
    """One operation of an op graph: a layer with what is needed to find the layer that it is a part of.

    Attributes:
        operands: of elementwise operations, all that it reads in order; empty where that is `inputs`. A name
            that is neither in `inputs` nor in `weights` is a constant of several elements that is not a weight.
        axes: of reductions (`Mean`, `Sum`, `Max`), the axes that vanish or become 1, counted from 0 without
            the batch axis, in the order of axes that the file has.
    """

    operands: tuple[Operand, ...] = ()
    axes: tuple[int, ...] = ()

    def reads(self) -> tuple[Operand, ...]:
        """Return what it reads in order: tensors, weights, constants, scalars."""
        return self.operands or self.inputs

    @property
    def scope(self) -> str:
        """The path that its name begins with, empty where it has none."""
        return self.name.rpartition("/")[0]

    @property
    def returned(self) -> Tensor:
        """Its first output."""
        return self.outputs[0]


class OperationGraph:
    """Operations in execution order that are merged step by step; what is merged keeps the order."""

    def __init__(self, layers: Sequence[Layer], outputs: Collection[str]):
        self.outputs = frozenset(outputs)
        self._operations = dict(enumerate(map(_as_operation, layers)))
        self._producers = {tensor.name: index for index, layer in self._operations.items() for tensor in layer.outputs}
        self._readers = Counter(name for layer in self._operations.values() for name in set(layer.inputs))

    def __iter__(self) -> Iterator[Operation]:
        return iter([self._operations[index] for index in sorted(self._operations)])

    def producer(self, tensor: str) -> Operation | None:
        """Return the operation that returns a tensor, None where no operation does."""
        return self._operations.get(self._producers.get(tensor, -1))

    def tensor(self, name: str) -> Tensor | None:
        """Return a tensor of the graph by its name."""
        producer = self.producer(name)
        return next((tensor for tensor in producer.outputs if tensor.name == name), None) if producer else None

    def position(self, tensor: str) -> int:
        """Return where in the order a tensor is returned, -1 where no operation returns it."""
        return self._producers.get(tensor, -1)

    def is_private(self, operation: Operation, readers: int) -> bool:
        """Tell whether just so many operations read what `operation` returns, and the network does not return it."""
        names = [tensor.name for tensor in operation.outputs]
        return not self.outputs.intersection(names) and sum(self._readers[name] for name in names) == readers

    def only_before(self, operation: Operation) -> Operation | None:
        """Return the producer of the only tensor that `operation` reads if nothing else reads that tensor."""
        before = self.producer(operation.inputs[0]) if len(operation.inputs) == 1 else None
        return before if before is not None and self.is_private(before, readers=1) else None

    def chains(self, *kinds: Collection[str] | None) -> Iterator[tuple[Operation, ...]]:
        """Yield operations that each read nothing but the one before, which no other reads, of types in `kinds`.

        None stands for any type. What is merged while they are yielded counts.
        """
        for last in self:
            chain = [last]
            while len(chain) < len(kinds) and (before := self.only_before(chain[0])) is not None:
                chain.insert(0, before)
            fits = (kind is None or operation.type in kind for operation, kind in zip(chain, kinds, strict=False))
            if len(chain) == len(kinds) and all(fits):
                yield tuple(chain)

    def merge(self, operations: Iterable[Operation], last: Operation, merged: Operation) -> None:
        """Put `merged` where `last` is, and take away `operations`, which include `last`."""
        where = self._producers[last.returned.name]
        for operation in operations:
            index = self._producers[operation.returned.name]
            del self._operations[index]
            self._readers.subtract(set(operation.inputs))
        self._operations[where] = merged
        self._readers.update(set(merged.inputs))
        self._producers |= {tensor.name: where for tensor in merged.outputs}

    def vanish(self, operation: Operation) -> bool:
        """Take away an operation of which input and output are the same; False where both have to stay."""
        old, new = operation.returned.name, operation.inputs[0]
        before = self.producer(new)
        if before is None or (old in self.outputs and (new in self.outputs or before.type == "InputLayer")):
            return False
        kept, gone = (old, new) if old in self.outputs else (new, old)
        where = self._producers[new]
        del self._operations[self._producers[old]]
        self._readers.subtract({new})
        for index, other in self._operations.items():
            self._operations[index] = _renamed(other, gone, kept)
        self._producers = {name: at for name, at in self._producers.items() if name != gone} | {kept: where}
        self._readers[kept] = sum(kept in other.inputs for other in self._operations.values())
        return True

    def replace(self, operation: Operation, changed: Operation) -> None:
        """Put an operation with the same inputs and outputs in the place of another."""
        self._operations[self._producers[operation.returned.name]] = changed

    def layers(self) -> tuple[Layer, ...]:
        """Return what is left as layers."""
        names = [field.name for field in fields(Layer)]
        return tuple(Layer(**{name: getattr(operation, name) for name in names}) for operation in self)


def weights_of(items: Iterable[Any]) -> tuple[Weight, ...]:
    """Return the weights of operations, constants or the like, each once."""
    return tuple({weight.name: weight for item in items for weight in item.weights or ()}.values())


def _as_operation(layer: Layer) -> Operation:
    if isinstance(layer, Operation):
        return layer
    return Operation(**{field.name: getattr(layer, field.name) for field in fields(Layer)})


def _renamed(operation: Operation, gone: str, kept: str) -> Operation:
    if gone not in operation.inputs and all(tensor.name != gone for tensor in operation.outputs):
        return operation
    return replace(
        operation,
        inputs=tuple(kept if name == gone else name for name in operation.inputs),
        operands=tuple(kept if name == gone else name for name in operation.operands),
        outputs=tuple(replace(tensor, name=kept) if tensor.name == gone else tensor for tensor in operation.outputs),
    )
