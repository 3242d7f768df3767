"""Read a TensorFlow Lite file as a network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeGuard

from perfcast.errors import SourceError
from perfcast.formats import inputs
from perfcast.formats.grouping import Operation, group
from perfcast.formats.nodes import names_of_outputs, sources
from perfcast.formats.tflite_graph.interpreter import shapes_at
from perfcast.formats.tflite_graph.operators import Operator, Value, operation_of
from perfcast.formats.tflite_graph.parsing import Graph, TensorRecord, names_of, parse
from perfcast.formats.tflite_graph.pieces import with_pieces
from perfcast.network.network import Network, Tensor, Weight

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from perfcast.formats.tflite_graph.parsing import OperatorRecord
    from perfcast.network.network import Shape

_CALLS = frozenset(("CALL", "IF", "WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE"))
_ABOUT_SHAPES = frozenset(("RANK", "SHAPE"))
_NO_NUMBERS = frozenset(("string", "resource", "variant"))
_FUSED = {"RELU": "ReLU", "RELU6": "ReLU6", "RELU_N1_TO_1": "Clip", "TANH": "Tanh", "SIGN_BIT": "Sign"}
_BOUNDS = {"Clip": (-1.0, 1.0)}
_PRODUCTS = frozenset(
    ("Conv2D", "MatMul", "Tensordot", "conv_transpose", "convolution", "depthwise", "separable_conv2d")
)
_RENAMING = frozenset(("BROADCAST_TO", "CAST", "EXPAND_DIMS", "RESHAPE", "SQUEEZE"))
# What is learned is the first input; the others say how it is stored.
_STORED_OTHERWISE = frozenset(("CAST", "DENSIFY", "DEQUANTIZE", "QUANTIZE"))


def read_tflite(path: Path, shapes: Mapping[str, Shape]) -> Network:
    """Return the network of a TensorFlow Lite file.

    Args:
        path: the file.
        shapes: of inputs that the file leaves open, see `perfcast.formats.inputs.resolve_shapes`.

    Raises:
        UsageError: `shapes` do not fit the file's inputs, or leave a size open.
        SourceError: the file not a TensorFlow Lite file, is damaged, or does what is not read; one line without
            the path.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror or error})") from error
    graph = with_pieces(_settled(path, parse(content), shapes))
    walk = _Walk(graph)
    for operator in graph.operators:
        walk.add(operator)
    returned = names_of_outputs([(index, graph.tensors[index].name) for index in graph.outputs], walk.values)
    read = tuple(graph.tensors[index].name for index in graph.inputs)
    return Network(read, returned, group(walk.operations, returned))


