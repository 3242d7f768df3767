"""Keras Applications converted to ONNX and TensorFlow Lite are read as what they were before."""

import keras
import numpy as np
import pytest

from perfcast.features.extract import extract_features
from perfcast.formats.onnx_graph import read_onnx
from perfcast.formats.tflite_graph import read_tflite
from tests.unit.descriptors import described
from tests.unit.formats.reading import features

pytestmark = pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")

# Smallest sizes at which no two tensors of a network become the same by chance, with the inputs' channels.
_SIZES = {
    "DenseNet121": 64,
    "EfficientNetB0": 64,
    "InceptionV3": 96,
    "MobileNet": 64,
    "MobileNetV2": 64,
    "MobileNetV3Small": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "VGG16": 32,
    "Xception": 96,
}
_EQUAL = (
    "macs",
    "conv_macs",
    "depthwise_macs",
    "dense_macs",
    "conv_layers",
    "fc_layers",
    "fc_parameters",
    "filters_mean",
    "weighted_sum_neurons",
    "largest_layer_macs",
)
_READERS = {"onnx": read_onnx, "tflite": read_tflite}
# Converters fold batch normalisations into convolutions, whose outputs then are none of their own; TensorFlow
# Lite's and tf2onnx's also put padding into the convolution, and share what networks compute twice.
_WITHIN = {
    "onnx": {"flops": 0.02, "parameters": 0.03, "fused_moved_bytes": 0.02, "fused_layers": 0.25},
    "tflite": {"flops": 0.02, "parameters": 0.03, "fused_moved_bytes": 0.11, "fused_layers": 0.2},
}


@pytest.fixture(scope="module", params=_SIZES)
def architecture(request, tmp_path_factory):
    """The features of a network and the files that it was converted to."""
    import tensorflow as tf

    shape = (_SIZES[request.param], _SIZES[request.param], 3)

    def make():
        return getattr(keras.applications, request.param)(weights=None, input_shape=shape, classes=10)

    expected = extract_features(described(make, shape))
    keras.utils.clear_session()
    model = make()
    # As trained ones: what is zero or alike vanishes in conversion.
    values = np.random.default_rng(0)
    model.set_weights([values.uniform(0.01, 0.1, weight.shape) for weight in model.get_weights()])
    folder = tmp_path_factory.mktemp(request.param)
    model(np.zeros((1, *shape), np.float32))
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    (folder / "model.tflite").write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return expected, folder


@pytest.mark.parametrize("kind", _READERS)
def test_exported_file_is_read_as_the_original(kind, architecture):
    expected, folder = architecture

    numbers = features(_READERS[kind](folder / f"model.{kind}", {}))

    assert {key: numbers[key] for key in _EQUAL} == {key: expected[key] for key in _EQUAL}
    for key, share in _WITHIN[kind].items():
        assert numbers[key] == pytest.approx(expected[key], rel=share), key
    assert 0.55 <= numbers["sum_activations"] / expected["sum_activations"] <= 1.01
