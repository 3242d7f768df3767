"""The features of a network: one registry of names, units, formulas and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass

from perfcast.features.layers import ACTIVATION_FLOPS

FEATURES_VERSION = 1
"""Grows when a feature is added, dropped or counted otherwise."""


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes:
        name: its column and key.
        unit: what it counts.
        formula: how it is computed, in words.
        source: `published` for those of Bouzidi et al. 2022, `document` for those that the source document
            adds, `physics` for what the hardware has to do, `structure` for how layers hang together.
    """

    name: str
    unit: str
    formula: str
    source: str


FEATURES = (
    Feature("input_size", "pixels", "height of the first input; its length where it has one axis", "published"),
    Feature("input_pixels", "pixels", "height x width of the first input", "published"),
    Feature("flops", "operations", "2 x macs + the operations listed below", "published"),
    Feature("macs", "multiply-accumulates", "of all layers", "published"),
    Feature("sum_activations", "elements", "sum of the output sizes of all layers, inputs too", "published"),
    Feature(
        "weighted_sum_neurons",
        "elements x weights",
        "over convolutions output size x kernel area x input channels, also where grouped, "
        "plus over dense layers inputs x outputs",
        "published",
    ),
    Feature("conv_parameters", "weights", "of all convolutions", "published"),
    Feature("bn_parameters", "weights", "of all batch normalisations, moving statistics too", "published"),
    Feature("fc_parameters", "weights", "of all dense layers", "published"),
    Feature("parameters", "weights", "of all layers; shared ones count once", "published"),
    Feature("layers", "layers", "all, inputs too; shared ones count once per call", "published"),
    Feature("conv_layers", "layers", "convolutions, depthwise, separable, transposed ones too", "published"),
    Feature("bn_layers", "layers", "batch normalisations", "published"),
    Feature("fc_layers", "layers", "dense layers", "published"),
    Feature("activation_layers", "layers", "layers that are an activation function and no more", "document"),
    Feature("fused_activations", "layers", "other layers that end in a function which is not linear", "structure"),
    Feature("filters_min", "filters", "least output channels of a convolution, 0 without any", "document"),
    Feature("filters_max", "filters", "most output channels of a convolution, 0 without any", "document"),
    Feature("filters_mean", "filters", "mean output channels of the convolutions, 0 without any", "structure"),
    Feature("units_min", "units", "least units of a dense layer, 0 without any", "document"),
    Feature("units_max", "units", "most units of a dense layer, 0 without any", "document"),
    Feature("kernel_size_min", "pixels", "shortest side of a convolution's kernel, 0 without any", "document"),
    Feature("kernel_size_max", "pixels", "longest side of a convolution's kernel, 0 without any", "document"),
    Feature("conv_macs", "multiply-accumulates", "of convolutions that are not depthwise", "physics"),
    Feature("depthwise_macs", "multiply-accumulates", "of convolutions of each channel by itself", "physics"),
    Feature("dense_macs", "multiply-accumulates", "of dense layers", "physics"),
    Feature("other_macs", "multiply-accumulates", "of attention, recurrent and other layers", "physics"),
    Feature("depthwise_mac_share", "fraction", "depthwise_macs / macs", "physics"),
    Feature("pointwise_mac_share", "fraction", "macs of 1x1 convolutions / macs", "physics"),
    Feature("largest_layer_macs", "multiply-accumulates", "of the layer with the most", "physics"),
    Feature("mean_mac_filters", "filters", "mean output channels of convolutions, weighted by macs", "physics"),
    Feature("mean_mac_positions", "positions", "mean output pixels of convolutions, weighted by macs", "physics"),
    Feature("largest_activation", "elements", "largest output of a layer", "physics"),
    Feature("weight_bytes", "bytes", "4 x parameters", "physics"),
    Feature(
        "peak_activation_bytes",
        "bytes",
        "most activations alive at once in execution order: a tensor lives from the layer that returns it "
        "to the last that reads it; folded and free layers return their input's tensor",
        "physics",
    ),
    Feature(
        "moved_bytes",
        "bytes",
        "over all layers but free ones, 4 x (inputs + outputs + parameters)",
        "physics",
    ),
    Feature(
        "fused_moved_bytes",
        "bytes",
        "moved_bytes where folded layers move their parameters only",
        "physics",
    ),
    Feature("arithmetic_intensity", "operations per byte", "flops / fused_moved_bytes", "physics"),
    Feature(
        "roofline_bytes",
        "bytes",
        "over all layers the greater of fused bytes moved and flops / 10: bytes of time where a device does "
        "10 operations while it moves a byte",
        "physics",
    ),
    Feature("fused_layers", "layers", "layers that are neither free nor folded: about one call each", "structure"),
    Feature("merge_layers", "layers", "layers that read two tensors or more", "structure"),
    Feature("merged_elements", "elements", "sum of the output sizes of layers that read two or more", "structure"),
    Feature("longest_path", "layers", "layers on the longest path from an input", "structure"),
    Feature("graph_forces_xla", "0 or 1", "whether the graph has functions that must be compiled", "structure"),
)
"""All features in the order of the table's columns."""

