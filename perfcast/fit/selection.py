"""Which features to learn from, and which of them time and memory are a sum of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLISHED = (
    *("input_pixels", "flops", "sum_activations", "weighted_sum_neurons"),
    *("conv_parameters", "bn_parameters", "fc_parameters"),
    *("layers", "conv_layers", "bn_layers", "fc_layers"),
)
"""The features of Bouzidi et al., 2022."""

PHYSICAL = (
    *("conv_macs", "depthwise_macs", "other_macs", "depthwise_mac_share", "pointwise_mac_share"),
    *("mean_mac_filters", "moved_bytes", "fused_moved_bytes", "peak_activation_bytes", "weight_bytes"),
    *("fused_layers", "merged_elements", "graph_forces_xla"),
)
"""What the hardware must do, in addition to the published features."""

TRAINING = ("trainable_parameters", "kept_activation_bytes", "training_activation_bytes")
"""What a training step must hold, in addition."""

# One column for each thing that costs: work, slow work, moving, holding, calling. More columns that say
# nearly the same share a cost between them by chance, and predictions of other families get worse.
_COSTS = (
    *("flops", "depthwise_macs", "other_macs", "input_pixels", "sum_activations"),
    *("fused_moved_bytes", "peak_activation_bytes", "weight_bytes", "fused_layers", "graph_forces_xla"),
    *TRAINING,
)
_ENOUGH = 5
_NOT_ADDITIVE = (
    *("share", "ratio", "fraction", "intensity", "mean", "largest", "_min", "_max"),
    *("input_size", "width", "height", "kernel_size", "forces"),
)
_PER_SAMPLE = ("flops", "macs", "activation", "pixels", "elements", "neurons", "moved")

RATIOS = (
    ("parameters", "layers"),
    ("sum_activations", "input_elements"),
    ("sum_activations", "input_elements", "layers"),
    ("sum_activations", "layers"),
    ("flops", "sum_activations"),
    ("weighted_sum_neurons", "sum_activations"),
    ("weighted_sum_neurons", "flops"),
    ("weighted_sum_neurons", "conv_parameters"),
    ("flops", "conv_parameters"),
    ("conv_parameters", "conv_layers"),
    ("layers", "conv_layers"),
    ("bn_layers", "conv_layers"),
    ("bn_parameters", "bn_layers"),
    ("sum_activations", "bn_parameters"),
)
"""Features of which the first, divided by the others, says what kind of network it is, whatever its size."""

CAPS = (("parameters", "layers"),)
"""Pairs of features of which the first costs less a unit where there is much of it to each of the second."""


def ratio_exponents(features: Sequence[str]) -> np.ndarray:
    """Return `RATIOS` whose names all are among ``features``, as the exponents of these, ratios × features."""
    known = [names for names in RATIOS if set(names) <= set(features)]
    exponents = np.zeros((len(known), len(features)))
    for row, (first, *others) in enumerate(known):
        exponents[row, features.index(first)] = 1
        for name in others:
            exponents[row, features.index(name)] -= 1
    return exponents


def cap_pairs(features: Sequence[str]) -> np.ndarray:
    """Return `CAPS` whose names both are among ``features``, as indices, pairs × 2."""
    known = [[features.index(name) for name in names] for names in CAPS if set(names) <= set(features)]
    return np.array(known, dtype=int).reshape(-1, 2)


def select_features(columns: Sequence[str], *, training: bool = False) -> tuple[str, ...]:
    """Return which of a table's feature ``columns`` to learn from.

    These are the published and physical features; a table from elsewhere, with fewer than five of them, is
    trained on as it is.

    Args:
        columns: its features.
        training: whether networks were trained while they were measured: what that holds is learned from, too.
    """
    known = tuple(name for name in (*PUBLISHED, *PHYSICAL, *(TRAINING if training else ())) if name in columns)
    return known if len(known) >= _ENOUGH else tuple(columns)


def additive_features(features: Sequence[str]) -> tuple[str, ...]:
    """Return which ``features`` time and memory may be a sum of.

    These are the ones known to cost something; with fewer than five of them, all whose name does not speak of
    a share, a mean or the like.
    """
    known = tuple(name for name in features if name in _COSTS)
    if len(known) >= _ENOUGH:
        return known
    return tuple(name for name in features if not any(word in name for word in _NOT_ADDITIVE))


def per_sample_features(features: Sequence[str]) -> tuple[str, ...]:
    """Return which ``features`` count what every sample of a batch needs again, by the words of their names."""
    return tuple(
        name
        for name in features
        if any(word in name for word in _PER_SAMPLE) and not any(word in name for word in _NOT_ADDITIVE)
    )
