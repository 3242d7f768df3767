"""LeNet, ResNet-18, LSTM and single convolutions: sizes as published, names, and what is refused."""

import keras
import pytest

from perfcast.errors import UsageError
from perfcast.export.stage import build
from perfcast.features.extract import extract_features
from perfcast.models import classic, convolution
from perfcast.models.build import build_model
from perfcast.models.keras_applications import make_spec as application
from perfcast.models.sheet import read_sheet


def built(spec):
    keras.backend.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        return build_model(spec)


def trainable(model):
    return sum(weight.shape.num_elements() for weight in model.trainable_variables)


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [
        (classic.make_spec("lenet", (28, 28, 3), {}), 61_706),
        (classic.make_spec("resnet18", (224, 224, 3), {}), 11_689_512),
        (classic.make_spec("resnet18", (32, 32, 3), {"classes": 10}), 11_181_642),
    ],
)
def test_parameters_are_those_of_the_literature(spec, parameters):
    assert trainable(built(spec)) == parameters


@pytest.mark.heavy
def test_mobilenet_has_the_parameters_of_the_literature():
    assert built(application("MobileNet", (224, 224, 3), {})).count_params() == 4_253_864


@pytest.mark.parametrize(
    "spec",
    [
        classic.make_spec("lenet", (32, 40, 3), {"channels": 3}),
        classic.make_spec("resnet18", (64, 64, 3), {"classes": 10}),
        classic.make_spec("lstm", (20, 20, 3), {"layers": 2, "units": 16, "embedding": 8, "vocabulary": 100}),
        convolution.make_spec("convolution", (20, 24, 3), {"kernel": 5, "second": 3, "stride": 2}),
    ],
)
def test_the_size_that_is_checked_is_that_of_the_network(spec):
    size = (
        classic.BUILDERS[spec.builder].size(spec.input_shape, **spec.parameters)
        if spec.source == "classic"
        else convolution._size(spec)
    )
    features = extract_features(build(spec).descriptor)
    assert size[0] == pytest.approx(features["parameters"], rel=0.1)
    assert size[1] == pytest.approx(features["macs"], rel=0.2)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"kernel": 7}, "convolution_7_32_32_64"),
        ({"kernel": 5, "second": 3}, "convolution_5_then_3_32_32_64"),
        ({"kernel": 1, "channels": 8, "filters": 16, "stride": 2}, "convolution_1_8_16_stride2_64"),
    ],
)
def test_a_convolution_is_named_after_its_settings(parameters, name):
    spec = convolution.make_spec("convolution", (64, 64, 3), parameters)
    assert spec.model == name
    assert built(spec).output_shape == (None, parameters.get("filters", 32))


@pytest.mark.parametrize(
    ("make", "builder", "size", "parameters", "message"),
    [
        (classic.make_spec, "alexnet", 28, {}, "unknown builder 'alexnet'; the classic networks are lenet"),
        (classic.make_spec, "lenet", 8, {}, "lenet takes inputs of at least 12, not 8"),
        (classic.make_spec, "lenet", 10_000, {}, "is too large"),
        (classic.make_spec, "resnet18", 32, {"units": 3}, "unknown parameter 'units'"),
        (classic.make_spec, "lstm", 32, {"units": 0}, "parameter 'units' must be an integer between 1 and"),
        (convolution.make_spec, "conv", 32, {}, "unknown builder 'conv'"),
        (convolution.make_spec, "convolution", 32, {}, "parameter 'kernel' must be an integer"),
        (convolution.make_spec, "convolution", 9_999, {"kernel": 99}, "is too large"),
    ],
)
def test_impossible_networks_are_refused(make, builder, size, parameters, message):
    with pytest.raises(UsageError, match=message):
        make(builder, (size, size, 3), parameters)


@pytest.mark.parametrize("name", ["training", "convolutions", "convolutions_local"])
def test_sheets_list_what_can_be_built(root, name):
    for spec in read_sheet(root / f"config/models/{name}.csv"):
        assert built(spec).inputs
