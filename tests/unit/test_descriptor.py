"""Descriptors: what is in them, exact multiply-accumulates, and what is refused."""

import copy

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from perfcast.errors import DataError, SourceError, UsageError
from perfcast.formats.keras_json.live import network_of_live
from perfcast.network.descriptor import validate_descriptor
from tests.unit.descriptors import chain, described

pytestmark = pytest.mark.heavy


def small_network():
    inputs = keras.Input((8, 8, 3), name="input")
    tensor = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="conv")(inputs)
    branch = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(tensor)
    branch = layers.BatchNormalization(name="bn")(branch)
    tensor = layers.Add(name="add")([tensor, branch])
    tensor = layers.Flatten(name="flatten")(tensor)
    return keras.Model(inputs, layers.Dense(10, activation="softmax", name="dense")(tensor))


def by_name(descriptor):
    return {layer["name"]: layer for layer in descriptor["layers"]}


def test_layers_of_a_small_network():
    descriptor = described(small_network)
    validate_descriptor(descriptor)
    assert descriptor["layers"][0]["type"] == "InputLayer"
    assert by_name(descriptor)["conv"] == {
        "name": "conv",
        "type": "Conv2D",
        "inputs": ["input"],
        "input_shapes": [[8, 8, 3]],
        "output_shapes": [[4, 4, 4]],
        "kernel": [3, 3],
        "strides": [2, 2],
        "dilation": [1, 1],
        "groups": 1,
        "filters": 4,
        "units": None,
        "activation": "relu",
        "parameters": 3 * 3 * 3 * 4 + 4,
        "trainable_parameters": 3 * 3 * 3 * 4 + 4,
        "macs": 16 * 27 * 4,
    }
    depthwise, bn, dense = (by_name(descriptor)[name] for name in ("depthwise", "bn", "dense"))
    assert (depthwise["groups"], depthwise["filters"], depthwise["macs"]) == (4, 4, 16 * 9 * 4)
    assert (bn["parameters"], bn["trainable_parameters"], bn["macs"]) == (16, 8, 0)
    assert (bn["kernel"], bn["groups"], bn["activation"]) == (None, None, None)
    assert (dense["units"], dense["macs"], dense["parameters"]) == (10, 640, 650)
    assert by_name(descriptor)["add"]["inputs"] == ["conv", "bn"]
    assert descriptor["inputs"] == [{"name": "input", "shape": [8, 8, 3], "dtype": "float32"}]
    assert descriptor["outputs"] == [{"name": "dense", "shape": [10], "dtype": "float32"}]


def test_nested_networks_are_flattened_and_linked_by_name():
    def make():
        inner = chain((8, 8, 3), layers.Conv2D(2, 1, name="conv"), layers.ReLU(name="relu"))
        outer = keras.Sequential([inner, layers.Flatten(name="flat")], name="outer")
        inner.name = "inner"
        return chain((8, 8, 3), outer, layers.Dense(1, name="head"))

    names = by_name(described(make))
    assert list(names) == ["input", "outer/inner/conv", "outer/inner/relu", "outer/flat", "head"]
    assert names["outer/inner/conv"]["inputs"] == ["input"]
    assert names["outer/flat"]["inputs"] == ["outer/inner/relu"]
    assert names["head"]["inputs"] == ["outer/flat"]


def test_shared_layer_is_listed_per_call_with_weights_once():
    def make():
        shared = layers.Conv2D(3, 1, name="shared")
        return chain((8, 8, 3), shared, layers.MaxPooling2D(name="pool"), shared)

    names = by_name(described(make))
    assert list(names) == ["input", "shared", "pool", "shared@2"]
    assert [names[name]["parameters"] for name in ("shared", "shared@2")] == [12, 0]
    assert [names[name]["macs"] for name in ("shared", "shared@2")] == [64 * 9, 16 * 9]


def test_shared_network_has_the_shapes_of_each_call():
    def make():
        inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(3, 1, name="conv")], name="inner")
        return chain((8, 8, 3), inner, layers.MaxPooling2D(name="pool"), inner)

    names = by_name(described(make))
    assert names["inner/conv"]["output_shapes"] == [[8, 8, 3]]
    assert names["inner/conv@2"]["output_shapes"] == [[4, 4, 3]]


def test_operations_without_a_layer_are_listed():
    def make():
        inputs = keras.Input((8, 8, 3), name="input")
        return keras.Model(inputs, keras.ops.relu(inputs * 2.0 + inputs))

    kinds = [layer["type"] for layer in described(make)["layers"]]
    assert kinds == ["InputLayer", "Multiply", "Add", "Relu"]


