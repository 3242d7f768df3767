"""Single operators of TensorFlow Lite as layers."""

import pytest

from perfcast.errors import SourceError
from perfcast.formats.tflite_graph import read_tflite
from tests.unit.formats.reading import layers
from tests.unit.formats.tflite_files import Builder


def read(builder, folder, *outputs):
    return layers(read_tflite(builder.save(folder, *outputs), {}))


def only(builder, folder, output):
    (layer,) = read(builder, folder, output)
    return layer


WINDOW = {"strideW": 1, "strideH": 2}


@pytest.mark.parametrize(
    ("code", "shape", "weights", "options", "output", "expected"),
    [
        (
            *("CONV_2D", [8, 8, 6], [(4, 3, 2, 3), (4,)]),
            WINDOW | {"options": "Conv2DOptions", "dilationHFactor": 1, "dilationWFactor": 2},
            *([3, 6, 4], ("Conv2D", [3, 2], [2, 1], [1, 2], 2, 4, 18 * 72, 76)),
        ),
        (
            *("DEPTHWISE_CONV_2D", [8, 8, 4], [(1, 3, 3, 8), (8,)], WINDOW | {"options": "DepthwiseConv2DOptions"}),
            *([3, 6, 8], ("DepthwiseConv2D", [3, 3], [2, 1], [1, 1], 4, 8, 18 * 72, 80)),
        ),
        (
            *("TRANSPOSE_CONV", [4, 4, 6], [(2, 3, 3, 6)], WINDOW | {"options": "TransposeConvOptions"}),
            *([9, 6, 2], ("Conv2DTranspose", [3, 3], [2, 1], [1, 1], 1, 2, 16 * 108, 108)),
        ),
        (
            *("CONV_3D", [5, 5, 5, 2], [(3, 3, 3, 2, 4)], {"options": "Conv3DOptions", "strideW": 1, "strideH": 1}),
            *([3, 3, 3, 4], ("Conv3D", [3] * 3, [1] * 3, [1] * 3, 1, 4, 27 * 27 * 8, 27 * 8)),
        ),
        (
            *("MAX_POOL_2D", [8, 8, 3], [], WINDOW | {"options": "Pool2DOptions", "filterHeight": 3, "filterWidth": 2}),
            *([3, 7, 3], ("MaxPooling2D", [3, 2], [2, 1], None, None, None, 0, 0)),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_convolutions_and_poolings(code, shape, weights, options, output, expected, tmp_path):
    b = Builder([1, *shape])
    inputs = [b.inputs[0], *(b.weight(*sizes) for sizes in weights)]
    if code == "TRANSPOSE_CONV":
        inputs = [b.tensor([4], [1, *output], "int32"), inputs[1], inputs[0]]
    if code == "CONV_3D":
        options = options | {"strideD": 1}

    layer = only(b, tmp_path, b.operator(code, inputs, [1, *output], **options))

    keys = ("type", "kernel", "strides", "dilation", "groups", "filters", "macs", "parameters")
    assert tuple(layer[key] for key in keys) == expected


def test_zero_bias_of_a_depthwise_convolution_is_no_bias(tmp_path):
    b = Builder([1, 8, 8, 4])
    inputs = [b.inputs[0], b.weight(1, 3, 3, 8), b.tensor([8], [0.0] * 8)]
    options = {"options": "DepthwiseConv2DOptions", "strideW": 1, "strideH": 1, "depthMultiplier": 2}
    assert only(b, tmp_path, b.operator("DEPTHWISE_CONV_2D", inputs, [1, 6, 6, 8], **options))["parameters"] == 72


def test_dense_layers_and_products(tmp_path):
    b = Builder([1, 4, 6], [1, 6, 5])
    matrices = {"options": "BatchMatMulOptions"}
    x = b.operator("BATCH_MATMUL", [0, 1], [1, 4, 5], **matrices)
    x = b.operator("BATCH_MATMUL", [x, b.weight(5, 7)], [1, 4, 7], **matrices)
    x = b.operator("FULLY_CONNECTED", [x, b.weight(3, 7), b.weight(3)], [1, 4, 3], options="FullyConnectedOptions")

    product, dense, last = read(b, tmp_path, x)

    assert (product["type"], product["units"], product["macs"]) == ("Matmul", None, 4 * 6 * 5)
    assert (dense["type"], dense["units"], dense["macs"], dense["parameters"]) == ("Dense", 7, 4 * 35, 35)
    assert (last["type"], last["units"], last["macs"], last["parameters"]) == ("Dense", 3, 4 * 21, 24)


def test_recurrent_layer(tmp_path):
    b = Builder([1, 9, 5])
    states = [b.tensor([1, 6], name=f"state_{i}") for i in range(2)]
    for index in states:
        b.tensors[index].isVariable = True
    inputs = [0, *(b.weight(6, 5) for _ in range(4)), *(b.weight(6, 6) for _ in range(4)), -1, -1, -1]
    inputs += [*(b.weight(6) for _ in range(4)), -1, -1, *states]

    layer = only(
        b,
        tmp_path,
        b.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            inputs,
            [1, 9, 6],
            options="UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=4,
        ),
    )

    assert (layer["type"], layer["macs"], layer["parameters"]) == ("LSTM", 9 * 4 * 66, 4 * 66 + 24)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("RELU", "relu"),
        ("RELU6", "relu6"),
        ("LOGISTIC", "sigmoid"),
        ("TANH", "tanh"),
        ("HARD_SWISH", "hard_silu"),
        ("GELU", "gelu"),
        ("ELU", "elu"),
        ("LEAKY_RELU", "leaky_relu"),
        ("SOFTMAX", "softmax"),
        ("LOG_SOFTMAX", "log_softmax"),
    ],
)
def test_activations(code, name, tmp_path):
    b = Builder([1, 4, 6])
    options = {"options": "LeakyReluOptions", "alpha": 0.1} if code == "LEAKY_RELU" else {}

    layer = only(b, tmp_path, b.operator(code, [0], [1, 4, 6], **options))

    assert (layer["type"], layer["activation"]) == ("Activation", name)


