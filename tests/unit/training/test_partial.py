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


DIGEST = 64 * "0"


def gradients_of(model, images, labels):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs = model(images, training=True)
        loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, outputs))
    return dict(zip(map(id, model.trainable_variables), tape.gradient(loss, model.trainable_variables), strict=True))


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
        drawn = program.step_and_fetch("drawn", images, labels, RATE)
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
        drawn, run = program.run_and_fetch("drawn", *values)
        expected = expected_counts(drawn)
        assert {kind: sum(kind in name for name in run) for kind in expected} == expected
        seen.add(tuple(drawn))
    assert len(seen) == 4  # Each of the layers was drawn.


@pytest.mark.parametrize("part", ["layers"])
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
