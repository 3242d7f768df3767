"""Recurrent networks as SavedModels: loops with as many multiplications as Keras counts, which run as they did."""

import numpy as np
import pytest

from perfcast.errors import SourceError
from perfcast.formats.keras_json import network_of, read_document
from perfcast.formats.tensorflow_graph import read_saved_model
from tests.unit.formats import tensorflow_files as files
from tests.unit.formats.reading import layers

pytestmark = pytest.mark.heavy

SHAPE = (12, 6)


def built(*parts):
    import keras

    keras.utils.set_random_seed(0)
    entry = tensor = keras.Input(SHAPE)
    for kind, units, options in parts:
        made = getattr(keras.layers, kind)(units, **options)
        tensor = made(tensor)
    return keras.Model(entry, tensor)


NETWORKS = {
    "LSTM": ([("LSTM", 8, {})], ["LSTM"]),
    "GRU": ([("GRU", 8, {"return_sequences": True}), ("GRU", 40, {"reset_after": False})], ["GRU", "GRU"]),
    "RNN": ([("SimpleRNN", 5, {}), ("Dense", 3, {})], ["SimpleRNN", "Dense"]),
}


def totals(network):
    return [sum(layer[key] for layer in layers(network)) for key in ("macs", "parameters")]


@pytest.mark.parametrize("name", NETWORKS)
def test_recurrent_layers_count_as_in_keras_and_run(name, tmp_path):
    parts, kinds = NETWORKS[name]
    model = built(*parts)
    model.export(str(tmp_path / "model"), verbose=False)

    found = read_saved_model(tmp_path / "model", {}, keep_values=True)

    (tmp_path / "model.json").write_text(model.to_json())
    assert totals(found.network) == totals(network_of(read_document(tmp_path / "model.json"), {}))
    assert [layer["type"] for layer in layers(found.network) if layer["parameters"]] == kinds
    inputs = [np.random.default_rng(0).normal(size=(1, *SHAPE)).astype(np.float32)]
    (output,) = files.run(found.graph, found.interface, inputs, tmp_path)
    np.testing.assert_allclose(output, model(inputs[0]).numpy(), rtol=1e-5, atol=1e-6)


def test_loops_run_with_weights_that_are_drawn(tmp_path):
    model = built(("LSTM", 64, {}))
    model.export(str(tmp_path / "model"), verbose=False)

    found = read_saved_model(tmp_path / "model", {})

    assert found.interface["weights"] == 2
    (output,) = files.run(found.graph, found.interface, [np.ones((1, *SHAPE), np.float32)], tmp_path)
    assert output.shape == (1, 64)
    assert np.isfinite(output).all()


def test_loop_count_may_follow_from_the_input_shape(tmp_path):
    import keras

    entry = keras.Input((None, 6), name="words")
    model = keras.Model(entry, keras.layers.LSTM(8, name="memory")(entry))
    model.export(str(tmp_path / "model"), verbose=False)

    found = [totals(read_saved_model(tmp_path / "model", {"": (1, length, 6)}).network) for length in (5, 10)]

    assert found == [[5 * 4 * 8 * 14, 480], [10 * 4 * 8 * 14, 480]]


def test_data_dependent_loops_are_refused(tmp_path):
    import tensorflow as tf

    def shrunk(x):
        return {"y": tf.while_loop(lambda y: tf.reduce_sum(y) > 1.0, lambda y: (y @ tf.ones((4, 4)) / 9.0,), [x])[0]}

    module = tf.Module()
    module.call = tf.function(shrunk, input_signature=[tf.TensorSpec((None, 4), name="x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.call)

    with pytest.raises(SourceError, match="loops: the number of iterations is only known at run time"):
        read_saved_model(tmp_path / "model", {})
