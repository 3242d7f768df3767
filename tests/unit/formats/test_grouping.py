"""Operations grouped into layers: each way in which tools spell a layer out gives that layer."""

import math

import pytest

from perfcast.formats.grouping import Operation, group
from perfcast.network.network import Tensor, Weight

SHAPE = (8, 8, 4)


def operation(kind, *operands, name="", weights=(), shape=SHAPE, **fields):
    """Return an operation named as what it returns; operands that begin with `w` are weights."""
    return Operation(
        name=name or f"{kind}/{len(operands)}",
        type=kind,
        inputs=tuple(operand for operand in operands if isinstance(operand, str) and not operand.startswith("w")),
        outputs=(Tensor(fields.pop("returns"), shape),),
        weights=tuple(Weight(operand, 4) for operand in operands if str(operand).startswith("w")) or weights,
        operands=operands,
        **fields,
    )


def graph_of(*steps):
    """Return operations of (type, operands...) that return `a`, `b`, … in turn, of the input `x`."""
    operations = [operation("InputLayer", returns="x")]
    for letter, (kind, *operands) in zip("abcdefghijklmnop", steps, strict=False):
        operations.append(operation(kind, *operands, name=f"net/{letter}", returns=letter))
    return operations


def grouped(*steps):
    """Return the layers, but the input, of a graph whose last step returns its output."""
    operations = graph_of(*steps)
    return group(operations, {operations[-1].outputs[0].name})[1:]


ROOT = math.sqrt(2)
SPELLINGS = {
    "silu": [
        (("Sigmoid", "x"), ("Multiply", "x", "a")),
        (("Multiply", "x", 1.0), ("Sigmoid", "a"), ("Multiply", "b", "x")),
        (("Negative", "x"), ("Exp", "a"), ("Add", "b", 1.0), ("Divide", "x", "c")),
    ],
    "sigmoid": [(("Sigmoid", "x"),), (("Negative", "x"), ("Exp", "a"), ("Add", 1.0, "b"), ("Reciprocal", "c"))],
    "relu": [(("ReLU", "x"),), (("Maximum", "x", 0.0),)],
    "relu6": [(("ReLU6", "x"),), (("Clip", "x", 0.0, 6.0),), (("ReLU", "x"), ("Minimum", "a", 6.0))],
    "leaky_relu": [(("LeakyReLU", "x", 0.2),), (("Multiply", "x", 0.1), ("Maximum", "x", "a"))],
    "hard_sigmoid": [
        (("Add", "x", 3.0), ("ReLU6", "a"), ("Divide", "b", 6.0)),
        (("Add", "x", 3.0), ("Clip", "a", 0.0, 6.0), ("Multiply", "b", 1 / 6)),
    ],
    "hard_silu": [
        (("Add", "x", 3.0), ("ReLU6", "a"), ("Multiply", "x", "b"), ("Divide", "c", 6.0)),
        (("Add", "x", 3.0), ("ReLU6", "a"), ("Multiply", "b", 1 / 6), ("Multiply", "c", "x")),
        (("HardSigmoid", "x"), ("Multiply", "x", "a")),
    ],
    "gelu": [
        (("Divide", "x", ROOT), ("Erf", "a"), ("Add", "b", 1.0), ("Multiply", "x", "c"), ("Multiply", "d", 0.5)),
        (("Multiply", "x", -1 / ROOT), ("Erfc", "a"), ("Multiply", 0.5, "x"), ("Multiply", "c", "b")),
        (
            *(("Power", "x", 3.0), ("Multiply", "a", 0.044715), ("Add", "x", "b"), ("Multiply", "c", 0.7978846)),
            *(("Tanh", "d"), ("Add", "e", 1.0), ("Multiply", "x", 0.5), ("Multiply", "g", "f")),
        ),
        (("Multiply", "x", 1.702), ("Sigmoid", "a"), ("Multiply", "x", "b")),
    ],
    "mish": [(("Softplus", "x"), ("Tanh", "a"), ("Multiply", "x", "b"))],
    "softmax": [
        (("Exp", "x"), ("Sum", "a"), ("Divide", "a", "b")),
        (("Max", "x"), ("Subtract", "x", "a"), ("Exp", "b"), ("Sum", "c"), ("Divide", "c", "d")),
        (("Softmax", "x"),),
    ],
}


