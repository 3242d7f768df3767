"""Small texts that hold many of the things that texts hold, to be damaged by tests."""

from tests.unit.formats.keras_texts import layer2, model2


def _tensor(layer):
    config = {"shape": [None, 4], "dtype": "float32", "keras_history": [layer, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def _layer3(name, kind, *arguments, module="keras.layers", options=None, **config):
    nodes = [{"args": list(arguments), "kwargs": options or {}}] if arguments else []
    return {
        "module": module, "class_name": kind, "config": {"name": name, **config}, "registered_name": None,
        "name": name, "inbound_nodes": nodes,
    }  # fmt: skip


def _slice(start, stop):
    return {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": None}}


def _cnn2():
    return model2(
        layer2("pad", "ZeroPadding2D", "x", padding=[[0, 1], [0, 1]]),
        layer2("conv", "Conv2D", "pad", filters=4, kernel_size=[3, 3], strides=[2, 2], activation="relu"),
        layer2("bn", "BatchNormalization", "conv", axis=3, scale=False),
        layer2("dw", "DepthwiseConv2D", "bn", kernel_size=[3, 3], padding="same", depth_multiplier=2),
        layer2("sep", "SeparableConv2D", "dw", filters=4, kernel_size=3, padding="same"),
        layer2("up", "Conv2DTranspose", "sep", filters=4, kernel_size=2, strides=2),
        layer2("pool", "AveragePooling2D", "up", pool_size=[2, 2]),
        layer2("sum", "Add", "pool", "bn"),
        layer2("both", "Concatenate", "sum", "bn", axis=-1),
        layer2("cut", "Cropping2D", "both", cropping=[[1, 0], [0, 1]]),
        layer2("scale", "Lambda", "cut", output_shape=[3, 3, 8]),
        layer2("slope", "PReLU", "scale", shared_axes=[1, 2]),
        layer2("flat", "Flatten", "slope"),
        layer2("dense", "Dense", "flat", units=6, activation={"class_name": "Custom>swish", "config": {}}),
        layer2("shape", "Reshape", "dense", target_shape=[2, -1]),
        layer2("turn", "Permute", "shape", dims=[2, 1]),
    )


def _series2():
    lstm = {"class_name": "LSTM", "config": {"units": 3, "return_sequences": True}}
    dense = {"class_name": "Dense", "config": {"units": 3}}
    op = {"name": "op", "class_name": "TFOpLambda", "config": {"name": "op", "function": "math.reduce_mean"}}
    return model2(
        layer2("both", "Bidirectional", "x", layer=lstm, merge_mode="concat"),
        layer2("each", "TimeDistributed", "both", layer=dense),
        layer2("gru", "GRU", "each", units=4, return_sequences=True, return_state=True),
        layer2("dot", "Dot", "gru", "gru", axes=[1, 1]),
        layer2("attention", "MultiHeadAttention", ["gru", 0, 0, {"value": ["x", 0, 0]}], num_heads=2, key_dim=3),
        op | {"inbound_nodes": [["attention", 0, 0, {"axis": [1], "keepdims": True}]]},
        outputs=["op", "dot"],
        shape=(None, 5, 4),
    )


def _operations3():
    x, numpy = _tensor("x"), "keras.src.ops.numpy"
    keys = [_slice(None, None), _slice(1, 7), {"class_name": "__ellipsis__", "config": {}}]
    layers = [
        _layer3("x", "InputLayer", batch_shape=[None, 8, 4], dtype="float32"),
        _layer3("item", "GetItem", x, keys, module=numpy),
        _layer3("mean", "Mean", _tensor("item"), module=numpy, axis=[1], keepdims=True),
        _layer3("add", "Add", _tensor("item"), _tensor("mean"), module=numpy),
        _layer3("join", "Concatenate", [_tensor("add"), _tensor("item")], module=numpy, axis=-1),
        _layer3("split", "Split", _tensor("join"), module=numpy, indices_or_sections=2, axis=-1),
        _layer3("turn", "Transpose", _tensor("split"), module=numpy, axes=[0, 2, 1]),
        _layer3("product", "Matmul", _tensor("turn"), _tensor("split"), module=numpy),
        _layer3("pad", "Pad", _tensor("product"), module=numpy, pad_width=[[0, 0], [1, 1], [0, 2]]),
        _layer3("again", "Reshape", _tensor("pad"), module=numpy, newshape=[-1, 36]),
        _layer3("einsum", "EinsumDense", _tensor("again"), equation="ab,bc->ac", output_shape=[5], bias_axes="c"),
        _layer3("query", "MultiHeadAttention", x, options={"value": _tensor("item")}, num_heads=2, key_dim=3),
    ]  # fmt: skip
    config = {"name": "m", "layers": layers, "input_layers": ["x", 0, 0]}
    outputs = {"a": ["einsum", 0, 0], "b": [["query", 0, 0]]}
    return {"module": "keras", "class_name": "Functional", "config": config | {"output_layers": outputs}}


def _nested2():
    layers = [
        {"class_name": "Conv1D", "config": {"filters": 4, "kernel_size": [3], "batch_input_shape": [None, 8, 4]}},
        {"class_name": "Sequential", "config": [{"class_name": "Conv1D", "config": {"filters": 4, "kernel_size": 1}}]},
    ]
    inner = {"name": "inner", "class_name": "Sequential", "config": {"name": "inner", "layers": layers}}
    nodes = [[["x", 0, 0, {}]], [["inner", 1, 0, {}]]]
    relu = layer2("relu", "ReLU", ["inner", 2, 0, {}])
    return model2(inner | {"inbound_nodes": nodes}, relu, shape=(None, 8, 4))


SAMPLES = {"cnn2": _cnn2(), "nested2": _nested2(), "operations3": _operations3(), "series2": _series2()}
"""Parsed texts by name; the digit is the generation of Keras."""