def test_silu_of_two_operators(tmp_path):
    b = Builder([1, 4, 6])
    gate = b.operator("LOGISTIC", [0], [1, 4, 6])

    layer = only(b, tmp_path, b.operator("MUL", [0, gate], [1, 4, 6], options="MulOptions"))

    assert (layer["type"], layer["activation"]) == ("Activation", "silu")


def test_sum_that_ends_in_an_activation_is_two_layers(tmp_path):
    b = Builder([1, 4, 6], [1, 4, 6])

    found = read(b, tmp_path, b.operator("ADD", [0, 1], [1, 4, 6], options="AddOptions", fusedActivationFunction=1))

    assert [(layer["type"], layer["activation"]) for layer in found] == [("Add", None), ("Activation", "relu")]


@pytest.mark.parametrize(("code", "type"), [("MEAN", "GlobalAveragePooling2D"), ("REDUCE_MAX", "GlobalMaxPooling2D")])
def test_global_poolings(code, type, tmp_path):
    b = Builder([1, 4, 6, 3])

    layer = only(b, tmp_path, b.operator(code, [0, b.tensor([2], [-3, 2], "int32")], [1, 3], options="ReducerOptions"))

    assert (layer["type"], layer["output_shapes"]) == (type, [[3]])


def test_embedding(tmp_path):
    b = Builder([1, 9])
    b.tensors[0].type = b.schema.TensorType.INT32

    layer = only(b, tmp_path, b.operator("GATHER", [b.weight(100, 6), 0], [1, 9, 6], options="GatherOptions"))

    assert (layer["type"], layer["parameters"]) == ("Embedding", 600)


