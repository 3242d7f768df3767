"""Loops whose number of iterations follows from the graph, as in recurrent layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph.files import constant_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WHILE = frozenset(("While", "StatelessWhile"))
"""Operations that run their function `body` as long as their function `cond` says so."""

_MAX_PASSED = 100
_MAX_STACKED = 100_000


@dataclass(frozen=True)
class Bound:
    """A counter that ends a loop.

    Attributes:
        start: the tensor that it starts at.
        limit: the tensor, or number, that it stays below.
        step: by how much it grows each turn.
    """

    start: str
    limit: str | int
    step: int

    def resolved(self, resolve: Callable[[str], str]) -> Bound:
        """Return the same with the tensors that stand for its own."""
        limit = resolve(self.limit) if isinstance(self.limit, str) else self.limit
        return Bound(resolve(self.start), limit, self.step)

    def tensors(self) -> tuple[str, ...]:
        """Return the tensors that it depends on."""
        return (self.start, self.limit) if isinstance(self.limit, str) else (self.start,)


@dataclass(frozen=True)
class Loop:
    """A loop whose body is in the graph once.

    Attributes:
        name: of the operation that it was.
        nodes: the names of its body's operations.
        bounds: the counters, each of which ends it.
        states: the names of those of `nodes` that stand for what changes each turn, though it starts constant.
    """

    name: str
    nodes: frozenset[str]
    bounds: tuple[Bound, ...]
    states: frozenset[str] = frozenset()

    def resolved(self, resolve: Callable[[str], str]) -> Loop:
        """Return the same with the tensors that stand for those of its bounds."""
        return replace(self, bounds=tuple(bound.resolved(resolve) for bound in self.bounds))


def bounds_of(name: str, inputs: Sequence[str], condition: Any, body: Any) -> tuple[Bound, ...]:
    """Return the counters that end a loop.

    Args:
        name: of the loop's operation.
        inputs: the tensors that it starts from.
        condition: its function `cond`.
        body: its function `body`.

    Raises:
        SourceError: what ends it is not decided by counters alone.
    """
    asked, done = _Body(condition), _Body(body)
    pending = [asked.returned(0)]
    found: list[Bound] = []
    while pending:
        node = asked.node(pending.pop())
        if node is not None and node.op == "LogicalAnd":
            pending += node.input[:2]
            continue
        counter = asked.argument(node.input[0]) if node is not None and node.op == "Less" else None
        step = _step(done, counter) if counter is not None else None
        limit = _limit(asked, done, node.input[1], inputs) if step is not None and node is not None else None
        if counter is None or step is None or limit is None or len(found) > _MAX_PASSED:
            raise SourceError(f"operation {name[:80]!r} loops: the number of iterations is only known at run time")
        found.append(Bound(inputs[counter], limit, step))
    return tuple(found)


def changes(body: Any, index: int) -> bool:
    """Tell whether a loop's body returns something else than it was given."""
    function = _Body(body)
    return function.argument(function.returned(index)) != index


def _step(body: _Body, counter: int) -> int | None:
    node = body.node(body.returned(counter))
    if node is None or node.op not in ("Add", "AddV2"):
        return None
    for one, other in (node.input[:2], node.input[1::-1]):
        step = body.number(other)
        if body.argument(one) == counter and step is not None and step > 0:
            return step
    return None


def _limit(condition: _Body, body: _Body, tensor: str, inputs: Sequence[str]) -> str | int | None:
    argument = condition.argument(tensor)
    if argument is None:
        return condition.number(tensor)
    return inputs[argument] if body.argument(body.returned(argument)) == argument else None


class _Body:
    """A function of the library, its tensors followed back."""

    def __init__(self, function: Any):
        self._function = function
        self._nodes: Mapping[str, Any] = {node.name: node for node in function.node_def}
        self._arguments = {argument.name: i for i, argument in enumerate(function.signature.input_arg)}

    def returned(self, index: int) -> str:
        outputs = self._function.signature.output_arg
        return self._function.ret.get(outputs[index].name, "") if index < len(outputs) else ""

    def _origin(self, tensor: str) -> str:
        for _ in range(_MAX_PASSED):
            node = self._nodes.get(tensor.partition(":")[0])
            if node is None or node.op != "Identity" or not node.input:
                break
            tensor = node.input[0]
        return tensor.partition(":")[0]

    def node(self, tensor: str) -> Any:
        node = self._nodes.get(self._origin(tensor))
        return node if node is not None and len(node.input) > 1 else None

    def argument(self, tensor: str) -> int | None:
        return self._arguments.get(self._origin(tensor))

    def number(self, tensor: str) -> int | None:
        node = self._nodes.get(self._origin(tensor))
        if node is None or node.op != "Const":
            return None
        values = constant_values(node)
        return int(values.item()) if values.size == 1 and values.dtype.kind in "iu" else None


