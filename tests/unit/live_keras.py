"""A second opinion on networks of Keras: what a live model's own layers say, without the rules for texts.

The product describes a model by its configuration; here shapes come from Keras' tensors, weights from its variables,
and multiply-accumulates from the shapes of both.
"""

import math

import keras
from keras import layers

from perfcast.network import macs
from perfcast.network.layer_types import activation_name, layout_of
from perfcast.network.network import Layer, Network, Tensor, Weight

GATED = layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D, layers.SeparableConv1D, layers.SeparableConv2D)
PLAIN = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


def describe(model, shapes=()):
    """Return the body of a live model's descriptor; `shapes` are those of its inputs without the batch, where open."""
    function, found = function_of(model), []
    shapes = shapes or [tensor.shape[1:] for tensor in function.inputs]
    inputs = []
    for symbol, shape in zip(function.inputs, shapes, strict=True):
        layer = symbol._keras_history.operation
        actual = keras.KerasTensor((symbol.shape[0], *shape), dtype=symbol.dtype)
        inputs += add(found, layer, layer.name, [], [actual], ((), {}))
    outputs = walk(found, function, inputs, "")
    names = [tuple(name for name, _ in tensors) for tensors in (inputs, outputs)]
    return Network(*names, tuple(found)).descriptor()


def function_of(operation):
    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if isinstance(operation, keras.Function) else None


def walk(found, function, inputs, prefix):
    """Add the layers of a network that is called on `inputs`, pairs of names and Keras' tensors; return its outputs."""
    tensors = {id(symbol): tensor for symbol, tensor in zip(function.inputs, inputs, strict=True)}
    # The order in which Keras itself runs them; no public attribute has it.
    nodes = [node for _, nodes in sorted(function._nodes_by_depth.items(), reverse=True) for node in nodes]
    for node in nodes:
        if node.is_input:
            continue
        read = [tensors[id(symbol)] for symbol in node.input_tensors]
        name, inner = prefix + node.operation.name, function_of(node.operation)
        if inner is None:
            arguments = node.arguments.fill_in({key: symbol for key, (_, symbol) in tensors.items()})
            returned = add(found, node.operation, name, read, outputs_of(node, tensors, arguments), arguments)
        else:
            # What follows the inner inputs are masks and the like.
            returned = walk(found, inner, read[: len(inner.inputs)], f"{name}/")
        tensors |= {id(symbol): tensor for symbol, tensor in zip(node.outputs, returned, strict=True)}
    return [tensors[id(symbol)] for symbol in function.outputs]


def outputs_of(node, tensors, arguments):
    outputs, (given, options) = node.outputs, arguments
    if any(tensors[id(symbol)][1].shape != symbol.shape for symbol in node.input_tensors):
        # A nested network that is called at another shape than it was built at.
        outputs = keras.tree.flatten(node.operation.compute_output_spec(*given, **options))
    # Keras says that the scores of attention are as many as there are queries, not as there are keys.
    has_scores = isinstance(node.operation, layers.MultiHeadAttention) and len(outputs) > 1
    if has_scores or any(None in symbol.shape[1:] for symbol in outputs):
        # What the layer says of its own shape leaves sizes open; tracing it does not.
        outputs = keras.tree.flatten(keras.Operation.compute_output_spec(node.operation, *given, **options))
    return outputs


def add(found, operation, name, read, symbols, arguments):
    returned = [(f"{len(found)}:{index}", symbol) for index, symbol in enumerate(symbols)]
    inputs, outputs = ([tuple(symbol.shape[1:]) for _, symbol in tensors] for tensors in (read, returned))
    trained = {id(weight) for weight in getattr(operation, "trainable_weights", ())}
    weights = getattr(operation, "weights", ())
    kind = type(operation).__name__
    inner = function_of(operation.layer) if isinstance(operation, layers.TimeDistributed) else None
    found.append(
        Layer(
            name,
            kind,
            tuple(tensor for tensor, _ in read),
            tuple(Tensor(tensor, tuple(symbol.shape[1:]), symbol.dtype) for tensor, symbol in returned),
            tuple(Weight(str(id(weight)), math.prod(weight.shape), id(weight) in trained) for weight in weights),
            layout_of(kind, getattr(operation, "data_format", None)),
            macs=count(operation, inputs, outputs, arguments) if inner is None else of_steps(inner, read[0][1]),
            **geometry(operation, inputs, outputs),
        )
    )
    return returned


def of_steps(function, symbol):
    """Return the multiply-accumulates of a network at each step of a tensor."""
    found = []
    walk(found, function, [("step", keras.KerasTensor((None, *symbol.shape[2:]), dtype=symbol.dtype))], "")
    return symbol.shape[1] * sum(layer.macs for layer in found)


def geometry(operation, inputs, outputs):
    while isinstance(operation, layers.SpectralNormalization):
        operation = operation.layer
    groups = filters = activation = None
    if isinstance(operation, DEPTHWISE):
        axis = -1 if operation.data_format == "channels_last" else 0
        groups, filters = inputs[0][axis], outputs[0][axis]
    elif isinstance(operation, PLAIN + TRANSPOSED):
        groups, filters = getattr(operation, "groups", 1), operation.filters
    if hasattr(operation, "activation"):
        function = operation.activation
        activation = activation_name(getattr(function, "__name__", type(function).__name__)) if function else "linear"
    kernel = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    return {
        "kernel": whole_numbers(kernel),
        "strides": whole_numbers(getattr(operation, "strides", None)),
        "dilation": whole_numbers(getattr(operation, "dilation_rate", None)),
        "groups": groups,
        "filters": filters,
        "units": operation.units if isinstance(operation, layers.Dense) else None,
        "activation": activation,
    }