def test_open_size_comes_from_the_spec():
    descriptor = described(lambda: chain((None, None, 3), layers.Conv2D(2, 3, name="conv")), (10, 12, 3))
    assert by_name(descriptor)["conv"]["output_shapes"] == [[8, 10, 2]]


@pytest.mark.parametrize(
    ("shape", "layer", "macs"),
    [
        ((20, 4), layers.Conv1D(6, 3, groups=2), 18 * 3 * 2 * 6),
        ((9, 9, 4), layers.Conv2D(6, 3, dilation_rate=2), 25 * 9 * 4 * 6),
        ((9, 9, 4), layers.Conv2D(8, (1, 3), groups=4), 9 * 7 * 3 * 1 * 8),
        ((4, 5, 6, 2), layers.Conv3D(3, 2), 3 * 4 * 5 * 8 * 2 * 3),
        ((5, 5, 4), layers.Conv2DTranspose(6, 3, strides=2), 25 * 9 * 4 * 6),
        ((9, 9, 4), layers.DepthwiseConv2D(3, depth_multiplier=2), 49 * 9 * 8),
        ((9, 9, 4), layers.SeparableConv2D(6, 3, depth_multiplier=2), 49 * (9 * 8 + 8 * 6)),
        ((7, 5), layers.Dense(3), 7 * 5 * 3),
        ((7, 5), layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4)), 7 * 5 * 8),
        ((7, 5), layers.EinsumDense("...x,xy->...y", output_shape=3), 7 * 5 * 3),
        ((7, 5), layers.LSTM(3), 7 * 4 * (5 * 3 + 3 * 3)),
        ((7, 5), layers.GRU(3, return_sequences=True), 7 * 3 * (5 * 3 + 3 * 3)),
        ((7, 5), layers.SimpleRNN(3), 7 * (5 * 3 + 3 * 3)),
        ((7, 5), layers.Bidirectional(layers.LSTM(3)), 2 * 7 * 4 * (5 * 3 + 3 * 3)),
        ((7, 5), layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]), 7 * (4 * 3 * (5 + 3) + 3 * 2 * (3 + 2))),
        ((6, 9, 9, 4), layers.ConvLSTM2D(2, 3), 6 * 49 * 9 * (4 + 2) * 4 * 2),
        ((6, 9, 9, 4), layers.TimeDistributed(layers.Conv2D(2, 3)), 6 * 49 * 9 * 4 * 2),
        ((9, 9, 4), layers.MaxPooling2D(), 0),
    ],
)
def test_multiply_accumulates_by_hand(shape, layer, macs):
    def make():
        keras.backend.clear_session(free_memory=False)
        return chain(shape, layer.from_config(layer.get_config()))

    assert described(make, shape)["layers"][-1]["macs"] == macs


@pytest.mark.parametrize(("axes", "attended"), [(None, 6), ((1,), 6)])
def test_attention_by_hand(axes, attended):
    def make():
        query, value = keras.Input((4, 8), name="query"), keras.Input((6, 10), name="value")
        attention = layers.MultiHeadAttention(2, 3, value_dim=5, attention_axes=axes, name="attention")
        return keras.Model([query, value], attention(query, value))

    projections = 4 * 8 * 6 + 6 * 10 * 6 + 6 * 10 * 10 + 4 * 10 * 8
    macs = by_name(described(make))["attention"]["macs"]
    assert macs == projections + 4 * attended * 2 * (3 + 5)


@pytest.mark.parametrize(
    ("attention", "macs"),
    [
        (layers.Attention(), 4 * 6 * (8 + 8)),
        (layers.GroupQueryAttention(3, 4, 2), 4 * 8 * 12 * 2 + 6 * 16 * 6 + 4 * 6 * 4 * (3 + 3)),
    ],
)
def test_other_attention_by_hand(attention, macs):
    def make():
        query, value = keras.Input((4, 8), name="query"), keras.Input((6, 8), name="value")
        layer = type(attention).from_config(attention.get_config() | {"name": "attention"})
        read = [[query, value]] if isinstance(layer, layers.Attention) else [query, value]
        return keras.Model([query, value], layer(*read))

    assert by_name(described(make))["attention"]["macs"] == macs


def test_sequence_network_counts_macs_per_step():
    def make():
        inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3), layers.Conv2D(2, 1)])
        return chain((5, 8, 8, 3), layers.TimeDistributed(inner, name="each"))

    macs = by_name(described(make, (5, 8, 8, 3)))["each"]["macs"]
    assert macs == 5 * 36 * (9 * 3 * 4 + 4 * 2)


