"""The features of a network: one registry of names, units, formulas and where each comes from."""

from __future__ import annotations

from dataclasses import dataclass

from perfcast.features.layers import ACTIVATION_FLOPS

FEATURES_VERSION = 3
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
    Feature("sum_activations", "elements", "sum of the output sizes of all layers, inputs included", "published"),
    Feature(
        "weighted_sum_neurons",
        "elements x weights",
        "output size x kernel area x input channels of convolutions, grouped or not, "
        "plus inputs x outputs of dense layers",
        "published",
    ),
    Feature("conv_parameters", "weights", "of all convolutions", "published"),
    Feature("bn_parameters", "weights", "of all batch normalizations, moving statistics included", "published"),
    Feature("fc_parameters", "weights", "of all dense layers", "published"),
    Feature("parameters", "weights", "of all layers; shared ones count once", "published"),
    Feature("layers", "layers", "all, inputs included; shared ones count once per call", "published"),
    Feature("conv_layers", "layers", "convolutions, including depthwise, separable and transposed ones", "published"),
    Feature("bn_layers", "layers", "batch normalizations", "published"),
    Feature("fc_layers", "layers", "dense layers", "published"),
    Feature("activation_layers", "layers", "layers that are only an activation function", "document"),
    Feature("fused_activations", "layers", "other layers that end in a nonlinear function", "structure"),
    Feature("filters_min", "filters", "smallest number of output channels of a convolution, 0 without any", "document"),
    Feature("filters_max", "filters", "largest number of output channels of a convolution, 0 without any", "document"),
    Feature("filters_mean", "filters", "mean output channels of the convolutions, 0 without any", "structure"),
    Feature("units_min", "units", "smallest number of units of a dense layer, 0 without any", "document"),
    Feature("units_max", "units", "largest number of units of a dense layer, 0 without any", "document"),
    Feature("kernel_size_min", "pixels", "shortest side of a convolution's kernel, 0 without any", "document"),
    Feature("kernel_size_max", "pixels", "longest side of a convolution's kernel, 0 without any", "document"),
    Feature("conv_macs", "multiply-accumulates", "of convolutions that are not depthwise", "physics"),
    Feature("depthwise_macs", "multiply-accumulates", "of depthwise convolutions", "physics"),
    Feature("dense_macs", "multiply-accumulates", "of dense layers", "physics"),
    Feature("other_macs", "multiply-accumulates", "of attention, recurrent and other layers", "physics"),
    Feature("depthwise_mac_share", "fraction", "depthwise_macs / macs", "physics"),
    Feature("pointwise_mac_share", "fraction", "macs of 1x1 convolutions / macs", "physics"),
    Feature("largest_layer_macs", "multiply-accumulates", "of the layer with the most", "physics"),
    Feature("mean_mac_filters", "filters", "mean output channels of convolutions, weighted by macs", "physics"),
    Feature("mean_mac_positions", "positions", "mean output pixels of convolutions, weighted by macs", "physics"),
    Feature("largest_activation", "elements", "largest output of a layer", "physics"),
    Feature("core_layers", "layers", "core layers", "structure"),
    Feature("core_activations", "elements", "sum of the output sizes of core layers", "structure"),
    Feature("max_core_activation", "elements", "largest output of a core layer", "structure"),
    Feature("weight_bytes", "bytes", "4 x parameters", "physics"),
    Feature(
        "peak_activation_bytes",
        "bytes",
        "peak of the activations alive at once in execution order: a tensor lives from the layer that returns it "
        "to the last that reads it; folded and free layers return their input's tensor",
        "physics",
    ),
    Feature(
        "moved_bytes",
        "bytes",
        "4 x (inputs + outputs + parameters), over all layers except free ones",
        "physics",
    ),
    Feature(
        "fused_moved_bytes",
        "bytes",
        "as moved_bytes, but folded layers move only their parameters",
        "physics",
    ),
    Feature("arithmetic_intensity", "operations per byte", "flops / fused_moved_bytes", "physics"),
    Feature(
        "roofline_bytes",
        "bytes",
        "over all layers, the greater of fused bytes moved and flops / 10: time in bytes, on a device that does "
        "10 operations while it moves a byte",
        "physics",
    ),
    Feature("fused_layers", "layers", "layers that are neither free nor folded: about one call each", "structure"),
    Feature("merge_layers", "layers", "layers that read two or more tensors", "structure"),
    Feature("merged_elements", "elements", "sum of the output sizes of merge layers", "structure"),
    Feature("longest_path", "layers", "layers on the longest path from an input", "structure"),
    Feature("trainable_parameters", "weights", "of all layers, those that training changes", "physics"),
    Feature(
        "kept_activation_bytes",
        "bytes",
        "activations that a training step keeps from its forward pass for the backward pass",
        "physics",
    ),
    Feature(
        "training_activation_bytes",
        "bytes",
        "peak of the activations and their gradients alive at once in a training step",
        "physics",
    ),
    Feature("graph_forces_xla", "0 or 1", "whether the graph has functions that must be compiled (XLA)", "structure"),
)
"""All features in the order of the table's columns."""

