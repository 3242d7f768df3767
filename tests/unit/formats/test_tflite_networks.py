"""Networks that TensorFlow converts to its Lite format, read as Keras would describe them."""

import keras
import numpy as np
import pytest

from perfcast.errors import SourceError, UsageError
from perfcast.features.extract import extract_features
from perfcast.formats.tflite_graph import read_tflite
from tests.unit.descriptors import described
from tests.unit.formats.reading import features, layers, whole
from tests.unit.formats.tflite_files import Builder

_SIZE = 12
pytestmark = [pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected"), pytest.mark.heavy]


def network(size=_SIZE):
    # Biases all differ: the converter stores equal ones once.
    layers = keras.layers
    inputs = keras.Input((size, size, 3))
    tensor = layers.Conv2D(6, 3, activation="relu", bias_initializer="random_normal")(inputs)
    other = layers.DepthwiseConv2D(3, padding="same", bias_initializer="random_normal")(tensor)
    tensor = layers.ReLU()(layers.Add()([tensor, other]))
    tensor = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(tensor))
    return keras.Model(inputs, layers.Dense(5, bias_initializer="random_normal")(tensor))


def convert(path, model, prepare=lambda converter: None):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    prepare(converter)
    path.write_bytes(converter.convert())
    return path


def smaller(converter):
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def halved(converter):
    import tensorflow as tf

    smaller(converter)
    converter.target_spec.supported_types = [tf.float16]


def quantised(converter):
    import tensorflow as tf

    smaller(converter)
    samples = np.random.default_rng(0).random((4, 1, _SIZE, _SIZE, 3), np.float32)
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite")
    keras.utils.clear_session()
    model = network()
    ways = {"floats": lambda converter: None, "smaller": smaller, "halved": halved, "quantised": quantised}
    found = {name: convert(folder / f"{name}.tflite", model, prepare) for name, prepare in ways.items()}
    return found | {"open": convert(folder / "open.tflite", network(None))}


def test_has_the_features_of_keras(files):
    assert features(read_tflite(files["floats"], {})) == extract_features(described(network, (_SIZE, _SIZE, 3)))


@pytest.mark.parametrize("way", ["smaller", "halved", "quantised"])
def test_counts_quantised_values_as_numbers(way, files):
    numbers, expected = features(read_tflite(files[way], {})), features(read_tflite(files["floats"], {}))

    same = ("macs", "depthwise_macs", "conv_layers", "conv_parameters", "fc_parameters", "parameters", "fused_layers")
    assert {key: numbers[key] for key in same} == {key: expected[key] for key in same}


def test_lists_types_of_inputs_and_outputs(files):
    descriptor = whole(read_tflite(files["quantised"], {}))

    assert [port["dtype"] for port in (*descriptor["inputs"], *descriptor["outputs"])] == ["int8", "int8"]


def test_takes_open_sizes_from_the_user(files):
    descriptor = whole(read_tflite(files["open"], {"": (1, 20, 26, 3)}))

    outputs = [layer["output_shapes"][0] for layer in descriptor["layers"]]
    assert descriptor["input_shape"] == [20, 26, 3]
    assert outputs[1:5] == [[18, 24, 6]] * 4
    assert descriptor["layers"][1]["macs"] == 18 * 24 * 27 * 6


def test_asks_for_open_sizes(files):
    with pytest.raises(UsageError, match=r"open shape.*--input-shape"):
        read_tflite(files["open"], {})


def test_refuses_shapes_at_which_the_network_cannot_run(files):
    with pytest.raises(SourceError, match="LiteRT cannot run it"):
        read_tflite(files["open"], {"": (1, 1, 1, 3)})


def test_refuses_shapes_of_unknown_inputs(files):
    with pytest.raises(UsageError, match="not 1,99,99,3"):
        read_tflite(files["floats"], {"": (1, 99, 99, 3)})


def test_keeps_separate_activation_layers(tmp_path):
    fused = {"options": "Conv2DOptions", "strideW": 1, "strideH": 1, "fusedActivationFunction": 3}
    b = Builder([1, 8, 8, 3])
    own = b.tensor([1, 8, 8, 4], name="net/conv/Relu6;net/conv/BiasAdd;net/conv/Conv2D")
    x = b.operator("CONV_2D", [b.inputs[0], b.weight(4, 1, 1, 3, name="net/conv/Conv2D")], own, **fused)
    other = b.tensor([1, 8, 8, 4], name="net/act/Relu6;net/bn/Add;net/conv_1/Conv2D")
    x = b.operator("CONV_2D", [x, b.weight(4, 1, 1, 4, name="net/conv_1/Conv2D")], other, **fused)

    found = layers(read_tflite(b.save(tmp_path, x), {}))

    assert [(layer["name"], layer["activation"]) for layer in found] == [
        ("net/conv/Conv2D", "relu6"),
        ("net/conv_1/Conv2D", "linear"),
        ("net/act/Relu6", "relu6"),
    ]