def test_dequantised_weights(tmp_path):
    b = Builder([1, 4])
    matrix = b.operator("DEQUANTIZE", [b.tensor([5, 4], [[1] * 4] * 5, "int8", scale=0.1)], [5, 4])

    layer = only(b, tmp_path, b.operator("FULLY_CONNECTED", [0, matrix], [1, 5], options="FullyConnectedOptions"))

    assert (layer["type"], layer["parameters"], layer["macs"]) == ("Dense", 20, 20)


def test_computed_shapes_are_not_layers(tmp_path):
    b = Builder([1, 4, 6])
    size = b.operator("SHAPE", [0], b.tensor([3], dtype="int32"))
    wanted = b.operator("PACK", [size, b.tensor([], [24], "int32")], b.tensor([2], dtype="int32"))

    layer = only(b, tmp_path, b.operator("RESHAPE", [0, wanted], [1, 24]))

    assert (layer["type"], layer["output_shapes"], layer["parameters"]) == ("Reshape", [[24]], 0)


def test_custom_operators_keep_their_name(tmp_path):
    b = Builder([1, 10, 4], [1, 10, 3])
    anchors = b.weight(10, 4)

    output = b.operator("TFLite_Detection_PostProcess", [0, 1, anchors], [1, 5, 4], [1, 5], [1, 5], [1])
    found = read(b, tmp_path, *b.operators[-1].outputs)

    assert [(layer["type"], layer["parameters"], layer["macs"]) for layer in found] == [
        ("TFLite_Detection_PostProcess", 40, 0)
    ]
    assert output == b.operators[-1].outputs[0]
    assert found[0]["output_shapes"] == [[5, 4], [5], [5], []]


def test_scale_and_shift_per_channel_is_batch_normalisation(tmp_path):
    b = Builder([1, 4, 4, 6])
    x = b.operator("MUL", [0, b.weight(6)], [1, 4, 4, 6], options="MulOptions")

    layer = only(b, tmp_path, b.operator("ADD", [x, b.weight(6)], [1, 4, 4, 6], options="AddOptions"))

    assert (layer["type"], layer["parameters"]) == ("BatchNormalization", 12)


def dilated(builder, code, read, block, made, weights, crops=(0, 0, 0, 0), **options):
    """Add a convolution between operators that part and join `block` pieces, whose batch the file leaves open."""
    axes = len(block)
    size = builder.tensor([axes], block, "int32")
    margins = builder.tensor([axes, 2], crops[: 2 * axes], "int32")
    parts, pieces, whole = (builder.tensor(shape) for shape in made)
    for index in (parts, pieces, whole):
        builder.tensors[index].shapeSignature = [-1, *builder.tensors[index].shape[1:]]
    builder.operator("SPACE_TO_BATCH_ND", [read, size, margins], parts)
    builder.operator(code, [parts, *weights], pieces, **options)
    builder.operator("BATCH_TO_SPACE_ND", [pieces, size, margins], whole)
    return whole


