"""From a graph with variables and function calls to one of operations and weights alone."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph.allowed import CALLS, VARIABLES
from perfcast.formats.tensorflow_graph.inline import inline
from perfcast.formats.tensorflow_graph.loops import WHILE, Loop, gather, without_lists
from perfcast.formats.weightless import called_functions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# What loops and their functions say of their inputs that holds for variables only.
_OF_VARIABLES = frozenset(("_input_shapes", "_output_shapes", "_read_only_resource_inputs"))


@dataclass(frozen=True)
class Source:
    """A graph as a file holds it.

    Attributes:
        nodes: of the graph.
        functions: of its library, by name.
        versions: what the GraphDef says of the TensorFlow that wrote it.
        inputs: the tensors, `name:index`, that the network's inputs take the place of.
        outputs: the tensors that it returns.
    """

    nodes: Sequence[Any]
    functions: Mapping[str, Any]
    versions: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Frozen:
    """A graph without calls, control inputs and reads of variables, in execution order.

    Attributes:
        nodes: variables are still there, as `VarHandleOp` or `VariableV2`; inputs, named as `input_names`
            names them, are not.
        functions: those that calls are left of.
        outputs: the tensors that it returns.
        variables: the names of the nodes that are variables.
        loops: those of which the nodes hold one turn.
    """

    nodes: tuple[Any, ...]
    functions: tuple[Any, ...]
    outputs: tuple[str, ...]
    variables: frozenset[str]
    loops: tuple[Loop, ...] = ()


def input_names(source: Source) -> tuple[str, ...]:
    """Return the names that the nodes of the inputs get, which no other node has."""
    taken = {node.name for node in source.nodes}
    names = []
    for index in range(len(source.inputs)):
        name = f"input_{index}"
        while name in taken:
            name = f"network_{name}"
        names.append(name)
    return tuple(names)


def must_compile(function: Any) -> bool:
    """Tell whether a function of the library is compiled by XLA wherever it runs."""
    return "_XlaMustCompile" in function.attr and function.attr["_XlaMustCompile"].b


def freeze(source: Source, keep: Callable[[Any], bool] = lambda function: False, *, open_loops: bool = False) -> Frozen:
    """Resolve a graph's calls, but those of functions to keep, and its reads of variables.

    Args:
        source: the graph.
        keep: whether calls of a function stay, by the function.
        open_loops: whether one turn of their bodies takes the place of loops.

    Raises:
        SourceError: it changes variables, is damaged, or has no end.
    """
    fed = {tensor: f"{name}:0" for tensor, name in zip(source.inputs, input_names(source), strict=True)}
    renamed = {old: new for old, new in fed.items() if old != new}
    inlined = inline(source.nodes, source.functions, keep, renamed, open_loops=open_loops)
    nodes = {node.name: node for node in inlined.nodes}
    variables = frozenset(name for name, node in nodes.items() if node.op in VARIABLES)
    handles = _Handles(nodes, variables)
    functions = _read_variables(nodes, handles, source.functions)
    outputs = tuple(inlined.resolve(tensor) for tensor in source.outputs)
    loops = tuple(loop.resolved(inlined.resolve) for loop in without_lists(nodes, inlined.loops))
    counted = [tensor for loop in loops for bound in loop.bounds for tensor in bound.tensors()]
    ordered = _in_order(nodes, (*outputs, *counted), set(fed.values()))
    called = _called(ordered, {**source.functions, **functions})
    used = frozenset(node.name for node in ordered)
    return Frozen(tuple(ordered), called, outputs, variables & used, loops)


@dataclass(frozen=True)
class _Handles:
    """Which tensors are variables, directly or by another name."""

    nodes: Mapping[str, Any]
    variables: frozenset[str]

    def variable(self, tensor: str) -> str | None:
        """Return the variable that a tensor is the handle of, None if it is not one."""
        for _ in range(len(self.nodes)):
            name = tensor.rpartition(":")[0]
            node = self.nodes.get(name)
            if name in self.variables:
                return name
            if node is None or node.op != "Identity" or not node.input:
                return None
            tensor = node.input[0]
        return None


def _read_variables(nodes: dict[str, Any], handles: _Handles, functions: Mapping[str, Any]) -> dict[str, Any]:
    """Make the operations that read variables read weights; return the functions that take weights then."""
    changed: dict[str, Any] = {}
    for node in list(nodes.values()):
        if node.op == "ReadVariableOp":
            node.op = "Identity"
            node.attr["T"].type = node.attr["dtype"].type
            del node.attr["dtype"]
            node.input[0] = _weight(node, handles)
        elif node.op == "ResourceGather":
            _gather(node, nodes, handles)
        elif node.op in WHILE:
            changed |= _loop_with_weights(node, handles, functions)
        elif node.op in CALLS or node.op in functions:
            function = _with_weights(node, handles, functions)
            changed[function.signature.name] = function
    return changed


def _weight(node: Any, handles: _Handles) -> str:
    variable = handles.variable(node.input[0]) if node.input else None
    if variable is None:
        raise SourceError(f"operation {node.name[:80]!r} ({node.op}) reads no variable that is in the graph")
    return f"{variable}:0"


def _gather(node: Any, nodes: dict[str, Any], handles: _Handles) -> None:
    dtype = node.attr["dtype"].type
    for key in {"dtype", "validate_indices"} & set(node.attr):
        del node.attr[key]
    gather(node, nodes, dtype, [_weight(node, handles), *node.input[1:]])


def _with_weights(node: Any, handles: _Handles, functions: Mapping[str, Any]) -> Any:
    """Return a copy of the function that a node calls, which takes weights where it took variables."""
    name = node.attr["f"].func.name if node.op in CALLS else node.op
    function = type(functions[name])()
    function.CopyFrom(functions[name])
    if len(function.signature.input_arg) != len(node.input):
        raise SourceError(f"operation {node.name[:80]!r} calls a function with the wrong number of inputs")
    types = node.attr["Tin"].list.type if node.op in CALLS else []
    for index, argument in enumerate(function.signature.input_arg):
        variable = handles.variable(node.input[index])
        if variable is None or argument.type != _resource():
            continue
        _take_weight(function, argument)
        if len(types) > index:
            types[index] = argument.type
        node.input[index] = f"{variable}:0"
    return function


def _take_weight(function: Any, argument: Any) -> None:
    """Make a function take a weight where it took a variable."""
    reads = [inner for inner in function.node_def if argument.name in inner.input]
    if any(inner.op != "ReadVariableOp" for inner in reads) or not reads:
        raise SourceError(f"function {function.signature.name[:80]!r} does more with a variable than read it")
    for inner in reads:
        inner.op = "Identity"
        argument.type = inner.attr["dtype"].type
        inner.attr["T"].type = argument.type
        del inner.attr["dtype"]
        _rename_output(function, inner.name, "value", "output")
    argument.ClearField("handle_data")


def _loop_with_weights(node: Any, handles: _Handles, functions: Mapping[str, Any]) -> dict[str, Any]:
    """Return copies of the functions of a loop, which takes weights where it took variables."""
    copies = {}
    for key in ("cond", "body"):
        name = node.attr[key].func.name
        if name not in functions:
            raise SourceError(f"operation {node.name[:80]!r} loops over a function that is missing")
        copies[key] = type(functions[name])()
        copies[key].CopyFrom(functions[name])
    body, condition = copies["body"].signature, copies["cond"].signature
    if not len(node.input) == len(body.input_arg) == len(body.output_arg) == len(condition.input_arg):
        raise SourceError(f"operation {node.name[:80]!r} calls a function with the wrong number of inputs")
    for index, argument in enumerate(body.input_arg):
        variable = handles.variable(node.input[index])
        if variable is not None and argument.type == _resource():
            _take_weight(copies["body"], argument)
            for other in (condition.input_arg[index], body.output_arg[index]):
                other.type = argument.type
                other.ClearField("handle_data")
            _pass_weight(node, index, argument.type, f"{variable}:0")
    for owner in (node, *copies.values()):
        for key in _OF_VARIABLES & set(owner.attr):
            del owner.attr[key]
    return {copy.signature.name: copy for copy in copies.values()}


def _pass_weight(loop: Any, index: int, dtype: int, weight: str) -> None:
    loop.attr["T"].list.type[index] = dtype
    shapes = loop.attr["output_shapes"].list.shape
    if index < len(shapes):
        shapes[index].Clear()
        shapes[index].unknown_rank = True
    loop.input[index] = weight


def _resource() -> int:
    from tensorflow.core.framework import types_pb2

    return types_pb2.DT_RESOURCE


def _rename_output(function: Any, node: str, old: str, new: str) -> None:
    """Name an output of a body's node again wherever it is read."""
    before, after = f"{node}:{old}:", f"{node}:{new}:"
    for inner in function.node_def:
        for index, name in enumerate(inner.input):
            if name.startswith(before):
                inner.input[index] = after + name.removeprefix(before)
    for key, name in function.ret.items():
        if name.startswith(before):
            function.ret[key] = after + name.removeprefix(before)


