"""What does not depend on a network's inputs: weights, scalars, and what is computed from them and from shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.formats.activations import FUNCTIONS
from perfcast.formats.tensorflow_graph.types import TYPES
from perfcast.formats.tensorflow_graph.values import constant_values
from perfcast.formats.tensorflow_graph.weights import LARGE, is_float_constant
from perfcast.network.network import Weight

if TYPE_CHECKING:
    from perfcast.formats.tensorflow_graph.freezing import Frozen
    from perfcast.formats.tensorflow_graph.weights import Kind

# They give what is known of a tensor without its values.
_OF_SHAPES = frozenset(("Shape", "ShapeN", "Size", "Rank", "BroadcastGradientArgs"))


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
    weights = {weight.name: weight for constant in read for weight in constant.weights}
    function = FUNCTIONS.get(TYPES.get(node.op, "Identity" if node.op == "Cast" else ""))
    scalars = [constant.scalar for constant in read if constant.scalar is not None]
    scalar = None
    if function is not None and len(scalars) == len(read) > 0:
        try:
            scalar = float(function(*scalars))
        except (ArithmeticError, ValueError, TypeError):
            scalar = None
    return Constant(tuple(weights.values()), scalar)
