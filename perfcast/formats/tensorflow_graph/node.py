"""Operations of a graph of which all shapes are known, in the words of Keras, and what of it is constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.activations import FUNCTIONS
from perfcast.formats.operations import weights_of
from perfcast.formats.tensorflow_graph.files import constant_values
from perfcast.formats.tensorflow_graph.weights import LARGE, is_float_constant
from perfcast.network.network import Tensor, Weight, per_sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perfcast.formats.operations import Operand
    from perfcast.formats.tensorflow_graph.freezing import Frozen
    from perfcast.formats.tensorflow_graph.weights import Kind
    from perfcast.network.network import Shape

_SAME_NAMES = (
    "Maximum Minimum SquaredDifference Abs Square Sqrt Rsqrt Exp Log Erf Erfc Tanh Sigmoid Softplus Softsign Softmax "
    "Mean Sum Max BroadcastTo Tile LogSoftmax"
)
_NAMES = {
    "Add": "Add AddV2 AddN BiasAdd BiasAddV1",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Divide": "RealDiv Div",
    "Power": "Pow",
    "Negative": "Neg",
    "Reciprocal": "Reciprocal Inv",
    "ReLU": "Relu",
    "ReLU6": "Relu6",
    "LeakyReLU": "LeakyRelu",
    "ELU": "Elu",
    "SELU": "Selu",
    "Clip": "ClipByValue",
    "Identity": "Identity IdentityN Snapshot StopGradient PreventGradient CheckNumerics CheckNumericsV2 EnsureShape "
    "PlaceholderWithDefault",
    "Concatenate": "ConcatV2 Concat",
    "Stack": "Pack",
    "Unstack": "Unpack",
    "GetItem": "StridedSlice Slice",
    "Split": "SplitV",
    "Argmax": "ArgMax",
    "Where": "SelectV2",
}
TYPES: Mapping[str, str] = {name: name for name in _SAME_NAMES.split()} | {
    name: kind for kind, names in _NAMES.items() for name in names.split()
}
"""The type of a layer, or of an operation that `perfcast.formats.grouping` knows, by that in a GraphDef."""

SAME_LAYOUT = frozenset(("Concatenate", "Softmax", "LogSoftmax", "Where", "Tile", "Cast"))
"""Types, besides the elementwise ones, of which all tensors have their channels in the same place."""

# They give what is known of a tensor without its values.
_OF_SHAPES = frozenset(("Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs"))


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
        read = map(self.constant, range(len(self.operation.inputs)))
        return weights_of(constant for constant in read if constant is not None)

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


@dataclass(frozen=True)
class Constant:
    """What does not depend on the network's inputs.

    Attributes:
        weights: what was learned of that which it is computed from.
        scalar: its value if it is one number that was not learned.
    """

    weights: tuple[Weight, ...] = ()
    scalar: float | None = None


def find_constants(frozen: Frozen, kinds: dict[str, Kind]) -> dict[str, Constant]:
    """Return what does not depend on the inputs, by the nodes' names; nothing of the graph is run for it.

    A graph that has variables learned those, and constants as large as weights; one that has none had its
    variables made constants, so all its constants of several floats count.
    """
    found: dict[str, Constant] = {}
    changing = {name for loop in frozen.loops for name in loop.states}
    for node in frozen.nodes:
        if node.name in changing:
            continue
        if node.name in kinds:
            learned = _is_learned(node.name, frozen, kinds[node.name])
            weight = Weight(node.name, kinds[node.name].elements)
            found[node.name] = Constant((weight,)) if learned else Constant(scalar=_scalar(node))
        elif node.op == "Const":
            found[node.name] = Constant(scalar=_scalar(node))
        elif node.op in _OF_SHAPES:
            found[node.name] = Constant()
        else:
            read = [found.get(name.rpartition(":")[0]) for name in node.input]
            known = [constant for constant in read if constant is not None]
            if len(known) == len(read):
                found[node.name] = _combined(node, known)
    return found


def _is_learned(name: str, frozen: Frozen, kind: Kind) -> bool:
    if name in frozen.variables:
        return True
    return kind.elements >= LARGE or (not frozen.variables and kind.elements > 1)


def _scalar(node: Any) -> float | None:
    sizes = [size.size for size in node.attr["value"].tensor.tensor_shape.dim] if node.op == "Const" else [0]
    if any(size != 1 for size in sizes):
        return None
    value = constant_values(node).ravel()[0]
    return float(value) if is_float_constant(node) or isinstance(value.item(), int) else None


def _combined(node: Any, read: list[Constant]) -> Constant:
    function = FUNCTIONS.get(TYPES.get(node.op, "Identity" if node.op == "Cast" else ""))
    scalars = [constant.scalar for constant in read if constant.scalar is not None]
    scalar = None
    if function is not None and len(scalars) == len(read) > 0:
        try:
            scalar = float(function(*scalars))
        except (ArithmeticError, ValueError, TypeError):
            scalar = None
    return Constant(weights_of(read), scalar)
