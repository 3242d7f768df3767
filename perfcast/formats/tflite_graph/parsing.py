"""Parse a TensorFlow Lite file: tensors and operators of its main graph, with every offset checked."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import math
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perfcast.errors import SourceError
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from perfcast.network.network import Shape

_IDENTIFIER = b"TFL3"
_DAMAGES = (struct.error, IndexError, ValueError, TypeError, OverflowError, RecursionError, AttributeError, MemoryError)
_MAX_SIZE = 1_000_000_000
_MAX_AXES = 9
_MAX_KNOWN_ELEMENTS = 4096
_KNOWN_TYPES = frozenset(("float16", "float32", "int8", "int32", "int64", "uint8"))
_OPTIONS = (
    *("AdjX", "Alpha", "DilationDFactor", "DilationHFactor", "DilationWFactor", "FilterHeight", "FilterWidth"),
    *("FusedActivationFunction", "StrideD", "StrideH", "StrideW"),
)

_MODULE = Path("lite", "python", "schema_py_generated.py")


@dataclass(frozen=True)
class TensorRecord:
    """A tensor of the file.

    Attributes:
        name: unique in the graph.
        shape: whole, the batch included; open sizes as 1.
        signature: the same with None for open sizes.
        dtype: as NumPy names it.
        stored: whether the file holds its elements.
        variable: whether it keeps its elements from one run to the next.
        data: of a stored one, its elements where they are few, dequantised.
    """

    name: str
    shape: Shape
    signature: tuple[int | None, ...]
    dtype: str
    stored: bool
    variable: bool
    data: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class OperatorRecord:
    """An operator of the file.

    Attributes:
        code: what it does, as the schema calls it, such as `CONV_2D`; a custom one's own word.
        inputs: which tensors it reads, -1 for optional ones that are left out.
        outputs: which tensors it returns.
        options: by the schema's names, those that matter here.
    """

    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """The main graph of a file; numbers are indices of `tensors`."""

    tensors: tuple[TensorRecord, ...]
    operators: tuple[OperatorRecord, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@contextlib.contextmanager
def _undamaged() -> Iterator[None]:
    try:
        yield
    except _DAMAGES as error:
        raise SourceError("not a readable TensorFlow Lite file: it is damaged") from error


def parse(content: bytes) -> Graph:
    """Return the main graph of a file's content.

    Raises:
        SourceError: it not a TensorFlow Lite file, or damaged.
    """
    if content[4:8] != _IDENTIFIER:
        raise SourceError("not a TensorFlow Lite file")
    with _undamaged():
        return _Parser(content).graph()


class _Parser:
    """Reads the tables of one file; parts that many others name cannot make it read more than the file holds."""

    def __init__(self, content: bytes):
        self._model = schema().Model.GetRootAs(content, 0)
        self._left = 16 * len(content)
        self._names: set[str] = set()

    def graph(self) -> Graph:
        if not self._model.SubgraphsLength():
            raise SourceError("not a TensorFlow Lite model: it has no graph")
        main = self._model.Subgraphs(0)
        codes = [_code(self._model.OperatorCodes(i)) for i in range(self._model.OperatorCodesLength())]
        tensors = tuple(self._tensor(main.Tensors(i)) for i in range(main.TensorsLength()))
        operators = tuple(self._operator(main.Operators(i), codes) for i in range(main.OperatorsLength()))
        graph = Graph(tensors, operators, self._indices(main.InputsAsNumpy()), self._indices(main.OutputsAsNumpy()))
        _check_indices(graph)
        return graph

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("parts of the file overlap")

    def _indices(self, vector: Any) -> tuple[int, ...]:
        if isinstance(vector, int):
            # What the schema gives where there is none.
            return ()
        self._spend(vector.nbytes)
        return tuple(vector.tolist())

    def _operator(self, operator: Any, codes: list[str]) -> OperatorRecord:
        options = _options(operator)
        inputs, outputs = self._indices(operator.InputsAsNumpy()), self._indices(operator.OutputsAsNumpy())
        return OperatorRecord(codes[operator.OpcodeIndex()], inputs, outputs, options)

    def _tensor(self, tensor: Any) -> TensorRecord:
        sizes = self._indices(tensor.ShapeAsNumpy())
        known = self._indices(tensor.ShapeSignatureAsNumpy()) or sizes
        name = self._unused(tensor)
        if max(len(sizes), len(known)) > _MAX_AXES or not all(0 <= size <= _MAX_SIZE for size in sizes):
            raise SourceError(f"tensor {name[:80]!r} has the shape {list(sizes[: _MAX_AXES + 1])}")
        dtype = names_of("TensorType").get(tensor.Type(), "unknown").lower()
        signature = tuple(None if size < 0 else size for size in known)
        record = TensorRecord(name, sizes, signature, dtype, self._is_stored(tensor), bool(tensor.IsVariable()))
        return replace(record, data=self._data(tensor, record)) if record.stored else record

    def _unused(self, tensor: Any) -> str:
        raw = tensor.Name() or b""
        self._spend(len(raw))
        name = unused = escape_control(raw.decode(errors="replace"))
        if not name or name in self._names:
            unused = f"{name}@{len(self._names)}"
        while unused in self._names:
            unused += "'"
        self._names.add(unused)
        return unused

    def _is_stored(self, tensor: Any) -> bool:
        if tensor.ExternalBuffer():
            return True
        if tensor.Buffer() >= self._model.BuffersLength():
            raise IndexError(tensor.Buffer())
        buffer = self._model.Buffers(tensor.Buffer())
        # Large files keep elements behind the tables, and say where.
        return buffer.DataLength() > 0 or buffer.Offset() > 1

    def _data(self, tensor: Any, record: TensorRecord) -> np.ndarray | None:
        buffer, elements = self._model.Buffers(tensor.Buffer()), math.prod(record.shape)
        if not 0 < elements <= _MAX_KNOWN_ELEMENTS or record.dtype not in _KNOWN_TYPES:
            return None
        dtype = np.dtype(record.dtype)
        if buffer.DataLength() != elements * dtype.itemsize:
            return None
        self._spend(buffer.DataLength())
        data = np.frombuffer(buffer.DataAsNumpy(), dtype=dtype).copy()
        quantised = tensor.Quantization()
        if quantised is None or quantised.ScaleLength() != 1:
            return data
        zero = quantised.ZeroPoint(0) if quantised.ZeroPointLength() else 0
        return (data.astype(np.float64) - zero) * quantised.Scale(0)


def _code(operator_code: Any) -> str:
    # The older field holds but what fits one byte.
    number = max(operator_code.BuiltinCode(), operator_code.DeprecatedBuiltinCode())
    code = names_of("BuiltinOperator").get(number, f"BUILTIN_{number}")
    if code != "CUSTOM":
        return code
    return escape_control((operator_code.CustomCode() or b"").decode(errors="replace"))[:100] or "Custom"


def _options(operator: Any) -> dict[str, Any]:
    table = operator.BuiltinOptions()
    kind = names_of("BuiltinOptions").get(operator.BuiltinOptionsType(), "NONE")
    if table is None or kind == "NONE":
        return {}
    options = getattr(schema(), kind)()
    options.Init(table.Bytes, table.Pos)
    return {name: getattr(options, name)() for name in _OPTIONS if hasattr(options, name)}


def _check_indices(graph: Graph) -> None:
    count = len(graph.tensors)
    for operator in graph.operators:
        if not all(-1 <= index < count for index in operator.inputs):
            raise IndexError(operator.inputs)
        if not all(0 <= index < count for index in operator.outputs):
            raise IndexError(operator.outputs)
    if not all(0 <= index < count for index in (*graph.inputs, *graph.outputs)):
        raise IndexError(graph.inputs)


@functools.cache
def schema() -> ModuleType:
    """Return the module of the schema. It is loaded by itself: importing it by name starts all of TensorFlow.

    Raises:
        SourceError: no TensorFlow that has it is installed.
    """
    tensorflow = importlib.util.find_spec("tensorflow")
    folders = (tensorflow.submodule_search_locations if tensorflow else None) or []
    for folder in folders:
        spec = importlib.util.spec_from_file_location("perfcast_tflite_schema", Path(folder) / _MODULE)
        if spec is not None and spec.loader is not None and (Path(folder) / _MODULE).is_file():
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise SourceError("TensorFlow is needed to read TensorFlow Lite files; install it")


@functools.cache
def names_of(enumeration: str) -> dict[int, str]:
    """Return the names of an enumeration of the schema by their numbers."""
    members: dict[str, Any] = vars(getattr(schema(), enumeration))
    return {number: name for name, number in members.items() if isinstance(number, int)}
