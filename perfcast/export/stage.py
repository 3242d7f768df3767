"""The export stage: specs in, artifacts in the store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from perfcast.errors import SourceError
from perfcast.export.exports import Export
from perfcast.export.key import export_key
from perfcast.export.program import Program
from perfcast.export.programs import convert, formats_to_make, program_key
from perfcast.models.build import build_model
from perfcast.models.built import BuiltModel
from perfcast.models.external.kinds import SOURCES as EXTERNAL
from perfcast.models.external.reading import build_external
from perfcast.workers import run_all

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from perfcast.export.artifacts import ArtifactStore
    from perfcast.models.spec import ModelSpec
    from perfcast.progress import Advance


def export_models(
    specs: Iterable[ModelSpec],
    store: ArtifactStore,
    advance: Advance = lambda: None,
    formats: Collection[str] = (),
    jobs: int = 1,
) -> list[Export]:
    """Export each spec unless the store has it; call ``advance`` after each.

    Args:
        specs: the models.
        store: where artifacts and programs go.
        advance: called once per spec.
        formats: of programs that are wanted besides those that every model has.
        jobs: processes to use.

    Raises:
        SourceError: a spec cannot be built; what was exported before stays.
    """
    exports = []
    for export in run_all([partial(export_model, spec, store, formats) for spec in specs], jobs):
        exports.append(export)
        advance()
    return exports


def export_model(spec: ModelSpec, store: ArtifactStore, formats: Collection[str] = ()) -> Export:
    """Build a spec unless the store has its artifact and all its programs, and store what was missing.

    Raises:
        SourceError: the spec cannot be built.
    """
    key = export_key(spec)
    artifact = store.find_export(key)
    keys = {name: program_key(key, name) for name in formats_to_make(formats)}
    found = {name: store.find_program(artifact, keys[name]) if artifact else None for name in keys}
    if artifact and all(found.values()):
        return Export(spec, artifact, tuple(program for program in found.values() if program))
    return put_built(spec, build(spec), store, formats)


def put_built(spec: ModelSpec, built: BuiltModel, store: ArtifactStore, formats: Collection[str] = ()) -> Export:
    """Store the artifact of a model that was built, and its programs; a format that it lacks is on record with why."""
    key = export_key(spec)
    artifact = store.put(key, built.descriptor)
    programs = []
    for name in formats_to_make(formats):
        own = program_key(key, name)
        program = store.find_program(artifact, own)
        programs.append(program or _converted(built, name, artifact, own, store))
    return Export(spec, artifact, tuple(programs))


def _converted(built: BuiltModel, name: str, artifact: str, key: str, store: ArtifactStore) -> Program:
    try:
        content, interface = convert(built, name)
    except SourceError as error:
        program = Program(name, key, reason=str(error))
        store.put_record(program)
        return program
    return store.put_program(artifact, name, key, content, interface)


def build(spec: ModelSpec) -> BuiltModel:
    """Build a spec, or read it, without values of weights unless it asks for them.

    Raises:
        UsageError: the spec asks for what there is not.
        SourceError: the spec cannot be built.
    """
    if spec.source in EXTERNAL:
        return build_external(spec)
    import keras

    from perfcast.formats.keras_json.live import network_of_live

    # Keras numbers layers through a process's life; a canonical export starts at one.
    keras.backend.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(spec)
        network = network_of_live(model, {})
    return BuiltModel(network.descriptor(), model).named(spec)