_HEAD = """# Features

Generated from `perfcast/features/definitions.py`; a test fails when it is stale.
Version {version}. All are computed from `model.json` alone, per sample (batch size 1), for 32-bit floats and
channels last.

| feature | unit | formula | source |
|---|---|---|---|
"""

_TAIL = """
Sources: `published`: Bouzidi et al., 2022; `document`: further ones of the source document; `physics`: what
the hardware has to do; `structure`: how the layers hang together.

*Free* layers do nothing at inference or only rename a shape (inputs, dropout, reshape, flatten, linear
activations). *Folded* ones are batch normalisations and activations that alone read a convolution's or dense
layer's output, directly or after another folded layer: runtimes compute them together.

## Operations beside the multiply-accumulates

`flops` counts, as TensorFlow's profiler does within 5% on every Keras Application at 224 pixels:

| layer | operations |
|---|---|
| convolution or dense layer with a bias | 1 an output element |
| batch normalisation, `Normalization`, `Rescaling` | 2 an element |
| `LayerNormalization`, `GroupNormalization`, `UnitNormalization`, `RMSNormalization` | 7 an element |
| pooling | kernel area an output element |
| global pooling | 1 an input element |
| addition, multiplication and the like of n tensors | n − 1 an element, at least 1 |
| activation, as a layer or fused | {activations} an element, 1 for others |
| any other layer with parameters and without multiply-accumulates | 1 an output element |
| all others | none |

## Differences from the published numbers

Of what Bouzidi et al. published for texts of Keras 2 models, `sum_activations`, the parameters and layers by kind and
the input size are equal here on every text at hand that tells all output shapes, but `basic_model_600_36`: its text
is of another random network than its numbers. A text with a Lambda layer that does not tell its output shape is
refused, by the layer's name. Three things differ on purpose:

- `weighted_sum_neurons` counts the channels that a convolution reads, its whole kernel, and every dense layer. The
  published sum takes the channels of the layer that stands before it in the text, whatever the convolution reads;
  it squares the last side of a kernel that is not square; and it leaves the dense layers of the random networks out.
  Counted with these three slips it is the published number on every text. Without branches it is so as it stands;
  where branches run side by side, the sum here is less: by 20% on Inception-v1, 16% on InceptionResNetV2, 10% on
  ResNet-20V2 and up to 1% on the other ResNets. The dense layers make it more by less than 0.0001%.
- `flops` are counted from layers alone, the published ones by a framework's profiler that also counted initialisers
  of weights. They agree within 3.5% from 112 px up; below, initialisers weigh more (18 to 35% at 32 px).
- The input counts as a layer also in sequential models, whose texts and whose `model.layers` may leave it out.
"""


def document() -> str:
    """Return the text of `docs/features.md`."""
    rows = "".join(f"| `{item.name}` | {item.unit} | {item.formula} | {item.source} |\n" for item in FEATURES)
    costs = ", ".join(f"{cost} for `{name}`" for name, cost in ACTIVATION_FLOPS.items())
    return _HEAD.format(version=FEATURES_VERSION) + rows + _TAIL.format(activations=costs)
