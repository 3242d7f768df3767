"""The catalogues: what they list, what they draw, and that it can be built."""

import re
from pathlib import Path

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast import text
from perfcast.errors import SourceError, UsageError
from perfcast.models import dense, keras_applications, sheet, synthetic
from perfcast.models.build import build_model
from perfcast.models.spec import ModelSpec
from perfcast.models.synthetic import SyntheticRequest, draw
from perfcast.pages import formatting

SHEETS = Path(__file__).parents[2] / "config" / "models"


def built(spec):
    keras.backend.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        return build_model(spec)


def test_every_architecture_has_the_family_of_its_module():
    for builder, function in keras_applications.installed_architectures().items():
        module = re.sub(r"_|(?<=vgg)\d+|(?<=inception)_v\d|(?<=resnet)_v2$", "", function.__module__.split(".")[-1])
        family = keras_applications.family_of(builder)
        assert family.removesuffix("v2") == re.sub(r"v2$|(?<=inception)v3$", "", module)


def test_helpers_are_not_architectures():
    names = set(keras_applications.installed_architectures())
    assert {"MobileNet", "ResNet50V2", "ConvNeXtTiny", "VGG16"} <= names
    assert not {name for name in names if name.islower()}


@pytest.mark.parametrize(("builder", "smallest"), [("MobileNetV3Small", 32), ("Xception", 71)])
def test_minimum_size_is_that_of_keras(builder, smallest):
    assert keras_applications.min_size(builder) == smallest
    spec = keras_applications.make_spec(builder, (smallest, smallest, 3), {})
    assert built(spec).input_shape == (None, smallest, smallest, 3)
    function = keras_applications.installed_architectures()[builder]
    with pytest.raises(ValueError, match="at least"):
        function(weights=None, input_shape=(smallest - 1, smallest - 1, 3))


def test_sheet_of_keras_applications_is_not_stale():
    path = SHEETS / "keras_applications.csv"
    written = sheet.format_sheet(keras_applications.all_specs())
    assert path.read_text() == written, "format_sheet(keras_applications.all_specs()) renews it"


def test_local_sheet_has_enough_families_to_hold_one_out():
    specs = sheet.read_sheet(SHEETS / "local.csv")
    families = {}
    for spec in specs:
        families.setdefault(spec.family, []).append(spec)
    assert len(specs) >= 60
    assert len(families) >= 10
    assert min(map(len, families.values())) >= 2


@pytest.mark.parametrize(
    ("builder", "parameters", "name", "model"),
    [
        ("DenseNet121", {}, "densenet121", "densenet121_224"),
        ("MobileNet", {"alpha": 0.25}, "mobilenet_alpha0.25", "mobilenet_alpha0.25_224"),
        ("MobileNetV3Small", {"minimalistic": True}, "mobilenetv3small_minimalistic", None),
    ],
)
def test_names_of_keras_applications(builder, parameters, name, model):
    spec = keras_applications.make_spec(builder, (224, 224, 3), parameters)
    assert spec.name == name
    assert model in (None, spec.model)


def test_synthetic_draw_is_reproducible_and_unique():
    first, again = draw(SyntheticRequest(1000, seed=3)), draw(SyntheticRequest(1000, seed=3))
    assert first == again
    assert len({spec.name for spec in first.specs}) == 1000
    assert all(re.fullmatch(r"basic_model_\d+_\d+_\d+_\d+", spec.name) for spec in first.specs)
    assert draw(SyntheticRequest(1000, seed=4)) != first
    assert first.discarded > 0


def test_too_many_synthetic_networks_says_how_many_exist():
    request = SyntheticRequest(9, (1, 2), (3,), (8,), (1, 4), (8,))
    # Two layers of stride 4 leave no 3 pixels of 8.
    with pytest.raises(UsageError, match="only 3 of the 4 combinations"):
        draw(request)
    assert draw(SyntheticRequest(3, (1, 2), (3,), (8,), (1, 4), (8,), seed=1)).discarded <= 1


ranges = st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True).map(tuple)


@given(ranges, ranges, ranges, ranges, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True))
def test_drawn_networks_are_valid_and_within_budget(layers, sizes, filters, strides, inputs):
    possible = {
        (a, b, c, d)
        for a in layers
        for b in sizes
        for c in filters
        for d in strides
        if any(
            cost is not None and cost.memory_bytes <= 50_000
            for size in inputs
            for cost in [synthetic.cost_of(dict(zip(synthetic.PARAMETERS, (a, b, c, d), strict=True)), (size, size, 3))]
        )
    }
    with pytest.raises(UsageError, match=f"only {len(possible)} of"):
        draw(SyntheticRequest(10_000, layers, sizes, filters, strides, tuple(inputs), 0.05))
    if not possible:
        return
    drawn = draw(SyntheticRequest(len(possible), layers, sizes, filters, strides, tuple(inputs), 0.05))
    assert {tuple(spec.parameters.values()) for spec in drawn.specs} == possible


