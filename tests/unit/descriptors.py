"""Descriptors of small networks, for tests."""

import json

import keras

from perfcast.formats.keras_json.live import network_of_live
from perfcast.models.built import BuiltModel
from perfcast.models.spec import ModelSpec

GRAPH = {
    "inputs": [{"node": "input", "shape": [8, 8, 3], "dtype": "float32"}],
    "outputs": [{"tensor": "Identity:0", "shape": [10], "dtype": "float32"}],
    "graph_forces_xla": False,
    "weights": 1,
    "weight_bytes": 4,
}


def described(make, shape=(8, 8, 3)):
    """Return the whole descriptor, as read from JSON, of what `make` builds in a stateless scope."""
    keras.backend.clear_session(free_memory=False)
    with keras.StatelessScope(initialize_variables=False):
        model = make()
    network = network_of_live(model, {"": (1, *shape)} if len(model.inputs) == 1 else {})
    built = BuiltModel(network.descriptor()).named(ModelSpec("net", "family", "source", "builder", shape))
    return json.loads(json.dumps(built.descriptor | {"graph": GRAPH}))


def chain(shape, *layers):
    """Return a functional network of layers one after the other."""
    inputs = tensor = keras.Input(shape, name="input")
    for layer in layers:
        tensor = layer(tensor)
    return keras.Model(inputs, tensor)
