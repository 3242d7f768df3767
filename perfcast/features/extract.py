"""Compute a network's features from its descriptor."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.errors import DataError
from perfcast.features import layers as costs
from perfcast.features import schedule
from perfcast.features.definitions import FEATURES
from perfcast.network import records
from perfcast.network.training_memory import alive, kept_activation_bytes, per_sample_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable

    Layer = dict[str, Any]
    Numbers = dict[str, float | int]

# What a device of the reference roofline computes while it moves a byte.
_OPERATIONS_PER_BYTE = 10
_MAX_INTEGER = 2**63 - 1
# A depthwise convolution has kernels of its own.
_GROUPED = frozenset(("Conv1D", "Conv2D", "Conv3D"))


def extract_features(descriptor: dict[str, Any]) -> dict[str, float | int]:
    """Return the features of a network, by name, in the order of `definitions.FEATURES`.

    Args:
        descriptor: a whole `model.json`, one that `validate_descriptor` lets pass.

    Raises:
        DataError: a feature would be too large for a 64-bit number.
    """
    layers = descriptor["layers"]
    input_shape = descriptor["input_shape"]
    numbers: Numbers = {
        "input_size": input_shape[0],
        "input_pixels": math.prod(input_shape[:-1]),
        "graph_forces_xla": int(_forces_xla(descriptor)),
    }
    numbers |= _published(layers) | _counts(layers) | _core(layers) | _extremes(layers) | _arithmetic(layers)
    outputs = {port["name"] for port in descriptor["outputs"]}
    numbers |= _traffic(layers, outputs, numbers["flops"]) | _training(layers, outputs)
    for name, value in numbers.items():
        if value > _MAX_INTEGER:
            raise DataError(f"{str(descriptor['model'])[:80]}: its feature {name} is too large: {value:.3g}")
    return {feature.name: numbers[feature.name] for feature in FEATURES}


def _forces_xla(descriptor: dict[str, Any]) -> bool:
    # TensorFlow has no other kernel of grouped convolutions for the CPU.
    return any(layer["type"] in _GROUPED and layer["groups"] > 1 for layer in descriptor["layers"])


def _published(layers: list[Layer]) -> Numbers:
    return {
        "flops": sum(map(costs.flops, layers)),
        "macs": sum(layer["macs"] for layer in layers),
        "sum_activations": sum(records.size(layer["output_shapes"]) for layer in layers),
        "weighted_sum_neurons": sum(map(costs.neuron_weights, layers)),
        "conv_parameters": _parameters(filter(records.is_convolution, layers)),
        "bn_parameters": _parameters(filter(records.is_batch_normalisation, layers)),
        "fc_parameters": _parameters(filter(records.is_dense, layers)),
        "parameters": _parameters(layers),
        "weight_bytes": records.FLOAT_BYTES * _parameters(layers),
    }


def _parameters(layers: Iterable[Layer]) -> int:
    return sum(layer["parameters"] for layer in layers)


def _counts(layers: list[Layer]) -> Numbers:
    merges = [layer for layer in layers if len(layer["inputs"]) > 1]
    return {
        "layers": len(layers),
        "conv_layers": sum(map(records.is_convolution, layers)),
        "bn_layers": sum(map(records.is_batch_normalisation, layers)),
        "fc_layers": sum(map(records.is_dense, layers)),
        "activation_layers": sum(map(records.is_activation, layers)),
        "fused_activations": sum(map(records.has_fused_activation, layers)),
        "merge_layers": len(merges),
        "merged_elements": sum(records.size(layer["output_shapes"]) for layer in merges),
        "longest_path": schedule.longest_path(layers),
    }


def _core(layers: list[Layer]) -> Numbers:
    sizes = [records.size(layer["output_shapes"]) for layer in layers if records.is_core(layer)]
    return {
        "core_layers": len(sizes),
        "core_activations": sum(sizes),
        "max_core_activation": max(sizes, default=0),
    }


def _extremes(layers: list[Layer]) -> Numbers:
    convolutions = [layer for layer in layers if records.is_convolution(layer)]
    filters = [layer["filters"] for layer in convolutions]
    units = [layer["units"] for layer in layers if records.is_dense(layer)]
    sides = [side for layer in convolutions for side in layer["kernel"] or ()]
    return {
        "filters_min": min(filters, default=0),
        "filters_max": max(filters, default=0),
        "filters_mean": _ratio(sum(filters), len(filters)),
        "units_min": min(units, default=0),
        "units_max": max(units, default=0),
        "kernel_size_min": min(sides, default=0),
        "kernel_size_max": max(sides, default=0),
        "largest_activation": max(records.size(layer["output_shapes"]) for layer in layers),
    }


def _arithmetic(layers: list[Layer]) -> Numbers:
    convolutions = [layer for layer in layers if records.is_convolution(layer)]
    macs = sum(layer["macs"] for layer in layers)
    of_convolutions = sum(layer["macs"] for layer in convolutions)
    depthwise = sum(map(records.depthwise_macs, convolutions))
    dense = sum(layer["macs"] for layer in layers if records.is_dense(layer))
    weighted_filters = sum(layer["macs"] * layer["filters"] for layer in convolutions)
    weighted_positions = sum(layer["macs"] * records.positions(layer) for layer in convolutions)
    return {
        "conv_macs": of_convolutions - depthwise,
        "depthwise_macs": depthwise,
        "dense_macs": dense,
        "other_macs": macs - of_convolutions - dense,
        "depthwise_mac_share": _ratio(depthwise, macs),
        "pointwise_mac_share": _ratio(sum(map(records.pointwise_macs, convolutions)), macs),
        "largest_layer_macs": max(layer["macs"] for layer in layers),
        "mean_mac_filters": _ratio(weighted_filters, of_convolutions),
        "mean_mac_positions": _ratio(weighted_positions, of_convolutions),
    }


def _traffic(layers: list[Layer], outputs: set[str], flops: float) -> Numbers:
    folded = schedule.folded(layers, outputs)
    free = {layer["name"] for layer in layers if records.is_free(layer)}
    moved = {layer["name"]: costs.moved_bytes(layer) for layer in layers}
    fused = moved | {
        layer["name"]: records.FLOAT_BYTES * layer["parameters"] for layer in layers if layer["name"] in folded
    }
    roofline = (max(fused[layer["name"]], costs.flops(layer) / _OPERATIONS_PER_BYTE) for layer in layers)
    return {
        "peak_activation_bytes": schedule.peak_activation_bytes(layers, outputs, folded | free),
        "moved_bytes": sum(moved.values()),
        "fused_moved_bytes": sum(fused.values()),
        "arithmetic_intensity": _ratio(flops, sum(fused.values())),
        "roofline_bytes": float(sum(roofline)),
        "fused_layers": len(layers) - len(folded | free),
    }


def _training(layers: list[Layer], outputs: set[str]) -> Numbers:
    bytes_at = alive(per_sample_tensors(layers, outputs), 2 * len(layers) + 1)
    return {
        "trainable_parameters": sum(layer["trainable_parameters"] for layer in layers),
        "kept_activation_bytes": kept_activation_bytes(layers, outputs),
        "training_activation_bytes": max(bytes_at),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
