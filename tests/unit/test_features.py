"""Features: hand-computed on small networks, stable, and in agreement with published ones."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from keras import layers

from perfcast.errors import DataError
from perfcast.export.stage import build
from perfcast.features.definitions import FEATURES, document
from perfcast.features.extract import extract_features
from perfcast.features.table import features_table
from perfcast.models import keras_applications
from tests.measured import FOLDER, needs
from tests.unit.descriptors import chain, described

ROOT = Path(__file__).parents[2]
PUBLISHED = FOLDER / "keras2_models"


def convolutions():
    return chain(
        (8, 8, 3),
        layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.ReLU(name="relu"),
        layers.DepthwiseConv2D(5, strides=2, padding="same", name="depthwise"),
        layers.Conv2D(6, 1, activation="swish", name="pointwise"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dropout(0.5, name="dropout"),
        layers.Dense(10, activation="softmax", name="dense"),
    )


def test_features_of_a_chain_by_hand():
    features = extract_features(described(convolutions))
    conv, depthwise, pointwise, dense = 64 * 27 * 4, 16 * 25 * 4, 16 * 4 * 6, 60
    sizes = [192, 256, 256, 256, 64, 96, 6, 6, 10]
    weights = [27 * 4, 4 * 4, 25 * 4 + 4, 4 * 6 + 6, 70]
    flops = 2 * (conv + depthwise + pointwise + dense) + 2 * 256 + 256 + 64 + 96 + 2 * 96 + 96 + 10 + 5 * 10
    expected = {
        "input_size": 8,
        "input_pixels": 64,
        "macs": conv + depthwise + pointwise + dense,
        "flops": flops,
        "sum_activations": sum(sizes),
        "weighted_sum_neurons": conv + 64 * 25 * 4 + pointwise + dense,
        "conv_parameters": weights[0] + weights[2] + weights[3],
        "bn_parameters": 16,
        "fc_parameters": 70,
        "parameters": sum(weights),
        "layers": 9,
        "conv_layers": 3,
        "bn_layers": 1,
        "fc_layers": 1,
        "activation_layers": 1,
        "fused_activations": 2,
        "filters_min": 4,
        "filters_max": 6,
        "units_min": 10,
        "units_max": 10,
        "kernel_size_min": 1,
        "kernel_size_max": 5,
        "conv_macs": conv + pointwise,
        "depthwise_macs": depthwise,
        "dense_macs": dense,
        "other_macs": 0,
        "largest_layer_macs": conv,
        "largest_activation": 256,
        "core_layers": 6,
        "core_activations": 256 + 256 + 64 + 96 + 6 + 10,
        "max_core_activation": 256,
        "weight_bytes": 4 * sum(weights),
        "peak_activation_bytes": 4 * (192 + 256),
        "fused_moved_bytes": 4 * (192 + 256 + 256 + 64 + 64 + 96 + 96 + 6 + 6 + 10 + sum(weights)),
        "moved_bytes": 4 * (192 + 256 * 6 + 64 + 64 + 96 + 96 + 6 + 6 + 10 + sum(weights)),
        "fused_layers": 5,
        "merge_layers": 0,
        "longest_path": 9,
        "graph_forces_xla": 0,
    }
    assert {name: features[name] for name in expected} == expected
    assert features["filters_mean"] == pytest.approx(14 / 3)
    assert features["depthwise_mac_share"] == pytest.approx(depthwise / expected["macs"])
    assert features["pointwise_mac_share"] == pytest.approx(pointwise / expected["macs"])
    assert features["arithmetic_intensity"] == pytest.approx(flops / expected["fused_moved_bytes"])


def test_a_residual_connection_keeps_its_tensor_alive():
    def make():
        inputs = keras.Input((4, 4, 2), name="input")
        start = layers.Conv2D(8, 1, use_bias=False)(inputs)
        middle = layers.Conv2D(16, 1, use_bias=False)(start)
        end = layers.Conv2D(8, 1, use_bias=False)(middle)
        return keras.Model(inputs, layers.Add()([start, end]))

    features = extract_features(described(make, (4, 4, 2)))
    assert features["peak_activation_bytes"] == 4 * 16 * (8 + 16 + 8)
    assert (features["merge_layers"], features["merged_elements"]) == (1, 128)
    assert (features["layers"], features["longest_path"]) == (5, 5)


def test_normalisation_of_a_shared_tensor_is_not_folded():
    def make():
        inputs = keras.Input((4, 4, 2), name="input")
        start = layers.Conv2D(8, 1)(inputs)
        return keras.Model(inputs, layers.Add()([start, layers.BatchNormalization()(start)]))

    assert extract_features(described(make, (4, 4, 2)))["fused_layers"] == 3


def test_separable_convolutions_are_split():
    features = extract_features(
        described(lambda: chain((8, 8, 4), layers.SeparableConv2D(6, 3, depth_multiplier=2)), (8, 8, 4))
    )
    assert features["depthwise_macs"] == 36 * 9 * 8
    assert features["conv_macs"] == 36 * 8 * 6
    assert features["pointwise_mac_share"] == pytest.approx(48 / 120)


def test_network_without_convolutions_has_all_features():
    features = extract_features(described(lambda: chain((8, 8, 3), layers.Flatten(), layers.Dense(2))))
    assert list(features) == [feature.name for feature in FEATURES]
    assert features["kernel_size_max"] == features["filters_mean"] == features["mean_mac_filters"] == 0
    assert features["flops"] == 2 * 384 + 2


def test_the_size_of_a_network_of_one_axis_is_its_length():
    features = extract_features(described(lambda: chain((10,), layers.Dense(3)), (10,)))
    assert features["input_size"] == 10
    assert (features["macs"], features["parameters"], features["flops"]) == (30, 33, 63)


def test_numbers_beyond_64_bits_are_refused():
    descriptor = described(convolutions)
    for layer in descriptor["layers"]:
        layer["macs"] = 2**62
    with pytest.raises(DataError, match="net_8: its feature flops is too large"):
        extract_features(descriptor)


def test_table_has_one_row_per_model():
    descriptor = described(convolutions)
    table = features_table([descriptor, descriptor | {"model": "other"}])
    assert list(table.columns[:5]) == ["model", "name", "family", "input_size", "input_pixels"]
    assert list(table["model"]) == ["net_8", "other"]
    assert table.attrs == {"features_version": 3}
    assert not table.isna().any(axis=None)
    assert {str(kind) for kind in table.dtypes[3:]} == {"int64", "float64"}
    assert list(features_table([descriptor, descriptor])["model"]) == ["net_8", "net_8"]
    assert list(features_table([]).columns) == list(table.columns)


def test_names_of_features_are_unique_and_explained():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.unit and feature.formula and feature.source for feature in FEATURES)


def test_features_document_is_up_to_date():
    assert (ROOT / "docs" / "features.md").read_text() == document(), "write definitions.document() to it"


def test_features_load_neither_tensorflow_nor_keras():
    code = (
        "import sys, perfcast.features.table, perfcast.network.descriptor;"
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_mobilenet_as_published():
    spec = keras_applications.make_spec("MobileNet", (224, 224, 3), {})
    features = extract_features(build(spec).descriptor)
    published = {"conv_parameters": 4210088, "bn_parameters": 43776, "conv_layers": 28, "bn_layers": 27}
    assert {name: features[name] for name in published} == published
    assert features["weighted_sum_neurons"] == 4828758016
    assert features["flops"] == pytest.approx(1146014981, rel=0.01)


_COLUMNS = {
    "conv_parameters": "nb_params_conv",
    "bn_parameters": "nb_params_bn",
    "fc_parameters": "nb_params_fc",
    "layers": "nb_layers",
    "conv_layers": "nb_conv_layers",
    "bn_layers": "nb_bn_layers",
    "fc_layers": "nb_fc_layers",
    "sum_activations": "sum_activations",
}


@needs(PUBLISHED)
@pytest.mark.parametrize(
    "name", ["Inception-v1_224", "MobileNet0.25-v1_224", "MobileNet1.0-v2_224", "ResNet-34_224", "basic_model_112_17"]
)
def test_published_networks(name):
    with (PUBLISHED / "expected_features.csv").open(newline="") as file:
        (row,) = (row for row in csv.DictReader(file) if row["json"] == f"{name}.json.gz")
    config = json.loads(gzip.decompress((PUBLISHED / "json" / f"{name}.json.gz").read_bytes()))["config"]
    width = int(row["input_width"])
    features = extract_features(described(lambda: keras.Model.from_config(config), (width, width, 3)))
    assert {ours: features[ours] for ours in _COLUMNS} == {ours: int(row[theirs]) for ours, theirs in _COLUMNS.items()}
    assert features["flops"] == pytest.approx(float(row["flops"]), rel=0.05)
