"""Follow an ONNX graph from its inputs: the shape of every tensor, constants computed, decidable branches taken."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import SourceError
from perfcast.formats.nodes import described, sources
from perfcast.formats.onnx_graph.inference import OF_DATA_SHAPES, declared_values, fold, infer
from perfcast.formats.onnx_graph.loading import KNOWN_DOMAINS
from perfcast.formats.onnx_graph.nodes import MAX_KNOWN_ELEMENTS, Node, Value, constant_of, known, sparse_constant_of
from perfcast.formats.onnx_graph.rewriting import plain
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import onnx

_LOOPS = frozenset(("Loop", "Scan", "SequenceMap"))
_IDLE = frozenset(("Dropout", "Identity"))
_RENAMING = frozenset(("Cast", "Expand", "Flatten", "Reshape", "Squeeze", "Unsqueeze"))
_DEEPEST = 30
# What is learned is the first input; the others say how it is stored.
_ABOUT_SHAPES = ("Shape", "Size")
_STORED_OTHERWISE = frozenset(("Cast", "DequantizeLinear", "QuantizeLinear"))


@dataclass
class Walk:
    """What is known of a graph so far.

    Attributes:
        versions: of the sets of operations by domain.
        values: all tensors that nodes may read, by name.
        nodes: those that depend on the network's inputs, in order.
    """

    versions: Mapping[str, int]
    values: dict[str, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    _declared: dict[str, Value] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _floats: dict[str, Value] = field(default_factory=dict)

    def add_graph(self, graph: onnx.GraphProto, depth: int = 0) -> None:
        """Follow a graph: the network's own, or a branch of it.

        Raises:
            SourceError: a node reads what nothing gives, contradicts what it reads, decides at run time what
                happens, or does not give the shape of its output; the message names it.
        """
        if depth > _DEEPEST:
            raise SourceError(f"its branches are nested more than {_DEEPEST} levels deep")
        self._declared |= declared_values(graph)
        for tensor in graph.initializer:
            self._add(tensor.name, constant_of(tensor, tensor.name))
        for sparse in graph.sparse_initializer:
            self._add(sparse.values.name, sparse_constant_of(sparse))
        for proto in graph.node:
            self._step(proto, depth)

    def _add(self, name: str, value: Value) -> None:
        if name in self.values:
            raise SourceError(f"two nodes or constants are named {escape_control(name)[:80]!r}")
        self.values[name] = value

    def _step(self, proto: onnx.NodeProto, depth: int) -> None:
        proto.name = self._name(proto)
        _refuse_unknown_domain(proto)
        inputs = [self._read(proto, name) for name in proto.input]
        if proto.op_type == "Constant":
            return self._add_constant(proto)
        if proto.op_type == "If":
            return self._take_branch(proto, inputs, depth)
        if proto.op_type in _LOOPS:
            raise SourceError(
                f"{described(proto.name, proto.op_type)} repeats a part of the graph; loops are not supported"
            )
        if self._is_same(proto, inputs):
            return None
        return self._add_node(proto, inputs)

    def _name(self, proto: onnx.NodeProto) -> str:
        first = next(filter(None, proto.output), "")
        return escape_control(proto.name or first) or proto.op_type

    def _read(self, proto: onnx.NodeProto, name: str) -> Value | None:
        if name and name not in self.values:
            node = described(proto.name, proto.op_type)
            raise SourceError(f"{node} reads {escape_control(name)[:80]!r}, which nothing before it returns")
        return self.values[name] if name else None

    def _add_constant(self, proto: onnx.NodeProto) -> None:
        import onnx

        node, name = described(proto.name, proto.op_type), next(iter(proto.output), "")
        for attribute in proto.attribute:
            if attribute.name == "value":
                return self._add(name, constant_of(attribute.t, name))
            if attribute.name in ("value_float", "value_floats", "value_int", "value_ints"):
                kind = np.float32 if "float" in attribute.name else np.int64
                data = np.array(onnx.helper.get_attribute_value(attribute), dtype=kind)
                return self._add(name, known(name, data, ()))
            if attribute.name == "sparse_value":
                return self._add(name, replace(sparse_constant_of(attribute.sparse_tensor), name=name))
        raise SourceError(f"{node} has no value that is read")

    def _take_branch(self, proto: onnx.NodeProto, inputs: Sequence[Value | None], depth: int) -> None:
        condition = inputs[0].scalar() if inputs and inputs[0] is not None else None
        if condition is None:
            node = described(proto.name, proto.op_type)
            raise SourceError(f"{node} decides at run time what the network does, which is not supported")
        wanted = "then_branch" if condition else "else_branch"
        graphs = [attribute.g for attribute in proto.attribute if attribute.name == wanted]
        if not graphs or len(graphs[0].output) != len(proto.output):
            raise SourceError(f"{described(proto.name, proto.op_type)} has no {wanted} of as many outputs")
        outside = len(self.values)
        self.add_graph(graphs[0], depth + 1)
        returned = [self._read(proto, port.name) for port in graphs[0].output]
        while len(self.values) > outside:
            # What was added last: names within a branch mean nothing outside it.
            self.values.popitem()
        for name, value in zip(proto.output, returned, strict=True):
            if value is not None and name:
                self._add(name, value)

    def _is_same(self, proto: onnx.NodeProto, inputs: Sequence[Value | None]) -> bool:
        """Give a node's output the tensor that it reads where it does nothing at inference."""
        first = inputs[0] if inputs else None
        if first is None or not proto.output or not proto.output[0]:
            return False
        if proto.op_type == "DequantizeLinear":
            # Quantised and at once read as floats again, or given by what was rewritten as computing on floats.
            source = first if first.is_float else self._floats.get(first.name)
            if source is not None:
                self._add(proto.output[0], source)
            return source is not None
        if proto.op_type in _IDLE:
            self._add(proto.output[0], first)
            return True
        return False

    def _add_node(self, proto: onnx.NodeProto, inputs: list[Value | None]) -> None:
        form = plain(proto, inputs, self.versions[""])
        found = infer(form.node, form.inputs, self.versions, self._declared)
        names = list(filter(None, form.node.output))
        attributes = _attributes(form.node)
        if _is_constant(form.node.op_type, form.inputs):
            self._add_computed(form.node, form.inputs, found, names)
            return
        if not names or names[0] not in found:
            node = described(proto.name, proto.op_type)
            raise SourceError(f"{node}: the file does not give the shape of its output")
        first = form.inputs[0] if form.inputs else None
        if form.node.op_type in _RENAMING and first is not None and found[names[0]].tensor_type == first.tensor_type:
            self._add(names[0], first)
            return
        named = {name: replace(found[name], name=self._unused(name)) for name in names if name in found}
        for name, value in named.items():
            self._add(name, value)
        outputs = tuple(named.values())
        if proto.op_type == "QuantizeLinear" and inputs[0] is not None:
            self._floats[outputs[0].name] = inputs[0]
        op = form.node.op_type
        self.nodes.append(Node(proto.name, op, tuple(form.inputs), outputs, attributes, form.activation))

    def _add_computed(
        self, proto: onnx.NodeProto, inputs: Sequence[Value | None], found: Mapping[str, Value], names: Sequence[str]
    ) -> None:
        """Add what a node computes from constants."""
        weights = sources(proto.op_type, inputs, _ABOUT_SHAPES, _STORED_OTHERWISE)
        data = _computed(proto, inputs, found.get(names[0]) if names else None, self.versions[""])
        for position, name in enumerate(names):
            if data is not None and position == 0:
                self._add(name, known(name, data, weights))
            elif name in found:
                self._add(name, replace(found[name], weights=weights))
            else:
                constant = f"constant {escape_control(name)[:80]!r} ({escape_control(proto.op_type)})"
                raise SourceError(f"the shape of the {constant} is not known")

    def _unused(self, name: str) -> str:
        unused, count = name, 1
        while unused in self._names:
            count += 1
            unused = f"{name}@{count}"
        self._names.add(unused)
        return unused


