"""What a reader makes of a TensorFlow graph: the network's layers and the graph that a runner runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.inputs import resolve_shapes
from perfcast.formats.tensorflow_graph.allowed import refuse_control_flow
from perfcast.formats.tensorflow_graph.freezing import Frozen, Source, freeze, input_names, must_compile
from perfcast.formats.tensorflow_graph.layers import network_of
from perfcast.formats.tensorflow_graph.weights import LARGE, Kind, assemble, placeholders, replace_weights, type_of
from perfcast.formats.weightless import forces_xla

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from perfcast.network.network import Network, Shape


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
