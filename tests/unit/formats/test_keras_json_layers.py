"""Texts of Keras 3, layer by layer: exactly what the exporter says of the live model."""

import keras
import pytest
from keras import layers, ops

from tests.unit.formats.keras_texts import agree, chained

pytestmark = pytest.mark.heavy

IMAGE, SERIES, VOLUME = (9, 10, 4), (12, 4), (5, 6, 7, 2)
FIRST = {"data_format": "channels_first"}


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        (SERIES, layers.Conv1D(6, 3)),
        (SERIES, layers.Conv1D(6, 3, groups=2, strides=2, padding="same", use_bias=False)),
        (SERIES, layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")),
        (IMAGE, layers.Conv2D(6, (3, 2), strides=(2, 1))),
        (IMAGE, layers.Conv2D(8, 3, groups=4, dilation_rate=2, padding="same", activation="silu")),
        (IMAGE, layers.Conv2D(6, 3, **FIRST)),
        (VOLUME, layers.Conv3D(3, (1, 2, 3), strides=2)),
        (VOLUME, layers.Conv3D(3, 2, padding="same", **FIRST)),
        (SERIES, layers.Conv1DTranspose(6, 3, strides=2)),
        (SERIES, layers.Conv1DTranspose(6, 3, dilation_rate=2, padding="same")),
        (IMAGE, layers.Conv2DTranspose(6, 3, strides=2, padding="same")),
        (IMAGE, layers.Conv2DTranspose(6, 2, strides=3)),
        (IMAGE, layers.Conv2DTranspose(6, 3, strides=2, output_padding=1)),
        (IMAGE, layers.Conv2DTranspose(6, 4, strides=2, padding="same", output_padding=1)),
        (IMAGE, layers.Conv2DTranspose(6, 3, strides=2, **FIRST)),
        (VOLUME, layers.Conv3DTranspose(3, 2, strides=2)),
        (SERIES, layers.DepthwiseConv1D(3, depth_multiplier=2)),
        (IMAGE, layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=3, use_bias=False)),
        (IMAGE, layers.DepthwiseConv2D(3, activation="relu6", **FIRST)),
        (SERIES, layers.SeparableConv1D(6, 3, dilation_rate=2)),
        (IMAGE, layers.SeparableConv2D(6, 3, strides=2, depth_multiplier=2)),
        (IMAGE, layers.SeparableConv2D(6, 3, padding="same", use_bias=False, **FIRST)),
        (SERIES, layers.MaxPooling1D()),
        (IMAGE, layers.MaxPooling2D(3, strides=2, padding="same")),
        (IMAGE, layers.AveragePooling2D((2, 3))),
        (IMAGE, layers.AveragePooling2D(2, 1, **FIRST)),
        (VOLUME, layers.MaxPooling3D(2)),
        (VOLUME, layers.AveragePooling3D(2, padding="same")),
        (SERIES, layers.AveragePooling1D(3, 2, "same")),
        (SERIES, layers.GlobalMaxPooling1D()),
        (IMAGE, layers.GlobalAveragePooling2D(keepdims=True)),
        (IMAGE, layers.GlobalMaxPooling2D(keepdims=True, **FIRST)),
        (VOLUME, layers.GlobalAveragePooling3D(**FIRST)),
        (SERIES, layers.AdaptiveMaxPooling1D(4)),
        (IMAGE, layers.AdaptiveAveragePooling2D((4, 5))),
        (IMAGE, layers.AdaptiveMaxPooling2D(3, **FIRST)),
        (VOLUME, layers.AdaptiveAveragePooling3D(2)),
        (SERIES, layers.ZeroPadding1D((1, 2))),
        (IMAGE, layers.ZeroPadding2D(((1, 2), (0, 3)))),
        (IMAGE, layers.ZeroPadding2D((1, 2), **FIRST)),
        (VOLUME, layers.ZeroPadding3D(2)),
        (SERIES, layers.Cropping1D(2)),
        (IMAGE, layers.Cropping2D(((1, 2), (0, 3)))),
        (VOLUME, layers.Cropping3D((1, 2, 1))),
        (SERIES, layers.UpSampling1D(3)),
        (IMAGE, layers.UpSampling2D((2, 3), interpolation="bilinear")),
        (IMAGE, layers.UpSampling2D(2, **FIRST)),
        (VOLUME, layers.UpSampling3D(2)),
    ],
)
def test_convolutions_poolings_and_margins(shape, layer):
    agree(chained(shape, layer))


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((7, 5), layers.Dense(3, activation="softmax")),
        ((5,), layers.Dense(3, use_bias=False)),
        ((5,), layers.Dense(3, activation=layers.LeakyReLU(0.1))),
        ((5,), layers.Dense(3, activation=keras.activations.hard_silu)),
        ((7, 5), layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de")),
        ((7, 5), layers.EinsumDense("...x,xy->...y", output_shape=3, bias_axes="y", activation="relu")),
        ((7, 5), layers.EinsumDense("abc,bd->adc", output_shape=(3, None))),
        ((7, 2, 4), layers.EinsumDense("abcd,cde->abe", output_shape=(None, 6))),
        (IMAGE, layers.BatchNormalization()),
        (IMAGE, layers.BatchNormalization(axis=1, scale=False, center=False)),
        (IMAGE, layers.BatchNormalization(trainable=False)),
        (IMAGE, layers.LayerNormalization()),
        (IMAGE, layers.LayerNormalization(axis=(1, 2), scale=False)),
        (IMAGE, layers.GroupNormalization(2)),
        (IMAGE, layers.GroupNormalization(-1, center=False)),
        (IMAGE, layers.RMSNormalization()),
        (IMAGE, layers.UnitNormalization()),
        (IMAGE, layers.Normalization()),
        (IMAGE, layers.Normalization(axis=None)),
        (IMAGE, layers.Normalization(axis=(1, 3))),
        (IMAGE, layers.Normalization(mean=0.5, variance=2.0)),
        (IMAGE, layers.ReLU(6)),
        (IMAGE, layers.LeakyReLU()),
        (IMAGE, layers.PReLU()),
        (IMAGE, layers.PReLU(shared_axes=[1, 2], trainable=False)),
        (IMAGE, layers.ELU()),
        (IMAGE, layers.Softmax(axis=1)),
        (IMAGE, layers.Activation("gelu")),
        (IMAGE, layers.Activation("linear")),
        (IMAGE, layers.Dropout(0.5)),
        (IMAGE, layers.SpatialDropout2D(0.5)),
        (IMAGE, layers.GaussianNoise(0.5)),
        (IMAGE, layers.GaussianDropout(0.5)),
        (IMAGE, layers.AlphaDropout(0.5)),
        (IMAGE, layers.ActivityRegularization(0.1)),
        (IMAGE, layers.Identity()),
        (IMAGE, layers.Reshape((-1, 8))),
        (IMAGE, layers.Reshape((360,))),
        (IMAGE, layers.Flatten()),
        (IMAGE, layers.Flatten(**FIRST)),
        (IMAGE, layers.Permute((3, 1, 2))),
        ((5,), layers.RepeatVector(3)),
        (SERIES, layers.Masking()),
        (IMAGE, layers.SpectralNormalization(layers.Conv2D(6, 3, activation="relu"))),
    ],
)
def test_dense_layers_normalisations_and_shapes(shape, layer):
    agree(chained(shape, layer))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(1 / 255),
        layers.Resizing(5, 6),
        layers.Resizing(5, 6, **FIRST),
        layers.CenterCrop(5, 6),
        layers.RandomCrop(5, 6),
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.1),
        layers.RandomBrightness(0.1),
        layers.Solarization(),
    ],
)
def test_preprocessing_of_images(layer):
    agree(chained((9, 10, 3), layer))


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((256,), layers.MelSpectrogram(fft_length=128, sequence_stride=16, num_mel_bins=32)),
        ((256, 2), layers.STFTSpectrogram(frame_length=64, frame_step=16, fft_length=128)),
        ((256, 1), layers.STFTSpectrogram("stft", 64, 16, 64, expand_dims=True)),
        ((4,), layers.CategoryEncoding(num_tokens=7)),
        ((4,), layers.CategoryEncoding(num_tokens=7, output_mode="one_hot")),
        ((4,), layers.Discretization(bin_boundaries=[1.0, 2.0])),
        ((4,), layers.Discretization(bin_boundaries=[1.0, 2.0], output_mode="one_hot")),
    ],
)
def test_preprocessing_of_series(shape, layer):
    agree(chained(shape, layer))


