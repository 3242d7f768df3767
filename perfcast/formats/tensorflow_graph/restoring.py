"""Where a SavedModel keeps each variable's values: read off the operations that would restore them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph.files import constant_values
from perfcast.formats.tensorflow_graph.inline import Inlined, inline

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

_ASSIGNMENTS = frozenset(("AssignVariableOp", "Assign"))
_RENAMING = frozenset(("Identity", "Reshape", "Cast"))
_FARTHEST = 8


@dataclass(frozen=True)
class Stored:
    """Where a variable's values are.

    Attributes:
        key: the name that the checkpoint has them under.
        piece: which part of them, `<shape> <start>,<size>:...`, empty for all.
    """

    key: str
    piece: str = ""

    def cut(self, values: np.ndarray) -> np.ndarray:
        """Return the variable's part of the values that the checkpoint has under its key.

        Raises:
            SourceError: there is no such part.
        """
        if not self.piece:
            return values
        try:
            ranges = self.piece.split(" ")[-1].split(":")
            where = [slice(None) if part == "-" else _range(part) for part in ranges]
            return values[tuple(where)]
        except (ValueError, IndexError) as error:
            raise SourceError(
                f"its variables are damaged: {self.key[:80]!r} has no part {self.piece[:80]!r}"
            ) from error


def _range(text: str) -> slice:
    start, size = map(int, text.split(","))
    return slice(start, start + size)


def find_stored(meta_graph: Any, functions: Mapping[str, Any]) -> dict[str, Stored]:
    """Return where the values of variables are, by the names of the variables' nodes.

    Both generations of SavedModels hold operations that read a checkpoint (`RestoreV2`) and assign what they
    read to variables: in the graph itself, or in a function that it calls. They are read, not run.
    """
    restoring = meta_graph.saver_def.restore_op_name.removeprefix("^").split(":")[0]
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    wanted = [nodes[name] for name in _upstream(restoring, nodes)]
    return _assigned(inline(wanted, functions))


def _upstream(start: str, nodes: Mapping[str, Any]) -> list[str]:
    pending, seen = [start], set()
    while pending:
        name = pending.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            pending += [read.removeprefix("^").split(":")[0] for read in nodes[name].input]
    return sorted(seen)


def _assigned(graph: Inlined) -> dict[str, Stored]:
    nodes = {node.name: node for node in graph.nodes}
    restored = {node.name: _restored(node, nodes) for node in graph.nodes if node.op == "RestoreV2"}
    found = {}
    for node in graph.nodes:
        if node.op in _ASSIGNMENTS and len(node.input) == 2:
            variable, value = (_origin(name, nodes) for name in node.input)
            name, _, index = value.rpartition(":")
            stored = restored.get(name, [])
            if int(index) < len(stored):
                found[variable.rpartition(":")[0]] = stored[int(index)]
    return found


def _restored(node: Any, nodes: Mapping[str, Any]) -> list[Stored]:
    """Return what an operation restores, output by output."""
    if len(node.input) != 3:
        return []
    keys, pieces = (_texts(nodes.get(_origin(read, nodes).rpartition(":")[0])) for read in node.input[1:])
    return [Stored(key, piece) for key, piece in zip(keys, pieces, strict=False)]


def _origin(tensor: str, nodes: Mapping[str, Any]) -> str:
    for _ in range(_FARTHEST):
        node = nodes.get(tensor.rpartition(":")[0])
        if node is None or node.op not in _RENAMING or not node.input:
            break
        tensor = node.input[0]
    return tensor


def _texts(node: Any) -> list[str]:
    if node is None or node.op != "Const":
        return []
    values = constant_values(node).ravel()
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values]
