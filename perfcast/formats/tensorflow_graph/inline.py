"""Function calls of a GraphDef resolved into the operations that they run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph.allowed import CALLS
from perfcast.formats.tensorflow_graph.loops import WHILE, Loop, bounds_of, changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MAX_NODES = 500_000
_MAX_CALLS = 50_000
_DEEPEST = 64
_MAX_INDEX_DIGITS = 9


@dataclass
class Inlined:
    """The nodes of a graph, none of which calls a function but those that were to be kept.

    Attributes:
        nodes: copies; their inputs are written `name:index`, without control inputs.
        same: which tensor stands for another: what a call returns for what its function computes.
        loops: those whose bodies are among the nodes, once each.
    """

    nodes: list[Any] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    loops: list[Loop] = field(default_factory=list)

    def resolve(self, tensor: str) -> str:
        """Return the tensor that stands for another.

        Raises:
            SourceError: tensors stand for each other in a circle.
        """
        passed = []
        tensor = normal(tensor)
        while tensor in self.same:
            passed.append(tensor)
            tensor = self.same[tensor]
            if len(passed) > len(self.same):
                raise SourceError(f"tensor {tensor[:80]!r} depends on itself")
        # The next one that comes by here has one step to go.
        self.same.update(dict.fromkeys(passed, tensor))
        return tensor


def normal(tensor: str) -> str:
    """Return the name of a graph's tensor as `name:index`."""
    name, colon, index = tensor.rpartition(":")
    return tensor if colon and is_index(index) and name else f"{tensor}:0"


