"""Networks as TensorFlow's files, and what running their exported graphs gives."""

import json

import numpy as np

FACTORS = {"device_kind": "cpu", "threads": 1, "graph_optimizations": True, "weights_as": "constant"}


def small_network(inputs=(24, 24, 3)):
    """Return a Keras network of all common layers, with values as training leaves them."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(1)
    entry = keras.Input(inputs, name="image")
    tensor = layers.Rescaling(1 / 127.5, offset=-1)(entry)
    tensor = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="stem")(tensor)
    before = tensor
    tensor = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(tensor)
    tensor = layers.BatchNormalization()(tensor)
    tensor = layers.Activation("silu")(tensor)
    tensor = layers.SeparableConv2D(16, 3, padding="same", activation="gelu")(tensor)
    tensor = layers.Add()([tensor, before])
    tensor = layers.LayerNormalization()(tensor)
    tensor = layers.Conv2DTranspose(8, 2, strides=2)(tensor)
    tensor = layers.MaxPooling2D()(layers.ZeroPadding2D()(tensor))
    tensor = layers.Dense(24, activation="tanh", name="mix")(tensor)
    tensor = layers.GlobalAveragePooling2D()(tensor)
    tensor = layers.Dense(100, activation="relu", name="hidden")(tensor)
    model = keras.Model(entry, layers.Dense(10, activation="softmax", name="head")(layers.Dropout(0.2)(tensor)))
    train(model, steps=3)
    return model


def train(model, steps):
    """Fit a classifier to noise for some steps, so that no value is what it was initialised to."""
    import keras

    generator = np.random.default_rng(0)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="sparse_categorical_crossentropy")
    for _ in range(steps):
        images = generator.random((8, *(size or 24 for size in model.input_shape[1:])), dtype=np.float32)
        model.train_on_batch(images, generator.integers(0, model.output_shape[-1], 8))


def freeze(model, path):
    """Write a Keras model as a frozen graph, its variables made constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name) for tensor in model.inputs]
    function = tf.function(lambda *read: model(read if len(read) > 1 else read[0], training=False), autograph=False)
    frozen = convert_variables_to_constants_v2(function.get_concrete_function(*specs))
    path.write_bytes(frozen.graph.as_graph_def().SerializeToString())
    return path


def write_graph(build, path):
    """Write the graph that a function builds as a file."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        build(tf)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def run(graph, interface, inputs, folder, **factors):
    """Return the outputs of an exported graph as the runner computes them."""
    from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain

    toolchain = TensorFlowToolchain({**FACTORS, "batch": len(inputs[0]), **factors})
    toolchain.preload()
    path = folder / "graph.pb"
    path.write_bytes(graph)
    json.dumps(interface)
    return toolchain.load(interface | {"program": str(path), "seed": 0})(*inputs)


def images(model, count=2):
    """Return random inputs of a network with one input."""
    return np.random.default_rng(7).random((count, *model.input_shape[1:]), dtype=np.float32)
