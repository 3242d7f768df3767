"""Texts of whole Keras models: how layers hang together, and what both generations of Keras write."""

import gzip
import json

import keras
import pytest
from keras import layers, ops

from perfcast.errors import SourceError, UsageError
from perfcast.features.extract import extract_features
from perfcast.formats.keras_json import looks_like_keras, network_of, read_document
from tests.unit.formats.keras_texts import agree, build, chained, described, layer2, model2, read, text_of


def names(descriptor):
    return [layer["name"] for layer in descriptor["layers"]]


def by_name(descriptor):
    return {layer["name"]: layer for layer in descriptor["layers"]}


def test_a_sequential_model():
    agree(lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]))


def test_nested_models_are_flattened_at_each_call():
    def make():
        inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="conv")], name="inner")
        inputs = keras.Input((8, 8, 3), name="input")
        middle = keras.Model(inputs, layers.ReLU(name="relu")(inner(inner(inputs))), name="middle")
        outer = keras.Input((8, 8, 3), name="outer")
        return keras.Model(outer, layers.Add(name="add")([middle(outer), middle(middle(outer))]))

    found = agree(make)
    assert names(found)[:3] == ["outer", "middle/inner/conv", "middle/inner/conv@2"]
    assert sum(layer["parameters"] for layer in found["layers"]) == 12


def test_shared_layers_at_different_depths():
    def make():
        shared, pool = layers.Conv2D(3, 1, name="shared"), layers.MaxPooling2D(name="pool")
        inputs = keras.Input((8, 8, 3), name="input")
        once = shared(inputs)
        twice = shared(pool(once))
        return keras.Model(inputs, [layers.GlobalMaxPooling2D()(twice), layers.GlobalMaxPooling2D()(once)])

    assert by_name(agree(make))["shared@2"]["parameters"] == 0


def test_a_nested_model_called_at_another_shape():
    def make():
        inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(3, 1, name="conv")], name="inner")
        inputs = keras.Input((8, 8, 3), name="input")
        return keras.Model(inputs, inner(layers.MaxPooling2D(name="pool")(inner(inputs))))

    assert by_name(agree(make))["inner/conv@2"]["output_shapes"] == [[4, 4, 3]]


def test_sequence_model_is_read():
    def make():
        inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()])
        return chained((5, 8, 8, 3), layers.Identity())().__class__.from_config(
            keras.Sequential(
                [keras.Input((5, 8, 8, 3)), layers.TimeDistributed(inner), layers.LSTM(3)]
            )._functional.get_config()
        )

    assert agree(make)["layers"][1]["macs"] == 5 * 36 * 27 * 4


def test_several_inputs_and_outputs_named_and_unused():
    def make():
        left, right, unused = (keras.Input((4,), name=name) for name in ("left", "right", "unused"))
        merged = layers.Concatenate()([right, left])
        outputs = {"b": layers.Dense(2)(merged), "a": merged[:, :3]}
        return keras.Model({"right": right, "left": left, "unused": unused}, outputs)

    found = agree(make)
    assert [port["name"] for port in found["inputs"]] == ["left", "right", "unused"]
    assert [port["shape"] for port in found["outputs"]] == [[3], [2]]


def test_unconnected_layers_are_skipped():
    def make():
        inputs = keras.Input((4,), name="input")
        dense = layers.Dense(4, name="dense")
        dense(layers.Dense(4, name="lost")(inputs))
        return keras.Model(inputs, layers.ReLU(name="relu")(dense(inputs)))

    assert names(agree(make)) == ["input", "dense", "relu"]


def test_precision_and_frozen_parts():
    def make():
        inner = keras.Sequential(
            [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()], name="frozen"
        )
        inner.trainable = False
        inputs = keras.Input((8, 8, 3), name="input")
        return keras.Model(inputs, layers.Dense(2, dtype="mixed_float16")(inner(inputs)))

    found = agree(make)
    assert found["outputs"][0]["dtype"] == "float16"
    assert [layer["trainable_parameters"] for layer in found["layers"]] == [0, 0, 0, 10]


def small_cnn(data_format):
    first = data_format == "channels_first"
    axis = 1 if first else -1

    def make():
        keras.config.set_image_data_format(data_format)
        try:
            inputs = keras.Input((3, 16, 20) if first else (16, 20, 3), name="input")
            stem = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(layers.Rescaling(0.5)(inputs))
            stem = layers.ReLU()(layers.BatchNormalization(axis=axis)(stem))
            gate = layers.GlobalAveragePooling2D(keepdims=True)(stem)
            gate = layers.Conv2D(8, 1, activation="sigmoid")(gate)
            tensor = layers.Multiply()([stem, gate])
            other = layers.DepthwiseConv2D(3, padding="same")(tensor)
            tensor = layers.Concatenate(axis=axis)([tensor, layers.SeparableConv2D(4, 3, padding="same")(other)])
            tensor = ops.relu(layers.ZeroPadding2D(1)(tensor)) * 2.0
            tensor = layers.UpSampling2D()(layers.MaxPooling2D()(tensor))
            return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(tensor)))
        finally:
            keras.config.set_image_data_format("channels_last")

    return make