def is_index(text: str) -> bool:
    """Tell whether a text is the number of an output."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_INDEX_DIGITS


def inline(
    nodes: Sequence[Any],
    functions: Mapping[str, Any],
    keep: Callable[[Any], bool] = lambda function: False,
    fed: Mapping[str, str] | None = None,
    *,
    open_loops: bool = False,
) -> Inlined:
    """Return the nodes of a graph with the bodies of functions in the place of their calls.

    A body's nodes are named as in the function, after the scope of the call where it has one.

    Args:
        nodes: of the graph.
        functions: the library's functions by name.
        keep: whether calls of a function stay, by the function.
        fed: the names of inputs by the tensors that they are put in the place of.
        open_loops: whether loops are replaced by one turn of their bodies.

    Raises:
        SourceError: functions call each other without end, or the graph is damaged.
    """
    inliner = _Inliner(functions, keep, Inlined(same=dict(fed or {})), open_loops)
    inliner.add(list(nodes), {}, {node.name: node.name for node in nodes}, depth=0)
    for node in inliner.result.nodes:
        resolved = [inliner.result.resolve(name) for name in node.input]
        del node.input[:]
        node.input.extend(resolved)
    return inliner.result


@dataclass
class _Inliner:
    functions: Mapping[str, Any]
    keep: Callable[[Any], bool]
    result: Inlined = field(default_factory=Inlined)
    open_loops: bool = False
    _taken: set[str] = field(default_factory=set)
    _calls: int = 0

    def add(self, nodes: list[Any], arguments: Mapping[str, str], names: Mapping[str, str], depth: int) -> None:
        """Add a graph's or body's nodes.

        Args:
            nodes: to add.
            arguments: the outer tensors by the names of a function's own.
            names: what the nodes are called outside.
            depth: how many calls lead here.
        """
        if depth > _DEEPEST:
            raise SourceError("its functions call each other too deeply")
        self._taken.update(names.values())
        offsets = {node.name: _offsets(node, self.functions) for node in nodes} if depth else {}
        for node in nodes:
            inputs = [
                _outer(name, arguments, names, offsets) if depth else normal(name)
                for name in node.input
                if not name.startswith("^")
            ]
            self._add_node(node, inputs, names[node.name], depth)

    def _add_node(self, node: Any, inputs: list[str], name: str, depth: int) -> None:
        function = self.functions.get(node.attr["f"].func.name if node.op in CALLS else node.op)
        if function is not None and not self.keep(function):
            self._expand(node, function, inputs, name, depth)
            return
        if node.op in WHILE and self.open_loops:
            self._open(node, inputs, name, depth)
            return
        if len(self.result.nodes) >= _MAX_NODES:
            raise SourceError(f"its graph has more than {_MAX_NODES} operations, its functions' included")
        copy = type(node)()
        copy.CopyFrom(node)
        copy.name = name
        copy.device = ""
        del copy.input[:]
        copy.input.extend(inputs)
        self.result.nodes.append(copy)

    def _expand(self, node: Any, function: Any, inputs: list[str], name: str, depth: int) -> None:
        self._calls += 1
        if self._calls > _MAX_CALLS:
            raise SourceError(f"its functions are called more than {_MAX_CALLS} times")
        own = [argument.name for argument in function.signature.input_arg]
        if len(own) != len(inputs):
            raise SourceError(f"operation {node.name[:80]!r} calls a function with the wrong number of inputs")
        arguments = dict(zip(own, inputs, strict=True))
        body = [_bound(inner, node) for inner in function.node_def]
        names = {inner.name: self._free(inner.name, name) for inner in body}
        self.add(body, arguments, names, depth + 1)
        offsets = {inner.name: _offsets(inner, self.functions) for inner in body}
        for index, output in enumerate(function.signature.output_arg):
            outer = _outer(function.ret.get(output.name, ""), arguments, names, offsets)
            self.result.same[f"{name}:{index}"] = outer

    def _open(self, node: Any, inputs: list[str], name: str, depth: int) -> None:
        """Add one turn of a loop."""
        functions = [self.functions.get(node.attr[key].func.name) for key in ("cond", "body")]
        if None in functions:
            raise SourceError(f"operation {name[:80]!r} loops over a function that is missing")
        bounds = bounds_of(name, inputs, *functions)
        first = len(self.result.nodes)
        started = [
            self._state(node, index, tensor, name) if changes(functions[1], index) else tensor
            for index, tensor in enumerate(inputs)
        ]
        states = frozenset(added.name for added in self.result.nodes[first:])
        self._expand(node, functions[1], started, name, depth)
        nodes = frozenset(added.name for added in self.result.nodes[first:])
        self.result.loops.append(Loop(name, nodes, bounds, states))

    def _state(self, loop: Any, index: int, tensor: str, name: str) -> str:
        """Add an operation that stands for what a loop changes each turn; return its tensor."""
        state = type(loop)(name=self._free(f"state_{index}", name), op="Identity", input=[tensor])
        state.attr["T"].type = loop.attr["T"].list.type[index]
        self._taken.add(state.name)
        self.result.nodes.append(state)
        return f"{state.name}:0"

    def _free(self, name: str, call: str) -> str:
        """Return a name that no node has, for a body's node: after the call's scope if it may be, else the call."""
        scope = call.rpartition("/")[0]
        candidate = f"{scope}/{name}" if scope else name
        number = 0
        while candidate in self._taken:
            number += 1
            candidate = f"{call}/{name}" if number == 1 else f"{call}_{number}/{name}"
        return candidate


def _bound(node: Any, call: Any) -> Any:
    """Return a body's node with the attributes that the function takes from its call."""
    if not any(value.placeholder for value in node.attr.values()):
        return node
    copy = type(node)()
    copy.CopyFrom(node)
    for key, value in node.attr.items():
        if value.placeholder:
            if value.placeholder not in call.attr:
                raise SourceError(f"operation {call.name[:80]!r} lacks the attribute {value.placeholder[:80]!r}")
            copy.attr[key].CopyFrom(call.attr[value.placeholder])
    return copy


def _offsets(node: Any, functions: Mapping[str, Any]) -> dict[str, int]:
    """Return at which index the outputs of each name begin."""
    from tensorflow.python.framework import op_def_registry

    definition = functions[node.op].signature if node.op in functions else op_def_registry.get(node.op)
    if definition is None:
        return {}
    offsets, index = {}, 0
    for output in definition.output_arg:
        offsets[output.name] = index
        if output.number_attr:
            index += max(0, node.attr[output.number_attr].i)
        elif output.type_list_attr:
            index += len(node.attr[output.type_list_attr].list.type)
        else:
            index += 1
    return offsets


def _outer(
    name: str, arguments: Mapping[str, str], names: Mapping[str, str], offsets: Mapping[str, Mapping[str, int]]
) -> str:
    """Return what a body calls `argument` or `node:output:index`, as the outer graph names it."""
    if name in arguments:
        return arguments[name]
    node, _, output = name.partition(":")
    label, _, index = output.partition(":")
    if node in arguments:
        return arguments[node]
    if node not in offsets or label not in offsets[node] or not is_index(index or "0"):
        raise SourceError(f"a function reads {name[:80]!r}, which is missing")
    return f"{names[node]}:{offsets[node][label] + int(index or 0)}"
