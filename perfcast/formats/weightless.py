"""Graphs without weights: what stands in a weight's place, and the same bytes whatever a process did before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

WEIGHT_ATTRIBUTE = "_weight_distribution"
"""The attribute of a weight's placeholder: `normal(<mean>,<std>)` or `uniform(<low>,<high>)`."""

LARGEST_GRAPH = 2_000_000_000
"""Bytes of values that a graph can hold: protocol buffers end at 2 GiB."""

_FUNCTION_NAME = re.compile(r"^(?:__(?:inference|forward|backward)_)?(.*?)(?:_\d+)?$")
_PROCESS_HISTORY = ("_gradient_op_type", "_output_shapes", "_inferred_shapes")
# Of positive weights and of all others, where the values themselves show no distribution.
_POSITIVE = "uniform(0.5,1.5)"
_CENTRED = "normal(0.0,0.1)"
_MAX_WEIGHT = 1e30


def distribution_of(values: np.ndarray) -> str:
    """Return the distribution that stands for a weight's values.

    Those that are all positive (variances, scales) stay so, within their bounds; all others are normal with
    the same mean and deviation. Equal values are not typical of a network, and would change its speed.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        numbers = values.astype(np.float64).ravel()
    numbers = numbers[np.abs(numbers) < _MAX_WEIGHT]
    if not numbers.size:
        return _CENTRED
    low, high = f"{numbers.min():.6g}", f"{numbers.max():.6g}"
    positive = numbers.min() > 0
    if low == high:
        return _POSITIVE if positive else _CENTRED
    return f"uniform({low},{high})" if positive else f"normal({numbers.mean():.6g},{numbers.std():.6g})"


def embed(node: Any, values: np.ndarray) -> None:
    """Make a node of a GraphDef a constant of these values."""
    import tensorflow as tf

    node.op = "Const"
    del node.input[:]
    node.attr.clear()
    dtype = tf.dtypes.as_dtype(values.dtype).as_datatype_enum
    node.attr["dtype"].type = dtype
    tensor = node.attr["value"].tensor
    tensor.dtype = dtype
    tensor.tensor_shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
    tensor.tensor_content = values.tobytes()


def replace_by_placeholder(node: Any, dtype: int, shape: tuple[int | None, ...], distribution: str = "") -> None:
    """Make a node of a GraphDef a placeholder, of a weight where there is a distribution."""
    import tensorflow as tf

    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = dtype
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    if distribution:
        node.attr[WEIGHT_ATTRIBUTE].s = distribution.encode()


def canonicalise(graph: Any) -> None:
    """Remove from ``graph`` what depends on what the process did before: function names, gradient names."""
    names = _canonical_function_names(graph)
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
        _clean(function.attr, names)
        for node in function.node_def:
            _rename(node, names)
    for node in graph.node:
        _rename(node, names)
    functions = sorted(graph.library.function, key=lambda function: function.signature.name)
    del graph.library.gradient[:]
    del graph.library.function[:]
    graph.library.function.extend(functions)


def forces_xla(graph: Any) -> bool:
    """Tell whether a GraphDef has functions that must be compiled."""
    attributes = [function.attr for function in graph.library.function]
    # Asking a map of attributes for one that it lacks would add it.
    return any("_XlaMustCompile" in found and found["_XlaMustCompile"].b for found in attributes)


def _canonical_function_names(graph: Any) -> dict[str, str]:
    """Number the functions in the order in which the graph reaches them."""
    functions = {function.signature.name: function for function in graph.library.function}
    names: dict[str, str] = {}
    pending = [called for node in graph.node for called in called_functions(node) if called in functions]
    while pending:
        name = pending.pop(0)
        if name in names:
            continue
        match = _FUNCTION_NAME.match(name)
        names[name] = f"{match[1] if match else 'function'}_{len(names)}"
        pending += [c for node in functions[name].node_def for c in called_functions(node) if c in functions]
    unreachable = [function for function in graph.library.function if function.signature.name not in names]
    for function in unreachable:
        graph.library.function.remove(function)
    return names


def called_functions(node: Any) -> list[str]:
    """Return the names of the functions that a node may call: its operation, and those in its attributes."""
    functions = [node.attr[key].func.name for key in sorted(node.attr) if node.attr[key].HasField("func")]
    return [node.op, *functions]


def _rename(node: Any, names: dict[str, str]) -> None:
    node.op = names.get(node.op, node.op)
    node.ClearField("experimental_debug_info")
    _clean(node.attr, names)


def _clean(attributes: Any, names: dict[str, str]) -> None:
    for key in _PROCESS_HISTORY:
        if key in attributes:
            del attributes[key]
    for key in attributes:
        if attributes[key].HasField("func"):
            attributes[key].func.name = names.get(attributes[key].func.name, attributes[key].func.name)
