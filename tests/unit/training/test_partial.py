"""Programs that train what is named, or what each step draws, do as Keras does with that, and compute no more."""

import re

import numpy as np
import pytest

from perfcast.errors import SourceError
from perfcast.export.program import Program as Described
from perfcast.export.programs import convert
from perfcast.models.built import BuiltModel
from perfcast.runner.workloads.training_step import OPTIMIZERS as NAMES
from tests.unit.training.programs import Program
from tests.unit.training.test_programs import BATCH, RATE, batch_of, keras_optimizer, small_cnn

pytestmark = pytest.mark.heavy


LAYERS = "are_drawn:0"
DIGEST = 64 * "0"


def gradients_of(model, images, labels):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, outputs))
        loss += sum(model.losses)
    # Of an embedding, Keras's updates expect each row once.
    gradients = map(tf.convert_to_tensor, tape.gradient(loss, model.trainable_variables))
    return dict(zip(map(id, model.trainable_variables), gradients, strict=True))


def same_weights(program, model):
    found = program.weights()
    for place, variable in enumerate(model.variables):
        # A fused normalisation divides the variance by n - 1.
        tolerance = 1e-3 if variable.name == "moving_variance" else 2e-5
        np.testing.assert_allclose(found[f"weight_{place}"], np.asarray(variable), rtol=tolerance, atol=2e-6)


def layers_with_weights(model):
    return [layer for layer in model.layers if layer.trainable_variables]


@pytest.mark.parametrize("optimizer", NAMES)
def test_drawn_layers_are_trained_as_by_keras(optimizer):
    model = small_cnn()
    program = Program(model, f"training_step.{optimizer}.layers_50.graph.pb")
    program.take_weights(model)
    reference, draws = keras_optimizer(optimizer), []
    reference.build(model.trainable_variables)
    for step in range(4):
        images, labels = batch_of(step)
        (drawn,), _ = program.run_and_fetch([LAYERS], images, labels, RATE)
        gradients = gradients_of(model, images, labels)
        for chosen, layer in zip(drawn, layers_with_weights(model), strict=True):
            for variable in layer.trainable_variables if chosen else ():
                reference.update_step(gradients[id(variable)], variable, RATE)
        reference.iterations.assign_add(1)
        draws.append(tuple(drawn))
    assert {sum(drawn) for drawn in draws} == {2}
    assert len(set(draws)) > 1
    same_weights(program, model)


def expected_counts(drawn):
    """Return which gradients are computed of the CNN: convolution, normalisation, convolution, dense layer."""
    first, normalised, second, _ = drawn
    return {
        "BackpropFilter": int(first) + int(second),
        "BackpropInput": int(first or normalised),
        "BatchNormGrad": int(first or normalised),
    }


@pytest.mark.parametrize("workload", ["forward_backward", "training_step.adam"])
def test_gradients_of_layers_that_are_not_drawn_do_not_run(workload):
    program = Program(small_cnn(), f"{workload}.layers_25.graph.pb", BATCH)
    values = batch_of() if workload == "forward_backward" else (*batch_of(), RATE)
    seen = set()
    for _ in range(12):
        (drawn,), run = program.run_and_fetch([LAYERS], *values)
        expected = expected_counts(drawn)
        assert {kind: sum(kind in name for name, _ in run) for kind in expected} == expected
        seen.add(tuple(drawn))
    assert len(seen) == 4  # Each of the layers was drawn.


def update_part(reference, variable, gradient, axis, drawn):
    """Have Keras update a weight and its state as a whole, and take back what was not drawn."""
    before = {id(each): np.array(each) for each in (variable, *reference.variables)}
    reference.update_step(gradient, variable, RATE)
    for each in (variable, *reference.variables):
        if not np.array_equal(before[id(each)], each):
            kept = np.moveaxis(before[id(each)], axis, 0)
            kept[drawn] = np.moveaxis(np.asarray(each), axis, 0)[drawn]
            each.assign(np.moveaxis(kept, 0, axis))


def check_filters_against_keras(model, optimizer, axes, batches):
    program = Program(model, f"training_step.{optimizer}.filters_40.graph.pb")
    program.take_weights(model)
    reference = keras_optimizer(optimizer)
    reference.build(model.trainable_variables)
    layers, seen = layers_with_weights(model), set()
    for inputs, labels in batches:
        drawn, _ = program.run_and_fetch([f"drawn_{place}:1" for place in range(len(layers))], inputs, labels, RATE)
        gradients = gradients_of(model, inputs, labels)
        for indices, layer in zip(drawn, layers, strict=True):
            for variable in layer.trainable_variables:
                axis = axes.get(layer.name, -1) if len(variable.shape) > 1 else 0
                assert len(indices) == -(-variable.shape[axis] * 4 // 10)
                update_part(reference, variable, gradients[id(variable)], axis, indices)
        reference.iterations.assign_add(1)
        seen.add(tuple(sorted(drawn[-1])))
    assert len(seen) > 1
    same_weights(program, model)


@pytest.mark.parametrize("optimizer", NAMES)
def test_drawn_filters_are_trained_as_by_keras(optimizer):
    check_filters_against_keras(small_cnn(), optimizer, {}, [batch_of(step) for step in range(4)])


def test_filters_of_other_layers_are_those_of_their_outputs():
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 3))
    tensor = layers.DepthwiseConv2D(3, name="depthwise")(inputs)
    tensor = layers.Conv2DTranspose(4, 3, name="transposed", kernel_regularizer="l2")(tensor)
    tensor = layers.Conv1D(5, 3, padding="same", name="sequence")(layers.Reshape((64, 4))(tensor))
    tensor = layers.Dense(6, name="positions")(tensor)
    tensor = layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling1D()(tensor))
    axes = {"depthwise": -2, "transposed": -2}
    model = keras.Model(inputs, tensor)
    check_filters_against_keras(model, "momentum", axes, [batch_of(step) for step in range(3)])