@pytest.mark.parametrize(
    "options",
    [
        {"filters": (0,)},
        {"filters": ()},
        {"filters": (8, 8)},
        {"strides": (True,)},
        {"count": -1},
        {"count": 1.5},
        {"memory_budget_mb": 0},
        {"macs_budget": float("nan")},
        {"filters": tuple(range(1, 10_001)), "conv_layers": tuple(range(1, 1000))},
    ],
)
def test_impossible_requests_are_refused(options):
    with pytest.raises(UsageError, match=r"random networks|synthetic networks"):
        SyntheticRequest(**{"count": 1} | options)


def test_cost_agrees_with_the_network_that_is_built():
    spec = synthetic.make_spec(
        "basic_model", (20, 24, 3), {"conv_layers": 3, "filter_size": 3, "filters": 8, "strides": 2}
    )
    model = built(spec)
    convolutions = [layer for layer in model.layers if layer.name.startswith("conv")]
    assert [layer.output.shape[1:3] for layer in convolutions] == [(9, 11), (7, 9), (3, 4)]
    macs = 9 * 11 * 27 * 8 + 7 * 9 * 72 * 8 + 3 * 4 * 72 * 8 + 80
    weights = model.count_params()
    memory = 4 * (weights + 20 * 24 * 3 + 9 * 11 * 8)
    assert synthetic.cost_of(spec.parameters, spec.input_shape) == synthetic.Cost(macs, memory, weights)


def test_networks_too_large_to_build_are_not_drawn():
    request = SyntheticRequest(1, (2, 100), (1,), (8, 5000), (1,), (32,))
    (spec,) = draw(request).specs
    assert spec.parameters["filters"] == 8 or spec.parameters["conv_layers"] == 2
    with pytest.raises(UsageError, match="only 3 of the 4 combinations"):
        draw(SyntheticRequest(4, (2, 100), (1,), (8, 5000), (1,), (32,)))


def test_dense_network():
    spec = dense.make_spec("mlp", (8, 8, 3), {"layers": 2, "units": 16})
    assert (spec.name, spec.family, spec.model) == ("mlp_2_16", "mlp", "mlp_2_16_8")
    assert built(spec).count_params() == 192 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10


def test_size_of_a_dense_network_is_its_weights_size():
    spec = dense.make_spec("mlp", (32, 32, 3), {"layers": 3, "units": 20_000})
    assert spec.model == "mlp_3_20000_32"
    with pytest.raises(UsageError, match="mlp_4_20000 is too large"):
        dense.make_spec("mlp", (32, 32, 3), {"layers": 4, "units": 20_000})


@pytest.mark.parametrize(
    ("shape", "size"),
    [((224, 224, 3), "224"), ((192, 256, 3), "192x256"), ((10,), "10"), ((7, 5), "7x5"), ((4, 4, 4, 1), "4")],
)
def test_size_and_name_of_a_spec(shape, size):
    spec = ModelSpec("net", "family", "source", "builder", shape)
    assert (spec.size, spec.model) == (size, f"net_{size}")


def test_a_single_number_has_no_size():
    with pytest.raises(SourceError, match="net: its input needs at least one axis"):
        _ = ModelSpec("net", "family", "source", "builder", ()).model


def test_shown_names_are_escaped():
    assert text.escape_control("dénsenet_121 – ok") == "dénsenet_121 – ok"
    hidden = [*map(chr, range(32)), "\x7f", "\x9b", "\u202e", "\u2066", "\u200f", "\u2028", "\udcff"]
    assert text.escape_control("".join(hidden)) == "\ufffd" * len(hidden)
    assert text.escape_control(UsageError("a\nb")) == "a\ufffdb"
    assert formatting.escape_control is text.escape_control


def test_layer_names_depend_on_the_spec_alone():
    spec = keras_applications.make_spec("MobileNet", (32, 32, 3), {"alpha": 0.25})
    assert [layer.name for layer in built(spec).layers] == [layer.name for layer in built(spec).layers]


@pytest.mark.parametrize(
    ("source", "builder", "size", "parameters", "kind"),
    [
        ("nowhere", "MobileNet", 32, {}, UsageError),
        ("keras_applications", "MobilNet", 32, {}, UsageError),
        ("keras_applications", "DenseNet9", 32, {}, UsageError),
        ("keras_applications", "MobileNet", 31, {}, UsageError),
        ("keras_applications", "MobileNet", 32, {"aplha": 1}, UsageError),
        ("keras_applications", "MobileNet", 32, {"weights": "imagenet"}, UsageError),
        ("keras_applications", "MobileNet", 32, {"alpha": -1}, UsageError),
        ("keras_applications", "MobileNet", 32, {"alpha": float("nan")}, UsageError),
        ("keras_applications", "MobileNet", 32, {"alpha": 0.001}, SourceError),
        ("synthetic", "other", 32, {}, UsageError),
        ("synthetic", "basic_model", 32, {"conv_layers": 1}, UsageError),
        ("dense", "mlp", 32, {"layers": 1, "units": 0}, UsageError),
        ("dense", "mlp", 32, {"layers": 1, "units": 1, "width": 1}, UsageError),
    ],
)
def test_unbuildable_model_is_named_in_one_line(source, builder, size, parameters, kind):
    spec = ModelSpec("net", "family", source, builder, (size, size, 3), parameters)
    with pytest.raises(kind) as caught:
        built(spec)
    assert str(caught.value).startswith(f"net_{size}: ")
    assert "\n" not in str(caught.value)