@pytest.mark.parametrize(("name", "steps"), [(name, steps) for name, all_of in SPELLINGS.items() for steps in all_of])
def test_activations_are_recognised_in_every_spelling(name, steps):
    (layer,) = grouped(*steps)
    assert (layer.type, layer.activation, layer.inputs) == ("Activation", name, ("x",))


@pytest.mark.parametrize(
    "steps",
    [
        (("Sigmoid", "x"), ("Multiply", "a", "y")),
        (("Add", "x", 2.0), ("ReLU6", "a"), ("Divide", "b", 5.0)),
        (("Sigmoid", "x"), ("Multiply", "x", "a"), ("Add", "b", "a")),
    ],
)
def test_unknown_functions_are_unchanged(steps):
    operations = [operation("InputLayer", returns="y"), *graph_of(*steps)]
    layers = group(operations, {operations[-1].outputs[0].name})
    assert [layer.type for layer in layers if layer.activation in ("silu", "hard_sigmoid")] == []
    assert len(layers) >= len(operations) - 1


def test_tensor_with_another_reader_stays_a_layer():
    operations = graph_of(("Sigmoid", "x"), ("Multiply", "x", "a"), ("Tanh", "a"), ("Add", "b", "c"))
    layers = group(operations, {"d"})[1:]
    assert [layer.activation or layer.type for layer in layers] == ["sigmoid", "Multiply", "tanh", "Add"]


CENTRED = (("Mean", "x"), ("Subtract", "x", "a"))
NORMALISATIONS = {
    "PyTorch": (
        *CENTRED,
        *(("Power", "b", 2.0), ("Mean", "c"), ("Add", "d", 1e-5), ("Sqrt", "e"), ("Divide", "b", "f")),
        *(("Multiply", "g", "w1"), ("Add", "h", "w2")),
    ),
    "Keras": (
        *(("Mean", "x"), ("SquaredDifference", "x", "a"), ("Mean", "b"), ("Add", "c", 1e-3), ("Rsqrt", "d")),
        *(("Multiply", "e", "w1"), ("Negative", "a"), ("Multiply", "g", "f"), ("Add", "h", "w2")),
        *(("Multiply", "x", "f"), ("Add", "j", "i")),
    ),
}


@pytest.mark.parametrize("tool", NORMALISATIONS)
def test_layer_normalisation_is_one_layer_with_its_weights(tool):
    operations = [
        operation(item.type, *item.operands, returns=item.outputs[0].name, axes=(2,)) if item.type == "Mean" else item
        for item in graph_of(*NORMALISATIONS[tool])
    ]
    (layer,) = group(operations, {operations[-1].outputs[0].name})[1:]
    assert (layer.type, layer.inputs) == ("LayerNormalization", ("x",))
    assert sum(weight.elements for weight in layer.weights) == 8


def test_a_mean_square_alone_is_an_rms_normalisation():
    (layer,) = grouped(
        *(("Square", "x"), ("Mean", "a"), ("Add", "b", 1e-6), ("Rsqrt", "c")),
        *(("Multiply", "x", "d"), ("Multiply", "e", "w1")),
    )[:1]
    assert layer.type == "RMSNormalization"


def convolution(name="net/conv/Conv2D", returns="conv"):
    return operation(
        "Conv2D",
        "x",
        name=name,
        returns=returns,
        weights=(Weight("kernel", 36),),
        kernel=(3, 3),
        filters=4,
        groups=1,
        layout="channels_last",
    )


def after(*operations, outputs=()):
    """Return the layers behind the input of a convolution and what follows it."""
    layers = [operation("InputLayer", returns="x"), convolution(), *operations]
    return group(layers, {layers[-1].outputs[0].name, *outputs})[1:]


def test_bias_and_activation_join_the_convolution_of_their_scope():
    bias = operation("Add", "conv", "w1", name="net/conv/BiasAdd", returns="biased")
    relu = operation("ReLU", "biased", name="net/conv/Relu", returns="out")
    (layer,) = after(bias, relu)
    assert (layer.name, layer.activation, [weight.elements for weight in layer.weights]) == (
        *("net/conv/Conv2D", "relu"),
        [36, 4],
    )
    assert layer.outputs == (Tensor("out", SHAPE),)


@pytest.mark.parametrize("name", ["net/act/Relu", "Relu"])
def test_an_activation_of_another_scope_stays_a_layer(name):
    convolved, activation = after(operation("ReLU", "conv", name=name, returns="out"))
    assert (convolved.activation, activation.type, activation.activation) == ("linear", "Activation", "relu")


