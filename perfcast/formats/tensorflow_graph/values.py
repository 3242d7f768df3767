"""Values of a graph's constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.weightless import LARGEST_GRAPH

if TYPE_CHECKING:
    import numpy as np


def constant_values(node: Any) -> np.ndarray:
    """Return the values of a constant.

    Raises:
        SourceError: its shape and its values do not fit each other.
    """
    from tensorflow.python.framework import tensor_util

    tensor = node.attr["value"].tensor
    sizes = [size.size for size in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0 or math.prod(sizes) > LARGEST_GRAPH:
        raise SourceError(f"constant {node.name[:80]!r} has an impossible shape: {sizes}")
    try:
        return tensor_util.MakeNdarray(tensor)
    except (ValueError, TypeError) as error:
        raise SourceError(f"constant {node.name[:80]!r} is damaged") from error