@pytest.mark.parametrize(
    ("code", "options", "kernel", "kind", "macs"),
    [
        ("CONV_2D", "Conv2DOptions", (4, 3, 3, 2), "Conv2D", 12 * 12 * 72),
        ("CONV_2D", "Conv2DOptions", (4, 3, 3, 1), "Conv2D", 12 * 12 * 36),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", (1, 3, 3, 4), "DepthwiseConv2D", 12 * 12 * 36),
    ],
)
def test_dilated_convolution_by_space_to_batch(code, options, kernel, kind, macs, tmp_path):
    b = Builder([1, 16, 16, 2], signatures=[[-1, 16, 16, 2]])
    made = ([1, 8, 8, 2], [1, 6, 6, 4], [1, 12, 12, 4])
    sizes = {"strideW": 1, "strideH": 1, "options": options}
    bias = b.tensor([4], [0.5] * 4)

    layer = only(b, tmp_path, dilated(b, code, 0, (2, 2), made, [b.weight(*kernel), bias], **sizes))

    assert (layer["type"], layer["dilation"], layer["macs"]) == (kind, [2, 2], macs)
    assert (layer["output_shapes"], layer["groups"]) == ([[12, 12, 4]], 2 // kernel[3] if code == "CONV_2D" else 2)


def test_bias_after_batch_to_space_joins_the_convolution(tmp_path):
    b = Builder([1, 16, 16, 2], signatures=[[-1, 16, 16, 2]])
    made = ([1, 8, 8, 2], [1, 6, 6, 4], [1, 12, 12, 4])
    weights = [b.weight(4, 3, 3, 2), b.tensor([4], [0.0] * 4)]
    x = dilated(b, "CONV_2D", 0, (2, 2), made, weights, options="Conv2DOptions", strideW=1, strideH=1)

    layer = only(b, tmp_path, b.operator("ADD", [x, b.weight(4)], [1, 12, 12, 4]))

    assert (layer["type"], layer["parameters"]) == ("Conv2D", 76)


def test_dilated_convolution_along_one_axis(tmp_path):
    b = Builder([1, 64, 8], signatures=[[-1, 64, 8]])
    block, margins = b.tensor([1], [4], "int32"), b.tensor([1, 2], [0, 0], "int32")
    shapes = ([1, 16, 8], [1, 1, 16, 8], [1, 1, 14, 5], [1, 14, 5], [1, 56, 5])
    parts, added, pieces, taken, whole = (b.tensor(shape) for shape in shapes)
    for index in (parts, added, pieces, taken, whole):
        b.tensors[index].shapeSignature = [-1, *b.tensors[index].shape[1:]]
    b.operator("SPACE_TO_BATCH_ND", [0, block, margins], parts)
    b.operator("EXPAND_DIMS", [parts, b.tensor([], [-3], "int32")], added)
    convolution = {"options": "Conv2DOptions", "strideW": 1, "strideH": 1}
    b.operator("CONV_2D", [added, b.weight(5, 1, 3, 8), b.weight(5)], pieces, **convolution)
    b.operator("RESHAPE", [pieces, b.tensor([3], [-1, 14, 5], "int32")], taken)
    b.operator("BATCH_TO_SPACE_ND", [taken, block, margins], whole)

    layer = only(b, tmp_path, whole)

    assert (layer["type"], layer["kernel"], layer["dilation"]) == ("Conv1D", [3], [4])
    assert (layer["macs"], layer["output_shapes"]) == (56 * 120, [[56, 5]])


def test_space_to_batch_without_batch_to_space_counts_fully(tmp_path):
    b = Builder([1, 16, 16, 2], signatures=[[-1, 16, 16, 2]])
    made = ([1, 8, 8, 2], [1, 6, 6, 4], [1, 12, 12, 4])
    sizes = {"strideW": 1, "strideH": 1, "options": "Conv2DOptions"}
    dilated(b, "CONV_2D", 0, (2, 2), made, [b.weight(4, 3, 3, 2)], **sizes)
    pieces = b.operators[1].outputs[0]

    layers = read(b, tmp_path, pieces)

    assert [layer["macs"] for layer in layers if layer["type"] == "Conv2D"] == [4 * 36 * 72]


def test_space_to_batch_of_unknown_size_is_refused(tmp_path):
    b = Builder([1, 16, 16, 2], [1, 2])
    block = b.operator("RESHAPE", [1, b.tensor([1], [2], "int32")], [2])
    x = b.operator("SPACE_TO_BATCH_ND", [0, block, b.tensor([2, 2], [0] * 4, "int32")], [1, 8, 8, 2])

    with pytest.raises(SourceError, match=r"\(SPACE_TO_BATCH_ND\).*block"):
        read(b, tmp_path, x)


def test_inputs_of_strings_are_refused(tmp_path):
    b = Builder([1, 4])
    b.tensors[0].type = b.schema.TensorType.STRING

    with pytest.raises(SourceError, match="input 'input_0' takes string values"):
        read(b, tmp_path, b.operator("RESHAPE", [0, b.tensor([2], [1, 4], "int32")], [1, 4]))
