"""Texts that are damaged or crafted: one line that says what is wrong, soon, whatever they hold."""

import copy
import gzip
import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcast.errors import SourceError, UsageError
from perfcast.features.extract import extract_features
from perfcast.formats.keras_json import network_of, read_document
from perfcast.formats.keras_json.container import MAX_BYTES
from perfcast.network.descriptor import validate_descriptor
from tests.unit.formats.keras_samples import SAMPLES
from tests.unit.formats.keras_texts import layer2, model2, read


def refused(document):
    with pytest.raises(SourceError) as caught:
        read(document)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def conv(**config):
    return model2(layer2("conv", "Conv2D", "x", **{"filters": 4, "kernel_size": [3, 3], **config}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"\x80abc", "is not JSON"),
        (b"{", "is not JSON"),
        (b"1" * 10_000, "is not JSON"),
        (b"[" * 200_000, "is nested too deeply"),
        (b"[]", "no class_name and config"),
        (b'{"class_name": "Model", "config": {}}', "lists no layers"),
    ],
)
def test_files_without_keras_json_are_refused(tmp_path, content, message):
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        network_of(read_document(tmp_path / "model.json"), {})
    assert "\n" not in str(caught.value)


def test_damaged_archives_and_bombs_are_refused(tmp_path):
    path = tmp_path / "model.json.gz"
    whole = gzip.compress(json.dumps(conv()).encode())
    for damaged in (b"", whole[:-12], b"\x1f\x8b" + whole[2:40], b"no gzip", whole[:20] + b"\0\0" + whole[22:]):
        path.write_bytes(damaged)
        with pytest.raises(SourceError):
            network_of(read_document(path), {})
    path.write_bytes(gzip.compress(b" " * (MAX_BYTES + 1), compresslevel=1))
    with pytest.raises(SourceError, match="is larger than 100 MB"):
        network_of(read_document(path), {})
    with pytest.raises(SourceError, match="cannot be read"):
        network_of(read_document(tmp_path / "absent.json"), {})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (conv(filters="4"), "layer 'conv' (Conv2D): 'filters' cannot be '4'"),
        (conv(filters=-4), "'filters' cannot be -4"),
        (conv(filters=0), "'filters' cannot be 0"),
        (conv(filters=True), "'filters' cannot be True"),
        (conv(filters=10**12), "'filters' cannot be a number that large"),
        (conv(filters=2.5), "'filters' cannot be 2.5"),
        (conv(kernel_size=[3]), "'kernel_size' cannot be [3]"),
        (conv(kernel_size=None), "'kernel_size' cannot be None"),
        (conv(kernel_size=[9, 9]), "needs larger tensors"),
        (conv(strides=0), "'strides' cannot be 0"),
        (conv(padding="full"), "'padding' cannot be 'full'"),
        (conv(data_format=["channels_last"]), "'data_format'"),
        (conv(groups=2), "cannot split 3 channels and 4 filters in 2 groups"),
        (conv(use_bias="yes"), "'use_bias' cannot be 'yes'"),
        (conv(trainable=[]), "'trainable'"),
        (conv(activation=3), "'activation' cannot be 3"),
        (conv(activation={"class_name": []}), "'activation'"),
        (conv(filters=10**9, padding="same", kernel_size=[10**6, 10**6]), "too large"),
        (model2(layer2("dense", "Dense", "x")), "layer 'dense' (Dense): 'units' is missing"),
        (model2(layer2("dense", "Dense", "nothing", units=3)), "there is no layer 'nothing'"),
        (model2(layer2("dense", "Dense", ["x", 1, 0], units=3)), "layer 'x' is not called as often"),
        (model2(layer2("dense", "Dense", ["x", 0, 5], units=3)), "has no output 5"),
        (model2(layer2("dense", "Dense", ["x", -1, 0], units=3)), "no tensor is ['x', -1, 0]"),
        (model2(layer2("a", "ReLU", "b"), layer2("b", "ReLU", "a")), "depends on its own output"),
        (model2(layer2("a", "ReLU", "a")), "layer 'a' depends on its own output"),
        (model2(layer2("a", "ReLU")), "layer 'a' is not called as often"),
        (model2(layer2("a", "Add", ["_CONSTANT_VALUE", -1, 1.0])), "layer 'a' does not depend on the model's inputs"),
        (model2(layer2("a", "ReLU", "x"), layer2("a", "ReLU", "x")), "two layers have the same name"),
        (model2(layer2("a", "Add", "x", "y"), layer2("y", "Flatten", "x"), outputs=["a"]), "do not fit each other"),
        (model2(layer2("a", "Reshape", "x", target_shape=[7, -1])), "cannot reshape 192 elements"),
        (model2(layer2("a", "Permute", "x", dims=[1, 2, 2])), "'dims' cannot be"),
        (model2(layer2("a", "BatchNormalization", "x", axis=7)), "'axis' cannot be 7"),
        (model2(layer2("a", "TimeDistributed", "x", layer={"class_name": "Dense"})), "no class_name and config"),
        (model2(layer2("a", "LSTM", "x", units=3)), "takes tensors of 3 axes, not (?, 8, 8, 3)"),
        (model2(layer2("a" * 500, "ReLU", "x")), "the name of a layer cannot be"),
        (model2(layer2("a", "ReLU", "x"), shape=(None, 0, 8, 3)), "'batch_input_shape'"),
        (model2(layer2("a", "ReLU", "x"), shape=("None", 8)), None),
        (model2(layer2("a", "ReLU", "x"), shape=(None, "8")), "'batch_input_shape'"),
        (model2(layer2("a", "ReLU", "x"), shape=(None, *[2] * 30)), "would return a tensor of shape"),
        (model2(layer2("a", "ReLU", "x"), shape=(None, *[10**9] * 3)), "too large"),
    ],
)
def test_impossible_values_are_refused(document, message):
    if message is None:
        read(document)
    else:
        assert message in refused(document)