def test_channels_first_costs_as_much_as_channels_last():
    first, last = (agree(small_cnn(f"channels_{place}")) for place in ("first", "last"))
    assert first["input_shape"] == [16, 20, 3]
    assert [layer["output_shapes"] for layer in first["layers"]] == [layer["output_shapes"] for layer in last["layers"]]
    features = [extract_features(descriptor | {"model": "m", "graph": None}) for descriptor in (first, last)]
    assert features[0] == features[1]


def test_open_sizes_come_from_the_user():
    model = build(chained((None, None, 3), layers.Conv2D(4, 3), layers.GlobalMaxPooling2D()))
    text = text_of(model)
    assert read(text, {"": (1, 10, 12, 3)}) == described(model, [(10, 12, 3)])
    assert read(text, {"input": (1, 10, 12, 3)})["input_shape"] == [10, 12, 3]
    for shapes in ({}, {"other": (1, 10, 12, 3)}, {"": (1, 10, 12, 4)}):
        with pytest.raises(UsageError):
            read(text, shapes)


# Keras 2.


def test_keras_2_layer_is_read():
    convolution = layer2(
        "conv", "Conv2D", "x", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same", activation="_relu6",
        data_format="channels_last", dilation_rate=[1, 1], use_bias=False,
        kernel_initializer={"class_name": "EfficientConv2DKernelInitializer", "config": {}},
    )  # fmt: skip
    assert read(model2(convolution))["layers"][1] == {
        "name": "conv", "type": "Conv2D", "inputs": ["x"], "input_shapes": [[8, 8, 3]],
        "output_shapes": [[4, 4, 4]], "kernel": [3, 3], "strides": [2, 2], "dilation": [1, 1], "groups": 1,
        "filters": 4, "units": None, "activation": "relu6", "parameters": 108, "trainable_parameters": 108,
        "macs": 16 * 108,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "config", "expected", "shape"),
    [
        ("Convolution2D", {"filters": 2, "kernel_size": 3}, "Conv2D", [6, 6, 2]),
        ("Deconvolution2D", {"filters": 2, "kernel_size": 3}, "Conv2DTranspose", [10, 10, 2]),
        ("SeparableConvolution2D", {"filters": 2, "kernel_size": 3}, "SeparableConv2D", [6, 6, 2]),
        ("LocallyConnected2D", {"filters": 2, "kernel_size": 3}, "LocallyConnected2D", [6, 6, 2]),
        ("MaxPool2D", {}, "MaxPooling2D", [4, 4, 3]),
        ("AvgPool2D", {"pool_size": [3, 3], "strides": None}, "AveragePooling2D", [2, 2, 3]),
        ("GlobalAvgPool2D", {}, "GlobalAveragePooling2D", [3]),
        ("BatchNormalizationV1", {"axis": [3]}, "BatchNormalization", [8, 8, 3]),
        ("SyncBatchNormalization", {}, "BatchNormalization", [8, 8, 3]),
        ("ThresholdedReLU", {"theta": 1.0}, "ThresholdedReLU", [8, 8, 3]),
        ("FixedDropout", {"rate": 0.2, "noise_shape": [None, 1, 1, 1]}, "Dropout", [8, 8, 3]),
        ("DropConnect", {}, "StochasticDepth", [8, 8, 3]),
        ("Swish", {}, "Activation", [8, 8, 3]),
        ("Custom>HSwish", {}, "Activation", [8, 8, 3]),
        ("Addons>InstanceNormalization", {"axis": 3}, "GroupNormalization", [8, 8, 3]),
        ("Scale", {"axis": -1}, "Scale", [8, 8, 3]),
        ("LRN2D", {"alpha": 0.1}, "LRN2D", [8, 8, 3]),
    ],
)
def test_old_spellings_are_read(kind, config, expected, shape):
    layer = read(model2(layer2("layer", kind, "x", **config)))["layers"][1]
    assert (layer["type"], layer["output_shapes"]) == (expected, [shape])


