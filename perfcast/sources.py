"""What a user may name as a model, and how it becomes a descriptor, or an export to measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, SourceError, UsageError
from perfcast.export.brought import ReadOptions, format_of, has_known_ending, naming, read_model
from perfcast.export.stage import Export, build_artifact, export_key, export_models
from perfcast.formats.keras_json import looks_like_keras
from perfcast.formats.keras_json.text import read_document
from perfcast.models.brought import FILE, HUB, is_address, name_of, refuse_unmeasured, with_content
from perfcast.models.brought import SOURCES as BROUGHT
from perfcast.models.sheet import read_sheet
from perfcast.models.spec import ModelSpec
from perfcast.network.descriptor import validate_descriptor
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.export.artifacts import ArtifactStore

_LONGEST_NAME = 500


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
        raise UsageError(f"is neither a file nor a model listed in {places}{hint}")


@dataclass(frozen=True)
class Described:
    """What sources became.

    Attributes:
        descriptors: of those that could be read, in order.
        failures: why the others could not, one line each that names the source.
    """

    descriptors: list[dict[str, Any]]
    failures: list[PerfcastError]


def describe_sources(sources: Iterable[str], library: Library, options: ReadOptions) -> Described:
    """Describe each source, whatever becomes of the others; see `describe_source`.

    Files that share a name but for their ending, or their folder, are told apart by the whole of it.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    failures: list[PerfcastError] = []
    for source in sources:
        try:
            found.append((source, describe_source(source, library, options)))
        except PerfcastError as error:
            failures.append(error)
    bearers = {
        descriptor["model"]: {s for s, d in found if d["model"] == descriptor["model"]} for _, descriptor in found
    }
    return Described([_disambiguate(d, s) if len(bearers[d["model"]]) > 1 else d for s, d in found], failures)


def _disambiguate(descriptor: dict[str, Any], source: str) -> dict[str, Any]:
    if descriptor["source"] not in BROUGHT:
        return descriptor
    return descriptor | {"model": escape_control(f"{descriptor['model']} ({source})")[:_LONGEST_NAME]}


def describe_source(source: str, library: Library, options: ReadOptions) -> dict[str, Any]:
    """Return the descriptor of a source.

    A source is a descriptor or an artifact's folder, a model file or folder of `perfcast.export.brought`, a
    handle of TensorFlow Hub, or the name of a model that a sheet lists.

    Args:
        source: path, address or name.
        library: where names are looked up.
        options: what the user says of models in files.

    Raises:
        UsageError: the source is not there, or is of no known kind, or its inputs need shapes.
        SourceError: it cannot be read or built.
    """
    with naming(source):
        _refuse_empty(source)
        if is_address(source):
            return _brought(source, HUB, options)
        path = Path(source)
        if (path / "model.json").exists():
            return _checked(read_document(path / "model.json"))
        if not path.exists() and not has_known_ending(source):
            return _from_sheet(source, library)
        if path.is_file() and source.endswith((".json", ".json.gz")):
            document = read_document(path)
            if isinstance(document, dict) and "layers" in document:
                return _checked(document)
            if not looks_like_keras(document):
                raise SourceError("is neither a descriptor (model.json) nor a text of Keras' to_json()")
        return _brought(source, FILE, options)


def export_source(source: str, library: Library, options: ReadOptions) -> Export:
    """Export what a source names to the library's store, from which it can be measured; see `describe_source`.

    A model of a sheet becomes the artifact that the workflow makes of it; so does a file, under its own name.

    Raises:
        UsageError: the source is not there, is of no known kind or of one that no toolchain runs, or its inputs
            need shapes.
        SourceError: it cannot be read or built.
    """
    with naming(source):
        _refuse_empty(source)
        if is_address(source):
            return _exported(source, HUB, library, options)
        path = Path(source)
        if not path.exists() and not has_known_ending(source):
            return export_models([with_content(library.find(source))], library.store)[0]
        if _is_descriptor(path):
            raise UsageError("is a descriptor, which cannot be measured; name the model, or the file it came from")
        return _exported(source, FILE, library, options)


def _refuse_empty(source: str) -> None:
    if not source:
        raise UsageError("a SOURCE is empty; name a file, an address or a model of a sheet")


def _is_descriptor(path: Path) -> bool:
    if (path / "model.json").exists():
        return True
    if not path.is_file() or not path.name.endswith((".json", ".json.gz")):
        return False
    document = read_document(path)
    return isinstance(document, dict) and "layers" in document


def _exported(source: str, kind: str, library: Library, options: ReadOptions) -> Export:
    format_of(source, kind)
    refuse_unmeasured(source)
    read = read_model(source, kind, replace(options, to_run=True))
    if read.graph is None:
        raise SourceError("was read but cannot be measured: no toolchain here runs such files")
    spec = _spec(source, kind, tuple(read.body["input_shape"]), options)
    return Export(spec, library.store.put(export_key(spec), read.graph, read.descriptor(spec)))


def _spec(source: str, kind: str, input_shape: tuple[int, ...], options: ReadOptions) -> ModelSpec:
    """Return the spec that a sheet which says the same would give the model."""
    name = name_of(source)
    said: dict[str, Any] = {"input_shapes": {key: list(shape) for key, shape in options.shapes.items()}}
    if options.signature != ReadOptions.signature:
        said["signature"] = options.signature
    if options.allow_code:
        said["allow_code"] = True
    return with_content(ModelSpec(name, name, kind, source, input_shape, said))


def _checked(descriptor: dict[str, Any]) -> dict[str, Any]:
    validate_descriptor(descriptor)
    return descriptor


def _brought(source: str, kind: str, options: ReadOptions) -> dict[str, Any]:
    brought = read_model(source, kind, options)
    name = name_of(source)
    return brought.descriptor(ModelSpec(name, name, kind, source, tuple(brought.body["input_shape"])))


def _from_sheet(model: str, library: Library) -> dict[str, Any]:
    spec = library.find(model)
    with naming(str(library.store.root)):
        artifact = library.store.find_export(export_key(spec))
        return library.store.descriptor(artifact) if artifact else build_artifact(spec)[1]
