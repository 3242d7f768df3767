"""A training program does what Keras does, computes what it is asked for and nothing else, and holds no weights."""

import numpy as np
import pytest

from perfcast.errors import SourceError
from perfcast.export.programs import convert, formats_on_request
from perfcast.export.training.optimizers import OPTIMIZERS
from perfcast.models.built import BuiltModel
from perfcast.runner.workloads.training_step import OPTIMIZERS as NAMES
from tests.unit.training.programs import Program

pytestmark = pytest.mark.heavy

BATCH = 16
RATE = 0.01
ALL = "training_step.{}.all.graph.pb"


def small_cnn():
    import keras
    from keras import layers

    keras.backend.clear_session(free_memory=False)  # Layers are numbered through the life of a process.
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(6, 3),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )


def batch_of(seed=0):
    generator = np.random.default_rng(seed)
    return generator.random((BATCH, 8, 8, 3), dtype=np.float32), generator.integers(0, 5, BATCH, dtype=np.int32)


def keras_optimizer(name):
    from keras import optimizers

    return {
        "sgd": optimizers.SGD(RATE),
        "momentum": optimizers.SGD(RATE, momentum=0.9),
        "adam": optimizers.Adam(RATE),
        "adagrad": optimizers.Adagrad(RATE),
    }[name]


def test_workload_and_exporter_have_the_same_optimizers():
    assert tuple(OPTIMIZERS) == NAMES


@pytest.mark.parametrize("optimizer", NAMES)
def test_steps_equal_those_of_keras(optimizer):
    model = small_cnn()
    program = Program(model, ALL.format(optimizer))
    program.take_weights(model)
    model.compile(keras_optimizer(optimizer), loss="sparse_categorical_crossentropy")
    for step in range(3):
        images, labels = batch_of(step)
        expected = model.train_on_batch(images, labels)
        (loss,) = program.step(images, labels, RATE)
        assert step or loss == pytest.approx(float(np.asarray(expected)), rel=1e-5)
    found = program.weights()
    for place, variable in enumerate(model.variables):
        # A fused normalisation divides the variance by n - 1.
        tolerance = 1e-3 if variable.name == "moving_variance" else 2e-5
        np.testing.assert_allclose(found[f"weight_{place}"], np.asarray(variable), rtol=tolerance, atol=2e-6)


def test_forward_backward_changes_no_weight():
    model = small_cnn()
    program = Program(model, "forward_backward.all.graph.pb")
    before = program.weights()
    loss, touched = program.step(*batch_of())
    after = program.weights()
    assert np.isfinite([loss, touched]).all()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    averages = {f"weight_{n}" for n, variable in enumerate(model.variables) if variable.name.startswith("moving")}
    assert moved == averages


def counts(program, *values):
    executed = program.executed(*values)
    return {
        kind: sum(kind in name for name in executed) for kind in ("BackpropFilter", "BackpropInput", "BatchNormGrad")
    }


@pytest.mark.parametrize(
    ("trained", "filters", "inputs", "normalisations"),
    [("all", 2, 1, 1), ("last_1", 0, 0, 0), ("last_2", 1, 0, 0), ("last_3", 1, 1, 1), ("biases", 0, 1, 1)],
)
def test_gradients_are_computed_of_what_is_trained_alone(trained, filters, inputs, normalisations):
    program = Program(small_cnn(), f"forward_backward.{trained}.graph.pb", BATCH)
    found = counts(program, *batch_of())
    assert found == {"BackpropFilter": filters, "BackpropInput": inputs, "BatchNormGrad": normalisations}


def test_frozen_weights_stay_and_have_no_state():
    model = small_cnn()
    program = Program(model, "training_step.adam.last_1.graph.pb")
    before = program.weights()
    program.step(*batch_of(), RATE)
    after = program.weights()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    trained = [f"weight_{place}" for place, v in enumerate(model.variables) if "dense" in v.path]
    state = {f"{name}_{slot}" for name in trained for slot in ("m", "v")}
    assert moved == {*trained, *state, "beta_1_power", "beta_2_power"}
    assert program.interface["state_bytes"] == 4 * (2 * sum(np.size(before[name]) for name in trained) + 2)


def test_a_frozen_batch_normalisation_uses_its_averages():
    program = Program(small_cnn(), "forward_backward.last_1.graph.pb")
    assert not any("FusedBatchNorm" in name for name in program.executed(*batch_of()))


