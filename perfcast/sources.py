"""What a user may name as a model, and how it becomes a descriptor."""

from __future__ import annotations

import contextlib
import stat
import zipfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.catalog.naming import visible
from perfcast.catalog.sheet import read_sheet
from perfcast.catalog.spec import ModelSpec
from perfcast.errors import PerfcastError, SourceError, StoreError, UsageError
from perfcast.export.descriptor import validate_descriptor
from perfcast.export.stage import artifact_of, build_artifact, export_key
from perfcast.storage import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import keras

    from perfcast.export.artifacts import ArtifactStore


_SHOWN = 200
"""Characters of a source that errors of the file system show."""


@dataclass(frozen=True)
class Library:
    """Where names of models are looked up.

    Attributes:
        sheets: sheets that list models.
        store: artifacts exported before, which spare building a listed model.
    """

    sheets: tuple[Path, ...]
    store: ArtifactStore

    def find(self, model: str) -> ModelSpec:
        """Return the spec of the model that a sheet lists under this name.

        Raises:
            UsageError: no sheet does.
        """
        listed = {spec.model: spec for sheet in reversed(self.sheets) for spec in read_sheet(sheet)}
        if model in listed:
            return listed[model]
        places = ", ".join(str(sheet) for sheet in self.sheets) or "no sheet (name one with --sheet)"
        alike = get_close_matches(model.lower(), listed, n=3, cutoff=0.7)
        hint = f"; did you mean {', '.join(alike)}?" if alike else ""
        raise UsageError(f"{model}: is neither a file nor a model listed in {places}{hint}")


def describe_sources(sources: Iterable[str], library: Library) -> list[dict[str, Any]]:
    """Return the descriptor of each source, in order; see `describe_source`.

    Raises:
        UsageError: a source is not there, or is of no known kind.
        SourceError: a source cannot be read or built.
    """
    return [describe_source(source, library) for source in sources]


def describe_source(source: str, library: Library) -> dict[str, Any]:
    """Return the descriptor of a source.

    A source is a descriptor (`.json`) or an artifact's folder, a Keras file (`.keras`), or the name of a model
    that a sheet lists. Only the last two may need TensorFlow, and the last not once it was exported.

    Raises:
        UsageError: the source is not there, or is of no known kind.
        SourceError: it cannot be read or built.
    """
    path = Path(source)
    inside = path / "model.json"
    if _is_folder(path) and _exists(inside):
        return _from_descriptor(inside)
    if path.suffix == ".json":
        return _from_descriptor(path)
    if path.suffix == ".keras":
        return _from_keras_file(path)
    if _exists(path) or path.suffix in {".h5", ".pb", ".onnx", ".tflite", ".gz"}:
        raise UsageError(f"{source}: is not a descriptor (.json), a Keras file (.keras) or a model of a sheet")
    return _from_sheet(source, library)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Make what the file system says of a path, such as that its name is too long, one line."""
    try:
        yield
    except OSError as error:
        name = str(path)
        shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"
        raise UsageError(f"{shown}: cannot be read ({error.strerror or error})") from error


def _mode(path: Path) -> int:
    # 0 where there is nothing. Of what cannot be looked at, Path.exists raises or tells that it is absent.
    with _reading(path), contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
        return path.stat().st_mode
    return 0


def _exists(path: Path) -> bool:
    return _mode(path) != 0


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(_mode(path))


def _from_descriptor(path: Path) -> dict[str, Any]:
    if not _exists(path):
        raise UsageError(f"{path}: there is no such file")
    try:
        descriptor: dict[str, Any] = read_json(path)
        validate_descriptor(descriptor)
    except StoreError as error:
        raise SourceError(str(error)) from error
    except PerfcastError as error:
        raise SourceError(f"{path}: {error}") from error
    return descriptor


def _from_sheet(model: str, library: Library) -> dict[str, Any]:
    spec = library.find(model)
    with _reading(library.store.root):
        artifact = library.store.find_export(export_key(spec))
    return library.store.descriptor(artifact) if artifact else build_artifact(spec)[1]


def _from_keras_file(path: Path) -> dict[str, Any]:
    if not _exists(path):
        raise UsageError(f"{path}: there is no such file")
    if not _is_keras(path):
        raise SourceError(f"{path}: is not a readable Keras file; save the model to it again")
    model = _load_keras(path)
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    if not shapes[0]:
        raise SourceError(f"{path}: the input is a single number; it needs one axis at least beside the batch")
    if any(size is None for shape in shapes for size in shape):
        raise SourceError(f"{path}: the input shape {shapes[0]} is open; save the model with a fixed one")
    # A file's name may hold anything, which tables could not be written with.
    name = visible(path.stem)
    spec = ModelSpec(name, family=name, source="keras_file", builder=visible(path.name), input_shape=tuple(shapes[0]))
    return artifact_of(model, spec)[1]


def _is_keras(path: Path) -> bool:
    # Keras says of a file that is no archive that there is none. It also loads archives that were unpacked.
    if _is_folder(path):
        return _exists(path / "config.json")
    with _reading(path), path.open("rb") as file:
        return zipfile.is_zipfile(file)


def _load_keras(path: Path) -> keras.Model:
    import keras

    try:
        # Safe mode refuses to deserialise code, such as that of Lambda layers.
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        model.inputs  # noqa: B018  (a subclassed model that was never called has none)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(f"{path}: Keras cannot load it: {reason[0][:300]}") from error
    return model