def test_dimensions_of_an_embedding_are_drawn():
    import keras
    from keras import layers

    inputs = keras.Input((6,), dtype="int32")
    tensor = layers.GlobalAveragePooling1D()(layers.Embedding(20, 5)(inputs))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(tensor))
    words, labels = np.arange(24, dtype=np.int32).reshape(4, 6) % 20, np.array([0, 1, 2, 0], np.int32)
    check_filters_against_keras(model, "adagrad", {}, [(words, labels)] * 3)


@pytest.mark.parametrize("workload", ["forward_backward", "training_step.sgd"])
def test_gradients_of_filters_that_are_not_drawn_are_not_computed(workload):
    program = Program(small_cnn(), f"{workload}.filters_50.graph.pb", BATCH)
    _, run = program.run_and_fetch([], *(batch_of() if workload == "forward_backward" else (*batch_of(), RATE)))
    kernels = {shape for name, shape in run if "BackpropFilter" in name}
    assert kernels == {(3, 3, 3, 2), (3, 3, 4, 3)}
    assert (96, 3) in {shape for name, shape in run if "MatMul" in name}
    assert (96, 5) not in {shape for name, shape in run if "MatMul" in name}


def test_filters_of_a_loop_are_unsupported():
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((6, 3)), layers.LSTM(4), layers.Dense(2, activation="softmax")])
    with pytest.raises(SourceError, match=r"gradients of \S*lstm_cell/kernel cannot be computed without the others'"):
        convert(BuiltModel({}, model), "training_step.sgd.filters_50.graph.pb")


@pytest.mark.parametrize("part", ["layers", "filters"])
def test_all_parts_are_the_program_that_trains_all(part):
    model = BuiltModel({}, small_cnn())
    every = convert(model, f"training_step.adam.{part}_100.graph.pb")
    assert every == convert(BuiltModel({}, small_cnn()), "training_step.adam.all.graph.pb")


def test_named_layers_alone_are_trained():
    model = small_cnn()
    program = Program(model, "training_step.momentum.only_conv2d_1+batch_normalization.graph.pb")
    before = program.weights()
    program.step(*batch_of(), RATE)
    moved = {name for name, value in program.weights().items() if not np.array_equal(value, before[name])}
    names = {f"weight_{place}": variable.path for place, variable in enumerate(model.variables)}
    assert {names[name].split("/")[-2] for name in moved if name in names} == {"conv2d_1", "batch_normalization"}


def test_unknown_layer_is_refused_with_the_nearest():
    with pytest.raises(SourceError, match="it has no layer conv2d_2 with weights; the nearest is conv2d_1"):
        convert(BuiltModel({}, small_cnn()), "forward_backward.only_dense+conv2d_2.graph.pb")


def described(format_name):
    return Described.from_dict({"format": format_name, "key": DIGEST, "digest": DIGEST, "interface": {}, "reason": ""})


def test_names_of_layers_make_no_name_of_a_file():
    names = "+".join(f"Block_{place}" for place in range(99))
    program = described(f"training_step.adam.only_{names}.graph.pb")
    assert re.fullmatch(r"[0-9a-f]{64}\.[0-9a-f]{16}\.training_step", program.file)
    assert described("training_step.adam.all.graph.pb").file == f"{DIGEST}.training_step.adam.all.graph.pb"


def test_scales_of_normalisations_are_drawn_and_whole_products_are_unsupported():
    import keras
    from keras import layers

    inputs = keras.Input((6, 4))
    normalised = layers.LayerNormalization()(inputs)
    tensor = layers.Dense(3, activation="softmax")(layers.Flatten()(normalised))
    program = Program(keras.Model(inputs, tensor), "training_step.sgd.filters_50.graph.pb")
    before = program.weights()["weight_0"]
    program.step(np.random.default_rng(0).random((4, 6, 4), dtype=np.float32), np.array([0, 1, 2, 0], np.int32), RATE)
    assert (program.weights()["weight_0"] != before).sum() == 2
    attended = layers.MultiHeadAttention(2, 2)(normalised, normalised)
    tensor = layers.Dense(3, activation="softmax")(layers.Flatten()(attended))
    with pytest.raises(SourceError, match=r"cannot be computed without the others' \(\w+\)"):
        convert(BuiltModel({}, keras.Model(inputs, tensor)), "forward_backward.filters_50.graph.pb")


def test_a_loop_that_no_drawn_layer_needs_does_not_run():
    import keras
    from keras import layers

    inputs = keras.Input((6,), dtype="int32")
    tensor = layers.LSTM(4)(layers.Embedding(20, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(tensor))
    program = Program(model, "training_step.sgd.layers_30.graph.pb", 2)
    products = {}
    for _ in range(9):
        values = np.ones((2, 6), np.int32), np.array([0, 1], np.int32), RATE
        (drawn,), run = program.run_and_fetch([LAYERS], *values)
        products.setdefault(int(np.argmax(drawn)), set()).add(sum("MatMul" in name for name, _ in run))
    embedding, recurrent, dense = (products[place] for place in range(3))
    assert embedding == recurrent
    assert max(dense) < min(recurrent)
