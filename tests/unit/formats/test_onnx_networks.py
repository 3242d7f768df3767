"""Networks as PyTorch, Keras and others write them to ONNX, read as Keras would describe them."""

from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from perfcast.errors import SourceError, UsageError
from perfcast.features.extract import extract_features
from perfcast.formats.onnx_graph import read_onnx
from tests.unit.descriptors import chain, described
from tests.unit.formats import onnx_files
from tests.unit.formats.reading import features, layers, whole

pytestmark = pytest.mark.heavy

BUILDERS = (
    onnx_files.residual_block,
    onnx_files.separable_block,
    onnx_files.transformer_block,
    onnx_files.recurrent_network,
    onnx_files.two_inputs,
)


def read(model, folder, shapes=None):
    return read_onnx(onnx_files.saved(model, folder), shapes or {})


def keras_residual():
    def block(tensor, activation=True):
        tensor = keras.layers.Conv2D(8, 3, padding="same", use_bias=False)(tensor)
        tensor = keras.layers.BatchNormalization()(tensor)
        return keras.layers.ReLU()(tensor) if activation else tensor

    inputs = keras.Input((16, 16, 3), name="x")
    before = block(inputs)
    tensor = keras.layers.ReLU()(keras.layers.Add()([block(block(before), activation=False), before]))
    tensor = keras.layers.GlobalAveragePooling2D(keepdims=True)(keras.layers.MaxPooling2D(2)(tensor))
    return keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(tensor)))


def keras_separable():
    inputs = keras.Input((12, 16, 3), name="x")
    tensor = keras.layers.Conv2D(6, 3, padding="same", use_bias=False)(inputs)
    tensor = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(tensor))
    tensor = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(tensor)
    tensor = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(tensor))
    tensor = keras.layers.Conv2D(12, 1)(tensor)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(tensor)
    gate = keras.layers.ReLU()(keras.layers.Conv2D(4, 1)(gate))
    gate = keras.layers.Activation("sigmoid")(keras.layers.Conv2D(12, 1)(gate))
    tensor = keras.layers.GlobalAveragePooling2D()(keras.layers.Multiply()([tensor, gate]))
    return keras.Model(inputs, keras.layers.Softmax()(keras.layers.Dense(5)(tensor)))


@pytest.mark.parametrize(
    ("build", "make", "shape"),
    [
        (onnx_files.residual_block, keras_residual, (16, 16, 3)),
        (onnx_files.separable_block, keras_separable, (12, 16, 3)),
    ],
    ids=["residual", "separable"],
)
def test_channels_first_has_the_features_of_channels_last(build, make, shape, tmp_path):
    assert features(read(build(), tmp_path)) == extract_features(described(make, shape))


def test_reads_a_transformer_of_single_operations(tmp_path):
    found = [layer["type"] for layer in layers(read(onnx_files.transformer_block(), tmp_path))]

    assert found.count("LayerNormalization") == 2
    assert found.count("Dense") == 6
    assert found.count("Matmul") == 2
    assert not {"Erf", "Sqrt", "ReduceMean", "Shape", "Gather", "Concat", "Unsqueeze"} & set(found)


def test_counts_attention_as_keras_does(tmp_path):
    def make():
        inputs = keras.Input((9, 16), name="x")
        before = keras.layers.LayerNormalization()(inputs)
        tensor = keras.layers.Add()([inputs, keras.layers.MultiHeadAttention(4, 4)(before, before)])
        hidden = keras.layers.Dense(64, activation="gelu")(keras.layers.LayerNormalization()(tensor))
        return keras.Model(inputs, keras.layers.Add()([tensor, keras.layers.Dense(16)(hidden)]))

    numbers, expected = (
        features(read(onnx_files.transformer_block(), tmp_path)),
        extract_features(described(make, (9, 16))),
    )

    assert (numbers["macs"], numbers["parameters"]) == (expected["macs"], expected["parameters"])


def test_counts_recurrence_as_keras_does(tmp_path):
    numbers = features(read(onnx_files.recurrent_network(), tmp_path))
    expected = extract_features(
        described(
            lambda: chain(
                (7, 5), keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True)), keras.layers.Dense(3)
            ),
            (7, 5),
        )
    )

    assert numbers["macs"] == expected["macs"]
    # PyTorch has two biases where Keras has one, in both directions.
    assert numbers["parameters"] - expected["parameters"] == 2 * 4 * 6


