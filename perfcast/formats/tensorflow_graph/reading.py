"""SavedModels and frozen graphs read from their files; nothing of what they hold is run for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.inputs import resolve_shapes
from perfcast.formats.tensorflow_graph.allowed import VARIABLES, refuse_control_flow, refuse_harmful
from perfcast.formats.tensorflow_graph.files import open_checkpoint, parse_graph, parse_meta_graph
from perfcast.formats.tensorflow_graph.freezing import Frozen, Source, freeze, input_names, must_compile
from perfcast.formats.tensorflow_graph.inline import normal
from perfcast.formats.tensorflow_graph.layers import network_of
from perfcast.formats.tensorflow_graph.restoring import Stored, find_stored
from perfcast.formats.tensorflow_graph.weights import LARGE, Kind, assemble, placeholders, replace_weights, type_of
from perfcast.formats.weightless import WEIGHT_ATTRIBUTE, forces_xla

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from perfcast.network.network import Network, Shape

_INIT = "__saved_model_init_op"
# What graphs end in besides their outputs.
_NO_OUTPUT = frozenset(("NoOp", "Assert", "Const", "Placeholder", "SaveV2", "Print"))


def read_saved_model(
    folder: Path, shapes: Mapping[str, Shape], *, signature: str = "serving_default", keep_values: bool = False
) -> TensorFlowModel:
    """Read a SavedModel of TensorFlow 1 or 2.

    Args:
        folder: the one that `saved_model.pb` is in.
        shapes: of inputs, by their names in the signature, where the file leaves sizes open.
        signature: which of its functions to take.
        keep_values: whether the graph keeps the weights' values instead of saying what to draw.

    Raises:
        UsageError: `shapes` do not fit the inputs.
        SourceError: it is damaged, has no such signature, or does more than compute numbers; the message
            goes on from the name of the model.
    """
    meta_graph = parse_meta_graph(folder)
    found = _signature(meta_graph, signature)
    functions = {function.signature.name: function for function in meta_graph.graph_def.library.function}
    inputs = sorted(found.inputs.items())
    ports = [Port(name, info.dtype, _shape(info.tensor_shape)) for name, info in inputs]
    source = Source(
        nodes=meta_graph.graph_def.node,
        functions=functions,
        versions=meta_graph.graph_def.versions,
        inputs=tuple(normal(_tensor(name, info)) for name, info in inputs),
        outputs=tuple(normal(_tensor(name, info)) for name, info in sorted(found.outputs.items())),
    )
    _check_strings(ports)
    source = _needed(source)
    refuse_harmful(source.nodes, functions)
    read = _variable_reader(folder / "variables", meta_graph, functions)
    return build(source, ports, shapes, read, keep_values=keep_values)


def read_frozen_graph(path: Path, shapes: Mapping[str, Shape], *, keep_values: bool = False) -> TensorFlowModel:
    """Read a frozen graph, a GraphDef without variables: its inputs are placeholders, its outputs what none reads.

    Args:
        path: the file.
        shapes: of inputs, by the placeholders' names, where the file leaves sizes open.
        keep_values: whether the graph keeps the weights' values instead of saying what to draw.

    Raises:
        UsageError: `shapes` do not fit the inputs.
        SourceError: it is damaged, or does more than compute numbers; the message goes on from its name.
    """
    graph = parse_graph(path)
    functions = {function.signature.name: function for function in graph.library.function}
    inputs = [node for node in graph.node if node.op == "Placeholder" and WEIGHT_ATTRIBUTE not in node.attr]
    if not inputs:
        raise SourceError("has no placeholder, so it takes no inputs")
    ports = [Port(node.name, node.attr["dtype"].type, _shape(node.attr["shape"].shape)) for node in inputs]
    source = Source(
        nodes=graph.node,
        functions=functions,
        versions=graph.versions,
        inputs=tuple(f"{node.name}:0" for node in inputs),
        outputs=_ends(graph.node),
    )
    _check_strings(ports)
    _check_frozen(graph.node)
    # All of it, though only what the outputs depend on is kept: a frozen graph holds nothing else.
    refuse_harmful(graph.node, functions)
    return build(_needed(source), ports, shapes, _no_variables, keep_values=keep_values)


def _signature(meta_graph: Any, name: str) -> Any:
    signatures = {key: value for key, value in meta_graph.signature_def.items() if key != _INIT}
    found = signatures.get(name)
    if found is None or not found.inputs or not found.outputs:
        usable = sorted(key for key, value in signatures.items() if value.inputs and value.outputs)
        there = f"its signatures are {', '.join(usable)[:300]}" if usable else "it has no signature at all"
        raise SourceError(f"has no signature {name[:80]!r}; {there}")
    return found


def _tensor(name: str, info: Any) -> str:
    if info.WhichOneof("encoding") != "name" or not info.name:
        raise SourceError(
            f"tensor {name[:80]!r} of its signature is sparse or composed; only dense tensors are supported"
        )
    return info.name


def _shape(proto: Any) -> tuple[int | None, ...] | None:
    if proto.unknown_rank:
        return None
    return tuple(size.size if size.size >= 0 else None for size in proto.dim)


def _check_strings(ports: Sequence[Port]) -> None:
    from tensorflow.core.framework import types_pb2

    for port in ports:
        if port.dtype == types_pb2.DT_STRING:
            raise SourceError(f"input {port.name[:80]!r} takes strings; only numeric inputs are supported")


def _needed(source: Source) -> Source:
    """Return the source with those nodes alone that the outputs depend on, by control inputs too."""
    nodes = {node.name: node for node in source.nodes}
    fed = set(source.inputs)
    pending = [tensor for tensor in source.outputs if tensor not in fed]
    needed: set[str] = set()
    while pending:
        name = pending.pop().removeprefix("^").split(":")[0]
        if name not in nodes:
            raise SourceError(f"is damaged: the operation {name[:80]!r} is missing")
        if name not in needed:
            needed.add(name)
            pending += [read for read in nodes[name].input if read.startswith("^") or normal(read) not in fed]
    kept = tuple(node for node in source.nodes if node.name in needed)
    return Source(kept, source.functions, source.versions, source.inputs, source.outputs)


def _ends(nodes: Sequence[Any]) -> tuple[str, ...]:
    """Return the tensors that no operation reads: of each such operation the first."""
    read = {name.removeprefix("^").split(":")[0] for node in nodes for name in node.input}
    ends = [node.name for node in nodes if node.name not in read and node.op not in _NO_OUTPUT]
    if not ends:
        raise SourceError("has no output: every operation is read by another")
    return tuple(f"{name}:0" for name in ends)


def _check_frozen(nodes: Sequence[Any]) -> None:
    for node in nodes:
        if node.op in VARIABLES:
            _no_variables(node.name)


def _no_variables(name: str) -> np.ndarray:
    raise SourceError(f"is not frozen: the values of variable {name[:80]!r} are not in the file; freeze it first")


def _variable_reader(folder: Path, meta_graph: Any, functions: Mapping[str, Any]) -> Callable[[str], np.ndarray]:
    """Return what reads the values of the variable of a node; the files are opened when the first is asked for."""
    import functools

    @functools.cache
    def opened() -> tuple[Any, dict[str, Stored]]:
        return open_checkpoint(folder), find_stored(meta_graph, functions)

    def read(name: str) -> np.ndarray:
        checkpoint, stored = opened()
        # What no operation restores is stored under its own name, if at all.
        place = stored.get(name, Stored(name))
        return place.cut(checkpoint.values(place.key))

    return read


@dataclass(frozen=True)
class TensorFlowModel:
    """A TensorFlow graph that was read.

    Attributes:
        network: its layers.
        graph: a serialized, canonical GraphDef; the batch, the first axis of each input, is open.
        interface: the descriptor's key `graph`.
    """

    network: Network
    graph: bytes = field(repr=False)
    interface: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Port:
    """An input as a file declares it.

    Attributes:
        name: what the user calls it.
        dtype: its type's number in a GraphDef.
        shape: with the batch; None is an open size, or an open rank.
    """

    name: str
    dtype: int
    shape: tuple[int | None, ...] | None


def build(
    source: Source,
    ports: Sequence[Port],
    shapes: Mapping[str, Shape],
    read: Callable[[str], np.ndarray],
    *,
    keep_values: bool,
) -> TensorFlowModel:
    """Return the model that a graph is.

    Args:
        source: the graph, all of which operations are allowed.
        ports: its inputs, in the order of `source.inputs`.
        shapes: what the user says of the inputs' shapes.
        read: returns the values of the variable of that node.
        keep_values: whether weights keep their values.

    Raises:
        UsageError: `shapes` do not fit the inputs.
        SourceError: the graph is damaged or cannot be read without running it.
    """
    _check_types(ports)
    settled = resolve_shapes({port.name: port.shape for port in ports}, shapes)
    names = input_names(source)
    flat = freeze(source, open_loops=True)
    refuse_control_flow(flat.nodes)
    to_run = freeze(source, keep=must_compile)
    nodes, kinds = replace_weights(to_run, read, keep_values=keep_values)
    entries = dict(zip(names, ports, strict=True))
    one_sample = {name: (port.dtype, settled[port.name]) for name, port in entries.items()}
    open_batch = {name: (dtype, (None, *shape[1:])) for name, (dtype, shape) in one_sample.items()}
    graph = assemble(to_run, source.versions, open_batch, nodes)
    shaped = _infer_shapes(flat, source.versions, one_sample, nodes, kinds)
    network = network_of(flat, kinds, shaped, {name: port.name for name, port in entries.items()})
    tensors = [shaped.get_tensor_by_name(name) for name in flat.outputs]
    return TensorFlowModel(
        network=network,
        graph=graph.SerializeToString(deterministic=True),
        interface=_interface(graph, open_batch, to_run.outputs, tensors) | _weight_totals(kinds),
    )


def _check_types(ports: Sequence[Port]) -> None:
    for port in ports:
        dtype = type_of(port.dtype, port.name)
        if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
            raise SourceError(f"input {port.name[:80]!r} takes {dtype.name} values; only numeric inputs are supported")


def _infer_shapes(
    flat: Frozen,
    versions: Any,
    inputs: Mapping[str, tuple[int, Shape]],
    nodes: Mapping[str, Any],
    kinds: Mapping[str, Kind],
) -> Any:
    """Return TensorFlow's graph of the operations of a frozen graph without any call, at these inputs."""
    import tensorflow as tf

    # Functions that the graph to run keeps hold constants that are no nodes of it: `kinds` lacks them.
    large = [name for name, kind in kinds.items() if name in flat.variables or kind.elements >= LARGE]
    definition = assemble(flat, versions, inputs, {**nodes, **placeholders(kinds, large)})
    with tf.Graph().as_default() as graph:
        try:
            tf.graph_util.import_graph_def(definition, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            line = " ".join(str(error).split())[:300]
            raise SourceError(f"its graph does not fit together at these input shapes: {line}") from error
    return graph


def _interface(
    graph: Any, inputs: Mapping[str, tuple[int, Sequence[int | None]]], outputs: Sequence[str], tensors: Sequence[Any]
) -> dict[str, Any]:
    import tensorflow as tf

    return {
        "inputs": [
            {"node": name, "shape": list(shape[1:]), "dtype": tf.dtypes.as_dtype(dtype).name}
            for name, (dtype, shape) in inputs.items()
        ],
        "outputs": [
            {"tensor": name, "shape": tensor.shape.as_list()[1:], "dtype": tensor.dtype.name}
            for name, tensor in zip(outputs, tensors, strict=True)
        ],
        "graph_forces_xla": forces_xla(graph),
    }


def _weight_totals(kinds: Mapping[str, Kind]) -> dict[str, int]:
    import tensorflow as tf

    drawn = [kind for kind in kinds.values() if kind.distribution]
    return {
        "weights": len(drawn),
        "weight_bytes": sum(kind.elements * tf.dtypes.as_dtype(kind.dtype).size for kind in drawn),
    }
