"""The memory of a training step: hand-computed on small networks."""

import pytest
from keras import layers

from perfcast.network.training_memory import STATE_COPIES, training_peak, training_tensors
from tests.unit.descriptors import chain, described

FLOAT_BYTES = 4


def small():
    return chain(
        (8, 8, 3),
        layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv"),
        layers.BatchNormalization(name="bn"),
        layers.ReLU(name="relu"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(10, activation="softmax", name="dense"),
    )


def peak_of(descriptor, batch=1, optimizer="sgd"):
    return training_peak(descriptor["layers"], {port["name"] for port in descriptor["outputs"]}, batch, optimizer)


def test_peak_of_a_chain_by_hand():
    peak = peak_of(described(small), optimizer="adam")
    # The pool runs backward: the image, the convolution's and the ReLU's results are kept, the ReLU's gradient is made.
    # Beside it the dense layer is updated: its gradients live, and a copy of its kernel. The mask of the normalization
    # that is fused with the ReLU has half a byte per number.
    assert (peak.layer, peak.operation) == ("pool", "backward")
    expected = {
        "weights": 108 + 16 + 50,
        "optimizer_state": 2 * (108 + 8 + 50),
        "gradients": 256 + 4 + 50,
        "activations": 192 + 256 + 256,
        "workspace": 40 + 32,
    }
    assert peak.by_kind() == {kind: FLOAT_BYTES * count for kind, count in expected.items()}
    assert peak.bytes == sum(peak.by_kind().values())
    assert peak.shares["conv", "activations"] == FLOAT_BYTES * 256


@pytest.mark.parametrize("optimizer", STATE_COPIES)
def test_optimizers_differ_in_their_state_only(optimizer):
    network = described(small)
    trained = sum(layer["trainable_parameters"] for layer in network["layers"])
    difference = peak_of(network, 8, optimizer).bytes - peak_of(network, 8, "sgd").bytes
    assert difference == FLOAT_BYTES * STATE_COPIES[optimizer] * trained


def test_peak_grows_with_the_batch_no_faster_than_in_proportion():
    network = described(small)
    peaks = [peak_of(network, batch).bytes for batch in (1, 2, 64)]
    assert peaks == sorted(peaks)
    assert peaks[2] < 64 * peaks[0]


def test_frozen_layers_keep_nothing_and_have_no_gradients():
    network = described(small)
    for layer in network["layers"]:
        if layer["name"] != "dense":
            layer["trainable_parameters"] = 0
    peak = peak_of(network)
    assert {name for name, kind in peak.shares if kind == "gradients"} <= {"dense"}
    assert peak.bytes < peak_of(described(small)).bytes


def test_both_branches_of_a_sum_share_its_gradient():
    def branches():
        import keras

        image = keras.Input((8, 8, 3), name="image")
        left = layers.Conv2D(4, 1, name="left", use_bias=False)(image)
        right = layers.Conv2D(4, 1, name="right", use_bias=False)(image)
        return keras.Model(image, layers.Add(name="sum")([left, right]))

    peak = peak_of(described(branches))
    gradients = sum(count for (_, kind), count in peak.shares.items() if kind == "gradients")
    assert gradients <= FLOAT_BYTES * (256 + 24)


@pytest.mark.parametrize(
    ("pool", "bytes_per_number"), [(layers.MaxPooling2D(2), 1), (layers.MaxPooling2D(16), 4), (None, 0)]
)
def test_a_max_pooling_keeps_the_places_of_its_results(pool, bytes_per_number):
    def pooled():
        first = [layers.Conv2D(4, 1, use_bias=False, name="conv")]
        return chain((16, 16, 3), *first, *([pool] if pool else [layers.AveragePooling2D(2)]), layers.Flatten())

    network = described(pooled, (16, 16, 3))
    outputs = {port["name"] for port in network["outputs"]}
    kept = [t for t in training_tensors(network["layers"], outputs, 3, "sgd") if t.kind == "workspace" and t.bytes]
    numbers = 3 * 4 * (1 if bytes_per_number == 4 else 64)
    assert [t.bytes for t in kept] == ([bytes_per_number * numbers] if pool else [])