def _refuse_unknown_domain(proto: onnx.NodeProto) -> None:
    if proto.domain in KNOWN_DOMAINS:
        return
    own = f"{escape_control(proto.domain)[:80]}::{escape_control(proto.op_type)[:80]}"
    raise SourceError(
        f"{described(proto.name, proto.op_type)} is {own}, a custom operation; what it computes is not in the file"
    )


def _attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    from onnx import helper

    found = {}
    for attribute in proto.attribute:
        try:
            value = helper.get_attribute_value(attribute)
        except ValueError as error:
            raise SourceError(f"{described(proto.name, proto.op_type)}: an attribute is damaged") from error
        found[attribute.name] = value.decode(errors="replace") if isinstance(value, bytes) else value
    return {name: list(value) if _is_repeated(value) else value for name, value in found.items()}


def _is_repeated(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__len__")


def _is_constant(op: str, inputs: Iterable[Value | None]) -> bool:
    return op in _ABOUT_SHAPES or all(value is None or value.constant for value in inputs)


def _computed(
    proto: onnx.NodeProto, inputs: Sequence[Value | None], result: Value | None, version: int
) -> np.ndarray | None:
    """Return a constant's elements, None where they are many or not known."""
    op, first = proto.op_type, inputs[0] if inputs else None
    if op not in OF_DATA_SHAPES and (result is None or result.elements > MAX_KNOWN_ELEMENTS):
        return None
    if op == "Shape" and first is not None:
        attributes = _attributes(proto)
        shape = np.array(first.shape, dtype=np.int64)
        return shape[attributes.get("start", 0) : attributes.get("end", len(shape))]
    if op == "Size" and first is not None:
        return np.array(first.elements, dtype=np.int64) if first.elements < 2**63 else None
    if any(value is not None and value.data is None for value in inputs):
        return None
    return fold(proto, [None if value is None else value.data for value in inputs], version)
