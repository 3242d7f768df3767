"""Functions of TensorFlow in texts of Keras 2, on constants and on sizes that are computed; and what archives hold."""

import json

import keras
import pytest
from keras import layers

from perfcast.errors import SourceError, UsageError
from perfcast.formats.keras_json import refusal_of
from tests.unit.formats.keras_texts import layer2, model2, read, text_of

X = ["x", 0, 0]


def constant(*shape):
    """Return a tensor of ones as a text spells it out."""
    values = 1.0
    for size in reversed(shape):
        values = [values] * size
    return values


def function2(name, function, *tensors, **options):
    """Return a call of a function; its first argument is a list where there are several tensors."""
    nodes = [
        ["_CONSTANT_VALUE", -1, item, options] if isinstance(item, list) else [item, 0, 0, options] for item in tensors
    ]
    kind = "SlicingOpLambda" if function.endswith("getitem") else "TFOpLambda"
    inbound = [nodes if len(nodes) > 1 else nodes[0]]
    return {"name": name, "class_name": kind, "config": {"name": name, "function": function}, "inbound_nodes": inbound}


def last(*listed, shape=(8, 4)):
    return read(model2(*listed, shape=(None, *shape)))["layers"][-1]


@pytest.mark.parametrize(
    ("read_shape", "layer", "shape"),
    [
        ((5, 4), function2("op", "concat", "x", constant(1, 2, 4), axis=1), [7, 4]),
        ((5, 4), function2("op", "concat", constant(1, 2, 4), "x", axis=1), [7, 4]),
        ((1, 4), function2("op", "math.multiply", "x", y=constant(6, 4)), [6, 4]),
        ((1, 4), function2("op", "math.subtract", constant(6, 4), y=X), [6, 4]),
        ((1, 4), function2("op", "math.maximum", "x", y=constant(6, 4)), [6, 4]),
        ((1, 4), function2("op", "math.add", "x", y=[1, 2, 3, 4]), [1, 4]),
        ((8, 1), function2("op", "where", "x", x=constant(8, 4), y=0.0), [8, 4]),
        ((8, 1), function2("op", "where", constant(1, 8, 1), x=X, y=constant(8, 4)), [8, 4]),
        ((8, 4), function2("op", "linalg.matmul", "x", b=constant(4, 6)), [8, 6]),
        ((8, 4), function2("op", "linalg.matmul", constant(3, 8), b=X), [3, 4]),
        ((8, 4), function2("op", "linalg.matmul", "x", b=constant(6, 4), transpose_b=True), [8, 6]),
        ((8, 4), function2("op", "linalg.matmul", constant(8, 3), b=X, transpose_a=True), [3, 4]),
        ((8, 4), function2("op", "tensordot", "x", b=constant(8, 3), axes=[[1], [0]]), [4, 3]),
        ((3,), function2("op", "compat.v1.gather", constant(10, 6), indices=X), [3, 6]),
        ((3,), function2("op", "compat.v1.gather", constant(10, 6), indices=X, axis=1), [1, 3]),
        ((8, 4), function2("op", "compat.v1.gather", "x", indices=[0, 2], axis=1), [2, 4]),
        ((8, 4), function2("op", "compat.v1.gather", "x", indices=[[0, 1], [1, 2]], axis=-1), [8, 2, 2]),
        ((8, 4), function2("op", "compat.v1.gather", "x", indices=2, axis=1), [4]),
        ((8, 4), function2("op", "compat.v1.gather", "x", indices=constant(1, 3), batch_dims=1), [3, 4]),
        ((8, 4), function2("op", "compat.v1.gather", "x", indices=constant(1, 3), axis=2, batch_dims=1), [8, 3]),
        ((8, 4), function2("op", "math.argmax", "x"), [4]),
        ((8, 4), function2("op", "stop_gradient", "x"), [8, 4]),
        ((8, 4), function2("op", "math.greater_equal", "x", y=0.0), [8, 4]),
        ((8, 4), function2("op", "math.logical_and", "x", y=X), [8, 4]),
        ((8, 4), function2("op", "math.logical_not", "x"), [8, 4]),
        ((8, 4), function2("op", "math.not_equal", "x", y=0), [8, 4]),
        ((8, 4), function2("op", "math.top_k", "x", k=2), [8, 2]),
        ((8, 4), function2("op", "math.reduce_any", "x", axis=1), [4]),
        ((8, 4), function2("op", "math.reduce_all", "x", axis=-1, keepdims=True), [8, 1]),
        ((8, 4), function2("op", "keras.backend.batch_flatten", "x"), [32]),
        ((8, 8, 4), function2("op", "slice", "x", begin=[0, 1, 1, 0], size=[-1, 3, 3, 2]), [3, 3, 2]),
        ((8, 8, 4), function2("op", "nn.avg_pool2d", "x", ksize=2, strides=2, padding="SAME"), [4, 4, 4]),
        ((8, 8, 4), function2("op", "nn.max_pool2d", "x", ksize=[3, 3], strides=[1, 1], padding="VALID"), [6, 6, 4]),
        (
            (8, 8, 4),
            function2("op", "nn.avg_pool2d", "x", ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID"),
            [4, 4, 4],
        ),
        (
            (4, 8, 8),
            function2("op", "nn.max_pool2d", "x", ksize=2, strides=2, padding="SAME", data_format="NCHW"),
            None,
        ),
        (
            (8, 8, 4),
            function2("op", "nn.conv2d", "x", filter=constant(3, 3, 4, 5), strides=1, padding="SAME"),
            [8, 8, 5],
        ),
        (
            (8, 8, 4),
            function2("op", "nn.depthwise_conv2d", "x", filter=constant(3, 3, 4, 2), strides=[1] * 4, padding="SAME"),
            [8, 8, 8],
        ),
    ],
)
def test_functions_on_constants_and_by_their_own_names(read_shape, layer, shape):
    found = last(layer, shape=read_shape)["output_shapes"][0]
    assert sorted(found) == [4, 4, 4] if shape is None else found == shape


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (function2("op", "linalg.matmul", "x", b=constant(4, 6)), 8 * 4 * 6),
        (function2("op", "tensordot", "x", b=constant(4, 3), axes=1), 8 * 4 * 3),
        (function2("op", "nn.conv1d", "x", filters=constant(3, 4, 5), stride=1, padding="VALID"), 6 * 60),
    ],
)
def test_functions_that_multiply_are_counted(layer, macs):
    assert last(layer)["macs"] == macs


