"""One operation of a graph whose shapes are known, with what is constant of that which it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.network.network import Tensor, per_sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.formats.operations import Operand
    from perfcast.formats.tensorflow_graph.constants import Constant
    from perfcast.network.network import Shape, Weight


@dataclass(frozen=True)
class Node:
    """An operation that depends on the network's inputs.

    Attributes:
        operation: TensorFlow's, in a graph where the batch is 1.
        constants: what does not depend on the inputs, by the nodes' names.
    """

    operation: Any
    constants: Mapping[str, Constant]

    @property
    def name(self) -> str:
        """Its path in the graph."""
        return self.operation.name

    def constant(self, index: int) -> Constant | None:
        """Return what its input of that number is, None where it depends on the network's inputs."""
        return self.constants.get(self.operation.inputs[index].op.name)

    def inputs(self) -> tuple[str, ...]:
        """Return the names of the tensors it reads that depend on the network's inputs."""
        return tuple(t.name for i, t in enumerate(self.operation.inputs) if self.constant(i) is None)

    def weights(self) -> tuple[Weight, ...]:
        """Return the weights behind all that it reads, each once."""
        read = [constant for index in range(len(self.operation.inputs)) if (constant := self.constant(index))]
        return tuple({weight.name: weight for constant in read for weight in constant.weights}.values())

    def operands(self) -> tuple[Operand, ...]:
        """Return all that it reads in order: names of tensors, weights and constants, and scalars."""
        return tuple(self._operand(index) for index in range(len(self.operation.inputs)))

    def _operand(self, index: int) -> Operand:
        constant = self.constant(index)
        return self.operation.inputs[index].name if constant is None or constant.scalar is None else constant.scalar

    def shape(self, index: int) -> Shape:
        """Return the whole shape of an input."""
        return self._whole(self.operation.inputs[index])

    def output(self, index: int = 0) -> Shape:
        """Return the whole shape of an output."""
        return self._whole(self.operation.outputs[index])

    def _whole(self, tensor: Any) -> Shape:
        if not tensor.shape.is_fully_defined():
            raise SourceError(
                f"the shapes around operation {self.name[:80]!r} ({self.operation.type}) are not known "
                "without running it"
            )
        return tuple(tensor.shape.as_list())

    def tensor(self, index: int) -> Tensor:
        """Return an output as the network's tensor, without the batch axis."""
        output = self.operation.outputs[index]
        return Tensor(output.name, per_sample(self._whole(output)), output.dtype.name)

    def attribute(self, name: str) -> Any:
        """Return an attribute, strings as text."""
        value = self.operation.get_attr(name)
        return value.decode() if isinstance(value, bytes) else value

    def numbers(self, index: int) -> tuple[int, ...]:
        """Return the whole numbers of a constant input, such as axes.

        Raises:
            SourceError: they are not known without running the network.
        """
        import tensorflow as tf

        values = tf.get_static_value(self.operation.inputs[index])
        if values is None:
            raise SourceError(f"operation {self.name[:80]!r} ({self.operation.type}) has axes that are not constant")
        return tuple(int(value) for value in values.ravel())

    def channels_first(self) -> bool:
        """Tell whether its attribute `data_format` says so."""
        return self.attribute("data_format").startswith("NC")

    def spatial(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return those of a number an axis that are of spatial axes."""
        return tuple(values[2:] if self.channels_first() else values[1:-1])
