"""What a SOURCE names, a descriptor, an external model or a model of a sheet: described, or exported to be measured."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from perfcast.errors import PerfcastError, UsageError, naming
from perfcast.export.key import export_key
from perfcast.export.stage import build, export_model, put_built
from perfcast.models.external.kinds import SOURCES as EXTERNAL
from perfcast.models.external.kinds import kind_of
from perfcast.models.external.reading import describe_external, export_external
from perfcast.models.external.spec import with_content
from perfcast.models.sheet import read_sheet
from perfcast.text import escape_control

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export
    from perfcast.models.external.options import ReadOptions
    from perfcast.models.spec import ModelSpec

_MAX_NAME_LENGTH = 500


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

    Files that share a name but for their ending, or their folder, are distinguished by the whole path.
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
    if descriptor["source"] not in EXTERNAL:
        return descriptor
    return descriptor | {"model": escape_control(f"{descriptor['model']} ({source})")[:_MAX_NAME_LENGTH]}


def describe_source(source: str, library: Library, options: ReadOptions) -> dict[str, Any]:
    """Return the descriptor of a source.

    A source is an external model or a descriptor (all kinds are in `perfcast.models.external.kinds`), or the name of
    a model that a sheet lists.

    Args:
        source: path, address or name.
        library: where names are looked up.
        options: what the user says of external models.

    Raises:
        UsageError: the source is missing or of an unknown kind, or its inputs need shapes.
        SourceError: it cannot be read or built.
    """
    with naming(source):
        kind = kind_of(source)
        if kind is not None:
            return describe_external(kind, source, options)
        return _from_sheet(library.find(source), library.store)


def export_source(source: str, library: Library, options: ReadOptions, formats: Collection[str] = ()) -> Export:
    """Export what a source names to the library's store, from which it can be measured; see `describe_source`.

    A model of a sheet becomes the artifact that the workflow makes of it; so does an external model, under its
    own name. ``formats`` are those of programs that are wanted besides those that every model has.

    Raises:
        UsageError: the source is missing, of an unknown kind or of one that no toolchain runs, or its inputs
            need shapes.
        SourceError: it cannot be read or built.
    """
    with naming(source):
        kind = kind_of(source)
        if kind is not None:
            return put_built(*export_external(kind, source, options), library.store, formats)
        return export_model(with_content(library.find(source)), library.store, formats)


def _from_sheet(spec: ModelSpec, store: ArtifactStore) -> dict[str, Any]:
    with naming(str(store.root)):
        artifact = store.find_export(export_key(spec))
        return store.descriptor(artifact) if artifact else build(spec).descriptor
