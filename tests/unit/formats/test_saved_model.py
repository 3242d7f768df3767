"""SavedModels and frozen graphs: the same network as Keras has, the same outputs, the same bytes."""

import subprocess
import sys

import numpy as np
import pytest

from perfcast.errors import UsageError
from perfcast.export.graph import trace_weightless
from perfcast.features.extract import extract_features
from perfcast.formats.keras_json.live import network_of_live
from perfcast.formats.tensorflow_graph import read_frozen_graph, read_saved_model
from perfcast.storage import digest_of
from tests.unit.formats import tensorflow_files as files
from tests.unit.formats.reading import features, layers

pytestmark = pytest.mark.heavy

EQUAL = (
    *("macs", "conv_macs", "depthwise_macs", "dense_macs", "other_macs", "weighted_sum_neurons"),
    *("parameters", "conv_parameters", "bn_parameters", "fc_parameters"),
    *("conv_layers", "bn_layers", "fc_layers", "filters_min", "filters_max", "units_min", "units_max"),
    *("kernel_size_min", "kernel_size_max", "input_size", "largest_layer_macs"),
)
CLOSE = ("sum_activations", "layers", "flops", "fused_moved_bytes", "fused_activations")


@pytest.fixture(scope="module")
def model():
    return files.small_network()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A folder with the network as `saved` and as `frozen.pb`."""
    folder = tmp_path_factory.mktemp("models")
    model.export(str(folder / "saved"), verbose=False)
    files.freeze(model, folder / "frozen.pb")
    return folder


def read(folder, kind, **options):
    if kind == "saved":
        return read_saved_model(folder / "saved", {}, **options)
    return read_frozen_graph(folder / "frozen.pb", {}, **options)


def expected(model):
    return network_of_live(model, {}).descriptor() | {"model": "net"}


@pytest.mark.parametrize("kind", ["saved", "frozen"])
def test_outputs_equal_the_trained_models(model, folder, kind, tmp_path):
    found = read(folder, kind, keep_values=True)
    inputs = files.images(model, count=3)
    (outputs,) = files.run(found.graph, found.interface, [inputs], tmp_path)
    np.testing.assert_allclose(outputs, model.predict(inputs, verbose=0), atol=1e-5)
    assert found.interface["weights"] == found.interface["weight_bytes"] == 0


def test_graph_with_values_computes_the_live_models_outputs(model, tmp_path):
    graph = trace_weightless(model, keep_values=True)
    inputs = files.images(model, count=3)
    (outputs,) = files.run(graph.serialized, graph.interface, [inputs], tmp_path)
    np.testing.assert_allclose(outputs, model.predict(inputs, verbose=0), atol=1e-5)
    assert graph.interface["weights"] == graph.interface["weight_bytes"] == 0


def test_given_shapes_fix_open_sizes_of_a_live_model(tmp_path):
    model = files.small_network(inputs=(None, None, 3))
    graph = trace_weightless(model, [(16, 20, 3)])
    assert graph.interface["inputs"][0]["shape"] == [16, 20, 3]
    assert graph.interface["outputs"][0]["shape"] == [10]
    (outputs,) = files.run(graph.serialized, graph.interface, [np.zeros((1, 16, 20, 3), np.float32)], tmp_path)
    assert outputs.shape == (1, 10)


@pytest.mark.parametrize("kind", ["saved", "frozen"])
@pytest.mark.parametrize("weights_as", ["constant", "variable"])
def test_weightless_graph_has_no_large_constant_and_runs(model, folder, kind, weights_as, tmp_path):
    from tensorflow.core.framework import graph_pb2

    found = read(folder, kind)
    nodes = graph_pb2.GraphDef.FromString(found.graph).node
    assert max(node.ByteSize() for node in nodes) < 5000
    weights = [node for node in nodes if "_weight_distribution" in node.attr]
    assert len(weights) == found.interface["weights"] == 1
    # Of all layers only `hidden` has a kernel of 1024 numbers or more.
    assert found.interface["weight_bytes"] == 4 * 24 * 100
    (outputs,) = files.run(found.graph, found.interface, [files.images(model)], tmp_path, weights_as=weights_as)
    assert outputs.shape == (2, 10)
    assert np.isfinite(outputs).all()


@pytest.mark.parametrize("kind", ["saved", "frozen"])
def test_layers_equal_those_of_keras(model, folder, kind):
    told, found = extract_features(expected(model)), features(read(folder, kind).network)
    assert {name: found[name] for name in EQUAL} == {name: told[name] for name in EQUAL}
    assert {name: found[name] for name in CLOSE} == pytest.approx({name: told[name] for name in CLOSE}, rel=0.06)


def test_layers_have_the_names_and_types_of_keras(folder):
    kinds = [layer["type"] for layer in layers(read(folder, "saved").network)]
    assert kinds == [
        *("Rescaling", "Conv2D", "DepthwiseConv2D", "BatchNormalization", "Activation", "SeparableConv2D", "Add"),
        *("LayerNormalization", "Conv2DTranspose", "ZeroPadding2D", "MaxPooling2D", "Dense"),
        *("GlobalAveragePooling2D", "Dense", "Dense"),
    ]
    activations = [layer["activation"] for layer in layers(read(folder, "saved").network)]
    assert [name for name in activations if name] == [
        *("relu", "linear", "silu", "gelu", "linear", "tanh", "relu", "softmax")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["MobileNetV3Small", "ConvNeXtTiny", "MobileNetV2"])
def test_architectures_match_keras(builder, tmp_path):
    import keras

    model = getattr(keras.applications, builder)(weights=None, input_shape=(32, 32, 3), classes=10)
    model.export(str(tmp_path), verbose=False)
    found = read_saved_model(tmp_path, {})
    told, numbers = extract_features(expected(model)), features(found.network)
    assert {name: numbers[name] for name in EQUAL} == {name: told[name] for name in EQUAL}
    assert numbers["fused_moved_bytes"] == pytest.approx(told["fused_moved_bytes"], rel=0.03)
    assert found.interface["graph_forces_xla"] == (builder == "ConvNeXtTiny")
    (outputs,) = files.run(found.graph, found.interface, [files.images(model)], tmp_path)
    assert np.isfinite(outputs).all()


READ = """
import sys
from pathlib import Path
from perfcast.formats.tensorflow_graph import read_frozen_graph, read_saved_model
from perfcast.storage import digest_of
for kind in sys.argv[2:]:
    folder = Path(sys.argv[1])
    read = read_saved_model(folder / "saved", {}) if kind == "saved" else read_frozen_graph(folder / "frozen.pb", {})
    print(kind, digest_of(read.graph))