def _settled(path: Path, graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """Return the graph at the shapes that its inputs are to have."""
    if not graph.inputs or len(set(graph.inputs)) < len(graph.inputs):
        raise SourceError("the network has no inputs, or one of them twice")
    for index in graph.inputs:
        if graph.tensors[index].dtype in _NO_NUMBERS:
            kind = f"input {graph.tensors[index].name[:80]!r} takes {graph.tensors[index].dtype} values"
            raise SourceError(f"{kind}; only numeric inputs are supported")
    declared = {graph.tensors[index].name: graph.tensors[index].signature for index in graph.inputs}
    settled = inputs.resolve_shapes(declared, shapes)
    wanted = {index: settled[graph.tensors[index].name] for index in graph.inputs}
    fits = all(graph.tensors[index].shape == shape for index, shape in wanted.items())
    if fits and not any(_is_open(record) for record in graph.tensors):
        return graph
    found = shapes_at(path, wanted)
    if found is None:
        raise SourceError("LiteRT cannot run it at these shapes of its inputs, so the other shapes are not known")
    tensors = (replace(record, shape=found.get(index, record.shape)) for index, record in enumerate(graph.tensors))
    return replace(graph, tensors=tuple(tensors))


def _is_open(record: TensorRecord) -> bool:
    # An open batch is 1, as the file has it.
    return not record.stored and None in record.signature[1:]


@dataclass
class _Walk:
    """What is known of a graph so far: its tensors by their index, and the operations that depend on its inputs."""

    graph: Graph
    values: dict[int, Value] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        for index in self.graph.inputs:
            record = self.graph.tensors[index]
            self.values[index] = Value(record.name, record.shape, record.dtype)
            self.operations.append(Operation(record.name, "InputLayer", (), (self.values[index].tensor,)))
        for index, record in enumerate(self.graph.tensors):
            if index not in self.values and (record.stored or 0 in record.shape):
                weight = Weight(record.name, math.prod(record.shape))
                self.values[index] = Value(record.name, record.shape, record.dtype, (weight,), record.data)

    def add(self, record: OperatorRecord) -> None:
        """Add an operator; those before it have been added.

        Raises:
            SourceError: it reads what nothing gives, calls another graph, or contradicts what it reads.
        """
        name = self.graph.tensors[record.outputs[0]].name.partition(";")[0] if record.outputs else record.code
        described = f"operator {name[:120]!r} ({record.code})"
        if record.code in _CALLS:
            raise SourceError(f"{described} calls another graph of the file, which is not supported")
        read = tuple(self._read(index, described) for index in record.inputs)
        given = [index for index in record.outputs if index in self.values]
        if given:
            raise SourceError(f"{described} gives {self.graph.tensors[given[0]].name[:80]!r}, which exists already")
        if record.code in _RENAMING and read and self._is_same(read[0], record):
            self.values[record.outputs[0]] = read[0]
            return
        constant = record.code in _ABOUT_SHAPES or all(value is None or value.weights is not None for value in read)
        weights = sources(record.code, read, _ABOUT_SHAPES, _STORED_OTHERWISE) if constant else None
        # Elements are known as the numbers that they stand for, however those are stored.
        data = read[0].data if record.code in _STORED_OTHERWISE and read and read[0] is not None else None
        for index in record.outputs:
            made = self.graph.tensors[index]
            self.values[index] = Value(made.name, made.shape, made.dtype, weights, data)
        if not constant and record.outputs:
            outputs = tuple(self.values[index] for index in record.outputs)
            self._append(Operator(name, record.code, read, outputs, record.options))

    def _is_same(self, read: Value | None, record: OperatorRecord) -> TypeGuard[Value]:
        """Tell whether an operator returns what it reads."""
        made = [(self.graph.tensors[index].shape, self.graph.tensors[index].dtype) for index in record.outputs]
        return read is not None and made == [(read.shape, read.dtype)]

    def _read(self, index: int, described: str) -> Value | None:
        if index < 0:
            return None
        record = self.graph.tensors[index]
        if record.variable and index not in self.values:
            # The state of a recurrent layer, which starts as zeros.
            return None
        if index not in self.values:
            raise SourceError(f"{described} reads {record.name[:80]!r}, which nothing before it returns")
        return self.values[index]

    def _append(self, operator: Operator) -> None:
        """Add an operation, and a second one where the operator ends in an activation.

        The operation takes the name of what was fused into it, so that grouping sees which layer had the activation.
        """
        own = _own_name(operator)
        operation = operation_of(replace(operator, name=own or operator.name))
        fused = names_of("ActivationFunctionType").get(operator.option("FusedActivationFunction", 0), "NONE")
        if fused not in _FUSED or operation.type.endswith(("LSTM", "RNN")):
            self.operations.append(operation)
            return
        returned = operation.outputs[0]
        segments = [segment for segment in returned.name.split(";") if segment]
        before = Tensor(f"{returned.name};before its activation", returned.shape, returned.dtype)
        name = own or (segments[1] if len(segments) > 1 else operation.name)
        self.operations.append(replace(operation, name=name, outputs=(before, *operation.outputs[1:])))
        type = _FUSED[fused]
        operands = (before.name, *_BOUNDS.get(type, ()))
        self.operations.append(Operation(operator.name, type, (before.name,), (returned,), operands=operands))


def _own_name(operator: Operator) -> str:
    """Return the name that a convolution or dense layer had before others were fused into it; empty if not known.

    The converter joins the names of what it fuses, the last one first.
    """
    known = (value.weights for value in operator.inputs if value is not None and value.weights)
    names = [segment for weights in known for weight in weights for segment in weight.name.split(";")]
    return next((name for name in names if name.rpartition("/")[2] in _PRODUCTS), "")