@pytest.mark.parametrize(
    "layer",
    [
        layers.LSTM(3),
        layers.LSTM(3, return_sequences=True, return_state=True, use_bias=False),
        layers.GRU(3, reset_after=False),
        layers.GRU(3, return_state=True, activation="relu"),
        layers.SimpleRNN(3, return_sequences=True),
        layers.RNN(layers.GRUCell(5)),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(5)], return_sequences=True),
        layers.Bidirectional(layers.LSTM(3)),
        layers.Bidirectional(layers.GRU(3, return_sequences=True, return_state=True), merge_mode="sum"),
        layers.Bidirectional(layers.LSTM(3), merge_mode=None, trainable=False),
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, trainable=False)),
        layers.TimeDistributed(layers.Dense(3, activation="relu")),
    ],
)
def test_recurrent_layers(layer):
    agree(chained((7, 5), layer))


@pytest.mark.parametrize(
    ("shape", "layer"),
    [
        ((4, 9, 3), layers.ConvLSTM1D(5, 3)),
        ((4, 9, 9, 3), layers.ConvLSTM2D(5, 3, strides=2, padding="same", return_sequences=True)),
        ((4, 9, 9, 3), layers.ConvLSTM2D(5, 3, return_state=True, use_bias=False)),
        ((4, 3, 9, 9), layers.ConvLSTM2D(5, 3, return_sequences=True, **FIRST)),
        ((4, 5, 5, 5, 3), layers.ConvLSTM3D(2, 2)),
        ((4, 9, 9, 3), layers.TimeDistributed(layers.Conv2D(5, 3, strides=2))),
        ((4, 9, 9, 3), layers.TimeDistributed(layers.TimeDistributed(layers.LSTM(5)))),
    ],
)
def test_layers_along_time(shape, layer):
    agree(chained(shape, layer))


