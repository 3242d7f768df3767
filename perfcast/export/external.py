"""From an external model to its descriptor, and to the graph that is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError, UsageError, naming
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


def export_external(kind: Kind, handle: str, options: ReadOptions) -> tuple[ModelSpec, bytes, dict[str, Any]]:
    """Return the spec, serialized graph and descriptor of an external model that no sheet lists.

    Raises:
        UsageError: it is missing, of a kind that no toolchain runs, or its inputs need shapes.
        SourceError: it cannot be read.
    """
    if kind.unmeasurable:
        raise UsageError(kind.unmeasurable)
    read = _read(kind, handle, replace(options, to_run=True))
    spec = with_content(spec_of(handle, tuple(read.body["input_shape"]), options.to_parameters()))
    return spec, _graph(read), _checked(read, spec)


def build_external(spec: ModelSpec) -> tuple[bytes, dict[str, Any]]:
    """Return the serialized graph and the descriptor of an external model that a sheet lists.

    Raises:
        UsageError: it is missing, or its inputs have other shapes than the sheet says.
        SourceError: it cannot be read. Both are one line that names its path or address.
    """
    options = replace(ReadOptions.from_parameters(spec.parameters), to_run=True)
    with naming(spec.builder):
        kind = kind_of(spec.builder, spec.source)
        if kind is None:
            raise UsageError("there is no such file or folder of a model")
        read = _read(kind, spec.builder, options)
        return _graph(read), _checked(read, spec)


def _read(kind: Kind, handle: str, options: ReadOptions) -> ExternalModel:
    read = kind.read(handle, options)
    return read if read.built is None else _described(read.built, options)


def _described(built: KerasModel, options: ReadOptions) -> ExternalModel:
    """Describe what Keras built, and trace its graph where it is to run."""
    spec = ModelSpec("model", "family", "file", "file", built.shapes[0])
    with quiet_errors("Keras", "describe"):
        described = describe(built.model, spec, built.shapes)
    body = {key: described[key] for key in _BODY}
    if not options.to_run:
        return ExternalModel(body)
    from perfcast.export.graph import trace_weightless

    with quiet_errors("TensorFlow", "trace"):
        graph = trace_weightless(built.model, built.shapes, keep_values=options.keep_values)
    return ExternalModel(body, graph.interface, graph.serialized)


def _checked(read: ExternalModel, spec: ModelSpec) -> dict[str, Any]:
    """Return the whole descriptor, under the names that the spec gives the model.

    Raises:
        DataError: it could not be kept: a name that no table takes, a number that is too large.
    """
    whole = identified(read.body, spec.model, spec.name, spec.family, spec.source)
    descriptor = whole | {"graph": read.interface}
    validate_descriptor(descriptor)
    return descriptor


def _graph(read: ExternalModel) -> bytes:
    if read.graph is None:
        raise SourceError("was read but cannot be measured: no toolchain here runs such files")
    return read.graph