def whole_numbers(value):
    values = [value] if isinstance(value, int) else value
    whole = isinstance(values, list | tuple) and all(isinstance(item, int) for item in values)
    return tuple(values) if whole else None


def positions(layer, shape):
    return shape[:-1] if layer.data_format == "channels_last" else shape[1:]


def count(layer, inputs, outputs, arguments=((), {})):
    """Return the multiply-accumulates of one call of a layer or operation; shapes are without the batch."""
    if isinstance(layer, layers.MultiHeadAttention | layers.GroupQueryAttention):
        return attention_of_heads(layer, inputs, arguments)
    if ".ops." in type(layer).__module__:
        return operation_macs(layer, inputs, outputs, arguments)
    for classes, counted in COUNTERS:
        if isinstance(layer, classes):
            return counted(layer, inputs, outputs)
    return 0


def named(arguments, names):
    """Return the shapes, with a batch of 1, of the tensors among arguments that a call names, or gives in order."""
    given, options = arguments
    tensors = dict(zip(names, given, strict=False)) | {name: options[name] for name in names if name in options}
    return {name: whole(tensor.shape) for name, tensor in tensors.items() if hasattr(tensor, "shape")}


def whole(shape):
    return tuple(1 if size is None else int(size) for size in shape)


def attention_of_heads(layer, inputs, arguments):
    found = named(arguments, ("query", "value"))
    query = found["query"][1:] if "query" in found else tuple(inputs[0])
    value = found["value"][1:] if "value" in found else tuple(inputs[min(1, len(inputs) - 1)])
    if isinstance(layer, layers.MultiHeadAttention):
        heads, widths, axes = layer.num_heads, (layer.key_dim, layer.value_dim), layer.attention_axes
    else:
        heads, widths, axes = layer.num_query_heads, (layer.head_dim, layer.head_dim), None
    kernels = {
        weight.path.split("/")[-2]: math.prod(weight.shape) for weight in layer.weights if weight.name == "kernel"
    }
    # Value and key have equally many positions, so it does not matter which of them was given first.
    return macs.multi_head_macs(query, value, heads, widths, kernels, axes)


def operation_macs(operation, inputs, outputs, arguments):
    kind = type(operation).__name__
    if kind == "Einsum":
        operands = [whole(operand.shape) for operand in arguments[0] if hasattr(operand, "shape")]
        return macs.einsum_macs(operation.subscripts, operands)
    if kind in ("Matmul", "Dot", "Tensordot"):
        operands = tuple(named(arguments, ("x1", "x2")).values())
        if len(operands) != 2:
            return 0
        axes = operation.axes if kind == "Tensordot" else 1
        return macs.matmul_macs(*operands) if kind == "Matmul" else macs.contraction_macs(*operands, axes)
    if kind in ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"):
        names = ("inputs", "kernel" if kind != "SeparableConv" else "depthwise_kernel", "pointwise_kernel")
        kernels = named(arguments, names)
        where = positions(operation, inputs[0] if kind == "ConvTranspose" else outputs[0])
        return macs.convolution_macs(where, *(shape for name, shape in kernels.items() if name != "inputs"))
    if kind == "DotProductAttention":
        query, key, value = named(arguments, ("query", "key", "value")).values()
        return macs.attention_macs(math.prod(query[:-1]), key[1], (key[-1], value[-1]))
    return 0


def recurrent(layer, inputs, outputs):
    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    if not all(isinstance(cell, GATED) for cell in cells):
        return 0
    weights = sum(math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape) for cell in cells)
    return macs.recurrent_macs(inputs[0][0], weights)


def convolutional_lstm(layer, inputs, outputs):
    state = outputs[0][1:] if layer.return_sequences else outputs[0]
    where = (inputs[0][0], *positions(layer, state))
    return macs.convolution_macs(where, layer.cell.kernel.shape, layer.cell.recurrent_kernel.shape)


def separable(layer, inputs, outputs):
    where = positions(layer, outputs[0])
    return macs.convolution_macs(where, layer.depthwise_kernel.shape, layer.pointwise_kernel.shape)


def dot(layer, inputs, outputs):
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    return macs.contraction_macs((1, *inputs[0]), (1, *inputs[1]), axes)


def attention(layer, inputs, outputs):
    query, value, key = inputs[0], inputs[1], inputs[-1]
    return macs.attention_macs(math.prod(query[:-1]), key[-2], (key[-1], value[-1]))


def distributed(layer, inputs, outputs):
    return inputs[0][0] * count(layer.layer, [shape[1:] for shape in inputs], [shape[1:] for shape in outputs])


COUNTERS = (
    (DEPTHWISE[2:], separable),
    (
        PLAIN + DEPTHWISE[:2],
        lambda layer, _, outs: macs.convolution_macs(positions(layer, outs[0]), layer.kernel.shape),
    ),
    (TRANSPOSED, lambda layer, ins, _: macs.convolution_macs(positions(layer, ins[0]), layer.kernel.shape)),
    (layers.Dense, lambda layer, _, outs: macs.dense_macs(outs[0][:-1], layer.kernel.shape)),
    (
        layers.EinsumDense,
        lambda layer, ins, _: macs.einsum_macs(layer.equation, [(1, *ins[0]), tuple(layer.kernel.shape)]),
    ),
    (layers.Dot, dot),
    (layers.SpectralNormalization, lambda layer, ins, outs: count(layer.layer, ins, outs)),
    (layers.Attention, attention),
    (layers.TimeDistributed, distributed),
    (
        layers.Bidirectional,
        lambda layer, ins, outs: sum(count(one, ins, outs) for one in (layer.forward_layer, layer.backward_layer)),
    ),
    ((layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D), convolutional_lstm),
    (layers.RNN, recurrent),
)
"""What counts the multiply-accumulates of a kind of layers, the first that fits."""