def test_unknown_inputs_and_outputs_are_refused():
    for key in ("input_layers", "output_layers"):
        for value in (None, [], {}, 3, [["x"]], [["conv", 0]], [["absent", 0, 0]], [[["x", 0, "0"]]]):
            document = conv()
            document["config"][key] = value
            refused(document)
    twice = conv()
    twice["config"]["input_layers"] *= 2
    assert "each of the model's input layers once" in refused(twice)


def test_control_sequences_in_names_are_escaped():
    document = model2(layer2("a\x1b[2J\nb", "Unheard\x07Of", "x"))
    message = refused(document)
    assert not {"\x1b", "\x07"} & set(message)


@pytest.mark.heavy
def test_exponential_nesting_is_refused_quickly():
    inner = model2(layer2("relu", "ReLU", "x"))["config"]
    for level in range(18):
        calls = [[["x", 0, 0, {}]], *([["nested", 1 + call, 0, {}]] for call in range(9))]
        nested = {"name": "nested", "class_name": "Model", "config": inner, "inbound_nodes": calls}
        inner = model2(nested)["config"] | {"name": f"level{level}", "output_layers": [["nested", 10, 0]]}
    started = time.process_time()
    assert "more than 100,000 layers" in refused({"class_name": "Model", "config": inner})
    assert time.process_time() - started < 20


@pytest.mark.slow
def test_exponential_wrappers_are_refused_quickly():
    layer = {"class_name": "LSTM", "config": {"units": 3, "return_sequences": True}}
    for _ in range(60):
        layer = {"class_name": "Bidirectional", "config": {"layer": layer}}
    document = model2(layer | {"name": "a", "inbound_nodes": [[["x", 0, 0, {}]]]}, shape=(None, 5, 3))
    document["config"]["layers"][1]["config"]["name"] = "a"
    started = time.process_time()
    assert "more than 100,000 layers" in refused(document)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("depth", [30, 400])
def test_too_deep_nesting_is_refused(depth):
    config = model2(layer2("relu", "ReLU", "x"))["config"]
    for _ in range(depth):
        nested = {"name": "n", "class_name": "Model", "config": config, "inbound_nodes": [[["x", 0, 0, {}]]]}
        config = model2(nested)["config"] | {"output_layers": [["n", 1, 0]]}
    assert "nested" in refused({"class_name": "Model", "config": config})


def test_long_chain_and_wide_merge_are_read_quickly():
    chain = [layer2(f"a{index}", "ReLU", f"a{index - 1}" if index else "x") for index in range(20_000)]
    wide = layer2("wide", "Add", *(layer["name"] for layer in chain))
    started = time.process_time()
    assert len(network_of(model2(*chain, wide), {}).layers) == 20_002
    assert time.process_time() - started < 20


def places(value, path=()):
    """Return the path of every value in a parsed text."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


SCRAPS = st.sampled_from(
    [None, True, -1, 0, 1, 2, 3, 10**6, 10**10, 10**400, 0.5, float("nan"), float("inf"), "", "x", "same", "a" * 2000]
) | st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["class_name", "config", "layers", "name", "module"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def read_or_reason(document):
    try:
        return read(document), ""
    except (SourceError, UsageError) as error:
        return None, str(error)


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_samples_to_damage_are_valid(sample):
    assert len(read(SAMPLES[sample])["layers"]) > 4


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_read_or_refused_in_one_line(sample, data):
    document = copy.deepcopy(SAMPLES[sample])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([place for place in places(document) if place]))
        value = document
        for key in path[:-1]:
            value = value[key]
        if data.draw(st.booleans()) and isinstance(value, dict):
            del value[path[-1]]
        else:
            value[path[-1]] = data.draw(SCRAPS)
    descriptor, reason = read_or_reason(document)
    if descriptor is None:
        assert "\n" not in reason
        assert len(reason) < 700
        return
    identity = {"schema_version": 1, "model": "m", "name": "m", "family": "m", "source": "m", "graph": None}
    validate_descriptor(identity | descriptor)
    assert all(number >= 0 for number in extract_features(identity | descriptor).values())