_HEAD = """# Features

perfcast computes these features of a network from `model.json` alone, without running it:

```
$ perfcast features basic_model_1_2_96_1_128 --out features.csv
$ cut -d, -f1,4,6-8 features.csv
model,input_size,flops,macs,sum_activations
basic_model_1_2_96_1_128,128,43356732,18581568,4694410
```

All are per sample (batch size 1), for 32-bit floats and channels last. This is version {version} of the features.
This page is generated from `perfcast/features/definitions.py`; a test fails if it is stale.

| feature | unit | formula | source |
|---|---|---|---|
"""

_TAIL = """
Sources: `published`: Bouzidi et al., 2022; `document`: further features of the source document; `physics`: what the
hardware must do; `structure`: how the layers are connected.

*Free* layers do nothing at inference or only change a shape (inputs, dropout, reshape, flatten, linear activations).
*Folded* layers are batch normalizations and activations that are the only reader of a convolution's or dense layer's
output, directly or after another folded layer: runtimes compute them together.
*Core* layers are those with parameters, and poolings. Tables measured with PyTorch often count only these, since
activations and merges are calls of functions there. A training step keeps about as much as core layers return.

## Operations besides multiply-accumulates

`flops` counts operations as TensorFlow's profiler does, within 5% on every model of Keras Applications at 224 pixels:

| layer | operations |
|---|---|
| convolution or dense layer with a bias | 1 per output element |
| batch normalization, `Normalization`, `Rescaling` | 2 per element |
| `LayerNormalization`, `GroupNormalization`, `UnitNormalization`, `RMSNormalization` | 7 per element |
| pooling | kernel area per output element |
| global pooling | 1 per input element |
| addition, multiplication and the like of n tensors | n − 1 per element, at least 1 |
| activation, as a layer or fused | per element: {activations}, 1 for others |
| any other layer with parameters and without multiply-accumulates | 1 per output element |
| all others | none |

## What training holds

`kept_activation_bytes` and `training_activation_bytes` come from a schedule of a training step
(`perfcast/network/training_memory.py`): all layers run forward, then backward in reverse order, and the weights of each
are updated beside the backward pass that follows. A layer's gradient keeps what it reads until it is computed: the
input of a convolution, a dense layer or a normalization, the result of most activation functions, both of a max
pooling, a mask of a dropout. Sums, concatenations and average poolings keep nothing; activations and sums overwrite an
input that nothing else needs. `training_peak` gives the peak by layer and kind (weights, gradients, optimizer state,
activations, workspace), and the layer and operation that run then.

Workspace is what oneDNN's kernels keep or take besides: a byte per result of a max pooling, half a byte per number of a
normalization that is fused with its ReLU, and the new value of a weight that is updated while the gradient of its
layer's input still reads the old one. It is not part of the features. These are sizes by themselves; how they compare
with measured peaks is in [training-study.md](training-study.md#the-schedule-and-measured-peaks).

## Differences from the published numbers

Bouzidi et al. published these features for Keras 2 models. On every Keras JSON file at hand that contains all output
shapes, `sum_activations`, parameters and layers by kind, and the input size are equal here. The exception is
`basic_model_600_36`: its file describes another random network than its numbers. A file with a Lambda layer of
unknown output shape is refused, with the layer's name.

Three things differ on purpose:

- `weighted_sum_neurons` counts the channels that a convolution reads, its whole kernel, and every dense layer. The
  published sum has three errors: it uses the channels of the preceding layer in the file, whatever the convolution
  reads; it squares the last side of a kernel that is not square; and it omits the dense layers of the random
  networks. Counted with these errors, the sum is the published one for every file. For networks without branches the
  two sums are equal as they stand. With parallel branches, the sum here is smaller: by 20% for Inception-v1, 16% for
  InceptionResNetV2, 10% for ResNet-20V2 and up to 1% for the other ResNets. The dense layers increase it by less than
  0.0001%.
- `flops` are counted from layers alone. The published ones come from a framework's profiler that also counted
  initializers of weights. They agree within 3.5% from 112 px up. Below, initializers weigh more (18 to 35% at 32 px).
- The input counts as a layer in sequential models, too. Their files and their `model.layers` may omit it.
"""


def document() -> str:
    """Return the text of `docs/features.md`."""
    rows = "".join(f"| `{item.name}` | {item.unit} | {item.formula} | {item.source} |\n" for item in FEATURES)
    costs = ", ".join(f"{cost} for `{name}`" for name, cost in ACTIVATION_FLOPS.items())
    return _HEAD.format(version=FEATURES_VERSION) + rows + _TAIL.format(activations=costs)
