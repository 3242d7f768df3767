"""From an external model to its descriptor, and to the graph that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError, UsageError, naming
from perfcast.export.built import BuiltModel
from perfcast.export.keras_model import describe
from perfcast.models.external.keras_files import quiet_errors
from perfcast.models.external.kinds import kind_of
from perfcast.models.external.model import ExternalModel, ReadOptions
from perfcast.models.external.spec import spec_of, with_content
from perfcast.models.spec import ModelSpec
from perfcast.network.descriptor import identified, validate_descriptor

if TYPE_CHECKING:
    from perfcast.models.external.kinds import Kind
    from perfcast.models.external.model import KerasModel

_BODY = ("input_shape", "inputs", "outputs", "layers")


def describe_external(kind: Kind, handle: str, options: ReadOptions) -> dict[str, Any]:
    """Return the descriptor of an external model, which bears the handle's own name.

    Raises:
        UsageError: it is missing, or its inputs need shapes.
        SourceError: it cannot be read.
    """
    read = _read(kind, handle, options)
    return read.descriptor or _checked(read, spec_of(handle, tuple(read.body["input_shape"]), {}))


def export_external(kind: Kind, handle: str, options: ReadOptions) -> tuple[ModelSpec, BuiltModel]:
    """Return the spec of an external model that no sheet lists, and the model.

    Raises:
        UsageError: it is missing, of a kind that no toolchain runs, or its inputs need shapes.
        SourceError: it cannot be read.
    """
    if kind.unmeasurable:
        raise UsageError(kind.unmeasurable)
    read = _read(kind, handle, replace(options, to_run=True))
    spec = with_content(spec_of(handle, tuple(read.body["input_shape"]), options.to_parameters()))
    return spec, _built(read, spec, options)


def build_external(spec: ModelSpec) -> BuiltModel:
    """Return an external model that a sheet lists.

    Raises:
        UsageError: it is missing, or its inputs have other shapes than the sheet says.
        SourceError: it cannot be read. Both are one line that names its path or address.
    """
    options = replace(ReadOptions.from_parameters(spec.parameters), to_run=True)
    with naming(spec.builder):
        kind = kind_of(spec.builder, spec.source)
        if kind is None:
            raise UsageError("there is no such file or folder")
        return _built(_read(kind, spec.builder, options), spec, options)


def _read(kind: Kind, handle: str, options: ReadOptions) -> ExternalModel:
    read = kind.read(handle, options)
    return read if read.built is None else _described(read.built)


def _described(built: KerasModel) -> ExternalModel:
    """Describe what Keras built."""
    spec = ModelSpec("model", "family", "file", "file", built.shapes[0])
    with quiet_errors("Keras", "describe"):
        described = describe(built.model, spec, built.shapes)
    return ExternalModel({key: described[key] for key in _BODY}, built=built)


def _checked(read: ExternalModel, spec: ModelSpec) -> dict[str, Any]:
    """Return the whole descriptor, under the names that the spec gives the model.

    Raises:
        DataError: it could not be kept: a name that no table takes, a number that is too large.
    """
    descriptor = identified(read.body, spec.model, spec.name, spec.family, spec.source)
    validate_descriptor(descriptor)
    return descriptor


def _built(read: ExternalModel, spec: ModelSpec, options: ReadOptions) -> BuiltModel:
    if read.graph is None and read.built is None:
        raise SourceError("was read but cannot be measured: no toolchain here runs such files")
    graph = None if read.graph is None else (read.graph, read.interface or {})
    model, shapes = (read.built.model, read.built.shapes) if read.built else (None, ())
    return BuiltModel(_checked(read, spec), model, shapes, options.keep_values, graph)
