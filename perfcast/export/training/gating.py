"""Parts of a graph that run only in steps for which they are drawn, by TensorFlow's oldest control flow.

A node that only some layers' updates need runs if one of these is drawn. So each tensor that comes to it from where
more is needed passes a `Switch`, which has no output in other steps: what waits for it does not run, and a tensor that
nothing else reads is freed at once. A `Merge` after each layer's update goes on in either case. Both work in graphs as
in functions, and in all versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_READY = ("Const", "VarHandleOp")
"""What is there before a step begins is not worth a `Switch`; and a resource passes none on a GPU."""
_SCOPE = "gate"
_CONDITION, _DRAWN = f"{_SCOPE}/condition", f"{_SCOPE}/drawn"


def gate(graph: Any, outputs: Sequence[str], joined: Sequence[str], drawn: str, dtype_of: Callable[[str], Any]) -> None:
    """Have a GraphDef run what only some layers' updates need if one of these is drawn.

    Args:
        graph: of a step that updates all layers.
        outputs: the nodes that each step needs.
        joined: for each layer, the Identity of one number that its update ends in.
        drawn: the node that holds whether each layer is drawn; at least one is.
        dtype_of: returns the type of a tensor of the graph, by name.
    """
    gates = _Gates(graph, joined, drawn, dtype_of)
    needs = _needs(gates.nodes, outputs, joined)
    for node in list(gates.nodes.values()):
        if needs[node.name] != gates.always and node.op not in _READY:
            gates.gate_inputs(node, needs)
    for place, name in enumerate(joined):
        gates.merge(gates.nodes[name], 1 << place)
    gates.add_conditions()


def _needs(nodes: dict[str, Any], outputs: Sequence[str], joined: Sequence[str]) -> dict[str, int]:
    """Return which layers' updates need each node, one bit for each; -1 if every step does."""
    of_layer = {name: 1 << place for place, name in enumerate(joined)}
    needs = dict.fromkeys(nodes, 0)
    needs.update(dict.fromkeys([*outputs, *joined], -1))
    for name in reversed(_in_order(nodes)):
        for given in nodes[name].input:
            needs[_node_of(given)] |= of_layer.get(name, needs[name])
    every = (1 << len(joined)) - 1
    return {name: -1 if need in (0, every) else need for name, need in needs.items()}


def _in_order(nodes: dict[str, Any]) -> list[str]:
    """Return the nodes' names, each behind those of its inputs."""
    ordered: dict[str, None] = {}
    for first in nodes:
        waiting = [first]
        while waiting:
            missing = [name for name in map(_node_of, nodes[waiting[-1]].input) if name not in ordered]
            if missing:
                waiting += missing
            else:
                ordered[waiting.pop()] = None
    return list(ordered)


class _Gates:
    """The nodes that are added to a graph."""

    always = -1

    def __init__(self, graph: Any, joined: Sequence[str], drawn: str, dtype_of: Callable[[str], Any]) -> None:
        self.graph, self.layers, self.drawn, self.dtype_of = graph, len(joined), drawn, dtype_of
        self.nodes = {node.name: node for node in graph.node}
        self._conditions: dict[int, int] = {}
        self._switches: dict[tuple[str, int], str] = {}

    def gate_inputs(self, node: Any, needs: dict[str, int]) -> None:
        """Have a node wait for what is there only if one of its layers is drawn."""
        need = needs[node.name]
        # A loop must not begin with some of its inputs.
        calls = any(node.attr[key].HasField("func") for key in sorted(node.attr))
        for place, given in enumerate(node.input):
            source = self.nodes[_node_of(given)]
            if given.startswith("^") or source.op == "VarHandleOp":
                continue
            if calls if source.op == "Const" else needs[source.name] != need:
                node.input[place] = self._switched(given, need)

    def merge(self, node: Any, need: int) -> None:
        """Make the Identity of a layer's update go on where there is no update."""
        import tensorflow as tf

        zero = self.graph.node.add(name=f"{node.name}/zero", op="Const")
        zero.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0.0))
        zero.attr["dtype"].type = node.attr["T"].type
        switch = self._add_switch(zero.name, need, node.attr["T"].type)
        node.op = "Merge"
        node.input.insert(0, switch)
        node.attr["N"].i = 2

    def add_conditions(self) -> None:
        """Add what computes, of all conditions that were asked for, whether one of their layers is drawn."""
        import tensorflow as tf

        with tf.Graph().as_default() as made, tf.name_scope(_SCOPE):
            drawn = tf.compat.v1.placeholder(tf.bool, [self.layers], name="drawn")
            members = [[bool(need >> place & 1) for place in range(self.layers)] for need in self._conditions]
            tf.unstack(tf.reduce_any(tf.logical_and(members, drawn), axis=1), name="condition")
        for node in made.as_graph_def().node:
            if node.name != _DRAWN:
                node.input[:] = [self.drawn if name == _DRAWN else name for name in node.input]
                self.graph.node.append(node)

    def _switched(self, tensor: str, need: int) -> str:
        """Return a tensor that is there only if one of the layers is drawn."""
        if (tensor, need) not in self._switches:
            self._switches[tensor, need] = self._add_switch(tensor, need, self.dtype_of(tensor).as_datatype_enum)
        return f"{self._switches[tensor, need]}:1"

    def _add_switch(self, tensor: str, need: int, dtype: int) -> str:
        place = self._conditions.setdefault(need, len(self._conditions))
        name = f"{_SCOPE}/{tensor.replace(':', '_')}/switch_{place}"
        node = self.graph.node.add(name=name, op="Switch", input=[tensor, f"{_CONDITION}:{place}"])
        node.attr["T"].type = dtype
        return name


def _node_of(given: str) -> str:
    """Return the name of the node that an input comes from."""
    return given.lstrip("^").split(":")[0]