@pytest.mark.parametrize(
    ("kind", "config", "parameters"),
    [
        ("GRU", {"units": 3}, 3 * 3 * (5 + 3 + 1)),
        ("GRU", {"units": 3, "reset_after": True}, 3 * 3 * (5 + 3 + 2)),
        ("CuDNNLSTM", {"units": 3}, 4 * 3 * (5 + 3 + 2)),
        ("CuDNNGRU", {"units": 3}, 3 * 3 * (5 + 3 + 2)),
    ],
)
def test_recurrent_layers_of_keras_2(kind, config, parameters):
    layer = read(model2(layer2("rnn", kind, "x", **config), shape=(None, 7, 5)))["layers"][1]
    assert (layer["type"], layer["parameters"]) == (kind.removeprefix("CuDNN"), parameters)
    assert layer["output_shapes"] == [[3]]


def test_lambda_with_an_output_shape_is_read():
    found = layer2("one", "Lambda", "x", output_shape=[4, 4, 5], output_shape_type="raw", function=["…", None, None])
    assert read(model2(found))["layers"][1]["output_shapes"] == [[4, 4, 5]]


@pytest.mark.parametrize("told", [None, [None, 4, 5], "shape_of", {"class_name": "__lambda__", "config": {}}, []])
def test_lambda_without_an_output_shape_is_refused_by_name(told):
    text = model2(layer2("conv2_split", "Lambda", "x", output_shape=told))
    with pytest.raises(SourceError, match="layer 'conv2_split' is a Lambda whose output shape the text does not give"):
        read(text)


@pytest.mark.parametrize("module", [{}, {"module": "my.layers", "registered_name": "My>Dense"}, {"module": None}])
def test_custom_classes_are_refused_by_name(module):
    kind = "Dense" if module else "CapsuleLayer"
    text = model2(layer2("caps", kind, "x", units=3) | module)
    with pytest.raises(SourceError, match=f"layer 'caps' is a {kind}, a type whose output shape is not known"):
        read(text)


def nested2(name, kind, calls, first):
    """Return a nested model of one dense layer as Keras 2 wrote it, called on the tensors `calls`."""
    inner = model2(layer2("dense", "Dense", "x", units=4), shape=(None, 4))["config"]
    dense = {"class_name": "Dense", "config": {"name": "dense", "units": 4, "batch_input_shape": [None, 4]}}
    config = {"name": name, "layers": [dense]} if kind == "Sequential" else inner | {"name": name}
    return {
        "name": name, "class_name": kind, "config": config,
        "inbound_nodes": [[[*(["x", 0] if call is None else [name, first + call]), 0, {}]] for call in calls],
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "first"), [("Model", 1), ("Functional", 1), ("Sequential", 1), ("Sequential", 0)])
def test_calls_of_nested_models_are_counted(kind, first):
    text = model2(
        nested2("inner", kind, [None, 0], first), layer2("relu", "ReLU", ["inner", first + 1, 0, {}]), shape=(None, 4)
    )
    found = read(text)
    assert names(found) == ["x", "inner/dense", "inner/dense@2", "relu"]
    assert [layer["parameters"] for layer in found["layers"]] == [0, 20, 0, 0]
    assert found["layers"][3]["inputs"] == ["inner/dense@2"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("key", ["batch_input_shape", "batch_shape", "build_input_shape"])
def test_keras_2_sequential_input_is_found_anywhere(listed, key):
    first = {"class_name": "Dense", "config": {"name": "dense", "units": 4}}
    config = {"name": "seq", "layers": [first, {"class_name": "ReLU", "config": {"name": "relu"}}]}
    (config if key == "build_input_shape" else first["config"])[key] = [None, 6]
    if listed and key == "build_input_shape":
        return
    found = read({"class_name": "Sequential", "config": config["layers"] if listed else config})
    assert names(found) == ["dense_input", "dense", "relu"]
    assert found["layers"][1]["parameters"] == 28


def test_sequential_model_without_input_needs_a_given_shape():
    text = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"name": "dense", "units": 4}}]}
    assert read(text, {"": (1, 6)})["layers"][1]["macs"] == 24
    with pytest.raises(UsageError, match="open shape"):
        read(text)


def test_arguments_by_name_and_constants_of_tf_keras():
    text = model2(
        layer2("key", "Dense", "x", units=6),
        layer2("attention", "MultiHeadAttention", ["x", 0, 0, {"value": ["key", 0, 0]}], num_heads=2, key_dim=3),
        layer2("add", "Add", "attention", ["_CONSTANT_VALUE", -1, [[1.0]], {}]),
        shape=(None, 5, 4),
    )
    found = by_name(read(text))
    assert found["attention"]["inputs"] == ["x", "key"]
    assert found["attention"]["parameters"] == 6 * (4 + 1) + 2 * 6 * (6 + 1) + 4 * 6 + 4
    assert found["add"]["output_shapes"] == [[5, 4]]