def test_dropout_drops_other_units_in_each_step():
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((64,)), layers.Dropout(0.5), layers.Dense(32), layers.Dense(3, activation="softmax")]
    )
    program = Program(model, "forward_backward.all.graph.pb")
    values = np.ones((4, 64), np.float32), np.array([0, 1, 2, 0], np.int32)
    assert len({float(program.step(*values)[0]) for _ in range(4)}) == 4


def test_penalties_on_weights_are_part_of_the_loss():
    import keras
    from keras import layers

    penalised = layers.Dense(3, activation="softmax", kernel_regularizer="l2", activity_regularizer="l1")
    model = keras.Sequential([keras.Input((4,)), penalised])
    program = Program(model, ALL.format("sgd"))
    program.take_weights(model)
    values, labels = np.ones((2, 4), np.float32), np.array([0, 2], np.int32)
    model.compile(keras_optimizer("sgd"), loss="sparse_categorical_crossentropy")
    expected = float(np.asarray(model.train_on_batch(values, labels)))
    assert program.step(values, labels, RATE)[0] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(program.weights()["weight_0"], np.asarray(model.variables[0]), rtol=1e-5)


def test_recurrent_and_embedding_layers_are_trained():
    import keras
    from keras import layers

    inputs = keras.Input((6,), dtype="int32")
    tensor = layers.LSTM(4)(layers.Embedding(20, 3)(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(tensor))
    program = Program(model, ALL.format("adagrad"))
    program.take_weights(model)
    words, labels = np.arange(24, dtype=np.int32).reshape(4, 6) % 20, np.array([0, 1, 1, 0], np.int32)
    model.compile(keras_optimizer("adagrad"), loss="sparse_categorical_crossentropy")
    model.train_on_batch(words, labels)
    program.step(words, labels, RATE)
    found = program.weights()
    for place, variable in enumerate(model.variables):
        np.testing.assert_allclose(found[f"weight_{place}"], np.asarray(variable), rtol=1e-4, atol=1e-6)


def test_other_outputs_than_classes_are_trained_towards_zero():
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    program = Program(model, ALL.format("sgd"))
    assert program.interface["losses"] == ["mean_squared_error"]
    assert [item["node"] for item in program.interface["inputs"]] == ["input_0", "learning_rate"]
    values = np.ones((2, 4), np.float32)
    program.take_weights(model)
    (loss,) = program.step(values, RATE)
    assert loss == pytest.approx(float((np.asarray(model(values)) ** 2).mean()), rel=1e-5)


def test_programs_hold_no_weights_and_are_the_same_again():
    first = convert(BuiltModel({}, small_cnn()), ALL.format("adam"))
    convert(BuiltModel({}, small_cnn()), "graph.pb")
    second = convert(BuiltModel({}, small_cnn()), ALL.format("adam"))
    assert first == second
    serialized, interface = first
    assert interface["state_bytes"] > interface["trained_weights"]
    assert len(serialized) < 100_000


def untrainable():
    import keras
    from keras import layers

    return {
        "has no weights to train": keras.Sequential([keras.Input((4,)), layers.ReLU()]),
        "depends on none of the weights": _without_gradient(),
    }


def _without_gradient():
    import keras
    from keras import layers, ops

    inputs = keras.Input((4,))
    tensor = ops.cast(ops.argmax(layers.Dense(3)(inputs), axis=-1, keepdims=True), "float32")
    return keras.Model(inputs, tensor)


@pytest.mark.parametrize("reason", ["has no weights to train", "depends on none of the weights"])
def test_what_cannot_be_trained_is_refused_with_the_reason(reason):
    with pytest.raises(SourceError, match=f"it cannot be trained: .*{reason}"):
        convert(BuiltModel({}, untrainable()[reason]), ALL.format("sgd"))


def test_formats_are_made_on_request_where_there_is_a_converter():
    known, unknown = ALL.format("adam"), "training_step.adam.all.layers.json"
    assert formats_on_request(["graph.pb", unknown, known]) == [known]
    with pytest.raises(SourceError, match=r"there is no converter to training_step\.adam\.all\.layers\.json"):
        convert(BuiltModel({}), unknown)


def test_a_model_that_keras_did_not_build_cannot_be_trained():
    with pytest.raises(SourceError, match="only models that Keras builds"):
        convert(BuiltModel({}), ALL.format("sgd"))


def test_more_layers_than_there_are_cannot_be_trained():
    with pytest.raises(SourceError, match="it has 4 layers with weights, not 9"):
        convert(BuiltModel({}, small_cnn()), "forward_backward.last_9.graph.pb")