def test_embeddings():
    agree(chained((7,), layers.Embedding(100, 5), layers.LSTM(3), dtype="int32"))
    # Masks are tensors too; the layers that make them are listed.
    agree(chained((7,), layers.Embedding(100, 5, mask_zero=True), layers.LSTM(3), dtype="int32"))


def test_reversible_embedding_is_called_both_ways():
    def make():
        inputs = keras.Input((7,), dtype="int32")
        table = layers.ReversibleEmbedding(100, 5, tie_weights=False)
        return keras.Model(inputs, table(layers.Dense(5)(table(inputs)), reverse=True))

    assert [layer["parameters"] for layer in agree(make)["layers"]] == [0, 1000, 30, 0]


@pytest.mark.parametrize(
    "merge",
    [
        layers.Add(),
        layers.Subtract(),
        layers.Multiply(),
        layers.Average(),
        layers.Maximum(),
        layers.Minimum(),
        layers.Concatenate(),
        layers.Concatenate(axis=1),
        layers.Dot(axes=1),
        layers.Dot(axes=(2, 2)),
        layers.Dot(axes=-1, normalize=True),
    ],
)
def test_merges(merge):
    def make():
        first, second = keras.Input((6, 4)), keras.Input((6, 4))
        return keras.Model([first, second], type(merge).from_config(merge.get_config())([first, second]))

    agree(make)


@pytest.mark.parametrize("shapes", [((6, 5, 4), (1, 1, 4)), ((6, 5, 4), (4,)), ((5, 1), (1, 4)), ((3,), (5, 3))])
def test_merges_broadcast(shapes):
    def make():
        inputs = [keras.Input(shape) for shape in shapes]
        return keras.Model(inputs, layers.Multiply()(inputs))

    agree(make)


