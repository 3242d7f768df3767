"""Load an ONNX file and take from it what determines shapes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import onnx

_MAX_FILE_BYTES = 2**31 - 1
_OLDEST_OPSET = 7
_MAX_NODES = 1_000_000
_DEEPEST = 100

STANDARD_DOMAINS = ("", "ai.onnx")
"""What the domain of ONNX's own operations is called."""

KNOWN_DOMAINS = frozenset((*STANDARD_DOMAINS, "ai.onnx.ml", "com.microsoft"))
"""Domains of operations that are read; what those of all others do is not known."""


def load(path: Path) -> onnx.ModelProto:
    """Return the model of a file, its own functions inlined. Files of external data are never opened.

    Raises:
        SourceError: it is not an ONNX model, or of an opset that is not read.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise SourceError("is larger than the 2 GB that ONNX allows; save its weights as external data")
        model = onnx.load_model_from_string(path.read_bytes(), format="protobuf")
    except (DecodeError, UnicodeDecodeError) as error:
        raise SourceError("not a readable ONNX file") from error
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror or error})") from error
    if not model.graph.node or not model.graph.output:
        raise SourceError("not an ONNX model: its graph has no nodes or no outputs")
    opset(model)
    _refuse_undecodable(model)
    return _inline(model)


def _refuse_undecodable(model: onnx.ModelProto) -> None:
    """Refuse names that are no text, which protobuf hands over as bytes."""
    graphs = [model.graph]
    nodes = list(all_nodes(model.graph.node, graphs))
    for function in model.functions:
        nodes += all_nodes(function.node, graphs)
    words = [word for node in nodes for word in (node.name, node.op_type, node.domain, *node.input, *node.output)]
    words += [attribute.name for node in nodes for attribute in node.attribute]
    for graph in graphs:
        words += [part.name for part in (*graph.input, *graph.output, *graph.value_info, *graph.initializer)]
        words += [tensor.values.name for tensor in graph.sparse_initializer]
    words += [word for function in model.functions for word in (function.name, *function.input, *function.output)]
    words += [entry.domain for entry in (*model.opset_import, *model.functions)]
    if not all(isinstance(word, str) for word in words):
        raise SourceError("not a readable ONNX file: a name in it is not valid text")


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operations that a model uses.

    Raises:
        SourceError: it says none, or one that is not read.
    """
    import onnx

    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS]
    newest = onnx.defs.onnx_opset_version()
    if not versions:
        raise SourceError("not an ONNX model: it declares no opset")
    if not _OLDEST_OPSET <= versions[0] <= newest:
        hint = "update onnx" if versions[0] > newest else "convert it with onnx.version_converter"
        raise SourceError(f"is of opset {versions[0]}; opsets {_OLDEST_OPSET} to {newest} are supported: {hint}")
    return versions[0]


def _inline(model: onnx.ModelProto) -> onnx.ModelProto:
    """Replace calls of the functions that the model itself defines by what they do."""
    if not model.functions:
        return model
    import onnx.inliner

    _refuse_explosion(model)
    # Errors of C++ are of several classes that share none but Exception.
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:
        raise SourceError(f"its functions cannot be resolved: {first_line(error)}") from error


def _refuse_explosion(model: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, or each other so often that the graph would not fit."""
    bodies = {(function.domain, function.name): function.node for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size_of(key: tuple[str, str], callers: tuple[tuple[str, str], ...]) -> int:
        if key in callers or len(callers) > len(bodies) or len(callers) > _DEEPEST:
            raise SourceError(f"its function {escape_control(key[1])[:80]!r} calls itself, or others too deeply")
        if key not in sizes:
            sizes[key] = total(bodies[key], (*callers, key))
        return sizes[key]

    def total(nodes: Iterable[onnx.NodeProto], callers: tuple[tuple[str, str], ...]) -> int:
        calls = Counter((node.domain, node.op_type) for node in all_nodes(nodes))
        return sum(count * (size_of(key, callers) if key in bodies else 1) for key, count in calls.items())

    if total(model.graph.node, ()) > _MAX_NODES:
        raise SourceError(f"its functions call each other so often that it has more than {_MAX_NODES} nodes")


def all_nodes(nodes: Iterable[onnx.NodeProto], graphs: list[onnx.GraphProto] | None = None) -> Iterator[onnx.NodeProto]:
    """Return nodes and those of the graphs that are their attributes; add these to `graphs`."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending.extend(graph.node)
                if graphs is not None:
                    graphs.append(graph)


def first_line(error: Exception) -> str:
    """Return what an error says as one short line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return escape_control(lines[0])[:200] if lines else type(error).__name__
