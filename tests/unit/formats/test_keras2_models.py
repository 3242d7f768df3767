"""Texts of Keras 2 beside the features that others published for them (measured data from elsewhere)."""

import csv
import gzip
import json
import math
import time

import pytest

from perfcast.errors import SourceError
from perfcast.features.extract import extract_features
from perfcast.formats.keras_json import network_of, read_document
from tests.measured import FOLDER, needs

MODELS = FOLDER / "keras2_models"
pytestmark = needs(MODELS)

EXACT = {
    "sum_activations": "sum_activations",
    "nb_params_conv": "conv_parameters",
    "nb_params_bn": "bn_parameters",
    "nb_params_fc": "fc_parameters",
    "nb_layers": "layers",
    "nb_conv_layers": "conv_layers",
    "nb_bn_layers": "bn_layers",
    "nb_fc_layers": "fc_layers",
    "input_width": "input_size",
}
# Their texts hold Lambda layers that do not tell their output shapes.
OPEN = ("DPN-107", "DPN-137", "DPN-92", "SEResNet-18", "SEResNext-50", "ShuffleNet1.0-v2", "ShuffleNet2.0-v2")
# Its text is of another random network than its published features: one of 63 layers, not of 66.
MISPLACED = "basic_model_600_36"


def rows():
    path = MODELS / "expected_features.csv"
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def descriptor_of(row):
    descriptor = network_of(read_document(MODELS / "json" / row["json"]), {}).descriptor()
    return descriptor | {"model": row["model_name"], "graph": None}


def features_of(row):
    return extract_features(descriptor_of(row))


def told(row):
    return row["model_name"] not in (*OPEN, MISPLACED)


@pytest.mark.parametrize("row", [row for row in rows() if told(row)], ids=lambda row: row["model_name"])
def test_published_features(row):
    features = features_of(row)
    assert {key: features[name] for key, name in EXACT.items()} == {key: int(row[key]) for key in EXACT}
    assert features["flops"] == pytest.approx(int(row["flops"]), rel=0.04)


@pytest.mark.parametrize("row", [row for row in rows() if told(row)], ids=lambda row: row["model_name"])
def test_published_neurons_differ_as_documented(row):
    """Counted with the published slips (docs/features.md), the sum is the published one."""
    listed = json.loads(gzip.decompress((MODELS / "json" / row["json"]).read_bytes()))["config"]["layers"]
    layers = {layer["name"]: layer for layer in descriptor_of(row)["layers"]}
    is_random = row["model_name"].startswith("basic_model")
    channels = total = 0
    for layer in (layers[item["name"]] for item in listed):
        if layer["filters"]:
            total += math.prod(layer["output_shapes"][0]) * layer["kernel"][-1] ** 2 * channels
        elif layer["units"] and not is_random:
            total += layer["macs"]
        channels = layer["output_shapes"][0][-1]
    assert total == int(row["weighted_sum_neurons"])


@pytest.mark.parametrize("row", [row for row in rows() if row["model_name"] in OPEN], ids=lambda row: row["model_name"])
def test_missing_shape_is_refused_by_layer_name(row):
    with pytest.raises(SourceError, match="is a Lambda whose output shape the text does not give"):
        features_of(row)


def test_mislabelled_file_is_another_network():
    row = next(row for row in rows() if row["model_name"] == MISPLACED)
    features = features_of(row)
    assert (features["layers"], int(row["nb_layers"])) == (63, 66)
    assert features["conv_layers"] == int(row["nb_conv_layers"])


def test_fifty_files_take_less_than_ten_seconds():
    readable = [row for row in rows() if told(row)]
    started = time.perf_counter()
    for row in (readable * 3)[:50]:
        features_of(row)
    assert time.perf_counter() - started < 10
