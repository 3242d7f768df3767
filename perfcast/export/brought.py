"""Read a model that a user brings: its descriptor, and its graph where a toolchain here can run it."""

from __future__ import annotations

import contextlib
import json
import warnings
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, SourceError, UsageError
from perfcast.export.keras_model import describe
from perfcast.formats.inputs import settle
from perfcast.formats.keras_json import unsafe_or_unknown
from perfcast.formats.keras_json.text import read_document
from perfcast.models.brought import HUB, is_address
from perfcast.models.spec import ModelSpec
from perfcast.network.descriptor import identified, validate_descriptor
from perfcast.text import escape_control, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import keras

    from perfcast.network.network import Shape

_LONGEST = 200
_LARGEST_CONFIG = 100_000_000
_BODY = ("input_shape", "inputs", "outputs", "layers")


@dataclass(frozen=True)
class ReadOptions:
    """What a user says of a model beside where it is.

    Attributes:
        shapes: of its inputs, see `perfcast.formats.inputs.settle`.
        signature: which of a SavedModel's functions to take.
        allow_code: whether code that a Keras file carries may run.
        keep_values: whether the graph keeps the trained weights instead of saying what to draw.
        to_run: whether it is to be measured: makes a graph where reading alone needs none.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    signature: str = "serving_default"
    allow_code: bool = False
    keep_values: bool = False
    to_run: bool = False

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ReadOptions:
        """Return the options that the parameters of a brought model's spec hold."""
        return cls(
            shapes={name: tuple(shape) for name, shape in parameters["input_shapes"].items()},
            signature=parameters.get("signature", cls.signature),
            allow_code=parameters.get("allow_code", False),
            keep_values=parameters.get("weights") == "values",
        )


@dataclass(frozen=True)
class Brought:
    """A model that was read.

    Attributes:
        body: the descriptor's keys `input_shape`, `inputs`, `outputs` and `layers`.
        interface: the descriptor's key `graph`, None where there is no graph.
        graph: the serialized graph that a runner runs, None where the source was only read.
    """

    body: dict[str, Any]
    interface: dict[str, Any] | None = None
    graph: bytes | None = None

    def descriptor(self, spec: ModelSpec) -> dict[str, Any]:
        """Return the whole descriptor, under the names that the spec gives the model."""
        whole = identified(self.body, spec.model, spec.name, spec.family, spec.source)
        return whole | {"graph": self.interface}


def build_brought(spec: ModelSpec) -> tuple[bytes, dict[str, Any]]:
    """Return the serialized graph and the descriptor of a model that a sheet lists.

    Raises:
        UsageError: there is no such file, or its inputs have other shapes than the sheet says.
        SourceError: the model cannot be read, or not be run by a toolchain here.
    """
    options = replace(ReadOptions.from_parameters(spec.parameters), to_run=True)
    brought = read_model(spec.builder, spec.source, options)
    if brought.graph is None:
        raise SourceError(f"{spec.builder}: was read but cannot be measured: no toolchain here runs such files")
    return brought.graph, brought.descriptor(spec)


def read_model(handle: str, source: str, options: ReadOptions) -> Brought:
    """Read a model from a file, a folder or a handle of TensorFlow Hub.

    Args:
        handle: its path, or its address.
        source: `file`, or `tensorflow_hub` for archives and addresses too.
        options: what the user says of it.

    Raises:
        UsageError: there is no such file, or of no known kind; or its inputs need shapes.
        SourceError: it cannot be read. Both are one line that names the handle.
    """
    with naming(handle):
        reader = _READERS[format_of(handle, source)]
        brought = reader(handle, options)
        _check(brought)
        return brought


@contextlib.contextmanager
def naming(handle: str) -> Iterator[None]:
    """Let each error inside begin with the handle, which readers need not know.

    Raises:
        UsageError: for one of its kind, and where the file system refuses.
        SourceError: for any other of perfcast's.
    """
    try:
        yield
    except PerfcastError as error:
        kind = UsageError if isinstance(error, UsageError) else SourceError
        text = str(error)
        raise kind(text if text.startswith(handle) else f"{shorten(handle, _LONGEST)}: {text}") from error
    except OSError as error:
        raise UsageError(f"{shorten(handle, _LONGEST)}: cannot be read ({error.strerror or error})") from error
    except RecursionError as error:
        raise SourceError(f"{shorten(handle, _LONGEST)}: is nested too deep") from error


def _check(brought: Brought) -> None:
    """Refuse what could not be kept: names that no table takes, numbers that are too large."""
    validate_descriptor(brought.descriptor(ModelSpec("model", "family", "file", "file", (1,))))


def has_known_ending(handle: str) -> bool:
    """Tell whether a path's name ends as those of files that can be read."""
    return handle.lower().endswith(_ENDINGS)


def format_of(handle: str, source: str) -> str:
    """Return which kind of model there is, by name and content.

    Raises:
        UsageError: there is nothing, or nothing that can be read.
    """
    if source == HUB or is_address(handle):
        return "hub"
    path = Path(handle)
    if path.is_dir():
        if (path / "config.json").exists():
            return ".keras"
        return "folder"
    if not path.exists():
        raise UsageError("there is no such file")
    if not path.is_file():
        raise UsageError("is no file")
    for ending in _ENDINGS:
        if handle.lower().endswith(ending):
            return ending
    hint = "; load it with Keras and save it as .keras" if path.suffix in (".h5", ".hdf5") else ""
    raise UsageError(
        f"is of no kind that can be read; there are {', '.join(_ENDINGS)} and folders of a SavedModel{hint}"
    )


