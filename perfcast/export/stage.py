"""The export stage: specs in, artifacts in the store."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.export.bundle import read_bundle
from perfcast.export.external import build_external
from perfcast.models.build import build_model
from perfcast.models.external.kinds import SOURCES as EXTERNAL
from perfcast.models.spec import DESCRIPTOR, ModelSpec
from perfcast.storage import canonical_json, digest_of_file, digest_of_json, read_json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import keras
    import pandas as pd

    from perfcast.export.artifacts import ArtifactStore
    from perfcast.progress import Advance

_CODE = ("models", "network", "export", "formats")
"""The packages that make artifacts: what other code made is exported again."""


@dataclass(frozen=True)
class Export:
    """A spec and the artifact it became."""

    spec: ModelSpec
    artifact: str

    def to_dict(self) -> dict[str, Any]:
        """Return the export as JSON-ready values, a manifest's entry."""
        return {"spec": self.spec.to_dict(), "artifact": self.artifact}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Export:
        """Return the export that `to_dict` described."""
        return cls(ModelSpec.from_dict(values["spec"]), values["artifact"])


def export_key(spec: ModelSpec) -> str:
    """Return the key of an export: the whole spec, and digest and versions of all that turns it into an artifact."""
    tools = {name: version(name) for name in ("tensorflow", "keras")}
    return digest_of_json({"spec": spec.to_dict(), "code": _code_digest(), "tools": tools})


@functools.cache
def _code_digest() -> str:
    # Measurements are not made again by it where the artifact comes out the same.
    package = Path(__file__).parents[1]
    files = sorted(path for name in _CODE for path in (package / name).rglob("*.py"))
    return digest_of_json({str(path.relative_to(package)): digest_of_file(path) for path in files})


def export_models(specs: Iterable[ModelSpec], store: ArtifactStore, advance: Advance = lambda: None) -> list[Export]:
    """Export each spec unless the store has it; call ``advance`` after each.

    Raises:
        SourceError: a spec cannot be built; what was exported before stays.
    """
    exports = []
    for spec in specs:
        artifact = store.find_export(export_key(spec)) or export_model(spec, store)
        exports.append(Export(spec, artifact))
        advance()
    return exports


def restore(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str], store: ArtifactStore) -> list[Export]:
    """Return the exports that a shard's manifest lists; what the store lacks of them comes from their bundle.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    exports = [Export.from_dict(entry) for entry in read_json(manifest)]
    store.unpack([export.artifact for export in exports], bundle)
    for export in exports:
        key = export_key(export.spec)
        if store.find_export(key) != export.artifact:
            store.put_export(key, export.artifact)
    return exports


def bundled_descriptors(manifest: str | os.PathLike[str], bundle: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the descriptors of the exports that a shard's manifest lists, without any store.

    Raises:
        StoreError: the manifest or the bundle is damaged.
    """
    digests = [Export.from_dict(entry).artifact for entry in read_json(manifest)]
    return [json.loads(files[DESCRIPTOR]) for _, files in read_bundle(bundle, digests)]


def model_table(exports: list[Export], store: ArtifactStore) -> pd.DataFrame:
    """Return the model database: a row an export, sorted by model; docs/data-model.md lists the columns."""
    import pandas as pd

    rows = [_model_row(export, store) for export in sorted(exports, key=lambda export: export.spec.model)]
    return pd.DataFrame(rows)


def _model_row(export: Export, store: ArtifactStore) -> dict[str, str]:
    spec = export.spec
    rebuild = {"builder": spec.builder, "input_shape": list(spec.input_shape), "seed": spec.seed}
    return {
        "model": spec.model,
        "name": spec.name,
        "family": spec.family,
        "input_size": spec.size,
        "source": spec.source,
        "location": str(store.location(export.artifact)),
        "digest": export.artifact,
        "parameters": canonical_json(rebuild | spec.parameters).decode(),
    }


def export_model(spec: ModelSpec, store: ArtifactStore) -> str:
    """Build a spec, write its artifact and return the artifact's digest.

    Raises:
        SourceError: the spec cannot be built.
    """
    graph, descriptor = build_artifact(spec)
    return store.put(export_key(spec), graph, descriptor)


def build_artifact(spec: ModelSpec) -> tuple[bytes, dict[str, Any]]:
    """Build a spec, without values unless it asks for them; return its serialized graph and its descriptor.

    Raises:
        UsageError: the spec asks for what there is not.
        SourceError: the spec cannot be built.
    """
    if spec.source in EXTERNAL:
        return build_external(spec)
    import keras

    # Keras numbers layers through a process's life; a canonical export starts at one.
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(spec)
    return artifact_of(model, spec)


def artifact_of(model: keras.Model, spec: ModelSpec) -> tuple[bytes, dict[str, Any]]:
    """Return the serialized weightless graph and the descriptor of a model that is there already."""
    from perfcast.export.graph import trace_weightless
    from perfcast.export.keras_model import describe

    graph = trace_weightless(model)
    return graph.serialized, describe(model, spec) | {"graph": graph.interface}
