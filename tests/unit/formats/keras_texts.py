"""Live Keras models beside what their texts say, for tests."""

import json

import keras

from perfcast.formats.keras_json import code_in, network_of, refusal_of
from tests.unit.live_keras import describe


def build(make):
    """Return what `make` builds, its weights without values and its names as in a fresh process."""
    keras.backend.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        return make()


def text_of(model):
    """Return a model's text, parsed."""
    return json.loads(model.to_json())


def described(model, shapes=()):
    """Return what a live model's own layers say, in JSON's types."""
    return json.loads(json.dumps(describe(model, shapes)))


def read(document, shapes=None):
    """Return the descriptor of a parsed text."""
    return network_of(document, shapes or {}).descriptor()


def agree(make):
    """Assert that a live model and its text give the same descriptor; return it."""
    model = build(make)
    text = text_of(model)
    # What Keras wrote is what it may load; its own check of code is asked for models that hold some.
    assert refusal_of(text) == code_in(text)
    found, expected = read(text), described(model)
    for layer, other in zip(found["layers"], expected["layers"], strict=False):
        assert layer == other
    assert found == expected
    return found


def chained(shape, *layers, dtype="float32"):
    """Return a function that builds a network of fresh copies of `layers`, one after the other."""

    def make():
        inputs = tensor = keras.Input(shape, name="input", dtype=dtype)
        for layer in layers:
            tensor = type(layer).from_config(layer.get_config())(tensor)
        return keras.Model(inputs, tensor)

    return make


# What Keras 2 wrote, with the least of it that a reader may rely on.


def layer2(name, kind, *inbound, **config):
    """Return one layer as Keras 2 wrote it, called once on the tensors `inbound`, by layer or whole reference."""
    nodes = [[item if isinstance(item, list) else [item, 0, 0, {}] for item in inbound]] if inbound else []
    return {"name": name, "class_name": kind, "config": {"name": name, **config}, "inbound_nodes": nodes}


def model2(*layers, outputs=None, shape=(None, 8, 8, 3), name="model_1"):
    """Return a text of Keras 2 whose one input `x` leads to `layers`."""
    first = layer2("x", "InputLayer", batch_input_shape=list(shape), dtype="float32", sparse=False)
    config = {
        "name": name,
        "layers": [first, *layers],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[item, 0, 0] for item in outputs or [layers[-1]["name"]]],
    }
    return {"class_name": "Model", "config": config, "keras_version": "2.3.1", "backend": "tensorflow"}
