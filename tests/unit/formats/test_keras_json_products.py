"""Products of tensors, attention, adapted and quantised layers: counted alike from live models and from texts."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from perfcast.errors import SourceError
from tests.unit.formats.keras_texts import agree, build, chained, read, text_of

pytestmark = pytest.mark.heavy


def of_two(compute, first=(6, 4), second=(4, 5)):
    def make():
        inputs = [keras.Input(first, name="first"), keras.Input(second, name="second")]
        return keras.Model(inputs, compute(*inputs))

    return make


def macs(make):
    return agree(make)["layers"][-1]["macs"]


# Keras itself compares an open batch to a number.
@pytest.mark.filterwarnings("ignore:NotImplemented should not be used:DeprecationWarning")
@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (ops.matmul, 6 * 4 * 5),
        (lambda x, y: x @ y, 6 * 4 * 5),
        (lambda x, y: ops.matmul(x1=x, x2=y), 6 * 4 * 5),
        (lambda x, y: ops.einsum("bij,bjk->bik", x, y), 6 * 4 * 5),
        (lambda x, y: ops.einsum("b...j,bjk->b...k", x, y), 6 * 4 * 5),
        (lambda x, y: ops.einsum("bij->bji", x), 0),
        (lambda x, y: ops.tensordot(x, np.ones((4, 3), "float32"), axes=1), 6 * 4 * 3),
        (lambda x, y: ops.tensordot(x, np.ones((4, 3), "float32"), axes=[[2], [0]]), 6 * 4 * 3),
        (lambda x, y: ops.matmul(x, np.ones((4, 3), "float32")), 6 * 4 * 3),
        (lambda x, y: ops.matmul(np.ones((3, 6), "float32"), x), 3 * 6 * 4),
        (lambda x, y: ops.dot(x, ops.ones((4, 3))), 6 * 4 * 3),
        (lambda x, y: layers.Dot(axes=(2, 1))([x, y]), 6 * 4 * 5),
        (lambda x, y: layers.Dot(axes=-1)([x, ops.transpose(y, (0, 2, 1))]), 6 * 4 * 5),
    ],
)
def test_products(compute, expected):
    assert macs(of_two(compute)) == expected


def test_products_of_stacks_of_matrices():
    assert macs(of_two(ops.matmul, (3, 6, 4), (1, 4, 5))) == 3 * 6 * 4 * 5


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: ops.conv(x, np.ones((3, 2, 4, 5), "float32"), 2, "same"), 25 * 3 * 2 * 4 * 5),
        (lambda x: ops.depthwise_conv(x, np.ones((3, 3, 4, 2), "float32"), 1, "valid"), 56 * 9 * 4 * 2),
        (
            lambda x: ops.separable_conv(x, np.ones((3, 3, 4, 1), "float32"), np.ones((1, 1, 4, 5), "float32"), 1),
            56 * (9 * 4 + 4 * 5),
        ),
    ],
)
def test_convolutions_of_given_kernels(compute, expected):
    def make():
        inputs = keras.Input((9, 10, 4))
        return keras.Model(inputs, compute(inputs))

    assert macs(make) == expected


def test_attention_that_is_no_layer():
    def make():
        query, key, value = keras.Input((6, 2, 8)), keras.Input((7, 2, 8)), keras.Input((7, 2, 8))
        returned = ops.dot_product_attention(query=query, key=key, value=value, flash_attention=False)
        return keras.Model([query, key, value], returned)

    assert macs(make) == 6 * 7 * 2 * (8 + 8)


def test_constants_are_operands():
    def make():
        inputs = keras.Input((5, 4))
        joined = ops.concatenate([inputs, np.zeros((1, 2, 4), "float32")], axis=1)
        return keras.Model(inputs, ops.maximum(joined[:, :1], np.ones((6, 4), "float32")))

    assert agree(make)["outputs"][0]["shape"] == [6, 4]


@pytest.mark.parametrize(
    ("shape", "inner"),
    [
        ((9, 10, 4), layers.Conv2D(6, 3, strides=2, activation="relu")),
        ((9, 10, 4), layers.Conv2D(6, 3, groups=2, dilation_rate=2)),
        ((4,), layers.Dense(3, activation="tanh")),
    ],
)
def test_spectral_normalisation_costs_what_is_in_it(shape, inner):
    wrapped, plain = (
        agree(chained(shape, layer))["layers"][1] for layer in (layers.SpectralNormalization(inner), inner)
    )
    same = ("macs", "kernel", "strides", "dilation", "groups", "filters", "units", "activation", "output_shapes")
    assert [wrapped[key] for key in same] == [plain[key] for key in same]
    assert wrapped["type"] == "SpectralNormalization"


@pytest.mark.parametrize("kind", [layers.MultiHeadAttention, layers.GroupQueryAttention])
def test_attention_called_by_name(kind):
    def make(by_name):
        def inner():
            query, value = keras.Input((6, 8), name="query"), keras.Input((7, 8), name="value")
            layer = kind(2, 3) if kind is layers.MultiHeadAttention else kind(3, 4, 2)
            named = {"query": query, "value": value, "key": value} if by_name else {}
            return keras.Model([query, value], layer(**named) if by_name else layer(query, value, value))

        return inner

    assert macs(make(True)) == macs(make(False)) > 0


@pytest.mark.parametrize(
    ("query", "value", "axes", "expected"),
    [
        ((6, 8), (7, 8), None, [2, 6, 7]),
        ((4, 6, 8), (4, 7, 8), (2,), [4, 2, 6, 7]),
        ((4, 6, 8), (5, 7, 8), None, [2, 4, 6, 5, 7]),
    ],
)
def test_scores_of_attention_to_another_tensor(query, value, axes, expected):
    def make():
        inputs = [keras.Input(query), keras.Input(value)]
        layer = layers.MultiHeadAttention(2, 3, attention_axes=axes)
        return keras.Model(inputs, layer(*inputs, return_attention_scores=True)[1])

    assert agree(make)["outputs"][0]["shape"] == expected


@pytest.mark.parametrize(
    ("shape", "layer", "dtype"),
    [
        ((5,), layers.Dense(3, lora_rank=2), "float32"),
        (
            (7, 5),
            layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de", lora_rank=2),
            "float32",
        ),
        ((9, 10, 4), layers.Conv2D(6, 3, groups=2, lora_rank=2), "float32"),
        ((7,), layers.Embedding(10, 4, lora_rank=2), "int32"),
        ((7,), layers.ReversibleEmbedding(10, 4, lora_rank=2), "int32"),
    ],
)
def test_layers_adapted_at_low_rank(shape, layer, dtype):
    found = agree(chained(shape, layer, dtype=dtype))["layers"][1]
    assert 0 < found["trainable_parameters"] < found["parameters"]


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers_are_refused_by_name():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="head")])
    model.quantize("int8")
    with pytest.raises(SourceError, match=r"layer 'head' \(Dense\) is quantised to int8"):
        read(text_of(model))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "make_layer", [lambda: layers.Dense(3, activation=lambda t: t * 2), lambda: layers.Activation(lambda t: t)]
)
def test_lambda_activation_is_named_lambda(make_layer):
    model = build(lambda: keras.Sequential([keras.Input((4,)), make_layer()]))
    assert read(text_of(model))["layers"][1]["activation"] == "lambda"


@pytest.mark.filterwarnings("ignore")
def test_live_model_names_lambda_activation_equally():
    def make():
        inputs = keras.Input((4,))
        return keras.Model(inputs, layers.Dense(3, activation=lambda t: t * 2)(inputs))

    agree(make)