def test_constants_take_the_type_of_the_other_operand():
    cast = function2("half", "cast", "x", dtype="float16")
    times = function2("op", "math.multiply", "half", y=constant(8, 4))
    assert read(model2(cast, times, shape=(None, 8, 4)))["outputs"][0]["dtype"] == "float16"


SIZES = (
    function2("shape", "compat.v1.shape", "x"),
    function2("batch", "__operators__.getitem", "shape", slice_spec=0),
    function2("side", "__operators__.getitem", "shape", slice_spec=1),
    function2("sides", "__operators__.getitem", "shape", slice_spec={"start": 1, "stop": 3, "step": None}),
    function2("double", "math.multiply", "side", y=2),
    function2("pair", "stack", "double", "side"),
)
BATCH, SIDE, SIDES, DOUBLE, PAIR = ([name, 0, 0] for name in ("batch", "side", "sides", "double", "pair"))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (function2("op", "reshape", "x", shape=[BATCH, -1]), [256]),
        (function2("op", "reshape", "x", shape=[BATCH, DOUBLE, 16]), [16, 16]),
        (function2("op", "tile", constant(1, 3), multiples=[BATCH, 2]), [6]),
        (function2("op", "broadcast_to", constant(1, 1, 4), shape=[BATCH, 2, 4]), [2, 4]),
        (function2("op", "image.resize", "x", size=SIDES), [8, 8, 4]),
        (function2("op", "image.resize", "x", size=[DOUBLE, SIDE]), [16, 8, 4]),
        (function2("op", "image.resize", "x", size=PAIR), [16, 8, 4]),
    ],
)
def test_dynamic_sizes_are_computed(layer, shape):
    assert last(*SIZES, layer, shape=(8, 8, 4))["output_shapes"] == [shape]


