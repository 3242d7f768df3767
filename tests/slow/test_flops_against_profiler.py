"""The features' operations against TensorFlow's own profiler, on every Keras Application."""

import keras
import pytest

from benchmarks.architectures import profiled_flops
from perfcast.export.stage import build
from perfcast.features.extract import extract_features
from perfcast.models import keras_applications
from perfcast.models.build import build_model


@pytest.mark.parametrize("builder", list(keras_applications.installed_architectures()))
def test_flops_are_within_5_percent_of_the_profiler(builder):
    built = build(keras_applications.make_spec(builder, (224, 224, 3), {}))
    features = extract_features(built.descriptor)
    assert features["parameters"] == built.keras_model.count_params()
    assert features["flops"] == pytest.approx(profiled_flops(built.keras_model, (224, 224, 3)), rel=0.05)


@pytest.mark.parametrize("builder", list(keras_applications.installed_architectures()))
def test_every_architecture_builds_at_its_minimum_size(builder):
    smallest = keras_applications.min_size(builder)
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(keras_applications.make_spec(builder, (smallest, smallest, 3), {}))
    assert model.input_shape == (None, smallest, smallest, 3)
