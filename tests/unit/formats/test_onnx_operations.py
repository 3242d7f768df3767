"""Single operations of ONNX as layers."""

import numpy as np
import onnx
import pytest
from onnx import helper

from perfcast.features.layers import flops
from perfcast.formats.onnx_graph import read_onnx
from perfcast.formats.onnx_graph.inference import fold
from tests.unit.formats.onnx_files import Builder, saved
from tests.unit.formats.reading import layers, whole


def read(builder, folder, *outputs, **options):
    return layers(read_onnx(saved(builder.model(*outputs, **options), folder), {}))


def only(builder, folder, output, **options):
    (layer,) = read(builder, folder, output, **options)
    return layer


@pytest.mark.parametrize(
    ("channels", "filters", "kernel", "options", "type", "groups", "output", "macs"),
    [
        ((6, 9), 4, (3,), {}, "Conv1D", 1, [7, 4], 7 * 3 * 6 * 4),
        ((6, 9), 6, (3,), {"group": 6}, "DepthwiseConv1D", 6, [7, 6], 7 * 3 * 6),
        ((6, 9, 8), 4, (3, 2), {"strides": [2, 1]}, "Conv2D", 1, [4, 7, 4], 28 * 6 * 6 * 4),
        ((6, 9, 8), 12, (3, 3), {"group": 6}, "DepthwiseConv2D", 6, [7, 6, 12], 42 * 9 * 12),
        ((6, 9, 8), 8, (3, 3), {"group": 2}, "Conv2D", 2, [7, 6, 8], 42 * 9 * 3 * 8),
        ((6, 9, 8), 4, (3, 3), {"dilations": [2, 2], "pads": [2] * 4}, "Conv2D", 1, [9, 8, 4], 72 * 9 * 6 * 4),
        ((6, 9, 8), 4, (3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, "Conv2D", 1, [5, 4, 4], 20 * 9 * 6 * 4),
        ((1, 9, 8), 1, (3, 3), {"group": 1}, "Conv2D", 1, [7, 6, 1], 42 * 9),
        ((2, 5, 5, 5), 4, (3, 3, 3), {}, "Conv3D", 1, [3, 3, 3, 4], 27 * 27 * 2 * 4),
        ((4, 5, 5, 5), 4, (3, 3, 3), {"group": 4}, "Conv3D", 4, [3, 3, 3, 4], 27 * 27 * 4),
    ],
)
def test_convolutions(channels, filters, kernel, options, type, groups, output, macs, tmp_path):
    b = Builder(x=[1, *channels])
    weight = b.weight(filters, channels[0] // options.get("group", 1), *kernel)

    layer = only(b, tmp_path, b.node("Conv", "x", weight, b.weight(filters), **options))

    assert (layer["type"], layer["groups"], layer["filters"]) == (type, groups, filters)
    assert (layer["kernel"], layer["output_shapes"], layer["macs"]) == (list(kernel), [output], macs)
    assert layer["strides"] == options.get("strides", [1] * len(kernel))
    assert layer["dilation"] == options.get("dilations", [1] * len(kernel))
    assert layer["activation"] == "linear"
    assert layer["parameters"] == filters * (channels[0] // options.get("group", 1)) * np.prod(kernel) + filters


def test_transposed_convolution(tmp_path):
    b = Builder(x=[1, 6, 5, 5])

    layer = only(b, tmp_path, b.node("ConvTranspose", "x", b.weight(6, 4, 3, 3), strides=[2, 2], group=2))

    assert (layer["type"], layer["filters"], layer["groups"]) == ("Conv2DTranspose", 8, 2)
    assert (layer["output_shapes"], layer["macs"]) == ([[11, 11, 8]], 25 * 6 * 4 * 9)


@pytest.mark.parametrize(
    ("op", "options", "type", "output", "operations"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, "MaxPooling2D", [4, 5, 3], 60 * 4),
        ("MaxPool", {"kernel_shape": [3, 3], "ceil_mode": 1, "strides": [2, 2]}, "MaxPooling2D", [4, 5, 3], 60 * 9),
        ("AveragePool", {"kernel_shape": [8, 10]}, "AveragePooling2D", [1, 1, 3], 240),
        ("GlobalAveragePool", {}, "GlobalAveragePooling2D", [1, 1, 3], 240),
        ("GlobalMaxPool", {}, "GlobalMaxPooling2D", [1, 1, 3], 240),
        ("ReduceMean", {"axes": [2, 3], "keepdims": 0}, "GlobalAveragePooling2D", [3], 240),
        ("ReduceMean", {"axes": [-1, -2]}, "GlobalAveragePooling2D", [1, 1, 3], 240),
        ("ReduceMax", {"axes": [2, 3], "keepdims": 0}, "GlobalMaxPooling2D", [3], 240),
    ],
)
def test_poolings(op, options, type, output, operations, tmp_path):
    b = Builder(x=[1, 3, 8, 10])

    layer = only(b, tmp_path, b.node(op, "x", **options), opset=13)

    assert (layer["type"], layer["output_shapes"], flops(layer)) == (type, [output], operations)
    assert layer["kernel"] == options.get("kernel_shape")


@pytest.mark.parametrize(
    ("op", "options", "name"),
    [
        ("Relu", {}, "relu"),
        ("LeakyRelu", {"alpha": 0.1}, "leaky_relu"),
        ("Elu", {}, "elu"),
        ("Selu", {}, "selu"),
        ("Sigmoid", {}, "sigmoid"),
        ("Tanh", {}, "tanh"),
        ("HardSigmoid", {"alpha": 1 / 6}, "hard_sigmoid"),
        ("HardSwish", {}, "hard_silu"),
        ("Gelu", {}, "gelu"),
        ("Mish", {}, "mish"),
        ("Softplus", {}, "softplus"),
        ("Softsign", {}, "softsign"),
        ("Softmax", {}, "softmax"),
        ("LogSoftmax", {}, "log_softmax"),
    ],
)
def test_activations(op, options, name, tmp_path):
    b = Builder(x=[1, 4, 6])

    layer = only(b, tmp_path, b.node(op, "x", **options), opset=20)

    assert (layer["type"], layer["activation"]) == ("Activation", name)


def test_learned_slopes(tmp_path):
    b = Builder(x=[1, 4, 6, 6])

    _, layer = read(b, tmp_path, b.node("PRelu", b.convolution("x", 4, 4, 1), b.weight(4, 1, 1)))

    assert (layer["type"], layer["parameters"], layer["output_shapes"]) == ("PReLU", 4, [[6, 6, 4]])


def test_silu_of_two_operations_and_hard_swish_of_three(tmp_path):
    b = Builder(x=[1, 4, 6])
    silu = b.node("Mul", "x", b.node("Sigmoid", "x"))
    hard = b.node("Mul", silu, b.node("HardSigmoid", silu, alpha=1 / 6, beta=0.5))

    assert [layer["activation"] for layer in read(b, tmp_path, hard)] == ["silu", "hard_silu"]


@pytest.mark.parametrize(
    ("op", "type", "learned", "options"),
    [
        ("LayerNormalization", "LayerNormalization", 2, {"axis": -1}),
        ("InstanceNormalization", "GroupNormalization", 2, {}),
        ("GroupNormalization", "GroupNormalization", 2, {"num_groups": 2}),
        ("BatchNormalization", "BatchNormalization", 4, {}),
        ("RMSNormalization", "RMSNormalization", 1, {}),
    ],
)
def test_normalisations(op, type, learned, options, tmp_path):
    b = Builder(x=[1, 6, 6])

    layer = only(b, tmp_path, b.node(op, "x", *(b.weight(6) for _ in range(learned)), **options), opset=23)

    assert (layer["type"], layer["parameters"]) == (type, 6 * learned)
    assert layer["trainable_parameters"] == 6 * min(learned, 2)
    assert layer["output_shapes"] == [[6, 6]]


def test_dense_layers_of_matrices(tmp_path):
    b = Builder(x=[1, 4, 6])
    x = b.node("Add", b.node("MatMul", "x", b.weight(6, 8)), b.weight(8))
    x = b.node("MatMul", x, b.node("Transpose", b.weight(5, 8)))

    first, second = read(b, tmp_path, x)

    assert (first["type"], first["units"], first["macs"], first["parameters"]) == ("Dense", 8, 4 * 48, 56)
    assert (second["type"], second["units"], second["macs"], second["parameters"]) == ("Dense", 5, 4 * 40, 40)


@pytest.mark.parametrize(("transposed", "shape"), [(0, (6, 8)), (1, (8, 6))])
def test_dense_layers_of_gemm(transposed, shape, tmp_path):
    b = Builder(x=[1, 6])

    layer = only(b, tmp_path, b.node("Gemm", "x", b.weight(*shape), b.weight(8), transB=transposed))

    assert (layer["units"], layer["macs"], layer["parameters"]) == (8, 48, 56)


def test_products_of_tensors_and_of_stacks_of_matrices(tmp_path):
    b = Builder(x=[1, 2, 4, 6], y=[1, 2, 6, 5])
    x = b.node("MatMul", b.node("MatMul", "x", "y"), b.weight(2, 5, 3))
    x = b.node("Einsum", x, b.weight(2, 3, 7), equation="bhqd,hdk->bhqk")

    product, stacked, summed = read(b, tmp_path, x)

    assert (product["type"], product["units"], product["macs"]) == ("Matmul", None, 2 * 4 * 6 * 5)
    assert (stacked["type"], stacked["parameters"], stacked["macs"]) == ("EinsumDense", 30, 2 * 4 * 5 * 3)
    assert (summed["type"], summed["parameters"], summed["macs"]) == ("EinsumDense", 42, 2 * 4 * 3 * 7)


@pytest.mark.parametrize(("op", "type", "gates"), [("LSTM", "LSTM", 4), ("GRU", "GRU", 3), ("RNN", "SimpleRNN", 1)])
def test_recurrent_layers(op, type, gates, tmp_path):
    b = Builder(x=[9, 1, 5])
    weights = (b.weight(1, gates * 6, 5), b.weight(1, gates * 6, 6), b.weight(1, 2 * gates * 6))
    outputs = b.node(op, "x", *weights, hidden_size=6, outputs=2)
    # Its first axis is no batch of one.
    b.ports[0].type.tensor_type.shape.dim[0].dim_value = 1
    b.ports[0].type.tensor_type.shape.dim[1].dim_value = 9
    b.nodes.insert(0, onnx.helper.make_node("Transpose", ["x"], ["turned"], perm=[1, 0, 2]))
    b.nodes[1].input[0] = "turned"

    layer = read(b, tmp_path, outputs[1])[-1]

    assert (layer["type"], layer["macs"]) == (type, 9 * gates * 6 * (5 + 6))
    assert layer["parameters"] == gates * 6 * (5 + 6) + 2 * gates * 6
    assert layer["output_shapes"] == [[1, 6]]


def test_attention_of_opset_23(tmp_path):
    b = Builder(query=[1, 4, 9, 8], key=[1, 4, 7, 8], value=[1, 4, 7, 8])

    layer = only(b, tmp_path, b.node("Attention", "query", "key", "value"), opset=23)

    assert (layer["type"], layer["macs"]) == ("MultiHeadAttention", 4 * 9 * 7 * (8 + 8))


def test_embedding(tmp_path):
    b = Builder(x=[1, 9])
    b.ports[0].type.tensor_type.elem_type = onnx.TensorProto.INT64

    layer = only(b, tmp_path, b.node("Gather", b.weight(100, 6), "x"))

    assert (layer["type"], layer["parameters"], layer["output_shapes"]) == ("Embedding", 600, [[9, 6]])


def test_shape_operations(tmp_path):
    b = Builder(x=[1, 3, 8, 8])
    x = b.convolution("x", 4, 3, 1)
    x = b.node("Pad", x, b.constant([0, 0, 1, 1, 0, 0, 2, 2], np.int64))
    x = b.node("Resize", x, "", b.constant([1, 1, 2, 2]))
    left, right = b.node("Split", x, axis=1, outputs=2)
    x = b.node("Concat", left, b.node("Dropout", right), axis=1)

    found = read(b, tmp_path, b.node("Flatten", x), opset=13)[1:]

    assert [(layer["type"], layer["output_shapes"]) for layer in found] == [
        ("ZeroPadding2D", [[11, 11, 4]]),
        ("UpSampling2D", [[22, 22, 4]]),
        ("Split", [[22, 22, 2], [22, 22, 2]]),
        ("Concatenate", [[22, 22, 4]]),
        ("Flatten", [[22 * 22 * 4]]),
    ]
    assert not any(layer["parameters"] for layer in found)


def test_quantised_convolution_and_dense_layer(tmp_path):
    b = Builder(x=[1, 3, 8, 8])
    scale, zero = b.constant(0.1), b.constant(3, np.uint8)
    x = b.node("QuantizeLinear", "x", scale, zero)
    kernel = b.constant(np.ones((4, 3, 3, 3)), np.uint8)
    bias = b.constant(np.ones(4), np.int32)
    x = b.node("QLinearConv", x, scale, zero, kernel, scale, zero, scale, zero, bias, kernel_shape=[3, 3])
    x = b.node("DequantizeLinear", x, scale, zero)
    x = b.node("Flatten", x)
    integers, *dynamic = b.node("DynamicQuantizeLinear", x, outputs=3)
    x = b.node("MatMulInteger", integers, b.constant(np.ones((144, 5)), np.uint8), dynamic[1], zero)

    found = {layer["type"]: layer for layer in read(b, tmp_path, x, opset=13)}

    assert (found["Conv2D"]["parameters"], found["Conv2D"]["macs"]) == (27 * 4 + 4, 36 * 27 * 4)
    assert (found["Dense"]["parameters"], found["Dense"]["macs"]) == (720, 720)


def test_integer_weights_and_dynamic_quantisation(tmp_path):
    b = Builder(x=[1, 3, 8, 8])
    scale, zero = b.constant(0.1), b.constant(3, np.int8)
    scales, zeros = b.weight(4), b.constant([0] * 4, np.int8)
    kernel = b.node("DequantizeLinear", b.constant(np.ones((4, 3, 3, 3)), np.int8), scales, zeros, axis=0)
    x = b.node("DequantizeLinear", b.node("QuantizeLinear", "x", scale, zero), scale, zero)

    layer = only(b, tmp_path, b.node("Conv", x, kernel, kernel_shape=[3, 3]), opset=13)

    assert (layer["type"], layer["parameters"], layer["macs"]) == ("Conv2D", 108, 36 * 108)


def test_fused_operations_of_onnx_runtime(tmp_path):
    b = Builder(x=[1, 3, 8, 8])
    vendor = {"domain": "com.microsoft"}
    x = b.node("FusedConv", "x", b.weight(4, 3, 3, 3), b.weight(4), activation="Relu", kernel_shape=[3, 3], **vendor)
    x = b.node("Reshape", x, b.constant([1, 36, 4], np.int64))
    x = b.node("FusedMatMul", x, x, transB=1, **vendor)
    x = b.node("SkipLayerNormalization", x, x, b.weight(36), b.weight(36), **vendor)
    x = b.node("FusedGemm", b.node("Flatten", x), b.weight(36 * 36, 5), b.weight(5), activation="Tanh", **vendor)

    convolution, _, product, normalisation, _, dense = read(b, tmp_path, x)

    assert (convolution["type"], convolution["activation"], convolution["macs"]) == ("Conv2D", "relu", 36 * 108)
    assert (product["type"], product["macs"], product["output_shapes"]) == ("Matmul", 36 * 36 * 4, [[36, 36]])
    assert (normalisation["type"], normalisation["parameters"]) == ("LayerNormalization", 72)
    assert (dense["units"], dense["activation"], dense["parameters"]) == (5, "tanh", 36 * 36 * 5 + 5)


def test_unknown_operations_keep_their_name(tmp_path):
    b = Builder(x=[1, 4, 6])
    known = b.node("CumSum", "x", b.constant(1, np.int64))
    other = b.node("Special", known, domain="com.microsoft", name="special")
    model = b.model(b.node("Relu", other), opset=14)
    model.graph.value_info.append(onnx.helper.make_tensor_value_info(other, onnx.TensorProto.FLOAT, [1, 4, 6]))

    found = layers(read_onnx(saved(model, tmp_path), {}))

    assert [(layer["type"], layer["macs"]) for layer in found] == [("CumSum", 0), ("Special", 0), ("Activation", 0)]


@pytest.mark.parametrize("op", ["QuantizeLinear", "DynamicQuantizeLinear"])
def test_quantised_inputs_have_channels_last(op, tmp_path):
    b = Builder(x=[1, 3, 8, 8])
    scale, zero = b.constant(0.1), b.constant(0, np.uint8)
    kernel = b.constant(np.ones((4, 3, 3, 3)), np.uint8)
    x = b.node(op, "x", scale, zero) if op == "QuantizeLinear" else b.node(op, "x", outputs=3)[0]
    x = b.node("ConvInteger", x, kernel, zero, kernel_shape=[3, 3])

    network = read_onnx(saved(b.model(x, opset=13), tmp_path), {})

    assert whole(network)["input_shape"] == [8, 8, 3]
    assert [layer["output_shapes"][0] for layer in layers(network)] == [[8, 8, 3], [6, 6, 4]]


@pytest.mark.parametrize(
    ("op", "opset", "inputs", "attributes", "expected"),
    [
        ("Div", 17, ([-7, 7], [2, 2]), {}, [-3, 3]),
        ("Div", 17, ([7], [0]), {}, None),
        ("Mod", 17, ([7], [0]), {}, None),
        ("Squeeze", 11, ([[5]],), {"axes": [0]}, [5]),
        ("Squeeze", 13, ([[5]], [0]), {}, [5]),
        ("Slice", 17, ([1, 2, 3, 4], [-1], [-(2**63)], [0], [-2]), {}, [4, 2]),
        ("ReduceProd", 17, ([2, 3, 4],), {"keepdims": 0}, 24),
        ("Gather", 17, ([4, 5], [9]), {}, None),
        ("Cast", 17, ([4],), {"to": 8}, None),
        ("MatMul", 17, ([[1]], [[1]]), {}, None),
    ],
)
def test_small_constants_are_computed_or_unknown(op, opset, inputs, attributes, expected):
    node = helper.make_node(op, [f"x{i}" for i in range(len(inputs))], ["y"], **attributes)
    folded = fold(node, [np.array(values, np.int64) for values in inputs], opset)
    assert (folded if folded is None else folded.tolist()) == expected