def test_a_class_token_made_of_zeros():
    zeros = function2("zeros", "zeros", "batch", 1)
    zeros["inbound_nodes"] = [[["batch", 0, 0, {}], ["_CONSTANT_VALUE", -1, 1, {}]]]
    table = layer2("table", "Embedding", "zeros", input_dim=1, output_dim=4)
    joined = function2("op", "concat", "table", "x", axis=1)
    assert last(*SIZES[:2], zeros, table, joined)["output_shapes"] == [[9, 4]]


@pytest.mark.parametrize(
    "layer",
    [
        function2("op", "image.resize", "x", size=["x", 0, 0]),
        function2("op", "zeros", "x"),
        function2("op", "compat.v1.gather", "x", indices=[0], axis=9),
        function2("op", "linalg.matmul", "x", b=[[1.0, "a"]]),
        function2("op", "math.floordiv", "side", y=0),
    ],
)
def test_unknown_sizes_are_refused_by_layer_name(layer):
    text = model2(*SIZES, layer, function2("last", "image.resize", "x", size=[["op", 0, 0], 4]), outputs=["last"])
    with pytest.raises(SourceError, match=r"layer '(op|last)'"):
        read(text)


def test_einsum_without_recorded_operands_is_read():
    text = model2(function2("op", "einsum", "x"))
    text["config"]["layers"][1]["inbound_nodes"] = [["_CONSTANT_VALUE", -1, "bij,jk->bik", {}]]
    with pytest.raises(SourceError, match=r"the text does not record what layer 'op' \(tf.einsum\) reads"):
        read(text)


def test_a_fixed_batch_is_refused():
    flat = layer2("flat", "Flatten", "x")
    assert read(model2(flat, shape=(1, 8, 4)))["outputs"][0]["shape"] == [32]
    with pytest.raises(UsageError, match="8"):
        read(model2(flat, shape=(8, 8, 4)))


class My(layers.Layer):
    def call(self, inputs):
        return inputs


def twice(tensor):
    return 2 * tensor


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (My(name="my"), "layer 'my' is a My, which is not a layer of Keras"),
        (layers.Lambda(lambda t: t, name="crop"), "layer 'crop' is a Lambda, which is code"),
        (layers.Dense(3, activation=lambda t: t, name="dense"), "layer 'dense' has a lambda, which is code"),
        (
            layers.Dense(3, activation=twice, name="dense"),
            "layer 'dense' has the function 'twice', which is not part of Keras",
        ),
        (layers.Bidirectional(layers.LSTM(3), name="fine"), None),
        (layers.Dense(3, activation="gelu", kernel_regularizer="l2", dtype="mixed_float16"), None),
    ],
)
def test_unloadable_layer_is_named(layer, reason):
    text = text_of(keras.Sequential([keras.Input((5, 4), name="input")]))
    text["config"]["layers"].append(json.loads(json.dumps(keras.saving.serialize_keras_object(layer))))
    assert refusal_of(text) == reason


def test_crafted_documents_are_searched_safely():
    deep = {"class_name": "Dense", "config": {}}
    for _ in range(5000):
        deep = {"config": {"layers": [deep]}, "class_name": "Model"}
    assert refusal_of(deep) is None
    for scrap in (None, 3, [], {"class_name": 3}, {"class_name": "A", "config": 3, "module": []}):
        assert refusal_of(scrap) is None
