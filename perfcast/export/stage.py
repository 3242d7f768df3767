"""The export stage: specs in, artifacts in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.export.exports import Export
from perfcast.export.external import build_external
from perfcast.export.key import export_key
from perfcast.models.build import build_model
from perfcast.models.external.kinds import SOURCES as EXTERNAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    import keras

    from perfcast.export.artifacts import ArtifactStore
    from perfcast.models.spec import ModelSpec
    from perfcast.progress import Advance


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
