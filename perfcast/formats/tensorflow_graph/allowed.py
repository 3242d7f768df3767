"""Which operations a graph from outside may hold: decided by their names before anything is loaded or run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.weightless import called_functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTROL_FLOW = frozenset(
    (
        *("If", "StatelessIf", "Case", "StatelessCase", "While", "StatelessWhile", "For", "Switch", "RefSwitch"),
        *("Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration"),
        *("LoopCond", "RiscWhile"),
    )
)
"""Operations whose layers, or how often they run, cannot be determined without running them."""

VARIABLES = frozenset(("VarHandleOp", "Variable", "VariableV2"))
"""Operations that are a variable."""

CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
"""Operations that call the function in their attribute `f`."""

# Operations with a state of their own that do no harm; all others with one are refused.
_HARMLESS = VARIABLES | CALLS
_HARMLESS |= {"ReadVariableOp", "ResourceGather", "Assert", "CheckNumerics", "CheckNumericsV2", "GuaranteeConst"}
_HARMLESS |= {"RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "Multinomial", "Empty"}
_HARMLESS |= {"Print"}
# Those that read or write files, call Python or native code of others, or devices that none of ours are.
_HARMFUL = frozenset(("ReadFile", "MatchingFiles", "PyFuncStateless"))
_HARMFUL_PREFIXES = ("Debug", "Xla", "TPU", "Tpu", "Infeed", "Outfeed", "InitializeTable", "LookupTable", "Py")
_LISTS = "TensorList"
# Their tensors are not numbers: files' names and content, tables, queues, data sets, lists.
_NO_NUMBERS = frozenset(("DT_STRING", "DT_VARIANT", "DT_RESOURCE"))


def refuse_harmful(nodes: Iterable[Any], functions: Mapping[str, Any]) -> None:
    """Refuse a graph with operations that could do more than compute numbers of numbers.

    Args:
        nodes: of the graph, those alone that its outputs depend on.
        functions: the library's functions by name; those that `nodes` call, directly or not, are looked into.

    Raises:
        SourceError: an operation may read or write files or run code, or is not one of TensorFlow's.
    """
    pending, seen = list(nodes), set()
    while pending:
        node = pending.pop()
        for name in _functions_of(node):
            if name in functions and name not in seen:
                seen.add(name)
                pending += functions[name].node_def
        if node.op not in functions:
            _check(node)


def refuse_control_flow(nodes: Iterable[Any]) -> None:
    """Refuse a graph that branches or loops.

    Args:
        nodes: those that the network's outputs are computed by; other operations, such as assertions, may branch.

    Raises:
        SourceError: one branches, loops, or fills a list as loops do.
    """
    for node in nodes:
        if node.op in CONTROL_FLOW or node.op.startswith(_LISTS):
            raise SourceError(f"{_place(node)} branches or loops: its layers cannot be determined without running it")


def _place(node: Any) -> str:
    return f"operation {node.name[:80]!r} ({node.op[:80]})"


def _functions_of(node: Any) -> list[str]:
    """Return the names of all functions that a node may call, those of several branches too."""
    branches = [function.name for value in node.attr.values() for function in value.list.func]
    return called_functions(node) + branches


def _check(node: Any) -> None:
    from tensorflow.python.framework import op_def_registry

    if node.op in CONTROL_FLOW or node.op.startswith(_LISTS):
        return
    place = _place(node)
    definition = op_def_registry.get(node.op)
    if definition is None:
        raise SourceError(f"{place} is not an operation of TensorFlow; it needs code that is not in the file")
    harmful = node.op in _HARMFUL or node.op.startswith(_HARMFUL_PREFIXES)
    if harmful or (definition.is_stateful and node.op not in _HARMLESS):
        raise SourceError(f"{place} may touch files or run code; only graphs that compute numbers are supported")
    types = {node.attr[key].type for key in ("T", "dtype", "Tparams", "DstT", "SrcT") if key in node.attr}
    types |= {argument.type for argument in (*definition.input_arg, *definition.output_arg) if argument.type}
    if node.op not in _HARMLESS and not _numbers(types) and not _passes_variables(node):
        raise SourceError(f"{place} works on strings, tables or lists; only graphs that compute numbers are supported")


def _numbers(types: Iterable[int]) -> bool:
    from tensorflow.core.framework import types_pb2

    refused = {types_pb2.DataType.Value(name) for name in _NO_NUMBERS}
    return not refused.intersection(types)


def _passes_variables(node: Any) -> bool:
    # What the function's signature and a handle's renaming look like.
    return node.op in ("Identity", "NoOp", "Const")