def test_channels_that_come_first_are_described_last():
    def make():
        first = {"data_format": "channels_first"}
        inputs = keras.Input((3, 8, 10), name="input")
        tensor = layers.Conv2D(4, 3, groups=1, name="conv", **first)(layers.ReLU(name="relu")(inputs))
        tensor = layers.DepthwiseConv2D(3, name="depthwise", **first)(tensor)
        return keras.Model(inputs, layers.GlobalMaxPooling2D(name="pool", **first)(tensor))

    descriptor = described(make, (3, 8, 10))
    validate_descriptor(descriptor)
    assert descriptor["input_shape"] == [8, 10, 3]
    shapes = {layer["name"]: layer["output_shapes"][0] for layer in descriptor["layers"]}
    assert shapes == {"input": [8, 10, 3], "relu": [8, 10, 3], "conv": [6, 8, 4], "depthwise": [4, 6, 4], "pool": [4]}
    assert [by_name(descriptor)[name]["macs"] for name in ("conv", "depthwise")] == [48 * 27 * 4, 24 * 9 * 4]


def test_model_without_a_layer_graph_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(SourceError, match="only functional and sequential networks"):
        network_of_live(Subclassed(), {})
    with pytest.raises(UsageError, match=r"has the shape .*, not 1,9,9,3"):
        described(small_network, (9, 9, 3))


@pytest.fixture(scope="module")
def whole():
    return described(small_network)


def changed(whole, change):
    descriptor = copy.deepcopy(whole)
    change(descriptor)
    return descriptor


def put(index, key, value):
    return lambda descriptor: descriptor["layers"][index].__setitem__(key, value)


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("layers"), "'layers' is a required property"),
        (lambda d: d.__setitem__("schema_version", 0), "['schema_version']: 1 was expected"),
        (lambda d: d.__setitem__("schema_version", 2), "written by a newer perfcast; update perfcast to read it"),
        (lambda d: d.update(schema_version=10**5000, new=1), "written by a newer perfcast"),
        (lambda d: d.__setitem__("model", "a\x1b[2J"), "['model']: 'a\\x1b[2J' does not match; a name"),
        (lambda d: d.__setitem__("name", "a\n"), "['name']: 'a\\n' does not match; a name holds no control characters"),
        (lambda d: d.__setitem__("family", "\udcff"), "['family']: '\\udcff' does not match"),
        (put(1, "name", "a\nb\x00"), "['layers'][1]['name']: 'a\\nb\\x00' does not match"),
        (put(1, "activation", "\x9b"), "['layers'][1]['activation']"),
        (put(1, "kernel", nested(100_000)), "descriptor"),
        (lambda d: d.__setitem__("layers", []), "['layers']"),
        (lambda d: d.__setitem__("extra", 1), "unknown key extra; known are family"),
        (put(1, "macs", -1), "['layers'][1]['macs']: -1 is less"),
        (put(1, "macs", 10**30), "['layers'][1]['macs']"),
        (put(1, "macs", 3.0), "3.0 is not of type 'integer'"),
        (put(1, "macs", True), "True is not of type 'integer'"),
        (put(1, "output_shapes", [[10**9, 10**9]]), "is too large"),
        (put(1, "kernel", [0, 3]), "['kernel'][0]"),
        (put(1, "name", "x" * 1000), "['layers'][1]['name']"),
        (put(1, "inputs", ["dense"]), "reads 'dense', which is not a layer before it"),
        (put(1, "inputs", ["conv"]), "reads 'conv', which is not a layer before it"),
        (put(1, "inputs", []), "as many input_shapes as inputs"),
        (put(1, "input_shapes", [[9, 9, 3]]), "which 'input' does not return"),
        (put(1, "trainable_parameters", 10_000), "more trainable"),
        (put(2, "name", "conv"), "two layers are named 'conv'"),
        (lambda d: d["outputs"][0].__setitem__("name", "nothing"), "no layer 'nothing'"),
    ],
)
def test_hostile_descriptors_are_refused_in_one_line(whole, change, message):
    with pytest.raises(DataError) as caught:
        validate_descriptor(changed(whole, change))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [None, [], 3, "x", {}])
def test_file_without_a_descriptor_is_refused(value):
    with pytest.raises(DataError, match="descriptor"):
        validate_descriptor(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_value_anywhere_is_accepted_or_refused(whole, data):
    descriptor = copy.deepcopy(whole)
    layer = data.draw(st.sampled_from(descriptor["layers"]))
    layer[data.draw(st.sampled_from(sorted(layer)))] = data.draw(json_values)
    try:
        validate_descriptor(descriptor)
    except DataError:
        return
    from perfcast.features.extract import extract_features

    assert all(value >= 0 for value in extract_features(descriptor).values())