def _read_hub(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.hub import resolve

    return _read_folder(str(resolve(handle)), options)


def _read_folder(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.tensorflow_graph import read_saved_model

    read = read_saved_model(Path(handle), options.shapes, signature=options.signature, keep_values=options.keep_values)
    return Brought(read.network.descriptor(), read.interface, read.graph)


def _read_frozen_graph(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.tensorflow_graph import read_frozen_graph

    read = read_frozen_graph(Path(handle), options.shapes, keep_values=options.keep_values)
    return Brought(read.network.descriptor(), read.interface, read.graph)


def _read_onnx(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.onnx_graph import read_onnx

    return Brought(read_onnx(Path(handle), options.shapes).descriptor())


def _read_tflite(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.tflite_graph import read_tflite

    return Brought(read_tflite(Path(handle), options.shapes).descriptor())


def _read_keras_text(handle: str, options: ReadOptions) -> Brought:
    from perfcast.formats.keras_json import read_keras_json

    network = read_keras_json(Path(handle), options.shapes)
    if not options.to_run:
        return Brought(network.descriptor())
    if options.keep_values:
        raise UsageError("a Keras text holds no values of weights; leave out weights=values")
    return _traced(_rebuild(Path(handle)), options)


def _read_keras_file(handle: str, options: ReadOptions) -> Brought:
    path = Path(handle)
    if path.is_file():
        _check_archive(path)
    try:
        model = _load(path, options.allow_code)
    except SourceError as error:
        reason = _told_by(path)
        if reason is None:
            raise
        is_code = reason.endswith("is code") and not options.allow_code
        hint = "; where you trust the file, let it run: --allow-code, or allow_code=true in a sheet" if is_code else ""
        raise SourceError(f"Keras does not load it: {reason}{hint}") from error
    return _traced(model, options)


def _told_by(path: Path) -> str | None:
    """Return what the archive's own configuration says of why Keras does not load it."""
    try:
        if path.is_dir():
            text = (path / "config.json").read_bytes()
        else:
            with zipfile.ZipFile(path) as archive, archive.open("config.json") as file:
                text = file.read(_LARGEST_CONFIG)
        return unsafe_or_unknown(json.loads(text))
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile):
        return None


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # Keras says of a file that is no archive that there is none.
    except (zipfile.BadZipFile, ValueError) as error:
        raise SourceError("is not a readable Keras file; save the model to it again") from error
    leading_out = [name for name in names if name.startswith("/") or ".." in PurePosixPath(name).parts]
    if leading_out:
        raise SourceError(f"is no archive of Keras: its member {escape_control(leading_out[0])[:80]!r} leads out of it")


def _traced(model: keras.Model, options: ReadOptions) -> Brought:
    names = [escape_control(tensor.name) for tensor in model.inputs]
    settled = settle({n: list(t.shape) for n, t in zip(names, model.inputs, strict=True)}, options.shapes)
    shapes = [settled[name][1:] for name in names]
    if not shapes[0]:
        raise SourceError("the input is a single number; it needs one axis at least beside the batch")
    spec = ModelSpec("model", "family", "file", "file", tuple(shapes[0]))
    with _said_by("Keras", "describe"):
        described = describe(model, spec, shapes)
    body = {key: described[key] for key in _BODY}
    if not options.to_run:
        return Brought(body)
    from perfcast.export.graph import trace_weightless

    with _said_by("TensorFlow", "trace"):
        graph = trace_weightless(model, shapes, keep_values=options.keep_values)
    return Brought(body, graph.interface, graph.serialized)


def _load(path: Path, allow_code: bool) -> keras.Model:
    import keras

    with _said_by("Keras", "load"):
        model = keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
        model.inputs  # noqa: B018  (a subclassed model that was never called has none)
    return model


def _rebuild(path: Path) -> keras.Model:
    import keras

    document = read_document(path)
    # How it was trained needs values, which there are none of here.
    text = json.dumps({key: value for key, value in document.items() if key != "compile_config"})
    with _said_by("Keras", "build"), keras.StatelessScope(initialize_variables=False):
        return keras.models.model_from_json(text)


@contextlib.contextmanager
def _said_by(library: str, action: str) -> Iterator[None]:
    """Make what a library raises over someone's model one line, and keep its warnings off the terminal."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except PerfcastError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(f"{library} cannot {action} it: {reason[0][:300]}") from error


_READERS: dict[str, Callable[[str, ReadOptions], Brought]] = {
    "hub": _read_hub,
    "folder": _read_folder,
    ".tar.gz": _read_hub,
    ".tgz": _read_hub,
    ".keras": _read_keras_file,
    ".json": _read_keras_text,
    ".json.gz": _read_keras_text,
    ".pb": _read_frozen_graph,
    ".onnx": _read_onnx,
    ".tflite": _read_tflite,
}
_ENDINGS = tuple(ending for ending in _READERS if ending.startswith("."))
