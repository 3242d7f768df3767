"""The two families of the complexity-scaling document: shapes as it prints them, and all its combinations."""

import keras
import pytest

from perfcast.errors import UsageError
from perfcast.features.extract import extract_features
from perfcast.models import scaling, sheet
from perfcast.models.build import build_model
from perfcast.sweeps.combinations import combinations_of
from perfcast.sweeps.config import parse_ini
from perfcast.sweeps.report import structure_of

IMAGES = """
Tensor shape: (None, 28, 28, 1) ----- Layer: input_1
Tensor shape: (None, 28, 28, 1) ----- Layer: conv2d_1
Tensor shape: (None, 26, 1, 64) ----- Layer: max_pooling2d_1
Tensor shape: (None, 1, 1, 64) ----- Layer: flatten_1
Tensor shape: (None, 64) ----- Layer: dense_1
Tensor shape: (None, 64) ----- Layer: dropout_1
Tensor shape: (None, 64) ----- Layer: dense_2
Tensor shape: (None, 10)
"""
TEXTS = """
Tensor shape: (None, 56) ----- Layer: input_1
Tensor shape: (None, 56) ----- Layer: embedding_1
Tensor shape: (None, 56, 256) ----- Layer: reshape_1
Tensor shape: (None, 56, 256, 1) ----- Layer: conv2d_1
Tensor shape: (None, 54, 1, 64) ----- Layer: max_pooling2d_1
Tensor shape: (None, 1, 1, 64) ----- Layer: flatten_1
Tensor shape: (None, 64) ----- Layer: dense_1
Tensor shape: (None, 64) ----- Layer: dropout_1
Tensor shape: (None, 64) ----- Layer: dense_2
Tensor shape: (None, 2)
"""
PUBLISHED = parse_ini("[CONFIGURATION]\n", "defaults.ini")


def spec_of(family, layers=4, filter_size=3, size=None, **parameters):
    size = size or scaling.CLASSIFIERS[family].size
    return scaling.make_spec(family, (size, size, 3), {"layers": layers, "filter_size": filter_size} | parameters)


def built(spec):
    keras.backend.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        return build_model(spec)


@pytest.mark.parametrize(("family", "printed"), [("fashion_mnist", IMAGES), ("text", TEXTS)])
def test_four_layers_are_those_that_the_document_prints(family, printed):
    assert structure_of(spec_of(family)) == printed.strip().splitlines()


@pytest.mark.parametrize(("family", "classes"), [("fashion_mnist", 10), ("text", 2)])
def test_all_combinations_of_the_document_can_be_built(family, classes):
    combinations = combinations_of(PUBLISHED, family)
    assert len(combinations) == 48
    degrees = [
        (one.spec.parameters["layers"], one.training_batch, one.spec.parameters["filter_size"]) for one in combinations
    ]
    assert degrees[:4] == [(4, 1, 3), (4, 1, 5), (4, 1, 8), (4, 4, 3)], "the order of the published tables"
    assert len(set(degrees)) == 48
    for spec in {one.spec.model: one.spec for one in combinations}.values():
        model = built(spec)
        kinds = [type(layer).__name__ for layer in model.layers]
        counted = sum(kinds.count(kind) for kind in ("Conv2D", "MaxPooling2D", "Dense"))
        assert counted == spec.parameters["layers"]
        assert kinds.count("Conv2D") == kinds.count("MaxPooling2D")
        assert model.get_layer("flatten_1").output.shape == (None, 64)
        assert model.output_shape == (None, classes)


def test_added_pairs_keep_the_height_and_halve_the_width():
    model = built(spec_of("fashion_mnist", 10, 8))
    shapes = [layer.output.shape[1:3] for layer in model.layers if layer.name.startswith(("conv", "max"))]
    assert shapes == [(28, 28), (28, 14), (28, 14), (28, 7), (28, 7), (28, 4), (21, 1), (1, 1)]


@pytest.mark.parametrize("spec", [spec_of("fashion_mnist", 8, 5, channels=3), spec_of("text", 6, 3, filters=8)])
def test_size_agrees_with_the_network_that_is_built(spec):
    model = built(spec)
    convolutions = [layer for layer in model.layers if layer.name.startswith("conv")]
    kernels = [layer.kernel.shape for layer in convolutions]
    assert kernels == [pair.kernel for pair in scaling.pairs_of(spec)]
    assert scaling._size(spec)[0] == model.count_params()


@pytest.mark.heavy
@pytest.mark.parametrize("family", ["fashion_mnist", "text"])
def test_features_count_what_is_computed(family):
    from perfcast.export.stage import build

    spec = spec_of(family, 6, 5)
    descriptor = build(spec).descriptor
    features = extract_features(descriptor)
    weights, macs = scaling._size(spec)
    assert (features["parameters"], features["macs"], features["conv_layers"]) == (weights, macs, 2)
    assert features["input_size"] == spec.input_shape[0]
    assert descriptor["inputs"][0]["dtype"] == ("int32" if family == "text" else "float32")


@pytest.mark.heavy
def test_words_are_drawn_from_the_whole_vocabulary(tmp_path):
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.stage import export_model

    store = ArtifactStore(tmp_path)
    text, image = (export_model(spec_of(family), store).programs[0] for family in ("text", "fashion_mnist"))
    assert text.interface["inputs"] == [{"node": "input_0", "shape": [56], "dtype": "int32", "below": 20_000}]
    assert "below" not in image.interface["inputs"][0]


def test_names_hold_what_differs_from_the_document():
    assert spec_of("fashion_mnist", 10, 8).model == "fashion_mnist_10_8_28"
    assert spec_of("text").model == "text_4_3_56"
    assert spec_of("text", filters=32, vocabulary=500).name == "text_4_3_filters32_vocabulary500"
    assert spec_of("fashion_mnist", size=32, channels=3).input_shape == (32, 32, 3)
    assert spec_of("text").family == "text"


def test_sheets_list_the_families(root):
    every = sheet.read_sheet(root / "config/models/scaling.csv")
    combinations = [one for family in scaling.CLASSIFIERS for one in combinations_of(PUBLISHED, family)]
    assert {spec.model: spec for spec in every} == {one.spec.model: one.spec for one in combinations}
    local = sheet.read_sheet(root / "config/models/scaling_local.csv")
    assert {spec.model for spec in local} < {spec.model for spec in every}
    assert sheet.parse_sheet(sheet.format_sheet(every), "written") == every


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("image", {}, "unknown builder 'image'; the scaling families are fashion_mnist, text"),
        ("text", {"layers": 5}, "parameter 'layers' must be an even number from 4, not 5"),
        ("text", {"layers": 2}, "must be an even number from 4"),
        ("text", {"layers": True}, "'layers' must be an integer"),
        ("text", {"filter_size": 57}, "text_4_57 is impossible: filter_size 57 exceeds its input of 56"),
        ("text", {"channels": 1}, "unknown parameter 'channels'"),
        ("fashion_mnist", {"filter_size": 0}, "'filter_size' must be an integer between 1"),
        ("fashion_mnist", {"filters": 10_000, "layers": 100}, "is too large"),
    ],
)
def test_impossible_networks_are_refused(family, changes, message):
    parameters = {"layers": 4, "filter_size": 3} | changes
    with pytest.raises(UsageError) as caught:
        scaling.make_spec(family, (56, 56, 3), parameters)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_takes_one_length():
    with pytest.raises(UsageError, match="give one length, not 56x40"):
        scaling.make_spec("text", (56, 40, 3), {"layers": 4, "filter_size": 3})