def function2(layer, function, first, /, **options):
    """Return a call of a function of TensorFlow on one or several tensors as tf.keras wrote it."""
    node = [first, 0, 0, options] if isinstance(first, str) else [[item, 0, 0, options] for item in first]
    config = {"name": layer, "trainable": True, "dtype": "float32", "function": function}
    kind = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
    return {"name": layer, "class_name": kind, "config": config, "inbound_nodes": [node]}


@pytest.mark.parametrize(
    ("layer", "kind", "shape"),
    [
        (function2("op", "math.multiply", "x", y=2.0, name=None), "Multiply", [8, 8, 3]),
        (function2("op", "__operators__.add", "x", y=["x", 0, 0], name=None), "Add", [8, 8, 3]),
        (function2("op", "nn.relu6", "x", name=None), "Relu6", [8, 8, 3]),
        (function2("op", "math.reduce_mean", "x", axis=[1, 2], keepdims=True, name=None), "Mean", [1, 1, 3]),
        (function2("op", "reshape", "x", shape=[-1, 64, 3], name=None), "Reshape", [64, 3]),
        (function2("op", "transpose", "x", perm=[0, 3, 1, 2], name=None), "Transpose", [3, 8, 8]),
        (function2("op", "concat", ["x", "x"], axis=-1, name="concat"), "Concatenate", [8, 8, 6]),
        (function2("op", "split", "x", num_or_size_splits=[1, 2], axis=3, num=None, name="s"), "Split", [8, 8, 1]),
        (function2("op", "cast", "x", dtype="float16", name=None), "Cast", [8, 8, 3]),
        (function2("op", "image.resize", "x", size=[5, 6], method="bilinear"), "Resize", [5, 6, 3]),
        (function2("op", "pad", "x", paddings=[[0, 0], [1, 1], [2, 2], [0, 0]], mode="CONSTANT"), "Pad", [10, 12, 3]),
        (function2("op", "linalg.matmul", "x", b=["x", 0, 0], transpose_b=True), "Matmul", [8, 8, 8]),
        (function2("op", "compat.v1.shape", "x", name=None, out_type="int32"), "Shape", []),
        (
            function2(
                "op", "__operators__.getitem", "x",
                slice_spec=[{"start": None, "stop": None, "step": None}, {"start": 1, "stop": None, "step": 2}, 0],
            ),
            "GetItem", [4, 3],
        ),
    ],
)  # fmt: skip
def test_functions_of_tensorflow(layer, kind, shape):
    found = read(model2(layer))["layers"][1]
    assert (found["type"], found["output_shapes"][0]) == (kind, shape)


@pytest.mark.parametrize(
    ("definition", "constants", "kind", "shape"),
    [
        ({"op": "AddV2", "input": ["x", "y"]}, {"1": 3.0}, "Add", [8, 8, 3]),
        ({"op": "Relu6", "input": ["x"]}, {}, "Relu6", [8, 8, 3]),
        ({"op": "Mean", "attr": {"keep_dims": {"b": True}}}, {"1": [1, 2]}, "Mean", [1, 1, 3]),
        ({"op": "Reshape"}, {"1": [-1, 192]}, "Reshape", [192]),
        ({"op": "ResizeBilinear"}, {"1": [4, 4]}, "Resize", [4, 4, 3]),
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_nodes_of_graphs(definition, constants, kind, shape, as_text):
    node = json.dumps(definition) if as_text else definition
    layer = layer2("op", "TensorFlowOpLayer", "x", node_def=node, constants=constants)
    found = read(model2(layer))["layers"][1]
    assert (found["type"], found["output_shapes"][0]) == (kind, shape)


def test_unknown_function_is_refused_by_name():
    with pytest.raises(SourceError, match=r"layer 'op' is tf\.signal.fft2d, whose output shape is not known"):
        read(model2(function2("op", "signal.fft2d", "x")))


def test_compressed_files_are_read(tmp_path):
    text = json.dumps(model2(layer2("flat", "Flatten", "x")))
    (tmp_path / "plain.json").write_text(text)
    (tmp_path / "packed.json.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = (network_of(read_document(tmp_path / name), {}) for name in ("plain.json", "packed.json.gz"))
    assert plain.descriptor() == packed.descriptor()


def test_keras_json_is_distinguished_from_descriptors():
    assert looks_like_keras(model2(layer2("flat", "Flatten", "x")))
    for other in (None, [], "text", {}, {"class_name": 3, "config": {}}, {"schema_version": 1, "layers": []}):
        assert not looks_like_keras(other)