def _in_order(nodes: Mapping[str, Any], outputs: Sequence[str], fed: set[str]) -> list[Any]:
    """Return the nodes that the outputs depend on, each after what it reads, else in the file's order."""
    wanted = _needed(nodes, outputs, fed)
    places = {name: place for place, name in enumerate(nodes) if name in wanted}
    names = list(places)
    readers: dict[str, list[str]] = {name: [] for name in names}
    missing = {}
    for name in names:
        read = {tensor.rpartition(":")[0] for tensor in nodes[name].input if tensor not in fed}
        missing[name] = len(read)
        for other in read:
            readers[other].append(name)
    ready = [places[name] for name in names if not missing[name]]
    heapq.heapify(ready)
    by_place = {place: name for name, place in places.items()}
    ordered = []
    while ready:
        name = by_place[heapq.heappop(ready)]
        ordered.append(nodes[name])
        for reader in readers[name]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, places[reader])
    if len(ordered) < len(wanted):
        raise SourceError("its operations form a cycle")
    return ordered


def _needed(nodes: Mapping[str, Any], outputs: Sequence[str], fed: set[str]) -> set[str]:
    pending, needed = [tensor for tensor in outputs if tensor not in fed], set()
    while pending:
        name = pending.pop().rpartition(":")[0]
        if name in needed:
            continue
        if name not in nodes:
            raise SourceError(f"its graph is damaged: the operation {name[:80]!r} is missing")
        needed.add(name)
        pending += [tensor for tensor in nodes[name].input if tensor not in fed]
    return needed


def _called(nodes: Sequence[Any], functions: Mapping[str, Any]) -> tuple[Any, ...]:
    pending, called = list(nodes), dict[str, Any]()
    while pending:
        for name in called_functions(pending.pop()):
            if name in functions and name not in called:
                called[name] = functions[name]
                pending += functions[name].node_def
    return tuple(called[name] for name in sorted(called))
