"""Which features to learn from, and which of them time and memory are a sum of."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
"""What the hardware has to do, beside the published features."""

# One column for each thing that costs: work, slow work, moving, holding, calling. More columns that say
# nearly the same share a cost between them by chance, and forecasts of other families get worse.
_COSTS = (
    *("flops", "depthwise_macs", "other_macs", "input_pixels", "sum_activations"),
    *("fused_moved_bytes", "peak_activation_bytes", "weight_bytes", "fused_layers", "graph_forces_xla"),
)
_ENOUGH = 5
_NOT_ADDITIVE = (
    *("share", "ratio", "fraction", "intensity", "mean", "largest", "_min", "_max"),
    *("input_size", "width", "height", "kernel_size", "forces"),
)


def select_features(columns: Sequence[str]) -> tuple[str, ...]:
    """Return which of a table's feature ``columns`` to learn from.

    These are the published and physical features; a table from elsewhere, with fewer than five of them, is
    learned from as it is.
    """
    known = tuple(name for name in (*PUBLISHED, *PHYSICAL) if name in columns)
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