def test_bias_of_a_shared_tensor_stays_a_sum():
    bias = operation("Add", "conv", "w1", returns="biased")
    assert [layer.type for layer in after(bias, outputs={"conv"})] == ["Conv2D", "Add"]


@pytest.mark.parametrize("shift", ["Add", "Subtract"])
def test_scale_and_shift_per_channel_is_batch_normalisation(shift):
    scale = operation("Multiply", "conv", "w1", name="net/bn/mul", returns="scaled")
    convolved, layer = after(scale, operation(shift, "scaled", "w2", name="net/bn/add", returns="out"))
    assert (layer.type, [weight.name for weight in layer.weights]) == ("BatchNormalization", ["w1", "w2"])
    assert len(convolved.weights) == 1


def test_a_scale_alone_and_scales_by_numbers():
    assert [layer.type for layer in grouped(("Multiply", "x", "w1"))] == ["LayerScale"]
    assert [layer.type for layer in grouped(("Multiply", "x", 2.0), ("Add", "a", -1.0))] == ["Rescaling"]
    (layer,) = grouped(("Subtract", "x", "wa"), ("Divide", "a", "wb"))
    assert layer.type == "Normalization"


def test_depthwise_and_pointwise_of_one_layer_are_separable():
    def depthwise(name):
        fields = {"kernel": (3, 3), "strides": (2, 2), "filters": 4, "groups": 4, "macs": 10}
        return operation("DepthwiseConv2D", "x", name=name, returns="deep", weights=(Weight("d", 36),), **fields)

    def pointwise(name):
        fields = {"kernel": (1, 1), "filters": 4, "groups": 1, "macs": 5}
        return operation("Conv2D", "deep", name=name, returns="out", weights=(Weight("p", 16),), **fields)

    entry = operation("InputLayer", returns="x")
    (layer,) = group([entry, depthwise("a/separable/depthwise"), pointwise("a/separable")], {"out"})[1:]
    assert (layer.type, layer.kernel, layer.strides, layer.macs) == ("SeparableConv2D", (3, 3), (2, 2), 15)
    apart = group([entry, depthwise("a/depthwise"), pointwise("b/pointwise")], {"out"})[1:]
    assert [layer.type for layer in apart] == ["DepthwiseConv2D", "Conv2D"]


def test_matrix_product_between_reshapes_is_a_dense_layer():
    before = operation("Reshape", "x", returns="rows", shape=(64, 4), layout="free")
    product = operation("Dense", "rows", returns="product", shape=(64, 6), units=6, weights=(Weight("k", 24),))
    back = operation("Reshape", "product", name="net/dense/Reshape", returns="back", shape=(8, 8, 6))
    bias = operation("Add", "back", name="net/dense/add", returns="out", shape=(8, 8, 6), weights=(Weight("b", 6),))
    (layer,) = group([operation("InputLayer", returns="x"), before, product, back, bias], {"out"})[1:]
    assert (layer.type, layer.inputs, layer.outputs[0].shape) == ("Dense", ("x",), (8, 8, 6))
    assert [weight.elements for weight in layer.weights] == [24, 6]


def test_identities_vanish_and_outputs_keep_their_names():
    layers = grouped(("Identity", "x"), ("Tanh", "a"), ("Reshape", "b"), ("Identity", "c"))
    assert [(layer.type, layer.inputs, layer.outputs[0].name) for layer in layers] == [("Activation", ("x",), "d")]


def test_returned_input_stays():
    (layer,) = grouped(("Identity", "x"))
    assert (layer.type, layer.inputs, layer.outputs[0].name) == ("Identity", ("x",), "a")


@pytest.mark.parametrize(
    ("axes", "kind", "layout"),
    [
        ((0, 1), "GlobalAveragePooling2D", "channels_last"),
        ((1, 2), "GlobalAveragePooling2D", "channels_first"),
        ((2,), "Mean", "same"),
    ],
)
def test_mean_over_spatial_axes_is_global_pooling(axes, kind, layout):
    entry = operation("InputLayer", returns="x")
    (layer,) = group([entry, operation("Mean", "x", returns="out", shape=(4,), axes=axes)], {"out"})[1:]
    assert (layer.type, layer.layout) == (kind, layout)