@pytest.mark.parametrize(
    ("attention", "options"),
    [
        (layers.MultiHeadAttention(2, 3), {}),
        (layers.MultiHeadAttention(2, 3, value_dim=5, output_shape=7, use_bias=False), {}),
        (layers.MultiHeadAttention(2, 3, use_gate=True), {"return_attention_scores": True}),
        (layers.GroupQueryAttention(3, 4, 2), {}),
        (layers.GroupQueryAttention(3, 4, 2, use_gate=True, use_bias=False), {"return_attention_scores": True}),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_attention_of_query_and_value(attention, options, by_name):
    def make():
        query, value, key = keras.Input((6, 8)), keras.Input((7, 8)), keras.Input((7, 8))
        layer = type(attention).from_config(attention.get_config())
        inputs = {"value": value, "key": key} if by_name else {}
        returned = layer(query, **inputs, **options) if by_name else layer(query, value, **options)
        return keras.Model([query, value, key] if by_name else [query, value], returned)

    agree(make)


def test_attention_of_keys_wider_than_values():
    def make():
        query, value, key = keras.Input((6, 8)), keras.Input((7, 10)), keras.Input((7, 9))
        attention = layers.MultiHeadAttention(2, 3, value_dim=5)
        return keras.Model([query, value, key], attention(query, value=value, key=key))

    agree(make)


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
def test_attention_along_axes(axes):
    def make():
        inputs = keras.Input((4, 5, 8))
        return keras.Model(inputs, layers.MultiHeadAttention(2, 3, attention_axes=axes)(inputs, inputs))

    agree(make)


@pytest.mark.parametrize(
    "attention",
    [
        layers.Attention(),
        layers.Attention(use_scale=True, score_mode="concat"),
        layers.AdditiveAttention(),
        layers.AdditiveAttention(use_scale=False),
    ],
)
@pytest.mark.parametrize("scores", [False, True])
def test_attention_of_a_list(attention, scores):
    def make():
        inputs = [keras.Input((6, 8)), keras.Input((7, 8))]
        layer = type(attention).from_config(attention.get_config())
        return keras.Model(inputs, layer(inputs, return_attention_scores=scores))

    agree(make)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x * 2.0 + x / 3 - x**2,
        lambda x: 1.0 - ops.sigmoid(x) * ops.relu6(x + 3.0) / 6.0,
        lambda x: ops.maximum(x, 0.5) > 1,
        lambda x: ops.where(x > 0, x, 0.0),
        lambda x: ops.mean(x, axis=(1, 2), keepdims=True) * x,
        lambda x: ops.max(x, axis=-1),
        lambda x: ops.argmax(x, axis=-1),
        lambda x: ops.any(x > 0, axis=1),
        lambda x: ops.reshape(x, (-1, 45, 8)),
        lambda x: ops.reshape(x, (-1, 9, 40)),
        lambda x: ops.transpose(x, (0, 3, 1, 2)),
        lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
        lambda x: ops.concatenate([x, x[:, :1]], axis=1),
        lambda x: ops.stack([x, x], axis=-1),
        lambda x: ops.split(x, 2, axis=-1)[1],
        lambda x: ops.split(x, [1, 4], axis=1)[2],
        lambda x: x[:, 1:-1, ::2, 0],
        lambda x: x[..., None, :2],
        lambda x: ops.tile(x, (1, 2, 1, 3)),
        lambda x: ops.repeat(x, 3, axis=1),
        lambda x: ops.pad(x, ((0, 0), (1, 2), (3, 4), (0, 0))),
        lambda x: ops.moveaxis(x, 3, 1),
        lambda x: ops.swapaxes(x, 1, 2),
        lambda x: ops.roll(ops.flip(x, 1), 2, 1),
        lambda x: ops.matmul(x, ops.swapaxes(x, -1, -2)),
        lambda x: ops.einsum("bhwc,bvwc->bhv", x, x),
        lambda x: ops.cast(x, "float16"),
        lambda x: ops.one_hot(ops.cast(x, "int32"), 7),
        lambda x: ops.take(x, [0, 2], axis=-1),
        lambda x: ops.softmax(ops.cumsum(x, axis=1), axis=-1),
        lambda x: ops.max_pool(x, 2, strides=2, padding="same"),
        lambda x: ops.average_pool(x, (2, 3), strides=1),
        lambda x: ops.image.resize(x, (5, 6)),
        lambda x: ops.image.extract_patches(x, (3, 3), strides=2),
        lambda x: ops.image.pad_images(x, top_padding=1, left_padding=2, bottom_padding=3, right_padding=4),
        lambda x: ops.normalize(x, axis=-1),
        lambda x: ops.logsumexp(x, axis=(1, 2)),
        lambda x: ops.sum(ops.square(x), axis=[1, 2]),
        lambda x: ops.unstack(x, axis=3)[0],
        lambda x: ops.glu(x),
        lambda x: ops.ravel(x),
        lambda x: ops.top_k(x, 2)[0],
        lambda x: ops.broadcast_to(ops.mean(x, axis=(1, 2), keepdims=True), (1, 9, 10, 4)),
    ],
)
def test_operations_that_are_no_layers(compute):
    def make():
        inputs = keras.Input(IMAGE, name="input")
        return keras.Model(inputs, compute(inputs))

    agree(make)
