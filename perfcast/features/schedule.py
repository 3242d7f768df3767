"""How a network's layers hang together: what is folded, what is alive when, how long the longest path is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from perfcast.network.records import (
    FLOAT_BYTES,
    is_activation,
    is_batch_normalisation,
    is_convolution,
    is_dense,
    is_free,
    size,
)

Layer = dict[str, Any]


def folded(layers: list[Layer], outputs: set[str]) -> set[str]:
    """Return the names of layers that runtimes compute together with what they follow.

    Args:
        layers: in execution order.
        outputs: names of the layers that return the network's outputs.
    """
    readers = Counter(name for layer in layers for name in layer["inputs"])
    # Names of layers whose result the next normalisation or activation can be folded into.
    open_ends: set[str] = set()
    found: set[str] = set()
    for layer in layers:
        if is_convolution(layer) or is_dense(layer):
            open_ends.add(layer["name"])
        elif (is_batch_normalisation(layer) or is_activation(layer)) and not is_free(layer):
            before = layer["inputs"][0] if len(layer["inputs"]) == 1 else None
            if before in open_ends and readers[before] == 1 and before not in outputs:
                found.add(layer["name"])
                open_ends.add(layer["name"])
    return found


def peak_activation_bytes(layers: list[Layer], outputs: set[str], without_tensor: set[str]) -> int:
    """Return the most bytes of activations that are alive at once.

    Args:
        layers: in execution order.
        outputs: names of the layers that return the network's outputs, which live to the end.
        without_tensor: names of layers that return their first input's tensor instead of one of their own.
    """
    owner: dict[str, str] = {}
    last_use: dict[str, int] = {}
    for step, layer in enumerate(layers):
        for name in layer["inputs"]:
            last_use[owner[name]] = step
        shares = layer["name"] in without_tensor and layer["inputs"]
        own = owner[layer["inputs"][0]] if shares else layer["name"]
        owner[layer["name"]] = own
        last_use[own] = len(layers) if layer["name"] in outputs else max(step, last_use.get(own, 0))
    ending: dict[int, list[str]] = {}
    for name, step in last_use.items():
        ending.setdefault(step, []).append(name)
    alive = peak = 0
    sizes = {layer["name"]: FLOAT_BYTES * size(layer["output_shapes"]) for layer in layers}
    for step, layer in enumerate(layers):
        if owner[layer["name"]] == layer["name"]:
            alive += sizes[layer["name"]]
        peak = max(peak, alive)
        alive -= sum(sizes[name] for name in ending.get(step, ()))
    return peak


def longest_path(layers: list[Layer]) -> int:
    """Return the number of layers on the longest path from an input, of layers in execution order."""
    depth: dict[str, int] = {}
    for layer in layers:
        depth[layer["name"]] = 1 + max((depth[name] for name in layer["inputs"]), default=0)
    return max(depth.values(), default=0)