def test_keeps_the_order_of_inputs_and_outputs(tmp_path):
    descriptor = whole(read(onnx_files.two_inputs(), tmp_path))

    assert [(port["name"], port["shape"]) for port in descriptor["inputs"]] == [("image", [8, 8, 3]), ("vector", [4])]
    assert [port["shape"] for port in descriptor["outputs"]] == [[2], [6]]
    assert descriptor["input_shape"] == [8, 8, 3]


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_has_the_shapes_that_onnx_runtime_computes(build, tmp_path):
    model = build()
    actual = run(model, tmp_path)

    tensors = read(model, tmp_path).tensors()

    compared = [name for name in tensors if name in actual]
    assert len(compared) > len(tensors) / 2
    for name in compared:
        assert sorted(tensors[name].shape) == sorted(actual[name][1:] if actual[name][0] == 1 else actual[name]), name


def run(model, folder):
    """Return the shape of each tensor after ONNX Runtime ran a model on a batch of one."""
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output]
    del observed.graph.output[:]
    observed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    path = folder / "observed.onnx"
    onnx.save(observed, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {
        port.name: np.zeros([size if isinstance(size, int) else 1 for size in port.shape], np.float32)
        for port in session.get_inputs()
    }
    return {name: value.shape for name, value in zip(names, session.run(names, given), strict=True)}


@pytest.mark.parametrize("size", [16, 40])
def test_takes_open_sizes_from_the_user(size, tmp_path):
    b = onnx_files.Builder(x=[onnx_files.BATCH, 3, "height", "width"])
    x = b.convolution("x", 4, 3, 3, pads=[1] * 4)
    half = b.node("Resize", x, "", b.constant([1.0, 1.0, 0.5, 0.5]))
    model = b.model(b.node("Concat", b.reshaped(half, 4, -1), b.reshaped(half, 4, -1), axis=2))

    network = read(model, tmp_path, {"x": (1, 3, size, 2 * size)})

    assert whole(network)["input_shape"] == [size, 2 * size, 3]
    assert whole(network)["outputs"][0]["shape"] == [4, size * size]
    assert sum(layer["macs"] for layer in layers(network)) == 2 * size * size * 27 * 4


def test_asks_for_open_sizes(tmp_path):
    b = onnx_files.Builder(picture=[onnx_files.BATCH, 3, None, None])

    with pytest.raises(UsageError, match=r"'picture'.*--input-shape picture="):
        read(b.model(b.convolution("picture", 4, 3, 3)), tmp_path)


def test_refuses_shapes_of_unknown_inputs(tmp_path):
    with pytest.raises(UsageError, match="'x'"):
        read(onnx_files.residual_block(), tmp_path, {"x": (1, 3, 99, 99)})


def test_drops_transpositions_that_only_move_the_channels(tmp_path):
    b = onnx_files.Builder(x=[1, 8, 10, 3])
    x = b.convolution(b.node("Transpose", "x", perm=[0, 3, 1, 2]), 5, 3, 3)
    x = b.node("Relu", b.node("Transpose", x, perm=[0, 2, 3, 1]))
    x = b.convolution(b.node("Transpose", x, perm=[0, 3, 1, 2]), 7, 5, 3)

    found = layers(read(b.model(b.node("Transpose", x, perm=[0, 2, 3, 1])), tmp_path))

    assert [layer["type"] for layer in found] == ["Conv2D", "Activation", "Conv2D"]
    assert [layer["output_shapes"] for layer in found] == [[[6, 8, 5]], [[6, 8, 5]], [[4, 6, 7]]]


def test_keeps_transpositions_that_move_more(tmp_path):
    b = onnx_files.Builder(x=[1, 3, 8, 10])
    x = b.node("Transpose", b.convolution("x", 5, 3, 3), perm=[0, 1, 3, 2])

    found = layers(read(b.model(b.convolution(x, 7, 5, 1)), tmp_path))

    assert [layer["type"] for layer in found] == ["Conv2D", "Permute", "Conv2D"]
    assert found[1]["output_shapes"] == [[8, 6, 5]]


def test_drops_unread_nodes(tmp_path):
    b = onnx_files.Builder(x=[1, 3, 8, 8])
    x = b.convolution("x", 5, 3, 3)
    b.convolution(x, 100, 5, 3)

    assert len(layers(read(b.model(b.node("Relu", x)), tmp_path))) == 2


def test_counts_weights_that_two_layers_share_once(tmp_path):
    b = onnx_files.Builder(x=[1, 4, 6])
    shared = b.weight(6, 6)
    x = b.node("MatMul", b.node("Relu", b.node("MatMul", "x", shared)), b.node("Transpose", shared, perm=[1, 0]))

    found = layers(read(b.model(x), tmp_path))

    assert [layer["parameters"] for layer in found if layer["type"] == "Dense"] == [36, 0]
    assert [layer["macs"] for layer in found if layer["type"] == "Dense"] == [4 * 36, 4 * 36]


def test_takes_the_branch_that_shapes_select(tmp_path):
    def branch(name, op):
        node = onnx.helper.make_node(op, ["pooled"], [name])
        port = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        return onnx.helper.make_graph([node], name, [], [port])

    b = onnx_files.Builder(x=[onnx_files.BATCH, 3, 8, 8])
    b.nodes.append(onnx.helper.make_node("GlobalAveragePool", ["x"], ["pooled"]))
    size = b.node("Gather", b.node("Shape", "pooled"), b.constant(3, np.int64))
    one = b.node("Equal", size, b.constant(1, np.int64))
    chosen = b.node("If", one, then_branch=branch("then", "Sigmoid"), else_branch=branch("else", "Relu"))

    found = layers(read(b.model(b.node("Flatten", chosen)), tmp_path))

    assert [layer["activation"] for layer in found if layer["type"] == "Activation"] == ["sigmoid"]


def test_inlines_functions_of_the_model(tmp_path):
    b = onnx_files.Builder(x=[1, 6])
    model = b.model(b.node("Block", "x", b.weight(6, 6), domain="own"))
    body = [onnx.helper.make_node("MatMul", ["a", "w"], ["y"]), onnx.helper.make_node("Relu", ["y"], ["z"])]
    imports = [onnx.helper.make_opsetid("", 17)]
    model.functions.append(onnx.helper.make_function("own", "Block", ["a", "w"], ["z"], body, imports))
    model.opset_import.append(onnx.helper.make_opsetid("own", 1))

    assert [layer["type"] for layer in layers(read(model, tmp_path))] == ["Dense", "Activation"]


def test_needs_no_external_data(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(onnx_files.residual_block(), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    Path(tmp_path / "weights.bin").unlink()

    network = read_onnx(path, {})

    assert features(network) == features(read(onnx_files.residual_block(), tmp_path))


def test_never_opens_paths_of_external_data(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8))
    b = onnx_files.Builder(x=[1, 4, 2])
    shape = b.node("Concat", b.constant([1], np.int64), "stolen", axis=0)
    model = b.model(b.node("Reshape", "x", shape))
    stolen = numpy_helper.from_array(np.array([8], np.int64), "stolen")
    stolen.ClearField("raw_data")
    stolen.data_location = onnx.TensorProto.EXTERNAL
    stolen.external_data.add(key="location", value=f"../{tmp_path.name}/secret")
    model.graph.initializer.append(stolen)
    folder = tmp_path / "inner"
    folder.mkdir()

    with pytest.raises(SourceError, match="the file does not give the shape"):
        read(model, folder)


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 24])
def test_reads_many_opsets(opset, tmp_path):
    b = onnx_files.Builder(x=[1, 3, 8, 8])
    x = b.node("Relu", b.convolution("x", 4, 3, 3))
    axes = {"axes": [2, 3]} if opset < 18 else {}
    x = b.node("ReduceMean", x, *([] if axes else [b.constant([2, 3], np.int64)]), keepdims=0, **axes)

    numbers = features(read(b.model(b.node("Gemm", x, b.weight(4, 2), b.weight(2)), opset=opset), tmp_path))

    assert numbers["macs"] == 36 * 27 * 4 + 8
    assert numbers["flops"] == 2 * numbers["macs"] + 36 * 4 + 36 * 4 + 36 * 4 + 2


@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
def test_reads_what_keras_exports(tmp_path):
    def make():
        # The converter drops biases of zeros.
        convolution = keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="ones")
        dense = keras.layers.Dense(5, bias_initializer="ones")
        return chain((16, 16, 3), convolution, keras.layers.Flatten(), dense)

    keras.utils.clear_session()
    model = make()
    model(np.zeros((1, 16, 16, 3), np.float32))
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", verbose=False)

    assert features(read_onnx(path, {})) == extract_features(described(make, (16, 16, 3)))
