"""Variables of a training program: resources of the graph, whose first values the runner draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.formats.weightless import WEIGHT_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

ZEROS = "uniform(0.0,0.0)"


def constant(value: float) -> str:
    """Return the distribution of one value."""
    return f"uniform({value},{value})"


@dataclass
class Variables:
    """The variables of a graph while it is traced: what each is drawn from, and its bytes, by name."""

    distributions: dict[str, str] = field(default_factory=dict)
    sizes_bytes: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, shape: Sequence[int], dtype: str, distribution: str) -> Any:
        """Return the resource of a new variable."""
        import tensorflow as tf

        self.distributions[name] = distribution
        self.sizes_bytes[name] = math.prod(shape) * tf.as_dtype(dtype).size
        return tf.raw_ops.VarHandleOp(dtype=dtype, shape=shape, shared_name=name, name=name)

    def mark(self, graph: Any) -> None:
        """Write into a GraphDef what its variables are drawn from."""
        for node in graph.node:
            if node.op == "VarHandleOp":
                node.attr[WEIGHT_ATTRIBUTE].s = self.distributions[node.name].encode()


def read(resource: Any, dtype: str) -> Any:
    """Return a variable's value."""
    import tensorflow as tf

    return tf.raw_ops.ReadVariableOp(resource=resource, dtype=dtype)


def assign(resource: Any, value: Any) -> Any:
    """Return the operation that gives a variable another value."""
    import tensorflow as tf

    return tf.raw_ops.AssignVariableOp(resource=resource, value=value)