@pytest.mark.parametrize(
    "steps",
    [
        (("ReLU", "x"), ("Negative", "x"), ("ReLU", "b"), ("Multiply", "c", "w1"), ("Add", "a", "d")),
        (("Maximum", "x", 0.0), ("Minimum", "x", 0.0), ("Multiply", "w1", "b"), ("Add", "a", "c")),
    ],
)
def test_a_rectifier_with_a_learned_slope_is_a_prelu(steps):
    (layer,) = grouped(*steps)
    assert (layer.type, layer.inputs, [weight.name for weight in layer.weights]) == ("PReLU", ("x",), ["w1"])


def test_convolution_of_every_other_pixel_is_dilated():
    parted = operation("SpaceToBatchND", "x", returns="parts", shape=(4, 6, 6, 4), dilation=(2, 2))
    fields = {"kernel": (3, 3), "filters": 4, "groups": 1, "macs": 4 * 16 * 144, "dilation": (1, 1)}
    layer = operation("Conv2D", "parts", returns="pieces", shape=(4, 4, 4, 4), weights=(Weight("k", 144),), **fields)
    whole = operation("BatchToSpaceND", "pieces", returns="out")
    (layer,) = group([operation("InputLayer", returns="x"), parted, layer, whole], {"out"})[1:]
    assert (layer.type, layer.dilation, layer.macs) == ("Conv2D", (2, 2), 8 * 8 * 144)


def test_convolution_with_an_added_axis_is_one_dimensional():
    entry = operation("InputLayer", returns="x", shape=(8, 4))
    added = operation("Reshape", "x", returns="added", shape=(1, 8, 4))
    fields = {"kernel": (1, 3), "strides": (1, 2), "dilation": (1, 1), "filters": 4, "layout": "channels_last"}
    layer = operation("Conv2D", "added", returns="two", shape=(1, 4, 4), weights=(Weight("k", 48),), **fields)
    taken = operation("Reshape", "two", returns="out", shape=(4, 4))
    (layer,) = group([entry, added, layer, taken], {"out"})[1:]
    assert (layer.type, layer.kernel, layer.strides, layer.inputs) == ("Conv1D", (3,), (2,), ("x",))


def test_scaled_sum_in_one_scope_is_one_layer():
    def scaled(scope):
        entries = [operation("InputLayer", returns=name) for name in ("x", "y")]
        scale = operation("Multiply", "y", 0.17, name="net/sum/mul", returns="scaled")
        return group([*entries, scale, operation("Add", "x", "scaled", name=scope, returns="out")], {"out"})[2:]

    assert [(layer.type, layer.inputs) for layer in scaled("net/sum/add")] == [("Add", ("x", "y"))]
    assert [layer.type for layer in scaled("net/add/add")] == ["Rescaling", "Add"]


def test_bias_after_a_split_into_heads_joins_the_dense_layer():
    product = operation("Dense", "x", returns="all", shape=(8, 12), units=12, weights=(Weight("k", 48),))
    heads = operation("Reshape", "all", returns="heads", shape=(8, 3, 4))
    bias = operation("Add", "heads", returns="out", shape=(8, 3, 4), weights=(Weight("b", 12),))
    (layer,) = group([operation("InputLayer", returns="x", shape=(8, 4)), product, heads, bias], {"out"})[1:]
    assert (layer.type, layer.units, layer.outputs[0].shape, len(layer.weights)) == ("Dense", 12, (8, 3, 4), 2)


def test_dilated_convolution_along_one_axis_keeps_its_padding():
    entry = operation("InputLayer", returns="x", shape=(64, 8))
    padded = operation("ZeroPadding1D", "x", name="net/conv/Pad", returns="padded", shape=(72, 8))
    parted = operation("SpaceToBatchND", "padded", returns="parts", shape=(4, 18, 8), dilation=(4,))
    added = operation("Reshape", "parts", returns="added", shape=(4, 1, 18, 8))
    fields = {"kernel": (1, 3), "strides": (1, 1), "dilation": (1, 1), "filters": 4, "layout": "channels_last"}
    fields |= {"macs": 4 * 16 * 96, "weights": (Weight("k", 96),)}
    layer = operation("Conv2D", "added", name="net/conv/convolution", returns="two", shape=(4, 1, 16, 4), **fields)
    taken = operation("Reshape", "two", returns="one", shape=(4, 16, 4))
    whole = operation("BatchToSpaceND", "one", returns="out", shape=(64, 4))
    (layer,) = group([entry, padded, parted, added, layer, taken, whole], {"out"})[1:]
    assert (layer.type, layer.kernel, layer.dilation, layer.inputs) == ("Conv1D", (3,), (4,), ("x",))
    assert layer.macs == 64 * 96
