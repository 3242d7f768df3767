"""TensorFlow Lite files of small networks, operator by operator."""

from pathlib import Path

import flatbuffers
import numpy as np

from perfcast.formats.tflite_graph.parsing import schema

_TYPES = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32", "float16": "FLOAT16", "int64": "INT64"}


class Builder:
    """Puts operators one after the other; tensors are known by their indices."""

    def __init__(self, *shapes, signatures=None):
        self.schema = schema()
        self.buffers, self.tensors, self.codes, self.operators = [self.schema.BufferT()], [], [], []
        self.inputs = [self.tensor(shape, name=f"input_{i}") for i, shape in enumerate(shapes)]
        for index, signature in zip(self.inputs, signatures or (), strict=False):
            self.tensors[index].shapeSignature = signature

    def tensor(self, shape, data=None, dtype="float32", name=None, scale=None):
        """Add a tensor, a constant where `data` is given; return its index."""
        tensor = self.schema.TensorT()
        tensor.shape, tensor.type = list(shape), getattr(self.schema.TensorType, _TYPES[dtype])
        tensor.name = (name if name is not None else f"model/tensor_{len(self.tensors)}").encode()
        tensor.hasRank = True
        if scale is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        tensor.buffer = 0
        if data is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(data, dtype=dtype).tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def weight(self, *shape, dtype="float32", name=None):
        """Add a constant of ones."""
        return self.tensor(shape, np.ones(shape), dtype, name)

    def operator(self, code, inputs, *outputs, options=None, **values):
        """Add an operator, its outputs given as shapes or tensors; return the index of the first."""
        operator = self.schema.OperatorT()
        operator.opcodeIndex = self._code(code)
        operator.inputs = list(inputs)
        operator.outputs = [output if isinstance(output, int) else self.tensor(output) for output in outputs]
        if options:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self.schema, f"{options}T")()
            for name, value in values.items():
                setattr(operator.builtinOptions, name, value)
        self.operators.append(operator)
        return operator.outputs[0] if outputs else None

    def _code(self, code):
        made = self.schema.OperatorCodeT()
        known = getattr(self.schema.BuiltinOperator, code, None)
        number = self.schema.BuiltinOperator.CUSTOM if known is None else known
        made.builtinCode, made.deprecatedBuiltinCode, made.version = number, min(number, 127), 1
        made.customCode = code.encode() if known is None else None
        self.codes.append(made)
        return len(self.codes) - 1

    def content(self, *outputs):
        """Return the file's bytes."""
        graph, model = self.schema.SubGraphT(), self.schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = self.inputs, list(outputs)
        model.version, model.subgraphs, model.operatorCodes, model.buffers = 3, [graph], self.codes, self.buffers
        packer = flatbuffers.Builder(1024)
        packer.Finish(model.Pack(packer), file_identifier=b"TFL3")
        return bytes(packer.Output())

    def save(self, folder: Path, *outputs) -> Path:
        """Write a file."""
        path = folder / "model.tflite"
        path.write_bytes(self.content(*outputs))
        return path


def small_network() -> Builder:
    """Return convolutions, a pooling and a dense layer, which end in the tensor that was added last."""
    b = Builder([1, 8, 8, 3])
    x = b.operator(
        "CONV_2D",
        [b.inputs[0], b.weight(4, 3, 3, 3), b.weight(4)],
        [1, 6, 6, 4],
        options="Conv2DOptions",
        strideW=1,
        strideH=1,
        fusedActivationFunction=1,
    )
    depthwise = {"strideW": 1, "strideH": 1, "depthMultiplier": 1}
    inputs = [x, b.weight(1, 3, 3, 4), b.weight(4)]
    x = b.operator("DEPTHWISE_CONV_2D", inputs, [1, 4, 4, 4], options="DepthwiseConv2DOptions", **depthwise)
    x = b.operator("MEAN", [x, b.tensor([2], [1, 2], "int32")], [1, 4], options="ReducerOptions")
    b.operator("FULLY_CONNECTED", [x, b.weight(5, 4), b.weight(5)], [1, 5], options="FullyConnectedOptions")
    return b