"""


def test_bytes_depend_on_neither_process_nor_reading_order(folder, root):
    here = {kind: digest_of(read(folder, kind).graph) for kind in ("saved", "frozen")}
    command = [sys.executable, "-c", READ, str(folder), "frozen", "saved", "frozen"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert dict(line.split() for line in answer.stdout.splitlines()) == here


def test_a_graph_without_weights_is_read_again(model, folder, tmp_path):
    (tmp_path / "graph.pb").write_bytes(read(folder, "saved").graph)
    again = read_frozen_graph(tmp_path / "graph.pb", {})
    assert again.interface["weights"] == read(folder, "saved").interface["weights"]
    assert features(again.network)["macs"] == features(read(folder, "saved").network)["macs"]


def save(function, folder, signatures=None):
    """Save a TensorFlow module that has `function` and the variables it uses."""
    import tensorflow as tf

    module = tf.Module()
    module.call = function
    tf.saved_model.save(module, str(folder), signatures=signatures or function)
    return folder


def test_open_sizes_must_be_given(tmp_path):
    model = files.small_network(inputs=(None, None, 3))
    model.export(str(tmp_path), verbose=False)
    with pytest.raises(UsageError, match=r"\?,\?,\?,3"):
        read_saved_model(tmp_path, {})
    found = read_saved_model(tmp_path, {"image": (1, 16, 24, 3)})
    assert found.interface["inputs"][0]["shape"] == [16, 24, 3]
    assert found.network.descriptor()["input_shape"] == [16, 24, 3]
    (outputs,) = files.run(found.graph, found.interface, [np.zeros((2, 16, 24, 3), np.float32)], tmp_path)
    assert outputs.shape == (2, 10)


def test_inputs_of_several_types_keep_their_order(tmp_path):
    import tensorflow as tf

    table = tf.Variable(tf.random.normal((200, 16), seed=1))

    @tf.function(input_signature=[tf.TensorSpec((None, 7), tf.int32, "ids"), tf.TensorSpec((None, 16), name="bias")])
    def embed(ids, bias):
        return {"score": tf.reduce_mean(tf.gather(table, ids), axis=1) + bias, "again": bias * 2.0}

    embed.table = table
    module = tf.Module()
    module.call, module.table = embed, table
    tf.saved_model.save(module, str(tmp_path), signatures=embed)
    found = read_saved_model(tmp_path, {}, keep_values=True)
    assert [(port["shape"], port["dtype"]) for port in found.interface["inputs"]] == [([16], "float32"), ([7], "int32")]
    ids, bias = np.arange(14, dtype=np.int32).reshape(2, 7), np.ones((2, 16), np.float32)
    again, score = files.run(found.graph, found.interface, [bias, ids], tmp_path)
    np.testing.assert_allclose(score, embed(ids, bias)["score"], atol=1e-6)
    np.testing.assert_allclose(again, 2 * bias)
    kinds = {layer["type"]: layer["parameters"] for layer in layers(found.network)}
    assert kinds["Embedding"] == 200 * 16


@pytest.mark.parametrize("use_resource", [True, False])
def test_tensorflow_1_saved_models_are_read(use_resource, tmp_path):
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, 3, 12, 12), name="image")
        normal = v1.random_normal_initializer(seed=3)
        partition = v1.fixed_size_partitioner(2)
        with v1.variable_scope("net", initializer=normal, use_resource=use_resource):
            kernel = v1.get_variable("kernel", (3, 3, 3, 64), partitioner=partition)
            scale, shift = v1.get_variable("scale", (64,)), v1.get_variable("shift", (64,))
            table = v1.get_variable("head", (64, 5))
        nhwc = tf.transpose(image, (0, 2, 3, 1))
        tensor = tf.nn.conv2d(nhwc, tf.convert_to_tensor(kernel), 2, "SAME", name="block/conv")
        tensor = tf.nn.relu6(tensor * scale + shift, name="block/Relu6")
        outputs = tf.matmul(tf.reduce_mean(tensor, (1, 2)), table)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "one"), {"image": image}, {"score": outputs})
        batch = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)
        wanted = session.run(outputs, {image: batch})
    found = read_saved_model(tmp_path / "one", {}, keep_values=True)
    (scores,) = files.run(found.graph, found.interface, [batch], tmp_path)
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
    kinds = {layer["type"]: layer["parameters"] for layer in layers(found.network)}
    counts = {"Permute": 0, "Conv2D": 3 * 3 * 3 * 64, "BatchNormalization": 128, "Activation": 0}
    assert kinds == counts | {"GlobalAveragePooling2D": 0, "Dense": 320}


def test_channels_first_is_recognised(tmp_path):
    def build(tf):
        image = tf.compat.v1.placeholder(tf.float32, (None, 3, 12, 16), name="image")
        kernel = np.random.default_rng(0).random((3, 3, 3, 8)).astype(np.float32)
        tensor = tf.nn.conv2d(image, kernel, [1, 1, 2, 2], "SAME", data_format="NCHW")
        tf.reduce_mean(tf.nn.relu(tensor), (2, 3))

    found = read_frozen_graph(files.write_graph(build, tmp_path / "graph.pb"), {})
    convolution, _, pooling = layers(found.network)
    assert found.network.descriptor()["input_shape"] == [12, 16, 3]
    assert (convolution["filters"], convolution["output_shapes"], convolution["strides"]) == (8, [[6, 8, 8]], [2, 2])
    assert (pooling["type"], pooling["output_shapes"]) == ("GlobalAveragePooling2D", [[8]])
    assert found.interface["inputs"][0]["shape"] == [3, 12, 16]
