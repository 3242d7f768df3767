"""Every architecture of Keras Applications, read from TensorFlow's files: the same features as Keras tells."""

import keras
import pytest

from perfcast.export.programs import convert
from perfcast.export.stage import build
from perfcast.features.extract import extract_features
from perfcast.formats.keras_json.live import network_of_live
from perfcast.formats.tensorflow_graph import read_frozen_graph, read_saved_model
from perfcast.models.keras_applications import installed_architectures
from perfcast.models.spec import ModelSpec
from tests.unit.formats.reading import features
from tests.unit.formats.tensorflow_files import freeze

pytestmark = pytest.mark.timeout(1200)

EQUAL = (
    *("macs", "conv_macs", "depthwise_macs", "dense_macs", "other_macs", "weighted_sum_neurons"),
    *("conv_parameters", "bn_parameters", "fc_parameters", "conv_layers", "bn_layers", "fc_layers"),
    *("filters_min", "filters_max", "filters_mean", "units_min", "units_max", "kernel_size_min", "kernel_size_max"),
)
# Dropout, identities and activations that do nothing leave no operation: up to one layer in eight, none of cost.
CLOSE = {"sum_activations": 0.08, "layers": 0.13, "flops": 0.01, "moved_bytes": 0.01, "fused_moved_bytes": 0.01}
# Statistics of the images that a network normalises: constants or variables, used or not.
PREPROCESSING = 7
# One of each family: the others differ in depth and width only.
SMALLEST = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "NASNetMobile", "ResNet50", "ResNet50V2", "VGG16", "Xception"),
)


def spec_of(builder):
    side = 75 if "ception" in builder else 32
    return ModelSpec(builder.lower(), builder.lower(), "keras_applications", builder, (side, side, 3), {"classes": 10})


def check(network, told):
    found = features(network)
    assert {name: found[name] for name in EQUAL} == {name: told[name] for name in EQUAL}
    assert abs(found["parameters"] - told["parameters"]) <= PREPROCESSING
    for name, share in CLOSE.items():
        assert found[name] == pytest.approx(told[name], rel=share), name


@pytest.mark.parametrize("builder", sorted(installed_architectures()))
def test_exported_graph_of_each_architecture_matches_keras(builder, tmp_path):
    built = build(spec_of(builder))
    graph, _ = convert(built, "graph.pb")
    (tmp_path / "graph.pb").write_bytes(graph)
    check(read_frozen_graph(tmp_path / "graph.pb", {}).network, extract_features(built.descriptor))


@pytest.mark.parametrize("builder", SMALLEST)
def test_files_of_each_family_match_keras(builder, tmp_path):
    spec = spec_of(builder)
    model = getattr(keras.applications, builder)(weights=None, input_shape=spec.input_shape, classes=10)
    told = extract_features(network_of_live(model, {}).descriptor() | {"model": builder})
    model.export(str(tmp_path / "saved"), verbose=False)
    check(read_saved_model(tmp_path / "saved", {}).network, told)
    check(read_frozen_graph(freeze(model, tmp_path / "frozen.pb"), {}).network, told)
