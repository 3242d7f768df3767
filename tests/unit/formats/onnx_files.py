"""ONNX files of small networks, node by node as PyTorch and others write them."""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BATCH = "batch"


class Builder:
    """Puts nodes one after the other; what they return is named after them."""

    def __init__(self, **inputs):
        self.ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()]
        self.nodes, self.initializers = [], []
        self._count = 0

    def node(self, op, *inputs, name=None, outputs=1, domain="", **attributes):
        """Add a node; return the name of what it returns, or the names."""
        self._count += 1
        name = name or f"/{op}_{self._count}"
        returned = [f"{name}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, returned, name=name, domain=domain, **attributes))
        return returned[0] if outputs == 1 else returned

    def weight(self, *shape, name=None):
        """Add an initializer of random floats."""
        self._count += 1
        name = name or f"weight_{self._count}"
        values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def constant(self, value, dtype=np.float32):
        """Add a `Constant`, as PyTorch has its numbers."""
        return self.node("Constant", value=numpy_helper.from_array(np.array(value, dtype=dtype)))

    def convolution(self, x, filters, channels, kernel, bias=True, name=None, **attributes):
        weights = [self.weight(filters, channels // attributes.get("group", 1), kernel, kernel)]
        weights += [self.weight(filters)] if bias else []
        return self.node("Conv", x, *weights, name=name, kernel_shape=[kernel, kernel], **attributes)

    def normalised(self, x, channels):
        return self.node("BatchNormalization", x, *(self.weight(channels) for _ in range(4)))

    def linear(self, x, width, units):
        return self.node("Add", self.weight(units), self.node("MatMul", x, self.weight(width, units)))

    def layer_norm(self, x, width):
        """Add a layer normalisation as exports before opset 17 spell it out."""
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        squared = self.node("Pow", centred, self.constant(2.0))
        variance = self.node("Add", self.node("ReduceMean", squared, axes=[-1]), self.constant(1e-5))
        scaled = self.node("Div", centred, self.node("Sqrt", variance))
        return self.node("Add", self.node("Mul", scaled, self.weight(width)), self.weight(width))

    def gelu(self, x):
        """Add the exact GELU as exports before opset 20 spell it out."""
        error = self.node("Erf", self.node("Div", x, self.constant(math.sqrt(2.0))))
        product = self.node("Mul", x, self.node("Add", error, self.constant(1.0)))
        return self.node("Mul", product, self.constant(0.5))

    def reshaped(self, x, *sizes):
        """Reshape all but the batch, which stays open: the sizes are put together from the tensor's own."""
        batch = self.node("Gather", self.node("Shape", x), self.constant(0, np.int64), axis=0)
        parts = [self.node("Unsqueeze", batch, self.constant([0], np.int64))]
        parts += [self.constant([size], np.int64) for size in sizes]
        return self.node("Reshape", x, self.node("Concat", *parts, axis=0))

    def model(self, *outputs, opset=17, shapes=None):
        """Return the model; what it returns has no shape unless `shapes` give it."""
        ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (shapes or {}).get(name)) for name in outputs]
        graph = helper.make_graph(self.nodes, "main_graph", self.ports, ports, self.initializers)
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


def saved(model, folder: Path) -> Path:
    """Write a model to a file."""
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def residual_block():
    """Return convolutions, batch normalisations and a shortcut as PyTorch exports a ResNet."""
    b = Builder(x=[BATCH, 3, 16, 16])
    x = b.node("Relu", b.normalised(b.convolution("x", 8, 3, 3, bias=False, pads=[1] * 4, strides=[1, 1]), 8))
    y = b.node("Relu", b.normalised(b.convolution(x, 8, 8, 3, bias=False, pads=[1] * 4), 8))
    y = b.normalised(b.convolution(y, 8, 8, 3, bias=False, pads=[1] * 4), 8)
    x = b.node("Relu", b.node("Add", y, x))
    x = b.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.node("Flatten", b.node("GlobalAveragePool", x), axis=1)
    return b.model(b.node("Gemm", x, b.weight(10, 8), b.weight(10), transB=1))


def separable_block():
    """Return a depthwise and a pointwise convolution with ReLU6, as PyTorch exports a MobileNet."""
    b = Builder(x=[1, 3, 12, 16])

    def relu6(x):
        return b.node("Clip", x, b.constant(0.0), b.constant(6.0))

    x = relu6(b.normalised(b.convolution("x", 6, 3, 3, bias=False, pads=[1] * 4), 6))
    x = relu6(b.normalised(b.convolution(x, 6, 6, 3, bias=False, pads=[1] * 4, group=6), 6))
    x = b.convolution(x, 12, 6, 1)
    squeezed = b.node("GlobalAveragePool", x)
    gate = b.node("Sigmoid", b.convolution(b.node("Relu", b.convolution(squeezed, 4, 12, 1)), 12, 4, 1))
    x = b.node("Mul", x, gate)
    x = b.node("ReduceMean", x, axes=[2, 3], keepdims=0)
    return b.model(b.node("Softmax", b.node("Gemm", x, b.weight(5, 12), b.weight(5), transB=1), axis=-1))


def transformer_block(width=16, heads=4, length=9):
    """Return attention and a perceptron as PyTorch exports them, the batch being open."""
    b = Builder(x=[BATCH, length, width])
    before = b.layer_norm("x", width)
    parts = [b.reshaped(b.linear(before, width, width), length, heads, width // heads) for _ in range(3)]
    query, value = (b.node("Transpose", parts[i], perm=[0, 2, 1, 3]) for i in (0, 2))
    key = b.node("Transpose", parts[1], perm=[0, 2, 3, 1])
    scores = b.node("Div", b.node("MatMul", query, key), b.constant(math.sqrt(width // heads)))
    mixed = b.node("MatMul", b.node("Softmax", scores, axis=-1), value)
    mixed = b.reshaped(b.node("Transpose", mixed, perm=[0, 2, 1, 3]), length, width)
    x = b.node("Add", "x", b.linear(mixed, width, width))
    hidden = b.gelu(b.linear(b.layer_norm(x, width), width, 4 * width))
    return b.model(b.node("Add", x, b.linear(hidden, 4 * width, width)))


def recurrent_network(steps=7, width=5, units=6):
    """Return an LSTM in both directions as PyTorch exports it with its batch first."""
    b = Builder(x=[BATCH, steps, width])
    x = b.node("Transpose", "x", perm=[1, 0, 2])
    weights = [b.weight(2, 4 * units, width), b.weight(2, 4 * units, units), b.weight(2, 8 * units)]
    x, *_ = b.node("LSTM", x, *weights, hidden_size=units, direction="bidirectional", outputs=3)
    x = b.node("Reshape", b.node("Transpose", x, perm=[0, 2, 1, 3]), b.constant([0, 0, -1], np.int64))
    x = b.node("Transpose", x, perm=[1, 0, 2])
    return b.model(b.linear(x, 2 * units, 3))


def two_inputs():
    """Return a network that reads an image and a vector."""
    b = Builder(image=[BATCH, 3, 8, 8], vector=[BATCH, 4])
    image = b.node("Flatten", b.node("GlobalAveragePool", b.convolution("image", 6, 3, 3)))
    vector = b.node("Relu", b.node("Gemm", "vector", b.weight(6, 4), b.weight(6), transB=1))
    both = b.node("Concat", image, vector, axis=1)
    return b.model(b.node("Gemm", both, b.weight(2, 12), b.weight(2), transB=1), image)
