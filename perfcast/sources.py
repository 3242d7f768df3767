"""What a user may name as a model, and how it becomes a descriptor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.catalog.sheet import read_sheet
from perfcast.catalog.spec import ModelSpec
from perfcast.errors import PerfcastError, SourceError, StoreError, UsageError
from perfcast.export.descriptor import validate_descriptor
from perfcast.export.stage import artifact_of, build_artifact, export_key
from perfcast.storage import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

    from perfcast.export.artifacts import ArtifactStore


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
        for sheet in self.sheets:
            for spec in read_sheet(sheet):
                if spec.model == model:
                    return spec
        places = ", ".join(str(sheet) for sheet in self.sheets) or "no sheet (name one with --sheet)"
        raise UsageError(f"{model}: is neither a file nor a model listed in {places}")


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
    if path.suffix == ".json" or (path.is_dir() and (path / "model.json").exists()):
        return _from_descriptor(path / "model.json" if path.is_dir() else path)
    if path.suffix == ".keras":
        return _from_keras_file(path)
    if path.exists() or path.suffix in {".h5", ".pb", ".onnx", ".tflite", ".gz"}:
        raise UsageError(f"{source}: is not a descriptor (.json), a Keras file (.keras) or a model of a sheet")
    return _from_sheet(source, library)


def _from_descriptor(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"{path}: there is no such file")
    try:
        descriptor: dict[str, Any] = read_json(path)
        validate_descriptor(descriptor)
    except StoreError as error:
        raise SourceError(str(error)) from error
    except PerfcastError as error:
        raise SourceError(f"{path}: is not a valid descriptor: {error}") from error
    return descriptor


def _from_sheet(model: str, library: Library) -> dict[str, Any]:
    spec = library.find(model)
    artifact = library.store.find_export(export_key(spec))
    return library.store.descriptor(artifact) if artifact else build_artifact(spec)[1]


def _from_keras_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise UsageError(f"{path}: there is no such file")
    model = _load_keras(path)
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    if any(size is None for shape in shapes for size in shape):
        raise SourceError(f"{path}: the input shape {shapes[0]} is open; save the model with a fixed one")
    spec = ModelSpec(
        name=path.stem, family=path.stem, source="keras_file", builder=path.name, input_shape=tuple(shapes[0])
    )
    return artifact_of(model, spec)[1]


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
