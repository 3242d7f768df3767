"""What TensorFlow's oneDNN kernels keep between the passes of a layer, besides tensors of the graph.

Measured: the second outputs of these kernels in full traces (`RunMetadata`) of training steps on a CPU.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.network.layer_types import ACTIVATION_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    Layer = dict[str, Any]

_POOLED = {"MaxPooling1D", "MaxPooling2D", "MaxPooling3D"}
_MAX_BYTE = 256
"""A pool of more numbers has four bytes for the place of the highest."""
_BYTE = 0.25
_RELU_MASK = 0.125
"""Half a byte per number."""


def workspace_shares(layers: Sequence[Layer]) -> dict[str, float]:
    """Return what layers keep as workspace, in sizes of their output, by name; others keep none.

    A max pooling keeps where each highest number was, and a normalization that is fused with the ReLU behind it keeps
    a mask (`_MklNativeMaxPool`, `_MklNativeFusedBatchNormEx`).
    """
    readers: dict[str, list[Layer]] = {}
    for layer in layers:
        for name in layer["inputs"]:
            readers.setdefault(name, []).append(layer)
    found = {}
    for layer in layers:
        if layer["type"] in _POOLED:
            found[layer["name"]] = _BYTE if math.prod(layer["kernel"]) < _MAX_BYTE else 1.0
        elif layer["type"] == "BatchNormalization" and _is_relu(readers.get(layer["name"], [])):
            found[layer["name"]] = _RELU_MASK
    return found


def _is_relu(readers: Sequence[Layer]) -> bool:
    return len(readers) == 1 and (ACTIVATION_TYPES.get(readers[0]["type"]) or readers[0]["activation"]) == "relu"