def turns(loop: Loop, graph: Any) -> int:
    """Return how often a loop's body runs, from a graph that has all shapes.

    Raises:
        SourceError: that is not known without running it.
    """
    counts = []
    for bound in loop.bounds:
        start = _value(graph, bound.start)
        limit = bound.limit if isinstance(bound.limit, int) else _value(graph, bound.limit)
        if start is None or limit is None:
            raise SourceError(f"operation {loop.name[:80]!r} loops: the number of iterations is only known at run time")
        counts.append(max(0, -(-(limit - start) // bound.step)))
    return min(counts)


def _value(graph: Any, tensor: str) -> int | None:
    from tensorflow.python.client import pywrap_tf_session

    found = graph.get_tensor_by_name(tensor)
    with graph._c_graph.get() as c_graph:
        value = pywrap_tf_session.TF_TryEvaluateConstant_wrapper(c_graph, found._as_tf_output())
    return int(value.item()) if value is not None and value.size == 1 and value.dtype.kind in "iu" else None


def without_lists(nodes: dict[str, Any], loops: Sequence[Loop]) -> list[Loop]:
    """Make what takes an element of a list, or stacks those that a loop put into one, work on tensors.

    Args:
        nodes: of a graph by their names, one turn of each loop's body among them; changed in place.
        loops: the loops.

    Returns:
        The loops, what stacks the elements that they give among their nodes.
    """
    for node in list(nodes.values()):
        if node.op == "TensorListGetItem":
            _take(node, nodes)
    stacking: dict[str, str] = {}
    for node in nodes.values():
        item = _stacked(node, nodes) if node.op == "TensorListStack" else ""
        if item:
            stacking[node.name] = item.rpartition(":")[0]
    return [
        replace(loop, nodes=loop.nodes | {name for name, item in stacking.items() if item in loop.nodes})
        for loop in loops
    ]


def _producer(tensor: str, nodes: Mapping[str, Any]) -> Any:
    for _ in range(_MAX_PASSED):
        node = nodes.get(tensor.rpartition(":")[0])
        if node is None or node.op != "Identity" or not node.input:
            return node
        tensor = node.input[0]
    return None


def _take(node: Any, nodes: dict[str, Any]) -> None:
    """Gather what a list's element is from the tensor that the list was made from."""
    from tensorflow.core.framework import types_pb2

    made = _producer(node.input[0], nodes)
    if made is None or made.op != "TensorListFromTensor":
        return
    dtype = node.attr["element_dtype"].type
    node.ClearField("attr")
    node.attr["Tindices"].type = types_pb2.DT_INT32
    gather(node, nodes, dtype, [made.input[0], node.input[1]])


def gather(node: Any, nodes: dict[str, Any], dtype: int, inputs: Sequence[str]) -> None:
    """Make a node one that picks elements of its first input, at those places along the first axis that come second."""
    from tensorflow.core.framework import types_pb2

    axis = type(node)(name=f"{node.name}/axis", op="Const")
    axis.attr["dtype"].type = axis.attr["value"].tensor.dtype = types_pb2.DT_INT32
    axis.attr["value"].tensor.tensor_shape.SetInParent()
    axis.attr["value"].tensor.int_val.append(0)
    nodes[axis.name] = axis
    _become(node, "GatherV2", [*inputs, f"{axis.name}:0"])
    node.attr["Tparams"].type, node.attr["Taxis"].type = dtype, types_pb2.DT_INT32


def _become(node: Any, op: str, inputs: Sequence[str]) -> None:
    node.op = op
    del node.input[:]
    node.input.extend(inputs)


def _stacked(node: Any, nodes: Mapping[str, Any]) -> str:
    """Stack the last element that was put into a list as often as the list is long; return it, empty if not known."""
    put = _producer(node.input[0], nodes)
    if put is None or put.op != "TensorListSetItem":
        return ""
    reserved = _producer(put.input[0], nodes)
    sized = _producer(reserved.input[1], nodes) if reserved is not None and len(reserved.input) > 1 else None
    count = node.attr["num_elements"].i
    if count < 1 and sized is not None and sized.op == "Const" and reserved.op == "TensorListReserve":
        count = int(constant_values(sized).ravel()[0])
    if not 0 < count <= _MAX_STACKED:
        return ""
    item, dtype = put.input[2], node.attr["element_dtype"].type
    node.ClearField("attr")
    _become(node, "Pack", [item] * count)
    node.attr["T"].type = dtype
    node.attr["N"].i = count
    return item
