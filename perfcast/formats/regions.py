"""Activations, softmax and normalisations that an op graph spells out in several operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perfcast.formats.activations import FUNCTIONS, TYPES, recognise
from perfcast.formats.operations import weights_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.operations import Operation, OperationGraph

_MAX_OPERATIONS = 20
# What a learned slope is taken for while the function around it is recognised.
_SLOPE = 0.25


@dataclass(frozen=True)
class Region:
    """Operations that lead from one tensor to one tensor, and nothing else reads what is between.

    Attributes:
        source: the name of the tensor that they read.
        before: the type of what returns the source.
        operations: in the order in which they depend on each other.
    """

    source: str
    before: str
    operations: tuple[Operation, ...]

    @property
    def kinds(self) -> Counter[str]:
        """How many operations there are of each type."""
        return Counter(operation.type for operation in self.operations)


def merge_activations(graph: OperationGraph) -> None:
    """Turn operations that compute a known function of one tensor into one layer `Activation`."""
    _merge_regions(graph, _is_function_of_tensors, _activation)


def merge_learned_slopes(graph: OperationGraph) -> None:
    """Turn rectifiers of which the slope below zero was learned into one layer `PReLU`."""
    _merge_regions(graph, lambda operation: operation.type in FUNCTIONS and len(operation.outputs) == 1, _prelu)


def merge_softmax(graph: OperationGraph) -> None:
    """Turn exponentials that are divided by their sum into one layer `Activation`."""
    _merge_regions(graph, lambda operation: operation.type in _SOFTMAX, _softmax)


def merge_normalisations(graph: OperationGraph) -> None:
    """Turn operations that divide a tensor by a norm of itself into one normalising layer."""
    _merge_regions(graph, lambda operation: operation.type in _NORMALISING, _normalisation)


def _merge_regions(
    graph: OperationGraph,
    allowed: Callable[[Operation], bool],
    layer_of: Callable[[Region, OperationGraph], Operation | None],
) -> None:
    taken: set[str] = set()
    # The whole comes after its parts: hard-swish is met before the hard-sigmoid in it.
    for last in reversed(list(graph)):
        if last.returned.name not in taken and allowed(last):
            region, layer = _grow(graph, last, allowed, layer_of)
            if layer is not None:
                taken |= {operation.returned.name for operation in region}
                graph.merge(region, last, layer)


def _grow(
    graph: OperationGraph,
    last: Operation,
    allowed: Callable[[Operation], bool],
    layer_of: Callable[[Region, OperationGraph], Operation | None],
) -> tuple[list[Operation], Operation | None]:
    """Return the fewest operations that end in `last` and are a layer, and that layer."""
    region = [last]
    while len(region) <= _MAX_OPERATIONS:
        inside = {operation.returned.name for operation in region}
        read = {name for operation in region for name in operation.inputs if name not in inside}
        if len(read) == 1:
            (source,) = read
            before = graph.producer(source)
            layer = layer_of(Region(source, before.type if before else "", tuple(reversed(region))), graph)
            if layer is not None:
                return region, layer
        latest = _latest_inside(graph, region, read, allowed)
        if latest is None:
            break
        region.append(latest)
    return region, None


def _latest_inside(
    graph: OperationGraph, region: list[Operation], read: set[str], allowed: Callable[[Operation], bool]
) -> Operation | None:
    for name in sorted(read, key=graph.position, reverse=True):
        operation = graph.producer(name)
        readers = sum(name in other.inputs for other in region)
        if operation is not None and allowed(operation) and graph.is_private(operation, readers):
            return operation
    return None


def _is_function_of_tensors(operation: Operation) -> bool:
    known = all(isinstance(operand, float) or operand in operation.inputs for operand in operation.reads())
    if operation.weights or len(operation.outputs) != 1:
        return False
    return operation.type == "Softmax" or (operation.type in FUNCTIONS and known)


def _activation(region: Region, graph: OperationGraph) -> Operation | None:
    last = region.operations[-1]
    source = graph.tensor(region.source)
    if source is None or source.shape != last.returned.shape:
        return None
    direct = TYPES.get(last.type) if len(region.operations) == 1 else None
    name = direct or recognise(lambda x: _evaluate(region, x))
    return _layer(region, "Activation", name) if name else None


def _prelu(region: Region, graph: OperationGraph) -> Operation | None:
    learned = weights_of(region.operations)
    if len(learned) != 1 or region.operations[-1].weights:
        return None
    # With either sign the weight may stand for the slope.
    names = {recognise(lambda x, slope=slope: _evaluate(region, x, slope)) for slope in (_SLOPE, -_SLOPE)}  # type: ignore[misc]
    return _layer(region, "PReLU") if "leaky_relu" in names else None


def _evaluate(region: Region, value: float, weight: float = 0.0) -> float:
    if "Softmax" in region.kinds:
        raise ValueError("softmax is not a function of one number")
    values = {region.source: value}
    for operation in region.operations:
        read = [values.get(operand, weight) if isinstance(operand, str) else operand for operand in operation.reads()]
        values[operation.returned.name] = FUNCTIONS[operation.type](*read)
    return values[region.operations[-1].returned.name]


def _layer(region: Region, kind: str, activation: str | None = None) -> Operation:
    last = region.operations[-1]
    return replace(
        last,
        type=kind,
        inputs=(region.source,),
        operands=(),
        axes=(),
        weights=weights_of(region.operations),
        activation=activation,
        layout="same",
    )


_SOFTMAX = frozenset(("Exp", "Sum", "Max", "Subtract", "Divide", "Multiply", "Reciprocal", "Identity"))
_NORMALISING = frozenset(
    (
        *("Add", "Subtract", "Multiply", "Divide", "Maximum", "Minimum", "SquaredDifference", "Square", "Power"),
        *("Negative", "Sqrt", "Rsqrt", "Reciprocal", "Mean", "Sum", "Identity"),
    )
)


def _softmax(region: Region, graph: OperationGraph) -> Operation | None:
    kinds = region.kinds
    # The greatest element may be subtracted first.
    complete = kinds["Exp"] == 1 and kinds["Sum"] == 1 and region.before != "Subtract"
    return _layer(region, "Activation", "softmax") if complete else None


def _normalisation(region: Region, graph: OperationGraph) -> Operation | None:
    kinds = region.kinds
    roots = kinds["Sqrt"] + kinds["Rsqrt"] + kinds["Power"]
    # Before the last step back, to the centred values, there is one mean only.
    if not roots or not kinds["Multiply"] + kinds["Divide"] or region.before == "Subtract":
        return None
    if kinds["Mean"] >= 2:
        source = graph.tensor(region.source)
        rank = len(source.shape) if source else 0
        axes = {axis for operation in region.operations if operation.type == "Mean" for axis in operation.axes}
        whole = axes == set(range(min(axes, default=0), rank))
        return _layer(region, "LayerNormalization" if whole else "GroupNormalization")
    if kinds["Mean"] == 1:
        return _layer(region, "RMSNormalization")
    return _layer(region, "UnitNormalization") if kinds["Sum"] == 1 else None
