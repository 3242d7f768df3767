"""The features' operations against TensorFlow's own profiler, on every Keras Application."""

import keras
import pytest

from benchmarks.architectures import profiled_flops
from perfcast.export.keras_model import describe
from perfcast.features.extract import extract_features
from perfcast.models import keras_applications
from perfcast.models.build import build_model
from perfcast.network.descriptor import validate_descriptor

GRAPH = {
    "inputs": [{"node": "input", "shape": [224, 224, 3], "dtype": "float32"}],
    "outputs": [{"tensor": "Identity:0", "shape": [1000], "dtype": "float32"}],
    "graph_forces_xla": False,
    "weights": 0,
    "weight_bytes": 0,
}


@pytest.mark.parametrize("builder", list(keras_applications.installed_architectures()))
def test_flops_are_within_5_percent_of_the_profiler(builder):
    spec = keras_applications.make_spec(builder, (224, 224, 3), {})
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(spec)
    descriptor = describe(model, spec) | {"graph": GRAPH}
    validate_descriptor(descriptor)
    features = extract_features(descriptor)
    assert features["parameters"] == model.count_params()
    assert features["flops"] == pytest.approx(profiled_flops(model, spec.input_shape), rel=0.05)


@pytest.mark.parametrize("builder", list(keras_applications.installed_architectures()))
def test_every_architecture_builds_at_its_minimum_size(builder):
    least = keras_applications.least_size(builder)
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(keras_applications.make_spec(builder, (least, least, 3), {}))
    assert model.input_shape == (None, least, least, 3)
